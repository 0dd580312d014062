"""Gradient descent with momentum, in the form of Sutskever et al. 2013 ("On the importance of initialization ...").

Points and velocities are arrays of one shape, of NumPy or of PyTorch, any float dtype; a gradient function maps a point
to its gradient there.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

Array = Any  # np.ndarray or torch.Tensor; the steps below are arithmetic, and need neither of the two imports
Gradient = Callable[[Array], Array]


class State(NamedTuple):
    """Where the descent is, and the step that it made last (zeros at the start)."""

    parameters: Array
    velocity: Array


def classical_momentum_step(
    parameters: Array, velocity: Array, gradient: Gradient, rate: float, momentum: float
) -> State:
    """Return the state after one step of classical momentum (Polyak 1964; Sutskever et al. 2013, equations 1 and 2)."""
    velocity = momentum * velocity - rate * gradient(parameters)
    return State(parameters + velocity, velocity)


def nesterov_step(parameters: Array, velocity: Array, gradient: Gradient, rate: float, momentum: float) -> State:
    """Return the state after one step of Nesterov's accelerated gradient (Sutskever et al. 2013, equations 3 and 4).

    The gradient is that of the point where the momentum alone would lead.
    """
    velocity = momentum * velocity - rate * gradient(look_ahead(parameters, velocity, momentum))
    return State(parameters + velocity, velocity)


def look_ahead(parameters: Array, velocity: Array, momentum: float) -> Array:
    """Return parameters + momentum * velocity, the point where Nesterov's method takes its gradient.

    It is also what torch.optim.SGD(nesterov=True) calls the parameters, as long as rate and momentum are constant: its
    buffer is -velocity / rate.
    """
    return parameters + momentum * velocity


# The fastest constants on a quadratic whose curvatures lie between a smallest and a largest, and the factors by which
# the distance to its minimum then shrinks at every step in the long run. condition: largest over smallest.


class Constants(NamedTuple):
    """Rate and momentum of a method."""

    rate: float
    momentum: float


def best_descent_constants(smallest: float, largest: float) -> Constants:
    """Return those of gradient descent: rate 2 / (largest + smallest), no momentum (Polyak 1964)."""
    return Constants(2 / (largest + smallest), 0.0)


def descent_factor(condition: float) -> float:
    """Return (condition - 1) / (condition + 1)."""
    return (condition - 1) / (condition + 1)


def best_classical_constants(smallest: float, largest: float) -> Constants:
    """Return those of classical momentum: the momentum is the square of its factor (Polyak 1964)."""
    rate = 4 / (math.sqrt(largest) + math.sqrt(smallest)) ** 2
    return Constants(rate, classical_factor(largest / smallest) ** 2)


def classical_factor(condition: float) -> float:
    """Return (sqrt(condition) - 1) / (sqrt(condition) + 1)."""
    root = math.sqrt(condition)
    return (root - 1) / (root + 1)


def best_nesterov_constants(smallest: float, largest: float) -> Constants:
    """Return those of Nesterov's momentum (Lessard, Recht and Packard 2016, table 1)."""
    root = math.sqrt(3 * largest / smallest + 1)
    return Constants(4 / (3 * largest + smallest), (root - 2) / (root + 2))


def nesterov_factor(condition: float) -> float:
    """Return 1 - 2 / sqrt(3 condition + 1) (Lessard, Recht and Packard 2016, table 1)."""
    return 1 - 2 / math.sqrt(3 * condition + 1)
