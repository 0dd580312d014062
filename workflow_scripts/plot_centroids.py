"""Draw the centroids, brought back from the whitened space, the most used first."""

import argparse
from collections.abc import Sequence

import numpy as np
import torch

from semisup.cli import positive_int, run_program
from semisup.hdf5 import open_hdf5
from semisup.kmeans_model import read_model
from semisup.plots import TEXT_WIDTH, image_grid, new_figure, save_figure, show_image, signed_tiles
from semisup.whitening import Spectrum, unwhitening_matrix


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figure for the epsilon that the model has chosen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="the run's model, for the epsilon it has chosen (HDF5)")
    parser.add_argument("--whitening", required=True, help="whitening of the patches (HDF5)")
    parser.add_argument("--centroids-files", nargs="+", required=True, help="dictionaries of every epsilon (HDF5)")
    parser.add_argument("--centroids", type=positive_int, required=True, help="how many are shown")
    parser.add_argument("--pdf", required=True)
    parser.add_argument("--png", required=True)
    options = parser.parse_args(arguments)

    dictionary = read_model(options.model).dictionary
    with open_hdf5(options.whitening) as file:
        spectrum = Spectrum(*(torch.from_numpy(file[name][:]) for name in Spectrum._fields))
        channels = int(file.attrs["channels"])
    order = np.argsort(-usage_of(options.centroids_files, dictionary.epsilon), kind="stable")[: options.centroids]
    vectors = dictionary.centroids[order] @ unwhitening_matrix(spectrum, dictionary.epsilon)
    columns = int(np.ceil(np.sqrt(2 * len(order))))  # twice as wide as high
    figure = new_figure(TEXT_WIDTH, TEXT_WIDTH * np.ceil(len(order) / columns) / columns)
    tiles = signed_tiles(vectors.numpy(), channels, dictionary.patch_size)
    show_image(figure, (1, 1, 1), image_grid(tiles, columns, gap=2))
    save_figure(figure, options.pdf, options.png)


def usage_of(paths: Sequence[str], epsilon: float) -> np.ndarray:
    """Return int64 (K,): the number of patches nearest to each centroid that was learned with this epsilon."""
    for path in paths:
        with open_hdf5(path) as file:
            if file.attrs["epsilon"] == epsilon:
                return file["usage"][:]
    raise ValueError(f"no file was learned with epsilon {epsilon}")


if __name__ == "__main__":
    run_program(main)
