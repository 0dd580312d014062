"""Draw the t-SNE maps of all layers as points, coloured by class."""

import argparse
from collections.abc import Sequence

import numpy as np
import pandas as pd

from semisup.cli import run_program
from semisup.dataset import read_class_names
from semisup.plots import COLORS, TEXT_WIDTH, Figure, add_figure_options, each_figure, letters, new_figure, save_figure
from semisup.tables import read_table

PANEL_SHAPE = 0.85  # height / width


def layers_figure(embedding: pd.DataFrame, clustering: pd.DataFrame, names: list[str]) -> Figure:
    """Draw one panel for each layer of a representation, its k-NN agreement in the title; names: of the classes."""
    columns = {1: 1, 2: 2, 4: 2}.get(len(clustering), 3)
    rows = -(-len(clustering) // columns)
    figure = new_figure(TEXT_WIDTH, rows * PANEL_SHAPE * TEXT_WIDTH / max(columns, 2) + 0.5)
    for position, layer in enumerate(clustering.itertuples(), start=1):
        points = embedding[embedding["layer"] == layer.layer]
        axes = figure.add_subplot(rows, columns, position)
        # All classes at once, in the order of the images: no class covers another.
        axes.scatter(points["x"], points["y"], s=4, linewidths=0, c=np.take(COLORS, points["label"], mode="wrap"))
        axes.set_title(f"{layer.layer}: {100 * layer.knn_agreement:.1f} %{' (best)' if layer.best else ''}")
        axes.set(xticks=[], yticks=[])
        axes.set_aspect("equal", adjustable="datalim")
        axes.invert_yaxis()  # as in plot_tsne, whose rows of pixels run downwards
        axes.spines[:].set_visible(False)
    for name, color in zip(names, COLORS, strict=False):
        axes.plot([], [], "s", markersize=5, color=color, label=letters(name))
    figure.legend(loc="outside lower center", ncols=5, handletextpad=0.3)
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5), for the names of its classes")
    parser.add_argument("--embedding", required=True, help="table of embed_tsne (CSV)")
    parser.add_argument("--clustering", required=True, help="table of embed_tsne (CSV)")
    parser.add_argument("--representation", nargs="+", required=True, help="of each figure")
    add_figure_options(parser)
    options = parser.parse_args(arguments)

    tables = [read_table(path) for path in (options.embedding, options.clustering)]
    names = read_class_names(options.images)
    for name, pdf, png in each_figure(options, "representation"):
        embedding, clustering = (table[table["representation"] == name] for table in tables)
        save_figure(layers_figure(embedding, clustering, names), pdf, png)


if __name__ == "__main__":
    run_program(main)
