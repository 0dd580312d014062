"""Draw the centroids, brought back from the whitened space, the most used first."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semisup.cli import UserError, positive_int, run_program
from semisup.dictionary import Dictionary
from semisup.hdf5 import open_hdf5, read_record
from semisup.plots import (
    TEXT_WIDTH,
    Figure,
    add_figure_options,
    each_figure,
    image_grid,
    new_figure,
    save_figure,
    show_image,
    signed_tiles,
)
from semisup.whitening import read_spectrum, unwhitening_matrix


def usage_of(paths: Sequence[Path], epsilon: float) -> np.ndarray:
    """Return int64 (K,): the number of patches nearest to each centroid that was learned with this epsilon.

    Raises UserError if none of the files was.
    """
    for path in paths:
        with open_hdf5(path) as file:
            if file.attrs["epsilon"] == epsilon:
                return file["usage"][:]
    raise UserError(f"--centroids-files holds no file of the run that was learned with epsilon {epsilon:g}: add it")


def centroids_figure(model: Path, whitening: str, centroids_files: Sequence[Path], most: int) -> Figure:
    """Draw at most so many centroids of a run; centroids_files: of every candidate epsilon."""
    with open_hdf5(model) as file:
        dictionary = read_record(file["dictionary"], Dictionary)
    with open_hdf5(whitening) as file:
        spectrum = read_spectrum(file)
        channels = int(file.attrs["channels"])
    order = np.argsort(-usage_of(centroids_files, dictionary.epsilon), kind="stable")[:most]
    vectors = dictionary.centroids[order] @ unwhitening_matrix(spectrum, dictionary.epsilon)
    columns = int(np.ceil(np.sqrt(2 * len(order))))  # twice as wide as high
    figure = new_figure(TEXT_WIDTH, TEXT_WIDTH * np.ceil(len(order) / columns) / columns)
    tiles = signed_tiles(vectors, channels, dictionary.patch_size)
    show_image(figure, (1, 1, 1), image_grid(tiles, columns, gap=2))
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figures, each for the epsilon that the model has chosen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", nargs="+", type=Path, required=True, help="model of a run (HDF5), of each figure")
    parser.add_argument("--whitening", nargs="+", required=True, help="whitening of the patches (HDF5), of each figure")
    parser.add_argument(
        "--centroids-files", nargs="+", type=Path, required=True, help="<run>/epsilon<e>/centroids.h5 of every epsilon"
    )
    parser.add_argument("--centroids", type=positive_int, required=True, help="how many are shown")
    add_figure_options(parser)
    options = parser.parse_args(arguments)

    for model, whitening, pdf, png in each_figure(options, "model", "whitening"):
        of_run = [path for path in options.centroids_files if path.parents[1] == model.parent]
        save_figure(centroids_figure(model, whitening, of_run, options.centroids), pdf, png)


if __name__ == "__main__":
    run_program(main)
