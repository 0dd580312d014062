"""Seconds and memory of planning and of evaluating, as a study has more experiments.

PYTHONPATH=workflow_scripts:tests python -m bench.scale docs/images/scale.svg draws them. Half of the experiments are
networks, each with options of its own; half are k-means, a tenth of which learn centroids that the others use. They are
planned with one seed and evaluated with three. Report and page are rendered from made-up results of networks.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.rendering import command_of, write_many
from fixtures_kmeans import command_line
from fixtures_snakemake import ROOT, environment
from semisup.dataset import Split, write_dataset
from semisup.machine import processor_name

PLANNED = (10, 100, 1000)
EVALUATED = (2, 20, 200)  # experiments, of three seeds each
SEEDS = (0, 1, 2)
CLASSES, LABELLED, VALIDATION, TEST = 10, 4000, 1000, 8000  # images, as of STL-10
TABLES = ("metrics", "per_class", "confusion", "comparison", "label_curve", "solver_iterations", "test_sample")
SHARED = 10  # k-means experiments with one dictionary


class Measured(NamedTuple):
    """What a command took: seconds, processor seconds, and the most memory that one of its processes held."""

    seconds: float
    processor: float
    gib: float
    jobs: int

    def text(self) -> str:
        """Return it as a line of a table."""
        jobs = f", {self.jobs:,} jobs" if self.jobs else ""
        return f"{self.seconds:.1f} s, {self.processor:.1f} s of processor, {self.gib:.2f} GiB{jobs}"


def study_of(count: int) -> dict:
    """Return the configuration of a study with so many experiments."""
    experiments = {f"network{i}": {"method": "supervised", "learning_rate": 0.1 + i / 10**6} for i in range(count // 2)}
    for i in range(count - count // 2):
        first = i - i % SHARED
        options = {} if i == first else {"builds_on": f"kmeans{first}", "stride": 8 + i % SHARED}
        experiments[f"kmeans{i}"] = {"method": "kmeans", **options}
    study = {"dataset": "stl10", "seeds": [0], "baseline": "kmeans0", "experiments": experiments}
    return {"studies": {"stl10": None, "mnist": None, "large": study}}


def measured(command: list[str], folder: Path, variables: dict[str, str], stdin: Path = Path(os.devnull)) -> Measured:
    """Run a command and measure it. Raises RuntimeError if it fails."""
    apart = [sys.executable, str(Path(__file__).with_name("apart.py")), str(folder / "took.json"), *command]
    with (folder / "said.txt").open("w+") as said, stdin.open() as read:
        status = subprocess.run(
            apart, check=False, cwd=folder, env=variables, stdin=read, stdout=said, stderr=said
        ).returncode
        said.seek(0)
        text = said.read()
    if status:
        raise RuntimeError(text[-2000:])
    totals = [int(line.split()[1]) for line in text.splitlines() if line.startswith("total ")]
    return Measured(**json.loads((folder / "took.json").read_text()), jobs=totals[0] if totals else 0)


def planning(count: int, folder: Path) -> Measured:
    """Measure `snakemake -n`."""
    (folder / "config.json").write_text(json.dumps(study_of(count)))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--workflow-profile", str(ROOT / "profiles/default"), "--configfile", "config.json"]
    return measured([*command, "-n", "--quiet", "rules", "--", "all", "evaluated"], folder, environment())


def evaluating(count: int, folder: Path) -> Measured:
    """Measure `evaluate` on scores of noise in which the true class stands out a little."""
    rng = np.random.default_rng(0)
    images, test_labels, labels = labelled_images(folder, rng)
    paths = []
    for name in range(count):
        for seed in SEEDS:
            path = folder / f"experiment{name}/seed{seed}/scores.npz"
            path.parent.mkdir(parents=True)
            scores = {split: noise(values, rng) for split, values in labels.items()}
            np.savez(path, **scores, validation_rows=np.arange(LABELLED, LABELLED + VALIDATION))
            paths.append(path)
    options = {"scores": paths, "images": images, "test_labels": test_labels, "top_k": 5, "bootstrap_samples": 10_000}
    options |= {"confidence": 0.95, "sample_images": 1000}
    options |= {"baselines": [f"experiment{name}=experiment0" for name in range(count)]}
    options |= {table: folder / f"{table}.csv" for table in TABLES}
    program = str(ROOT / "workflow_scripts/evaluate.py")
    return measured([sys.executable, program, *command_line(**options)], folder, environment())


def labelled_images(folder: Path, rng: np.random.Generator) -> tuple[Path, Path, dict[str, np.ndarray]]:
    """Write a data set of one black pixel an image; return its files and the labels of validation and test images."""
    counts = {"train": LABELLED, "validation": VALIDATION, "unlabeled": 1, "test": TEST}
    labels = {name: rng.integers(0, CLASSES, count) for name, count in counts.items()}
    splits = {
        name: Split([np.zeros((count, 1, 1, 1), np.uint8)], np.arange(count), None if count == 1 else labels[name])
        for name, count in counts.items()
    }
    paths = folder / "images.h5", folder / "test_labels.h5"
    names = [f"class{number}" for number in range(CLASSES)]
    write_dataset(*paths, splits, None, {"dataset": "made", "class_names": names, "source": "made", "checksums": {}})
    return *paths, {name: labels[name] for name in ("validation", "test")}


def noise(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return float32 scores (N, CLASSES)."""
    scores = rng.standard_normal((len(labels), CLASSES), dtype=np.float32)
    scores[np.arange(len(labels)), labels] += 1
    return scores


def rendering(program: str) -> Callable[[int, Path], Measured]:
    """Return what measures a program that renders made-up results."""

    def work(count: int, folder: Path) -> Measured:
        plan = write_many(count, folder)
        return measured(command_of(program, folder), folder, environment(), plan)

    return work


WORKS = {
    "snakemake -n": (PLANNED, planning),
    "evaluate": (EVALUATED, evaluating),
    "report": (EVALUATED, rendering("render_report")),
    "page": (EVALUATED, rendering("render_page")),
}


def draw(found: dict[str, dict[int, Measured]], path: str, unit: str) -> None:
    """Draw seconds of processor and GiB against the number of experiments, or of another unit, one line a work."""
    from semisup.plots import TEXT_WIDTH, new_figure  # here, as measuring needs no matplotlib

    figure = new_figure(TEXT_WIDTH, 2.8)
    panels = figure.subplots(1, 2)
    for axes, field, label in zip(
        panels, ("processor", "gib"), ("seconds of processor", "peak memory, GiB"), strict=True
    ):
        for name, rows in found.items():
            values = [getattr(row, field) for row in rows.values()]
            axes.plot(list(rows), values, "o-", label=name, markersize=3, linewidth=1.2)
        axes.set_xscale("log")
        axes.set_xlabel(unit)
        axes.set_ylabel(label)
        axes.xaxis.set_major_formatter("{x:,.0f}")
    panels[0].set_yscale("log")
    panels[0].yaxis.set_major_formatter("{x:g}")
    panels[1].set_ylim(bottom=0)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.savefig(path, dpi=200, metadata={"Date": None})


def main() -> None:
    """Parse the command line, measure and draw."""
    parser = argparse.ArgumentParser(prog="bench.scale", description=__doc__)
    parser.add_argument("figure", help="the figure to write (SVG)")
    parser.add_argument("--most", type=int, default=10**6, help="no more experiments than these")
    options = parser.parse_args()
    print(f"{processor_name()}, {os.cpu_count()} cores", flush=True)
    found = {}
    for name, (counts, work) in WORKS.items():
        for count in (count for count in counts if count <= options.most):
            with tempfile.TemporaryDirectory() as folder:
                row = work(count, Path(folder))
            found.setdefault(name, {})[count] = row
            print(f"{name:14s}{count:6,d} experiments, {row.text()}", flush=True)
    draw(found, options.figure, "experiments")


if __name__ == "__main__":
    main()
