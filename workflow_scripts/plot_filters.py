"""Draw the filters of a network's first convolution; zero is grey."""

import argparse
import json
from collections.abc import Sequence

import numpy as np

from semisup.cli import run_program
from semisup.hdf5 import open_hdf5
from semisup.plots import (
    TEXT_WIDTH,
    add_figure_options,
    each_figure,
    image_grid,
    new_figure,
    save_figure,
    show_image,
    signed_tiles,
)

COLUMNS = 16  # every network of the study has 64 filters: four full rows


def filter_tiles(path: str) -> np.ndarray:
    """Return all n filters of the first convolution as tiles (n, C, k, k) in 0..1, each to its own range."""
    with open_hdf5(path) as file:
        network = file["network"]
        weights = network[json.loads(network.attrs["facts"])["filters"]][:]
    return signed_tiles(weights.reshape(len(weights), -1), weights.shape[1], weights.shape[2])


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network-file", nargs="+", required=True, help="network (HDF5), of each figure")
    add_figure_options(parser)
    options = parser.parse_args(arguments)

    for path, pdf, png in each_figure(options, "network_file"):
        image = image_grid(filter_tiles(path), COLUMNS)
        figure = new_figure(TEXT_WIDTH, TEXT_WIDTH * image.shape[0] / image.shape[1])
        show_image(figure, (1, 1, 1), image)
        save_figure(figure, pdf, png)


if __name__ == "__main__":
    run_program(main)
