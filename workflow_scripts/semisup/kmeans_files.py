"""The file of a finished k-means model, read and written without torch.

`model.h5` holds all that is needed to score an image, and nothing about the data it was trained on.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from semisup.dictionary import Dictionary
from semisup.model_format import About, read_model_file, write_model_file
from semisup.svm import LinearModel, Scaling


class KMeansModel(NamedTuple):
    """A classifier of images; see the types of its parts for shapes."""

    dictionary: Dictionary[np.ndarray]
    stride: int
    scaling: Scaling
    svm: LinearModel
    class_names: list[str]


def write_model(path: str | Path, model: KMeansModel, about: About) -> None:
    """Write the model to an HDF5 file."""
    write_model_file(path, "kmeans", model, about)


def read_model(path: str | Path) -> KMeansModel:
    """Read a model. Raises UserError if the file is not one."""
    return read_model_file(path, KMeansModel)
