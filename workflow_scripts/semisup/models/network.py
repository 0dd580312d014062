"""A finished network as one file: all that is needed to score an image, nothing about the data it was trained on."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from semisup.model_format import About, read_model_file, write_model_file
from semisup.network import Network, network_scores, read_network, write_network
from semisup.scaling import scale_images


class NetworkModel(NamedTuple):
    """A classifier of images."""

    network: Network
    average_flips: bool
    precision: str
    class_names: list[str]


def write_model(path: str | Path, model: NetworkModel, about: About, made_by: str) -> None:
    """Write the model to an HDF5 file; made_by: what `computed_on` says of its training."""
    write_model_file(path, "network", model, about, {Network: write_network}, {"computed_on": made_by})


def read_model(path: str | Path) -> NetworkModel:
    """Read a model onto the CPU. Raises UserError if the file is not one."""
    return read_model_file(path, NetworkModel, {Network: read_network})


def description(model: NetworkModel) -> str:
    """Say in a few words what the model is."""
    return f"network ({model.network.shape.network})"


def image_shape(model: NetworkModel) -> tuple[int, int]:
    """Return the channels of the images that the model takes, and the side that it scales them to."""
    return model.network.shape.channels, model.network.shape.size


def image_scores(blocks: Iterator[np.ndarray], model: NetworkModel, device: torch.device) -> Iterator[np.ndarray]:
    """Yield float32 (n, classes) scores for blocks of uint8 images (n, C, H, W), scaled to the model's size."""
    network = model.network.to(device)
    for block in blocks:
        images = scale_images(torch.from_numpy(block), network.shape.size)
        yield network_scores(network, images, model.precision, model.average_flips, device)
