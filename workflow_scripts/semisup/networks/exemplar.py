"""The networks of Dosovitskiy et al. 2014, which learn surrogate classes of patches."""

from collections import OrderedDict

from torch import nn

from semisup.network import Network, Shape
from semisup.networks import network

POOLED_LAYERS = 2  # the first two halve the image


@network(smallest=32, of_patches=True, resizable=32)
def exemplar_small(shape: Shape) -> Network:
    """64c5-64c5-128f of Exemplar-CNN."""
    return _exemplar(shape, (64, 64), 128)


@network(smallest=32, of_patches=True, resizable=32)
def exemplar_large(shape: Shape) -> Network:
    """64c5-128c5-256c5-512f of Exemplar-CNN."""
    return _exemplar(shape, (64, 128, 256), 512)


def _exemplar(shape: Shape, convolutions: tuple[int, ...], hidden: int) -> Network:
    """Convolutions of 5 x 5 pixels with so many channels, then a fully connected layer that sees a patch."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    inputs = shape.channels
    for number, outputs in enumerate(convolutions, start=1):
        # Before the rectifier: they commute, and there is less to rectify.
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
