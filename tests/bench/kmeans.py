"""K-means to an objective, beside scikit-learn, faiss and SuperKMeans.

All cluster the same whitened patches with the same number of threads, all but SuperKMeans (which takes none) from the
same start. The aim is the objective that scikit-learn reaches after 25 iterations, within a thousandth. A peer that is
not installed is left out. The operations that count are those of the full product in each iteration, which bounds
partly save.
"""

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from bench.pictures import whitened_patches
from bench.rows import Row, format_name, formats, scaled, timed
from semisup.kmeans import leading_coordinates, lloyd

if TYPE_CHECKING:
    from superkmeans import SuperKMeans

ITERATIONS = 25  # of scikit-learn
CENTROIDS = 1600
POINTS_PER_CENTROID = 20  # at least: small sizes have fewer centroids
MOMENTUM = 0.8  # that of the study
CLOSE = 1.001  # times its objective
MOST_ITERATIONS = 40  # of those that do not reach it in time


class Size(NamedTuple):
    """Patches of so many pixels from square pictures made smaller by a factor, and the whitening's epsilon."""

    points: int
    side: int
    shrink: int
    epsilon: float


SIZES = (Size(320_000, 6, 3, 0.1), Size(160_000, 22, 1, 4.0))


class Result(NamedTuple):
    """seconds: for the iterations to the aim, or for all if it was not reached (None); objective: in the end."""

    who: str
    seconds: float
    iterations: int | None
    objective: float
    dtype: torch.dtype = torch.float32


def kmeans_rows(part: float) -> Iterator[Row]:
    """Run all of them on both sizes; scikit-learn, which sets the aim, comes first."""
    for size in SIZES:
        count = scaled(size.points, part, least=10 * POINTS_PER_CENTROID)
        points = whitened_patches(size.side, size.shrink, count, size.epsilon).points
        centroids = min(CENTROIDS, count // POINTS_PER_CENTROID)
        start = points[np.random.default_rng(1).choice(count, centroids, replace=False)].copy()
        work = f"k-means, {count:,} x {points.shape[1]:,}, K = {centroids:,}"
        for result in results(points, start):
            said = f"{result.iterations} iterations" if result.iterations else "aim not reached"
            yield Row(
                work,
                result.who,
                result.seconds,
                f"{said}, objective {result.objective:.4f}",
                2.0 * points.size * centroids * (result.iterations or MOST_ITERATIONS),
                result.dtype,
            )


def results(points: np.ndarray, start: np.ndarray) -> Iterator[Result]:
    """Cluster points (n, D), all but SuperKMeans from the start (K, D)."""
    first = sklearns(points, start)
    aim = CLOSE * first.objective
    yield first
    if importlib.util.find_spec("faiss"):
        yield faisss(points, start, aim)
    if importlib.util.find_spec("superkmeans"):
        yield super_kmeans(points, len(start), aim)
    for dtype in formats():
        yield ours(points, start, aim, dtype)


def ours(points: np.ndarray, start: np.ndarray, aim: float, dtype: torch.dtype) -> Result:
    """Run this project's k-means; the iterations after the one that reached the aim do not count."""
    x, first = torch.from_numpy(points), torch.from_numpy(start)
    seconds, (_, _, history) = timed(
        lambda: lloyd(x, first, MOST_ITERATIONS, 0.0, 0, dtype, MOMENTUM, leading_coordinates(x))
    )
    reached = next((row.iteration for row in history if row.objective <= aim), None)
    seconds -= sum(row.seconds for row in history[reached:]) if reached else 0.0
    who = f"this project, {format_name(dtype)}, momentum {MOMENTUM}"
    return Result(who, seconds, reached, history[(reached or 0) - 1].objective, dtype)


def sklearns(points: np.ndarray, start: np.ndarray) -> Result:
    """Run scikit-learn's Lloyd, whose objective is the aim."""
    from sklearn.cluster import KMeans

    model = KMeans(len(start), init=start, n_init=1, max_iter=ITERATIONS, tol=0, algorithm="lloyd", copy_x=False)
    seconds, _ = timed(lambda: model.fit(points))
    return Result("scikit-learn, Lloyd", seconds, model.n_iter_, objective(points, model.cluster_centers_))


def faisss(points: np.ndarray, start: np.ndarray, aim: float) -> Result:
    """Run faiss's k-means from the same start; its statistics tell objective and time of each iteration."""
    import faiss

    model = faiss.Kmeans(
        points.shape[1],
        len(start),
        niter=MOST_ITERATIONS,
        max_points_per_centroid=len(points),
        min_points_per_centroid=1,
    )
    model.train(points, init_centroids=start)
    reached = next((number for number, total in enumerate(model.obj, 1) if total / len(points) <= aim), None)
    last = (reached or 0) - 1
    return Result("faiss", model.iteration_stats[last]["time"], reached, model.obj[last] / len(points))


def super_kmeans(points: np.ndarray, centroids: int, aim: float) -> Result:
    """Run SuperKMeans, not hierarchical, on all points, with as many iterations as it needs to the aim."""
    from superkmeans import SuperKMeans

    def fit(iterations: int) -> tuple["SuperKMeans", np.ndarray]:
        model = SuperKMeans(
            centroids,
            points.shape[1],
            hierarchical=False,
            iters=iterations,
            sampling_fraction=1.0,
            early_termination=False,
            tol=0.0,
            n_threads=torch.get_num_threads(),
        )
        return model, model.train(points)

    model, _ = fit(MOST_ITERATIONS)
    objectives = [row.objective / len(points) for row in model.iteration_stats]
    reached = next((number for number, value in enumerate(objectives, 1) if value <= aim), None)
    seconds, (_, found) = timed(lambda: fit(reached or MOST_ITERATIONS))
    return Result("SuperKMeans", seconds, reached, objective(points, found))


def objective(points: np.ndarray, centroids: np.ndarray) -> float:
    """Return the mean squared distance to the nearest centroid."""
    x, c = torch.from_numpy(points), torch.from_numpy(np.ascontiguousarray(centroids, dtype=np.float32))
    half_norms, total = c.square().sum(dim=1) / 2, 0.0
    for block in x.split(2048):
        nearest = torch.addmm(-half_norms, block, c.T).amax(dim=1)
        total += float((block.square().sum(dim=1) - 2 * nearest).sum(dtype=torch.float64))
    return total / len(x)
