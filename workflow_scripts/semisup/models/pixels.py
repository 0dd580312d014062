"""Pixels and the support vector machine on them, as one file."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from semisup.model_format import About, read_model_file, write_model_file
from semisup.scaling import scale_all
from semisup.svm import LinearModel, Scaling, standardize, svm_scores


class PixelsModel(NamedTuple):
    """A classifier of images of `channels`, scaled to a side of `image_size` pixels."""

    channels: int
    image_size: int
    scaling: Scaling
    svm: LinearModel
    class_names: list[str]


def pixel_features(images: np.ndarray, size: int) -> np.ndarray:
    """Return the pixels of images uint8 (N, C, H, W), scaled to a square: float32 (N, C * size * size)."""
    return scale_all(images, size).reshape(len(images), -1).astype(np.float32)


def write_model(path: str | Path, model: PixelsModel, about: About) -> None:
    """Write the model to an HDF5 file."""
    write_model_file(path, "pixels", model, about)


def read_model(path: str | Path) -> PixelsModel:
    """Read a model. Raises UserError if the file is not one."""
    return read_model_file(path, PixelsModel)


def description(model: PixelsModel) -> str:
    """Say in a few words what the model is."""
    return f"support vector machine on {model.image_size} x {model.image_size} raw pixels"


def image_shape(model: PixelsModel) -> tuple[int, int]:
    """Return the channels of the images that the model takes, and the side that it scales them to."""
    return model.channels, model.image_size


def image_scores(blocks: Iterator[np.ndarray], model: PixelsModel, _: torch.device) -> Iterator[np.ndarray]:
    """Yield float32 (n, classes) scores for blocks of uint8 images (n, C, H, W)."""
    for block in blocks:
        yield svm_scores(standardize(pixel_features(block, model.image_size), model.scaling), model.svm)
