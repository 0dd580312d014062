"""Train the support vector machine of a run; choose the whitening epsilon and C on its validation images."""

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from declarations.command_line import add_options
from methods.kmeans import SvmOnFeatures
from semisup.cli import peak_memory_gib, run_program
from semisup.dataset import read_class_names, read_labelled, run_rows
from semisup.dictionary import Dictionary, read_labelled_features
from semisup.hdf5 import new_hdf5, open_hdf5, read_record
from semisup.kmeans_files import KMeansModel, write_model
from semisup.model_format import about_model
from semisup.run_names import FORMS
from semisup.scores import write_scores
from semisup.svm import LinearModel, Scaling, SolverStep, fit_scaling, standardize, svm_scores
from semisup.svm_selection import fit_for_each_c, warn_at_edge
from semisup.tables import write_table


class Candidate(NamedTuple):
    """One pair of hyper-parameters and how it did."""

    epsilon: float
    c: float
    train_accuracy: float
    validation_accuracy: float
    solver_iterations: int


class Fit(NamedTuple):
    """A candidate with all that its scores need; `source` is its position in the list of features files."""

    candidate: Candidate
    source: int
    scaling: Scaling
    svm: LinearModel
    history: list[SolverStep]


def fit_candidates(
    features: np.ndarray,
    labels: np.ndarray,
    rows: tuple[np.ndarray, np.ndarray],
    classes: int,
    epsilon: float,
    source: int,
    c_values: list[float],
) -> list[Fit]:
    """Fit one support vector machine for each C, in increasing order; rows: of training and of validation."""
    train, validation = rows
    scaling = fit_scaling(features[train])
    standardized, held_out = (standardize(features[part], scaling) for part in rows)
    fits = []
    for fit in fit_for_each_c((standardized, labels[train]), (held_out, labels[validation]), classes, c_values):
        accuracies = fit.train_accuracy, fit.validation_accuracy
        candidate = Candidate(epsilon, fit.c, *accuracies, len(fit.history))
        logging.info("epsilon %g, C %g: train %.4f, validation %.4f, %d iterations", *candidate)
        fits.append(Fit(candidate, source, scaling, fit.svm, fit.history))
    return fits


def preference(fit: Fit) -> tuple[float, float, float]:
    """Key that is largest for the best fit: validation accuracy; of equals smallest C, then largest epsilon."""
    return fit.candidate.validation_accuracy, -fit.candidate.c, fit.candidate.epsilon


def link_features(path: str, source: str, splits: Sequence[str]) -> None:
    """Write an HDF5 file whose data sets are links into `source`: the chosen features without a copy of them."""
    with new_hdf5(path) as file:
        for split in splits:
            file[split] = h5py.ExternalLink(os.path.relpath(source, Path(path).parent), split)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, fit every candidate and write what the best one gives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5), for the labels of train and validation")
    parser.add_argument("--features", nargs="+", required=True, help="features for each candidate epsilon (HDF5)")
    parser.add_argument(
        "--centroids-files", nargs="+", required=True, help="the dictionaries they were made with, in order"
    )
    parser.add_argument("--run", required=True, help=f"like {FORMS}")
    add_options(parser, SvmOnFeatures)
    parser.add_argument("--model", required=True, help="model to write (HDF5)")
    parser.add_argument("--scores", required=True, help="scores of validation and test images to write (npz)")
    parser.add_argument("--chosen-features", required=True, help="links to the features of the chosen epsilon (HDF5)")
    parser.add_argument("--selection", required=True, help="table of candidates to write (CSV)")
    parser.add_argument("--history", required=True, help="table of the chosen fit's solver iterations to write (CSV)")
    options = parser.parse_args(arguments)

    labels = read_labelled(options.images)
    class_names = read_class_names(options.images)
    rows = run_rows(options.images, options.run)
    dictionaries = []
    for path in options.centroids_files:
        with open_hdf5(path) as file:
            dictionaries.append(read_record(file, Dictionary))

    fits: list[Fit] = []
    for source, (path, dictionary) in enumerate(zip(options.features, dictionaries, strict=True)):
        features = read_labelled_features(path)
        fits += fit_candidates(features, labels, rows, len(class_names), dictionary.epsilon, source, options.svm_c)
    best = max(fits, key=preference)
    warn_at_edge(best.candidate.c, options.svm_c, "C")
    warn_at_edge(best.candidate.epsilon, [dictionary.epsilon for dictionary in dictionaries], "epsilon")

    features_path = options.features[best.source]
    validation = svm_scores(standardize(read_labelled_features(features_path)[rows[1]], best.scaling), best.svm)
    with open_hdf5(features_path) as file:
        splits = list(file)
        test = svm_scores(standardize(file["test"][:], best.scaling), best.svm)
    write_scores(options.scores, validation, rows[1], test)
    write_model(
        options.model,
        KMeansModel(dictionaries[best.source], options.stride, best.scaling, best.svm, class_names),
        about_model(options.images, options.run, rows[1], validation),
    )
    link_features(options.chosen_features, features_path, splits)
    write_table(options.selection, [fit.candidate._asdict() | {"chosen": fit is best} for fit in fits])
    write_table(options.history, best.history)
    logging.info(
        "chosen: epsilon %g, C %g: validation accuracy %.4f, peak memory %.2f GiB",
        *best.candidate[:2],
        best.candidate.validation_accuracy,
        peak_memory_gib(),
    )


if __name__ == "__main__":
    run_program(main)
