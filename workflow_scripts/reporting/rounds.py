"""Rounds of pseudo-labels in the report: what they accept, and their first and last round."""

import math
from pathlib import Path
from statistics import NormalDist

import pandas as pd

from reporting.runs import seed_runs
from reporting.text import Values, count, plain
from semisup.comparability import accepts_nothing
from semisup.tables import read_table

# The options of rounds that decide what is accepted, and not how a round trains.
ACCEPTANCE = ("candidates", "accept", "accepted", "threshold", "class_balanced", "relabel", "held_out")


def fewer_steps(row: Values) -> bool:
    """Say whether rounds that accept no image take fewer steps than others: epochs grow with the training images."""
    return row["facts"]["in_rounds"] and row["network_file"] is not None and not row["options"]["steps_per_epoch"]


def rule_text(options: Values, classes: int) -> str:
    """Return in few words what pseudo-label rounds accept of their candidates."""
    if accepts_nothing(options):
        return "none (control)"
    each = f"{count(options['accepted'] // classes)} of each class"
    if options["accept"] == "top":
        return f"most confident {each if options['class_balanced'] else count(options['accepted'])}"
    sure = f"confidence of at least {plain(options['threshold'])}"
    return f"{sure}, at most {each}" if options["class_balanced"] else sure


def wilson_interval(fraction: float, images: int, confidence: float) -> tuple[float, float]:
    """Return the interval of a fraction that was counted among so many images (Wilson, 1927)."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = fraction + z * z / (2 * images)
    margin = z * math.sqrt(fraction * (1 - fraction) / images + (z / (2 * images)) ** 2)
    return tuple((middle + sign * margin) / (1 + z * z / images) for sign in (-1, 1))


def rounds_values(plan: Values, folder: Path, classes: int) -> Values:
    """Return what the text says of an experiment in rounds: how they accept, and their first and last round.

    training: images before and after; validation: accuracies before and after; both are means of the seeds.
    precision, confidence: of the held-out images that the rule would accept, all rounds of all seeds together, the
    fraction of right labels and the mean confidence; lowest: confidence of all accepted images; nan if there are none.
    images: how many different images these are; mistakes: how many of the first seed's have a wrong label.
    """
    options = plan["options"]
    folders = [folder / run for run in seed_runs(plan["runs"])]
    tables = [read_table(run / "history.csv") for run in folders]
    first, last = (pd.DataFrame([table.iloc[place] for table in tables]).mean() for place in (0, -1))
    # A table without rows has no types of its own.
    of_runs = [read_table(run / "held_out.csv").astype(float) for run in folders]
    held_out = pd.concat(of_runs)
    return {
        "edge": [],
        "control": accepts_nothing(options),
        "fewer_steps": fewer_steps(plan),
        "rule": rule_text(options, classes),
        "rounds": {
            "training": [first["training_images"], last["training_images"]],
            "validation": [first["validation_accuracy"], last["validation_accuracy"]],
            "precision": (held_out["predicted"] == held_out["label"]).mean(),
            "images": int(held_out["row"].nunique()),
            "mistakes": int((of_runs[0]["predicted"] != of_runs[0]["label"]).sum()),
            "confidence": held_out["confidence"].mean(),
            "lowest": pd.concat(tables)["lowest_confidence"].min(),
        },
    }
