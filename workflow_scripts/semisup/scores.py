"""The scores of a run, all that the evaluation reads of it."""

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
