"""Checks of the layers' closed forms: activations, normalisation, softmax, pooling and convolution.

Each check_... function draws one random input and returns how far the two ways lie apart there. derivations.csv has
their checks in the order of this file.
"""

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch.nn import functional

from theory import derivations
from theory.derivation_checks import (
    ROUGH,
    Tensors,
    autograd,
    check,
    difference,
    differences,
    finite_differences,
    integer,
    normal,
    uniform,
)

TINY = 1e-300  # PyTorch's constant in the denominator of batch normalisation, which must be positive
CLASSES = 4
FEATURES = 5
NUMERIC = "finite differences"
LOOPS = "naive loop, autograd"

Windows = tuple[list[slice], list[slice]]

# Activations, and the graph of minimum and maximum


@check("sigmoid", "sigmoid: dE/dx", against="autograd")
def check_sigmoid(rng: torch.Generator) -> float:
    """Compare the gradient with autograd's of 1 / (1 + exp(-x))."""
    x, upstream = 3 * normal(rng, FEATURES), normal(rng, FEATURES)
    found = derivations.sigmoid_gradient(x, upstream)
    return differences([found], autograd(lambda x: (upstream / (1 + torch.exp(-x))).sum(), x))


@check("tanh", "tanh: dE/dx", against="autograd")
def check_tanh(rng: torch.Generator) -> float:
    """Compare the gradient with autograd's of torch.tanh."""
    x, upstream = 2 * normal(rng, FEATURES), normal(rng, FEATURES)
    found = derivations.tanh_gradient(x, upstream)
    return differences([found], autograd(lambda x: (upstream * torch.tanh(x)).sum(), x))


@check("relu", "rectifier: dE/dx, also at zero", against="autograd")
def check_relu(rng: torch.Generator) -> float:
    """Compare the gradient with autograd's of torch.relu; one of the inputs is exactly zero."""
    x, upstream = normal(rng, FEATURES), normal(rng, FEATURES)
    x[0] = 0.0
    found = derivations.relu_gradient(x, upstream)
    return differences([found], autograd(lambda x: (upstream * torch.relu(x)).sum(), x))


def minimum_and_maximum(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    """Return y as the graph computes it."""
    i1, i2 = torch.sigmoid(x1), torch.sigmoid(x2)
    return torch.minimum(i1, i2) + torch.maximum(i1, i2)


def dag_inputs(rng: torch.Generator, order: int) -> Tensors:
    """Return x1 and x2, (1,); order: the sign of x1 - x2."""
    x1 = 2 * normal(rng, 1)
    return x1, x1 - order * uniform(rng, 0.01, 4.0)


@check("sigmoid_dag", "min + max of sigmoids: y", against="PyTorch")
def check_dag(rng: torch.Generator) -> float:
    """Compare the sum of two sigmoids with the graph, on both branches and at the tie."""
    inputs = [dag_inputs(rng, order) for order in (-1, 1, 0)]
    return differences([derivations.sigmoid_dag(*x) for x in inputs], [minimum_and_maximum(*x) for x in inputs])


@check("sigmoid_dag_below", "min + max of sigmoids: dE/dx where x1 < x2", against=NUMERIC, tolerance=ROUGH, order=-1)
@check("sigmoid_dag_above", "min + max of sigmoids: dE/dx where x1 > x2", against=NUMERIC, tolerance=ROUGH, order=1)
@check("sigmoid_dag_tie", "min + max of sigmoids: dE/dx where x1 = x2", against=NUMERIC, tolerance=ROUGH, order=0)
def check_dag_gradient(rng: torch.Generator, order: int) -> float:
    """Compare the gradient with finite differences of the graph where x1 - x2 has the given sign."""
    x1, x2 = dag_inputs(rng, order)
    upstream = normal(rng, 1)
    expected = finite_differences(lambda x1, x2: (upstream * minimum_and_maximum(x1, x2)).sum(), x1, x2)
    return differences(derivations.sigmoid_dag_gradient(x1, x2, upstream), expected)


# Batch normalisation


def batch(rng: torch.Generator) -> Tensors:
    """Return x and dE/dy, (m, F)."""
    rows, features = integer(rng, 4, 9), 3
    return 2 * normal(rng, rows, features) + normal(rng, features), normal(rng, rows, features)


def normalized(x: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
    """Return (x - mean) / sqrt(variance), the three taken as variables of their own."""
    return (x - mean) / torch.sqrt(variance)


def normalized_around(x: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Return (x - mean) / sqrt(variance), with the variance a function of x and of the mean."""
    return normalized(x, mean, ((x - mean) ** 2).mean(dim=0))


def normalized_batch(x: torch.Tensor) -> torch.Tensor:
    """Return the batch, normalised, as a function of x alone."""
    return normalized_around(x, x.mean(dim=0))


@check("batch_norm", "batch normalisation: y", against="PyTorch")
def check_batch_norm(rng: torch.Generator) -> float:
    """Compare the output with PyTorch's layer, whose constant is made as good as zero."""
    x, _ = batch(rng)
    return difference(derivations.batch_norm(x), functional.batch_norm(x, None, None, training=True, eps=TINY))


@check("batch_norm_variance", "batch normalisation: dE/dvariance", against="autograd")
def check_batch_norm_variance(rng: torch.Generator) -> float:
    """Compare the derivative by the variance, the mean held, with autograd's."""
    x, upstream = batch(rng)
    mean, variance = x.mean(dim=0), x.var(dim=0, correction=0)
    expected = autograd(lambda variance: (upstream * normalized(x, mean, variance)).sum(), variance)
    return differences([derivations.batch_norm_variance_gradient(x, upstream)], expected)


@check("batch_norm_mean", "batch normalisation: dE/dmean", against="autograd")
def check_batch_norm_mean(rng: torch.Generator) -> float:
    """Compare the derivative by the mean, directly and through the variance, with autograd's."""
    x, upstream = batch(rng)
    expected = autograd(lambda mean: (upstream * normalized_around(x, mean)).sum(), x.mean(dim=0))
    return differences([derivations.batch_norm_mean_gradient(x, upstream)], expected)


@check("batch_norm_in_parts", "batch normalisation: dE/dx in parts", against="autograd")
def check_batch_norm_in_parts(rng: torch.Generator) -> float:
    """Compare the derivative by x, the sum of three ways, with autograd's."""
    x, upstream = batch(rng)
    found = derivations.batch_norm_gradient_in_parts(x, upstream)
    return differences([found], autograd(lambda x: (upstream * normalized_batch(x)).sum(), x))


@check("batch_norm_closed", "batch normalisation: dE/dx in closed form", against="autograd", other_way=autograd)
@check(
    "batch_norm_numeric",
    "batch normalisation: dE/dx in closed form",
    against=NUMERIC,
    tolerance=ROUGH,
    other_way=finite_differences,
)
def check_batch_norm_gradient(rng: torch.Generator, other_way: Callable[..., Tensors]) -> float:
    """Compare the derivative by x in closed form with `autograd` or `finite_differences`."""
    x, upstream = batch(rng)
    found = derivations.batch_norm_gradient(x, upstream)
    return differences([found], other_way(lambda x: (upstream * normalized_batch(x)).sum(), x))


@check("batch_norm_constant", "batch normalisation with a constant: dE/dx", against="autograd")
def check_batch_norm_constant(rng: torch.Generator) -> float:
    """Compare the derivative by x with a constant in the denominator with autograd's of PyTorch's layer."""
    x, upstream = batch(rng)
    constant = 10 ** uniform(rng, -3.0, 1.0)  # beside variances of about 4

    def energy(x: torch.Tensor) -> torch.Tensor:
        return (upstream * functional.batch_norm(x, None, None, training=True, eps=constant)).sum()

    return differences([derivations.stable_batch_norm_gradient(x, upstream, constant)], autograd(energy, x))


@check("shift", "learnable shift: y", against="PyTorch")
def check_shift(rng: torch.Generator) -> float:
    """Compare the shifted output with PyTorch's layer with a bias."""
    x, _ = batch(rng)
    shift = normal(rng, x.shape[1])
    expected = functional.batch_norm(x, None, None, bias=shift, training=True, eps=TINY)
    return difference(derivations.shifted_batch_norm(x, shift), expected)


@check("shift_input", "learnable shift: dE/dx", against="autograd", by="x")
@check("shift_epsilon", "learnable shift: dE/depsilon", against="autograd", by="shift")
def check_shift_gradient(rng: torch.Generator, by: str) -> float:
    """Compare a derivative of E = sum a y + y^2 / 2, which feels the shift, with autograd's; by: x | shift."""
    x, linear = batch(rng)
    shift = normal(rng, x.shape[1])
    upstream = linear + derivations.shifted_batch_norm(x, shift)

    def energy(x: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        y = normalized_batch(x) + shift
        return (linear * y + y**2 / 2).sum()

    by_x, by_shift = autograd(energy, x, shift)
    if by == "x":
        return difference(derivations.batch_norm_gradient(x, upstream), by_x)
    return difference(derivations.shift_gradient(upstream), by_shift)


# Softmax and softmax regression


@check("softmax", "softmax of beta x: y", against="PyTorch")
def check_softmax(rng: torch.Generator, sign: int = 1) -> float:
    """Compare the output with PyTorch's softmax of beta x, for beta of the given sign."""
    x, beta = 2 * normal(rng, CLASSES), sign * uniform(rng, 0.2, 3.0)
    return difference(derivations.softmax(x, beta), torch.softmax(beta * x, dim=0))


@check("softmax_jacobian", "softmax of beta x: Jacobian", against="autograd")
def check_softmax_jacobian(rng: torch.Generator, sign: int = 1) -> float:
    """Compare the Jacobian with autograd's of the definition, for beta of the given sign."""
    x, beta = normal(rng, CLASSES), sign * uniform(rng, 0.2, 3.0)

    def definition(x: torch.Tensor) -> torch.Tensor:
        powers = torch.exp(beta * x)
        return powers / powers.sum()

    return difference(derivations.softmax_jacobian(x, beta), torch.autograd.functional.jacobian(definition, x))


@check("softmax_negative", "softmax of -beta x: y", against="PyTorch")
def check_negative_softmax(rng: torch.Generator) -> float:
    """Compare the output for a negative beta."""
    return check_softmax(rng, sign=-1)


@check("softmax_negative_jacobian", "softmax of -beta x: Jacobian", against="autograd")
def check_negative_softmax_jacobian(rng: torch.Generator) -> float:
    """Compare the Jacobian for a negative beta."""
    return check_softmax_jacobian(rng, sign=-1)


@check("softmax_backward", "softmax of beta x and -beta x: dE/dx", against="autograd")
def check_softmax_backward(rng: torch.Generator) -> float:
    """Compare dE/dx with autograd's of PyTorch's softmax, for beta of either sign."""
    x, upstream, beta = normal(rng, CLASSES), normal(rng, CLASSES), uniform(rng, 0.2, 3.0)
    errors = []
    for signed in (beta, -beta):
        expected = autograd(lambda x, signed=signed: upstream @ torch.softmax(signed * x, dim=0), x)
        errors.append(differences([derivations.softmax_gradient(x, signed, upstream)], expected))
    return max(errors)


class Regression(NamedTuple):
    """Softmax regression at one image: weights (K, F), bias (K,), x (F,), the label and its target (K,)."""

    weights: torch.Tensor
    bias: torch.Tensor
    x: torch.Tensor
    label: int
    target: torch.Tensor


def regression(rng: torch.Generator) -> Regression:
    """Draw a softmax regression and an image."""
    label = integer(rng, 0, CLASSES - 1)
    weights, bias, x = normal(rng, CLASSES, FEATURES), normal(rng, CLASSES), normal(rng, FEATURES)
    return Regression(weights, bias, x, label, one_hot(label))


def one_hot(label: int) -> torch.Tensor:
    """Return the target (K,) of a label."""
    return functional.one_hot(torch.tensor(label), CLASSES).double()


def probabilities(weights: torch.Tensor, bias: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return the outputs of a softmax regression, (K,)."""
    return torch.softmax(weights @ x + bias, dim=0)


def loss_gradients(case: Regression) -> tuple[torch.Tensor, ...]:
    """Return autograd's derivatives of the loss by weights and bias."""

    def loss(weights: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return -torch.log_softmax(weights @ case.x + bias, dim=0)[case.label]

    return autograd(loss, case.weights, case.bias)


def closed_gradients(case: Regression) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the closed forms of the derivatives of the loss by weights and bias."""
    return derivations.softmax_regression_gradient(probabilities(*case[:3]), case.target, case.x)


@check("cross_entropy", "cross-entropy: derivative by the outputs", against=NUMERIC, tolerance=ROUGH)
def check_cross_entropy(rng: torch.Generator) -> float:
    """Compare the derivative of the loss by the probabilities with finite differences of the natural logarithm."""
    outputs, target = (torch.rand(CLASSES, generator=rng, dtype=torch.float64) + 0.1 for _ in range(2))
    found = derivations.cross_entropy_output_gradient(outputs, target)
    return differences([found], finite_differences(lambda outputs: -(target * outputs.log()).sum(), outputs))


@check("output_weights", "softmax regression: all outputs by W", against="autograd")
def check_output_weights(rng: torch.Generator) -> float:
    """Compare the derivatives of all probabilities by all weights, off-diagonal terms too, with autograd's."""
    case = regression(rng)
    found = derivations.output_weight_jacobian(probabilities(*case[:3]), case.x)
    by_weights = partial(probabilities, bias=case.bias, x=case.x)
    return difference(found, torch.autograd.functional.jacobian(by_weights, case.weights))


@check("weight_chain", "softmax regression: dl/dW by the chain rule", against="autograd")
def check_weight_chain(rng: torch.Generator) -> float:
    """Compare the chain rule over all outputs, sum_k dl/dy^_k dy^_k/dW_ij, with autograd."""
    case = regression(rng)
    outputs = probabilities(*case[:3])
    by_output = derivations.cross_entropy_output_gradient(outputs, case.target)
    jacobian = derivations.output_weight_jacobian(outputs, case.x)
    return difference(torch.einsum("k,kij->ij", by_output, jacobian), loss_gradients(case)[0])


@check("weights_true_class", "softmax regression: dl/dW, true class", against="autograd", true_class=True)
@check("weights_wrong_classes", "softmax regression: dl/dW, wrong classes", against="autograd", true_class=False)
def check_weight_rows(rng: torch.Generator, true_class: bool) -> float:
    """Compare dl/dW with autograd's, in the row of the true class or in all others."""
    case = regression(rng)
    rows = (case.target == 1) == true_class
    return difference(closed_gradients(case)[0][rows], loss_gradients(case)[0][rows])


@check("bias", "softmax regression: dl/db", against="autograd")
def check_bias(rng: torch.Generator) -> float:
    """Compare dl/db with autograd's."""
    case = regression(rng)
    return difference(closed_gradients(case)[1], loss_gradients(case)[1])


def certainly_wrong(rng: torch.Generator) -> tuple[torch.Tensor, int, int, float]:
    """Return scores (K,), the true class, the class that is predicted, and how far its score lies ahead.

    So far that the true class has a probability of zero in float64, whose logarithm is infinite.
    """
    true, predicted = torch.randperm(CLASSES, generator=rng)[:2].tolist()
    margin = 10 ** uniform(rng, 3.0, 6.0)
    scores = normal(rng, CLASSES)
    scores[predicted] = scores[true] + margin
    return scores, true, predicted, margin


@check("certain_loss", "certain but wrong: loss", against="limit, PyTorch")
def check_certain_loss(rng: torch.Generator) -> float:
    """Compare the loss by log-sum-exp with the margin, without whose bound it grows, and with PyTorch."""
    scores, true, _, margin = certainly_wrong(rng)
    found = derivations.cross_entropy(scores, true)
    limit = torch.tensor(margin, dtype=torch.float64)
    return differences([found, found], [limit, functional.cross_entropy(scores, torch.tensor(true))])


@check("certain_gradient", "certain but wrong: dl/dW", against="limit, autograd")
def check_certain_gradient(rng: torch.Generator) -> float:
    """Compare dl/dW with autograd's, and with its limit.

    That is -x in the row of the true class, x in that of the predicted one, and 0 elsewhere.
    """
    scores, true, predicted, _ = certainly_wrong(rng)
    x, weights = normal(rng, FEATURES), torch.zeros(CLASSES, FEATURES, dtype=torch.float64)
    outputs = derivations.softmax(scores, 1.0)
    found, _ = derivations.softmax_regression_gradient(outputs, one_hot(true), x)
    limit = torch.outer(one_hot(predicted) - one_hot(true), x)
    exact = autograd(lambda weights: functional.cross_entropy(weights @ x + scores, torch.tensor(true)), weights)
    return differences([found, found], [limit, *exact])


@check("chain_rule", "example of the chain rule: df/dx, df/dy", against=NUMERIC, tolerance=ROUGH)
def check_chain_rule(rng: torch.Generator) -> float:
    """Compare both derivatives of the quotient with finite differences, where its denominator is not near zero."""
    x, y = (torch.tensor(uniform(rng, low, 3.0), dtype=torch.float64) for low in (0.5, 0.0))
    return differences(derivations.quotient_gradient(x, y), finite_differences(derivations.quotient, x, y))


# Pooling and convolution


def naive_pool(image: torch.Tensor, windows: Windows, kind: str) -> torch.Tensor:
    """Return the pooled image pixel by pixel; kind: max | average."""
    result = torch.zeros(*map(len, windows), dtype=torch.float64)
    for (i, row), (j, column) in itertools.product(*map(enumerate, windows)):
        values = [float(image[y, x]) for y in range(row.start, row.stop) for x in range(column.start, column.stop)]
        result[i, j] = max(values) if kind == "max" else math.fsum(values) / len(values)
    return result


def pooling_error(
    kind: str, image: torch.Tensor, windows: Windows, upstream: torch.Tensor, library: Callable[..., torch.Tensor]
) -> float:
    """Return the error of output and gradient against loops, PyTorch's layer and its gradient; kind: max | average."""
    pool, gradient = {
        "max": (derivations.max_pool, derivations.max_pool_gradient),
        "average": (derivations.average_pool, derivations.average_pool_gradient),
    }[kind]
    output = pool(image, *windows)
    by_image = autograd(lambda image: (upstream * library(image[None])[0]).sum(), image)
    return differences(
        [output, output, gradient(image, *windows, upstream)],
        [naive_pool(image, windows, kind), library(image[None])[0], *by_image],
    )


def pooling_images(rng: torch.Generator, height: int, width: int) -> Tensors:
    """Return an image whose pixels all differ, and one of three values, where the largest of a window has equals."""
    return normal(rng, height, width), torch.randint(0, 3, (height, width), generator=rng).double()


@check("max_pool", "max pooling: y, dE/dX, with ties", against=LOOPS, kind="max")
@check("average_pool", "average pooling: y, dE/dX", against=LOOPS, kind="average")
def check_pool(rng: torch.Generator, kind: str) -> float:
    """Compare pooling with a kernel and a stride with loops and PyTorch; windows may overlap or leave gaps."""
    height, width, kernel, stride = (integer(rng, *limits) for limits in ((5, 9), (5, 9), (2, 4), (1, 5)))
    windows = tuple(derivations.strided_windows(side, kernel, stride) for side in (height, width))
    layer = {"max": functional.max_pool2d, "average": functional.avg_pool2d}[kind]
    images, upstream = pooling_images(rng, height, width), normal(rng, *map(len, windows))
    library = partial(layer, kernel_size=kernel, stride=stride)
    return max(pooling_error(kind, image, windows, upstream, library) for image in images)


@check("adaptive_max_pool", "adaptive max pooling: y, dE/dX, with ties", against=LOOPS, kind="max")
@check("adaptive_average_pool", "adaptive average pooling: y, dE/dX", against=LOOPS, kind="average")
def check_adaptive_pool(rng: torch.Generator, kind: str) -> float:
    """Compare adaptive pooling with loops and PyTorch."""
    sides, outputs = (integer(rng, 5, 9), integer(rng, 5, 9)), (integer(rng, 1, 5), integer(rng, 1, 5))
    windows = tuple(derivations.adaptive_windows(*pair) for pair in zip(sides, outputs, strict=True))
    layer = {"max": functional.adaptive_max_pool2d, "average": functional.adaptive_avg_pool2d}[kind]
    images, upstream = pooling_images(rng, *sides), normal(rng, *outputs)
    return max(pooling_error(kind, image, windows, upstream, partial(layer, output_size=outputs)) for image in images)


def convolution_case(rng: torch.Generator) -> Tensors:
    """Return an image, a kernel and dE/dF."""
    height, width, high, wide = (integer(rng, *limits) for limits in ((4, 8), (4, 8), (1, 4), (1, 4)))
    return normal(rng, height, width), normal(rng, high, wide), normal(rng, height - high + 1, width - wide + 1)


def library_convolution(image: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Return PyTorch's convolution of one image and one kernel."""
    return functional.conv2d(image[None, None], kernel[None, None])[0, 0]


@check("convolution_side", "convolution: number of outputs", against="PyTorch")
def check_convolution_side(rng: torch.Generator) -> float:
    """Compare the number of outputs with PyTorch's."""
    side, kernel, padding, stride = (integer(rng, *limits) for limits in ((5, 12), (1, 5), (0, 4), (1, 4)))
    output = functional.conv1d(normal(rng, 1, 1, side), normal(rng, 1, 1, kernel), padding=padding, stride=stride)
    return float(abs(derivations.convolution_side(side, kernel, padding, stride) - output.shape[2]))


@check("convolution", "convolution: F", against="naive loop, PyTorch")
def check_convolution(rng: torch.Generator) -> float:
    """Compare the output with nested loops and PyTorch."""
    image, kernel, upstream = convolution_case(rng)
    expected = torch.zeros_like(upstream)
    for i, j in itertools.product(*map(range, upstream.shape)):
        for m, n in itertools.product(*map(range, kernel.shape)):
            expected[i, j] += image[i + m, j + n] * kernel[m, n]
    found = derivations.convolution(image, kernel)
    return differences([found, found], [expected, library_convolution(image, kernel)])


@check("convolution_input", "convolution: dE/dX as a full convolution", against="autograd")
def check_convolution_input(rng: torch.Generator) -> float:
    """Compare the derivative by the image with autograd's."""
    image, kernel, upstream = convolution_case(rng)
    expected = autograd(lambda image: (upstream * library_convolution(image, kernel)).sum(), image)
    return differences([derivations.convolution_input_gradient(upstream, kernel)], expected)


@check("convolution_kernel", "convolution: dE/dW", against="autograd")
def check_convolution_kernel(rng: torch.Generator) -> float:
    """Compare the derivative by the kernel with autograd's."""
    image, kernel, upstream = convolution_case(rng)
    expected = autograd(lambda kernel: (upstream * library_convolution(image, kernel)).sum(), kernel)
    return differences([derivations.convolution_kernel_gradient(image, upstream)], expected)
