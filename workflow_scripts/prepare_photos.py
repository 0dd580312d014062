"""Write the embedded data set `photos`: crops of photographs that are part of the installed packages."""

import argparse
import logging
from collections.abc import Sequence

from data_sets.declare import FoldValidation
from data_sets.photos import PhotosSplit
from declarations.command_line import add_options
from semisup.cli import run_program
from semisup.data_options import add_outputs, prepared_files
from semisup.photos import Counts, write_photos


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, PhotosSplit, FoldValidation)
    add_outputs(parser)
    options = parser.parse_args(arguments)

    counts = Counts(
        train=options.train_images,
        validation=options.validation_images,
        unlabeled=options.unlabeled_images,
        test=options.test_images,
        folds=options.folds,
        fold_images=options.fold_images,
        fold_validation=options.fold_validation_images,
    )
    with prepared_files(options) as files:
        write_photos(counts, options.split_seed, *files)
    logging.info("wrote %s and %s", options.images, options.test_labels)


if __name__ == "__main__":
    run_program(main)
