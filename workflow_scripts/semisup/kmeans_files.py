"""The file of a finished k-means model, read and written without torch.

`model.h5` holds all that is needed to score an image, and nothing about the data it was trained on.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from semisup.dictionary import Dictionary, read_dictionary, write_dictionary
from semisup.hdf5 import new_hdf5, open_hdf5
from semisup.svm import LinearModel, Scaling


class KMeansModel(NamedTuple):
    """A classifier of images; see the types of its parts for shapes."""

    dictionary: Dictionary[np.ndarray]
    stride: int
    scaling: Scaling
    svm: LinearModel
    class_names: list[str]


def write_model(path: str | Path, model: KMeansModel) -> None:
    """Write the model to an HDF5 file."""
    with new_hdf5(path) as file:
        file.attrs["kind"] = "kmeans"
        file.attrs["class_names"] = model.class_names
        file.attrs["stride"] = model.stride
        write_dictionary(file.create_group("dictionary"), model.dictionary)
        for name in ("scaling", "svm"):
            for field, value in getattr(model, name)._asdict().items():
                file.create_dataset(f"{name}/{field}", data=value)


def read_model(path: str | Path) -> KMeansModel:
    """Read a model. Raises UserError if the file is not one."""
    with open_hdf5(path) as file:
        return KMeansModel(
            dictionary=read_dictionary(file["dictionary"]),
            stride=int(file.attrs["stride"]),
            scaling=Scaling(*(file[f"scaling/{field}"][:] for field in Scaling._fields)),
            svm=LinearModel(*(file[f"svm/{field}"][:] for field in LinearModel._fields)),
            class_names=list(file.attrs["class_names"]),
        )
