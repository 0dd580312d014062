"""Draw test accuracy against the number of labels, one line an experiment; published accuracies are crosses."""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pandas as pd
import yaml

from semisup.cli import UserError, run_program
from semisup.histories import read_columns
from semisup.plots import LINE_COLORS, TEXT_WIDTH, Axes, Figure, NullLocator, new_figure, save_figure
from semisup.published import PublishedPoint, published_points

CURVE = ("experiment", "labels", "test_accuracy_mean", "test_accuracy_low", "test_accuracy_high")
LINES = ("-", "--", ":", "-.")  # the next one when all colours are used
MARKERS = "os^Dv"  # an experiment is told by its marker too, where lines cross and in grey print
LEGEND_COLUMNS = 3
APART = 0.007  # part of the axis between the bars of two experiments
CLOSE = 0.08  # part of the axis that a number of labels needs beside the next one


def draw_curve(axes: Axes, number: int, name: str, table: pd.DataFrame, beside: float) -> None:
    """Draw an experiment's accuracies, from the fewest labels to the most, with their intervals as bars.

    beside: factor of the labels, near one: bars of several experiments stand side by side.
    """
    table = table.sort_values("labels")
    mean = table["test_accuracy_mean"]
    # A percentile interval need not hold the mean itself.
    bars = [(mean - table["test_accuracy_low"]).clip(lower=0), (table["test_accuracy_high"] - mean).clip(lower=0)]
    axes.errorbar(
        beside * table["labels"],
        100 * mean,
        yerr=[100 * bar for bar in bars],
        label=name,
        color=LINE_COLORS[number % len(LINE_COLORS)],
        linestyle=LINES[number // len(LINE_COLORS) % len(LINES)],
        marker=MARKERS[number % len(MARKERS)],
        markersize=4,
        linewidth=1.2,
        elinewidth=0.8,
        capsize=2,
    )


def draw_published(axes: Axes, points: Sequence[PublishedPoint]) -> None:
    """Draw published accuracies, each with its title beside it."""
    for point in points:
        label = "published" if point is points[0] else None
        axes.plot(point.labels, point.accuracy, "x", color="black", markersize=6, label=label)
        place = {"xytext": (5, 0), "textcoords": "offset points"}
        axes.annotate(point.title, (point.labels, point.accuracy), **place, va="center", fontsize=7)


def set_ticks(axes: Axes, counts: Sequence[int]) -> None:
    """Make the axis of labels logarithmic, with the counts, which rise, written out."""
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    gaps = [math.log(more / fewer) for fewer, more in pairwise(counts)]
    if gaps and min(gaps) < CLOSE * sum(gaps):
        axes.tick_params(axis="x", rotation=90)


def label_figure(table: pd.DataFrame, names: Mapping[str, str], points: Sequence[PublishedPoint]) -> Figure:
    """Draw one panel, and a legend below it. names: what the experiments are called."""
    curves = list(table.groupby("experiment", sort=False))
    span = table["labels"].max() / table["labels"].min()
    rows = -(-(len(curves) + bool(points)) // LEGEND_COLUMNS)
    figure = new_figure(TEXT_WIDTH, 3.0 + 0.18 * rows)
    axes = figure.add_subplot()
    for number, (name, part) in enumerate(curves):
        draw_curve(axes, number, names[name], part, span ** (APART * (number - (len(curves) - 1) / 2)))
    draw_published(axes, points)
    set_ticks(axes, sorted({*table["labels"], *(point.labels for point in points)}))
    axes.set(xlabel="labels", ylabel="test accuracy (%)")
    handles, labels = axes.get_legend_handles_labels()
    last = len(handles) - len(curves)  # the crosses, which Matplotlib puts before lines with bars
    order = [*range(last, len(handles)), *range(last)]
    figure.legend(
        [handles[place] for place in order],
        [labels[place] for place in order],
        loc="outside lower center",
        ncols=LEGEND_COLUMNS,
    )
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label-curve", required=True, help="table of evaluate (CSV)")
    parser.add_argument("--names", type=json.loads, required=True, help="what the experiments are called, as JSON")
    parser.add_argument("--published", type=Path, required=True, help="published accuracies (YAML)")
    parser.add_argument("--data-set", required=True, help="kind of the study's data set, for what was published on it")
    parser.add_argument("--pdf", required=True)
    parser.add_argument("--png", required=True)
    options = parser.parse_args(arguments)

    table = read_columns(options.label_curve, CURVE, "the label curves of evaluate")
    if table.empty:
        raise UserError(f"{options.label_curve} has no rows: give an experiment of the study label_counts")
    points = published_points(yaml.safe_load(options.published.read_text(encoding="utf-8")), options.data_set)
    save_figure(label_figure(table, options.names, points), options.pdf, options.png)


if __name__ == "__main__":
    run_program(main)
