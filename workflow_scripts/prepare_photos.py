"""Write the embedded data set `photos`: crops of photographs that are part of the installed packages."""

import argparse
import logging
from collections.abc import Sequence

from semisup.cli import positive_int, run_program
from semisup.data_options import add_common_options
from semisup.photos import Counts, write_photos


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train-images", type=positive_int, default=600)
    parser.add_argument("--validation-images", type=positive_int, default=200)
    parser.add_argument("--unlabeled-images", type=positive_int, default=2000)
    parser.add_argument("--test-images", type=positive_int, default=500)
    parser.add_argument("--folds", type=positive_int, default=10)
    parser.add_argument("--fold-images", type=positive_int, default=100)
    add_common_options(parser)
    options = parser.parse_args(arguments)

    counts = Counts(
        train=options.train_images,
        validation=options.validation_images,
        unlabeled=options.unlabeled_images,
        test=options.test_images,
        folds=options.folds,
        fold_images=options.fold_images,
    )
    write_photos(counts, options.split_seed, options.images, options.test_labels)
    logging.info("wrote %s and %s", options.images, options.test_labels)


if __name__ == "__main__":
    run_program(main)
