"""Image patches: drawn at random, cut on a grid, normalised. A patch is a row of D = C p p values, channel first.

Source: Coates, Lee and Ng, "An analysis of single-layer networks in unsupervised feature learning" (2011), section 3.
"""

import numpy as np
import torch

BLOCK = 512  # images that are scaled at once


def scale_images(images: torch.Tensor, size: int) -> torch.Tensor:
    """Scale uint8 images (N, C, H, W) to (N, C, size, size), uint8: antialiased bilinear, rounded."""
    if images.shape[2:] == (size, size):
        return images
    scaled = torch.nn.functional.interpolate(
        images.float(), (size, size), mode="bilinear", antialias=True, align_corners=False
    )
    return scaled.round_().clamp_(0, 255).to(torch.uint8)


def scale_all(images: np.ndarray, size: int) -> np.ndarray:
    """Scale uint8 images (N, C, H, W) as `scale_images` does, block by block, so that little is ever held as float."""
    if images.shape[2:] == (size, size):
        return images
    scaled = np.empty((*images.shape[:2], size, size), np.uint8)
    for start in range(0, len(images), BLOCK):
        block = slice(start, start + BLOCK)
        scaled[block] = scale_images(torch.from_numpy(images[block]), size).numpy()
    return scaled


def random_patches(images: torch.Tensor, patch_size: int, per_image: int, rng: np.random.Generator) -> torch.Tensor:
    """Cut `per_image` patches at uniformly random places of each uint8 image (N, C, H, W).

    Returns uint8 (N * per_image, D); the patches of one image follow each other.
    """
    count, _, height, width = images.shape
    y = rng.integers(0, height - patch_size + 1, size=(count, per_image))
    x = rng.integers(0, width - patch_size + 1, size=(count, per_image))
    windows = images.unfold(2, patch_size, 1).unfold(3, patch_size, 1)  # a view: (N, C, y, x, p, p)
    rows = np.arange(count)[:, None]
    return windows[rows, :, y, x].reshape(count * per_image, -1)


def grid_patches(images: torch.Tensor, patch_size: int, stride: int) -> torch.Tensor:
    """Cut the patches on a grid of step `stride` from images (N, C, H, W).

    Returns (N, h, w, D) of the same dtype, where h = (H - patch_size) // stride + 1 and likewise w.
    """
    windows = images.unfold(2, patch_size, stride).unfold(3, patch_size, stride)
    return windows.permute(0, 2, 3, 1, 4, 5).flatten(3)


def normalize_patches(patches: torch.Tensor, contrast_constant: float) -> torch.Tensor:
    """Take brightness and contrast out of each patch: (x - mean) / sqrt(variance + constant).

    patches: (n, D), pixels 0..255, any dtype. The variance divides by D - 1. Returns float32 (n, D).
    """
    patches = patches.float()
    centered = patches - patches.mean(dim=1, keepdim=True)
    variance = centered.square().sum(dim=1, keepdim=True) / (patches.shape[1] - 1)
    return centered / torch.sqrt(variance + contrast_constant)
