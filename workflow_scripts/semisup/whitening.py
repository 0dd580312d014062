"""ZCA whitening of patches (Coates, Lee and Ng 2011; Bell and Sejnowski 1997)."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch


class Spectrum(NamedTuple):
    """Mean (D,), and the covariance's eigenvalues (D,) and eigenvectors (D, D) in columns; all float32."""

    mean: torch.Tensor
    eigenvalues: torch.Tensor
    eigenvectors: torch.Tensor


def fit_spectrum(blocks: Callable[[], Iterator[torch.Tensor]]) -> Spectrum:
    """Fit the mean and the covariance's eigendecomposition to points given in blocks.

    blocks: called twice; each call iterates over the same float32 blocks (n, D). Products are float32, sums float64.
    The covariance divides by the number of points minus one.
    """
    count, total = 0, 0.0
    for block in blocks():
        count += len(block)
        total = total + block.sum(dim=0, dtype=torch.float64)
    mean = total / count
    scatter = 0.0
    for block in blocks():
        centered = block - mean.float()
        scatter = scatter + (centered.T @ centered).double()
    eigenvalues, eigenvectors = torch.linalg.eigh(scatter / max(count - 1, 1))
    return Spectrum(mean.float(), eigenvalues.clamp_min(0).float(), eigenvectors.float())


def zca_matrix(spectrum: Spectrum, epsilon: float) -> torch.Tensor:
    """Return the symmetric (D, D) matrix V diag(1 / sqrt(d + epsilon)) V^T; whitened points are (x - mean) @ it."""
    scaled = spectrum.eigenvectors / torch.sqrt(spectrum.eigenvalues + epsilon)
    return scaled @ spectrum.eigenvectors.T


def unwhitening_matrix(spectrum: Spectrum, epsilon: float) -> torch.Tensor:
    """Return the inverse of `zca_matrix`: it brings centroids back to the space of normalised patches."""
    scaled = spectrum.eigenvectors * torch.sqrt(spectrum.eigenvalues + epsilon)
    return scaled @ spectrum.eigenvectors.T
