"""The networks of the study. Each is a chain of named layers, so that the features of every layer can be looked at.

resnet          a stem, then three stages of 128, 256 and 512 channels, the first two with a residual block, in
                the manner of He et al. 2016; batch normalisation after every convolution; about 3 million weights
vgg             the course's network: blocks of 64, 128, 2 x 256 and 3 x 256 channels, pooled by 4, 3, 2 and 2, and a
                hidden layer of 256; about 3 million weights
digits          the homework's: three convolutions of 5, 3 and 2 pixels with 32, 64 and 128 channels, pooled by 2 each
exemplar_small  64c5-64c5-128f of Dosovitskiy et al. 2014; its fully connected layer takes a patch of `field` pixels,
                and slides over larger images as a convolution
exemplar_large  64c5-128c5-256c5-512f, likewise

Max-pooling stands before the rectifier: they commute, and there is less to rectify.
"""

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

EXEMPLAR_CHANNELS = {"exemplar_small": (64, 64, 128), "exemplar_large": (64, 128, 256, 512)}
NETWORKS = ("resnet", "vgg", "digits", *EXEMPLAR_CHANNELS)
POOLED_LAYERS = 2  # of an exemplar network: the first two halve the image
# Side in pixels of the smallest images that its layers leave anything of; for exemplar networks it is the field.
SMALLEST_SIZES = {"resnet": 8, "vgg": 48, "digits": 8}
LARGE_IMAGE = 48  # pixels from which on the stem of the resnet halves the image twice
BLOCK = 512  # images whose squares are summed at once
SCORING_BATCH = 256  # images


class Shape(NamedTuple):
    """All that decides a network's layers.

    network: its name; channels, size: of the images, size being the side in pixels; field: side in pixels of the patch
    that the fully connected layer of an exemplar network sees (the others ignore it).
    """

    network: str
    channels: int
    size: int
    classes: int
    dropout: float
    field: int = 32


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
    smallest = SMALLEST_SIZES.get(shape.network, shape.field)
    if shape.size < smallest:
        raise UserError(
            f"images of {shape.size} pixels are too small for the network {shape.network}, which needs {smallest}: "
            "choose the network resnet"
        )
    torch.manual_seed(seed)
    build = {"resnet": _resnet, "vgg": _vgg, "digits": _digits}.get(shape.network, _exemplar)
    network = build(shape)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    # No rectifier follows the last layer, and small scores make a calm start.
    last = network.head[-1]
    nn.init.normal_(last.weight, std=0.1 * last.in_features**-0.5)
    return network.to(memory_format=torch.channels_last)


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
    convolution = next(name for name, module in network.named_modules() if isinstance(module, nn.Conv2d))
    return {
        "layers": layers,
        "weights": sum(parameter.numel() for parameter in network.parameters()),
        "filters": f"{convolution}.weight",
    }


def write_network(group: h5py.Group, network: Network) -> None:
    """Write shape and facts as attributes, and each parameter and buffer as a data set; the network is on the CPU."""
    for name, value in network.shape._asdict().items():
        group.attrs[name] = value
    group.attrs["facts"] = json.dumps(network_facts(network))
    for name, value in network.state_dict().items():
        group.create_dataset(name, data=value.contiguous().numpy())


def read_network(group: h5py.Group) -> Network:
    """Read what `write_network` wrote, onto the CPU."""
    values = {name: group.attrs[name] for name in Shape._fields}
    shape = Shape(**{name: value.item() if hasattr(value, "item") else value for name, value in values.items()})
    network = new_network(shape, seed=0)
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


def to_pixels(images: torch.Tensor) -> torch.Tensor:
    """Return uint8 images (N, C, H, W) as float32 in 0..1."""
    return images.float().div_(255)


def _convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1, pool: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, max-pooling, rectifier."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if pool > 1:
        layers.append(nn.MaxPool2d(pool))
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


class _Residual(nn.Module):
    """x + F(x), with two convolutions in F."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(_convolution(channels, channels), _convolution(channels, channels))

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return value + self.inner(value)


def _resnet(shape: Shape) -> Network:
    large = shape.size >= LARGE_IMAGE
    stem = _convolution(shape.channels, 64, size=5, stride=2, pool=2) if large else _convolution(shape.channels, 64)
    layers = OrderedDict(
        stem=stem,
        stage1=nn.Sequential(_convolution(64, 128, pool=2), _Residual(128)),
        stage2=nn.Sequential(_convolution(128, 256, pool=2), _Residual(256)),
        stage3=_convolution(256, 512),
    )
    head = nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(shape.dropout), nn.Linear(512, shape.classes)
    )
    return Network(shape, layers, head)


def _vgg(shape: Shape) -> Network:
    layers = OrderedDict(
        block1=_convolution(shape.channels, 64, pool=4),
        block2=_convolution(64, 128, pool=3),
        block3=nn.Sequential(_convolution(128, 256), _convolution(256, 256, pool=2)),
        block4=nn.Sequential(_convolution(256, 256), _convolution(256, 256), _convolution(256, 256, pool=2)),
    )
    side = shape.size // 4 // 3 // 2 // 2
    head = nn.Sequential(
        nn.Flatten(),
        nn.Dropout(shape.dropout),
        nn.Linear(256 * side**2, 256),
        nn.BatchNorm1d(256),
        nn.ReLU(inplace=True),
        nn.Dropout(shape.dropout),
        nn.Linear(256, shape.classes),
    )
    return Network(shape, layers, head)


def _digits(shape: Shape) -> Network:
    layers = OrderedDict(
        conv1=_convolution(shape.channels, 32, size=5, pool=2),
        conv2=_convolution(32, 64, pool=2),
        conv3=_convolution(64, 128, size=2, pool=2),
    )
    side = (shape.size // 2 // 2 + 1) // 2  # the convolution of 2 pixels, padded by 1, gives one pixel more
    head = nn.Sequential(nn.Flatten(), nn.Dropout(shape.dropout), nn.Linear(128 * side**2, shape.classes))
    return Network(shape, layers, head)


def _exemplar(shape: Shape) -> Network:
    *convolutions, hidden = EXEMPLAR_CHANNELS[shape.network]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    inputs = shape.channels
    for number, outputs in enumerate(convolutions, start=1):
        pool = [nn.MaxPool2d(2)] if number <= POOLED_LAYERS else []
        layers[f"conv{number}"] = nn.Sequential(nn.Conv2d(inputs, outputs, 5, padding=2), *pool, nn.ReLU(inplace=True))
        inputs = outputs
    layers["full"] = nn.Sequential(nn.Conv2d(inputs, hidden, shape.field // 2**POOLED_LAYERS), nn.ReLU(inplace=True))
    # A map of a larger image is pooled over quadrants, as the features of a probe are. After training on patches its
    # maxima are large, and would blow up the first steps of fine-tuning if they were not normalised.
    side = 1 if shape.size == shape.field else 2
    width = hidden * side**2
    head = nn.Sequential(
        nn.AdaptiveMaxPool2d(side),
        nn.Flatten(),
        nn.BatchNorm1d(width) if side > 1 else nn.Identity(),
        nn.Dropout(shape.dropout),
        nn.Linear(width, shape.classes),
    )
    return Network(shape, layers, head)
