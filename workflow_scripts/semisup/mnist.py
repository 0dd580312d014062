"""MNIST in its official form: gzipped idx files."""

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semisup.cli import UserError
from semisup.dataset import Split, row_blocks, write_dataset
from semisup.splits import checked_count, stratified_split, unlabeled_rows

IMAGE_SHAPE = (1, 28, 28)
IMAGE_BYTES = math.prod(IMAGE_SHAPE)
CLASSES = 10
CLASS_NAMES = [str(digit) for digit in range(CLASSES)]
SOURCE = "MNIST (LeCun, Cortes and Burges), the four official idx files"
IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049
LARGEST_COUNT = 60_000
REMEDY = "delete it and download it again"

# The official names, by which the checksums go.
TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
MEMBERS = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


class Counts(NamedTuple):
    """How many images each split is to have; test None means all."""

    train: int
    validation: int
    unlabeled: int
    test: int | None


def read_idx(path: str | Path, magic: int, item_shape: tuple[int, ...], md5: str | None) -> np.ndarray:
    """Read a gzipped idx file, uint8 (N, *item_shape). The md5, if given, is that of the unpacked contents.

    Raises UserError for a damaged file and if header, size or md5 are not as they should be.
    """
    header_bytes = 4 * (2 + len(item_shape))
    item_bytes = math.prod(item_shape)
    limit = header_bytes + LARGEST_COUNT * item_bytes
    try:
        with gzip.open(path) as file:
            data = file.read(limit + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} is damaged or cut short ({error}): {REMEDY}") from error
    if not header_bytes <= len(data) <= limit:
        raise UserError(f"{path} unpacks to fewer than {header_bytes} or more than {limit} bytes: {REMEDY}")
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if md5 is not None and digest != md5:
        raise UserError(f"{path} unpacks to contents with md5 {digest}, not {md5}: {REMEDY}")

    found, count, *shape = struct.unpack(f">{2 + len(item_shape)}i", data[:header_bytes])
    if found != magic:
        raise UserError(f"{path} starts with the number {found}, not {magic}: give the files in their right places")
    if tuple(shape) != item_shape:
        raise UserError(f"{path} has items of shape {tuple(shape)}, not {item_shape}: give the official file")
    if len(data) != header_bytes + count * item_bytes:
        raise UserError(f"{path} names {count} items, but has {len(data) - header_bytes} bytes of them: {REMEDY}")
    return np.frombuffer(data, np.uint8, offset=header_bytes).reshape(count, *item_shape)


def read_idx_images(path: str | Path, md5: str | None = None) -> np.ndarray:
    """Read an images file (.gz), uint8 (N, 1, 28, 28). Raises UserError as `read_idx` does."""
    return read_idx(path, IMAGES_MAGIC, IMAGE_SHAPE[1:], md5).reshape(-1, *IMAGE_SHAPE)


def read_idx_labels(path: str | Path, images: int, md5: str | None = None) -> np.ndarray:
    """Read a labels file (.gz), int64 (images,). Raises UserError as `read_idx` does and for a wrong label or count."""
    labels = read_idx(path, LABELS_MAGIC, (), md5).astype(np.int64)
    if len(labels) != images:
        raise UserError(f"{path} has {len(labels)} labels for {images} images: {REMEDY}")
    if len(labels) and labels.max() >= CLASSES:
        raise UserError(f"{path} has label {labels.max()}, not 0 to {CLASSES - 1}: {REMEDY}")
    return labels


def write_mnist(
    paths: Mapping[str, str],
    checksums: Mapping[str, str],
    counts: Counts,
    seed: int,
    images_path: str | Path,
    test_labels_path: str | Path,
) -> None:
    """Write the data set from the four files; `paths` and `checksums` go by the names in `MEMBERS`.

    Train, validation and unlabeled come from the official training images, test is the first ones of the official
    test images. Raises UserError for a damaged file and if there are fewer images than asked for.
    """
    images = read_idx_images(paths[TRAIN_IMAGES], checksums[TRAIN_IMAGES])
    labels = read_idx_labels(paths[TRAIN_LABELS], len(images), checksums[TRAIN_LABELS])
    test_images = read_idx_images(paths[TEST_IMAGES], checksums[TEST_IMAGES])
    test_labels = read_idx_labels(paths[TEST_LABELS], len(test_images), checksums[TEST_LABELS])

    train, validation = stratified_split(labels, counts.train, counts.validation, seed)
    unlabeled = unlabeled_rows(len(images), np.concatenate([train, validation]), counts.unlabeled, seed)
    test = np.arange(checked_count(counts.test, len(test_images), "test"))
    splits = {
        "train": Split(row_blocks(images, train), train, labels[train]),
        "validation": Split(row_blocks(images, validation), validation, labels[validation]),
        "unlabeled": Split(row_blocks(images, unlabeled), unlabeled),
        "test": Split(row_blocks(test_images, test), test, test_labels[test]),
    }
    attributes = {"dataset": "mnist", "class_names": CLASS_NAMES, "source": SOURCE, "checksums": checksums}
    write_dataset(images_path, test_labels_path, splits, None, attributes)
