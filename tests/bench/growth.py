"""Seconds and memory as the work grows.

PYTHONPATH=workflow_scripts:tests python -m bench.growth docs/images/growth.png draws them.

Each work is measured at a quarter, half, once and twice its base size, each time in a process of its own, whose peak
memory it is: with its data, and with the libraries, which a process without work shows alone.
"""

import argparse
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
import torch

from bench.features import SIZES, new_dictionary
from bench.kmeans import MOMENTUM
from bench.pictures import picture_patches, whitened_patches
from bench.rows import formats, scaled, timed
from bench.surrogates import SAMPLES, make_surrogates, random_images
from bench.training import RESNET, our_step
from semisup.cli import peak_memory_gib, positive_number
from semisup.features import feature_blocks
from semisup.kmeans import leading_coordinates, lloyd
from semisup.machine import processor_name
from semisup.scaling import to_pixels

FACTORS = (0.25, 0.5, 1, 2)
BLOCK = 128  # images whose features are made at once
CENTROIDS = 800
ITERATIONS = 8

Work = Callable[[], object]


class Growing(NamedTuple):
    """A work: what it is a number of, its base size, and what prepares it for a size."""

    unit: str
    base: int
    prepare: Callable[[int], Work]


class Measured(NamedTuple):
    """Seconds of the work alone, and the most memory that its process held."""

    seconds: float
    gib: float


def kmeans(points: int) -> Work:
    """Prepare a fixed number of iterations on patches of 6 pixels."""
    x = torch.from_numpy(whitened_patches(6, 3, points, 0.1).points)
    rng = np.random.default_rng(0)
    start = x[rng.choice(points, min(CENTROIDS, points), replace=False)].clone()
    return lambda: lloyd(x, start, ITERATIONS, 0.0, 0, formats()[-1], MOMENTUM, leading_coordinates(x))


def features(images: int) -> Work:
    """Prepare features of images of 32 pixels, written nowhere."""
    size = SIZES[0]
    pixels, dictionary = picture_patches(size.side, size.shrink, images), new_dictionary(size)
    blocks = (pixels[start : start + BLOCK] for start in range(0, images, BLOCK))
    return lambda: [len(block) for block in feature_blocks(blocks, dictionary, size.stride)]


def surrogates(patches: int) -> Work:
    """Prepare transformations of patches, written nowhere."""
    images = random_images(scaled(patches, 1 / SAMPLES))
    return lambda: make_surrogates(images)


def training(images: int) -> Work:
    """Prepare an epoch in batches; a first step is not timed."""
    pixels = torch.randint(0, 256, (images, 3, 96, 96), dtype=torch.uint8)
    labels = torch.randint(0, 10, (images,))
    batches = torch.randperm(images).split(RESNET.batch)
    step = our_step(formats()[-1])

    def take(rows: torch.Tensor) -> None:
        step(to_pixels(pixels[rows]), labels[rows])

    take(batches[0])
    return lambda: [take(rows) for rows in batches]


def nothing(_: int) -> Work:
    """Prepare nothing: what the libraries take."""
    return lambda: None


WORKS = {
    "k-means": Growing("points", 80_000, kmeans),
    "features": Growing("images", 800, features),
    "surrogate classes": Growing("patches", 40_000, surrogates),
    "training": Growing("images", 512, training),
}


def measure(prepare: Callable[[int], Work], size: int) -> Measured:
    """Do a work of a size in this process, which must not have done another one."""
    seconds, _ = timed(prepare(size))
    return Measured(seconds, peak_memory_gib())


def in_a_process(prepare: Callable[[int], Work], size: int) -> Measured:
    """Do a work of a size in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, prepare, size).result()


def measured_growth(part: float) -> dict[str, list[Measured]]:
    """Measure each work at each size, print what comes, and return it by the work's name and base size."""
    found = {}
    for name, work in WORKS.items():
        base = scaled(work.base, part)
        rows = found.setdefault(f"{name}, {base:,} {work.unit}", [])
        for factor in FACTORS:
            size = scaled(base, factor)
            rows.append(in_a_process(work.prepare, size))
            print(f"{name:20s}{size:10,d} {work.unit:10s}{rows[-1].seconds:9.3f} s{rows[-1].gib:8.3f} GiB", flush=True)
    return found


def draw(found: dict[str, list[Measured]], libraries: float, path: str) -> None:
    """Draw seconds and GiB against the size, one line a work, beside a line of slope 1."""
    from semisup.plots import TEXT_WIDTH, new_figure  # here, as each process would load matplotlib

    figure = new_figure(TEXT_WIDTH, 3.2)
    panels = figure.subplots(1, 2)
    for axes, field, label in zip(panels, Measured._fields, ("seconds", "peak memory, GiB"), strict=True):
        values = {name: [getattr(row, field) for row in rows] for name, rows in found.items()}
        for name, line in values.items():
            axes.plot(FACTORS, line, "o-", label=name, markersize=3, linewidth=1.2)
        middle = np.exp(np.mean(np.log([line[FACTORS.index(1)] for line in values.values()])))
        axes.plot(FACTORS, middle * np.array(FACTORS), ":", color="black", label="slope 1")
        for scale in (axes.set_xscale, axes.set_yscale):
            scale("log", base=2)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
        axes.set_xlabel("times the size")
        axes.set_ylabel(label)
    panels[1].axhline(libraries, color="grey", linestyle="--", linewidth=0.8, label="libraries alone")
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=200, metadata={"Software": None})


def main() -> None:
    """Parse the command line, measure and draw."""
    parser = argparse.ArgumentParser(prog="bench.growth", description=__doc__)
    parser.add_argument("png", help="the figure to write")
    parser.add_argument("--part", type=positive_number, default=1.0, help="part of each base size, default 1")
    options = parser.parse_args()
    print(f"{processor_name()}, {torch.get_num_threads()} threads, torch {torch.__version__}", flush=True)
    libraries = in_a_process(nothing, 0).gib
    print(f"libraries alone {libraries:.3f} GiB", flush=True)
    draw(measured_growth(options.part), libraries, options.png)


if __name__ == "__main__":
    main()
