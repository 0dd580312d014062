"""Photographs that come with the packages, for a study without a download."""

from collections.abc import Iterator

from data_sets.declare import Copies, DataSet, FoldValidation, Seed, fold_validation_fits
from declarations.options import Count, Mistake, Options, Values


class PhotosSplit(Options):
    """Options of `prepare_photos`."""

    train_images: Count = 600
    """Labelled crops to train on."""
    validation_images: Count = 200
    """Labelled crops by which everything is chosen."""
    unlabeled_images: Count = 2000
    """Unlabelled crops."""
    test_images: Count = 500
    """Test crops."""
    folds: Count = 10
    """Folds drawn from the labelled crops."""
    fold_images: Count = 100
    """Labelled crops of a fold."""
    split_seed: Seed = 0
    """Seed of the crops and the folds."""


class Photos(PhotosSplit, FoldValidation, Copies, DataSet):
    """Embedded crops of photographs that scikit-image and scikit-learn ship."""

    kind = "photos"
    licence = (
        "those of scikit-learn CC BY 2.0; those of scikit-image in the public domain, CC0 or without known "
        "restrictions, but for the motorcycle, which its documentation states no terms of"
    )
    embedded = True
    size = 96
    channels = 3
    classes = 10

    @classmethod
    def check(cls, name: str, options: Values) -> Iterator[Mistake]:
        """Yield what is more than the labelled crops."""
        yield from fold_validation_fits(options, options["fold_images"], cls.classes)
