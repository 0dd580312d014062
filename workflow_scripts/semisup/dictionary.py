"""Files of the method k-means: what it learns from patches, and the features it gives. Neither needs torch."""

from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from semisup.hdf5 import finite, open_hdf5

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


def read_labelled_features(path: str | Path) -> np.ndarray:
    """Return float32 (Ntrain + Nvalidation, F), the features of the labelled set, from a file of features.

    Raises UserError if one is not finite.
    """
    with open_hdf5(path) as file:
        return finite(np.concatenate([file["train"][:], file["validation"][:]]), path, "features")
