"""Draw surrogate classes, one per row: the seed patch, then patches made from it."""

import argparse
from collections.abc import Sequence

import numpy as np

from semisup.cli import positive_int, run_program
from semisup.hdf5 import open_hdf5
from semisup.plots import TEXT_WIDTH, add_figure_options, each_figure, example_grid, new_figure, save_figure, show_image


def read_examples(path: str, classes: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return seed patches (n, C, s, s) and the first patches made of each (n, m, C, s, s), floats in 0..1.

    n classes, evenly spread over all, and m patches of each; fewer where there are fewer.
    """
    with open_hdf5(path) as file:
        seeds, patches = file["seeds/patches"], file["patches"]
        per_class = len(patches) // len(seeds)
        shown = np.linspace(0, len(seeds) - 1, min(classes, len(seeds))).astype(int)
        first = shown * per_class
        made = [patches[row : row + min(samples, per_class)] for row in first]
        return seeds[shown] / 255, np.stack(made) / 255


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--surrogates", nargs="+", required=True, help="surrogate classes (HDF5), of each figure")
    parser.add_argument("--classes", type=positive_int, default=10, help="how many are shown, one a row")
    parser.add_argument("--samples", type=positive_int, default=12, help="patches shown beside each seed patch")
    add_figure_options(parser)
    options = parser.parse_args(arguments)

    for surrogates, pdf, png in each_figure(options, "surrogates"):
        image = example_grid(*read_examples(surrogates, options.classes, options.samples))
        figure = new_figure(TEXT_WIDTH, TEXT_WIDTH * image.shape[0] / image.shape[1])
        show_image(figure, (1, 1, 1), image)
        save_figure(figure, pdf, png)


if __name__ == "__main__":
    run_program(main)
