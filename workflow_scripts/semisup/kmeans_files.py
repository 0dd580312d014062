"""What the steps of the method k-means leave in files, read and written without torch.

`model.h5` holds all that is needed to score an image, and nothing about the data it was trained on.
"""

from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import h5py
import numpy as np

from semisup.hdf5 import finite, new_hdf5, open_hdf5
from semisup.svm import LinearModel, Scaling

Array = TypeVar("Array")  # of numpy as it is read, of torch on a device


class Dictionary(NamedTuple, Generic[Array]):
    """All that turns an image into features. Arrays are float32: mean (D,), whitening (D, D), centroids (K, D)."""

    image_size: int
    patch_size: int
    contrast_constant: float
    epsilon: float
    mean: Array
    whitening: Array
    centroids: Array


def write_dictionary(group: h5py.Group, dictionary: Dictionary[np.ndarray]) -> None:
    """Write the dictionary: arrays as data sets, the rest as attributes."""
    for name, value in dictionary._asdict().items():
        if isinstance(value, np.ndarray):
            group.create_dataset(name, data=value)
        else:
            group.attrs[name] = value


def read_dictionary(group: h5py.Group) -> Dictionary[np.ndarray]:
    """Read what `write_dictionary` wrote."""
    attributes = {key: group.attrs[key].item() for key in ("image_size", "patch_size", "contrast_constant", "epsilon")}
    return Dictionary(**attributes, **{key: group[key][:] for key in ("mean", "whitening", "centroids")})


def read_labelled_features(path: str | Path) -> np.ndarray:
    """Return float32 (Ntrain + Nvalidation, F), the features of the labelled set, from a file of features.

    Raises UserError if one is not finite.
    """
    with open_hdf5(path) as file:
        return finite(np.concatenate([file["train"][:], file["validation"][:]]), path, "features")


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
        file.attrs["method"] = "kmeans"
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
