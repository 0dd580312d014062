"""A network of the study: a chain of named layers, so that the features of every layer can be looked at."""

import json
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, NamedTuple

import h5py
import numpy as np
import torch
from torch import nn

from semisup.cli import UserError
from semisup.device import fast_products
from semisup.hdf5 import read_record, write_record
from semisup.networks import declared_networks, network_builder
from semisup.scaling import to_pixels

BLOCK = 512  # images whose squares are summed at once
SCORING_BATCH = 256  # images


class Shape(NamedTuple):
    """All that decides a network's layers.

    network: its name; channels, size: of the images, size being the side in pixels; field: side in pixels of the patch
    that the fully connected layer of a network of patches sees (the others ignore it); first_layer: "trained", or
    "centroids", which stay as they are (see semisup.first_layer).
    """

    network: str
    channels: int
    size: int
    classes: int
    dropout: float
    field: int = 32
    first_layer: str = "trained"


class Network(nn.Module):
    """A chain of named layers, and a head that makes scores.

    Buffers mean and std, float32 (1, C, 1, 1): of the training images' pixels in 0..1.
    """

    def __init__(self, shape: Shape, layers: OrderedDict[str, nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.shape = shape
        self.layers = nn.Sequential(layers)
        self.head = head
        self.register_buffer("mean", torch.zeros(1, shape.channels, 1, 1))
        self.register_buffer("std", torch.ones(1, shape.channels, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return scores (N, classes) of images, float (N, C, H, W) in 0..1."""
        return self.head(self.layers((images - self.mean) / self.std))

    def activations(self, images: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield name and output (N, c, h, w) of each layer in turn, for images, float (N, C, H, W) in 0..1."""
        value = (images - self.mean) / self.std
        for name, layer in self.layers.named_children():
            value = layer(value)
            yield name, value


def new_network(shape: Shape, seed: int) -> Network:
    """Return a network with random weights that the seed decides: He initialisation (He et al. 2015), biases zero.

    Raises UserError if the images are too small for its layers.
    """
    declared = declared_networks()[shape.network]
    smallest = shape.field if declared.of_patches else declared.smallest
    if shape.size < smallest:
        raise UserError(
            f"images of {shape.size} pixels are too small for the network {shape.network}, which needs {smallest}: "
            "raise image_size, or choose another network"
        )
    torch.manual_seed(seed)
    network = network_builder(shape.network)(shape)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    # No rectifier follows the last layer, and small scores make a calm start.
    last = network.head[-1]
    nn.init.normal_(last.weight, std=0.1 * last.in_features**-0.5)
    first_convolution(network).weight.requires_grad_(shape.first_layer == "trained")
    return network.to(memory_format=torch.channels_last)


def first_convolution(network: Network) -> nn.Conv2d:
    """Return the convolution that sees the pixels."""
    return next(module for module in network.modules() if isinstance(module, nn.Conv2d))


def set_normalization(network: Network, images: np.ndarray) -> None:
    """Set the network's mean and std to those of the channels of uint8 images (N, C, H, W)."""
    blocks = [images[start : start + BLOCK] for start in range(0, len(images), BLOCK)]
    # Sums of whole numbers are exact, in any order and without a float copy of the images.
    total = sum(block.sum(axis=(0, 2, 3), dtype=np.int64) for block in blocks)
    squares = sum(np.square(block, dtype=np.uint16).sum(axis=(0, 2, 3), dtype=np.int64) for block in blocks)
    mean = total / (images.size / images.shape[1])
    variance = squares / (images.size / images.shape[1]) - mean**2
    network.mean.copy_(torch.from_numpy(mean / 255).view(1, -1, 1, 1))
    network.std.copy_(torch.from_numpy(np.sqrt(np.maximum(variance, 1)) / 255).view(1, -1, 1, 1))


def take_layers(network: Network, source: Network) -> None:
    """Copy the layers and the normalisation of `source`, whose head may differ.

    Raises RuntimeError if the layers are not alike.
    """
    network.layers.load_state_dict(source.layers.state_dict())
    network.mean.copy_(source.mean)
    network.std.copy_(source.std)


def network_facts(network: Network) -> dict[str, Any]:
    """Return what a text says of a network on the CPU.

    layers: name, channels and side of the maps of each layer; weights: their number; filters: the name of the first
    convolution's weights.
    """
    shape, training = network.shape, network.training
    with torch.inference_mode():
        activations = network.eval().activations(torch.zeros(1, shape.channels, shape.size, shape.size))
        layers = [(name, value.shape[1], value.shape[3]) for name, value in activations]
    network.train(training)
    first = first_convolution(network)
    convolution = next(name for name, module in network.named_modules() if module is first)
    return {
        "layers": layers,
        "weights": sum(parameter.numel() for parameter in network.parameters()),
        "filters": f"{convolution}.weight",
    }


def write_network(group: h5py.Group, network: Network) -> None:
    """Write shape and facts as attributes, and each parameter and buffer as a data set; the network is on the CPU."""
    write_record(group, network.shape)
    group.attrs["facts"] = json.dumps(network_facts(network))
    for name, value in network.state_dict().items():
        group.create_dataset(name, data=value.contiguous().numpy())


def read_network(group: h5py.Group) -> Network:
    """Read what `write_network` wrote, onto the CPU."""
    network = new_network(read_record(group, Shape), seed=0)
    network.load_state_dict({name: torch.from_numpy(np.asarray(group[name][()])) for name in network.state_dict()})
    return network


def require_channels(network: Network, channels: int, network_file: str, images: str) -> None:
    """Raise UserError if the network was not made for images of so many channels."""
    if network.shape.channels != channels:
        raise UserError(
            f"{network_file} takes images of {network.shape.channels} channels, and {images} holds {channels}: "
            "give a network that was trained on this data set"
        )


def network_scores(
    network: Network, images: torch.Tensor, precision: str, average_flips: bool, device: torch.device
) -> np.ndarray:
    """Return float32 (N, classes) scores of uint8 images (N, C, H, W).

    average_flips: the mean of the scores of each image and of its mirror image.
    """
    network.eval()
    scores = []
    with torch.inference_mode(), fast_products(device, precision):
        for block in images.split(SCORING_BATCH):
            pixels = to_pixels(block.to(device)).contiguous(memory_format=torch.channels_last)
            block_scores = network(pixels).float()
            if average_flips:
                block_scores = (block_scores + network(pixels.flip(3)).float()) / 2
            scores.append(block_scores.cpu())
    return torch.cat(scores).numpy()
