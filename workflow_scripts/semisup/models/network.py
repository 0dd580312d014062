"""A finished network as one file: all that is needed to score an image, nothing about the data it was trained on."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from semisup.hdf5 import new_hdf5, open_hdf5, read_record, write_record
from semisup.network import Network, network_scores, read_network, write_network
from semisup.scaling import scale_images


class NetworkModel(NamedTuple):
    """A classifier of images."""

    network: Network
    average_flips: bool
    precision: str
    class_names: list[str]


def write_model(path: str | Path, model: NetworkModel, made_by: str) -> None:
    """Write the model to an HDF5 file; made_by: what `computed_on` says of its training."""
    with new_hdf5(path) as file:
        file.attrs["kind"] = "network"
        file.attrs["computed_on"] = made_by
        write_record(file, model, {Network: write_network})


def read_model(path: str | Path) -> NetworkModel:
    """Read a model onto the CPU. Raises UserError if the file is not one."""
    with open_hdf5(path) as file:
        return read_record(file, NetworkModel, {Network: read_network})


def image_channels(model: NetworkModel) -> int:
    """Return the number of channels of the images that the model takes."""
    return model.network.shape.channels


def image_scores(blocks: Iterator[np.ndarray], model: NetworkModel, device: torch.device) -> Iterator[np.ndarray]:
    """Yield float32 (n, classes) scores for blocks of uint8 images (n, C, H, W), scaled to the model's size."""
    network = model.network.to(device)
    for block in blocks:
        images = scale_images(torch.from_numpy(block), network.shape.size)
        yield network_scores(network, images, model.precision, model.average_flips, device)
