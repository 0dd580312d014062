"""Near copies: pairs of images whose thumbnails correlate, or that of one and the mirror image of the other.

A thumbnail is the area means of an image on a grid of THUMBNAIL x THUMBNAIL, each channel less the means of its rows
and columns, divided by the norm of all. Brightness, contrast and a cast of colour do not count, nor do horizons, skies
and black bars, by which most photographs of ships would be alike. Where nearly nothing is left, as of one colour, the
thumbnail is zero, and the image a copy of nothing. What is not found: copies that are rotated, moved by more than a
pixel or two of the thumbnail, or cropped at another scale.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

THUMBNAIL = 16  # pixels a side; even, so that each column has a mirrored one
SMALLEST_SPREAD = 1.0  # grey levels, root mean square: with less, rounding to whole levels would decide
BLOCK = 2048  # images of each side of a product
DIGITS = 4  # of a correlation; what is equal differs in the seventh, which must not decide an order
MOST_LISTED = 1000  # pairs; digits have millions, and nobody reads so many


class Pairs(NamedTuple):
    """Near copies: int64 rows of both sets, correlations to DIGITS digits, bool whether one is mirrored; all (P,)."""

    rows: np.ndarray
    beside_rows: np.ndarray
    correlation: np.ndarray
    mirrored: np.ndarray


class Copies(NamedTuple):
    """The near copies of two sets of images.

    closest: up to MOST_LISTED pairs; pairs, mirrored: how many there are in all, and how many of them mirrored; copied,
    beside_copied: bool (N,) and (M,), the images that have a near copy in the other set.
    """

    closest: Pairs
    pairs: int
    mirrored: int
    copied: np.ndarray
    beside_copied: np.ndarray


NO_PAIRS = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool))


def area_means(size: int) -> np.ndarray:
    """Return float32 (THUMBNAIL, size): the part that each of `size` pixels in a row has in each of a thumbnail."""
    edges = np.arange(THUMBNAIL + 1) * size / THUMBNAIL
    pixels = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (overlap.clip(min=0) * THUMBNAIL / size).astype(np.float32)


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Return the thumbnails of uint8 images (N, C, H, W), float32 (N, 2, C * THUMBNAIL**2 / 2).

    The two halves are the sums and the differences of mirrored pixels. A mirror image has the same sums and differences
    of the other sign, so two products of half the length tell both correlations.
    """
    small = area_means(images.shape[2]) @ images.astype(np.float32) @ area_means(images.shape[3]).T
    small -= small.mean(axis=2, keepdims=True)
    small -= small.mean(axis=3, keepdims=True)
    half = THUMBNAIL // 2
    left, right = small[..., :half], small[..., : half - 1 : -1]
    parts = np.stack([left + right, left - right], axis=1).reshape(len(images), 2, -1)
    norms = np.linalg.norm(parts, axis=(1, 2), keepdims=True)
    smallest = SMALLEST_SPREAD * np.sqrt(2 * small[0].size)  # the squares of both halves are twice those of the pixels
    return np.divide(parts, norms, out=np.zeros_like(parts), where=norms >= smallest)


def near_copies(images: np.ndarray, beside: np.ndarray | None, correlation: float) -> Copies:
    """Find the pairs of `images` and `beside`, thumbnails of both, that correlate at least so much.

    beside None: the pairs within `images`, each once. No more than a few blocks of correlations are in memory.
    """
    within = beside is None
    beside = images if within else beside
    copied, beside_copied = np.zeros(len(images), bool), np.zeros(len(beside), bool)
    closest, count, mirrored = NO_PAIRS, 0, 0
    for found in _found_pairs(images, beside, correlation, within):
        copied[found.rows] = True
        beside_copied[found.beside_rows] = True
        count += len(found.rows)
        mirrored += int(found.mirrored.sum())
        closest = _closest(closest, found)
    if within:
        copied = beside_copied = copied | beside_copied
    return Copies(closest, count, mirrored, copied, beside_copied)


def _found_pairs(images: np.ndarray, beside: np.ndarray, correlation: float, within: bool) -> Iterator[Pairs]:
    """Yield the near copies of each two blocks that have some, in the order of their rows."""
    for start in range(0, len(images), BLOCK):
        for other in range(start if within else 0, len(beside), BLOCK):
            sums, differences = (
                images[start : start + BLOCK, half] @ beside[other : other + BLOCK, half].T for half in (0, 1)
            )
            sums += np.abs(differences)  # the larger one of the two correlations
            rows, beside_rows = np.nonzero(sums >= correlation)
            if within:  # the blocks on the diagonal hold each pair twice, and each image with itself
                first = rows + start < beside_rows + other
                rows, beside_rows = rows[first], beside_rows[first]
            if len(rows):
                values = sums[rows, beside_rows].astype(float).clip(max=1).round(DIGITS)
                yield Pairs(rows + start, beside_rows + other, values, differences[rows, beside_rows] < 0)


def _closest(first: Pairs, second: Pairs) -> Pairs:
    """Return the closest pairs of both, MOST_LISTED at most; of equal ones those of lower rows."""
    both = [np.concatenate(columns) for columns in zip(first, second, strict=True)]
    rows, beside_rows, correlation, _ = both
    order = np.lexsort((beside_rows, rows, -correlation))[:MOST_LISTED]
    return Pairs(*(column[order] for column in both))
