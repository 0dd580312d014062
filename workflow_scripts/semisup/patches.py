"""Image patches: drawn at random, cut on a grid, normalised. A patch is a row of D = C p p values, channel first.

Only `grid_patches` needs torch; whoever passes tensors has loaded it.

Source: Coates, Lee and Ng, "An analysis of single-layer networks in unsupervised feature learning" (2011), section 3.
"""

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", np.ndarray, "torch.Tensor")


def random_patches(images: np.ndarray, patch_size: int, per_image: int, rng: np.random.Generator) -> np.ndarray:
    """Cut `per_image` patches at uniformly random places of each uint8 image (N, C, H, W).

    Returns uint8 (N * per_image, D); the patches of one image follow each other.
    """
    count, _, height, width = images.shape
    y = rng.integers(0, height - patch_size + 1, size=(count, per_image))
    x = rng.integers(0, width - patch_size + 1, size=(count, per_image))
    windows = np.lib.stride_tricks.sliding_window_view(images, (patch_size, patch_size), axis=(2, 3))  # a view
    rows = np.arange(count)[:, None]
    return windows[rows, :, y, x].reshape(count * per_image, -1)


def grid_patches(images: "torch.Tensor", patch_size: int, stride: int) -> "torch.Tensor":
    """Cut the patches on a grid of step `stride` from images (N, C, H, W).

    Returns (N, h, w, D) of the same dtype, where h = (H - patch_size) // stride + 1 and likewise w.
    """
    windows = images.unfold(2, patch_size, stride).unfold(3, patch_size, stride)
    return windows.permute(0, 2, 3, 1, 4, 5).flatten(3)


def normalize_patches(patches: Array, contrast_constant: float) -> Array:
    """Take brightness and contrast out of each patch: (x - mean) / sqrt(variance + constant).

    patches: float32 (n, D), pixels 0..255. The variance divides by D - 1. Returns float32 (n, D).
    """
    centered = patches - patches.mean(axis=1, keepdims=True)
    variance = (centered**2).sum(axis=1, keepdims=True) / (patches.shape[1] - 1)
    return centered / (variance + contrast_constant) ** 0.5
