"""The data set contract: how the images of a study lie on disk, how they are written and how they are read.

`images.h5` has one group a split (/train, /validation, /unlabeled, /test). Each holds

    images        uint8 (N, C, H, W), in chunks of at most 64 images, not compressed
    source_index  int64 (N,), the row in the source file (for crops: a running number)
    labels        int64 (N,), in train and validation only

and, where the set defines folds, /folds is int64 (F, n): rows of the labelled set, which is the train rows followed by
the validation rows. File attributes: dataset, class_names, source, checksums (JSON text: name -> md5).

The test labels lie in a file of their own, `test_labels.h5` (labels int64 (N,), attribute class_names), so that a
program can be given the images without them.
"""

import argparse
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from sklearn.model_selection import train_test_split

from semisup.cli import UserError, positive_int
from semisup.files import atomic_path

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
    with (
        atomic_path(images_path) as images,
        atomic_path(test_labels_path) as test_labels,
        h5py.File(images, "w") as images_file,
        h5py.File(test_labels, "w") as test_labels_file,
    ):
        yield DatasetFiles(images_file, test_labels_file)


def write_split(files: DatasetFiles, name: str, split: Split) -> None:
    """Write one split block by block; no more than one block is in memory.

    The labels and the extra arrays of the test split go into the file of the test labels, for an extra array may give
    the label away (the picture that a crop was cut from).
    Raises ValueError if the blocks, the labels or an extra array do not have one row for each `source_index`.
    """
    count = len(split.source_index)
    sealed = name == "test"
    group = files.images.create_group(name)
    beside_labels = files.test_labels if sealed else group

    written = 0
    for block in split.blocks:
        if written == 0:
            chunk = (min(IMAGES_PER_CHUNK, count), *block.shape[1:])
            images = group.create_dataset("images", (count, *block.shape[1:]), np.uint8, chunks=chunk)
        images[written : written + len(block)] = block
        written += len(block)
    group["source_index"] = split.source_index.astype(np.int64)
    columns = dict(split.extra) if split.labels is None else {"labels": split.labels, **split.extra}
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


def write_dataset(
    images_path: str | Path,
    test_labels_path: str | Path,
    splits: Mapping[str, Split],
    folds: np.ndarray | None,
    attributes: Mapping[str, str | Sequence[str] | Mapping[str, str]],
) -> None:
    """Write a whole data set: the splits by name, folds int64 (F, n) or None, and the file attributes.

    The same input gives the same bytes. Nothing is left behind after an error.
    """
    with new_dataset(images_path, test_labels_path) as files:
        for name, split in splits.items():
            write_split(files, name, split)
        if folds is not None:
            files.images["folds"] = folds.astype(np.int64)
        write_attributes(files, attributes)


def row_blocks(images: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield images[rows] in consecutive blocks, without ever copying the whole."""
    for start in range(0, len(rows), IMAGES_PER_BLOCK):
        yield images[rows[start : start + IMAGES_PER_BLOCK]]


# Drawing the rows of the splits


def stratified_split(
    labels: np.ndarray, train_images: int, validation_images: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the train and the validation rows, int64 in random order, with the class proportions of `labels`.

    Raises UserError if there are fewer images than asked for, or too few for every class to be in both parts.
    """
    asked = f"{train_images} training and {validation_images} validation images"
    if train_images + validation_images > len(labels):
        raise UserError(f"asked for {asked}, but there are only {len(labels)} labelled images: ask for fewer")
    try:
        train, validation = train_test_split(
            np.arange(len(labels)),
            train_size=train_images,
            test_size=validation_images,
            stratify=labels,
            random_state=seed,
        )
    except ValueError as error:
        raise UserError(f"cannot draw {asked} of every class: {error}") from error
    return train, validation


def unlabeled_rows(total: int, used: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draw `count` of the rows 0..total-1 that are not in `used`, int64 in random order, blind to their labels.

    Raises UserError if there are fewer.
    """
    rest = np.setdiff1d(np.arange(total), used)
    if count > len(rest):
        raise UserError(f"asked for {count} unlabeled images, but only {len(rest)} are left: ask for fewer")
    return np.random.default_rng(seed).permutation(rest)[:count]


def checked_count(asked: int | None, available: int, what: str) -> int:
    """Return `asked`, or all that are available if it is None. Raises UserError if there are fewer than asked."""
    if asked is None:
        return available
    if asked > available:
        raise UserError(f"asked for {asked} {what} images, but there are only {available}: ask for fewer, or for 'all'")
    return asked


# Reading


@contextmanager
def open_dataset(path: str | Path) -> Iterator[h5py.File]:
    """Open a data set file for reading. A missing, damaged or foreign file raises UserError."""
    remedy = "delete it and run again"
    try:
        # Finished files are never written to again, and some cluster file systems cannot lock.
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except KeyError as error:
        raise UserError(f"{path} is not a data set file ({error.args[0]}): {remedy}") from error
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno:
            raise UserError(f"{path}: {os.strerror(error.errno)}: check the path") from error
        raise UserError(f"{path} is damaged or not an HDF5 file: {remedy}") from error


def read_images(path: str | Path, split: str) -> np.ndarray:
    """Return all images of a split, uint8 (N, C, H, W)."""
    with open_dataset(path) as file:
        return file[f"{split}/images"][:]


def image_blocks(path: str | Path, split: str, block: int) -> Iterator[np.ndarray]:
    """Yield the images of a split in order, uint8 (n, C, H, W) with n = `block` but for the last."""
    with open_dataset(path) as file:
        images = file[f"{split}/images"]
        for start in range(0, len(images), block):
            yield images[start : start + block]


def image_count(path: str | Path, split: str) -> int:
    """Return the number of images in a split."""
    with open_dataset(path) as file:
        return len(file[f"{split}/images"])


def image_shape(path: str | Path) -> tuple[int, int, int]:
    """Return (channels, height, width), the same for every split."""
    with open_dataset(path) as file:
        return file["train/images"].shape[1:]


def read_labels(path: str | Path, split: str) -> np.ndarray:
    """Return the labels of train or validation, int64 (N,). The other splits have none: UserError."""
    with open_dataset(path) as file:
        return file[f"{split}/labels"][:]


def read_labelled(path: str | Path) -> np.ndarray:
    """Return the labels of the labelled set, int64 (Ntrain + Nvalidation,): train first, then validation."""
    return np.concatenate([read_labels(path, "train"), read_labels(path, "validation")])


def read_class_names(path: str | Path) -> list[str]:
    """Return the names of the classes in the order of their labels; works on both files."""
    with open_dataset(path) as file:
        return list(file.attrs["class_names"])


def run_rows(path: str | Path, run: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the train and the validation rows of a run, int64 rows of the labelled set.

    'seed0', 'seed1', ...: the split of the study, the same for each seed.
    'fold3': the rows of fold 3, and for validation all other labelled rows in increasing order.
    Raises UserError for any other run and for a fold that the set does not have.
    """
    match = re.fullmatch(r"(seed|fold)([0-9]+)", run)
    if match is None:
        raise UserError(f"unknown run {run}: name it seed0, seed1, ... or fold0, fold1, ...")
    kind, number = match[1], int(match[2])
    train = image_count(path, "train")
    labelled = np.arange(train + image_count(path, "validation"))
    if kind == "seed":
        return labelled[:train], labelled[train:]

    with open_dataset(path) as file:
        folds = file["folds"][:] if "folds" in file else []
    if number >= len(folds):
        raise UserError(f"{path} has {len(folds)} folds, so there is no run {run}: use a lower fold, or seed0")
    return folds[number], np.setdiff1d(labelled, folds[number])


def read_test_labels(path: str | Path) -> np.ndarray:
    """Return the labels of the test split, int64 (N,), from the file of their own."""
    with open_dataset(path) as file:
        return file["labels"][:]


# Command-line options of the programs that prepare a data set


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add --split-seed, --images and --test-labels."""
    parser.add_argument("--split-seed", type=int, default=0, help="decides which image goes into which split")
    parser.add_argument("--images", required=True, help="HDF5 file to write: images of all splits")
    parser.add_argument("--test-labels", required=True, help="HDF5 file to write: labels of the test images")


def count_or_all(text: str) -> int | None:
    """Argparse type: a positive whole number, or 'all', which gives None."""
    return None if text == "all" else positive_int(text)


def named_checksums(pairs: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Turn NAME=MD5 pairs into a dictionary. Raises UserError unless each of `names` is there, and no other."""
    for pair in pairs:
        if not re.fullmatch(r"[^=]+=[0-9a-fA-F]{32}", pair):
            raise UserError(f"--member-md5 {pair} is not of the form NAME=MD5 with 32 hexadecimal digits: correct it")
    checksums = {name: md5.lower() for name, md5 in (pair.split("=") for pair in pairs)}
    if unknown := sorted(set(checksums) - set(names)):
        raise UserError(f"--member-md5 names {unknown[0]}, which is not one of {', '.join(names)}: correct it")
    if missing := sorted(set(names) - set(checksums)):
        raise UserError(f"--member-md5 lacks {', '.join(missing)}: add NAME=MD5 for each")
    return checksums
