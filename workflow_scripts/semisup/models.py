"""A finished model of any method, read from its file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from semisup import kmeans_model, network_model, probe_model
from semisup.cli import UserError
from semisup.hdf5 import open_hdf5

MODULES = {"kmeans": kmeans_model, "cnn": network_model, "surrogate": probe_model}


class Model(NamedTuple):
    """What a classifier of images is to its user.

    channels: of its images; scores: takes blocks of uint8 images (n, C, H, W) of any size and a device, and yields
    float32 (n, classes) scores.
    """

    channels: int
    scores: Callable[[Iterator[np.ndarray], torch.device], Iterator[np.ndarray]]


def model_method(path: str | Path) -> str:
    """Return the method that a model was written by. Raises UserError if the file is not a model."""
    with open_hdf5(path) as file:
        return file.attrs["method"]


def read_model(path: str | Path) -> Model:
    """Read a model onto the CPU. Raises UserError if the file is not one."""
    method = model_method(path)
    if method not in MODULES:
        raise UserError(f"{path} is a model of the unknown method {method}: give a model.h5 that this version wrote")
    module = MODULES[method]
    model = module.read_model(path)
    return Model(module.image_channels(model), lambda blocks, device: module.image_scores(blocks, model, device))
