"""Compute the k-means features of a data set's images."""

import argparse
import logging
import resource
import time
from collections.abc import Sequence

import h5py
import numpy as np

from semisup.cli import UserError, positive_int, progress, run_program
from semisup.dataset import image_blocks, image_count, image_shape, open_dataset
from semisup.device import leased_device
from semisup.features import feature_blocks, read_dictionary
from semisup.files import atomic_path

BLOCK = 128  # images


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write float32 (N, 4 K) features for each split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--centroids-file", required=True, help="dictionary with its centroids (HDF5)")
    parser.add_argument("--features", required=True, help="file to write (HDF5)")
    parser.add_argument("--stride", type=positive_int, required=True, help="pixels between neighbouring patches")
    parser.add_argument("--splits", nargs="+", default=["train", "validation", "test"])
    parser.add_argument("--gpu", type=int, default=0, help="0: compute on the CPU")
    options = parser.parse_args(arguments)

    start, total = time.perf_counter(), 0
    with open_dataset(options.centroids_file) as file:
        dictionary = read_dictionary(file)
    channels = image_shape(options.images)[0]
    if dictionary.centroids.shape[1] != channels * dictionary.patch_size**2:
        raise UserError(
            f"{options.centroids_file} was not learned on images of {channels} channels like those of {options.images}: "
            "learn centroids on this data set"
        )
    with (
        leased_device(options.gpu) as device,
        atomic_path(options.features) as path,
        h5py.File(path, "w") as output,
    ):
        dictionary = dictionary.to(device)
        for split in options.splits:
            count = image_count(options.images, split)
            features = output.create_dataset(split, (count, 4 * len(dictionary.centroids)), np.float32)
            blocks = progress(image_blocks(options.images, split, BLOCK), -(-count // BLOCK), "blocks", split)
            written = 0
            for block in feature_blocks(blocks, dictionary, options.stride):
                features[written : written + len(block)] = block
                written += len(block)
            total += count
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    logging.info("%d images, %.0f images/s, peak memory %.2f GiB", total, total / seconds, peak)


if __name__ == "__main__":
    run_program(main)
