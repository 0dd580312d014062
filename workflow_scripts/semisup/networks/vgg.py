"""The network that the course of the source gave out, in the manner of Simonyan and Zisserman 2015."""

from collections import OrderedDict

from torch import nn

from semisup.network import Network, Shape
from semisup.network_layers import convolution
from semisup.networks import network


@network(smallest=48)
def vgg(shape: Shape) -> Network:
    """VGG of the course: blocks of 64, 128, 2 x 256, 3 x 256 channels, hidden layer of 256; 3 million weights."""
    layers = OrderedDict(
        block1=convolution(shape.channels, 64, pool=4),
        block2=convolution(64, 128, pool=3),
        block3=nn.Sequential(convolution(128, 256), convolution(256, 256, pool=2)),
        block4=nn.Sequential(convolution(256, 256), convolution(256, 256), convolution(256, 256, pool=2)),
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
