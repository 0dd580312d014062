"""What the source documents have wrong: the printed formulas, and what they and the right ones give at one point.

A printed formula takes the arguments of the closed form that it stands for. The documents are the course report, the
lab sheet that it answers, the homework on MNIST, and the homework on theory.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
import torch

from semisup import metrics
from theory import derivations, initialization, sne

COURSE_REPORT = "course report"
LAB_SHEET = "lab sheet"
HOMEWORK = "homework"
THEORY_HOMEWORK = "theory homework"

# The example of the theory homework, section 5. It prints no image; this one gives all nine values that it does print.
IMAGE = (
    (4, 5, 2, 2, 1),
    (3, 3, 2, 2, 4),
    (4, 3, 4, 1, 1),
    (5, 1, 4, 1, 2),
    (5, 1, 3, 1, 4),
)
KERNEL = ((4, 3, 3), (5, 5, 5), (2, 4, 3))

# A toy for top-k error: the true class of the first image ties with a later one.
TOY_SCORES = ((0.4, 0.4, 0.2), (0.5, 0.3, 0.2), (0.5, 0.3, 0.2))
TOY_LABELS = (0, 1, 2)


class SourceError(NamedTuple):
    """A row of source_errors.csv: where a document errs, and both numbers at a point; None where there is none."""

    key: str
    source: str
    equation: str
    point: str | None
    printed: float | None
    right: float | None


def vector(*values: float) -> torch.Tensor:
    """Return the numbers as a float64 tensor."""
    return torch.tensor(values, dtype=torch.float64)


def example_arrays() -> tuple[torch.Tensor, torch.Tensor]:
    """Return image (5, 5) and kernel (3, 3) of the theory homework's convolution, float64."""
    return torch.tensor(IMAGE, dtype=torch.float64), torch.tensor(KERNEL, dtype=torch.float64)


def toy_arrays() -> tuple[np.ndarray, np.ndarray]:
    """Return scores float64 (3, 3) and labels int64 (3,) of the toy for top-k error."""
    return np.array(TOY_SCORES), np.array(TOY_LABELS)


# The formulas as printed


def printed_sigmoid_dag_gradient(
    x1: torch.Tensor, x2: torch.Tensor, upstream: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return dE/dx1 and dE/dx2 of the course report (1.3): the sign in the denominator is lost."""
    return tuple(upstream * torch.exp(-x) / (1 + torch.exp(x)) ** 2 for x in (x1, x2))


def printed_batch_norm(x: torch.Tensor) -> torch.Tensor:
    """Return the output of the lab sheet, (m, F): the root of the standard deviation, where it says deviation."""
    return (x - x.mean(dim=0)) / x.std(dim=0, correction=0).sqrt()


def others_sum(x: torch.Tensor, beta: float) -> torch.Tensor:
    """Return sum_(k != i) exp(-beta x_k) for each i, (K,)."""
    powers = torch.exp(-beta * x)
    return powers.sum() - powers


def printed_softmax_10(x: torch.Tensor, beta: float) -> torch.Tensor:
    """Return dy_i/dx_i, (K,), of the homework (10): the wrong sign in the numerator's last exponential.

    A bracket of its denominator is never closed; it is taken as closed before the square, which is right.
    """
    others = others_sum(x, beta)
    return -beta * others * torch.exp(-beta * x) / (1 + others * torch.exp(beta * x)) ** 2


def printed_softmax_11(x: torch.Tensor, beta: float) -> torch.Tensor:
    """Return dy_i/dx_i, (K,), of the homework (11)."""
    return -beta * others_sum(x, beta) * torch.exp(beta * x) / torch.exp(-beta * x).sum()


def printed_softmax_14(x: torch.Tensor, beta: float) -> torch.Tensor:
    """Return dy_i/dx_j, (K, K), of the homework (14), for i != j only: a sum of squares for a square of a sum."""
    powers = torch.exp(-beta * x)
    return beta * torch.outer(powers, powers) / (powers**2).sum()


def printed_cross_entropy_gradient(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return dl/dy^, (K,), of the theory homework (3), its second expression: as if the logarithm were to base ten."""
    return -target / (math.log(10) * outputs)


def printed_regression_gradient(
    outputs: torch.Tensor, target: torch.Tensor, x: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return dl/dW of the theory homework (7), (K, F), and its like for the bias, (K,).

    The chain rule of (1) has no sum, so it leaves out that a weight of row i moves the other outputs; (6) is right for
    the output that it is of.
    """
    by_scores = -target * (1 - outputs)
    return torch.outer(by_scores, x), by_scores


def printed_convolution(image: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Return F of the theory homework 5(c), whose sums have the ranges of rows and columns exchanged.

    Its (W - w + 1, H - h + 1) entries are F_ab = sum X_ij W_ij over the rows i from b to b + h - 1 and the columns j
    from a to a + w - 1; the indices of W, which leave the kernel, are taken as 1 to h and 1 to w.
    """
    high, wide = kernel.shape
    printed = image.new_zeros(image.shape[1] - wide + 1, image.shape[0] - high + 1)
    for a, b in itertools.product(*map(range, printed.shape)):
        printed[a, b] = (image[b : b + high, a : a + wide] * kernel).sum()
    return printed


def printed_convolution_side(side: int, kernel: int, padding: int, stride: int) -> int:
    """Return the number of outputs of the theory homework 5(a), which says that it pads with zeros and does not."""
    return (side - kernel) // stride + 1


def strictly_larger(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return R of the theory homework (24), int64 (N,): how many scores (N, K) are larger than the true class's."""
    return (scores > scores[np.arange(len(labels)), labels][:, None]).sum(axis=1)


def printed_top_k_error(ranks: np.ndarray, k: int) -> float:
    """Return the error of the theory homework (23), from ranks (N,): one place too many counts as found."""
    return float(np.mean(ranks > k))


def printed_glorot_bound(inputs: int, outputs: int) -> float:
    """Return a of the homework III.1, U[-a, a]: the heuristic that Glorot and Bengio argue against."""
    return initialization.heuristic_bound(inputs)


# Both at a point


def source_errors() -> list[SourceError]:
    """Return the errors in the order of the report's sections."""
    return [
        sigmoid_dag(),
        *softmax_errors(),
        *regression_errors(),
        lab_batch_norm(),
        shift_indices(),
        *convolution_errors(),
        top_k_23(),
        tsne_25(),
        glorot(),
    ]


def sigmoid_dag() -> SourceError:
    """Evaluate the gradient of min + max of sigmoids."""
    x, one = vector(2.0), vector(1.0)
    printed, right = printed_sigmoid_dag_gradient(x, x, one), derivations.sigmoid_dag_gradient(x, x, one)
    return SourceError("sigmoid_dag", COURSE_REPORT, "(1.3)", "x = 2", printed[0].item(), right[0].item())


def lab_batch_norm() -> SourceError:
    """Evaluate batch normalisation at the last of three values."""
    x = vector(0.0, 2.0, 4.0)[:, None]
    printed, right = printed_batch_norm(x)[2].item(), derivations.batch_norm(x)[2].item()
    return SourceError("lab_batch_norm", LAB_SHEET, "1.2", "batch 0, 2, 4: the last value", printed, right)


def shift_indices() -> SourceError:
    """Name the shift whose index is mixed up with that of the images; the gradient that comes out of it is right."""
    return SourceError("shift_indices", COURSE_REPORT, "(1.11)-(1.13)", None, None, None)


def softmax_errors() -> list[SourceError]:
    """Evaluate the homework's derivatives of softmax."""
    x, beta = vector(-0.5, 0.0, 0.5), 2.0
    right, point = derivations.softmax_jacobian(x, -beta), "x = (-0.5, 0, 0.5), beta = 2"
    diagonal, beside = right[0, 0].item(), right[0, 1].item()
    rows = [
        ("softmax_10", "(10)", "i = j = 1", printed_softmax_10(x, beta)[0].item(), diagonal),
        ("softmax_11", "(11)", "i = j = 1", printed_softmax_11(x, beta)[0].item(), diagonal),
        ("softmax_14", "(14)", "i = 1, j = 2", printed_softmax_14(x, beta)[0, 1].item(), beside),
    ]
    return [SourceError(key, HOMEWORK, number, f"{point}, {place}", *values) for key, number, place, *values in rows]


def regression_errors() -> list[SourceError]:
    """Evaluate the gradients of the loss: by an output, and by a weight of a wrong class, also for a certain output."""
    target, x = vector(1.0, 0.0), vector(1.0)
    half, certain = vector(0.5, 0.5), vector(0.0, 1.0)
    by_output = (
        gradient(half, target)[0].item()
        for gradient in (printed_cross_entropy_gradient, derivations.cross_entropy_output_gradient)
    )
    by_weight, by_weight_when_certain = (
        [
            gradient(outputs, target, x)[0][1, 0].item() + 0.0  # no negative zero
            for gradient in (printed_regression_gradient, derivations.softmax_regression_gradient)
        ]
        for outputs in (half, certain)
    )
    row = "true class 1, row of class 2, x = 1"
    return [
        SourceError("cross_entropy_3", THEORY_HOMEWORK, "(3)", "target 1, output 0.5", *by_output),
        SourceError("softmax_regression_7", THEORY_HOMEWORK, "(1), (7)", f"outputs 0.5, 0.5, {row}", *by_weight),
        SourceError(
            "softmax_regression_8",
            THEORY_HOMEWORK,
            "(8) and the text after it",
            f"outputs 0, 1, {row}",
            *by_weight_when_certain,
        ),
    ]


def convolution_errors() -> list[SourceError]:
    """Evaluate what the theory homework says of its convolution's size, values and gradient."""
    image, kernel = example_arrays()
    sides = (side(5, 3, 1, 1) for side in (printed_convolution_side, derivations.convolution_side))
    values = (convolve(image, kernel)[0, 1].item() for convolve in (printed_convolution, derivations.convolution))
    ones = torch.ones(3, 3, dtype=torch.float64)
    gradient = derivations.convolution_input_gradient(ones, kernel)[2, 2].item()
    return [
        SourceError("zero_padding_a", THEORY_HOMEWORK, "5(a)", "n = 5, k = 3, p = 1: outputs", *(n**2 for n in sides)),
        SourceError("convolution_f", THEORY_HOMEWORK, "5(c)", "row 1, column 2 of the example's F", *values),
        SourceError("convolution_22", THEORY_HOMEWORK, "(22)", "the example, i = j = 3", None, gradient),
    ]


def top_k_23() -> SourceError:
    """Evaluate top-one error on three images, whose true classes have the first, second and third place."""
    scores, labels = toy_arrays()
    printed = printed_top_k_error(strictly_larger(scores, labels), 1)
    right = metrics.top_k_error(metrics.true_label_ranks(scores, labels), 1)
    return SourceError("top_k_23", THEORY_HOMEWORK, "(23)", "k = 1, R = 0, 1, 2", printed, right)


def tsne_25() -> SourceError:
    """Evaluate the gradient of t-SNE, for which the theory homework prints a line about convolutions."""
    points = np.array([[0.0], [1.0], [3.0]])
    joint = (1 - np.eye(3)) / 6
    gradient = float(sne.sne_gradient(joint, points, "student")[0, 0])
    return SourceError("tsne_25", THEORY_HOMEWORK, "(25)", "y = 0, 1, 3, all p equal, i = 1", None, gradient)


def glorot() -> SourceError:
    """Evaluate the variance of a linear layer's outputs for inputs of mean square one."""
    units = 100
    bounds = (printed_glorot_bound(units, units), initialization.glorot_bound(units, units))
    gains = (
        initialization.layer_gain(units, initialization.uniform_variance(bound), rectified=False) for bound in bounds
    )
    return SourceError(
        "glorot", HOMEWORK, "III.1", "n = n' = 100: variance of W x for a mean square of x of one", *gains
    )
