"""Choose C on validation images, and train the support vector machine of raw pixels."""

import argparse
import logging
from collections.abc import Sequence

import numpy as np

from declarations.command_line import add_options
from methods.pixels import PixelsSvm
from semisup.cli import peak_memory_gib, run_program
from semisup.dataset import image_shape, read_class_names, read_images, read_labelled, resolved_size, run_rows
from semisup.model_format import about_model
from semisup.models.pixels import PixelsModel, pixel_features, write_model
from semisup.run_options import add_output_options, add_run_options
from semisup.scores import write_scores
from semisup.svm import fit_scaling, standardize, svm_scores
from semisup.svm_selection import fit_for_each_c, warn_at_edge
from semisup.tables import write_table


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, fit every candidate and write what the best one gives."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, PixelsSvm)
    add_run_options(parser)
    add_output_options(parser)
    options = parser.parse_args(arguments)

    labels, class_names = read_labelled(options.images), read_class_names(options.images)
    train, validation = run_rows(options.images, options.run)
    size = resolved_size(options.images, options.image_size)
    features = np.concatenate(
        [pixel_features(read_images(options.images, split), size) for split in ("train", "validation")]
    )
    scaling = fit_scaling(features[train])
    held_out = standardize(features[validation], scaling)
    fits = list(
        fit_for_each_c(
            (standardize(features[train], scaling), labels[train]),
            (held_out, labels[validation]),
            len(class_names),
            options.svm_c,
        )
    )
    best = max(fits, key=lambda fit: (fit.validation_accuracy, -fit.c))
    warn_at_edge(best.c, options.svm_c, "C")
    test = standardize(pixel_features(read_images(options.images, "test"), size), scaling)
    scores = svm_scores(held_out, best.svm)
    write_scores(options.scores, scores, validation, svm_scores(test, best.svm))
    write_model(
        options.model,
        PixelsModel(image_shape(options.images)[0], size, scaling, best.svm, class_names),
        about_model(options.images, options.run, validation, scores),
    )
    columns = ("c", "train_accuracy", "validation_accuracy")
    write_table(
        options.selection, [{name: getattr(fit, name) for name in columns} | {"chosen": fit is best} for fit in fits]
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
