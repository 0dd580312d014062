"""Classify images with a trained model: python predict.py --model model.h5 --images IMAGES --predictions out.csv.

IMAGES is a data set (HDF5), a file of STL-10 (.bin), or a folder of pictures, taken in the order of their names (2.png
before 10.png) and the middle square of each scaled to the
model's size. The table has the columns Id (from 1, in the order of the images) and
Prediction (the number of the class, from 1).
"""

import argparse
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from semisup.cli import UserError, natural_int, positive_int, run_program
from semisup.dataset import image_blocks
from semisup.device import leased_device
from semisup.hdf5 import finite, open_hdf5
from semisup.listing import pictures_in
from semisup.model_files import read_model
from semisup.pictures import read_picture
from semisup.scores import prediction_rows
from semisup.stl10 import read_bin_images
from semisup.tables import write_table


def read_blocks(path: Path, split: str, channels: int, block: int) -> Iterator[np.ndarray]:
    """Yield uint8 (n, C, H, W) blocks of a data set, a .bin file or a folder.

    Raises UserError if the path is none of them, or does not exist.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist: give a data set (.h5), a .bin file or a folder of pictures")
    if path.is_dir():
        yield from _folder_blocks(path, channels)
    elif path.suffix == ".bin":
        images = read_bin_images(path)
        yield from (images[start : start + block] for start in range(0, len(images), block))
    elif h5py.is_hdf5(path):
        with open_hdf5(path) as file:
            if split not in file:
                raise UserError(f"{path} has no split {split}: choose one of {', '.join(file)}")
        yield from image_blocks(path, split, block)
    else:
        raise UserError(f"{path} is no data set (HDF5), .bin file or folder of pictures: give one of these")


def _folder_blocks(folder: Path, channels: int) -> Iterator[np.ndarray]:
    """Yield every picture as a block of its own, for they may differ in size."""
    paths = pictures_in(folder)
    if not paths:
        raise UserError(f"{folder} holds no pictures: give a folder of image files")
    for path in paths:
        yield read_picture(path, channels, fit="crop")[None]


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the predictions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="model.h5 of a run")
    parser.add_argument("--images", type=Path, required=True, help="data set (HDF5), .bin file, or folder of pictures")
    parser.add_argument("--split", default="test", help="of a data set (default: test)")
    parser.add_argument("--predictions", required=True, help="table to write (CSV)")
    parser.add_argument("--block", type=positive_int, default=128, help="images in memory at once")
    parser.add_argument("--gpu", type=natural_int, default=0, help="0: compute on the CPU")
    options = parser.parse_args(arguments)

    model = read_model(options.model)
    blocks = (
        checked_channels(block, model.channels, options.images)
        for block in read_blocks(options.images, options.split, model.channels, options.block)
    )
    with leased_device(options.gpu) as device:
        predicted = np.concatenate(
            [finite(scores, options.model, "scores").argmax(axis=1) for scores in model.scores(blocks, device)]
        )
    write_table(options.predictions, prediction_rows(predicted))
    logging.info("%d predictions written to %s", len(predicted), options.predictions)


def checked_channels(block: np.ndarray, channels: int, path: Path) -> np.ndarray:
    """Return the block. Raises UserError if its images do not have the model's number of channels."""
    if block.shape[1] != channels:
        raise UserError(f"{path} has images of {block.shape[1]} channels, and the model takes {channels}: give others")
    return block


if __name__ == "__main__":
    run_program(main)
