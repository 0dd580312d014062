"""The forest plot: test accuracy of every experiment with its interval, beside what was published of its method."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from semisup.families import FAMILIES
from semisup.plots import Axes, Figure, Line2D, new_figure
from semisup.run_names import COMPARED

KINDS = {"seeds": "seed", "folds": "fold"}  # of a run, by protocol
GREY = "#7F7F7F"
ROW, HEAD, FOOT = 0.175, 0.42, 0.62  # inches: of a row, of a panel beside its rows, of the axis and the legend
SMALL = 6.5  # points: of the texts beside the rows
BELOW = 0.27  # rows between an interval and the single runs under it
MINUS = "\N{MINUS SIGN}"

Plan = Mapping[str, Any]


class Cross(NamedTuple):
    """A published accuracy in per cent, with so many labels."""

    accuracy: float
    labels: int


class Row(NamedTuple):
    """An experiment's runs of one protocol; accuracies are fractions.

    runs: accuracy of each. difference: to the experiment `baseline`, with its interval. claimed: whether several runs
    stand behind it, its interval excludes zero, and little else differs than the unlabeled images (`comparability`).
    """

    name: str
    family: str
    accuracy: float
    low: float
    high: float
    runs: tuple[float, ...]
    difference: tuple[float, float, float] | None
    baseline: str
    claimed: bool
    published: tuple[Cross, ...]


class Panel(NamedTuple):
    """The experiments of one study and protocol, the most accurate first.

    labels_only: of those that learn from labels alone the one that is best on validation images; None without any.
    """

    title: str
    rows: tuple[Row, ...]
    labels_only: Row | None


def forest_panels(
    comparison: pd.DataFrame, metrics: pd.DataFrame, plan: Plan, published: Sequence[Mapping[str, Any]]
) -> list[Panel]:
    """Return a panel for each protocol of a study, that with the fewest labels first.

    comparison, metrics: tables of `evaluate`. plan: title of the study and, for each of its experiments, its short
    name, method, family, and whether its difference is `comparable`. published: rows of report/published.yaml on the
    study's data set.
    """
    found = []
    for protocol in COMPARED:
        measured = [row for row in comparison.to_dict("records") if not pd.isna(row.get(f"{protocol}_labels"))]
        if measured:
            labels, runs = (int(measured[0][f"{protocol}_{key}"]) for key in ("labels", "runs"))
            title = f"{plan['title']}: {labels:,} labels, {runs} {KINDS[protocol]}{'s' * (runs > 1)}"
            found.append((labels, _panel(title, protocol, measured, metrics, plan["experiments"], published)))
    return [panel for _, panel in sorted(found, key=lambda item: item[0])]


def _panel(
    title: str,
    protocol: str,
    measured: list[dict[str, Any]],
    metrics: pd.DataFrame,
    experiments: Plan,
    published: Sequence[Mapping[str, Any]],
) -> Panel:
    """Return the panel of a protocol. measured: the rows of comparison.csv that have it."""
    names = {cells["experiment"] for cells in measured}
    validated = {cells["experiment"]: cells[f"{protocol}_validation_accuracy_mean"] for cells in measured}
    of_method: dict[str, list[str]] = {}
    for name in validated:
        of_method.setdefault(experiments[name]["method"], []).append(name)
    with_crosses = {max(group, key=validated.__getitem__) for group in of_method.values()}
    rows = {}
    for cells in measured:
        name = cells["experiment"]
        known = published if name in with_crosses else ()
        runs = metrics[(metrics["experiment"] == name) & (metrics["protocol"] == protocol)]["test_accuracy"]
        rows[name] = _row(cells, protocol, tuple(runs), experiments, known)
    alone = [name for name in names if experiments[name]["family"] == "labels"]
    best = max(sorted(alone), key=validated.__getitem__) if alone else None
    ordered = sorted(rows.values(), key=lambda row: -row.accuracy)
    return Panel(title, tuple(ordered), rows[best] if best else None)


def _row(
    cells: Mapping[str, Any],
    protocol: str,
    runs: tuple[float, ...],
    experiments: Plan,
    published: Iterable[Mapping[str, Any]],
) -> Row:
    """Return the row of an experiment. cells: its row of comparison.csv."""
    own = experiments[cells["experiment"]]
    labels = int(cells[f"{protocol}_labels"])
    edges = [cells[f"{protocol}_test_accuracy_{key}"] for key in ("mean", "low", "high")]
    paired = not pd.isna(cells.get(f"{protocol}_difference"))
    difference = tuple(cells[f"{protocol}_difference{key}"] for key in ("", "_low", "_high")) if paired else None
    several = paired and cells[f"{protocol}_difference_runs"] > 1
    can_be_claimed = several and own["comparable"]
    return Row(
        own["short"],
        own["family"],
        *edges,
        runs,
        difference,
        experiments[cells["baseline"]]["short"],
        bool(can_be_claimed and difference and (difference[1] > 0 or difference[2] < 0)),
        nearest_published(published, own["method"], labels),
    )


def nearest_published(rows: Iterable[Mapping[str, Any]], method: str, labels: int) -> tuple[Cross, ...]:
    """Return what is marked to be drawn of a method, with the number of labels that is nearest to this one."""
    crosses = [Cross(row["accuracy"], row["labels"]) for row in rows if row["method"] == method and row.get("cross")]
    distances = [abs(math.log(cross.labels / labels)) for cross in crosses]
    return tuple(
        cross for cross, distance in zip(crosses, distances, strict=True) if math.isclose(distance, min(distances))
    )


def difference_text(row: Row) -> str:
    """Return a difference with its interval in percentage points, and what it is to; nothing without one."""
    if row.difference is None:
        return ""
    value, low, high = (f"{100 * part:+.1f}".replace("-", MINUS) for part in row.difference)
    return f"{value} [{low}, {high}] to {row.baseline}"


def draw_row(axes: Axes, place: int, row: Row) -> None:
    """Draw an experiment at this height: dot, interval, single runs under it, crosses; its difference in the margin."""
    _, color, marker = FAMILIES[row.family]
    axes.plot([100 * row.low, 100 * row.high], [place, place], color=color, linewidth=1.4, zorder=3)
    if len(row.runs) > 1:
        runs = [100 * accuracy for accuracy in row.runs]
        axes.plot(runs, [place - BELOW] * len(runs), "o", color=GREY, markersize=1.8, markeredgewidth=0, zorder=2)
    axes.plot(100 * row.accuracy, place, marker, color=color, markersize=4, zorder=4)
    for cross in row.published:
        axes.plot(cross.accuracy, place, "x", color="black", markersize=5, zorder=4)
        label = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": SMALL - 1}
        axes.annotate(f"{cross.labels:,}", (cross.accuracy, place), **label)
    margin = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": SMALL}
    axes.text(1.015, place, difference_text(row), fontweight="bold" if row.claimed else "normal", **margin)


def draw_panel(axes: Axes, panel: Panel) -> None:
    """Draw the rows of a panel from top to bottom, and the line of the labels alone."""
    for place, row in enumerate(reversed(panel.rows)):
        draw_row(axes, place, row)
    if panel.labels_only:
        axes.axvline(100 * panel.labels_only.accuracy, color=FAMILIES["labels"][1], linestyle="--", linewidth=0.8)
    axes.set_ylim(-0.7, len(panel.rows) - 0.4)
    axes.set_yticks(range(len(panel.rows)), [row.name for row in reversed(panel.rows)])
    axes.tick_params(axis="y", length=0)
    axes.set_title(panel.title, loc="left", fontweight="bold")
    low, high = axes.get_xlim()
    axes.set_xlim(low, high + 0.06 * (high - low) * any(row.published for row in panel.rows))  # room for its labels
    axes.grid(axis="x", linewidth=0.3)
    if any(row.difference for row in panel.rows):
        head = {"transform": axes.transAxes, "va": "bottom", "fontsize": SMALL}
        axes.text(1.015, 1.0, "difference (points) to its baseline", **head)


def legend_entries(panels: Sequence[Panel]) -> list[Line2D]:
    """Return what the legend explains: only what is drawn."""
    rows = [row for panel in panels for row in panel.rows]
    used = {row.family for row in rows}
    entries = [
        Line2D([], [], color=color, marker=marker, markersize=4, linewidth=1.4, label=words)
        for family, (words, color, marker) in FAMILIES.items()
        if family in used
    ]
    plain = {"linestyle": "none"}
    if any(panel.labels_only for panel in panels):
        line = "labels only, best on validation images"
        entries.append(Line2D([], [], color=FAMILIES["labels"][1], linestyle="--", linewidth=0.8, label=line))
    if any(len(row.runs) > 1 for row in rows):
        entries.append(Line2D([], [], color=GREY, marker="o", markersize=1.8, label="single runs", **plain))
    if any(row.published for row in rows):
        label = "published, with its number of labels"
        entries.append(Line2D([], [], color="black", marker="x", markersize=5, label=label, **plain))
    return entries


def forest_figure(panels: Sequence[Panel], width: float) -> Figure:
    """Draw the panels below each other, with one legend. width: of the figure in inches."""
    heights = [ROW * len(panel.rows) + HEAD for panel in panels]
    figure = new_figure(width, sum(heights) + FOOT)
    places = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, panel in zip(places, panels, strict=True):
        draw_panel(axes, panel)
    places[-1].set_xlabel("test accuracy (%)")
    entries = legend_entries(panels)
    figure.legend(handles=entries, loc="outside lower center", ncols=min(3, len(entries)), fontsize=SMALL)
    return figure
