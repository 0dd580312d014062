"""A small fully connected network whose parameters are one vector, and the gradient of its loss, with NumPy.

Networks of a few hundred units are too small for PyTorch to pay off: its import and its bookkeeping take longer than
the products. A test compares the gradients with autograd's. All arrays of a network have one float dtype.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np


class Activation(NamedTuple):
    """A function of a hidden layer's responses, and its derivative as a function of its own value."""

    function: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


TANH = Activation(np.tanh, lambda y: 1 - y**2)
RECTIFIER = Activation(lambda x: np.maximum(x, 0), lambda y: y > 0)


class Network(NamedTuple):
    """sizes: units of the layers, pixels first and classes last; activation: of the hidden layers."""

    sizes: Sequence[int]
    activation: Activation


class Layer(NamedTuple):
    """Weights (n_out, n_in) and bias (n_out,)."""

    weights: np.ndarray
    bias: np.ndarray


def layers_of(parameters: np.ndarray, sizes: Sequence[int]) -> list[Layer]:
    """Return views of the parameters (P,): weights, then bias, of layer after layer."""
    layers, position = [], 0
    for n_in, n_out in pairwise(sizes):
        middle, end = position + n_in * n_out, position + (n_in + 1) * n_out
        layers.append(Layer(parameters[position:middle].reshape(n_out, n_in), parameters[middle:end]))
        position = end
    return layers


def first_parameters(
    sizes: Sequence[int], draw: Callable[[int, int], np.ndarray], dtype: type[np.floating]
) -> np.ndarray:
    """Return parameters (P,) with weights from draw(n_in, n_out), (n_out, n_in), and no biases."""
    parts = []
    for n_in, n_out in pairwise(sizes):
        parts += [draw(n_in, n_out).ravel(), np.zeros(n_out)]
    return np.concatenate(parts).astype(dtype)


def layer_outputs(
    network: Network, parameters: np.ndarray, images: np.ndarray, masks: Sequence[np.ndarray] | None = None
) -> list[np.ndarray]:
    """Return the images (N, pixels), the hidden layers' outputs, and the scores (N, classes) before the softmax.

    masks: what the input of each layer is multiplied by; the outputs returned are those before it.
    """
    outputs = [images]
    for number, layer in enumerate(layers_of(parameters, network.sizes)):
        responses = masked(outputs, masks, number) @ layer.weights.T
        responses += layer.bias
        hidden = number < len(network.sizes) - 2
        outputs.append(network.activation.function(responses) if hidden else responses)
    return outputs


def masked(outputs: Sequence[np.ndarray], masks: Sequence[np.ndarray] | None, number: int) -> np.ndarray:
    """Return the input of a layer, counted from 0."""
    return outputs[number] if masks is None else outputs[number] * masks[number]


def scores(network: Network, parameters: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return the scores (N, classes) before the softmax."""
    return layer_outputs(network, parameters, images)[-1]


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Return the logarithms of the softmax of each row."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean cross-entropy in nats. labels: int64 (N,)."""
    return -float(log_softmax(scores)[np.arange(len(labels)), labels].mean())


def loss_gradient(
    network: Network,
    parameters: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    masks: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Return the gradient of the mean cross-entropy by the parameters, (P,). masks: as of `layer_outputs`."""
    outputs = layer_outputs(network, parameters, images, masks)
    upstream = np.exp(log_softmax(outputs[-1]))
    upstream[np.arange(len(labels)), labels] -= 1
    upstream /= len(labels)
    parts = []
    layers = layers_of(parameters, network.sizes)
    for number in reversed(range(len(layers))):
        parts += [upstream.sum(axis=0), (upstream.T @ masked(outputs, masks, number)).ravel()]
        if number:
            upstream = upstream @ layers[number].weights
            upstream *= network.activation.slope(outputs[number])
            if masks is not None:
                upstream *= masks[number]
    return np.concatenate(parts[::-1])
