"""Memory of the programs of k-means as a data set has more images: all of them read, sampled and turned into features.

PYTHONPATH=workflow_scripts:tests python -m bench.million docs/images/million.svg draws it. The images are noise of 32
pixels, in a file written block by block; patches are taken from as many of them each time.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.scale import Measured, draw, measured
from fixtures_kmeans import command_line
from fixtures_snakemake import ROOT, environment
from semisup.cli import positive_int
from semisup.dataset import Split, new_dataset, write_attributes, write_split
from semisup.machine import processor_name

COUNTS = (10_000, 100_000, 1_000_000)
SIDE = 32  # pixels
SMALL = 100  # images of each of the other splits
BLOCK = 10_000  # images that are written at once
CHANNELS = 3
OPTIONS = {
    "sample_patches": {"image_size": SIDE, "patch_size": 6, "patch_images": 5000, "patches_per_image": 16, "seed": 0},
    "fit_whitening": {},
    "learn_centroids": {"epsilon": 0.1, "centroids": 100, "iterations": 10, "seed": 0},
    "extract_features": {"stride": 7, "splits": ["unlabeled"]},
}
FILES = {  # what each program reads and writes, by the names of its options
    "sample_patches": ("images", "patches"),
    "fit_whitening": ("patches", "whitening"),
    "learn_centroids": ("patches", "whitening", "centroids_file", "history", "checkpoint"),
    "extract_features": ("images", "centroids_file", "features"),
}


def noise(count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield uint8 images of noise in blocks."""
    for start in range(0, count, BLOCK):
        yield rng.integers(0, 256, (min(BLOCK, count - start), CHANNELS, SIDE, SIDE), np.uint8)


def write_images(folder: Path, count: int) -> Path:
    """Write a data set with so many unlabelled images; no more than a block of them is in memory."""
    rng = np.random.default_rng(0)
    counts = {"train": SMALL, "validation": SMALL, "unlabeled": count, "test": SMALL}
    with new_dataset(folder / "images.h5", folder / "test_labels.h5") as files:
        for name, size in counts.items():
            labels = None if name == "unlabeled" else np.arange(size) % 2
            write_split(files, name, Split(noise(size, rng), np.arange(size), labels))
        write_attributes(files, {"dataset": "made", "class_names": ["a", "b"], "source": "made", "checksums": {}})
    return folder / "images.h5"


def running(count: int, folder: Path) -> dict[str, Measured]:
    """Measure each program on so many images."""
    write_images(folder, count)
    found = {}
    for program, options in OPTIONS.items():
        paths = {name: folder / (name if name == "checkpoint" else f"{name}.h5") for name in FILES[program]}
        command = [sys.executable, str(ROOT / f"workflow_scripts/{program}.py"), *command_line(**options, **paths)]
        found[program] = measured(command, folder, environment())
    return found


def main() -> None:
    """Parse the command line, measure and draw."""
    parser = argparse.ArgumentParser(prog="bench.million", description=__doc__)
    parser.add_argument("figure", help="the figure to write")
    parser.add_argument("--most", type=positive_int, default=max(COUNTS), help="no more images than these")
    options = parser.parse_args()
    print(f"{processor_name()}, {os.cpu_count()} cores", flush=True)
    found: dict[str, dict[int, Measured]] = {}
    for count in (count for count in COUNTS if count <= options.most):
        with tempfile.TemporaryDirectory() as folder:
            for program, row in running(count, Path(folder)).items():
                found.setdefault(program, {})[count] = row
                print(f"{program:18s}{count:10,d} images, {row.text()}", flush=True)
    draw(found, options.figure, "unlabelled images")


if __name__ == "__main__":
    main()
