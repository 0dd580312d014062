"""The scores of a run, all that the evaluation reads of it."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semisup.cli import UserError
from semisup.files import atomic_path


def write_scores(path: str | Path, validation: np.ndarray, validation_rows: np.ndarray, test: np.ndarray) -> None:
    """Write scores of validation and test images, float32 (N, classes); validation_rows: int64, of the labelled set.

    Raises UserError for scores that are not finite: their largest would be any class.
    """
    for split, scores in (("validation", validation), ("test", test)):
        if not np.isfinite(scores).all():
            raise UserError(f"{path}: {split} scores that are not finite: delete what they were made from, run again")
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, validation=validation, validation_rows=validation_rows, test=test)


def read_arrays(
    path: str | Path,
    names: Sequence[str],
    mistake: str = "is damaged or not a file of scores: delete it and run again",
) -> list[np.ndarray]:
    """Return the named arrays of an npz file. Raises UserError with the mistake if it is damaged or lacks one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return [file[name] for name in names]
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:  # TypeError: a file of np.save
        raise UserError(f"{path} {mistake}") from error


def prediction_rows(labels: np.ndarray) -> list[dict[str, int]]:
    """Return the rows of a Kaggle file for predicted labels (N,): Id and Prediction, both counted from 1."""
    return [{"Id": number, "Prediction": int(label) + 1} for number, label in enumerate(labels, start=1)]
