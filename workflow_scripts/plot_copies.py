"""Draw near copies, the closest first: of test images in other splits; if none, in the test split; if none, others."""

import argparse
from collections.abc import Sequence

import numpy as np
import pandas as pd

from semisup.cli import positive_int, run_program
from semisup.hdf5 import open_hdf5
from semisup.histories import read_columns
from semisup.plots import TEXT_WIDTH, Figure, image_grid, new_figure, save_figure, show_image

COLUMNS = 4
PAIRS = ("split", "row", "beside", "beside_row", "correlation", "mirrored")


def shown_pairs(pairs: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return at most so many pairs, the closest first, in even steps through all: the last ones show the limit too."""
    of_test = pairs["beside"] == "test"  # the last of the splits
    kinds = pairs[of_test & (pairs["split"] != "test")], pairs[of_test], pairs
    chosen = next((kind for kind in kinds if len(kind)), pairs)
    ordered = chosen.sort_values("correlation", ascending=False, kind="stable")
    places = np.linspace(0, len(ordered) - 1, min(most, len(ordered))).round().astype(int)
    return ordered.iloc[places]


def read_pair(file: str, pair: tuple) -> np.ndarray:
    """Return both images of a row of the table, float (2, C, H, W) in 0..1."""
    with open_hdf5(file) as images:
        places = ((pair.split, pair.row), (pair.beside, pair.beside_row))
        return np.stack([images[f"{split}/images"][row] for split, row in places]) / 255


def copies_figure(pairs: pd.DataFrame, images: str, most: int) -> Figure:
    """Draw at most so many pairs, each under its splits, rows and correlation, or say that there are none."""
    shown = shown_pairs(pairs, most)
    if shown.empty:
        figure = new_figure(TEXT_WIDTH, 0.6)
        figure.text(0.5, 0.5, "No near copies were found.", ha="center", va="center", fontsize=10)
        return figure
    grid_rows = -(-len(shown) // COLUMNS)
    figure = new_figure(TEXT_WIDTH, 0.1 + 1.3 * grid_rows)
    for number, pair in enumerate(shown.itertuples(), start=1):
        mirrored = ", mirrored" if pair.mirrored else ""
        title = f"{pair.split} {pair.row}\n{pair.beside} {pair.beside_row}\n{pair.correlation:.3f}{mirrored}"
        show_image(figure, (grid_rows, COLUMNS, number), image_grid(read_pair(images, pair), 2), title)
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", required=True, help="table of near copies (CSV)")
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--most", type=positive_int, default=24, help="pairs shown")
    parser.add_argument("--pdf", required=True)
    parser.add_argument("--png", required=True)
    options = parser.parse_args(arguments)

    pairs = read_columns(options.pairs, PAIRS, "the near copies of a data set")
    save_figure(copies_figure(pairs, options.images, options.most), options.pdf, options.png)


if __name__ == "__main__":
    run_program(main)
