"""Record what made the results: commit, versions, machine, day. Record the seconds and memory of each rule."""

import argparse
import json
import os
import platform
import subprocess
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from semisup.cli import run_program
from semisup.files import atomic_path
from semisup.hdf5 import open_hdf5
from semisup.machine import processor_name
from semisup.tables import write_table

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "h5py", "pandas")
GIB = 2**30


def git(repository: str, *arguments: str) -> str | None:
    """Return the output of a git command, or None where there is no git or no repository."""
    try:
        finished = subprocess.run(  # noqa: S603
            ["git", "-C", repository, *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return finished.stdout.strip()


def collect(repository: str) -> dict:
    """Return commit, versions, machine and day (UTC); values that cannot be known are null."""
    changes = git(repository, "status", "--porcelain", "--untracked-files=no")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": git(repository, "rev-parse", "HEAD"),
        "uncommitted_changes": None if changes is None else bool(changes),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "memory_gib": memory_gib(),
    }


def memory_gib() -> float | None:
    """Return the memory of this machine; None where the system does not say."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1)
    except ValueError:
        return None


def learned_on(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Return where these networks and centroids were learned, the most usual first.

    processor (or GPU), products: number format; threads, None on a GPU; files: how many were learned so.
    """
    machines: Counter[str] = Counter()
    for path in paths:
        with open_hdf5(path) as file:
            machines[file.attrs["computed_on"]] += 1
    return [json.loads(machine) | {"files": count} for machine, count in machines.most_common()]


def read_benchmarks(folder: Path, studies: Sequence[str]) -> pd.DataFrame:
    """Return one row for each job of the studies that left a benchmark.

    study, experiment (empty where the job is for the whole study), rule, s (seconds), max_rss (MB).
    """
    rows = []
    for path in sorted(folder.rglob("*.jsonl")):
        study, *inner = path.relative_to(folder).parent.parts
        if study in studies:
            record = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
            place = {"study": study, "experiment": inner[0] if inner else "", "rule": path.stem}
            rows.append(place | {"s": record["s"], "max_rss": record.get("max_rss")})
    return pd.DataFrame(rows, columns=["study", "experiment", "rule", "s", "max_rss"])


def summarize(benchmarks: pd.DataFrame) -> list[dict]:
    """Return one row for each rule of an experiment: jobs, seconds in all, longest job, largest memory in MB."""
    benchmarks["max_rss"] = pd.to_numeric(benchmarks["max_rss"], errors="coerce")
    grouped = benchmarks.groupby(["study", "experiment", "rule"], sort=True).agg(
        jobs=("s", "size"), seconds=("s", "sum"), longest_seconds=("s", "max"), peak_mb=("max_rss", "max")
    )
    return grouped.round(1).reset_index().to_dict("records")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", required=True, help="folder of the workflow")
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder of Snakemake's benchmarks")
    parser.add_argument("--studies", nargs="+", required=True)
    parser.add_argument("--learned", nargs="*", default=[], help="networks and centroids (HDF5), for their machines")
    parser.add_argument("--provenance", required=True, help="file to write (JSON)")
    parser.add_argument("--timings", required=True, help="table to write (CSV)")
    options = parser.parse_args(arguments)

    timings = summarize(read_benchmarks(options.benchmarks, options.studies))
    collected = collect(options.repository) | {"learned_on": learned_on(options.learned)}
    columns = ["study", "experiment", "rule", "jobs", "seconds", "longest_seconds", "peak_mb"]
    write_table(options.timings, timings, columns)
    with atomic_path(options.provenance) as path:
        path.write_text(json.dumps(collected, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_program(main)
