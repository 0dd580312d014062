"""Support vector machines for several values of C, and how well each does on validation."""

import logging
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from semisup.svm import LinearModel, SolverStep, feature_products, fit_svm, linear_model, svm_scores

Labelled = tuple[np.ndarray, np.ndarray]  # scaled features, float32 (n, F), and labels, int64 (n,)


class FitOfC(NamedTuple):
    """A support vector machine with its C, its accuracies and the solver's history."""

    c: float
    train_accuracy: float
    validation_accuracy: float
    svm: LinearModel
    history: list[SolverStep]


def fit_for_each_c(train: Labelled, validation: Labelled, classes: int, c_values: list[float]) -> Iterator[FitOfC]:
    """Yield a fit for each C in increasing order, each started from the one before; the Gram matrix serves them all."""
    features, labels = train
    gram = feature_products(features, features, max(c_values))
    dual = None
    for c in sorted(c_values):
        dual, history = fit_svm(gram, labels, classes, c, dual)
        svm = linear_model(features, dual)
        accuracies = [
            float(np.mean(svm_scores(part, svm).argmax(axis=1) == part_labels))
            for part, part_labels in (train, validation)
        ]
        yield FitOfC(c, *accuracies, svm, history)


def warn_at_edge(chosen: float, candidates: list[float], name: str) -> None:
    """Log a line if the chosen value is the smallest or largest of several, because a better one may lie beyond."""
    if len(candidates) > 1 and chosen in (min(candidates), max(candidates)):
        logging.warning(
            "%s = %g was chosen at the edge of its candidates; widen them in the configuration", name, chosen
        )
