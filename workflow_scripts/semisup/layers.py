"""The features of a network's layers: the largest activation of each channel in each quadrant of the image.

Source: Dosovitskiy, Springenberg, Riedmiller and Brox 2014, section 4: max-pooled quadrants of all layers but the
softmax, each layer divided by a high percentile of its values, then a linear support vector machine.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from semisup.constants import PERCENTILE
from semisup.device import fast_products
from semisup.hdf5 import finite, open_hdf5
from semisup.network import Network
from semisup.scaling import to_pixels

LayerFeatures = dict[str, np.ndarray]  # name of a layer -> float32 (N, 4 C)


def quadrant_max(activations: torch.Tensor) -> torch.Tensor:
    """Return float32 (N, 4 C): the largest of activations (N, C, h, w) in each quadrant.

    A middle row or column belongs to both halves.
    """
    return functional.adaptive_max_pool2d(activations.float(), 2).flatten(1)


def layer_features(blocks: Iterator[np.ndarray], network: Network, precision: str) -> Iterator[LayerFeatures]:
    """Yield the features of every layer for blocks of uint8 images (n, C, H, W), computed on the network's device."""
    network.eval()
    device = network.mean.device
    for block in blocks:
        pixels = to_pixels(torch.from_numpy(block).to(device)).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), fast_products(device, precision):
            features = {name: quadrant_max(value).cpu().numpy() for name, value in network.activations(pixels)}
        yield features


def read_layers(path: str | Path, split: str) -> LayerFeatures:
    """Return the features of a split, layer by layer in the order of the network, from a file of layers.

    Raises UserError if one is not finite.
    """
    with open_hdf5(path) as file:
        return {name: finite(file[f"{name}/{split}"][:], path, f"features of {name}") for name in file.attrs["layers"]}


def layer_scales(features: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return float32 (F,): for each of the layers' features, side by side, its layer's percentile."""
    return np.concatenate(
        [
            np.full(values.shape[1], float(np.percentile(values, PERCENTILE)) or 1.0)  # 1: a layer that is silent
            for values in features.values()
        ]
    ).astype(np.float32)


def side_by_side(features: Mapping[str, np.ndarray], scale: np.ndarray) -> np.ndarray:
    """Return float32 (N, F): the features of all layers, scaled."""
    return np.concatenate(list(features.values()), axis=1) / scale
