"""Time k-means and the SVM against scikit-learn in one run, on random data of the study's sizes: python tests/bench.py.

Prints seconds and ratios; run it on an idle machine. Nothing here is a test.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.svm import LinearSVC

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from semisup.device import product_dtype
from semisup.kmeans import lloyd
from semisup.svm import fit_svm


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bench_kmeans(points: int, dimension: int, centroids: int) -> None:
    """One Lloyd iteration: ours in float32 and in the fast format, and scikit-learn's."""
    rng = np.random.default_rng(0)
    data = rng.standard_normal((points, dimension), dtype=np.float32)
    start = data[:centroids].copy()
    x, first = torch.from_numpy(data), torch.from_numpy(start)
    fast = product_dtype(torch.device("cpu"), "auto")
    iterations = 3

    def last_iteration(dtype: torch.dtype) -> float:
        return lloyd(x, first, iterations, 0.0, rng, dtype)[1][-1].seconds

    ours, exact = last_iteration(fast), last_iteration(torch.float32)

    def sklearn_fit(count: int) -> float:
        model = KMeans(centroids, init=start, n_init=1, max_iter=count, tol=0, algorithm="lloyd", copy_x=False)
        return seconds(lambda: model.fit(data))

    sklearn = (sklearn_fit(1 + iterations) - sklearn_fit(1)) / iterations
    product = 2 * points * dimension * centroids / 1e9
    print(f"k-means, {points} x {dimension}, K = {centroids}: seconds per Lloyd iteration")
    print(f"  this project, {str(fast).removeprefix('torch.')}: {ours:.2f} ({product / ours:.0f} GFLOP/s)")
    print(f"  this project, float32: {exact:.2f}")
    print(f"  scikit-learn: {sklearn:.2f}, {sklearn / ours:.2f} times ours")


def bench_svm(images: int, features: int, c: float) -> None:
    """Ten classes one against the rest: our solver, the Gram matrix included, and LinearSVC's primal."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, images)
    centers = rng.standard_normal((10, features), dtype=np.float32)
    # Features that are correlated, as real ones are: a falling spectrum.
    spectrum = (np.arange(1, features + 1) ** -0.5).astype(np.float32)
    data = (rng.standard_normal((images, features), dtype=np.float32) + 0.3 * centers[labels]) * spectrum
    data = (data - data.mean(axis=0)) / data.std(axis=0).mean()
    ours = seconds(lambda: fit_svm((data @ data.T).astype(np.float64), labels, 10, c))
    sklearn = seconds(lambda: LinearSVC(C=c, dual=False).fit(data, labels))
    print(f"SVM, {images} x {features}, ten classes, C = {c}: seconds")
    print(f"  this project: {ours:.1f}; scikit-learn: {sklearn:.1f}, {sklearn / ours:.1f} times ours")


def main() -> None:
    """Parse the command line and print the timings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=320_000, help="patches (320,000 in the study: 2 GB)")
    parser.add_argument("--images", type=int, default=4000)
    options = parser.parse_args()
    bench_kmeans(options.points, dimension=1452, centroids=1600)
    bench_svm(options.images, features=6400, c=0.0003)


if __name__ == "__main__":
    main()
