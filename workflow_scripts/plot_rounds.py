"""Draw rounds of pseudo-labels: training images and accuracy; precision and classes of the accepted images."""

import argparse
from collections.abc import Sequence

import numpy as np
import pandas as pd

from semisup.cli import run_program
from semisup.dataset import read_class_names
from semisup.histories import read_columns
from semisup.plots import (
    COLORS,
    TEXT_WIDTH,
    Axes,
    Figure,
    MaxNLocator,
    add_figure_options,
    each_figure,
    letters,
    new_figure,
    save_figure,
)

HISTORY = ("round", "training_images", "accepted", "mean_confidence", "held_out_precision", "validation_accuracy")
ACCEPTED = ("round", "label")
BACKGROUND = "#BBBBBB"  # of what is counted in images, behind the lines
BAR_ROOM = 3  # the bars take the lowest third of their panel
MOST_NUMBERED = 12  # rounds; with more there is no room for numbers in the cells


def class_counts(accepted: pd.DataFrame, rounds: np.ndarray, classes: int) -> np.ndarray:
    """Return int64 (classes, rounds): the images that each round accepted of each class."""
    counts = np.zeros((classes, len(rounds)), np.int64)
    place = {number: column for column, number in enumerate(rounds)}
    for number, label in accepted[list(ACCEPTED)].itertuples(index=False):
        counts[label, place[number]] += 1
    return counts


def draw_growth(axes: Axes, history: pd.DataFrame) -> None:
    """Draw the size of the training set (left) and the validation accuracy (right) over the rounds."""
    axes.fill_between(history["round"], history["training_images"], color=BACKGROUND, linewidth=0)
    axes.plot(history["round"], history["training_images"], color="#7F7F7F", linewidth=1)
    axes.set(xlabel="round", ylabel="training images (grey)")
    axes.set_ylim(0, 1.05 * history["training_images"].max())
    right = second_axis(axes)
    right.plot(history["round"], 100 * history["validation_accuracy"], color=COLORS[0], marker=".", linewidth=1.2)
    right.set_ylabel("validation accuracy (%)", color=COLORS[0])


def draw_quality(axes: Axes, history: pd.DataFrame) -> None:
    """Draw precision and confidence of what the rounds accept (left), and how many images that are (right)."""
    right = second_axis(axes)
    right.bar(history["round"], history["accepted"], width=1.0, color=BACKGROUND)
    right.set_ylim(0, BAR_ROOM * max(1, history["accepted"].max()))
    right.set_ylabel("accepted images (grey)")
    right.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_zorder(right.get_zorder() + 1)  # lines before bars
    axes.patch.set_visible(False)
    # Rounds that accept nothing have neither: a gap. A point between two gaps shows by its marker.
    for column, line, color, label in (
        ("mean_confidence", "s--", COLORS[3], "mean confidence"),
        ("held_out_precision", "o-", COLORS[0], "held-out precision"),
    ):
        axes.plot(history["round"], 100 * history[column], line, color=color, label=label, linewidth=1.2, markersize=3)
    axes.set(xlabel="round", ylabel="per cent")
    axes.set_ylim(top=101)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=2, columnspacing=1.0)


def draw_classes(figure: Figure, axes: Axes, counts: np.ndarray, rounds: np.ndarray, names: list[str]) -> None:
    """Draw the number of accepted images (classes, rounds) of each class and round as a heat map."""
    edges = np.append(rounds, rounds[-1] + 1) - 0.5
    sides = np.arange(len(names) + 1) - 0.5
    mesh = axes.pcolormesh(edges, sides, counts, cmap="Blues", vmin=0, vmax=max(1, counts.max()))  # prints well in grey
    axes.set_yticks(range(len(names)), [letters(name) for name in names])
    axes.invert_yaxis()
    axes.spines[:].set_visible(True)
    axes.set(xlabel="round", ylabel="predicted class")
    if len(rounds) <= MOST_NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            shade = "white" if 2 * count > counts.max() else "black"
            axes.text(rounds[column], row, str(count), ha="center", va="center", color=shade, fontsize=7)
    if not counts.any():
        axes.set_title("no image was accepted")
    figure.colorbar(mesh, ax=axes, label="accepted images", ticks=MaxNLocator(nbins=5, integer=True, min_n_ticks=1))


def second_axis(axes: Axes) -> Axes:
    """Return axes with a scale of their own on the right."""
    right = axes.twinx()
    right.spines["right"].set_visible(True)
    return right


def rounds_figure(history: pd.DataFrame, accepted: pd.DataFrame, names: list[str]) -> Figure:
    """Draw the three panels of one experiment; names: of the classes."""
    # After the last round nothing is accepted any more: nothing would train on it.
    accepting = history.iloc[:-1] if len(history) > 1 else history
    rounds = accepting["round"].to_numpy()

    figure = new_figure(TEXT_WIDTH, 2.4 + 0.5 + 0.17 * len(names))
    grid = figure.add_gridspec(2, 2, height_ratios=(2.3, 0.5 + 0.17 * len(names)))
    growth, quality = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    classes = figure.add_subplot(grid[1, :])
    draw_growth(growth, history)
    draw_quality(quality, history)
    draw_classes(figure, classes, class_counts(accepted, rounds, len(names)), rounds, names)
    for axes in (growth, quality, classes):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", nargs="+", required=True, help="table of rounds (CSV), of each figure")
    parser.add_argument("--accepted", nargs="+", required=True, help="table of accepted images (CSV), of each figure")
    parser.add_argument("--images", required=True, help="data set (HDF5), for the names of the classes")
    add_figure_options(parser)
    options = parser.parse_args(arguments)

    names = read_class_names(options.images)
    for history, accepted, pdf, png in each_figure(options, "history", "accepted"):
        rounds = read_columns(history, HISTORY, "the history of pseudo-label rounds")
        images = read_columns(accepted, ACCEPTED, "the accepted images of pseudo-label rounds")
        save_figure(rounds_figure(rounds, images, names), pdf, png)


if __name__ == "__main__":
    run_program(main)
