"""Train a run's support vector machine on features of a network that learned without labels; choose C on validation."""

import argparse
import logging
from collections.abc import Sequence

import numpy as np

from declarations.command_line import add_options
from methods.pretraining import Probe
from semisup.cli import peak_memory_gib, run_program
from semisup.dataset import read_class_names, read_labelled, run_rows
from semisup.hdf5 import open_hdf5
from semisup.layers import LayerFeatures, layer_scales, read_layers, side_by_side
from semisup.model_format import about_model
from semisup.models.probe import ProbeModel, write_model
from semisup.network import read_network
from semisup.run_names import FORMS
from semisup.scores import write_scores
from semisup.svm import svm_scores
from semisup.svm_selection import fit_for_each_c, warn_at_edge
from semisup.tables import write_table


def labelled_layers(path: str) -> LayerFeatures:
    """Return the layers' features of the labelled set: the training images, then the validation images."""
    train, validation = read_layers(path, "train"), read_layers(path, "validation")
    return {name: np.concatenate([train[name], validation[name]]) for name in train}


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, fit every candidate and write what the best one gives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="data set (HDF5), for the labels of train and validation")
    parser.add_argument("--layers", required=True, help="features of the network's layers (HDF5)")
    parser.add_argument("--network-file", required=True, help="the network (HDF5)")
    parser.add_argument("--run", required=True, help=f"like {FORMS}")
    add_options(parser, Probe)
    parser.add_argument("--model", required=True, help="model to write (HDF5)")
    parser.add_argument("--scores", required=True, help="scores of validation and test images to write (npz)")
    parser.add_argument("--selection", required=True, help="table of candidates to write (CSV)")
    parser.add_argument("--history", required=True, help="table of the chosen fit's solver iterations to write (CSV)")
    options = parser.parse_args(arguments)

    labels, class_names = read_labelled(options.images), read_class_names(options.images)
    train_rows, validation_rows = run_rows(options.images, options.run)
    layers = labelled_layers(options.layers)
    scale = layer_scales({name: values[train_rows] for name, values in layers.items()})
    features = side_by_side(layers, scale)
    train, validation = ((features[rows], labels[rows]) for rows in (train_rows, validation_rows))
    fits = []
    for fit in fit_for_each_c(train, validation, len(class_names), options.svm_c):
        logging.info("C %g: train %.4f, validation %.4f", fit.c, fit.train_accuracy, fit.validation_accuracy)
        fits.append(fit)
    best = max(fits, key=lambda fit: (fit.validation_accuracy, -fit.c))
    warn_at_edge(best.c, options.svm_c, "C")

    with open_hdf5(options.network_file) as file:
        network = read_network(file["network"])
    with open_hdf5(options.layers) as file:
        size = int(file.attrs["image_size"])
    test = svm_scores(side_by_side(read_layers(options.layers, "test"), scale), best.svm)
    scores = svm_scores(validation[0], best.svm)
    write_scores(options.scores, scores, validation_rows, test)
    write_model(
        options.model,
        ProbeModel(network, size, options.precision, scale, best.svm, class_names),
        about_model(options.images, options.run, validation_rows, scores),
    )
    write_table(
        options.selection,
        [
            {
                "c": fit.c,
                "train_accuracy": fit.train_accuracy,
                "validation_accuracy": fit.validation_accuracy,
                "solver_iterations": len(fit.history),
                "chosen": fit is best,
            }
            for fit in fits
        ],
    )
    write_table(options.history, best.history)
    logging.info(
        "chosen: C %g: validation accuracy %.4f, peak memory %.2f GiB",
        best.c,
        best.validation_accuracy,
        peak_memory_gib(),
    )


if __name__ == "__main__":
    run_program(main)
