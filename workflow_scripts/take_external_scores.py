"""Check scores that another program has made for a run, and add them to the study."""

import argparse
import logging
from collections.abc import Sequence

import numpy as np

from semisup.cli import UserError, run_program
from semisup.dataset import image_count, read_class_names, read_labelled, run_rows
from semisup.run_names import FORMS
from semisup.scores import read_arrays, write_scores
from semisup.tables import write_table

NAMES = ("validation", "validation_rows", "test")
NO_SCORES = f"is no npz file with the arrays {', '.join(NAMES)}: write it with np.savez"


def checked_scores(path: str, name: str, scores: np.ndarray, images: int, classes: int) -> np.ndarray:
    """Return scores as float32 (images, classes). Raises UserError if they are not of that form."""
    if scores.dtype.kind not in "fiu" or scores.shape != (images, classes):
        raise UserError(
            f"{path}: {name} is {scores.dtype} {scores.shape}, not numbers of the shape ({images}, {classes}): give a "
            "score for each image and class"
        )
    scores = scores.astype(np.float32)
    if not np.isfinite(scores).all():
        raise UserError(f"{path}: {name} has scores that are not finite: mend what made them")
    return scores


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, check the scores and write what a run has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5)")
    parser.add_argument("--run", required=True, help=f"like {FORMS}")
    parser.add_argument("--external", required=True, help="scores that were made elsewhere (npz)")
    parser.add_argument("--scores", required=True, help="scores to write (npz)")
    parser.add_argument("--selection", required=True, help="table to write (CSV)")
    parser.add_argument("--history", required=True, help="table to write (CSV)")
    options = parser.parse_args(arguments)

    labels, classes = read_labelled(options.images), len(read_class_names(options.images))
    train, allowed = run_rows(options.images, options.run)
    validation, rows, test = read_arrays(options.external, NAMES, NO_SCORES)
    if rows.dtype.kind not in "iu" or rows.ndim != 1 or not len(rows):
        raise UserError(
            f"{options.external}: validation_rows is {rows.dtype} {rows.shape}, not a list of rows: mend it"
        )
    if not np.isin(rows, allowed).all():
        seen = "rows that the run trains on" if np.isin(rows, train).any() else "rows that there are not"
        raise UserError(f"{options.external}: validation_rows names {seen}: validate on the {len(allowed)} rows it may")
    validation = checked_scores(options.external, "validation", validation, len(rows), classes)
    test = checked_scores(options.external, "test", test, image_count(options.images, "test"), classes)
    accuracy = float(np.mean(validation.argmax(axis=1) == labels[rows]))
    write_scores(options.scores, validation, rows.astype(np.int64), test)
    write_table(options.selection, [{"validation_accuracy": accuracy, "chosen": True}])
    write_table(options.history, [{"validation_accuracy": accuracy}])
    logging.info("validation accuracy %.4f on %d images", accuracy, len(rows))


if __name__ == "__main__":
    run_program(main)
