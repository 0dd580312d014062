"""Draw accuracy over the steps of the stochastic solver, with the exact solution as a line."""

import argparse
from collections.abc import Sequence

import pandas as pd

from semisup.cli import run_program
from semisup.plots import COLORS, TEXT_WIDTH, Figure, add_figure_options, each_figure, new_figure, save_figure
from semisup.tables import read_table


def solver_figure(table: pd.DataFrame, experiment: str) -> Figure:
    """Draw one panel: mean over seeds, the range as a band."""
    table = table[table["experiment"] == experiment]
    exact, steps = table[table["steps"] == 0], table[table["steps"] > 0].groupby("steps")
    figure = new_figure(TEXT_WIDTH * 0.7, 2.4)
    axes = figure.add_subplot()
    for split, color, marker in zip(("train", "validation", "test"), COLORS, "os^", strict=False):
        values = 100 * steps[f"{split}_accuracy"].agg(["mean", "min", "max"])
        axes.plot(values.index, values["mean"], color=color, marker=marker, markersize=4, label=split)
        axes.fill_between(values.index, values["min"], values["max"], color=color, alpha=0.2, linewidth=0)
        axes.axhline(100 * exact[f"{split}_accuracy"].mean(), color=color, linestyle="--", linewidth=0.8)
    axes.set_xscale("log")
    axes.set(xlabel="solver steps (dashed: exact solution)", ylabel="accuracy (%)")
    axes.legend(title="images", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--solver-iterations", required=True, help="table of evaluate (CSV)")
    parser.add_argument("--experiment", nargs="+", required=True, help="of each figure")
    add_figure_options(parser)
    options = parser.parse_args(arguments)

    table = read_table(options.solver_iterations)
    for experiment, pdf, png in each_figure(options, "experiment"):
        save_figure(solver_figure(table, experiment), pdf, png)


if __name__ == "__main__":
    run_program(main)
