"""Time the heavy steps against what one would use instead, in one run on random data: python tests/bench.py.

The support vector machine against scikit-learn, surrogate classes against kornia, training against the same network in
a plain PyTorch loop; k-means has a bench of its own, bench_kmeans.py. Prints seconds and ratios; run it on an idle
machine. Nothing here is a test.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import kornia
import numpy as np
import torch
from sklearn.svm import LinearSVC

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from semisup.device import keep_freed_memory, product_dtype
from semisup.network import Shape, new_network
from semisup.surrogates import (
    TRANSFORMATIONS,
    Ranges,
    cut_patches,
    draw_parameters,
    principal_colors,
    transform_patches,
)
from semisup.svm import fit_svm


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


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


def bench_surrogates(classes: int, samples: int) -> None:
    """All transformations of 32-pixel patches: ours, and kornia's affine, brightness, contrast, saturation and hue."""
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (classes, 3, 96, 96), dtype=np.uint8))
    corner = np.full(classes, 32)
    patches = cut_patches(images, corner, corner, 32)
    ranges = Ranges(20.0, 0.2, (0.7, 1.4), (0.5, 2.0), (0.25, 4.0), (0.7, 1.4), 0.1, 0.1)
    colors = principal_colors(patches.numpy())
    kornias = torch.nn.Sequential(
        kornia.augmentation.RandomAffine(20.0, (0.2, 0.2), (0.7, 1.4), p=1.0, padding_mode="reflection"),
        kornia.augmentation.ColorJitter(0.3, 0.3, 0.3, 0.1, p=1.0),
    )

    def ours() -> None:
        for start in range(0, classes, 10):
            part = slice(start, start + 10)
            parameters = draw_parameters(len(images[part]) * samples, TRANSFORMATIONS, ranges, rng)
            transform_patches(images[part], corner[part], corner[part], 32, parameters, TRANSFORMATIONS, colors)

    def theirs() -> None:
        for start in range(0, classes, 10):
            repeated = patches[start : start + 10].repeat_interleave(samples, dim=0)
            (kornias(repeated.float() / 255) * 255).round().clamp(0, 255).to(torch.uint8)

    count = classes * samples
    speeds = [count / min(seconds(work) for _ in range(3)) for work in (ours, theirs)]
    print(f"surrogate classes, {classes} x {samples} patches of 32 pixels: patches per second")
    print(f"  this project: {speeds[0]:.0f}; kornia: {speeds[1]:.0f}, ours {speeds[0] / speeds[1]:.1f} times as many")


def bench_training(batch: int, steps: int) -> None:
    """Steps of the resnet on 96-pixel images: as this project takes them, and as a plain loop in float32 does."""
    images = torch.rand(batch, 3, 96, 96)
    labels = torch.randint(0, 10, (batch,))

    def speed(dtype: torch.dtype, layout: torch.memory_format) -> float:
        network = new_network(Shape("resnet", 3, 96, 10, 0.3), seed=0).to(memory_format=layout)
        optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, nesterov=True)
        pixels = images.contiguous(memory_format=layout)

        def step() -> None:
            with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
                scores = network(pixels)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(scores.float(), labels).backward()
            optimizer.step()

        step()
        return batch * steps / seconds(lambda: [step() for _ in range(steps)])

    plain = speed(torch.float32, torch.contiguous_format)
    keep_freed_memory()
    fast = product_dtype(torch.device("cpu"), "auto")
    ours = speed(fast, torch.channels_last)
    print(f"training of the resnet, batches of {batch} images of 96 pixels: images per second")
    print(
        f"  as this project takes steps, {str(fast).removeprefix('torch.')}, channels last: {ours:.0f}; "
        f"plain float32: {plain:.0f}; {ours / plain:.1f} times as many"
    )


def main() -> None:
    """Parse the command line and print the timings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4000)
    options = parser.parse_args()
    bench_svm(options.images, features=6400, c=0.0003)
    bench_surrogates(classes=200, samples=100)
    bench_training(batch=64, steps=20)


if __name__ == "__main__":
    main()
