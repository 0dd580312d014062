"""FixMatch: the network must say the same of a weakly and of a strongly changed version of an unlabelled image.

Training starts from random weights, or from the network of a base.
"""

from collections.abc import Iterator

from data_sets.declare import Data
from declarations.options import Degrees, HalfCircle, Mistake, Natural, Part, Positive, Values, option_names
from methods.declare import Base
from methods.shared import LabelledNetwork, UnlabeledBatch, colours_there, same_runs_as_base, smaller_than_images
from methods.supervised import SupervisedTraining
from methods.unlabeled_loss import UnlabeledLoss


class FixMatchTraining(UnlabeledBatch, SupervisedTraining):
    """Options of `train_fixmatch`."""

    epochs = 100
    steps_per_epoch = 200
    schedule = "cosine"
    learning_rate = 0.03
    ema_decay = 0.999
    label_smoothing = 0.0
    dropout = 0.0
    color = 0.0
    cutout = 0
    unlabeled_batch_size = 448
    labelled_in_pool = True
    unlabeled_weight: Positive = 1.0
    """Weight of the unlabelled images in the loss."""
    threshold: Part = 0.95
    """Lowest confidence (probability of the predicted class) at which a prediction counts as a label."""
    adaptive_threshold: bool = False
    """Use one threshold for each class, which follows the confidence of the network (FreeMatch), instead of
    `threshold`."""
    distribution_alignment: bool = False
    """Scale the predictions for weakly changed images so that, on average, their classes are as frequent as the classes
    of the labelled images (ReMixMatch)."""
    prediction_decay: Part = 0.999
    """Decay per step of the moving averages of predictions in `adaptive_threshold` and `distribution_alignment`. A
    training of n steps needs less than 1 - 1/n."""
    strong_color: Part = 0.5
    """Strong changes of colour: brightness, contrast and saturation change by a factor from 1 - this to 1 + this; 0 for
    images of one channel."""
    strong_hue: HalfCircle = 0.1
    """Strong changes of hue, by up to this fraction of the circle in either direction; 0 for images of one channel."""
    strong_rotation: Degrees = 30.0
    """Strongly changed images are rotated by up to this many degrees in either direction."""
    strong_cutout: Natural = 48
    """Side in pixels of a square that is blanked in each strongly changed image; 0 means none."""


class FixMatch(FixMatchTraining, UnlabeledLoss):
    """What the network predicts for a weakly changed unlabelled image is the label of its strongly changed version."""

    name = "fixmatch"
    base = Base(
        of=("supervised",), gives=(LabelledNetwork,), fixed=option_names(LabelledNetwork), what="the network comes"
    )
    sections = ("networks", "pseudo-labels", "fixmatch", "changes")

    @classmethod
    def check(cls, options: Values, data: Data, base: Values | None) -> Iterator[Mistake]:
        yield from super().check(options, data, base)
        if base is not None:
            yield from same_runs_as_base(options, data, base)
        yield from smaller_than_images(("strong_cutout",), options, data)
        yield from colours_there(("strong_color", "strong_hue"), options, data)
