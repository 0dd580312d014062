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
    Penalty,
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
    """Which runs there are in addition to one for each seed."""

    folds: bool = False
    """Also run on the official folds of the data set (stl10 and photos have ten)."""
    label_counts: Annotated[list[Count], ("uniqueItems", True)] = []
    """Numbers of labels. Each number and each seed give a run with that many of the training images, drawn by the seed
    with classes as equal as possible. A smaller set is part of a larger one. The seeds, which have all training images,
    and the folds are points of the curve too. An empty list makes no curve."""


class Svm(Options):
    """A support vector machine."""

    svm_c: candidates(Penalty) = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3]
    """Candidates for C of the support vector machine (as in liblinear); chosen on validation images."""


class Recipe(Precision):
    """How a network is trained."""

    epochs: Count = 28
    """Passes over the training images; with `steps_per_epoch`, units of that many training steps."""
    steps_per_epoch: Natural = 0
    """Steps of an epoch; 0 means one pass over the training images."""
    batch_size: AtLeastTwo = 64  # batch normalisation needs more than one
    """Images of a training step."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """`sgd` has Nesterov momentum; `adamw` is Adam with decoupled weight decay."""
    learning_rate: Positive = 0.1
    """The highest learning rate of the schedule."""
    bias_rate: NumberAtLeastOne = 1.0
    """Factor of the learning rate for biases, including those of batch normalisation; weights have a factor of 1."""
    momentum: Part = 0.9
    """Nesterov momentum; for `sgd` only."""
    weight_decay: NotNegative = 5.0e-4
    """Weight decay of the weights. Biases and batch normalisation have none."""
    schedule: Literal["one_cycle", "cosine", "step", "exponential"] = "one_cycle"
    """How the learning rate changes with the steps. `one_cycle` rises and falls once, `cosine` falls from the start,
    `step` divides by 10 after 60 % and after 80 % of the steps, `exponential` multiplies by 0.998 after each epoch."""
    label_smoothing: Part = 0.05
    """Part of a label that is spread over all classes."""
    ema_decay: Part = 0.0
    """Decay per step of the exponential moving average of the weights, which is then evaluated; 0 means no average."""
    patience: Natural = 0
    """Epochs without a better validation accuracy after which training stops and returns to the best epoch; 0 means
    that it continues to the last epoch and keeps that one."""


class Network(Options):
    """Which network, and what belongs to it."""

    network: Literal[tuple(NETWORKS)] = "resnet"
    """Name of the network; see [Networks](#networks)."""
    dropout: Part = 0.3
    """Fraction of the activations before the last layer that is set to zero in training."""


class FirstLayer(Options):
    """The first convolution of a network."""

    first_layer: Literal["trained", "centroids"] = "trained"
    """Filters of the first convolution: `trained` from random weights like all others; `centroids` are k-means
    centroids of whitened patches of the images that it learns from, and stay as they are."""


class LabelledNetwork(ImageSize, Network, FirstLayer):
    """A network that learns the classes of images."""

    average_flips: bool = True
    """In evaluation, average the scores of an image and of its mirror image."""
    copies: Annotated[int, ("minimum", 0), ("multipleOf", 3)] = 0
    """Number of changed copies, made once, that replace each training image; 0 means none. A third is rotated by up to
    45 degrees, a third is moved up or down by 1 to 4 pixels, a third has Gaussian noise on the pixels that are not
    zero."""


class Augmentation(Options):
    """How training images are changed."""

    shift: Natural = 8
    """Training images are shifted by up to this many pixels in each direction; their borders are reflected."""
    flip: bool = True
    """Half of the training images are mirrored, left to right."""
    alternate_flips: bool = False
    """With `flip`, a labelled training image is mirrored in every second epoch instead of at random. Chance decides
    once for each image whether it starts mirrored."""
    color: Part = 0.2
    """Brightness, contrast and saturation change by a factor from 1 - this to 1 + this; 0 for images of one channel."""
    hue: HalfCircle = 0.0
    """Hue is shifted by up to this fraction of the circle in either direction; 0 for images of one channel."""
    cutout: Natural = 16
    """Side in pixels of a square that is blanked in each training image; 0 means none."""


class UnlabeledBatch(Options):
    """Unlabelled images in a training step."""

    unlabeled_pool: Literal["unlabeled", "hidden", "both"] = "unlabeled"
    """Images that are used without labels. `unlabeled`: the unlabelled images of the data set. `hidden`: labelled
    images that a run neither trains nor validates on, without their labels; runs with fewer labels leave training
    images over, and so do folds (see `fold_validation_images`). `both`: both kinds."""
    unlabeled_batch_size: Count = 64
    """Unlabelled images of a training step, in addition to the labelled ones."""
    labelled_in_pool: bool = False
    """Also use the training images without their labels."""


def enough_unlabeled(key: str, options: Values, data: Data) -> Iterator[Mistake]:
    """Check that there are as many unlabelled images as an option asks for."""
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
