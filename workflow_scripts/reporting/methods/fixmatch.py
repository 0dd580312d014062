"""FixMatch in the report: its network is trained as on labels alone, and its table has the strong changes too."""

from pathlib import Path

from reporting.augmentation import augmentation
from reporting.methods import supervised
from reporting.settings import RECIPE
from reporting.text import Values
from semisup.constants import THRESHOLD_DECAY

FURTHER = ("image_size", "network", "first_layer", "unlabeled_weight", *RECIPE, "average_flips")


def values(plan: Values, folder: Path, size: int, classes: int) -> Values:
    """Return what the text says of an experiment."""
    return supervised.values(plan, folder, size, classes) | {"strong": strong_changes(plan["options"])}


def section_values(experiments: list[Values], published: Values) -> Values:
    """Return what the section says of all experiments together."""
    return {
        "adaptive": any(row["options"]["adaptive_threshold"] for row in experiments),
        "threshold_decay": THRESHOLD_DECAY,
    }


def strong_changes(options: Values) -> list[str]:
    """Return FixMatch's strong changes: shift and mirroring of the weak ones, and those that are strong alone."""
    strong = {name: options[f"strong_{name}"] for name in ("color", "hue", "cutout", "rotation")}
    return augmentation({"shift": options["shift"], "flip": options["flip"]} | strong)
