"""Layers that several networks are made of."""

from torch import nn


def convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1, pool: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, max-pooling, rectifier.

    Max-pooling stands before the rectifier: they commute, and there is less to rectify.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if pool > 1:
        layers.append(nn.MaxPool2d(pool))
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


def average_head(channels: int, classes: int, dropout: float) -> nn.Sequential:
    """Average of each channel over the image, dropout, linear layer."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, classes))
