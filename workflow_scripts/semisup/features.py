"""K-means features of an image: triangle activation of its patches, summed over the four quadrants.

Source: Coates, Lee and Ng 2011, section 3.2: f_k(x) = max(0, mean(z) - z_k), z_k = |x - c_k|.
"""

from collections.abc import Iterator

import numpy as np
import torch

from semisup.dictionary import Dictionary
from semisup.patches import grid_patches, normalize_patches
from semisup.scaling import scale_images

# Patches in work at once; on a CPU rows x K distances stay in the cache.
ROWS = {"cpu": 1536, "cuda": 4096, "mps": 4096}


def on_device(dictionary: Dictionary[np.ndarray], device: torch.device) -> Dictionary[torch.Tensor]:
    """Return the dictionary with tensors on `device` in place of its arrays."""
    arrays = {name: getattr(dictionary, name) for name in ("mean", "whitening", "centroids")}
    return dictionary._replace(**{name: torch.from_numpy(array).to(device) for name, array in arrays.items()})


def triangle(patches: torch.Tensor, dictionary: Dictionary[torch.Tensor]) -> torch.Tensor:
    """Return float32 (n, K) activations of patches (n, D), pixels 0..255."""
    normalized = normalize_patches(patches.float(), dictionary.contrast_constant)
    whitened = (normalized - dictionary.mean) @ dictionary.whitening
    # |x|^2 - 2 x.c + |c|^2, in place: the distances are by far the largest array here.
    squared = torch.addmm(dictionary.centroids.square().sum(dim=1), whitened, -2 * dictionary.centroids.T)
    distances = squared.add_(whitened.square().sum(dim=1, keepdim=True)).clamp_min_(0).sqrt_()
    return torch.sub(distances.mean(dim=1, keepdim=True), distances, out=distances).clamp_min_(0)


def quadrant_sums(activations: torch.Tensor) -> torch.Tensor:
    """Sum activations (N, h, w, K) over the four quadrants; the middle row and column go to the first half.

    Returns (N, 4 K): upper left, upper right, lower left, lower right. A product with 0/1 weights is three times as
    fast as sums over slices.
    """
    count, h, w, k = activations.shape
    lower = (torch.arange(h, device=activations.device) >= (h + 1) // 2)[:, None]
    right = (torch.arange(w, device=activations.device) >= (w + 1) // 2)[None, :]
    quadrants = torch.stack([~lower & ~right, ~lower & right, lower & ~right, lower & right])
    return (quadrants.view(4, h * w).to(activations) @ activations.view(count, h * w, k)).view(count, 4 * k)


def image_features(images: torch.Tensor, dictionary: Dictionary[torch.Tensor], stride: int) -> torch.Tensor:
    """Return float32 (N, 4 K) features of uint8 images (N, C, H, W), all on the dictionary's device."""
    patches = grid_patches(scale_images(images, dictionary.image_size).float(), dictionary.patch_size, stride)
    count, h, w, size = patches.shape
    return quadrant_sums(triangle(patches.reshape(-1, size), dictionary).view(count, h, w, -1))


def feature_blocks(
    blocks: Iterator[np.ndarray], dictionary: Dictionary[torch.Tensor], stride: int
) -> Iterator[np.ndarray]:
    """Yield float32 (n, 4 K) features for blocks of uint8 images (n, C, H, W), in pieces of bounded memory."""
    device = dictionary.centroids.device
    positions = ((dictionary.image_size - dictionary.patch_size) // stride + 1) ** 2
    piece = max(1, ROWS[device.type] // positions)
    for images in blocks:
        pieces = torch.from_numpy(images).to(device).split(piece)
        yield torch.cat([image_features(part, dictionary, stride) for part in pieces]).cpu().numpy()
