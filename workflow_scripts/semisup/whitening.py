"""ZCA whitening of patches (Coates, Lee and Ng 2011; Bell and Sejnowski 1997)."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import h5py
import numpy as np


class Spectrum(NamedTuple):
    """Mean (D,), and the covariance's eigenvalues (D,) and eigenvectors (D, D) in columns; all float32."""

    mean: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray


def read_spectrum(file: h5py.File) -> Spectrum:
    """Read the spectrum from a file of `fit_whitening`."""
    return Spectrum(*(file[name][:] for name in Spectrum._fields))


def fit_spectrum(blocks: Callable[[], Iterator[np.ndarray]]) -> Spectrum:
    """Fit the mean and the covariance's eigendecomposition to points given in blocks.

    blocks: called twice; each call iterates over the same float32 blocks (n, D). Products are float32, sums float64.
    The covariance divides by the number of points minus one.
    """
    count, total = 0, 0.0
    for block in blocks():
        count += len(block)
        total = total + block.sum(axis=0, dtype=np.float64)
    mean = (total / count).astype(np.float32)
    scatter = 0.0
    for block in blocks():
        centered = block - mean
        scatter = scatter + (centered.T @ centered).astype(np.float64)
    eigenvalues, eigenvectors = np.linalg.eigh(scatter / max(count - 1, 1))
    return Spectrum(mean, eigenvalues.clip(min=0).astype(np.float32), eigenvectors.astype(np.float32))


def zca_matrix(spectrum: Spectrum, epsilon: float) -> np.ndarray:
    """Return the symmetric (D, D) matrix V diag(1 / sqrt(d + epsilon)) V^T; whitened points are (x - mean) @ it."""
    scaled = spectrum.eigenvectors / np.sqrt(spectrum.eigenvalues + np.float32(epsilon))
    return scaled @ spectrum.eigenvectors.T


def pca_whitening(spectrum: Spectrum, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Return PCA whitening (D, D) and a rotation (D, D) by which it is ZCA whitening: `zca_matrix` is their product.

    Points (x - mean) @ whitening have the distances of ZCA-whitened ones, and coordinates of falling variance.
    """
    order = np.argsort(-spectrum.eigenvalues, kind="stable")
    directions = spectrum.eigenvectors[:, order]
    whitening = directions / np.sqrt(spectrum.eigenvalues[order] + np.float32(epsilon))
    return np.ascontiguousarray(whitening), np.ascontiguousarray(directions.T)


def unwhitening_matrix(spectrum: Spectrum, epsilon: float) -> np.ndarray:
    """Return the inverse of `zca_matrix`: it brings centroids back to the space of normalised patches."""
    scaled = spectrum.eigenvectors * np.sqrt(spectrum.eigenvalues + np.float32(epsilon))
    return scaled @ spectrum.eigenvectors.T
