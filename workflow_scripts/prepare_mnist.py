"""Write the data set of MNIST from the four official idx files."""

import argparse
import logging
from collections.abc import Sequence

from data_sets.mnist import MnistSplit
from declarations.command_line import add_options
from semisup.cli import run_program
from semisup.data_options import add_outputs, named_checksums, prepared_files
from semisup.mnist import MEMBERS, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, Counts, write_mnist


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train-images-file", required=True, help=f"{TRAIN_IMAGES}.gz")
    parser.add_argument("--train-labels-file", required=True, help=f"{TRAIN_LABELS}.gz")
    parser.add_argument("--test-images-file", required=True, help=f"{TEST_IMAGES}.gz")
    parser.add_argument("--test-labels-file", required=True, help=f"{TEST_LABELS}.gz")
    parser.add_argument(
        "--member-md5",
        required=True,
        nargs="+",
        action="extend",
        metavar="NAME=MD5",
        help="one for each file: its name without .gz and the md5 of its unpacked contents",
    )
    add_options(parser, MnistSplit)
    add_outputs(parser)
    options = parser.parse_args(arguments)

    paths = {
        TRAIN_IMAGES: options.train_images_file,
        TRAIN_LABELS: options.train_labels_file,
        TEST_IMAGES: options.test_images_file,
        TEST_LABELS: options.test_labels_file,
    }
    checksums = named_checksums(options.member_md5, MEMBERS)
    counts = Counts(options.train_images, options.validation_images, options.unlabeled_images, options.test_images)
    with prepared_files(options) as files:
        write_mnist(paths, checksums, counts, options.split_seed, *files)
    logging.info("wrote %s and %s", options.images, options.test_labels)


if __name__ == "__main__":
    run_program(main)
