"""The names of runs: what a run trains on, and its seed. Standard library only.

`seed0`, `seed1`, ... have all training images of the study's split, `labels250_seed0`, ... 250 of them, drawn by that
seed, and `fold0`, `fold1`, ... an official fold of the data set.
"""

import re
from typing import NamedTuple

RUN = r"(?:labels([1-9][0-9]*)_)?seed([0-9]+)|fold([0-9]+)"  # a named group would be a wildcard of Snakemake's
COMPARED = ("seeds", "folds")  # the protocols with columns of their own where experiments are compared
FORMS = "seed0, labels250_seed0 or fold0"  # for messages and helps


class RunName(NamedTuple):
    """What the name of a run says.

    protocol: `seeds`, `labels` or `folds`, the runs that it is averaged with, if they have as many labels.
    number: of its seed or fold. labels: how many of the training images it has; None for all of them, and for a fold.
    """

    protocol: str
    number: int
    labels: int | None = None


def parsed_run(run: str) -> RunName | None:
    """Return what the name of a run says; None for a name that is none."""
    match = re.fullmatch(RUN, run)
    if match is None:
        return None
    labels, seed, fold = (None if part is None else int(part) for part in match.groups())
    if fold is not None:
        return RunName("folds", fold)
    return RunName("seeds" if labels is None else "labels", seed, labels)


def labels_run(labels: int, seed: int) -> str:
    """Return the name of the run with so many labels, drawn by a seed."""
    return f"labels{labels}_seed{seed}"


def seed_run(run: str) -> str | None:
    """Return the run of the same seed on all training images; None for a fold, which has no seed."""
    return None if run.startswith("fold") else run.rpartition("_")[2]
