"""scikit-learn's digits (1,797 images of 8 × 8 pixels) and the seeds of the small experiments on them."""

import argparse
import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semisup.cli import UserError, seed_number
from semisup.splits import stratified_split

BRIGHTEST = 16  # the largest pixel of the digits


class Digits(NamedTuple):
    """Images float64 (N, 64), a row an image, and labels int64 (N,)."""

    images: np.ndarray
    labels: np.ndarray

    def at(self, rows: np.ndarray) -> "Digits":
        """Return these rows, in their order."""
        return Digits(self.images[rows], self.labels[rows])


def read_digits() -> Digits:
    """Return all digits, pixels in 0..1.

    They are those of sklearn.datasets.load_digits, from its file: to import scikit-learn takes a second.
    """
    package = Path(find_spec("sklearn").origin).parent
    table = np.loadtxt(package / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    return Digits(table[:, :-1] / BRIGHTEST, table[:, -1].astype(np.int64))


def centered(digits: Digits) -> Digits:
    """Return the digits with every pixel's mean 0 and one factor for all pixels that makes the mean square 1."""
    images = digits.images - digits.images.mean(axis=0)
    return digits._replace(images=images / np.sqrt(np.mean(images**2)))


def split_digits(digits: Digits, counts: Sequence[int], seed: int) -> list[Digits]:
    """Draw disjoint parts of so many images each, with the digits' class proportions; the last part takes the rest.

    Raises UserError if there are too few images, or if too few are asked for to hold every class.
    """
    parts = []
    for count in counts:
        if count >= len(digits.labels):
            raise UserError(f"asked for {count} digits, but only {len(digits.labels)} are left: ask for fewer")
        rows, others = stratified_split(digits.labels, count, len(digits.labels) - count, seed)
        parts.append(digits.at(rows))
        digits = digits.at(others)
    return [*parts, digits]


def add_outputs(parser: argparse.ArgumentParser, *tables: str) -> None:
    """Add what every small experiment has: its seeds, these tables and a figure in two formats."""
    parser.add_argument("--seeds", nargs="*", type=seed_number, required=True, help="one repeat each")
    for table in tables:
        parser.add_argument(f"--{table}", required=True, help="table to write (CSV)")
    parser.add_argument("--pdf", required=True)
    parser.add_argument("--png", required=True)


def reuse_memory() -> None:
    """Let arrays take the place of those that were freed, rather than pages that the system must hand out and clear.

    The GNU C library keeps freed blocks up to the size of the largest that has ever been freed, but no more than 32 MiB
    (mallopt(3), M_MMAP_THRESHOLD). None of this one's pages is used. Elsewhere nothing happens.
    """
    np.empty(2**25 - 2**16, np.uint8)


def checked_seeds(seeds: Sequence[int]) -> list[int]:
    """Return the seeds. Raises UserError if there is none, or one twice."""
    if not seeds:
        raise UserError("--seeds names no seed: give at least one, such as --seeds 0 1 2")
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise UserError(f"--seeds names {', '.join(map(str, twice))} twice: give different seeds")
    return list(seeds)


def warn_at_edge(name: str, rate: float, rates: Sequence[float]) -> None:
    """Log a warning if the rate chosen from several is the first or the last: a better one may lie beyond."""
    if len(rates) > 1 and rate in (min(rates), max(rates)):
        logging.warning("%s: the rate %g is at the edge of the rates tried", name, rate)
