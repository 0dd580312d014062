"""Lloyd's k-means in blocks: memory is the points plus one block, on CPU and CUDA from the same code.

Per iteration the nearest centroid costs 2 n D K operations, so that product is the one to make fast: it may run in
bfloat16, while sums, means and the objective stay float32/float64 and exact for the assignment that was found.
"""

import logging
import time
from typing import NamedTuple

import numpy as np
import torch

GAUSSIAN_START = 0.1  # small beside whitened patches
BLOCK = 4096  # points per product: block x K scores stay in the cache
SEEDING_POINTS_PER_CENTROID = 10  # k-means++ looks at a random subset of so many points per centroid


class Iteration(NamedTuple):
    """One Lloyd iteration: the objective is the mean squared distance to the nearest centroid before its update."""

    iteration: int
    objective: float
    empty_clusters: int
    changed_fraction: float
    seconds: float


def initial_centroids(points: torch.Tensor, count: int, initialization: str, rng: np.random.Generator) -> torch.Tensor:
    """Return float32 (count, D) start centroids for `points` whose mean is 0.

    initialization: "gaussian", normal numbers of standard deviation GAUSSIAN_START, as in the code that Coates, Lee and
    Ng released: points are first grouped by direction. "patches": different random points. "k-means++": on a random
    subset (Arthur and Vassilvitskii 2007). Raises ValueError if there are fewer points than centroids.
    """
    if len(points) < count:
        raise ValueError(f"{count} centroids need at least as many points, and there are {len(points)}")
    if initialization == "gaussian":
        return torch.from_numpy(rng.normal(0, GAUSSIAN_START, (count, points.shape[1])).astype(np.float32)).to(points)
    if initialization == "patches":
        return points[_random_rows(len(points), count, rng, points.device)].clone()
    from sklearn.cluster import kmeans_plusplus  # here, as the other starts spare two seconds of import

    size = min(len(points), SEEDING_POINTS_PER_CENTROID * count)
    subset = points[_random_rows(len(points), size, rng, points.device)].cpu().numpy()
    centroids, _ = kmeans_plusplus(subset, count, random_state=int(rng.integers(2**31)))
    return torch.from_numpy(centroids).to(points.device)


def lloyd(
    points: torch.Tensor,
    centroids: torch.Tensor,
    iterations: int,
    tolerance: float,
    rng: np.random.Generator,
    dtype: torch.dtype = torch.float32,
) -> tuple[torch.Tensor, list[Iteration]]:
    """Minimise the mean squared distance of points (n, D) to the nearest of K centroids, both float32.

    Stops after `iterations`, when no point changes its cluster, or when the objective falls by less than `tolerance`
    times itself. A cluster without points gets a random point as its centroid. dtype: of the assignment's product.
    Returns centroids (K, D) and the history.
    """
    history: list[Iteration] = []
    squared_norms = sum(float(block.square().sum(dtype=torch.float64)) for block in points.split(BLOCK))
    labels = torch.full((len(points),), -1, device=points.device)
    for iteration in range(1, iterations + 1):
        start = time.perf_counter()
        previous = labels
        labels = nearest_centroids(points, centroids, dtype)
        sums, counts = cluster_sums(points, labels, len(centroids))
        objective = _objective(squared_norms, len(points), centroids, sums, counts)
        empty = torch.nonzero(counts == 0).flatten()
        centroids = sums / counts.clamp_min(1).unsqueeze(1)
        if len(empty):
            centroids[empty] = points[_random_rows(len(points), len(empty), rng, points.device)]
        changed = float((labels != previous).float().mean())
        history.append(Iteration(iteration, objective, len(empty), changed, time.perf_counter() - start))
        logging.info("iteration %d: objective %.6g, %d empty, %.2f s", *history[-1][:3], history[-1].seconds)
        if changed == 0 or (len(history) > 1 and history[-2].objective - objective < tolerance * objective):
            break
    return centroids, history


def nearest_centroids(points: torch.Tensor, centroids: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return int64 (n,): the centroid nearest to each point, as argmax of x.c - |c|^2 / 2 (first one of equals)."""
    labels = torch.empty(len(points), dtype=torch.int64, device=points.device)
    half_norms = centroids.square().sum(dim=1) / 2
    transposed = centroids.T.to(dtype).contiguous()
    for start in range(0, len(points), BLOCK):
        block = points[start : start + BLOCK]
        scores = (block.to(dtype) @ transposed).float().sub_(half_norms)
        torch.argmax(scores, dim=1, out=labels[start : start + BLOCK])
    return labels


def cluster_sums(points: torch.Tensor, labels: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the float32 (count, D) sum and the int64 (count,) number of the points of each cluster."""
    sums = torch.zeros(count, points.shape[1], device=points.device)
    sums.index_add_(0, labels, points)
    return sums, torch.bincount(labels, minlength=count)


def _objective(
    squared_norms: float, count: int, centroids: torch.Tensor, sums: torch.Tensor, counts: torch.Tensor
) -> float:
    """Mean of |x - c|^2 from the clusters' sums: |x|^2 - 2 x.c + |c|^2 added up, no second pass over the points."""
    centroids = centroids.double()
    cross = float((centroids * sums).sum())
    norms = float((centroids.square().sum(dim=1) * counts).sum())
    return (squared_norms - 2 * cross + norms) / count


def _random_rows(total: int, count: int, rng: np.random.Generator, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(rng.choice(total, count, replace=False)).to(device)
