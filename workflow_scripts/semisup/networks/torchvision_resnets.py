"""Residual networks of torchvision, from random weights: He et al. 2016, Zagoruyko and Komodakis 2016."""

from collections import OrderedDict
from collections.abc import Callable

from torch import nn

from semisup.network import Network, Shape
from semisup.network_layers import average_head
from semisup.networks import network
from semisup.torchvision_models import models

LARGE_IMAGE = 64  # pixels from which on the stem is torchvision's


@network(smallest=8, resizable=8)
def resnet18(shape: Shape) -> Network:
    """ResNet-18 of torchvision; 11 million weights."""
    return _stages(shape, models.resnet18)


@network(smallest=8, resizable=8)
def resnet50(shape: Shape) -> Network:
    """ResNet-50 of torchvision; 24 million weights."""
    return _stages(shape, models.resnet50)


@network(smallest=8, resizable=8)
def wide_resnet50_2(shape: Shape) -> Network:
    """Wide ResNet-50-2 of torchvision, with twice the channels inside its blocks; 67 million weights."""
    return _stages(shape, models.wide_resnet50_2)


def _stages(shape: Shape, build: Callable[..., models.ResNet]) -> Network:
    """Take the four stages of a network of torchvision, behind a stem for images of this shape."""
    made = build()
    width = made.conv1.out_channels
    if shape.size >= LARGE_IMAGE:
        first, pool = nn.Conv2d(shape.channels, width, 7, stride=2, padding=3, bias=False), [made.maxpool]
    else:  # as is usual for CIFAR: the first stage sees every pixel
        first, pool = nn.Conv2d(shape.channels, width, 3, padding=1, bias=False), []
    layers = OrderedDict(
        stem=nn.Sequential(first, made.bn1, *pool, made.relu),
        stage1=made.layer1,
        stage2=made.layer2,
        stage3=made.layer3,
        stage4=made.layer4,
    )
    return Network(shape, layers, average_head(made.fc.in_features, shape.classes, shape.dropout))
