"""Find near copies between and within the splits of a data set, by their images alone, and list the closest ones.

Pairs of two unlabelled images are not searched: they improve no result, and take longer than all others together.
"""

import argparse
import logging
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement
from typing import Any

from data_sets.declare import CopyCorrelation
from declarations.command_line import add_options
from semisup.cli import progress, run_program
from semisup.dataset import SPLITS
from semisup.left_out import split_thumbnails
from semisup.near_copies import Copies, near_copies
from semisup.tables import write_table

PAIRS = [pair for pair in combinations_with_replacement(SPLITS, 2) if pair != ("unlabeled", "unlabeled")]
COLUMNS = ("split", "row", "beside", "beside_row", "correlation", "mirrored")


def pair_rows(split: str, beside: str, copies: Copies) -> Iterator[dict[str, Any]]:
    """Yield the closest near copies of two splits as rows of the table of pairs; rows are those of the splits."""
    for row, beside_row, correlation, mirrored in zip(*(column.tolist() for column in copies.closest), strict=True):
        values = split, row, beside, beside_row, correlation, mirrored
        yield dict(zip(COLUMNS, values, strict=True))


def count_rows(split: str, beside: str, copies: Copies, correlation: float) -> Iterator[dict[str, Any]]:
    """Yield how many images of each of two splits have a near copy in the other one; once, if it is the same split."""
    sides = {(split, beside): copies.copied, (beside, split): copies.beside_copied}
    for (first, second), copied in sides.items():
        yield {
            "split": first,
            "images": len(copied),
            "beside": second,
            "with_copies": int(copied.sum()),
            "pairs": copies.pairs,
            "mirrored": copies.mirrored,
            "least_correlation": correlation,
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    add_options(parser, CopyCorrelation)
    parser.add_argument("--pairs", required=True, help="table to write (CSV): the closest near copies")
    parser.add_argument("--counts", required=True, help="table to write (CSV): how many images have near copies")
    options = parser.parse_args(arguments)

    thumbnails = {split: split_thumbnails(options.images, split) for split in SPLITS}
    pairs: list[dict[str, Any]] = []
    counts: list[dict[str, Any]] = []
    for split, beside in progress(PAIRS, len(PAIRS), "pairs", "splits"):
        other = None if split == beside else thumbnails[beside]
        copies = near_copies(thumbnails[split], other, options.copy_correlation)
        pairs += pair_rows(split, beside, copies)
        counts += count_rows(split, beside, copies, options.copy_correlation)
        logging.info("%s and %s: %d pairs", split, beside, copies.pairs)
    write_table(options.pairs, pairs, COLUMNS)
    write_table(options.counts, counts)


if __name__ == "__main__":
    run_program(main)
