"""STL-10 in its official form: a tar.gz of raw binary files, read as a stream and never unpacked to disk."""

import hashlib
import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from semisup.archives import archive_errors, archive_members
from semisup.cli import UserError, progress
from semisup.dataset import (
    IMAGES_PER_BLOCK,
    DatasetFiles,
    Split,
    new_dataset,
    row_blocks,
    write_attributes,
    write_folds,
    write_split,
)
from semisup.splits import checked_count, fold_validation, stratified_split

IMAGE_SHAPE = (3, 96, 96)
IMAGE_BYTES = math.prod(IMAGE_SHAPE)
BLOCK_BYTES = IMAGES_PER_BLOCK * IMAGE_BYTES
CLASSES = 10
SOURCE = "STL-10 (Coates, Lee and Ng, AISTATS 2011), stl10_binary.tar.gz"

# The members that are needed, each with the size of the official file: the largest that is accepted, so that a
# hostile archive cannot fill the memory. (The text files may vary a little.)
MEMBER_LIMITS = {
    "train_X.bin": 5_000 * IMAGE_BYTES,
    "train_y.bin": 5_000,
    "test_X.bin": 8_000 * IMAGE_BYTES,
    "test_y.bin": 8_000,
    "unlabeled_X.bin": 100_000 * IMAGE_BYTES,
    "fold_indices.txt": 100_000,
    "class_names.txt": 1_000,
}

# The members that are too large to hold, and the split that each becomes.
STREAMED = {"unlabeled_X.bin": "unlabeled", "test_X.bin": "test"}


class Counts(NamedTuple):
    """How many images each split is to have, and how many a fold validates on; None means all."""

    train: int
    validation: int
    unlabeled: int | None
    test: int | None
    fold_validation: int | None = None


# Decoding


def decode_images(data: bytes) -> np.ndarray:
    """Turn raw bytes into images, uint8 (N, 3, 96, 96). Each channel is stored column by column."""
    columns_first = np.frombuffer(data, np.uint8).reshape(-1, *IMAGE_SHAPE)
    return np.ascontiguousarray(columns_first.transpose(0, 1, 3, 2))


def count_images(size: int, name: str | Path) -> int:
    """Return how many images a .bin file of `size` bytes holds. Raises UserError if that is no whole number above 0."""
    if size == 0 or size % IMAGE_BYTES:
        raise UserError(f"{name} has {size} bytes, not a multiple of {IMAGE_BYTES} (one image): download it again")
    return size // IMAGE_BYTES


def bin_blocks(path: str | Path, block: int) -> Iterator[np.ndarray]:
    """Yield the images of a .bin file, uint8 (n, 3, 96, 96) with n = `block` except in the last.

    Raises UserError if its size does not fit.
    """
    count_images(Path(path).stat().st_size, path)
    with Path(path).open("rb") as file:
        while data := file.read(block * IMAGE_BYTES):
            yield decode_images(data)


def decode_labels(data: bytes, name: str, images: int) -> np.ndarray:
    """Turn label bytes 1..10 into int64 (images,) 0..9. Raises UserError for another value or number of labels."""
    labels = np.frombuffer(data, np.uint8).astype(np.int64) - 1
    if len(labels) != images:
        raise UserError(f"{name} has {len(labels)} labels for {images} images: download the archive again")
    wrong = np.flatnonzero((labels < 0) | (labels >= CLASSES))
    if len(wrong):
        raise UserError(
            f"{name} has label {labels[wrong[0]] + 1} at row {wrong[0]}, not 1 to {CLASSES}: download the archive again"
        )
    return labels


def decode_folds(data: bytes, train_images: int) -> np.ndarray:
    """Turn fold_indices.txt into int64 (F, n): one fold a line, each number a row of the official training images.

    Raises UserError unless all lines are equally long and all numbers lie in 0..train_images-1.
    """
    try:
        folds = np.array([line.split() for line in data.splitlines()], dtype=np.int64)
    except ValueError as error:
        raise UserError("fold_indices.txt is not a table of whole numbers: download the archive again") from error
    if folds.size == 0 or folds.min() < 0 or folds.max() >= train_images:
        raise UserError(
            f"fold_indices.txt has numbers outside 0..{train_images - 1}, the training images: "
            "download the archive again"
        )
    return folds


def decode_class_names(data: bytes) -> list[str]:
    """Turn class_names.txt into a list. Raises UserError unless there are ten names."""
    names = data.decode("ascii", errors="replace").split()
    if len(names) != CLASSES:
        raise UserError(f"class_names.txt has {len(names)} names, not {CLASSES}: download the archive again")
    return names


# Reading the archive


def checked_blocks(stream: IO[bytes], name: str, md5: str) -> Iterator[bytes]:
    """Yield the stream in blocks of whole images. Raises UserError after the last one if its md5 is not `md5`."""
    digest = hashlib.md5(usedforsecurity=False)
    while block := stream.read(BLOCK_BYTES):
        digest.update(block)
        yield block
    if digest.hexdigest() != md5:
        raise UserError(f"{name} has md5 {digest.hexdigest()}, not {md5}: delete the archive and download it again")


def first_images(blocks: Iterable[bytes], count: int) -> Iterator[np.ndarray]:
    """Yield the first `count` images in blocks, uint8 (n, 3, 96, 96).

    `blocks` is read to its end all the same: only then is its checksum known.
    """
    left = count
    for block in blocks:
        if left:
            images = decode_images(block)[:left]
            left -= len(images)
            yield images


# From the archive to the data set


def write_stl10(
    archive: str | Path,
    checksums: Mapping[str, str],
    counts: Counts,
    seed: int,
    images_path: str | Path,
    test_labels_path: str | Path,
) -> None:
    """Write the data set from the official archive in one pass over it.

    `checksums` has the md5 of every name in `MEMBER_LIMITS`. The unlabeled and the test images are the first ones of
    their files. They go to disk as they are read, so what is in memory does not grow with them: it is the training
    images (138 MB), for a moment twice, and a few blocks.
    Raises UserError for a damaged, hostile or incomplete archive and if it has fewer images than asked for.
    """
    asked = {"train_X.bin": None, "test_X.bin": counts.test, "unlabeled_X.bin": counts.unlabeled}
    available = {}
    taken = {}
    held = {}
    with archive_errors(archive), new_dataset(images_path, test_labels_path) as files:
        for name, size, stream in archive_members(archive, MEMBER_LIMITS):
            blocks = checked_blocks(stream, name, checksums[name])
            if name in asked:
                available[name] = count_images(size, name)
                taken[name] = checked_count(asked[name], available[name], name)
            if name in STREAMED:
                shown = progress(blocks, math.ceil(size / BLOCK_BYTES), "blocks", f"{STREAMED[name]} images")
                images = first_images(shown, taken[name])
                write_split(files, STREAMED[name], Split(images, np.arange(taken[name])))
            else:
                held[name] = b"".join(blocks)

        write_labelled(
            files,
            decode_images(held["train_X.bin"]),
            decode_labels(held["train_y.bin"], "train_y.bin", available["train_X.bin"]),
            decode_folds(held["fold_indices.txt"], available["train_X.bin"]),
            counts,
            seed,
        )
        test_labels = decode_labels(held["test_y.bin"], "test_y.bin", available["test_X.bin"])
        files.test_labels["labels"] = test_labels[: taken["test_X.bin"]]
        class_names = decode_class_names(held["class_names.txt"])
        attributes = {"dataset": "stl10", "class_names": class_names, "source": SOURCE, "checksums": checksums}
        write_attributes(files, attributes)


def write_labelled(
    files: DatasetFiles, images: np.ndarray, labels: np.ndarray, folds: np.ndarray, counts: Counts, seed: int
) -> None:
    """Split the official training images into train and validation, and write both and the folds.

    images: uint8 (N, 3, 96, 96), labels: int64 (N,), folds: int64 (F, n) rows of `images`
    """
    train, validation = stratified_split(labels, counts.train, counts.validation, seed)
    write_split(files, "train", Split(row_blocks(images, train), train, labels[train]))
    write_split(files, "validation", Split(row_blocks(images, validation), validation, labels[validation]))

    labelled = np.concatenate([train, validation])
    if len(labelled) < len(images):
        logging.info("no folds: they need all %d training images, and %d are used", len(images), len(labelled))
    else:
        rows = np.argsort(labelled)[folds]  # argsort of a permutation is its inverse
        write_folds(files, rows, fold_validation(labels[labelled], rows, counts.fold_validation, seed))
