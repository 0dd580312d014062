"""Draw random patches from the unlabeled images of a data set."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from semisup.cli import UserError, positive_int, progress, run_program, seed_number
from semisup.dataset import image_count, image_shape
from semisup.hdf5 import new_hdf5, open_hdf5, read_rows, require_space
from semisup.patches import random_patches, scale_images

BLOCK = 500  # images


def size_or_native(text: str) -> int | None:
    """Argument type: a positive whole number, or 'native', which gives None."""
    return None if text == "native" else positive_int(text)


def resolved_size(asked: int | None, shape: tuple[int, int, int]) -> int:
    """Return the side that the images are scaled to, in pixels; asked None: they keep their size.

    shape: (channels, height, width). Raises UserError if images that keep their size are not square.
    """
    if asked is not None:
        return asked
    if shape[1] != shape[2]:
        raise UserError(f"images of {shape[1]} x {shape[2]} pixels are not square: give image_size a number of pixels")
    return shape[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the patches, uint8 (images x patches per image, D)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--patches", required=True, help="file to write (HDF5)")
    parser.add_argument(
        "--image-size", type=size_or_native, default="native", help="pixels the images are scaled to first, or native"
    )
    parser.add_argument("--patch-size", type=positive_int, required=True)
    parser.add_argument("--patch-images", type=positive_int, required=True, help="images that patches are drawn from")
    parser.add_argument("--patches-per-image", type=positive_int, required=True)
    parser.add_argument("--seed", type=seed_number, required=True)
    options = parser.parse_args(arguments)

    shape = image_shape(options.images)
    size = resolved_size(options.image_size, shape)
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
    dimension = shape[0] * options.patch_size**2
    with open_hdf5(options.images) as source, new_hdf5(options.patches) as file:
        require_space(Path(options.patches).parent, len(rows) * options.patches_per_image * dimension)
        file.attrs.update(image_size=size, patch_size=options.patch_size, channels=shape[0])
        patches = file.create_dataset("patches", (len(rows) * options.patches_per_image, dimension), np.uint8)
        written = 0
        for block in progress(blocks, len(blocks), "blocks", "patches"):
            images = scale_images(torch.from_numpy(read_rows(source["unlabeled/images"], block)), size)
            drawn = random_patches(images, options.patch_size, options.patches_per_image, rng)
            patches[written : written + len(drawn)] = drawn.numpy()
            written += len(drawn)
    logging.info("%d patches of %d values from %d images", written, dimension, len(rows))


if __name__ == "__main__":
    run_program(main)
