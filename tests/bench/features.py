"""K-means features beside the formula of Coates, Lee and Ng (2011) written down in plain PyTorch."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from bench.pictures import CONTRAST, picture_patches, whitened_patches
from bench.rows import CPU, Row, best, scaled
from semisup.dictionary import Dictionary
from semisup.features import feature_blocks, on_device

CENTROIDS = 1600
EPSILON = 0.1
PATCHES = 4000  # that the whitening is fitted to, and whose first ones are the centroids
BATCH = {"cpu": 16, "cuda": 256}  # images that the plain version takes at once


class Size(NamedTuple):
    """Images of a side in pixels, from pictures made smaller by a factor; patches of a side on a grid of a stride."""

    images: int
    side: int
    shrink: int
    patch: int
    stride: int


SIZES = (Size(500, 32, 3, 6, 1), Size(100, 96, 1, 22, 8), Size(500, 96, 1, 22, 24))


def features_rows(part: float, device: torch.device = CPU) -> Iterator[Row]:
    """Time the features of images at each size, the plain version first. Images come from the CPU and go back there."""
    for size in SIZES:
        count = scaled(size.images, part)
        images = picture_patches(size.side, size.shrink, count)
        dictionary = new_dictionary(size, device)
        positions = ((size.side - size.patch) // size.stride + 1) ** 2
        values = 3 * size.patch**2
        flop = 2.0 * count * positions * values * (values + CENTROIDS)

        def plain(images=images, dictionary=dictionary, stride=size.stride) -> np.ndarray:
            blocks = torch.from_numpy(images).to(device).split(BATCH[device.type])
            return torch.cat([plain_features(block, dictionary, stride) for block in blocks]).cpu().numpy()

        def ours(images=images, dictionary=dictionary, stride=size.stride) -> np.ndarray:
            return np.concatenate(list(feature_blocks(iter([images]), dictionary, stride)))

        expected = plain()
        said = f"largest difference {np.abs(ours() - expected).max():.2g} of {expected.max():.4g}"
        work = (
            f"features of {count:,} images of {size.side} px, patches of {size.patch} px, stride {size.stride}, "
            f"K = {CENTROIDS:,}"
        )
        for who, make, quality in (("plain PyTorch", plain, ""), ("this project", ours, said)):
            seconds = best(make)
            speed = f"{flop / seconds / 1e9:.1f} GFLOP/s"
            yield Row(work, who, seconds, f"{speed}, {quality}" if quality else speed, flop)


def new_dictionary(size: Size, device: torch.device = CPU) -> Dictionary[torch.Tensor]:
    """Return a dictionary whose centroids are whitened patches."""
    points, mean, whitening = whitened_patches(size.patch, size.shrink, PATCHES, EPSILON)
    dictionary = Dictionary(size.side, size.patch, CONTRAST, EPSILON, mean, whitening, points[:CENTROIDS])
    return on_device(dictionary, device)


def plain_features(images: torch.Tensor, dictionary: Dictionary[torch.Tensor], stride: int) -> torch.Tensor:
    """Return float32 (N, 4 K) of uint8 images (N, C, H, W): max(0, mean(z) - z_k), z_k = |x - c_k|, in quadrants."""
    side = (images.shape[2] - dictionary.patch_size) // stride + 1
    patches = torch.nn.functional.unfold(images.float(), dictionary.patch_size, stride=stride).transpose(1, 2)
    variance, mean = torch.var_mean(patches, dim=2, keepdim=True)
    normalized = (patches - mean) / torch.sqrt(variance + dictionary.contrast_constant)
    whitened = (normalized - dictionary.mean) @ dictionary.whitening
    z = torch.cdist(whitened.flatten(0, 1), dictionary.centroids)
    activations = (z.mean(dim=1, keepdim=True) - z).clamp(min=0).view(len(images), side, side, -1)
    half = (side + 1) // 2
    halves = (slice(half), slice(half, None))
    return torch.cat([activations[:, y, x].sum(dim=(1, 2)) for y in halves for x in halves], dim=1)
