"""Images scaled to another size."""

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


def to_pixels(images: torch.Tensor) -> torch.Tensor:
    """Return uint8 images (N, C, H, W) as float32 in 0..1."""
    return images.float().div_(255)
