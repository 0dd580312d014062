"""The small network of the source's homework."""

from collections import OrderedDict

from torch import nn

from semisup.network import Network, Shape
from semisup.network_layers import convolution
from semisup.networks import network


@network(smallest=8)
def digits(shape: Shape) -> Network:
    """For small images: 32c5-64c3-128c2 with batch normalisation, each pooled by 2."""
    layers = OrderedDict(
        conv1=convolution(shape.channels, 32, size=5, pool=2),
        conv2=convolution(32, 64, pool=2),
        conv3=convolution(64, 128, size=2, pool=2),
    )
    side = (shape.size // 2 // 2 + 1) // 2  # the convolution of 2 pixels, padded by 1, gives one pixel more
    head = nn.Sequential(nn.Flatten(), nn.Dropout(shape.dropout), nn.Linear(128 * side**2, shape.classes))
    return Network(shape, layers, head)
