"""Rounds of pseudo-labels with k-means features in the report."""

from pathlib import Path

from reporting.rounds import rounds_values
from reporting.text import Values

FURTHER = ("held_out",)


def values(plan: Values, folder: Path, size: int, classes: int) -> Values:
    """Return what the text says of an experiment."""
    return rounds_values(plan, folder, classes)
