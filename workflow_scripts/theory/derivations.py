"""The closed forms that the report derives, each a plain function; derivation_checks.py compares them with other means.

All tensors are float64. E is the quantity that is minimised, `upstream` its derivative by a function's output.
The gradients of t-SNE are in sne.py, the steps of momentum in momentum.py, initialisation in initialization.py, top-k
error in metrics.py, the proximal gradient method in proximal.py.
"""

import itertools

import torch
from torch.nn import functional

# Activations, and the graph of minimum and maximum


def sigmoid(x: torch.Tensor) -> torch.Tensor:
    """Return 1 / (1 + exp(-x)), of the shape of x."""
    return 1 / (1 + torch.exp(-x))


def sigmoid_gradient(x: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    """Return dE/dx = dE/dy y (1 - y), where y = sigmoid(x), of the shape of x."""
    y = sigmoid(x)
    return upstream * y * (1 - y)


def tanh_gradient(x: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    """Return dE/dx = dE/dy (1 - y^2), where y = tanh(x), of the shape of x."""
    return upstream * (1 - torch.tanh(x) ** 2)


def relu_gradient(x: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    """Return dE/dx = dE/dy where x > 0 and 0 elsewhere, of the shape of x; at x = 0, 0 is one of the subgradients."""
    return upstream * (x > 0)


def sigmoid_dag(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    """Return y = sigmoid(x1) + sigmoid(x2): the sum of their minimum and their maximum, whichever is which."""
    return sigmoid(x1) + sigmoid(x2)


def sigmoid_dag_gradient(
    x1: torch.Tensor, x2: torch.Tensor, upstream: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return dE/dx1 and dE/dx2 of y = min + max of two sigmoids, on either branch and where x1 = x2.

    Minimum and maximum have no derivative at x1 = x2, their sum has.
    """
    return sigmoid_gradient(x1, upstream), sigmoid_gradient(x2, upstream)


# Batch normalisation of x (m, F) over the m rows, without a constant in the denominator (Ioffe and Szegedy 2015)


def batch_norm(x: torch.Tensor) -> torch.Tensor:
    """Return (x - mean) / standard deviation, (m, F); the deviation divides by m."""
    return (x - x.mean(dim=0)) / x.std(dim=0, correction=0)


def batch_norm_variance_gradient(x: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    """Return dE/dvariance, (F,), with the mean held: sum_i dE/dy_i (x_i - mean) (-1/2) variance^(-3/2)."""
    variance = x.var(dim=0, correction=0)
    return (upstream * (x - x.mean(dim=0))).sum(dim=0) * -0.5 * variance**-1.5


def batch_norm_mean_gradient(x: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    """Return dE/dmean, (F,): -sum_i dE/dy_i / standard deviation.

    The share that goes through the variance, sum_i -2 (x_i - mean) / m, is zero.
    """
    return -upstream.sum(dim=0) / x.std(dim=0, correction=0)


def batch_norm_gradient_in_parts(x: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    """Return dE/dx, (m, F), as the sum of the ways through y, the variance and the mean."""
    by_variance = batch_norm_variance_gradient(x, upstream)
    by_mean = batch_norm_mean_gradient(x, upstream)
    direct = upstream / x.std(dim=0, correction=0)
    return direct + by_variance * 2 * (x - x.mean(dim=0)) / len(x) + by_mean / len(x)


def batch_norm_gradient(x: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    """Return dE/dx, (m, F), in closed form: (g - mean g - y mean(g y)) / standard deviation, where g = dE/dy.

    So it has no component along the ones nor along y. A shift of y by a learnable epsilon (F,) does not change it.
    """
    return normalized_gradient(batch_norm(x), upstream, x.std(dim=0, correction=0))


def stable_batch_norm_gradient(x: torch.Tensor, upstream: torch.Tensor, constant: float) -> torch.Tensor:
    """Return dE/dx, (m, F), where y = (x - mean) / sqrt(variance + constant): the root is in the deviation's place."""
    deviation = torch.sqrt(x.var(dim=0, correction=0) + constant)
    return normalized_gradient((x - x.mean(dim=0)) / deviation, upstream, deviation)


def normalized_gradient(y: torch.Tensor, upstream: torch.Tensor, divisor: torch.Tensor) -> torch.Tensor:
    """Return (g - mean g - y mean(g y)) / divisor, (m, F), for outputs y and g = dE/dy (m, F), divisor (F,)."""
    return (upstream - upstream.mean(dim=0) - y * (upstream * y).mean(dim=0)) / divisor


def shifted_batch_norm(x: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Return batch_norm(x) + shift, (m, F): one shift (F,) a feature, shared by all rows."""
    return batch_norm(x) + shift


def shift_gradient(upstream: torch.Tensor) -> torch.Tensor:
    """Return dE/dshift = sum_i dE/dy_i, (F,)."""
    return upstream.sum(dim=0)


# Softmax and softmax regression


def softmax(x: torch.Tensor, beta: float) -> torch.Tensor:
    """Return exp(beta x_i) / sum_k exp(beta x_k), (K,); a negative beta is the convention exp(-|beta| x)."""
    powers = torch.exp(beta * (x - (x.max() if beta > 0 else x.min())))  # the largest is 1: no overflow
    return powers / powers.sum()


def softmax_jacobian(x: torch.Tensor, beta: float) -> torch.Tensor:
    """Return dy_i/dx_j = beta y_i (delta_ij - y_j), (K, K), for either sign of beta."""
    y = softmax(x, beta)
    return beta * (torch.diag(y) - torch.outer(y, y))


def softmax_gradient(x: torch.Tensor, beta: float, upstream: torch.Tensor) -> torch.Tensor:
    """Return dE/dx_j = beta y_j (g_j - sum_i g_i y_i), (K,), where g = dE/dy, for either sign of beta."""
    y = softmax(x, beta)
    return beta * y * (upstream - upstream @ y)


def cross_entropy(scores: torch.Tensor, label: int) -> torch.Tensor:
    """Return -ln of the softmax probability of the label, from scores (K,): log sum_k exp(z_k) - z_label.

    Finite even where that probability is too small for float64.
    """
    return torch.logsumexp(scores, dim=0) - scores[label]


def cross_entropy_output_gradient(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return dl/dy^_i = -y_i / y^_i, (K,), of l = -sum_i y_i ln y^_i for probabilities y^ and targets y."""
    return -target / outputs


def output_weight_jacobian(outputs: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return dy^_k/dW_ij = x_j y^_k (delta_ki - y^_i), (K, K, F), of y^ = softmax(W x + b) for x (F,).

    A weight of row i moves every output, not only y^_i.
    """
    return softmax_jacobian(outputs.log(), 1.0)[:, :, None] * x


def softmax_regression_gradient(
    outputs: torch.Tensor, target: torch.Tensor, x: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return dl/dW_ij = (y^_i - y_i) x_j, (K, F), and dl/db = y^ - y, (K,), for a target y of sum 1.

    The rows of wrong classes, y_i = 0, are y^_i x_j: they move too.
    """
    return torch.outer(outputs - target, x), outputs - target


# The chain rule, on f(x, y) = (x^2 + sigmoid(y)) / (3 x + y - sigmoid(x))


def quotient(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return f = a / b, where a = x^2 + sigmoid(y) and b = 3 x + y - sigmoid(x)."""
    return (x**2 + sigmoid(y)) / (3 * x + y - sigmoid(x))


def quotient_gradient(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return df/dx and df/dy of `quotient` by the quotient rule."""
    a = x**2 + sigmoid(y)
    b = 3 * x + y - sigmoid(x)
    one = torch.ones_like(x)
    by_x = (2 * x * b - a * (3 - sigmoid_gradient(x, one))) / b**2
    by_y = (sigmoid_gradient(y, one) * b - a) / b**2
    return by_x, by_y


# Pooling of an image (H, W): the windows are the products of an interval of rows and one of columns


def strided_windows(side: int, kernel: int, stride: int) -> list[slice]:
    """Return the intervals of a side that a window of `kernel` pixels covers in steps of `stride`."""
    return [slice(start, start + kernel) for start in range(0, side - kernel + 1, stride)]


def adaptive_windows(side: int, outputs: int) -> list[slice]:
    """Return the intervals of adaptive pooling: the i-th from floor(i n / m) to ceil((i + 1) n / m) of n pixels.

    They may differ in length and overlap.
    """
    return [slice(i * side // outputs, -(-(i + 1) * side // outputs)) for i in range(outputs)]


def max_pool(image: torch.Tensor, rows: list[slice], columns: list[slice]) -> torch.Tensor:
    """Return the largest value of every window, (rows, columns)."""
    return torch.stack([torch.stack([image[row, column].max() for column in columns]) for row in rows])


def max_pool_gradient(
    image: torch.Tensor, rows: list[slice], columns: list[slice], upstream: torch.Tensor
) -> torch.Tensor:
    """Return dE/dimage, (H, W): each window's share goes to its largest pixel, and shares add up where windows overlap.

    Of equal pixels the first takes it, as in PyTorch.
    """
    gradient = torch.zeros_like(image)
    for (i, row), (j, column) in itertools.product(enumerate(rows), enumerate(columns)):
        window = image[row, column]
        place = divmod(int(window.argmax()), window.shape[1])
        gradient[row, column][place] += upstream[i, j]
    return gradient


def average_pool(image: torch.Tensor, rows: list[slice], columns: list[slice]) -> torch.Tensor:
    """Return the mean of every window, (rows, columns)."""
    return torch.stack([torch.stack([image[row, column].mean() for column in columns]) for row in rows])


def average_pool_gradient(
    image: torch.Tensor, rows: list[slice], columns: list[slice], upstream: torch.Tensor
) -> torch.Tensor:
    """Return dE/dimage, (H, W): each window's share is spread evenly over its pixels."""
    gradient = torch.zeros_like(image)
    for (i, row), (j, column) in itertools.product(enumerate(rows), enumerate(columns)):
        gradient[row, column] += upstream[i, j] / gradient[row, column].numel()
    return gradient


# Convolution of one image (H, W) and one kernel (h, w), which networks do not flip: a cross-correlation


def convolution_side(side: int, kernel: int, padding: int, stride: int) -> int:
    """Return how many outputs a side has: floor((n + 2 p - k) / s) + 1."""
    return (side + 2 * padding - kernel) // stride + 1


def convolution(image: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Return F_ij = sum_mn X_(i+m)(j+n) W_mn wherever the kernel lies within the image, (H - h + 1, W - w + 1)."""
    windows = image.unfold(0, kernel.shape[0], 1).unfold(1, kernel.shape[1], 1)
    return torch.einsum("ijmn,mn->ij", windows, kernel)


def convolution_input_gradient(upstream: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Return dE/dX_ij = sum_mn dE/dF_(i-m)(j-n) W_mn, (H, W), where F outside its indices counts as zero.

    It is the full convolution: upstream, padded by the kernel's side less one, correlated with the flipped kernel.
    """
    height, width = kernel.shape
    padded = functional.pad(upstream, (width - 1, width - 1, height - 1, height - 1))
    return convolution(padded, kernel.flip(0, 1))


def convolution_kernel_gradient(image: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    """Return dE/dW_mn = sum_ij dE/dF_ij X_(i+m)(j+n), (h, w): the image correlated with upstream."""
    return convolution(image, upstream)


# Dropout of a layer's n inputs x, each kept with probability `keep`


def inverted_dropout(x: torch.Tensor, mask: torch.Tensor, keep: float) -> torch.Tensor:
    """Return x * mask / keep, of the shape of the mask (..., n) of zeros and ones. Its expectation is x."""
    return x * mask / keep


def weight_scaled_layer(weights: torch.Tensor, bias: torch.Tensor, x: torch.Tensor, keep: float) -> torch.Tensor:
    """Return (keep W) x + b, (K,): the layer with all its inputs that stands for all thinned ones.

    Its value is the mean of theirs; and softmax of it is the normalised geometric mean of their softmax outputs
    (Srivastava et al. 2014; Hinton et al. 2012).
    """
    return keep * weights @ x + bias
