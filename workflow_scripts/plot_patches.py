"""Draw random patches: as they are, normalised, and whitened."""

import argparse
from collections.abc import Sequence

import numpy as np
import torch

from semisup.cli import positive_int, run_program
from semisup.features import read_dictionary
from semisup.hdf5 import open_hdf5
from semisup.patches import normalize_patches
from semisup.plots import TEXT_WIDTH, image_grid, new_figure, save_figure, show_image, signed_tiles


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches-file", required=True, help="patches (HDF5)")
    parser.add_argument("--centroids-file", required=True, help="dictionary, for its whitening (HDF5)")
    parser.add_argument("--patches", type=positive_int, required=True, help="how many are shown")
    parser.add_argument("--pdf", required=True)
    parser.add_argument("--png", required=True)
    options = parser.parse_args(arguments)

    with open_hdf5(options.patches_file) as file:
        stored, channels = file["patches"], int(file.attrs["channels"])
        count = min(options.patches, len(stored))
        patches = stored[np.linspace(0, len(stored) - 1, count).astype(int)]
    with open_hdf5(options.centroids_file) as file:
        dictionary = read_dictionary(file)
    normalized = normalize_patches(torch.from_numpy(patches), dictionary.contrast_constant)
    whitened = (normalized - dictionary.mean) @ dictionary.whitening

    size = dictionary.patch_size
    columns = int(np.ceil(np.sqrt(count)))
    panels = {
        "patches": patches.reshape(-1, channels, size, size) / 255,
        "normalised": signed_tiles(normalized.numpy(), channels, size),
        f"whitened, ε = {dictionary.epsilon:g}": signed_tiles(whitened.numpy(), channels, size),
    }
    figure = new_figure(TEXT_WIDTH, TEXT_WIDTH / 3 + 0.2)
    for position, (title, tiles) in enumerate(panels.items(), start=1):
        show_image(figure, (1, 3, position), image_grid(tiles, columns), title)
    save_figure(figure, options.pdf, options.png)


if __name__ == "__main__":
    run_program(main)
