"""Lloyd's k-means in blocks, with momentum and with products that are cut short: CPU and CUDA from the same code.

Finding the nearest of K centroids for n points costs 2 n D K operations. Most of them can be left out where the leading
coordinates hold most of the variance, as those of PCA-whitened points do: with m of them the score x.c - |c|^2 / 2 of a
centroid is known up to |x_rest| |c_rest| (Cauchy-Schwarz), so that a point stays for certain with the centroid that
it had if no other one can beat its exact score. The others are multiplied in full. Momentum (Polyak 1964) moves the
centroids on in the direction of their last update, which halves the number of iterations.
"""

import logging
import time
from typing import NamedTuple

import numpy as np
import torch

GAUSSIAN_START = 0.1  # small beside whitened patches
BLOCK = {"cpu": 1024, "cuda": 16384}  # points per product; on a CPU block x K scores stay in the cache
SEEDING_POINTS_PER_CENTROID = 10  # k-means++ looks at a random subset of so many points per centroid
PLAIN_ITERATIONS = 2  # before momentum: the first updates are long, and in directions of their own
CUTS = (1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 3 / 4)  # of the coordinates: where a product may be cut short
CUT_COST = 0.05  # of a full product: what cutting it costs beside the product
SAMPLE = 2048  # points at most that decide where, ...
SAMPLED = 100  # ... one in so many
# Relative error of a product of dtype, beside the accumulated one of float32: its factors and its result are rounded.
ROUNDING = {torch.float32: 0.0, torch.bfloat16: 3 * 2.0**-9}


class Iteration(NamedTuple):
    """One iteration: the objective is the mean squared distance to the nearest centroid before its update.

    multiplied: the part of the full product n D K that it took.
    """

    iteration: int
    objective: float
    empty_clusters: int
    changed_fraction: float
    multiplied: float
    seconds: float


class Cut(NamedTuple):
    """A product of the leading coordinates only; rest: float32 (n,), the norm of each point's other coordinates."""

    leading: int
    rest: torch.Tensor


class Assignment(NamedTuple):
    """labels: int64 (n,), the nearest centroid of each point; multiplied: the part of the full product it took."""

    labels: torch.Tensor
    multiplied: float


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
    momentum: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor, list[Iteration]]:
    """Minimise the mean squared distance of points (n, D) to the nearest of K centroids, both float32.

    Stops after `iterations`, when no point changes its cluster, or when the objective falls by less than `tolerance`
    times itself; what momentum leaves undone then is done without it. A cluster without points gets a random point as
    its centroid. dtype: of the assignment's product. momentum: 0, plain Lloyd; else below 1.
    Returns centroids (K, D), which are the means of their points, the labels int64 (n,) of these, and the history.
    """
    history: list[Iteration] = []
    squared_norms = sum(float(points[rows].square().sum(dtype=torch.float64)) for rows in _blocks(points))
    labels = torch.full((len(points),), -1, device=points.device)
    sums = torch.zeros(centroids.shape, dtype=torch.float64, device=points.device)
    counts = torch.zeros(len(centroids), dtype=torch.int64, device=points.device)
    cut, means, moved = None, centroids, False
    for iteration in range(1, iterations + 1):
        start = time.perf_counter()
        cut = best_cut(points, centroids, labels, cut, dtype)
        found = assign(points, centroids, labels, cut, dtype)
        changed = move_points(points, labels, found.labels, sums, counts) / len(points)
        labels = found.labels
        objective = _objective(squared_norms, len(points), centroids, sums, counts)
        empty = torch.nonzero(counts == 0).flatten()
        previous, means = means, (sums / counts.clamp_min(1).unsqueeze(1)).float()
        if len(empty):
            means[empty] = points[_random_rows(len(points), len(empty), rng, points.device)]
        seconds = time.perf_counter() - start
        history.append(Iteration(iteration, objective, len(empty), changed, found.multiplied, seconds))
        logging.info("iteration %d: objective %.6g, %d empty, %.2f s", *history[-1][:3], seconds)
        if changed == 0 or (len(history) > 1 and history[-2].objective - objective < tolerance * objective):
            if not moved:
                break
            momentum = 0.0
        moved = momentum > 0 and iteration > PLAIN_ITERATIONS
        centroids = means
        if moved:
            centroids = means + momentum * (means - previous)
            centroids[empty] = means[empty]
    return means, labels, history


def nearest_centroids(points: torch.Tensor, centroids: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return int64 (n,): the centroid nearest to each point, as argmax of x.c - |c|^2 / 2 (first one of equals)."""
    labels = torch.full((len(points),), -1, device=points.device)
    return assign(points, centroids, labels, None, dtype).labels


def assign(
    points: torch.Tensor, centroids: torch.Tensor, labels: torch.Tensor, cut: Cut | None, dtype: torch.dtype
) -> Assignment:
    """Find the nearest centroid of each point, exactly up to the rounding of `dtype`; of equal ones any.

    labels: int64 (n,), the centroid that each point had, which a cut needs; they stay as they are.
    """
    half_norms = centroids.square().sum(dim=1) / 2
    transposed = centroids.T.to(dtype).contiguous()
    found, parts = labels.clone(), _blocks(points)
    if cut is not None:
        bounds = _bounds(centroids, half_norms, cut.leading, dtype)
        unsure = [
            _unsure(points[rows], cut.rest[rows], labels[rows], centroids, half_norms, bounds) + rows.start
            for rows in parts
        ]
        parts = torch.cat(unsure).split(BLOCK[points.device.type])
    for rows in parts:
        found[rows] = _nearest(points[rows], transposed, half_norms)
    if cut is None:
        return Assignment(found, 1.0)
    return Assignment(found, cut.leading / points.shape[1] + sum(map(len, unsure)) / len(points))


def best_cut(
    points: torch.Tensor, centroids: torch.Tensor, labels: torch.Tensor, cut: Cut | None, dtype: torch.dtype
) -> Cut | None:
    """Return where the product is cut best, by the points of a sample that each cut leaves unsure; None for nowhere.

    labels: the centroid that each point had, -1 for none. cut: the last one, of whose norms use is made.
    """
    if labels[0] < 0:
        return None
    step = max(SAMPLED, -(-len(points) // SAMPLE))
    sample, guesses, dimension = points[::step], labels[::step], points.shape[1]
    half_norms = centroids.square().sum(dim=1) / 2
    costs = {dimension: 1.0}
    for leading in sorted({int(part * dimension) for part in CUTS} - {0}):
        bounds = _bounds(centroids, half_norms, leading, dtype)
        rest = sample[:, leading:].norm(dim=1)
        unsure = _unsure(sample, rest, guesses, centroids, half_norms, bounds)
        costs[leading] = CUT_COST + leading / dimension + len(unsure) / len(sample)
    leading = min(costs, key=costs.get)
    if leading == dimension:
        return None
    if cut is not None and cut.leading == leading:
        return cut
    return Cut(leading, torch.cat([points[rows, leading:].norm(dim=1) for rows in _blocks(points)]))


def move_points(
    points: torch.Tensor, old: torch.Tensor, new: torch.Tensor, sums: torch.Tensor, counts: torch.Tensor
) -> int:
    """Update each cluster's sum, float64 (K, D), and number of points, int64 (K,), in place; return how many moved.

    old, new: int64 (n,), the clusters; an old one below 0 is none.
    """
    moved = torch.nonzero(new != old).flatten()
    for rows in moved.split(BLOCK[points.device.type]):
        block, known = points[rows].double(), old[rows] >= 0
        sums.index_add_(0, new[rows], block)
        sums.index_add_(0, old[rows][known], block[known], alpha=-1)
    left = old[moved]
    counts += torch.bincount(new[moved], minlength=len(counts))
    counts -= torch.bincount(left[left >= 0], minlength=len(counts))
    return len(moved)


def _blocks(points: torch.Tensor) -> list[slice]:
    """Return the rows of each block of points."""
    size = BLOCK[points.device.type]
    return [slice(start, start + size) for start in range(0, len(points), size)]


def _nearest(block: torch.Tensor, transposed: torch.Tensor, half_norms: torch.Tensor) -> torch.Tensor:
    """Return the nearest centroid of each point of a block, by the full product with the centroids (D, K)."""
    if transposed.dtype == torch.float32:
        return torch.addmm(-half_norms, block, transposed).max(dim=1).indices
    return (block.to(transposed.dtype) @ transposed).float().sub_(half_norms).max(dim=1).indices


class _Bounds(NamedTuple):
    """What bounds scores: the leading rows of the centroids (m, K) in the product's dtype, and float32 factors (4, K).

    The factors are multiplied with |x_rest|, |x|, 1 and the score to be beaten.
    """

    leading: torch.Tensor
    factors: torch.Tensor


def _bounds(centroids: torch.Tensor, half_norms: torch.Tensor, leading: int, dtype: torch.dtype) -> _Bounds:
    rest, norms = centroids[:, leading:].norm(dim=1), centroids.norm(dim=1)
    rounding = ROUNDING[dtype] + centroids.shape[1] * torch.finfo(torch.float32).eps
    factors = torch.stack([rest, rounding * norms, -half_norms, -torch.ones_like(rest)])
    part = centroids[:, :leading].T
    # One product does it where both have the same format.
    together = torch.cat([part, factors]) if dtype == torch.float32 else part.to(dtype).contiguous()
    return _Bounds(together, factors)


def _unsure(
    block: torch.Tensor,
    rest: torch.Tensor,
    guesses: torch.Tensor,
    centroids: torch.Tensor,
    half_norms: torch.Tensor,
    bounds: _Bounds,
) -> torch.Tensor:
    """Return the rows of a block whose guess another centroid might beat. rest: the norms of what is cut off."""
    own = torch.linalg.vecdot(block, centroids[guesses]) - half_norms[guesses]
    factors = torch.stack([rest, block.norm(dim=1), torch.ones_like(own), own], dim=1)
    if bounds.leading.dtype == torch.float32:
        leading = len(bounds.leading) - len(bounds.factors)
        above = torch.cat([block[:, :leading], factors], dim=1) @ bounds.leading
    else:
        product = block[:, : len(bounds.leading)].to(bounds.leading.dtype) @ bounds.leading
        above = product.float().addmm_(factors, bounds.factors)
    above[torch.arange(len(block), device=block.device), guesses] = -torch.inf
    return torch.nonzero(above.amax(dim=1) > 0).flatten()


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
