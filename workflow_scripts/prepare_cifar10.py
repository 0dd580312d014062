"""Write the data set of CIFAR-10 from the official archive cifar-10-binary.tar.gz."""

import argparse
import logging
from collections.abc import Sequence

from data_sets.cifar10 import Cifar10Split
from declarations.command_line import add_options
from semisup.cifar10 import Counts, write_cifar10
from semisup.cli import run_program
from semisup.data_options import add_outputs, prepared_files


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", required=True, help="cifar-10-binary.tar.gz; it is not unpacked to disk")
    add_options(parser, Cifar10Split)
    add_outputs(parser)
    options = parser.parse_args(arguments)

    counts = Counts(options.train_images, options.validation_images, options.unlabeled_images, options.test_images)
    with prepared_files(options) as files:
        write_cifar10(options.archive, counts, options.split_seed, *files)
    logging.info("wrote %s and %s", options.images, options.test_labels)


if __name__ == "__main__":
    run_program(main)
