"""A network's layers and the support vector machine on their features, as one file."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from semisup.layers import layer_features, side_by_side
from semisup.model_format import About, read_model_file, write_model_file
from semisup.network import Network, read_network, write_network
from semisup.scaling import scale_images
from semisup.svm import LinearModel, svm_scores


class ProbeModel(NamedTuple):
    """A classifier of images.

    image_size: side in pixels of the images it was trained on (its network was trained on smaller patches)
    scale: float32 (F,), what the features of all layers, side by side, are divided by
    """

    network: Network
    image_size: int
    precision: str
    scale: np.ndarray
    svm: LinearModel
    class_names: list[str]


def write_model(path: str | Path, model: ProbeModel, about: About) -> None:
    """Write the model to an HDF5 file."""
    write_model_file(path, "probe", model, about, {Network: write_network})


def read_model(path: str | Path) -> ProbeModel:
    """Read a model onto the CPU. Raises UserError if the file is not one."""
    return read_model_file(path, ProbeModel, {Network: read_network})


def description(model: ProbeModel) -> str:
    """Say in a few words what the model is."""
    return f"support vector machine on the layers of a network ({model.network.shape.network})"


def image_shape(model: ProbeModel) -> tuple[int, int]:
    """Return the channels of the images that the model takes, and the side that it scales them to."""
    return model.network.shape.channels, model.image_size


def image_scores(blocks: Iterator[np.ndarray], model: ProbeModel, device: torch.device) -> Iterator[np.ndarray]:
    """Yield float32 (n, classes) scores for blocks of uint8 images (n, C, H, W), scaled to the model's size."""
    scaled = (scale_images(torch.from_numpy(block), model.image_size).numpy() for block in blocks)
    for features in layer_features(scaled, model.network.to(device), model.precision):
        yield svm_scores(side_by_side(features, model.scale), model.svm)
