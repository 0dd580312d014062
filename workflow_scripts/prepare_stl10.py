"""Write the data set of STL-10 from the official archive stl10_binary.tar.gz."""

import argparse
import logging
from collections.abc import Sequence

from data_sets.declare import FoldValidation
from data_sets.stl10 import Stl10Split
from declarations.command_line import add_options
from semisup.cli import run_program
from semisup.data_options import add_outputs, named_checksums, prepared_files
from semisup.stl10 import MEMBER_LIMITS, Counts, write_stl10


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", required=True, help="stl10_binary.tar.gz; it is streamed, not unpacked")
    parser.add_argument(
        "--member-md5", required=True, nargs="+", action="extend", metavar="NAME=MD5", help="one for each member"
    )
    add_options(parser, Stl10Split, FoldValidation)
    add_outputs(parser)
    options = parser.parse_args(arguments)

    counts = Counts(
        options.train_images,
        options.validation_images,
        options.unlabeled_images,
        options.test_images,
        options.fold_validation_images,
    )
    checksums = named_checksums(options.member_md5, MEMBER_LIMITS)
    with prepared_files(options) as files:
        write_stl10(options.archive, checksums, counts, options.split_seed, *files)
    logging.info("wrote %s and %s", options.images, options.test_labels)


if __name__ == "__main__":
    run_program(main)
