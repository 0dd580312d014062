"""Draw the filters of a network's first convolution; zero is grey."""

import argparse
from collections.abc import Sequence

import numpy as np
from torch import nn

from semisup.cli import run_program
from semisup.hdf5 import open_hdf5
from semisup.networks import Network, read_network
from semisup.plots import TEXT_WIDTH, image_grid, new_figure, save_figure, show_image, signed_tiles

COLUMNS = 16  # every network of the study has 64 filters: four full rows


def filter_tiles(network: Network) -> np.ndarray:
    """Return all n filters of the first convolution as tiles (n, C, k, k) in 0..1, each to its own range."""
    convolution = next(module for module in network.layers.modules() if isinstance(module, nn.Conv2d))
    weights = convolution.weight.detach().contiguous()
    return signed_tiles(weights.flatten(1).numpy(), weights.shape[1], weights.shape[2])


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network-file", required=True, help="file that holds a network (HDF5)")
    parser.add_argument("--pdf", required=True)
    parser.add_argument("--png", required=True)
    options = parser.parse_args(arguments)

    with open_hdf5(options.network_file) as file:
        network = read_network(file["network"])
    image = image_grid(filter_tiles(network), COLUMNS)
    figure = new_figure(TEXT_WIDTH, TEXT_WIDTH * image.shape[0] / image.shape[1])
    show_image(figure, (1, 1, 1), image)
    save_figure(figure, options.pdf, options.png)


if __name__ == "__main__":
    run_program(main)
