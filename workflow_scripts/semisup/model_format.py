"""The file of a finished model, of any kind: attribute `kind`, group `about`, and beside them what scores an image.

`about` says what a user of the model is told: of what it was learned, how good it is, and how its scores become
probabilities.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import h5py
import numpy as np

from semisup.calibration import fit_temperature
from semisup.cli import UserError
from semisup.dataset import image_blocks, read_labelled, run_rows
from semisup.edges import edge_pixels
from semisup.hdf5 import new_hdf5, open_hdf5, read_record, write_record

Model = TypeVar("Model")

EDGE_IMAGES = 512  # training images whose edges are looked at


class About(NamedTuple):
    """What is known of a model.

    data, run: name of the data set and of the run; labels: how many training images had one
    validation_images, validation_accuracy: how many labelled images it did not learn from, and how many it got right
    temperature: what scores are divided by before the softmax; it is fitted as if one of n + 2 validation images were
    labelled wrongly (Platt 1999), so that few of them, all right, do not make every answer certain
    edge: mean of the outermost pixels of training images, 0..255
    """

    data: str
    run: str
    labels: int
    validation_images: int
    validation_accuracy: float
    temperature: float
    edge: float


def about_model(images: str | Path, run: str, validation_rows: np.ndarray, scores: np.ndarray) -> About:
    """Return what is known of a model of a run.

    images: the data set; validation_rows: int64 (n,), rows of its labelled set; scores: float32 (n, classes) of them.
    """
    labels = read_labelled(images)[validation_rows]
    with open_hdf5(images) as file:
        data = str(file.attrs["dataset"])
    return About(
        data=data,
        run=run,
        labels=len(run_rows(images, run)[0]),
        validation_images=len(labels),
        validation_accuracy=float(np.mean(scores.argmax(axis=1) == labels)),
        temperature=fit_temperature(scores, labels, 1 / (len(labels) + 2)),
        edge=float(edge_pixels(next(image_blocks(images, "train", EDGE_IMAGES))).mean()),
    )


def write_model_file(
    path: str | Path,
    kind: str,
    model: Model,
    about: About,
    writers: dict[type, Callable] | None = None,
    attributes: dict[str, str] | None = None,
) -> None:
    """Write a model, a named tuple, with further attributes of the file.

    kind: the module of `semisup.models` that reads it; writers: see `write_record`.
    """
    with new_hdf5(path) as file:
        file.attrs.update({"kind": kind} | (attributes or {}))
        write_record(file.create_group("about"), about)
        write_record(file, model, writers)


def read_model_file(path: str | Path, model: type[Model], readers: dict[type, Callable] | None = None) -> Model:
    """Read what `write_model_file` wrote, a named tuple of this type. Raises UserError if the file is not one."""
    with open_hdf5(path) as file:
        return read_record(file, model, readers)


def read_about(path: str | Path) -> About:
    """Read what is known of a model. Raises UserError if the file does not say."""
    with open_hdf5(path) as file:
        if not isinstance(file.get("about"), h5py.Group):
            raise UserError(f"{path} is a model of an earlier version, without its calibration: make it again")
        return read_record(file["about"], About)
