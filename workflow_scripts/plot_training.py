"""Draw accuracy and loss of networks over the epochs of their training."""

import argparse
from collections.abc import Sequence

import pandas as pd
from matplotlib.ticker import MaxNLocator

from semisup.cli import UserError, run_program
from semisup.plots import COLORS, TEXT_WIDTH, new_figure, save_figure
from semisup.tables import read_table

LEGEND_COLUMNS = 3
COLUMNS = {"epoch", "train_loss", "train_accuracy", "validation_accuracy"}


def read_histories(paths: Sequence[str], names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the tables of epochs by name. Raises UserError unless there is a different name for each."""
    if len(names) != len(paths):
        raise UserError(f"{len(paths)} histories have {len(names)} names ({', '.join(names)}): give one for each")
    if len(set(names)) < len(names):
        raise UserError(f"two histories have the same name ({', '.join(names)}): give each its own")
    histories = dict(zip(names, map(read_table, paths), strict=True))
    for path, table in zip(paths, histories.values(), strict=True):
        if not set(table) >= COLUMNS:
            missing = ", ".join(sorted(COLUMNS - set(table)))
            raise UserError(f"{path} lacks the columns {missing}: give the history of a network's training")
    return histories


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw two panels: accuracies, and the training loss."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", nargs="+", required=True, help="tables of epochs (CSV)")
    parser.add_argument("--names", nargs="*", required=True, help="of the histories, in the same order")
    parser.add_argument("--pdf", required=True)
    parser.add_argument("--png", required=True)
    options = parser.parse_args(arguments)

    histories = read_histories(options.histories, options.names)
    legend_rows = -(-len(histories) // LEGEND_COLUMNS)
    figure = new_figure(TEXT_WIDTH, 2.4 + 0.18 * legend_rows)
    accuracy, loss = figure.subplots(1, 2)
    for number, (name, table) in enumerate(histories.items()):
        marker = "." if len(table) == 1 else None  # one epoch makes no line
        style = {"color": COLORS[number % len(COLORS)], "marker": marker, "linewidth": 1.2}
        accuracy.plot(table["epoch"], 100 * table["train_accuracy"], linestyle="--", **style | {"linewidth": 0.8})
        accuracy.plot(table["epoch"], 100 * table["validation_accuracy"], **style)
        loss.plot(table["epoch"], table["train_loss"], label=name, **style)
    accuracy.set(xlabel="epoch", ylabel="accuracy (%)", title="solid: validation, dashed: training")
    loss.set(xlabel="epoch", ylabel="training loss")
    for axes in (accuracy, loss):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=LEGEND_COLUMNS)
    save_figure(figure, options.pdf, options.png)


if __name__ == "__main__":
    run_program(main)
