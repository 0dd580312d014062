"""Initialisation: how large zero-mean weights are for a layer of so many inputs and outputs, and what a layer gains."""

import math


def heuristic_bound(inputs: int) -> float:
    """Return a of the older heuristic U[-a, a]: 1 / sqrt(inputs) (Glorot and Bengio 2010, equation 1)."""
    return 1 / math.sqrt(inputs)


def glorot_bound(inputs: int, outputs: int) -> float:
    """Return a of U[-a, a]: sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010, equation 16)."""
    return math.sqrt(6 / (inputs + outputs))


def he_deviation(connections: int) -> float:
    """Return the normal distribution's standard deviation sqrt(2 / n) (He et al. 2015, equations 10 and 14).

    n is k^2 c for c input channels and k x k kernels to preserve the outputs' mean square, and k^2 d for d output
    channels to preserve that of the gradients.
    """
    return math.sqrt(2 / connections)


def uniform_variance(bound: float) -> float:
    """Return the variance of U[-bound, bound]."""
    return bound**2 / 3


def layer_gain(connections: int, weight_variance: float, rectified: bool) -> float:
    """Return the mean square of a layer's output, over the weights, divided by that of its n inputs.

    n Var(w), and half of it after a rectifier, which cuts off half of a symmetric distribution (He et al. 2015,
    section 2.2). For gradients, n are the outputs.
    """
    return connections * weight_variance * (0.5 if rectified else 1.0)
