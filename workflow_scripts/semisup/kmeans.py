"""Lloyd's k-means in blocks, with momentum and with products that are cut short: CPU and CUDA from the same code.

Finding the nearest of K centroids for n points costs 2 n D K operations. Most of them can be left out where the leading
coordinates hold most of the variance, as those of PCA-whitened points do: with m of them the score x.c - |c|^2 / 2 of a
centroid is known up to |x_rest| |c_rest| (Cauchy-Schwarz), so that a point stays for certain with the centroid that
it had if no other one can beat its exact score. The others are multiplied in full. Momentum (Polyak 1964) moves the
centroids on in the direction of their last update, which halves the number of iterations. The first iterations, whose
clusters are rough in any case, may look at leading coordinates alone, and at a part of the points.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from semisup.checkpoints import Checkpoint, deferred_stop, load_checkpoint, save_checkpoint
from semisup.device import sum_dtype

GAUSSIAN_START = 0.1  # small beside whitened patches
BLOCK = {"cpu": 2048, "cuda": 16384, "mps": 16384}  # points per product; on a CPU block x K scores stay in the cache
SEEDING_POINTS_PER_CENTROID = 10  # k-means++ looks at a random subset of so many points per centroid
PLAIN_ITERATIONS = 1  # before momentum: the first update is long, and in a direction of its own
COLUMNS = 32  # of the table that a point's scores are folded into, which is searched in two fast passes
ROUGH_PART = 0.8  # of the variance lies in the coordinates that the first iterations look at
ROUGH_STEP = 4  # one point in so many is what they look at, if enough are left for each centroid
ROUGH_FALL = 0.01  # of the objective: an iteration that lowers it by less is the last of these
CUTS = (1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 3 / 4)  # of the coordinates: where a product may be cut short
CUT_COST = 0.05  # of a full product: what cutting it costs beside the product
SAMPLE = 2048  # points at most that decide where, ...
SAMPLED = 100  # ... one in so many
# Relative error of a product of dtype, beside the accumulated one of float32: its factors and its result are rounded.
ROUNDING = {torch.float32: 0.0, torch.bfloat16: 3 * 2.0**-9}


class Iteration(NamedTuple):
    """One iteration: the objective is the mean squared distance to the nearest centroid before its update.

    points, coordinates: those that it looked at, to which all that is said refers; the centroids are 0 in the other
    coordinates. multiplied: the part of the product of these and K that it took.
    """

    iteration: int
    objective: float
    empty_clusters: int
    changed_fraction: float
    points: int
    coordinates: int
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


@dataclass
class _Progress:
    """What an iteration leaves to the next one, for the n points and d coordinates it looks at; a checkpoint holds it.

    centroids: float32 (K, d), to which points are assigned next; means: (K, d), of the clusters; moved: momentum has
    made these two differ; labels: int64 (n,), the clusters, -1 for none yet; sums: (K, d), float64 where the
    device has it; counts: int64 (K,).
    """

    centroids: torch.Tensor
    means: torch.Tensor
    labels: torch.Tensor
    sums: torch.Tensor
    counts: torch.Tensor
    momentum: float
    moved: bool = False
    settled: bool = False
    finished: bool = False
    history: list[tuple[float, ...]] = field(default_factory=list)


def leading_coordinates(points: torch.Tensor) -> int:
    """Return how many leading coordinates of points (n, D) hold ROUGH_PART of the variance; D if it takes over half."""
    squares = sum(points[rows].square().sum(dim=0, dtype=sum_dtype(points.device)) for rows in _blocks(points))
    count = int((squares.cumsum(dim=0) < ROUGH_PART * squares.sum()).sum()) + 1
    return count if 2 * count <= len(squares) else len(squares)


def rough_points(points: torch.Tensor, count: int, leading: int) -> torch.Tensor:
    """Return the points (m, D), a view, at which the first iterations look for so many centroids and coordinates.

    Each centroid has at least as many points as coordinates, or all: of fewer points a mean would be noise mostly.
    """
    return points[:: max(1, min(ROUGH_STEP, len(points) // (count * leading)))]


def lloyd(
    points: torch.Tensor,
    centroids: torch.Tensor,
    iterations: int,
    tolerance: float,
    seed: int,
    dtype: torch.dtype = torch.float32,
    momentum: float = 0.0,
    leading: int | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[torch.Tensor, torch.Tensor, list[Iteration]]:
    """Minimise the mean squared distance of points (n, D) to the nearest of K centroids, both float32.

    Stops after `iterations`, when no point changes its cluster, or when the objective falls by less than `tolerance`
    times itself; what momentum leaves undone then is done without it. A cluster without points gets a random point as
    its centroid. dtype: of the assignment's product. momentum: below 1; 0, none. leading: the coordinates that the
    first iterations look at, of `rough_points`; these are half of all iterations at most, and end with the first that
    lowers the objective by less than ROUGH_FALL.
    With a checkpoint it logs each iteration, goes on from what is there, and saves at SIGINT and SIGTERM before it
    raises SystemExit.
    Returns centroids (K, D), which are the means of their points, the labels int64 (n,) of these, and the history.
    """
    saved = load_checkpoint(checkpoint) if checkpoint else None
    if saved and saved["finished"]:
        logging.info("this k-means has ended before: its centroids are taken from the checkpoint")
        return _result(_Progress(**_onto(saved, points.device)))
    rough = rough_points(points, len(centroids), leading or points.shape[1])
    if saved:
        progress = _Progress(**_onto(saved, points.device))
        logging.info("resumed after %d iterations", len(progress.history))
    else:
        first = centroids[:, : leading if iterations > 1 else None]
        labels = _no_labels(rough if first.shape[1] < points.shape[1] else points)
        progress = _Progress(first, first, labels, *_nothing(first), momentum)
    with _keeper(checkpoint) as keep:
        if progress.centroids.shape[1] < points.shape[1]:
            _iterate(rough, progress, iterations // 2, ROUGH_FALL, seed, dtype, keep)
            _look_at_all(points, rough, progress, seed)
        _iterate(points, progress, iterations, tolerance, seed, dtype, keep)
    if checkpoint:
        small = {"sums": progress.sums[:0], "counts": progress.counts[:0], "centroids": progress.centroids[:0]}
        save_checkpoint(checkpoint, vars(progress) | small | {"finished": True})
    return _result(progress)


def _result(progress: _Progress) -> tuple[torch.Tensor, torch.Tensor, list[Iteration]]:
    return progress.means, progress.labels, [Iteration(*row) for row in progress.history]


def _onto(saved: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Return the fields of `_Progress` with their tensors on the device."""
    return {name: value.to(device) if torch.is_tensor(value) else value for name, value in saved.items()}


@contextmanager
def _keeper(checkpoint: Checkpoint | None) -> Iterator[Callable[[_Progress], None]]:
    """Yield a function that is called after each iteration: it logs it, and saves when it is time or a signal came."""
    if checkpoint is None:
        yield lambda _: None
        return
    saved_at = time.perf_counter()

    def keep(progress: _Progress) -> None:
        nonlocal saved_at
        row = Iteration(*progress.history[-1])
        logging.info(
            "iteration %d: objective %.6g, %d empty, %d coordinates, %.2f s",
            *(row.iteration, row.objective, row.empty_clusters, row.coordinates, row.seconds),
        )
        number = stop()
        if number or time.perf_counter() - saved_at >= checkpoint.seconds:
            save_checkpoint(checkpoint, vars(progress))
            saved_at = time.perf_counter()
        if number:
            logging.info("stopped by signal %d; the same command goes on from here", number)
            raise SystemExit(128 + number)

    with deferred_stop() as stop:
        yield keep


def _nothing(centroids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return sums and counts of clusters without points."""
    counts = torch.zeros(len(centroids), dtype=torch.int64, device=centroids.device)
    return torch.zeros_like(centroids, dtype=sum_dtype(centroids.device)), counts


def _no_labels(points: torch.Tensor) -> torch.Tensor:
    """Return the labels int64 (n,) of points that are in no cluster yet."""
    return torch.full((len(points),), -1, device=points.device)


def _look_at_all(points: torch.Tensor, rough: torch.Tensor, progress: _Progress, seed: int) -> None:
    """Go from the leading coordinates of the rough points to all of both: the clusters stay."""
    every = points.new_empty(len(progress.means), points.shape[1])
    progress.sums, progress.counts = _nothing(every)
    move_points(rough, _no_labels(rough), progress.labels, progress.sums, progress.counts)
    progress.means, _ = _means(rough, progress, seed, 2 * len(progress.history) + 1)
    progress.centroids, progress.moved, progress.settled = progress.means, False, False
    if len(rough) < len(points):
        progress.labels = _no_labels(points)
        progress.sums, progress.counts = _nothing(every)


def _iterate(
    points: torch.Tensor,
    progress: _Progress,
    last: int,
    tolerance: float,
    seed: int,
    dtype: torch.dtype,
    keep: Callable[[_Progress], None],
) -> None:
    """Go on, with the coordinates of the progress, until the iteration of number `last` or until it has settled."""
    cut, dimension = None, progress.centroids.shape[1]
    exact = sum_dtype(points.device)
    squared_norms = sum(float(points[rows].square().sum(dtype=exact)) for rows in _blocks(points))
    looked_at, all_of_them = points[:, :dimension], dimension == points.shape[1]
    while len(progress.history) < last and not progress.settled:
        start, iteration = time.perf_counter(), len(progress.history) + 1
        cut = best_cut(looked_at, progress.centroids, progress.labels, cut, dtype)
        found = assign(looked_at, progress.centroids, progress.labels, cut, dtype)
        moved = move_points(looked_at, progress.labels, found.labels, progress.sums, progress.counts)
        progress.labels = found.labels
        objective = _objective(squared_norms, len(points), progress.centroids, progress.sums, progress.counts)
        last_one = Iteration(*progress.history[-1]) if progress.history else None
        comparable = last_one is not None and (last_one.points, last_one.coordinates) == looked_at.shape
        fall = last_one.objective - objective if comparable else np.inf
        settled = moved == 0 or fall < tolerance * objective
        if settled and progress.moved and all_of_them:
            progress.momentum, settled = 0.0, False
        previous = progress.means
        progress.means, empty = _means(looked_at, progress, seed, 2 * iteration)
        progress.settled, progress.centroids = settled, progress.means
        progress.moved = progress.momentum > 0 and iteration > PLAIN_ITERATIONS
        if progress.moved:
            progress.centroids = progress.means + progress.momentum * (progress.means - previous)
            progress.centroids[empty] = progress.means[empty]
        seconds, part = time.perf_counter() - start, moved / len(points)
        row = Iteration(iteration, objective, len(empty), part, *looked_at.shape, found.multiplied, seconds)
        progress.history.append(tuple(row))
        keep(progress)


def _means(points: torch.Tensor, progress: _Progress, seed: int, draw: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the clusters' means float32 (K, d), a random point's place for an empty one; and which are empty.

    draw: a number of its own for each call, so that no two draw the same points.
    """
    empty = torch.nonzero(progress.counts == 0).flatten()
    means = (progress.sums / progress.counts.clamp_min(1).unsqueeze(1)).float()
    if len(empty):
        # The key keeps these numbers apart from those that drew the first centroids by the same seed.
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(draw,)))
        means[empty] = points[_random_rows(len(points), len(empty), rng, points.device)]
    return means, empty


def nearest_centroids(points: torch.Tensor, centroids: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return int64 (n,): the centroid nearest to each point, as argmax of x.c - |c|^2 / 2; of equal ones any."""
    labels = torch.full((len(points),), -1, device=points.device)
    return assign(points, centroids, labels, None, dtype).labels


def assign(
    points: torch.Tensor, centroids: torch.Tensor, labels: torch.Tensor, cut: Cut | None, dtype: torch.dtype
) -> Assignment:
    """Find the nearest centroid of each point, exactly up to the rounding of `dtype`; of equal ones any.

    labels: int64 (n,), the centroid that each point had, which a cut needs; they stay as they are.
    """
    half_norms = centroids.square().sum(dim=1) / 2
    table = _padded(centroids, half_norms, dtype)
    found, parts = labels.clone(), _blocks(points)
    if cut is not None:
        bounds = _bounds(centroids, half_norms, cut.leading, dtype)
        unsure = [
            _unsure(points[rows], cut.rest[rows], labels[rows], centroids, half_norms, bounds) + rows.start
            for rows in parts
        ]
        parts = torch.cat(unsure).split(BLOCK[points.device.type])
    for rows in parts:
        found[rows] = _nearest(points[rows], *table)
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
    """Update each cluster's sum, (K, D), and number of points, int64 (K,), in place; return how many moved.

    old, new: int64 (n,), the clusters; an old one below 0 is none.
    """
    moved = torch.nonzero(new != old).flatten()
    for rows in moved.split(BLOCK[points.device.type]):
        block, known = points[rows].to(sums.dtype), old[rows] >= 0
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


def _padded(centroids: torch.Tensor, half_norms: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the centroids (D, L) and |c|^2 / 2, float32 (L,), filled up to whole rows of COLUMNS with none at all."""
    missing = -len(centroids) % COLUMNS
    transposed = functional.pad(centroids.T.to(dtype), (0, missing))
    return transposed.contiguous(), functional.pad(half_norms, (0, missing), value=torch.inf)


def _nearest(block: torch.Tensor, transposed: torch.Tensor, half_norms: torch.Tensor) -> torch.Tensor:
    """Return the nearest centroid of each point of a block, by the full product with the padded centroids (D, L)."""
    if transposed.dtype == torch.float32:
        scores = torch.addmm(-half_norms, block, transposed)
    else:
        scores = (block.to(transposed.dtype) @ transposed).float().sub_(half_norms)
    # The maximum's place, in a third of the time of scores.argmax(dim=1): its column, and then its row in that.
    folded = scores.view(len(block), scores.shape[1] // COLUMNS, COLUMNS)
    column = folded.amax(dim=1).argmax(dim=1)
    row = folded.gather(2, column.view(-1, 1, 1).expand(-1, folded.shape[1], 1)).squeeze(2).argmax(dim=1)
    return row * COLUMNS + column


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
    centroids = centroids.to(sums.dtype)
    cross = float((centroids * sums).sum())
    norms = float((centroids.square().sum(dim=1) * counts).sum())
    return (squared_norms - 2 * cross + norms) / count


def _random_rows(total: int, count: int, rng: np.random.Generator, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(rng.choice(total, count, replace=False)).to(device)
