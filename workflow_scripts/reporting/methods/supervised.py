"""Networks trained on labels in the report."""

from pathlib import Path

from reporting.augmentation import augmentation
from reporting.runs import chosen_settings
from reporting.settings import RECIPE
from reporting.text import Values

FURTHER = ("image_size", "first_layer", "progressive_resizing", *RECIPE, "average_flips")


def values(plan: Values, folder: Path, size: int, classes: int) -> Values:
    """Return what the text says of an experiment whose network is trained on labels, epoch by epoch."""
    options = plan["options"]
    kept = chosen_settings(folder, plan["runs"], {"epoch": "epoch"})["chosen"]["epoch"]
    return {
        "augmentation": augmentation(options),
        "kept_epochs": kept if options["patience"] else [],
        "edge": [],
    }
