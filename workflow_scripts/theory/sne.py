"""Maps of points that keep their neighbours: symmetric SNE and t-SNE (van der Maaten and Hinton 2008), exact, O(N^2).

The two differ in one thing only, the kernel of distances in the map: "gaussian", exp(-d^2), is symmetric SNE's;
"student", 1 / (1 + d^2), is t-SNE's. All arrays are float64.
"""

import numpy as np

from semisup.cli import UserError

KERNELS = ("gaussian", "student")
BISECTIONS = 64  # halvings of the interval of a precision's logarithm; the last ones change nothing in float64
LOG_PRECISIONS = (-50.0, 50.0)  # of distances that are scaled to a mean square of 1


def affinities(points: np.ndarray, perplexity: float) -> np.ndarray:
    """Return the joint probabilities p_ij, (N, N), of points (N, D): symmetric, zero on the diagonal, of sum 1.

    p_ij = (p_j|i + p_i|j) / 2N (van der Maaten and Hinton 2008, section 3.1). Raises UserError as
    `conditional_affinities` does.
    """
    conditional = conditional_affinities(points, perplexity)
    return (conditional + conditional.T) / (2 * len(points))


def conditional_affinities(points: np.ndarray, perplexity: float) -> np.ndarray:
    """Return the conditional probabilities p_j|i, (N, N): each row has sum 1 and the given perplexity exp(entropy).

    Row i is a Gaussian around point i (equation 1); bisection finds its width. Raises UserError unless the perplexity
    lies between 1 and the N - 1 neighbours of a point, neither included, and unless the points differ.
    """
    neighbors = len(points) - 1
    if not 1 < perplexity < neighbors:
        raise UserError(f"perplexity {perplexity} does not lie between 1 and {neighbors}, the neighbours of a point")
    distances = squared_distances(points)
    if not distances.any():
        raise UserError(f"all {len(points)} points are the same: there are no neighbours to find")
    distances /= distances.mean()
    np.fill_diagonal(distances, np.inf)
    distances -= distances.min(axis=1, keepdims=True)
    np.fill_diagonal(distances, 0.0)
    low, high = (np.full((len(points), 1), edge) for edge in LOG_PRECISIONS)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        wide = row_entropies(distances, np.exp(middle)) > np.log(perplexity)
        low, high = np.where(wide, middle, low), np.where(wide, high, middle)
    rows = gaussian_rows(distances, np.exp((low + high) / 2))
    return rows / rows.sum(axis=1, keepdims=True)


def gaussian_rows(distances: np.ndarray, precisions: np.ndarray) -> np.ndarray:
    """Return exp(-precision * distance), (N, N), zero on the diagonal. precisions: (N, 1)."""
    rows = np.exp(-precisions * distances)
    np.fill_diagonal(rows, 0.0)
    return rows


def row_entropies(distances: np.ndarray, precisions: np.ndarray) -> np.ndarray:
    """Return the entropies (N, 1), in nats, of what `gaussian_rows` returns when each row has sum 1.

    Of each row's distances (N, N) the smallest is 0, so that no sum vanishes: log sum_j w_j - sum_j w_j log w_j / sum_j
    w_j.
    """
    rows = gaussian_rows(distances, precisions)
    sums = rows.sum(axis=1, keepdims=True)
    return np.log(sums) + precisions * (rows * distances).sum(axis=1, keepdims=True) / sums


def map_affinities(points: np.ndarray, kernel: str) -> np.ndarray:
    """Return q_ij, (N, N), of the map's points (N, 2): symmetric, zero on the diagonal, of sum 1."""
    similarities = kernel_values(points, kernel)
    return similarities / similarities.sum()


def sne_cost(joint: np.ndarray, points: np.ndarray, kernel: str) -> float:
    """Return the Kullback-Leibler divergence of q from p = `joint` (N, N): sum p_ij log(p_ij / q_ij), in nats."""
    log_q = log_kernel(points, kernel) - np.log(kernel_values(points, kernel).sum())
    present = joint > 0
    return float((joint[present] * (np.log(joint[present]) - log_q[present])).sum())


def sne_gradient(joint: np.ndarray, points: np.ndarray, kernel: str) -> np.ndarray:
    """Return the gradient of `sne_cost` by the map's points, (N, 2).

    4 sum_j (p_ij - q_ij) (y_i - y_j) for the Gaussian kernel, and each term divided by 1 + |y_i - y_j|^2 for Student's
    (van der Maaten and Hinton 2008, section 3.1 and equation 5).
    """
    similarities = kernel_values(points, kernel)
    forces = similarities * (-1 / similarities.sum())
    forces += joint
    if kernel == "student":
        forces *= similarities
    # sum_j f_ij (y_i - y_j) without an array of all differences
    return 4 * (forces.sum(axis=1, keepdims=True) * points - forces @ points)


def squared_distances(points: np.ndarray) -> np.ndarray:
    """Return the squared Euclidean distances (N, N) between points (N, D), exactly zero on the diagonal."""
    points = points - points.mean(axis=0)  # far from the origin the difference of large squares would lose digits
    squares = (points**2).sum(axis=1)
    distances = points @ (-2 * points.T)
    distances += squares  # in place, here and below: at this size a new array takes longer than what fills it
    distances += squares[:, None]
    np.maximum(distances, 0, out=distances)
    np.fill_diagonal(distances, 0.0)
    return distances


def kernel_values(points: np.ndarray, kernel: str) -> np.ndarray:
    """Return the kernel of all pairs, (N, N), zero on the diagonal, up to the factor that `log_kernel` has.

    Raises ValueError for a kernel of another name.
    """
    if kernel == "student":
        values = squared_distances(points)
        values += 1
        np.reciprocal(values, out=values)
    else:
        values = log_kernel(points, kernel)
        np.exp(values, out=values)
    np.fill_diagonal(values, 0.0)
    return values


def log_kernel(points: np.ndarray, kernel: str) -> np.ndarray:
    """Return the logarithm of the kernel of all pairs, (N, N), with -inf on the diagonal.

    The Gaussian kernel has a factor that makes it 1 for the nearest pair: of points that lie far apart all values would
    vanish. Raises ValueError for a kernel of another name.
    """
    if kernel not in KERNELS:
        raise ValueError(f"kernel {kernel} is none of {', '.join(KERNELS)}")
    distances = squared_distances(points)
    np.fill_diagonal(distances, np.inf)
    if kernel == "student":
        return -np.log1p(distances)
    distances -= distances.min()
    return np.negative(distances, out=distances)
