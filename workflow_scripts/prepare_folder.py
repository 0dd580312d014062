"""Write the data set of pictures in folders, one folder for each class."""

import argparse
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from data_sets.folder import FolderSplit
from declarations.command_line import add_options
from semisup.cli import UserError, progress, run_program
from semisup.data_options import add_outputs, prepared_files
from semisup.dataset import Split, write_dataset
from semisup.listing import listing_digest, pictures_in, pictures_of_classes, split_counts
from semisup.pictures import read_picture
from semisup.splits import draw_of_each_class

BLOCK = 64  # pictures


def read_blocks(paths: Sequence[Path], size: int, channels: int, name: str) -> Iterator[np.ndarray]:
    """Yield the pictures as images uint8 (n, channels, size, size), block by block."""
    starts = range(0, len(paths), BLOCK)
    for start in progress(starts, len(starts), "blocks", f"{name} pictures"):
        yield np.stack([read_picture(path, channels, size, fit="crop") for path in paths[start : start + BLOCK]])


def labelled_pictures(folder: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return class names, paths (N,) and labels int64 (N,) of the pictures in class folders."""
    try:
        classes = pictures_of_classes(folder)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: {error}") from error
    paths = np.array([path for pictures in classes.values() for path in pictures], dtype=object)
    labels = np.repeat(np.arange(len(classes)), [len(pictures) for pictures in classes.values()])
    return list(classes), paths, labels


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, FolderSplit)
    parser.add_argument("--listing", help="digest of the folders' listing when the workflow was planned")
    add_outputs(parser)
    options = parser.parse_args(arguments)

    found = listing_digest(filter(None, (options.pictures, options.unlabeled, options.test)))
    if options.listing not in (None, found):
        raise UserError(f"the pictures in {options.pictures} changed since the workflow was planned: start it again")
    class_names, paths, labels = labelled_pictures(options.pictures)
    counts, seed = split_counts(vars(options), len(paths)), options.split_seed
    if options.test:
        test_names, test_paths, test_labels = labelled_pictures(options.test)
        if test_names != class_names:
            raise UserError(f"{options.test} does not have the classes of {options.pictures}: give both the same")
        # Not in the order of the folders, which would tell the classes.
        test, rest = np.random.default_rng(seed).permutation(len(test_paths)), np.arange(len(paths))
    else:
        test_paths, test_labels = paths, labels
        test, rest = draw_of_each_class(labels, counts["test"], 2, seed)  # for validation and training
    drawn, others = draw_of_each_class(labels[rest], counts["validation"], 1, seed)
    validation, left = rest[drawn], rest[others]
    train = left[draw_of_each_class(labels[left], counts["train"], 0, seed)[0]]
    unlabeled_paths = np.array(pictures_in(options.unlabeled), dtype=object) if options.unlabeled else paths[left]
    unlabeled = np.arange(len(unlabeled_paths)) if options.unlabeled else left

    def blocks(some: np.ndarray, name: str) -> Iterator[np.ndarray]:
        return read_blocks(list(some), options.image_size, options.channels, name)

    splits = {
        "train": Split(blocks(paths[train], "training"), train, labels[train]),
        "validation": Split(blocks(paths[validation], "validation"), validation, labels[validation]),
        "unlabeled": Split(blocks(unlabeled_paths, "unlabeled"), unlabeled),
        "test": Split(blocks(test_paths[test], "test"), test, test_labels[test]),
    }
    attributes = {
        "dataset": "folder",
        "class_names": class_names,
        "source": f"{len(paths)} labelled pictures in {len(class_names)} folders",
        "checksums": {"listing": found},
    }
    with prepared_files(options) as files:
        write_dataset(*files, splits, None, attributes)
    logging.info("wrote %s and %s", options.images, options.test_labels)


if __name__ == "__main__":
    run_program(main)
