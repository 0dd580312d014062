"""The data set contract: how the images of a study lie on disk, how they are written and how they are read.

`images.h5` has one group a split (/train, /validation, /unlabeled, /test). Each holds

    images        uint8 (N, C, H, W), in chunks of at most 64 images, not compressed
    source_index  int64 (N,), the row in the source file (for crops: a running number); not in test
    labels        int64 (N,), in train and validation only
    left_out      int64 (n,), in unlabeled where near copies of test images were left out: their source_index

and, where the set defines folds, /folds is int64 (F, n): rows of the labelled set, which is the train rows followed by
the validation rows. A set may choose which of the other labelled images a fold validates on: /fold_validation is then
int64 (F, m), and the images in neither are left without labels.
File attributes: dataset, class_names, source, checksums (JSON text: name -> md5).

The test labels lie in a file of their own, `test_labels.h5` (labels and source_index, int64 (N,); class_names), so that
a program can be given the images without them. It may hold `group`, int64 (N,): test images of one group belong
together (crops of one tile of a picture) and are resampled together. Without it every image is a group of its own.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from semisup.cli import UserError
from semisup.hdf5 import new_hdf5, open_hdf5, require_space
from semisup.run_names import FORMS, parsed_run
from semisup.splits import balanced_rows

SPLITS = ("train", "validation", "unlabeled", "test")
IMAGES_PER_CHUNK = 64
IMAGES_PER_BLOCK = 512  # a multiple of the chunk: every chunk is written once, whole


class Split(NamedTuple):
    """One split as it is to be written.

    blocks: uint8 (n, C, H, W) arrays that together hold the N images; read once, so a generator will do
    source_index: int64 (N,)
    labels: int64 (N,), or None for unlabeled images and for test labels that are only known later
    extra: further arrays of N rows by name, stored beside the labels
    """

    blocks: Iterable[np.ndarray]
    source_index: np.ndarray
    labels: np.ndarray | None = None
    extra: Mapping[str, np.ndarray] = {}


class DatasetFiles(NamedTuple):
    """The two files of a data set that is being written."""

    images: h5py.File
    test_labels: h5py.File


# Writing


@contextmanager
def new_dataset(images_path: str | Path, test_labels_path: str | Path) -> Iterator[DatasetFiles]:
    """Yield both files, open for writing; they appear under their names when the block ends without an error."""
    with new_hdf5(images_path) as images, new_hdf5(test_labels_path) as test_labels:
        yield DatasetFiles(images, test_labels)


def write_split(files: DatasetFiles, name: str, split: Split) -> None:
    """Write one split block by block; no more than one block is in memory.

    Of the test split only the images go into the file of images: a row in a sorted source, or the picture that a crop
    was cut from, would give the label away.
    Raises ValueError if the blocks, the labels or an extra array do not have one row for each `source_index`.
    """
    count = len(split.source_index)
    sealed = name == "test"
    group = files.images.create_group(name)
    beside_labels = files.test_labels if sealed else group

    written = 0
    for block in split.blocks:
        if written == 0:
            require_space(Path(files.images.filename).parent, count * block[0].nbytes)
            chunk = (min(IMAGES_PER_CHUNK, count), *block.shape[1:])
            images = group.create_dataset("images", (count, *block.shape[1:]), np.uint8, chunks=chunk)
        images[written : written + len(block)] = block
        written += len(block)
    columns = {"source_index": split.source_index, **split.extra}
    if split.labels is not None:
        columns["labels"] = split.labels
    for column, values in columns.items():
        beside_labels[column] = values.astype(np.int64)

    rows = {"images": written} | {column: len(values) for column, values in columns.items()}
    if set(rows.values()) != {count}:
        raise ValueError(f"split {name}: {count} source_index rows, but {rows}")


def write_attributes(files: DatasetFiles, attributes: Mapping[str, str | Sequence[str] | Mapping[str, str]]) -> None:
    """Write the file attributes (dataset, class_names, source, checksums); a mapping is stored as JSON text."""
    for name, value in attributes.items():
        files.images.attrs[name] = json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value
    files.test_labels.attrs["class_names"] = attributes["class_names"]


def write_folds(files: DatasetFiles, folds: np.ndarray, validation: np.ndarray | None) -> None:
    """Write the folds (F, n), rows of the labelled set, and what they validate on (F, m); None: all others."""
    files.images["folds"] = folds.astype(np.int64)
    if validation is not None:
        files.images["fold_validation"] = validation.astype(np.int64)


def write_dataset(
    images_path: str | Path,
    test_labels_path: str | Path,
    splits: Mapping[str, Split],
    folds: tuple[np.ndarray, np.ndarray | None] | None,
    attributes: Mapping[str, str | Sequence[str] | Mapping[str, str]],
) -> None:
    """Write a whole data set: the splits by name, the folds and what they validate on or None, and the file attributes.

    The same input gives the same bytes. Nothing is left behind after an error.
    """
    with new_dataset(images_path, test_labels_path) as files:
        for name, split in splits.items():
            write_split(files, name, split)
        if folds is not None:
            write_folds(files, *folds)
        write_attributes(files, attributes)


def row_blocks(images: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield images[rows] in consecutive blocks, without ever copying the whole."""
    for start in range(0, len(rows), IMAGES_PER_BLOCK):
        yield images[rows[start : start + IMAGES_PER_BLOCK]]


# Reading


def _images(file: h5py.File, split: str) -> h5py.Dataset:
    """Return the images of a split, not yet read. Raises UserError unless they are uint8, which no NaN can be."""
    images = file[f"{split}/images"]
    if images.dtype != np.uint8:
        raise UserError(
            f"{file.filename} has {split} images of type {images.dtype}, not uint8: give a data set that a program of "
            "this study has prepared"
        )
    return images


def read_images(path: str | Path, split: str) -> np.ndarray:
    """Return all images of a split, uint8 (N, C, H, W)."""
    with open_hdf5(path) as file:
        return _images(file, split)[:]


def image_blocks(path: str | Path, split: str, block: int) -> Iterator[np.ndarray]:
    """Yield the images of a split in order, uint8 (n, C, H, W) with n = `block` except in the last."""
    with open_hdf5(path) as file:
        images = _images(file, split)
        for start in range(0, len(images), block):
            yield images[start : start + block]


def image_count(path: str | Path, split: str) -> int:
    """Return the number of images in a split."""
    with open_hdf5(path) as file:
        return len(_images(file, split))


def image_shape(path: str | Path) -> tuple[int, int, int]:
    """Return (channels, height, width), the same for every split."""
    with open_hdf5(path) as file:
        return _images(file, "train").shape[1:]


def resolved_size(path: str | Path, asked: int | None) -> int:
    """Return the side in pixels that the images are scaled to; asked None: they keep their size.

    Raises UserError if images that keep their size are not square.
    """
    _, height, width = image_shape(path)
    if asked is not None:
        return asked
    if height != width:
        raise UserError(f"images of {height} x {width} pixels are not square: give image_size a number of pixels")
    return height


def read_labels(path: str | Path, split: str) -> np.ndarray:
    """Return the labels of train or validation, int64 (N,). The other splits have none: UserError."""
    with open_hdf5(path) as file:
        return file[f"{split}/labels"][:]


def read_labelled(path: str | Path) -> np.ndarray:
    """Return the labels of the labelled set, int64 (Ntrain + Nvalidation,): train first, then validation."""
    return np.concatenate([read_labels(path, "train"), read_labels(path, "validation")])


def read_class_names(path: str | Path) -> list[str]:
    """Return the names of the classes in the order of their labels; works on both files."""
    with open_hdf5(path) as file:
        return list(file.attrs["class_names"])


def run_rows(path: str | Path, run: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the train and the validation rows of a run, int64 rows of the labelled set.

    'seed0', 'seed1', ...: the split of the study, the same for each seed.
    'labels250_seed0': 250 of its train rows, drawn by seed 0 (`balanced_rows`), and all its validation rows.
    'fold3': the rows of fold 3, and for validation those that the set has chosen, or all other labelled rows in
    increasing order.
    Raises UserError for any other run, for a fold that the set does not have, and for more rows than it has.
    """
    name = parsed_run(run)
    if name is None:
        raise UserError(f"unknown run {run}: name it like {FORMS}, with any numbers")
    train = image_count(path, "train")
    labelled = np.arange(train + image_count(path, "validation"))
    if name.protocol == "seeds":
        return labelled[:train], labelled[train:]
    if name.protocol == "labels":
        return balanced_rows(read_labels(path, "train"), name.labels, name.number), labelled[train:]

    with open_hdf5(path) as file:
        folds = file["folds"][:] if "folds" in file else []
        chosen = file["fold_validation"][:] if "fold_validation" in file else None
    if name.number >= len(folds):
        raise UserError(f"{path} has {len(folds)} folds, so there is no run {run}: use a lower fold, or seed0")
    rows = folds[name.number]
    return rows, np.setdiff1d(labelled, rows) if chosen is None else chosen[name.number]


def fold_validation_images(path: str | Path) -> int | None:
    """Return how many images a fold validates on, if the set has chosen them; None: all others, or no folds."""
    with open_hdf5(path) as file:
        return file["fold_validation"].shape[1] if "fold_validation" in file else None


def read_test_labels(path: str | Path) -> np.ndarray:
    """Return the labels of the test split, int64 (N,), from the file of their own."""
    with open_hdf5(path) as file:
        return file["labels"][:]


def read_test_groups(path: str | Path) -> np.ndarray:
    """Return the group of each image of the test split, int64 (N,), from the file of the test labels."""
    with open_hdf5(path) as file:
        return file["group"][:] if "group" in file else np.arange(len(file["labels"]))
