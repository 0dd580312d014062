"""The changes of training images in the report."""

from reporting.text import Values, count, plain
from semisup.constants import COPY_NOISE, COPY_ROTATION, COPY_SHIFTS

AUGMENTATIONS = ("shift", "flip", "alternate_flips", "color", "hue", "cutout")
# Options that say how images are changed, in training or at evaluation.
CHANGES = {*AUGMENTATIONS, "copies", "average_flips", "transformations"}


def augmentation(options: Values) -> list[str]:
    """Return the changes of training images that are switched on, each in a word or two."""
    words = {"alternate_flips": "alternate flips", "color": "colour", "cutout": "cut-out"}
    made_once = [f"{count(options['copies'])} copies"] if options.get("copies") else []
    return made_once + [
        words.get(name, name) if options[name] is True else f"{words.get(name, name)} {plain(options[name])}"
        for name in (*AUGMENTATIONS, "rotation")
        if options.get(name)
    ]


def changed_alone(row: Values, experiments: list[Values]) -> bool:
    """Tell whether an experiment differs from its baseline, of the same method, only in how images are changed.

    Of copies an epoch has more images, so that its number of epochs may be another one.
    """
    twin = next((other for other in experiments if other["name"] == row["baseline"]), row)
    if twin is row or (twin["method"], twin["base"]) != (row["method"], row["base"]):
        return False
    different = {key for key, value in row["options"].items() if twin["options"].get(key) != value}
    different -= {"folds", "label_counts"} | ({"epochs"} if "copies" in different else set())
    return bool(different) and different <= CHANGES


def changes_values(experiments: list[Values]) -> Values:
    """Return what the text says of the changes that some of these experiments make.

    copied: whether any makes copies; rotation, shifts, noise: how copies are changed; augmented_by: names of options.
    """
    return {
        "copied": any(row["options"].get("copies") for row in experiments),
        "rotation": COPY_ROTATION,
        "shifts": COPY_SHIFTS,
        "noise": COPY_NOISE,
        "augmented_by": {name for row in experiments for name in AUGMENTATIONS if row["options"].get(name)},
    }
