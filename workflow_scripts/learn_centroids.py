"""Learn k-means centroids of normalised, ZCA-whitened patches."""

import argparse
import logging
import time
from collections.abc import Iterator, Sequence
from itertools import chain

import h5py
import numpy as np
import torch

from declarations.command_line import add_options
from declarations.options import option_names
from methods.kmeans import Centroids
from semisup.checkpoints import locked_checkpoint, new_fingerprint
from semisup.cli import (
    UserError,
    natural_int,
    peak_memory_gib,
    positive_number,
    run_program,
    seed_number,
)
from semisup.device import computed_on, leased_device, product_dtype
from semisup.dictionary import Dictionary
from semisup.hdf5 import new_hdf5, open_hdf5, write_record
from semisup.kmeans import assign, best_cut, initial_centroids, leading_coordinates, lloyd
from semisup.patches import normalize_patches
from semisup.run_options import add_checkpoint_options
from semisup.tables import write_table
from semisup.whitening import pca_whitening, read_spectrum, zca_matrix

BLOCK = 16384  # patches


def blocks(patches: h5py.Dataset) -> Iterator[np.ndarray]:
    """Yield the patches, uint8 (n, D), block by block."""
    for start in range(0, len(patches), BLOCK):
        yield patches[start : start + BLOCK]


def whitened_patches(
    patches: h5py.Dataset, mean: torch.Tensor, whitening: torch.Tensor, contrast_constant: float
) -> torch.Tensor:
    """Return float32 (n, D) normalised and whitened patches on the mean's device, made block by block."""
    points = torch.empty(patches.shape, device=mean.device)
    for block, part in zip(blocks(patches), points.split(BLOCK), strict=True):
        normalized = normalize_patches(torch.from_numpy(block).to(mean.device).float(), contrast_constant)
        torch.matmul(normalized - mean, whitening, out=part)
    return points


def read_unlearned(path: str, epsilon: float) -> tuple[Dictionary[np.ndarray], np.ndarray, np.ndarray]:
    """Return the dictionary of a whitening file for this epsilon, its centroids still empty.

    Then PCA whitening and the rotation that makes it the dictionary's.
    """
    with open_hdf5(path) as file:
        spectrum = read_spectrum(file)
        numbers = [file.attrs[name].item() for name in ("image_size", "patch_size", "contrast_constant")]
    whitening, rotation = pca_whitening(spectrum, epsilon)
    empty = np.empty(0, np.float32)
    return Dictionary(*numbers, epsilon, spectrum.mean, zca_matrix(spectrum, epsilon), empty), whitening, rotation


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the dictionary with its centroids, and the history of the objective."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", required=True, help="patches (HDF5)")
    parser.add_argument("--whitening", required=True, help="whitening of these patches (HDF5)")
    parser.add_argument("--centroids-file", required=True, help="file to write (HDF5)")
    parser.add_argument("--history", required=True, help="table to write (CSV)")
    parser.add_argument("--epsilon", type=positive_number, required=True, help="of the whitening")
    add_options(parser, Centroids)
    add_checkpoint_options(parser)
    parser.add_argument("--seed", type=seed_number, required=True)
    parser.add_argument("--gpu", type=natural_int, default=0, help="0: compute on the CPU")
    options = parser.parse_args(arguments)

    with open_hdf5(options.patches) as source:
        patches = source["patches"]
        if options.centroids > len(patches):
            raise UserError(
                f"{options.centroids} centroids need at least as many patches, and {options.patches} holds "
                f"{len(patches)}: lower centroids, or draw more patches"
            )
        dictionary, *factors = read_unlearned(options.whitening, options.epsilon)
        decisive = {name: getattr(options, name) for name in (*option_names(Centroids), "seed")}
        fingerprint = new_fingerprint(decisive, chain(factors, blocks(patches)), options.code)
        with (
            locked_checkpoint(options.checkpoint, fingerprint, options.checkpoint_seconds) as checkpoint,
            leased_device(options.gpu) as device,
        ):
            start = time.perf_counter()
            # k-means is the same in any rotation, and cheapest where leading coordinates hold most of the variance.
            mean, whitening, rotation = (torch.from_numpy(array).to(device) for array in (dictionary.mean, *factors))
            points = whitened_patches(patches, mean, whitening, dictionary.contrast_constant)
            dtype = product_dtype(device, options.precision)
            logging.info("%d x %d points whitened in %.1f s", *points.shape, time.perf_counter() - start)
            rng = np.random.default_rng(options.seed)
            first = initial_centroids(points, options.centroids, options.initialization, rng)
            means, labels, history = lloyd(
                points,
                first,
                options.iterations,
                options.tolerance,
                options.seed,
                dtype,
                options.momentum,
                leading_coordinates(points),
                checkpoint,
            )
            labels = assign(points, means, labels, best_cut(points, means, labels, None, dtype), dtype).labels
            usage = torch.bincount(labels, minlength=options.centroids)
            centroids = means @ rotation
    with new_hdf5(options.centroids_file) as file:
        file.attrs["computed_on"] = computed_on(device, options.precision)
        write_record(file, dictionary._replace(centroids=centroids.cpu().numpy()))
        file.create_dataset("usage", data=usage.cpu().numpy())
    write_table(options.history, history)
    logging.info(
        "%d iterations, objective %.6g, %s product, peak memory %.2f GiB",
        len(history),
        history[-1].objective,
        dtype,
        peak_memory_gib(),
    )


if __name__ == "__main__":
    run_program(main)
