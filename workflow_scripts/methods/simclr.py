"""SimCLR: a network learns without labels to tell which crops are of the same image."""

from collections.abc import Iterator

from data_sets.declare import Data
from declarations.options import AtLeastTwo, HalfCircle, InnerPart, Mistake, Part, Positive, Values
from methods.pretraining import Pretraining
from methods.shared import (
    FirstLayer,
    ImageSize,
    Network,
    Recipe,
    colours_there,
    enough_unlabeled,
    large_enough_for_network,
)


class SimclrTraining(ImageSize, Recipe, Network, FirstLayer):
    """Options of `train_simclr`."""

    epochs = 10
    optimizer = "adamw"
    learning_rate = 0.002
    weight_decay = 1.0e-4
    label_smoothing = 0.0
    dropout = 0.0
    views: AtLeastTwo = 4
    """Views of each image in a training step: randomly changed crops. The network sees `batch_size` times as many."""
    temperature: Positive = 0.2
    """Similarities are divided by this before the softmax."""
    crop: InnerPart = 0.2
    """Smallest fraction of the image's area that a view has; the view is scaled to `image_size`."""
    color: Part = 0.4
    """Brightness, contrast and saturation of a view change by a factor from 1 - this to 1 + this; 0 for images of one
    channel."""
    hue: HalfCircle = 0.1
    """Hue of a view is shifted by up to this fraction of the circle in either direction; 0 for images of one
    channel."""
    grey: Part = 0.2
    """Fraction of the views that lose their colours; 0 for images of one channel."""
    flip: bool = True
    """Half of the views are mirrored, left to right."""


class Simclr(SimclrTraining, Pretraining):
    """A network that learned to tell images apart by their crops (SimCLR with several views of each image)."""

    name = "simclr"
    learns_from = "views"
    unlabeled = "views"
    sections = ("networks", "simclr", "svm")

    @classmethod
    def check(cls, options: Values, data: Data, base: Values | None) -> Iterator[Mistake]:
        yield from large_enough_for_network(options, data)
        yield from colours_there(("color", "hue", "grey"), options, data)
        yield from enough_unlabeled("batch_size", options, data)
        if options["label_smoothing"]:
            yield "label_smoothing", f"{options['label_smoothing']:g} has no meaning without labels; set it to 0"
