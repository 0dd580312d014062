"""What the programs of the small experiments and the report that tells of them share: sizes, grids, names in tables.

It imports nothing heavy, so that the report can name an experiment's settings without what runs it.
"""

from typing import NamedTuple

DIGITS = 1797  # scikit-learn's images of digits

DESCENT, CLASSICAL, NESTEROV = "gradient descent", "classical momentum", "Nesterov momentum"
WITHOUT, WITH = "no", "yes"  # dropout
GAUSSIAN, STUDENT = "Gaussian", "Student-t"  # kernels of the maps


class Momentum(NamedTuple):
    """Of compare_momentum.py.

    condition: of the quadratics, largest eigenvalue over the smallest; images: that the network is trained on; sizes:
    of its layers, pixels first; rates: the grid.
    """

    condition: float = 1000.0
    images: int = 300
    sizes: tuple[int, ...] = (64, 32, 32, 10)
    rates: tuple[float, ...] = (0.4, 0.8, 1.6, 3.2, 6.4, 12.8)


class Dropout(NamedTuple):
    """Of compare_dropout.py.

    images: to train on; choice_images: to choose the rate on; width: units of each hidden layer; pixels, units: which
    part of them is dropped; rates: the grid.
    """

    images: int = 100
    choice_images: int = 400
    width: int = 256
    pixels: float = 0.2
    units: float = 0.5
    rates: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1)


class Initialization(NamedTuple):
    """Of compare_initialization.py. width: units of each layer."""

    images: int = 200
    width: int = 256


class Crowding(NamedTuple):
    """Of compare_crowding.py.

    images: of one map; steps, momentum: of the descent; rates: the grid; neighbors: how many of an image's nearest
    count as near; perplexity: of the affinities.
    """

    images: int = 300
    steps: int = 500
    momentum: float = 0.8
    rates: tuple[float, ...] = (10.0, 30.0, 100.0, 300.0, 900.0)
    neighbors: int = 10
    perplexity: float = 20.0


MOMENTUM, DROPOUT, INITIALIZATION, CROWDING = Momentum(), Dropout(), Initialization(), Crowding()
