"""Compute the features of every layer of a network, max-pooled over quadrants, for the images of a probe."""

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from declarations.command_line import add_options
from methods.pretraining import Layers
from semisup.cli import natural_int, peak_memory_gib, progress, run_program
from semisup.dataset import image_blocks, image_count, image_shape, resolved_size
from semisup.device import keep_freed_memory, leased_device
from semisup.hdf5 import new_hdf5, open_hdf5, require_space
from semisup.layers import layer_features
from semisup.network import read_network, require_channels
from semisup.scaling import scale_all

BLOCK = 128  # images
SPLITS = ("train", "validation", "test")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write, for each layer, float32 (N, 4 C) features of each split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--network-file", required=True, help="file that holds a network (HDF5)")
    parser.add_argument("--layers", required=True, help="file to write (HDF5)")
    add_options(parser, Layers)
    parser.add_argument("--gpu", type=natural_int, default=0, help="0: compute on the CPU")
    options = parser.parse_args(arguments)
    keep_freed_memory()

    start, total = time.perf_counter(), 0
    with open_hdf5(options.network_file) as file:
        network = read_network(file["network"])
    require_channels(network, image_shape(options.images)[0], options.network_file, options.images)
    size = resolved_size(options.images, options.image_size)
    names = [name for name, _ in network.layers.named_children()]
    with leased_device(options.gpu) as device, new_hdf5(options.layers) as output:
        output.attrs["layers"] = names
        output.attrs["image_size"] = size
        network.to(device)
        for split in SPLITS:
            count = image_count(options.images, split)
            scaled = (scale_all(block, size) for block in image_blocks(options.images, split, BLOCK))
            blocks = progress(scaled, -(-count // BLOCK), "blocks", split)
            written = 0
            for features in layer_features(blocks, network, options.precision):
                for name, values in features.items():
                    if not written:
                        require_space(Path(options.layers).parent, count * values.shape[1] * values.itemsize)
                        output.create_dataset(f"{name}/{split}", (count, values.shape[1]), np.float32)
                    output[f"{name}/{split}"][written : written + len(values)] = values
                written += len(values)
            total += count
    seconds = time.perf_counter() - start
    logging.info("%d images, %.0f images/s, peak memory %.2f GiB", total, total / seconds, peak_memory_gib())


if __name__ == "__main__":
    run_program(main)
