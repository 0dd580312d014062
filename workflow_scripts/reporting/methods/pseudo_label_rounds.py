"""Rounds of pseudo-labels with a network in the report."""

from pathlib import Path

from reporting.augmentation import AUGMENTATIONS
from reporting.rounds import rounds_values
from reporting.settings import RECIPE
from reporting.text import Values

FURTHER = (
    "image_size",
    "first_layer",
    "held_out",
    "steps_per_epoch",
    "batch_size",
    *RECIPE,
    *AUGMENTATIONS,
    "average_flips",
)


def values(plan: Values, folder: Path, size: int, classes: int) -> Values:
    """Return what the text says of an experiment."""
    return rounds_values(plan, folder, classes)
