"""Experiments beside their baselines: which are better or worse, and of which that cannot be said."""

import string
from collections.abc import Callable

from reporting.text import Values, with_interval
from semisup.run_names import COMPARED


def mark_baselines(experiments: list[Values], baseline: str) -> None:
    """Give each experiment a mark: a letter for its baseline, nothing if that is the study's `baseline`."""
    compared = [row for row in experiments if any("difference" in row[protocol] for protocol in COMPARED)]
    others = dict.fromkeys(row["baseline"] for row in compared if row["baseline"] != baseline)
    letters = dict(zip(others, string.ascii_lowercase, strict=False))
    for row in experiments:
        row["mark"] = letters.get(row["baseline"], "")


def verdict(summary: Values) -> str:
    """Say whether the paired difference is better or worse than nothing, or neither: its interval includes zero.

    Of one run there is no verdict: its interval knows nothing of other seeds, and another processor rounds otherwise.
    """
    if summary["difference_runs"] == 1:
        return "none"
    if summary["difference_low"] > 0:
        return "better"
    return "worse" if summary["difference_high"] < 0 else "undecided"


def compared_groups(
    experiments: list[Values], protocol: str, wanted: Callable[[Values], bool] = lambda row: True
) -> list[Values]:
    """Return, for each baseline that is compared with, the titles of the better, worse and undecided experiments.

    Each has its difference with it. Only experiments that are `wanted` are compared. none: those compared by one run,
    of which nothing is claimed.
    """
    titles = {row["name"]: row["title"] for row in experiments}
    groups: dict[str, Values] = {}
    for row in experiments:
        if "difference" not in row[protocol] or not wanted(row):
            continue
        empty: Values = {"better": [], "worse": [], "undecided": [], "none": []}
        group = groups.setdefault(row["baseline"], {"baseline": titles[row["baseline"]], "mark": row["mark"], **empty})
        group[verdict(row[protocol])].append(with_interval(row["title"], row[protocol]))
    return sorted(groups.values(), key=lambda group: group["mark"])
