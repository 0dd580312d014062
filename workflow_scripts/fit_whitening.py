"""Fit the mean and the covariance's eigendecomposition of normalised patches: ZCA whitening for any epsilon."""

import argparse
import logging
from collections.abc import Iterator, Sequence

import numpy as np

from declarations.command_line import add_options
from methods.kmeans import Whitening
from semisup.cli import run_program
from semisup.hdf5 import new_hdf5, open_hdf5
from semisup.patches import normalize_patches
from semisup.whitening import fit_spectrum

BLOCK = 16384  # patches


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write mean (D,), eigenvalues (D,) and eigenvectors (D, D)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", required=True, help="patches (HDF5)")
    parser.add_argument("--whitening", required=True, help="file to write (HDF5)")
    add_options(parser, Whitening)
    options = parser.parse_args(arguments)

    with open_hdf5(options.patches) as source:
        patches = source["patches"]

        def blocks() -> Iterator[np.ndarray]:
            for start in range(0, len(patches), BLOCK):
                block = patches[start : start + BLOCK].astype(np.float32)
                yield normalize_patches(block, options.contrast_constant)

        spectrum = fit_spectrum(blocks)
        with new_hdf5(options.whitening) as file:
            file.attrs.update(source.attrs)
            file.attrs["contrast_constant"] = options.contrast_constant
            for name, value in spectrum._asdict().items():
                file.create_dataset(name, data=value)
    values = spectrum.eigenvalues
    logging.info("eigenvalues from %.3g to %.3g, median %.3g", values.min(), values.max(), np.median(values))


if __name__ == "__main__":
    run_program(main)
