"""What the options of a program say of a training."""

import argparse

from declarations.options import Options
from semisup.augmentation import Augmentation
from semisup.training import Recipe


def recipe_of(options: argparse.Namespace | type[Options]) -> Recipe:
    """Return the recipe of options that have the declared group of that name; of declared ones, their defaults."""
    return Recipe(**{name: getattr(options, name) for name in Recipe._fields})


def augmentation_of(options: argparse.Namespace) -> Augmentation:
    """Return the augmentation of options that have the declared group of that name."""
    return Augmentation(**{name: getattr(options, name) for name in Augmentation._fields if hasattr(options, name)})
