"""Gradient descent with momentum, in the form of Sutskever et al. 2013 ("On the importance of initialization ...").

Points and velocities are tensors of one shape, any float dtype; a gradient function maps a point to its gradient there.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

Gradient = Callable[[torch.Tensor], torch.Tensor]


class State(NamedTuple):
    """Where the descent is, and the step that it made last (zeros at the start)."""

    parameters: torch.Tensor
    velocity: torch.Tensor


def classical_momentum_step(
    parameters: torch.Tensor, velocity: torch.Tensor, gradient: Gradient, rate: float, momentum: float
) -> State:
    """Return the state after one step of classical momentum (Polyak 1964; Sutskever et al. 2013, equations 1 and 2)."""
    velocity = momentum * velocity - rate * gradient(parameters)
    return State(parameters + velocity, velocity)


def nesterov_step(
    parameters: torch.Tensor, velocity: torch.Tensor, gradient: Gradient, rate: float, momentum: float
) -> State:
    """Return the state after one step of Nesterov's accelerated gradient (Sutskever et al. 2013, equations 3 and 4).

    The gradient is that of the point where the momentum alone would lead.
    """
    velocity = momentum * velocity - rate * gradient(look_ahead(parameters, velocity, momentum))
    return State(parameters + velocity, velocity)


def look_ahead(parameters: torch.Tensor, velocity: torch.Tensor, momentum: float) -> torch.Tensor:
    """Return parameters + momentum * velocity, the point where Nesterov's method takes its gradient.

    It is also what torch.optim.SGD(nesterov=True) calls the parameters, as long as rate and momentum are constant: its
    buffer is -velocity / rate.
    """
    return parameters + momentum * velocity
