"""Maps of points that keep their neighbours: symmetric SNE and t-SNE (van der Maaten and Hinton 2008), exact, O(N^2).

The two differ in one thing only, the kernel of distances in the map: "gaussian", exp(-d^2), is symmetric SNE's;
"student", 1 / (1 + d^2), is t-SNE's. All tensors are float64.
"""

import torch

from semisup.cli import UserError

KERNELS = ("gaussian", "student")
BISECTIONS = 64  # halvings of the interval of a precision's logarithm; the last ones change nothing in float64
LOG_PRECISIONS = (-50.0, 50.0)  # of distances that are scaled to a mean square of 1


def affinities(points: torch.Tensor, perplexity: float) -> torch.Tensor:
    """Return the joint probabilities p_ij, (N, N), of points (N, D): symmetric, zero on the diagonal, of sum 1.

    p_ij = (p_j|i + p_i|j) / 2N (van der Maaten and Hinton 2008, section 3.1). Raises UserError as
    `conditional_affinities` does.
    """
    conditional = conditional_affinities(points, perplexity)
    return (conditional + conditional.T) / (2 * len(points))


def conditional_affinities(points: torch.Tensor, perplexity: float) -> torch.Tensor:
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
    distances = distances / distances.mean()
    low, high = (torch.full((len(points), 1), edge, dtype=points.dtype) for edge in LOG_PRECISIONS)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        log_rows = log_normalized(-middle.exp() * distances, dim=1)
        entropy = -(log_rows.exp() * without_diagonal(log_rows)).sum(dim=1, keepdim=True)
        wide = entropy.exp() > perplexity
        low, high = torch.where(wide, middle, low), torch.where(wide, high, middle)
    return log_normalized(-((low + high) / 2).exp() * distances, dim=1).exp()


def map_affinities(points: torch.Tensor, kernel: str) -> torch.Tensor:
    """Return q_ij, (N, N), of the map's points (N, 2): symmetric, zero on the diagonal, of sum 1."""
    return log_normalized(log_kernel(points, kernel), dim=(0, 1)).exp()


def sne_cost(joint: torch.Tensor, points: torch.Tensor, kernel: str) -> torch.Tensor:
    """Return the Kullback-Leibler divergence of q from p = `joint` (N, N): sum p_ij log(p_ij / q_ij), in nats."""
    log_q = log_normalized(log_kernel(points, kernel), dim=(0, 1))
    return (torch.xlogy(joint, joint) - joint * without_diagonal(log_q)).sum()


def sne_gradient(joint: torch.Tensor, points: torch.Tensor, kernel: str) -> torch.Tensor:
    """Return the gradient of `sne_cost` by the map's points, (N, 2).

    4 sum_j (p_ij - q_ij) (y_i - y_j) for the Gaussian kernel, and each term divided by 1 + |y_i - y_j|^2 for Student's
    (van der Maaten and Hinton 2008, section 3.1 and equation 5).
    """
    forces = joint - map_affinities(points, kernel)
    if kernel == "student":
        forces = forces / (1 + squared_distances(points))
    # sum_j f_ij (y_i - y_j) without an array of all differences
    return 4 * (forces.sum(dim=1, keepdim=True) * points - forces @ points)


def squared_distances(points: torch.Tensor) -> torch.Tensor:
    """Return the squared Euclidean distances (N, N) between points (N, D), exactly zero on the diagonal."""
    points = points - points.mean(dim=0)  # far from the origin the difference of large squares would lose digits
    products = points @ points.T
    squares = products.diagonal()
    distances = (squares[:, None] + squares[None, :] - 2 * products).clamp(min=0)
    return without_diagonal(distances)


def log_kernel(points: torch.Tensor, kernel: str) -> torch.Tensor:
    """Return the logarithm of the kernel, (N, N). Raises ValueError for a kernel of another name."""
    if kernel not in KERNELS:
        raise ValueError(f"kernel {kernel} is none of {', '.join(KERNELS)}")
    distances = squared_distances(points)
    return -distances if kernel == "gaussian" else -torch.log1p(distances)


def log_normalized(logs: torch.Tensor, dim: int | tuple[int, ...]) -> torch.Tensor:
    """Return the logarithms (N, N) less that of their sum over `dim`; the diagonal, -inf, has no share in it."""
    logs = logs.masked_fill(torch.eye(len(logs), dtype=torch.bool), -torch.inf)
    return logs - torch.logsumexp(logs, dim=dim, keepdim=True)


def without_diagonal(matrix: torch.Tensor) -> torch.Tensor:
    """Return the matrix (N, N) with zeros on its diagonal."""
    return matrix.masked_fill(torch.eye(len(matrix), dtype=torch.bool), 0.0)
