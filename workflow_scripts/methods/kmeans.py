"""k-means features: patches, ZCA whitening, centroids, features, and a support vector machine on them."""

from collections.abc import Iterator
from typing import Annotated, Literal

from data_sets.declare import Data
from declarations.options import AtLeastTwo, Count, Mistake, Options, Part, Positive, Values, candidates
from declarations.options import option_names as names
from methods.declare import Base, Method
from methods.shared import ImageSize, Precision, Runs, Svm, enough_unlabeled


class Patches(ImageSize):
    """Options of `sample_patches`."""

    patch_size: AtLeastTwo = 22
    """Side of the square patches, in pixels."""
    patch_images: Count = 20000
    """Unlabelled images that patches are drawn from."""
    patches_per_image: Count = 16
    """Patches per image, drawn at random places."""


class Whitening(Options):
    """Options of `fit_whitening`."""

    contrast_constant: Positive = 10.0
    """Constant added to the variance of a patch (pixels 0..255); the patch is divided by the root of the sum."""


class Epsilons(Options):
    """What `learn_centroids` runs for, one job for each."""

    whitening_epsilon: candidates(Positive) = [1.0, 4.0, 16.0]
    """Candidates for the constant added to the eigenvalues in ZCA whitening; chosen on validation images."""


class Centroids(Precision):
    """Options of `learn_centroids`."""

    centroids: AtLeastTwo = 1600
    """Number K of centroids; an image has 4 K features."""
    initialization: Literal["gaussian", "patches", "k-means++"] = "gaussian"
    """First centroids: small Gaussian random numbers, random patches, or patches chosen by k-means++. With patches,
    many centroids keep a single patch, because a patch of high contrast is far from all others."""
    iterations: Count = 50
    """Largest number of Lloyd iterations."""
    tolerance: Part = 1.0e-4
    """Lloyd's iteration stops when the objective falls by less than this fraction. The first iterations, at most half
    of all, use only the leading principal coordinates that hold 80 % of the variance, of one patch in four at most;
    they do not count here."""
    momentum: Part = 0.9
    """Fraction of its last update by which each centroid moves on, from the second iteration; 0 means that it does
    not."""


class Features(Options):
    """Options of `extract_features`."""

    stride: Count = 24
    """Pixels from one patch to the next when features are extracted."""


class SvmOnFeatures(Features, Svm):
    """Options of `train_svm`."""

    svm_c = [0.00003, 0.0001, 0.0003, 0.001, 0.003]


class SolverIterations(Options):
    """Options of `solver_iterations`."""

    svm_iterations: Annotated[list[Count], ("uniqueItems", True)] = []
    """Steps of a stochastic SVM solver in the table of solver iterations; an empty list makes no table."""


LEARNING = (Patches, Whitening, Epsilons, Centroids)  # what the centroids depend on


class KMeans(*LEARNING, SvmOnFeatures, SolverIterations, Runs, Method):
    """Features from centroids of unlabelled patches. With a base its centroids are used, and none are learned."""

    name = "kmeans"
    model = True
    mapped = "features.h5"
    unlabeled = "kmeans"
    sections = ("kmeans", "svm")
    base = Base(of=("kmeans",), gives=LEARNING, fixed=names(*LEARNING), what="the centroids come")

    @classmethod
    def figures(cls, options: Values) -> list[str]:
        learned = [] if "builds_on" in options else ["patches", "centroids"]
        return [*learned, *(["solver_iterations"] if options["svm_iterations"] else [])]

    @classmethod
    def learned(cls, options: Values) -> list[str]:
        return (
            [] if "builds_on" in options else [f"epsilon{value}/centroids.h5" for value in options["whitening_epsilon"]]
        )

    @classmethod
    def check(cls, options: Values, data: Data, base: Values | None) -> Iterator[Mistake]:
        size, patch, stride = data.image_size(options), options["patch_size"], options["stride"]
        steps = size - patch  # from the first position of a patch in a row to the last
        if steps < 0:
            yield "patch_size", f"{patch} is larger than the images ({size} pixels); choose at most {size - 1}"
        if steps == 0:
            yield (
                "patch_size",
                f"{patch} leaves one patch in an image of {size} pixels, and features are pooled over 2 x 2 quadrants; "
                f"choose at most {size - 1}",
            )
        if stride > steps:
            yield (
                "stride",
                f"{stride} leaves fewer than 2 x 2 patches of {patch} pixels in an image of {size}; "
                f"choose at most {steps}",
            )
        yield from enough_unlabeled("patch_images", options, data)
        patches = options["patch_images"] * options["patches_per_image"]
        if options["centroids"] > patches:
            yield (
                "centroids",
                f"{options['centroids']} is more than the {patches} patches (patch_images x patches_per_image); choose "
                "at most that",
            )
