"""CIFAR-10 in its official binary form: a tar.gz of files of records, a byte of label and the planes of an image."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semisup.archives import archive_errors, archive_members
from semisup.cli import UserError
from semisup.dataset import Split, row_blocks, write_dataset
from semisup.splits import checked_count, stratified_split, unlabeled_rows

IMAGE_SHAPE = (3, 32, 32)
RECORD_BYTES = 1 + math.prod(IMAGE_SHAPE)
CLASSES = 10
SOURCE = "CIFAR-10 (Krizhevsky 2009), cifar-10-binary.tar.gz"
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"
NAMES_FILE = "batches.meta.txt"
# The needed members with the sizes of the official files: the largest that are accepted.
MEMBER_LIMITS = dict.fromkeys([*TRAIN_FILES, TEST_FILE], 10_000 * RECORD_BYTES) | {NAMES_FILE: 1_000}


class Counts(NamedTuple):
    """How many images each split is to have; None means all."""

    train: int
    validation: int
    unlabeled: int | None
    test: int | None


class Records(NamedTuple):
    """images: uint8 (N, 3, 32, 32); labels: int64 (N,)."""

    images: np.ndarray
    labels: np.ndarray


def decode_records(data: bytes, name: str) -> Records:
    """Turn a file of records into images and labels. Raises UserError for a wrong size or label."""
    if not data or len(data) % RECORD_BYTES:
        raise UserError(
            f"{name} has {len(data)} bytes, not a multiple of {RECORD_BYTES} (a label and an image): "
            "download the archive again"
        )
    rows = np.frombuffer(data, np.uint8).reshape(-1, RECORD_BYTES)
    labels = rows[:, 0].astype(np.int64)
    if labels.max() >= CLASSES:
        row = int(np.argmax(labels >= CLASSES))
        raise UserError(
            f"{name} has label {labels[row]} at row {row}, not 0 to {CLASSES - 1}: download the archive again"
        )
    return Records(rows[:, 1:].reshape(-1, *IMAGE_SHAPE), labels)


def decode_class_names(data: bytes) -> list[str]:
    """Turn batches.meta.txt into a list. Raises UserError unless there are ten names."""
    names = data.decode("ascii", errors="replace").split()
    if len(names) != CLASSES:
        raise UserError(f"{NAMES_FILE} has {len(names)} names, not {CLASSES}: download the archive again")
    return names


def write_cifar10(
    archive: str | Path, counts: Counts, seed: int, images_path: str | Path, test_labels_path: str | Path
) -> None:
    """Write the data set from the official archive.

    Train, validation and unlabeled come from the five training files, test is the first images of the test file.
    Raises UserError for a damaged, hostile or incomplete archive and if it has fewer images than asked for.
    """
    with archive_errors(archive):
        held = {name: stream.read() for name, _, stream in archive_members(archive, MEMBER_LIMITS)}
    records = [decode_records(held[name], name) for name in TRAIN_FILES]
    images, labels = (np.concatenate(parts) for parts in zip(*records, strict=True))
    sealed = decode_records(held[TEST_FILE], TEST_FILE)
    train, validation = stratified_split(labels, counts.train, counts.validation, seed)
    used = np.concatenate([train, validation])
    unlabeled = unlabeled_rows(
        len(images), used, checked_count(counts.unlabeled, len(images) - len(used), "unlabeled"), seed
    )
    test = np.arange(checked_count(counts.test, len(sealed.images), "test"))
    splits = {
        "train": Split(row_blocks(images, train), train, labels[train]),
        "validation": Split(row_blocks(images, validation), validation, labels[validation]),
        "unlabeled": Split(row_blocks(images, unlabeled), unlabeled),
        "test": Split(row_blocks(sealed.images, test), test, sealed.labels[test]),
    }
    attributes = {
        "dataset": "cifar10",
        "class_names": decode_class_names(held[NAMES_FILE]),
        "source": SOURCE,
        "checksums": {},
    }
    write_dataset(images_path, test_labels_path, splits, None, attributes)
