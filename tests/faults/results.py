"""What two runs of the workflow must have in common: every result, byte by byte, but for what a clock has written."""

import csv
import hashlib
import io
from pathlib import Path

from fixtures_training import TIMED

# What is under results/ beside results: notes of single runs, and what says on purpose when and how fast one was made.
FOLDERS_APART = {"logs", "benchmarks", "checkpoints"}
OF_REPORT = [f"{name}.{end}" for name in ("report", "supplement") for end in ("tex", "pdf")]
FILES_APART = {Path("report") / name for name in (*OF_REPORT, "index.html", "timings.csv", "provenance.json")}


def is_result(path):
    """Tell whether the file at `path`, relative to results/, must be the same in every run."""
    return not (path.name.startswith(".") or path.parts[0] in FOLDERS_APART or path in FILES_APART)


def result_files(folder):
    """Return the paths of all results, relative to `folder`/results, without hidden files (which are unfinished)."""
    root = folder / "results"
    paths = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(filter(is_result, paths))


def digest(folder, path):
    """Return a checksum of a result, of a table without the columns that a clock or the machine's memory fills.

    The file may be one that Snakemake removes at this moment: then None.
    """
    try:
        content = (folder / "results" / path).read_bytes()
    except FileNotFoundError:
        return None
    if path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(content.decode())))
        kept = [number for number, name in enumerate(rows[0]) if name not in TIMED]
        content = repr([[row[number] for number in kept] for row in rows]).encode()
    return hashlib.sha256(content).hexdigest()


def digests(folder):
    """Return the checksums of all results by path."""
    return {path: digest(folder, path) for path in result_files(folder)}
