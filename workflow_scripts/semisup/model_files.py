"""A finished model of any kind, read from its file."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from semisup import models
from semisup.cli import UserError
from semisup.hdf5 import open_hdf5
from semisup.model_format import About, read_about

if TYPE_CHECKING:
    import torch


class Model(NamedTuple):
    """What a classifier of images is to its user.

    description: in a few words; channels: of its images; size: the side in pixels that it scales them to
    scores: takes blocks of uint8 images (n, C, H, W) of any size and a device, and yields float32 (n, classes) scores,
    once for each block
    """

    description: str
    about: About
    class_names: list[str]
    channels: int
    size: int
    scores: Callable[[Iterator[np.ndarray], "torch.device"], Iterator[np.ndarray]]


def model_kind(path: str | Path) -> str:
    """Return the kind of a model: the name of the module of `semisup.models` that reads it.

    Raises UserError if the file is not a model of a known kind.
    """
    with open_hdf5(path) as file:
        kind = file.attrs.get("kind")
    known = [module.name for module in pkgutil.iter_modules(models.__path__)]
    if kind not in known:
        raise UserError(f"{path} is no model of a known kind ({', '.join(known)}): give a model.h5 of this version")
    return kind


def read_model(path: str | Path) -> Model:
    """Read a model onto the CPU. Raises UserError if the file is not one."""
    module = importlib.import_module(f"semisup.models.{model_kind(path)}")
    model = module.read_model(path)
    return Model(
        module.description(model),
        read_about(path),
        model.class_names,
        *module.image_shape(model),
        lambda blocks, device: module.image_scores(blocks, model, device),
    )
