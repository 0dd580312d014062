"""Write a Kaggle file for each of several runs, from their scores of the test images.

A file has the columns Id (from 1, in the order of the images) and Prediction (number of the class, from 1). Of equal
scores the lower class wins, as in the evaluation and predict.py.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from semisup.cli import UserError, run_program
from semisup.scores import prediction_rows, read_arrays
from semisup.tables import write_table


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the predictions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", nargs="+", type=Path, required=True, help=".../<experiment>/<run>/scores.npz")
    parser.add_argument("--predictions", nargs="+", required=True, help="tables to write (CSV), one for each scores")
    options = parser.parse_args(arguments)
    if len(options.scores) != len(options.predictions):
        raise UserError(
            f"--scores has {len(options.scores)} files and --predictions {len(options.predictions)}: give one for each"
        )
    for scores, predictions in zip(options.scores, options.predictions, strict=True):
        (test,) = read_arrays(scores, ["test"])
        write_table(predictions, prediction_rows(test.argmax(axis=1)))
    logging.info("%d tables of predictions written", len(options.predictions))


if __name__ == "__main__":
    run_program(main)
