"""Accuracy against the number of labels: the rows of its table, and what can be claimed with how many labels."""

from pathlib import Path

import pandas as pd

from reporting.comparisons import compared_groups
from reporting.text import Values
from semisup.published import published_points
from semisup.tables import read_table

PROTOCOL = "labels"  # under this name a row has what its runs of one number of labels come to


def curve_rows(table: pd.DataFrame, experiments: list[Values]) -> list[Values]:
    """Return the rows of label_curve.csv with the titles of their experiments; empty cells are left out.

    first: whether it is the first of its experiment.
    """
    by_name = {row["name"]: row for row in experiments}
    rows = []
    for cells in table.to_dict("records"):
        ours = by_name[cells["experiment"]]
        first = not rows or rows[-1]["name"] != ours["name"]
        known = {key: value for key, value in cells.items() if pd.notna(value)}
        own = {key: ours[key] for key in ("name", "title", "mark")}
        rows.append(known | own | {"first": first})
    return rows


def claims(rows: list[Values], experiments: list[Values]) -> list[Values]:
    """Return what can be claimed with each number of labels less than all: it, and groups as of `compared_groups`.

    What can be claimed of seeds and folds stands with their own tables. Numbers of which nothing can be said, as there
    is one run or no baseline with as many labels, are left out.
    """
    found = []
    fewer = [row for row in rows if row["protocol"] == PROTOCOL]
    for labels in sorted({row["labels"] for row in fewer}):
        summaries = {row["name"]: row for row in fewer if row["labels"] == labels and row.get("difference_runs", 1) > 1}
        groups = compared_groups([row | {PROTOCOL: summaries.get(row["name"], {})} for row in experiments], PROTOCOL)
        found += [{"labels": labels, "groups": groups}] if groups else []
    return found


def label_curve_values(folder: Path, experiments: list[Values], published: Values, kind: str) -> Values | None:
    """Return what the text says of accuracy against labels; None if no experiment has runs with fewer labels.

    folder: of the study's results; kind: of its data set, for what was published on it. runs: the most that a row has.
    folds: the labels of a fold, if folds are among the rows. compared: the baselines that the rows' differences are to.
    """
    rows = curve_rows(read_table(folder / "label_curve.csv"), experiments)
    if not rows:
        return None
    with_difference = {row["name"]: row for row in rows if "difference" in row}
    compared = [row | {PROTOCOL: with_difference.get(row["name"], {})} for row in experiments]
    return {
        "rows": rows,
        "runs": max(row["runs"] for row in rows),
        "folds": next((row["labels"] for row in rows if row["protocol"] == "folds"), None),
        "claims": claims(rows, experiments),
        "compared": compared_groups(compared, PROTOCOL),
        "published": published_points(published, kind),
    }
