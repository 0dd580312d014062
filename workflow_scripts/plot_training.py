"""Draw accuracy and loss of networks over the training images seen; unlabelled images of a loss do not count."""

import argparse
from collections.abc import Sequence
from itertools import pairwise

import pandas as pd

from semisup.cli import UserError, run_program
from semisup.histories import read_columns
from semisup.plots import (
    LINE_COLORS,
    TEXT_WIDTH,
    Axes,
    FigureBase,
    LogLocator,
    NullFormatter,
    ScalarFormatter,
    new_figure,
    save_figure,
)

LEGEND_COLUMNS = 3
MOST_CURVES = 8  # in a panel; more are told apart no longer
LONG = 10  # times as many images as another training: then the axis is logarithmic
HISTORY = ("epoch", "train_loss", "train_accuracy", "validation_accuracy", "images")


def read_histories(paths: Sequence[str], names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return tables of epochs by name with a column `seen`: thousands of training images so far.

    Raises UserError unless there is a different name for each.
    """
    if len(names) != len(paths):
        raise UserError(f"{len(paths)} histories have {len(names)} names ({', '.join(names)}): give one for each")
    if len(set(names)) < len(names):
        raise UserError(f"two histories have the same name ({', '.join(names)}): give each its own")
    tables = [read_columns(path, HISTORY, "the history of a network's training") for path in paths]
    return {name: table.assign(seen=table["images"].cumsum() / 1000) for name, table in zip(names, tables, strict=True)}


def curve_groups(names: Sequence[str]) -> list[list[str]]:
    """Return the names in order in groups of MOST_CURVES at most, of sizes that differ by one at most."""
    count = -(-len(names) // MOST_CURVES)
    edges = [round(len(names) * number / count) for number in range(count + 1)]
    return [list(names[start:end]) for start, end in pairwise(edges)]


def draw_group(part: FigureBase, histories: dict[str, pd.DataFrame]) -> tuple[Axes, Axes]:
    """Draw two panels, accuracies and the training loss, and a legend under them; returns the panels."""
    accuracy, loss = part.subplots(1, 2)
    for number, (name, table) in enumerate(histories.items()):
        marker = "." if len(table) == 1 else None  # one epoch makes no line
        style = {"color": LINE_COLORS[number], "marker": marker, "linewidth": 1.2}
        accuracy.plot(table["seen"], 100 * table["train_accuracy"], linestyle="--", **style | {"linewidth": 0.8})
        accuracy.plot(table["seen"], 100 * table["validation_accuracy"], **style)
        loss.plot(table["seen"], table["train_loss"], label=name, **style)
    accuracy.set(ylabel="accuracy (%)", title="solid: validation, dashed: training")
    loss.set(ylabel="training loss")
    part.legend(loc="outside lower center", ncols=LEGEND_COLUMNS)
    return accuracy, loss


def set_scale(axes: Axes, *, logarithmic: bool) -> None:
    """Label the axis of images, whose numbers are written out."""
    axes.set(xlabel="training images seen (thousands)")
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=6))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw two panels: accuracies, and the training loss; more rows for many curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", nargs="+", required=True, help="tables of epochs (CSV)")
    parser.add_argument("--names", nargs="*", required=True, help="of the histories, in the same order")
    parser.add_argument("--pdf", required=True)
    parser.add_argument("--png", required=True)
    options = parser.parse_args(arguments)

    histories = read_histories(options.histories, options.names)
    groups = curve_groups(list(histories))
    heights = [2.4 + 0.18 * -(-len(group) // LEGEND_COLUMNS) for group in groups]
    figure = new_figure(TEXT_WIDTH, sum(heights))
    parts = figure.subfigures(len(groups), 1, height_ratios=heights, squeeze=False)[:, 0] if groups[1:] else [figure]
    panels = [
        draw_group(part, {name: histories[name] for name in group}) for part, group in zip(parts, groups, strict=True)
    ]
    totals = [table["seen"].iloc[-1] for table in histories.values()]
    for pair in panels:
        for axes, first in zip(pair, panels[0], strict=True):
            if axes is not first:  # what is in different rows can be compared
                axes.sharex(first)
                axes.sharey(first)
            set_scale(axes, logarithmic=max(totals) > LONG * min(totals))
    save_figure(figure, options.pdf, options.png)


if __name__ == "__main__":
    run_program(main)
