"""Follow a stochastic solver of the chosen support vector machine: scores after given numbers of steps."""

import argparse
import logging
from collections.abc import Sequence

import numpy as np

from declarations.command_line import add_options
from methods.kmeans import SolverIterations
from semisup.cli import run_program, seed_number
from semisup.dataset import read_labelled, run_rows
from semisup.dictionary import read_labelled_features
from semisup.files import atomic_path
from semisup.hdf5 import open_hdf5
from semisup.kmeans_files import read_model
from semisup.run_names import FORMS
from semisup.stochastic_svm import stochastic_svm
from semisup.svm import LinearModel, standardize, svm_scores
from semisup.tables import read_table


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write scores float32 (steps, N, classes) of train, validation and test.

    The last step is the exact solution of train_svm; its number of steps is written as 0.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5), for the training labels")
    parser.add_argument("--features", required=True, help="features of the chosen epsilon (HDF5)")
    parser.add_argument("--model", required=True, help="the run's model (HDF5)")
    parser.add_argument("--selection", required=True, help="the run's table of candidates (CSV)")
    parser.add_argument("--run", required=True, help=f"like {FORMS}")
    add_options(parser, SolverIterations)
    parser.add_argument("--seed", type=seed_number, required=True)
    parser.add_argument("--scores", required=True, help="scores to write (npz)")
    options = parser.parse_args(arguments)

    model = read_model(options.model)
    selection = read_table(options.selection)
    c = float(selection.loc[selection["chosen"], "c"].iloc[0])
    train, validation = run_rows(options.images, options.run)
    labels = read_labelled(options.images)
    with open_hdf5(options.features) as file:
        test = standardize(file["test"][:], model.scaling)
    labelled = standardize(read_labelled_features(options.features), model.scaling)

    steps = sorted(set(options.svm_iterations))
    followed = stochastic_svm(labelled[train], labels[train], len(model.class_names), c, steps, options.seed)
    models: list[LinearModel] = [*followed, model.svm]
    scores = {
        split: np.stack([svm_scores(part, fitted) for fitted in models])
        for split, part in (("train", labelled[train]), ("validation", labelled[validation]), ("test", test))
    }
    accuracies = np.mean(scores["validation"].argmax(axis=2) == labels[validation], axis=1)
    for count, accuracy in zip([*steps, "exact"], accuracies, strict=True):
        logging.info("%s steps: validation accuracy %.4f", count, accuracy)
    with atomic_path(options.scores) as path, path.open("wb") as file:
        np.savez(file, steps=np.array([*steps, 0]), train_rows=train, validation_rows=validation, **scores)


if __name__ == "__main__":
    run_program(main)
