"""Patches of the embedded photographs, as they are and whitened."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from semisup.patches import normalize_patches, random_patches
from semisup.photos import load_pictures
from semisup.scaling import scale_images
from semisup.whitening import fit_spectrum, pca_whitening

CONTRAST = 10.0  # added to a patch's variance
BLOCKS = 20  # in which patches become float32


class Whitened(NamedTuple):
    """Float32 points (n, D) of falling variance, which are (normalised patches - mean (D,)) @ whitening (D, D)."""

    points: np.ndarray
    mean: np.ndarray
    whitening: np.ndarray


def picture_patches(side: int, shrink: int, count: int) -> np.ndarray:
    """Return uint8 (count, 3, side, side) in random order, from square pictures made smaller by a factor."""
    pictures = [
        scale_images(torch.from_numpy(picture[None].copy()), min(picture.shape[1:]) // shrink).numpy()
        for picture in load_pictures().values()
    ]
    rng = np.random.default_rng(0)
    each = -(-count // len(pictures))
    patches = np.concatenate([random_patches(picture, side, each, rng) for picture in pictures])
    return patches[rng.permutation(len(patches))[:count]].reshape(count, 3, side, side)


def whitened_patches(side: int, shrink: int, count: int, epsilon: float) -> Whitened:
    """Normalise and PCA-whiten such patches; the float32 points are the only large array besides their pixels."""
    pixels = picture_patches(side, shrink, count).reshape(count, -1)

    def blocks() -> Iterator[np.ndarray]:
        for block in np.array_split(pixels, BLOCKS):
            yield normalize_patches(block.astype(np.float32), CONTRAST)

    spectrum = fit_spectrum(blocks)
    whitening, _ = pca_whitening(spectrum, epsilon)
    points = np.empty(pixels.shape, np.float32)
    for rows, block in zip(np.array_split(points, BLOCKS), blocks(), strict=True):
        np.matmul(block - spectrum.mean, whitening, out=rows)
    return Whitened(points, spectrum.mean, whitening)
