"""K-means to an objective, beside scikit-learn, faiss and SuperKMeans; on a GPU beside plain PyTorch, faiss and cuML.

All cluster the same whitened patches with the same number of threads, all but SuperKMeans (which takes none) from the
same start. The aim is the objective that the first one, Lloyd's k-means of scikit-learn or in plain PyTorch, reaches
after 25 iterations, within a thousandth. A peer that is not installed is left out. The operations that count are those
of the full product in each iteration, which bounds partly save.
"""

import importlib.util
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from bench.pictures import whitened_patches
from bench.rows import CPU, Row, format_name, formats, scaled, timed
from semisup.kmeans import BLOCK, leading_coordinates, lloyd

if TYPE_CHECKING:
    from superkmeans import SuperKMeans

ITERATIONS = 25  # of the first one
CENTROIDS = 1600
POINTS_PER_CENTROID = 20  # at least: small sizes have fewer centroids
MOMENTUM = 0.9  # that of the study
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


First = Callable[[np.ndarray, np.ndarray, torch.device], Result]  # of points (n, D), the start (K, D) and a device


def kmeans_rows(part: float, device: torch.device = CPU, first: First | None = None) -> Iterator[Row]:
    """Run all of them on both sizes; scikit-learn comes first, or what is named in its place, which sets the aim."""
    for size in SIZES:
        count = scaled(size.points, part, least=10 * POINTS_PER_CENTROID)
        points = whitened_patches(size.side, size.shrink, count, size.epsilon).points
        centroids = min(CENTROIDS, count // POINTS_PER_CENTROID)
        start = points[np.random.default_rng(1).choice(count, centroids, replace=False)].copy()
        work = f"k-means, {count:,} x {points.shape[1]:,}, K = {centroids:,}"
        for result in results(points, start, device, first or sklearns):
            said = f"{result.iterations} iterations" if result.iterations else "aim not reached"
            yield Row(
                work,
                result.who,
                result.seconds,
                f"{said}, objective {result.objective:.4f}",
                2.0 * points.size * centroids * (result.iterations or MOST_ITERATIONS),
                result.dtype,
            )


def results(points: np.ndarray, start: np.ndarray, device: torch.device, first: First) -> Iterator[Result]:
    """Cluster points (n, D), all but SuperKMeans from the start (K, D)."""
    reference = first(points, start, device)
    aim = CLOSE * reference.objective
    yield reference
    if device.type == "cuda":
        yield from peers_on_gpu(points, start, aim)
    else:
        yield from peers_on_cpu(points, start, aim)
    for dtype in formats(device):
        yield ours(points, start, aim, dtype, device)


def peers_on_cpu(points: np.ndarray, start: np.ndarray, aim: float) -> Iterator[Result]:
    """Run those that are installed."""
    if importlib.util.find_spec("faiss"):
        yield faisss(points, start, aim, gpu=False)
    if importlib.util.find_spec("superkmeans"):
        yield super_kmeans(points, len(start), aim)


def peers_on_gpu(points: np.ndarray, start: np.ndarray, aim: float) -> Iterator[Result]:
    """Run those that are installed, built for a GPU. Not tried: no such machine could be had."""
    if importlib.util.find_spec("faiss"):
        import faiss

        if getattr(faiss, "get_num_gpus", lambda: 0)():
            yield faisss(points, start, aim, gpu=True)
    if importlib.util.find_spec("cuml"):
        yield cumls(points, start)


def ours(points: np.ndarray, start: np.ndarray, aim: float, dtype: torch.dtype, device: torch.device = CPU) -> Result:
    """Run this project's k-means; the iterations after the one that reached the aim do not count."""
    x, first = torch.from_numpy(points).to(device), torch.from_numpy(start).to(device)
    seconds, (_, _, history) = timed(
        lambda: lloyd(x, first, MOST_ITERATIONS, 0.0, 0, dtype, MOMENTUM, leading_coordinates(x)), device
    )
    reached = next((row.iteration for row in history if row.objective <= aim), None)
    seconds -= sum(row.seconds for row in history[reached:]) if reached else 0.0
    who = f"this project, {format_name(dtype)}, momentum {MOMENTUM}"
    return Result(who, seconds, reached, history[(reached or 0) - 1].objective, dtype)


def plain_lloyd(points: np.ndarray, start: np.ndarray, device: torch.device) -> Result:
    """Run Lloyd's k-means as it is written down in plain PyTorch, in float32."""
    blocks, centroids = torch.from_numpy(points).to(device).split(BLOCK[device.type]), torch.from_numpy(start)

    def run() -> torch.Tensor:
        means = centroids.to(device)
        for _ in range(ITERATIONS):
            half_norms = means.square().sum(dim=1) / 2
            sums, counts = torch.zeros_like(means), torch.zeros(len(means), device=device)
            for block in blocks:
                nearest = torch.addmm(-half_norms, block, means.T).argmax(dim=1)
                sums.index_add_(0, nearest, block)
                counts += torch.bincount(nearest, minlength=len(means))
            means = torch.where(counts[:, None] > 0, sums / counts[:, None].clamp(min=1), means)
        return means

    seconds, means = timed(run, device)
    return Result("plain PyTorch, float32", seconds, ITERATIONS, objective(points, means.cpu().numpy(), device))


def sklearns(points: np.ndarray, start: np.ndarray, device: torch.device = CPU) -> Result:
    """Run scikit-learn's Lloyd, whose objective is the aim; it has no other device than the CPU."""
    from sklearn.cluster import KMeans

    model = KMeans(len(start), init=start, n_init=1, max_iter=ITERATIONS, tol=0, algorithm="lloyd", copy_x=False)
    seconds, _ = timed(lambda: model.fit(points))
    return Result("scikit-learn, Lloyd", seconds, model.n_iter_, objective(points, model.cluster_centers_))


def faisss(points: np.ndarray, start: np.ndarray, aim: float, gpu: bool) -> Result:
    """Run faiss's k-means from the same start; its statistics tell objective and time of each iteration."""
    import faiss

    model = faiss.Kmeans(
        points.shape[1],
        len(start),
        niter=MOST_ITERATIONS,
        max_points_per_centroid=len(points),
        min_points_per_centroid=1,
        gpu=gpu,
    )
    model.train(points, init_centroids=start)
    reached = next((number for number, total in enumerate(model.obj, 1) if total / len(points) <= aim), None)
    last = (reached or 0) - 1
    return Result("faiss", model.iteration_stats[last]["time"], reached, model.obj[last] / len(points))


def cumls(points: np.ndarray, start: np.ndarray) -> Result:
    """Run cuML's Lloyd from the same start; it tells no objective on the way, so it has as many as scikit-learn."""
    from cuml.cluster import KMeans

    model = KMeans(n_clusters=len(start), init=start, n_init=1, max_iter=ITERATIONS, tol=0.0, output_type="numpy")
    seconds, _ = timed(lambda: model.fit(points), torch.device("cuda"))
    return Result("cuML", seconds, ITERATIONS, objective(points, model.cluster_centers_))


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


def objective(points: np.ndarray, centroids: np.ndarray, device: torch.device = CPU) -> float:
    """Return the mean squared distance to the nearest centroid."""
    arrays = points, np.ascontiguousarray(centroids, dtype=np.float32)
    x, c = (torch.from_numpy(array).to(device) for array in arrays)
    half_norms, total = c.square().sum(dim=1) / 2, 0.0
    for block in x.split(BLOCK[device.type]):
        nearest = torch.addmm(-half_norms, block, c.T).amax(dim=1)
        total += float((block.square().sum(dim=1) - 2 * nearest).sum(dtype=torch.float64))
    return total / len(x)
