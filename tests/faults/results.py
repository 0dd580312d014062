"""What two runs of the workflow must have in common: every result, byte by byte, but for what a clock has written."""

import csv
import hashlib
import io

from fixtures_training import TIMED

# Of the folders under results/: Snakemake's own notes, and what says on purpose when and where a run was made.
APART = {"logs", "benchmarks", "checkpoints", "report"}


def result_files(folder):
    """Return the paths of all results, relative to `folder`/results, without hidden files (which are unfinished)."""
    root = folder / "results"
    paths = [path.relative_to(root) for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return sorted(path for path in paths if path.parts[0] not in APART)


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
