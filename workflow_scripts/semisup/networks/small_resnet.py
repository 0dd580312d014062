"""A small residual network, in the manner of He et al. 2016."""

from collections import OrderedDict

import torch
from torch import nn

from semisup.network import Network, Shape
from semisup.network_layers import average_head, convolution
from semisup.networks import network

LARGE_IMAGE = 48  # pixels from which on the stem halves the image twice


class Residual(nn.Module):
    """x + F(x), with two convolutions in F."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(convolution(channels, channels), convolution(channels, channels))

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        """Return float (N, C, H, W) for float (N, C, H, W)."""
        return value + self.inner(value)


@network(smallest=8, resizable=16)
def resnet(shape: Shape) -> Network:
    """Small residual network: three stages of 128, 256 and 512 channels; 3 million weights."""
    large = shape.size >= LARGE_IMAGE
    stem = convolution(shape.channels, 64, size=5, stride=2, pool=2) if large else convolution(shape.channels, 64)
    layers = OrderedDict(
        stem=stem,
        stage1=nn.Sequential(convolution(64, 128, pool=2), Residual(128)),
        stage2=nn.Sequential(convolution(128, 256, pool=2), Residual(256)),
        stage3=convolution(256, 512),
    )
    return Network(shape, layers, average_head(512, shape.classes, shape.dropout))
