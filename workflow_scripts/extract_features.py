"""Compute the k-means features of a data set's images."""

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from declarations.command_line import add_options
from methods.kmeans import Features
from semisup.cli import UserError, natural_int, peak_memory_gib, progress, run_program
from semisup.dataset import image_blocks, image_count, image_shape
from semisup.device import keep_freed_memory, leased_device
from semisup.dictionary import Dictionary
from semisup.features import feature_blocks, on_device
from semisup.hdf5 import new_hdf5, open_hdf5, read_record, require_space

BLOCK = 128  # images


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write float32 (N, 4 K) features for each split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--centroids-file", required=True, help="dictionary with its centroids (HDF5)")
    parser.add_argument("--features", required=True, help="file to write (HDF5)")
    add_options(parser, Features)
    parser.add_argument("--splits", nargs="+", default=["train", "validation", "test"])
    parser.add_argument("--gpu", type=natural_int, default=0, help="0: compute on the CPU")
    options = parser.parse_args(arguments)

    keep_freed_memory()
    start, total = time.perf_counter(), 0
    with open_hdf5(options.centroids_file) as file:
        dictionary = read_record(file, Dictionary)
    channels = image_shape(options.images)[0]
    if dictionary.centroids.shape[1] != channels * dictionary.patch_size**2:
        raise UserError(
            f"{options.centroids_file} was not learned on images of {channels} channels, as {options.images} holds: "
            "learn centroids on this data set"
        )
    with leased_device(options.gpu) as device, new_hdf5(options.features) as output:
        dictionary = on_device(dictionary, device)
        for split in options.splits:
            count = image_count(options.images, split)
            width = 4 * len(dictionary.centroids)
            require_space(Path(options.features).parent, count * width * np.float32().nbytes)
            features = output.create_dataset(split, (count, width), np.float32)
            blocks = progress(image_blocks(options.images, split, BLOCK), -(-count // BLOCK), "blocks", split)
            written = 0
            for block in feature_blocks(blocks, dictionary, options.stride):
                features[written : written + len(block)] = block
                written += len(block)
            total += count
    seconds = time.perf_counter() - start
    logging.info("%d images, %.0f images/s, peak memory %.2f GiB", total, total / seconds, peak_memory_gib())


if __name__ == "__main__":
    run_program(main)
