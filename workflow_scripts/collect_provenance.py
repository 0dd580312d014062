"""Write down what made the results: commit, versions, machine; and the seconds and memory of each rule."""

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pandas as pd
import torch

from semisup.cli import run_program
from semisup.files import atomic_path
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


def processor_name() -> str:
    """Return the processor's name as Linux gives it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def collect(repository: str) -> dict:
    """Return commit, versions and machine; values that cannot be known are null."""
    changes = git(repository, "status", "--porcelain", "--untracked-files=no")
    return {
        "commit": git(repository, "rev-parse", "HEAD"),
        "uncommitted_changes": None if changes is None else bool(changes),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
    }


def read_benchmarks(folder: Path, studies: Sequence[str]) -> pd.DataFrame:
    """Return one row for each job of the studies that left a benchmark: study, rule, s (seconds), max_rss (MB)."""
    rows = []
    for path in sorted(folder.rglob("*.jsonl")):
        study = path.relative_to(folder).parts[0]
        if study in studies:
            record = json.loads(path.read_text().splitlines()[-1])
            rule = "embed_tsne" if path.stem.startswith("embed_tsne") else path.stem
            rows.append({"study": study, "rule": rule, "s": record["s"], "max_rss": record.get("max_rss")})
    return pd.DataFrame(rows, columns=["study", "rule", "s", "max_rss"])


def summarize(benchmarks: pd.DataFrame) -> list[dict]:
    """Return one row for each study and rule: jobs, seconds in all, longest job, largest memory in MB."""
    benchmarks["max_rss"] = pd.to_numeric(benchmarks["max_rss"], errors="coerce")
    grouped = benchmarks.groupby(["study", "rule"], sort=True).agg(
        jobs=("s", "size"), seconds=("s", "sum"), longest_seconds=("s", "max"), peak_mb=("max_rss", "max")
    )
    return grouped.round(1).reset_index().to_dict("records")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", required=True, help="folder of the workflow")
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder of Snakemake's benchmarks")
    parser.add_argument("--studies", nargs="+", required=True)
    parser.add_argument("--provenance", required=True, help="file to write (JSON)")
    parser.add_argument("--timings", required=True, help="table to write (CSV)")
    options = parser.parse_args(arguments)

    timings = summarize(read_benchmarks(options.benchmarks, options.studies))
    write_table(options.timings, timings, ["study", "rule", "jobs", "seconds", "longest_seconds", "peak_mb"])
    with atomic_path(options.provenance) as path:
        path.write_text(json.dumps(collect(options.repository), indent=2) + "\n")


if __name__ == "__main__":
    run_program(main)
