"""Surrogate classes: a network learns without labels to tell transformed patches of unlabelled images apart."""

from collections.abc import Iterator
from typing import Annotated, Literal

from data_sets.declare import Data
from declarations.options import AtLeastTwo, Degrees, HalfCircle, Mistake, Range, Values, candidates
from methods.pretraining import Pretraining
from methods.shared import NETWORKS, ImageSize, Network, Recipe, enough_unlabeled

Transformation = Literal["rotation", "translation", "scale", "pca_contrast", "color_contrast", "hue"]
RANGES = ("scale", "pca_contrast", "color_power", "color_factor")
OF_COLOURS = ("pca_contrast", "color_contrast", "hue")
STEP = 4  # surrogate_size is a multiple of it


class Surrogates(ImageSize):
    """Options of `make_surrogates`."""

    seed_patches: AtLeastTwo = 4000
    """Number of surrogate classes. Each is made from one patch, and each patch comes from another unlabelled image."""
    samples_per_class: AtLeastTwo = 100
    """Transformed patches of a class. One in ten, and at least one, is kept for validation."""
    surrogate_size: Annotated[int, ("minimum", 8)] = 32
    """Side of the patches, in pixels; a multiple of 4."""
    seed_sampling: Literal["uniform", "energy"] = "uniform"
    """Place of a seed patch in its image; `energy` prefers places with a high mean squared gradient."""
    transformations: candidates(Transformation) = ["rotation", "translation", "scale"]
    """Transformations that make the patches of a class, of those below; the last three need colour images."""
    rotation: Degrees = 20.0
    """Patches are rotated by up to this many degrees in either direction."""
    translation: HalfCircle = 0.1
    """Patches are moved in each direction by up to this fraction of their side."""
    scale: Range = [0.7, 1.4]
    """Zoom factor, log-uniform between these two."""
    pca_contrast: Range = [0.5, 2.0]
    """Factor of each principal component of the seed patches' colours, log-uniform between these two."""
    color_power: Range = [0.25, 4.0]
    """Power of saturation and of value in `color_contrast`, log-uniform between these two."""
    color_factor: Range = [0.7, 1.4]
    """Factor of saturation and of value in `color_contrast`, log-uniform between these two."""
    color_offset: Annotated[float, ("minimum", 0), ("maximum", 1)] = 0.1
    """Largest size of what is added to saturation and to value in `color_contrast`."""
    hue: HalfCircle = 0.1
    """Hue is shifted by up to this fraction of the circle in either direction."""


class ExemplarTraining(Recipe, Network):
    """Options of `train_exemplar`."""

    network: Literal[tuple(name for name, network in NETWORKS.items() if network.of_patches)] = "exemplar_small"
    """Name of the network, one for patches; see [Networks](#networks)."""
    epochs = 3
    batch_size = 128
    learning_rate = 0.02
    label_smoothing = 0.0
    dropout = 0.5


class Exemplar(Surrogates, ExemplarTraining, Pretraining):
    """A network that learned surrogate classes; its layers are the features of a support vector machine."""

    name = "exemplar"
    formerly = "surrogate"
    learns_from = "surrogate classes"
    unlabeled = "exemplar"
    sections = ("networks", "exemplar", "svm")

    @classmethod
    def figures(cls, options: Values) -> list[str]:
        return ["surrogates", *super().figures(options)]

    @classmethod
    def check(cls, options: Values, data: Data, base: Values | None) -> Iterator[Mistake]:
        yield from enough_unlabeled("seed_patches", options, data)
        for key in RANGES:
            low, high = options[key]
            if low > high:
                yield key, f"the first number of [{low}, {high}] is the higher one; exchange them"
        for name in OF_COLOURS:
            if name in options["transformations"] and data.channels == 1:
                yield (
                    "transformations",
                    f"{name} changes colours, and the images of {data.name} have one channel; remove it",
                )
        patch, size = options["surrogate_size"], data.image_size(options)
        if patch >= size:
            yield (
                "surrogate_size",
                f"{patch} is not smaller than the images of {data.name} ({size} pixels); choose at most "
                f"{(size - 1) // STEP * STEP}",
            )
        if patch % STEP:
            yield (
                "surrogate_size",
                f"{patch} is not a multiple of {STEP}, as the networks need it; choose {patch // STEP * STEP}, or "
                "another multiple",
            )
        samples = options["samples_per_class"]
        patches = options["seed_patches"] * (samples - max(1, samples // 10))  # one in ten is kept for validation
        if options["batch_size"] > patches:
            yield (
                "batch_size",
                f"{options['batch_size']} is more than the {patches} patches that are trained on; choose at most that",
            )
