"""Draw random patches: as they are, normalised, and whitened."""

import argparse
from collections.abc import Sequence

import numpy as np

from semisup.cli import positive_int, run_program
from semisup.dictionary import Dictionary
from semisup.hdf5 import open_hdf5, read_record
from semisup.patches import normalize_patches
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


def patches_figure(patches_file: str, centroids_file: str, most: int) -> Figure:
    """Draw at most so many patches of one experiment, in three panels."""
    with open_hdf5(patches_file) as file:
        stored, channels = file["patches"], int(file.attrs["channels"])
        count = min(most, len(stored))
        patches = stored[np.linspace(0, len(stored) - 1, count).astype(int)]
    with open_hdf5(centroids_file) as file:
        dictionary = read_record(file, Dictionary)
    normalized = normalize_patches(patches.astype(np.float32), dictionary.contrast_constant)
    whitened = (normalized - dictionary.mean) @ dictionary.whitening

    size = dictionary.patch_size
    columns = int(np.ceil(np.sqrt(count)))
    panels = {
        "patches": patches.reshape(-1, channels, size, size) / 255,
        "normalised": signed_tiles(normalized, channels, size),
        f"whitened, ε = {dictionary.epsilon:g}": signed_tiles(whitened, channels, size),
    }
    figure = new_figure(TEXT_WIDTH, TEXT_WIDTH / 3 + 0.2)
    for position, (title, tiles) in enumerate(panels.items(), start=1):
        show_image(figure, (1, 3, position), image_grid(tiles, columns), title)
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches-file", nargs="+", required=True, help="patches (HDF5), of each figure")
    parser.add_argument("--centroids-file", nargs="+", required=True, help="dictionary (HDF5), for its whitening")
    parser.add_argument("--patches", type=positive_int, required=True, help="how many are shown")
    add_figure_options(parser)
    options = parser.parse_args(arguments)

    for patches, centroids, pdf, png in each_figure(options, "patches_file", "centroids_file"):
        save_figure(patches_figure(patches, centroids, options.patches), pdf, png)


if __name__ == "__main__":
    run_program(main)
