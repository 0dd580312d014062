"""Which differences say what unlabeled images gain: those where little else differs.

An experiment is a mapping as the report is told of it: its `options`, what its method's declaration says (`facts`), and
the names of its `base` (None without one) and its `baseline`. by_name: all experiments of a study.
"""

from collections.abc import Iterable, Mapping
from typing import Any

RUNS = ("folds", "label_counts")  # options that say which runs there are, and not what one does

Experiment = Mapping[str, Any]


def different_options(one: Experiment, other: Experiment, apart: Iterable[str] = RUNS) -> list[str]:
    """Return the options that two experiments both have and that differ, but for those `apart`."""
    shared = [key for key in one["options"] if key in other["options"] and key not in apart]
    return [key for key in shared if one["options"][key] != other["options"][key]]


def accepts_nothing(options: Mapping[str, Any]) -> bool:
    """Say whether the rule of pseudo-label rounds can accept no image at all: a control."""
    return options["accepted"] == 0


def unlabeled_uses(row: Experiment, by_name: Mapping[str, Experiment]) -> set[str]:
    """Return the ways in which an experiment uses unlabeled images, those of its base among them."""
    inherited = unlabeled_uses(by_name[row["base"]], by_name) if row["base"] else set()
    is_control = row["facts"]["in_rounds"] and accepts_nothing(row["options"])
    return inherited | ({row["facts"]["unlabeled"]} if row["facts"]["unlabeled"] and not is_control else set())


def adds_unlabeled(row: Experiment, by_name: Mapping[str, Experiment]) -> bool:
    """Tell whether an experiment uses unlabeled images in every way that its baseline does, and in one more."""
    return unlabeled_uses(by_name[row["baseline"]], by_name) < unlabeled_uses(row, by_name)


def otherwise(row: Experiment, by_name: Mapping[str, Experiment]) -> list[str]:
    """Return the options in which an experiment's training on labels differs from that of its baseline.

    Nothing unless both train a network on labels, epoch by epoch: rounds go on from a finished training.
    """
    twin = by_name[row["baseline"]]
    if not (row["facts"]["training_curves"] and twin["facts"]["training_curves"]):
        return []
    return different_options(row, twin)


def not_comparable(by_name: Mapping[str, Experiment]) -> set[str]:
    """Return the experiments that add unlabeled images to their baseline and are also trained with other options."""
    return {name for name, row in by_name.items() if adds_unlabeled(row, by_name) and otherwise(row, by_name)}
