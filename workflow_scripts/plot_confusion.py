"""Draw the confusion matrices of experiments: the part of each true class that is predicted as each class."""

import argparse
from collections.abc import Sequence

import pandas as pd

from semisup.cli import run_program
from semisup.plots import Figure, add_figure_options, each_figure, letters, new_figure, save_figure
from semisup.tables import read_table


def confusion_figure(table: pd.DataFrame, experiment: str) -> Figure:
    """Draw the matrix of one experiment, over all its seeds."""
    rows = table[(table["experiment"] == experiment) & table["run"].str.startswith("seed")]
    names = list(dict.fromkeys(rows["true"]))
    counts = rows.pivot_table(index="true", columns="predicted", values="images", aggfunc="sum").loc[names, names]
    percent = 100 * counts.div(counts.sum(axis=1).clip(lower=1), axis=0).to_numpy()

    figure = new_figure(4.2, 3.7)
    axes = figure.add_subplot()
    image = axes.imshow(percent, cmap="cividis", vmin=0, vmax=100)
    for i, row in enumerate(percent):
        for j, value in enumerate(row):
            shade = "black" if value > 50 else "white"  # noqa: PLR2004 - half of the colour scale
            axes.text(j, i, f"{value:.0f}", ha="center", va="center", color=shade, fontsize=7)
    shown = [letters(name) for name in names]
    axes.set_xticks(range(len(names)), shown, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), shown)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.spines[:].set_visible(False)
    figure.colorbar(image, label="% of the true class's images", shrink=0.8)
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--confusion", required=True, help="table of evaluate (CSV)")
    parser.add_argument("--experiment", nargs="+", required=True, help="of each figure")
    add_figure_options(parser)
    options = parser.parse_args(arguments)

    table = read_table(options.confusion, texts=("true", "predicted"))
    for experiment, pdf, png in each_figure(options, "experiment"):
        save_figure(confusion_figure(table, experiment), pdf, png)


if __name__ == "__main__":
    run_program(main)
