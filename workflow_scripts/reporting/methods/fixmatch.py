"""FixMatch in the report: its network is trained as on labels alone, and its table has the strong changes too."""

from pathlib import Path

from reporting.augmentation import augmentation
from reporting.methods import supervised
from reporting.settings import RECIPE
from reporting.text import Values

FURTHER = (
    "image_size",
    "network",
    "first_layer",
    "unlabeled_pool",
    "labelled_in_pool",
    "unlabeled_weight",
    "distribution_alignment",
    "prediction_decay",
    *RECIPE,
    "average_flips",
)


def values(plan: Values, folder: Path, size: int, classes: int) -> Values:
    """Return what the text says of an experiment."""
    return supervised.values(plan, folder, size, classes) | {"strong": strong_changes(plan["options"])}


def section_values(experiments: list[Values], published: Values) -> Values:
    """Return what the section says of all experiments together."""
    averaging = [
        row for row in experiments if row["options"]["adaptive_threshold"] or row["options"]["distribution_alignment"]
    ]
    return {
        "adaptive": any(row["options"]["adaptive_threshold"] for row in experiments),
        "aligned": [row["title"] for row in experiments if row["options"]["distribution_alignment"]],
        "decays": sorted({row["options"]["prediction_decay"] for row in averaging}),
        "started": [row["name"] for row in experiments if row["base"]],
        "with_labelled": all(row["options"]["labelled_in_pool"] for row in experiments),
    }


def strong_changes(options: Values) -> list[str]:
    """Return FixMatch's strong changes: shift and mirroring of the weak ones, and those that are strong alone."""
    strong = {name: options[f"strong_{name}"] for name in ("color", "hue", "cutout", "rotation")}
    return augmentation({"shift": options["shift"], "flip": options["flip"]} | strong)
