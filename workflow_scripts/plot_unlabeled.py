"""Draw a training with a loss on unlabelled images: weight of these images, both losses and accuracy, by epoch."""

import argparse
from collections.abc import Sequence

import pandas as pd

from semisup.cli import run_program
from semisup.histories import read_columns
from semisup.plots import (
    COLORS,
    TEXT_WIDTH,
    Axes,
    Figure,
    MaxNLocator,
    add_figure_options,
    each_figure,
    new_figure,
    save_figure,
)

HISTORY = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "validation_accuracy",
    "unlabeled_loss",
    "unlabeled_weight",
    "accepted",
)


def draw_curves(axes: Axes, history: pd.DataFrame, curves: dict[str, str], factor: float = 1) -> None:
    """Draw columns of the history over the epochs, times a factor. curves: label -> column; the second is dashed."""
    for (label, column), color, line in zip(curves.items(), (COLORS[0], COLORS[3]), ("-", "--"), strict=False):
        marker = "." if history[column].count() == 1 else None  # one point makes no line
        axes.plot(
            history["epoch"], factor * history[column], line, color=color, label=label, marker=marker, linewidth=1.2
        )
    if len(curves) > 1:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))


def draw_weight(axes: Axes, history: pd.DataFrame) -> None:
    """Draw what decides how much the unlabeled images count: the threshold that they must reach, or their weight."""
    if "threshold" in history and history["threshold"].notna().any():
        draw_curves(axes, history, {"accepted images": "accepted", "threshold": "threshold"}, factor=100)
        axes.set(ylabel="per cent", ylim=(0, 102))
    else:
        draw_curves(axes, history, {"weight": "unlabeled_weight"})
        axes.set(ylabel=r"weight $\alpha(t)$ of unlabelled images")
        axes.set_ylim(bottom=0)


def unlabeled_figure(history: pd.DataFrame) -> Figure:
    """Draw the three panels of one experiment."""
    # Where unlabeled images have no weight, their loss is not computed.
    losses = history.assign(unlabeled_loss=history["unlabeled_loss"].where(history["unlabeled_weight"] > 0))

    figure = new_figure(TEXT_WIDTH, 2.3)
    weight, loss, accuracy = figure.subplots(1, 3)
    draw_weight(weight, history)
    draw_curves(loss, losses, {"labelled images": "train_loss", "unlabelled images": "unlabeled_loss"})
    loss.set(ylabel="loss")
    loss.set_ylim(bottom=0)
    draw_curves(accuracy, history, {"validation": "validation_accuracy", "training": "train_accuracy"}, factor=100)
    accuracy.set(ylabel="accuracy (%)")
    for axes in (weight, loss, accuracy):
        axes.set(xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5, min_n_ticks=1))
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", nargs="+", required=True, help="table of epochs (CSV), of each figure")
    add_figure_options(parser)
    options = parser.parse_args(arguments)

    for history, pdf, png in each_figure(options, "history"):
        table = read_columns(history, HISTORY, "the history of a training with a loss on unlabeled images")
        save_figure(unlabeled_figure(table), pdf, png)


if __name__ == "__main__":
    run_program(main)
