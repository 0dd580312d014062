"""Images of which no two are alike, and near copies of them."""

import numpy as np


def noise(count, seed=0, channels=3, size=32):
    """Images of coarse noise, uint8 (count, channels, size, size): no two of them are near copies."""
    coarse = np.random.default_rng(seed).integers(30, 220, (count, channels, size // 4, size // 4))
    return coarse.repeat(4, axis=2).repeat(4, axis=3).astype(np.uint8)


def changed(images, seed=1):
    """Near copies: brighter, with less contrast, under a little noise."""
    grain = np.random.default_rng(seed).normal(0, 4, images.shape)
    return (20 + 0.8 * images + grain).clip(0, 255).astype(np.uint8)
