"""The scores of a run, all that the evaluation reads of it."""

from pathlib import Path

import numpy as np

from semisup.files import atomic_path


def write_scores(path: str | Path, validation: np.ndarray, validation_rows: np.ndarray, test: np.ndarray) -> None:
    """Write scores of validation and test images, float32 (N, classes); validation_rows: int64, of the labelled set."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, validation=validation, validation_rows=validation_rows, test=test)
