"""Time k-means to an objective against scikit-learn, faiss and SuperKMeans: python tests/bench_kmeans.py.

All cluster the same whitened patches with the same number of threads, all but SuperKMeans (which takes none) from the
same start. The aim is the objective that scikit-learn reaches after 25 iterations, within a thousandth. faiss-cpu and
superkmeans are for this comparison only: pip install --no-deps faiss-cpu superkmeans; what is not there is left out.
"""

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from sklearn.cluster import KMeans

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from semisup.device import product_dtype
from semisup.kmeans import lloyd
from semisup.machine import processor_name
from semisup.patches import normalize_patches, random_patches
from semisup.photos import load_pictures
from semisup.scaling import scale_images
from semisup.whitening import fit_spectrum, pca_whitening

ITERATIONS = 25  # of scikit-learn
CENTROIDS = 1600
MOMENTUM = 0.8  # that of the study
CLOSE = 1.001  # times its objective
MOST_ITERATIONS = 40  # of those that do not reach it in time


class Size(NamedTuple):
    """Patches of so many pixels from square pictures made smaller by a factor, and the whitening's epsilon."""

    points: int
    patch: int
    shrink: int
    epsilon: float


SIZES = (Size(320_000, 6, 3, 0.1), Size(160_000, 22, 1, 4.0))


class Result(NamedTuple):
    """What one of them needed. seconds, iterations: to the aim, None if it was not reached; objective: in the end."""

    name: str
    seconds: float
    iterations: int | None
    objective: float


def whitened_patches(size: Size) -> np.ndarray:
    """Return float32 (n, D) whitened patches of the embedded photographs, with coordinates of falling variance."""
    pictures = [
        scale_images(torch.from_numpy(picture[None].copy()), min(picture.shape[1:]) // size.shrink).numpy()
        for picture in load_pictures().values()
    ]
    rng = np.random.default_rng(0)
    each = -(-size.points // len(pictures))
    raw = np.concatenate([random_patches(picture, size.patch, each, rng) for picture in pictures])
    chosen = raw.reshape(len(raw), -1)[rng.permutation(len(raw))[: size.points]]
    patches = normalize_patches(chosen.astype(np.float32), 10)
    spectrum = fit_spectrum(lambda: iter(np.array_split(patches, 20)))
    whitening, _ = pca_whitening(spectrum, size.epsilon)
    return (torch.from_numpy(patches - spectrum.mean) @ torch.from_numpy(whitening)).numpy()


def objective(points: np.ndarray, centroids: np.ndarray) -> float:
    """Return the mean squared distance to the nearest centroid."""
    x, c = torch.from_numpy(points), torch.from_numpy(np.ascontiguousarray(centroids, dtype=np.float32))
    half_norms, total = c.square().sum(dim=1) / 2, 0.0
    for block in x.split(2048):
        best = torch.addmm(-half_norms, block, c.T).amax(dim=1)
        total += float((block.square().sum(dim=1) - 2 * best).sum(dtype=torch.float64))
    return total / len(x)


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ours(points: np.ndarray, start: np.ndarray, aim: float, dtype: torch.dtype, momentum: float) -> Result:
    """Run this project's k-means for as many iterations as it needs to the aim."""
    x, first = torch.from_numpy(points), torch.from_numpy(start)
    rng = np.random.default_rng(0)
    _, _, history = lloyd(x, first, MOST_ITERATIONS, 0.0, rng, dtype, momentum)
    reached = next((row.iteration for row in history if row.objective <= aim), None)
    # Once more, as long as that, for the centroids.
    centroids, _, history = lloyd(x, first, reached or MOST_ITERATIONS, 0.0, rng, dtype, momentum)
    name = f"this project, {str(dtype).removeprefix('torch.')}" + (f", momentum {momentum}" if momentum else ", plain")
    spent = sum(row.seconds for row in history)
    return Result(name, spent, reached, objective(points, centroids.numpy()))


def sklearns(points: np.ndarray, start: np.ndarray) -> Result:
    """Run scikit-learn's Lloyd, whose objective is the aim."""
    model = KMeans(len(start), init=start, n_init=1, max_iter=ITERATIONS, tol=0, algorithm="lloyd", copy_x=False)
    spent = seconds(lambda: model.fit(points))
    return Result("scikit-learn, Lloyd", spent, ITERATIONS, objective(points, model.cluster_centers_))


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
    reached = next((number for number, sum_ in enumerate(model.obj, 1) if sum_ / len(points) <= aim), None)
    spent = model.iteration_stats[(reached or 0) - 1]["time"]
    return Result("faiss", spent, reached, model.obj[(reached or 0) - 1] / len(points))


def super_kmeans(points: np.ndarray, centroids: int, aim: float) -> Result:
    """Run SuperKMeans, not hierarchical, on all points, with as many iterations as it needs to the aim."""
    from superkmeans import SuperKMeans

    def fit(iterations: int) -> tuple[SuperKMeans, np.ndarray]:
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
    start = time.perf_counter()
    _, found = fit(reached or MOST_ITERATIONS)
    return Result("SuperKMeans", time.perf_counter() - start, reached, objective(points, found))


def results(size: Size) -> Iterator[Result]:
    """Run all of them on one size; scikit-learn, which sets the aim, comes first."""
    points = whitened_patches(size)
    start = points[np.random.default_rng(1).choice(len(points), CENTROIDS, replace=False)].copy()
    print(f"\n{points.shape[0]} x {points.shape[1]}, K = {CENTROIDS}, epsilon {size.epsilon}", flush=True)
    first = sklearns(points, start)
    aim = CLOSE * first.objective
    yield first
    if importlib.util.find_spec("faiss"):
        yield faisss(points, start, aim)
    if importlib.util.find_spec("superkmeans"):
        yield super_kmeans(points, CENTROIDS, aim)
    fast = product_dtype(torch.device("cpu"), "auto")
    for dtype in dict.fromkeys((torch.float32, fast)):
        yield ours(points, start, aim, dtype, MOMENTUM)


def main() -> None:
    """Parse the command line and print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", type=float, default=1.0, help="part of the points")
    parser.add_argument("--patches", type=int, nargs="+", default=[6, 22], help="sides in pixels, of 6 and 22")
    options = parser.parse_args()
    print(f"{processor_name()}, {torch.get_num_threads()} threads, torch {torch.__version__}, {ITERATIONS} iterations")
    for size in [size for size in SIZES if size.patch in options.patches]:
        reference = None
        for row in results(size._replace(points=int(size.points * options.part))):
            reference = reference or row.seconds
            iterations = f"{row.iterations} iterations" if row.iterations else "aim not reached"
            print(
                f"  {row.name:38s} {row.seconds:7.1f} s  {iterations:16s} objective {row.objective:.4f}"
                f"  {reference / row.seconds:5.2f} times scikit-learn",
                flush=True,
            )


if __name__ == "__main__":
    main()
