"""Groups of options, and checks, that several methods share."""

import math
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from data_sets.declare import Data
from declarations.options import (
    AtLeastTwo,
    Count,
    HalfCircle,
    Mistake,
    Natural,
    NotNegative,
    NumberAtLeastOne,
    Options,
    Part,
    Positive,
    Values,
    candidates,
)
from semisup.networks import declared_networks
from semisup.resizing import image_side

NETWORKS = declared_networks()


class ImageSize(Options):
    """The size that images are scaled to."""

    image_size: AtLeastTwo | Literal["native"] = "native"
    """Side in pixels that the images are scaled to before anything else, or `native`."""


class Precision(Options):
    """How products are computed."""

    precision: Literal["auto", "float32"] = "auto"
    """`auto` multiplies in bfloat16 where the processor has it; `float32` never does."""


class Runs(Options):
    """Which runs there are, beside one for each seed."""

    folds: bool = False
    """Run on the official folds of the data set too (stl10 and photos have ten)."""
    label_counts: Annotated[list[Count], ("uniqueItems", True)] = []
    """Numbers of labels: for each one and each seed there is a run with so many of the training images, class by class
    as equal in number as can be, drawn by the seed. Those of a smaller number are among those of a larger one. The
    seeds, which have all training images, and the folds are points of the curve too. None, no curve."""


class Svm(Options):
    """A support vector machine."""

    svm_c: candidates(Positive) = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3]
    """Candidates for the support vector machine's C (as in liblinear); chosen on validation."""


class Recipe(Precision):
    """How a network is trained."""

    epochs: Count = 28
    """Passes over the training images; with `steps_per_epoch`, parts of so many training steps."""
    steps_per_epoch: Natural = 0
    """Steps of an epoch; 0, one pass over the training images."""
    batch_size: AtLeastTwo = 64  # batch normalisation needs more than one
    """Images of a training step."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """`sgd` has Nesterov momentum; `adamw` is Adam with decoupled weight decay."""
    learning_rate: Positive = 0.1
    """The highest learning rate of the schedule."""
    bias_rate: NumberAtLeastOne = 1.0
    """The learning rate of biases, those of batch normalisation among them, is so many times that of the weights."""
    momentum: Part = 0.9
    """Nesterov momentum, of `sgd` only."""
    weight_decay: NotNegative = 5.0e-4
    """Weight decay of the weights; biases and batch normalisation have none."""
    schedule: Literal["one_cycle", "cosine", "step", "exponential"] = "one_cycle"
    """How the learning rate changes with the steps. `one_cycle` rises and falls once, `cosine` falls from the start,
    `step` divides by 10 after 60 % and after 80 % of the steps, `exponential` multiplies by 0.998 after each epoch."""
    label_smoothing: Part = 0.05
    """Part of a label that is spread over all classes."""
    ema_decay: Part = 0.0
    """Decay, for each step, of the exponential moving average of the weights that is evaluated; 0, no average."""
    patience: Natural = 0
    """Epochs without a better validation accuracy after which training stops and goes back to the best; 0, it goes on
    to the last epoch and keeps that."""


class Network(Options):
    """Which network, and what belongs to it."""

    network: Literal[tuple(NETWORKS)] = "resnet"
    """Which one; see [Networks](#networks)."""
    dropout: Part = 0.3
    """Part of the activations that is set to zero before the last layer, in training."""


class FirstLayer(Options):
    """The first convolution of a network."""

    first_layer: Literal["trained", "centroids"] = "trained"
    """How the filters of the first convolution come about: trained with all others from random weights, or k-means
    centroids of whitened patches of the images that are learned from, which stay as they are."""


class LabelledNetwork(ImageSize, Network, FirstLayer):
    """A network that learns the classes of images."""

    average_flips: bool = True
    """Average the scores of an image and of its mirror image, when the network is evaluated."""
    copies: Annotated[int, ("minimum", 0), ("multipleOf", 3)] = 0
    """Each training image is replaced by so many changed copies, made once: turned by up to 45 degrees, moved up or
    down by 1 to 4 pixels, or with Gaussian noise on the pixels that are not zero, a third each; 0, none."""


class Augmentation(Options):
    """How training images are changed."""

    shift: Natural = 8
    """Training images are shifted by up to so many pixels in each direction, their borders reflected."""
    flip: bool = True
    """Half of the training images are mirrored, left to right."""
    alternate_flips: bool = False
    """With `flip`, a labelled training image is mirrored in every second epoch, instead of at random. In which ones,
    chance decides once for each image."""
    color: Part = 0.2
    """Brightness, contrast and saturation are multiplied by 1 +- up to this; 0 for images of one channel."""
    hue: HalfCircle = 0.0
    """Hue is shifted by +- up to this fraction of the circle; 0 for images of one channel."""
    cutout: Natural = 16
    """Side in pixels of a square that is blanked in each training image; 0, none."""


class UnlabeledBatch(Options):
    """Unlabeled images in a training step."""

    unlabeled_pool: Literal["unlabeled", "hidden", "both"] = "unlabeled"
    """Which images are used without labels: `unlabeled`, those of the data set; `hidden`, labelled images that a run
    neither trains nor validates on, their labels hidden: the training images that runs with fewer labels leave, and
    what folds leave (see `fold_validation_images`); `both`."""
    unlabeled_batch_size: Count = 64
    """Unlabeled images of a training step, beside the labelled ones."""
    labelled_in_pool: bool = False
    """The training images are used without their labels too."""


def enough_unlabeled(key: str, options: Values, data: Data) -> Iterator[Mistake]:
    """Check that there are as many unlabeled images as an option asks for."""
    if data.unlabeled_images != "all" and options[key] > data.unlabeled_images:
        yield (
            key,
            f"{options[key]} is more than the {data.unlabeled_images} unlabeled images of {data.name}; choose at most "
            f"that, or {data.remedy()}",
        )


def enough_in_pool(options: Values, data: Data) -> Iterator[Mistake]:
    """Check that the pool of every run has as many images as a batch asks for."""
    pool = options["unlabeled_pool"]
    hides = (options["folds"] and data.hidden_images()) or data.fewer_labels(options["label_counts"])
    if pool != "unlabeled" and not hides:
        yield (
            "unlabeled_pool",
            f"{pool} needs labelled images that a run neither trains nor validates on; set folds to true and "
            f"data.{data.name}.fold_validation_images to a lower number, give label_counts, or choose unlabeled",
        )
    if pool == "hidden" and not options["labelled_in_pool"]:
        yield (
            "unlabeled_pool",
            "hidden leaves the runs of seeds, which train on all labelled images, without any; set labelled_in_pool "
            "to true, or choose both",
        )
    runs = [(data.train_images, 0)]  # of each kind of run: training images, and those that it leaves without labels
    runs += [(count, data.train_images - count) for count in data.fewer_labels(options["label_counts"])]
    runs += [(data.fold_images, data.hidden_images())] if options["folds"] else []
    images = min(
        (train if options["labelled_in_pool"] else 0) + (0 if pool == "unlabeled" else hidden) for train, hidden in runs
    )
    unlabeled = 0 if pool == "hidden" else data.unlabeled_images
    if unlabeled != "all" and options["unlabeled_batch_size"] > unlabeled + images:
        remedy = "choose another pool" if pool == "hidden" else data.remedy()
        yield (
            "unlabeled_batch_size",
            f"{options['unlabeled_batch_size']} is more than the {unlabeled + images} unlabeled images of "
            f"{data.name}; choose at most that, or {remedy}",
        )


def same_runs_as_base(options: Values, data: Data, base: Values) -> Iterator[Mistake]:
    """Check that each run has one of the base to begin with."""
    if options["folds"] and not base["folds"]:
        yield (
            "folds",
            f"the base {options['builds_on']!r} does not run on the folds; set its folds to true, or these to false",
        )
    missing = set(data.fewer_labels(options["label_counts"])) - set(base["label_counts"])
    if missing:
        yield (
            "label_counts",
            f"the base {options['builds_on']!r} has no runs with {min(missing)} labels; name {min(missing)} in its "
            "label_counts, or not in these",
        )


def smaller_than_images(keys: Iterable[str], options: Values, data: Data) -> Iterator[Mistake]:
    """Check lengths in pixels."""
    size = data.image_size(options)
    for key in keys:
        if options[key] >= size:
            yield (
                key,
                f"{options[key]} is not smaller than the images of {data.name} ({size} pixels); "
                f"choose at most {size - 1}",
            )


def colours_there(keys: Iterable[str], options: Values, data: Data) -> Iterator[Mistake]:
    """Check that images whose colours are changed have colours."""
    for key in keys:
        if options[key] and data.channels == 1:
            yield (
                key,
                f"{options[key]} changes colours, and the images of {data.name} have one channel; set it to 0",
            )


def large_enough_for_network(options: Values, data: Data) -> Iterator[Mistake]:
    """Check that the layers of the network leave something of the images."""
    size, smallest = data.image_size(options), NETWORKS[options["network"]].smallest
    if size < smallest:
        fitting = [name for name, network in NETWORKS.items() if network.smallest <= size]
        yield (
            "network",
            f"{options['network']} needs images of at least {smallest} pixels, and those of {data.name} have {size}; "
            f"choose {' or '.join(fitting) or 'a larger image_size'}",
        )


def small_enough_for_network(smallest: int, options: Values, data: Data) -> Iterator[Mistake]:
    """Check that the network takes the images of progressive resizing; smallest: of them, 0 if it takes no other size.

    Lengths are in pixels.
    """
    key, size = "progressive_resizing", data.image_size(options)
    side = image_side(size, options[key], 0, options["epochs"])
    if side < size and not smallest:
        others = [name for name, network in NETWORKS.items() if network.resizable]
        yield (
            key,
            f"{options['network']} takes images of one size only; set it to 1, or choose {' or '.join(others)}",
        )
    elif side < min(size, smallest):
        yield (
            key,
            f"{options[key]:g} makes images of {side} pixels, and {options['network']} needs {smallest}; "
            f"choose at least {min(1, math.ceil(100 * smallest / size) / 100):g}",
        )
