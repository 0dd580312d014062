"""Draw random patches from the unlabelled images of a data set."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from declarations.command_line import add_options
from methods.kmeans import Patches
from semisup.cli import UserError, progress, run_program, seed_number
from semisup.dataset import image_count, image_shape, resolved_size
from semisup.hdf5 import new_hdf5, open_hdf5, read_rows, require_space
from semisup.patches import random_patches
from semisup.scaling import scale_all

BLOCK = 500  # images


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the patches, uint8 (images x patches per image, D)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--patches", required=True, help="file to write (HDF5)")
    add_options(parser, Patches)
    parser.add_argument("--seed", type=seed_number, required=True)
    options = parser.parse_args(arguments)

    channels = image_shape(options.images)[0]
    size = resolved_size(options.images, options.image_size)
    if options.patch_size > size:
        raise UserError(f"patches of {options.patch_size} pixels do not fit in images of {size}: lower patch_size")
    available = image_count(options.images, "unlabeled")
    if options.patch_images > available:
        raise UserError(
            f"asked for patches from {options.patch_images} unlabeled images, and {options.images} holds {available}: "
            "lower patch_images"
        )
    rng = np.random.default_rng(options.seed)
    rows = np.sort(rng.choice(available, options.patch_images, replace=False))
    blocks = np.split(rows, range(BLOCK, len(rows), BLOCK))
    dimension = channels * options.patch_size**2
    with open_hdf5(options.images) as source, new_hdf5(options.patches) as file:
        require_space(Path(options.patches).parent, len(rows) * options.patches_per_image * dimension)
        file.attrs.update(image_size=size, patch_size=options.patch_size, channels=channels)
        patches = file.create_dataset("patches", (len(rows) * options.patches_per_image, dimension), np.uint8)
        written = 0
        for block in progress(blocks, len(blocks), "blocks", "patches"):
            images = scale_all(read_rows(source["unlabeled/images"], block), size)
            drawn = random_patches(images, options.patch_size, options.patches_per_image, rng)
            patches[written : written + len(drawn)] = drawn
            written += len(drawn)
    logging.info("%d patches of %d values from %d images", written, dimension, len(rows))


if __name__ == "__main__":
    run_program(main)
