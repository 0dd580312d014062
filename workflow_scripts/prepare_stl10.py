"""Write the data set of STL-10 from the official archive stl10_binary.tar.gz."""

import argparse
import logging
from collections.abc import Sequence

from semisup.cli import positive_int, run_program
from semisup.data_options import add_common_options, count_or_all, named_checksums
from semisup.stl10 import MEMBER_LIMITS, Counts, write_stl10


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", required=True, help="stl10_binary.tar.gz; it is streamed, not unpacked")
    parser.add_argument(
        "--member-md5", required=True, nargs="+", action="extend", metavar="NAME=MD5", help="one for each member"
    )
    parser.add_argument("--train-images", type=positive_int, default=4000)
    parser.add_argument("--validation-images", type=positive_int, default=1000)
    parser.add_argument("--unlabeled-images", type=count_or_all, default="all", help="the first N, or all")
    parser.add_argument("--test-images", type=count_or_all, default="all", help="the first N, or all")
    add_common_options(parser)
    options = parser.parse_args(arguments)

    counts = Counts(options.train_images, options.validation_images, options.unlabeled_images, options.test_images)
    checksums = named_checksums(options.member_md5, MEMBER_LIMITS)
    write_stl10(options.archive, checksums, counts, options.split_seed, options.images, options.test_labels)
    logging.info("wrote %s and %s", options.images, options.test_labels)


if __name__ == "__main__":
    run_program(main)
