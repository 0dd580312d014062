"""k-means features in the report."""

from pathlib import Path

from reporting.runs import chosen_settings
from reporting.text import Values

FURTHER = (
    "whitening_epsilon",
    "svm_c",
    "contrast_constant",
    "initialization",
    "iterations",
    "tolerance",
    "momentum",
    "precision",
)


def values(plan: Values, folder: Path, size: int, classes: int) -> Values:
    """Return what the text says of an experiment."""
    options = plan["options"]
    return {
        **chosen_settings(folder, plan["runs"], {"epsilon": r"$\epsilon$", "c": "$C$"}),
        "image_size": size if options["image_size"] == "native" else options["image_size"],
        "patches_drawn": options["patch_images"] * options["patches_per_image"],
    }
