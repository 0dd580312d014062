"""One-vs-rest linear support vector machine with squared hinge loss (L2-SVM), on standardised features.

For each class, with targets t in {-1, 1}: minimise |w|^2 / 2 + C sum_i max(0, 1 - t_i (x_i.w + b))^2. C is liblinear's;
unlike scikit-learn's LinearSVC the intercept b is not penalised.

The exact solver works on the Gram matrix, where w = X^T a: images outside the margin are given their own score as
target, which turns the loss into a parabola that touches it from above; its minimum is one ridge regression, and one
Cholesky factorisation of G + I / (2 C) serves all classes and all iterations. Nesterov's acceleration, restarted when
the objective rises (O'Donoghue and Candes 2015), makes it fast. The Gram matrix is computed once for all values of C.

The solver stops by the duality gap, which bounds how far an objective is above its minimum: how much the objective has
changed in the last iteration says nothing of that, and differs between processors. The dual problem is to maximise, for
a_i >= 0 with sum_i a_i t_i = 0, the value sum_i a_i - |sum_i a_i t_i x_i|^2 / 2 - sum_i a_i^2 / (4 C).
"""

import logging
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

VARIANCE_CONSTANT = 0.01  # added to a feature's variance (Coates, Lee and Ng's released code)
GAP_ITERATIONS = 5  # between two looks at the duality gap, each of which takes half as long as an iteration


class Scaling(NamedTuple):
    """Standardisation of features: (x - mean) / scale, both float32 (F,)."""

    mean: np.ndarray
    scale: np.ndarray


class LinearModel(NamedTuple):
    """Scores are x @ weights + intercept: float32 (F, classes) and (classes,)."""

    weights: np.ndarray
    intercept: np.ndarray


class DualModel(NamedTuple):
    """Weights are X^T @ coefficients: float64 (N, classes), one row a training image, and intercept (classes,)."""

    coefficients: np.ndarray
    intercept: np.ndarray


class SolverStep(NamedTuple):
    """Objective, summed over the classes, after a solver iteration."""

    iteration: int
    objective: float


def fit_scaling(features: np.ndarray) -> Scaling:
    """Fit the standardisation to the training features (N, F)."""
    variance = features.var(axis=0, dtype=np.float64, ddof=1)
    return Scaling(
        features.mean(axis=0, dtype=np.float64).astype(np.float32),
        np.sqrt(variance + VARIANCE_CONSTANT).astype(np.float32),
    )


def standardize(features: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Return the standardised features, float32 (N, F)."""
    return (features - scaling.mean) / scaling.scale


def one_vs_rest_targets(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return float64 (N, classes): 1 in the column of the label, -1 elsewhere."""
    return np.where(labels[:, None] == np.arange(classes), 1.0, -1.0)


def fit_svm(
    gram: np.ndarray,
    labels: np.ndarray,
    classes: int,
    c: float,
    start: DualModel | None = None,
    tolerance: float = 1e-4,
    max_iterations: int = 1000,
) -> tuple[DualModel, list[SolverStep]]:
    """Fit the classifier to labels (N,), given the Gram matrix X X^T of the training features, float64 (N, N).

    start: where the solver begins, for instance the solution for a smaller C. Stops when each class's objective is at
    most `tolerance` times itself above its minimum, or `tolerance` squared times C N, the objective of zero weights.
    Returns the dual model and the solver's history.
    """
    targets = one_vs_rest_targets(labels, classes)
    ridge = 1 / (2 * c)
    shifted = gram.copy()
    shifted[np.diag_indices_from(shifted)] += ridge
    factor = cho_factor(shifted, lower=True, overwrite_a=True)
    ones = cho_solve(factor, np.ones((len(gram), 1)))
    model = start or DualModel(np.zeros_like(targets), np.zeros(classes))
    product = gram @ model.coefficients
    ahead, ahead_product = model, product  # where Nesterov's momentum has carried the model
    speed = np.ones(classes)
    objective, bound = np.full(classes, np.inf), np.full(classes, -np.inf)
    smallest = tolerance * c * len(labels)
    history: list[SolverStep] = []
    for iteration in range(1, max_iterations + 1):
        scores = ahead_product + ahead.intercept
        aims = np.where(targets * scores < 1, targets, scores)
        solved = ahead.coefficients + cho_solve(factor, aims - ahead_product - ridge * ahead.coefficients)
        intercept = solved.sum(axis=0) / ones.sum()  # so that the coefficients of a class add up to 0
        new = DualModel(solved - ones * intercept, intercept)
        new_product = gram @ new.coefficients
        new_objective = _dual_objective(new, new_product, targets, c)
        history.append(SolverStep(iteration, float(new_objective.sum())))

        speed = np.where(new_objective > objective, 1.0, speed)
        next_speed = (1 + np.sqrt(1 + 4 * speed**2)) / 2
        momentum = (speed - 1) / next_speed
        ahead = DualModel(
            new.coefficients + momentum * (new.coefficients - model.coefficients),
            new.intercept + momentum * (new.intercept - model.intercept),
        )
        ahead_product = new_product + momentum * (new_product - product)
        model, product, speed, objective = new, new_product, next_speed, new_objective
        if iteration % GAP_ITERATIONS == 1:
            bound = np.maximum(bound, lower_bound(gram, product + model.intercept, targets, c))
            if np.all(objective - bound <= tolerance * np.maximum(objective, smallest)):
                break
    else:
        logging.warning("support vector machine: the duality gap is still open after %d iterations", max_iterations)
    return model, history


def _dual_objective(model: DualModel, product: np.ndarray, targets: np.ndarray, c: float) -> np.ndarray:
    """Return float64 (classes,): |w|^2 / 2 + C sum of squared hinges, with |w|^2 = a^T G a and `product` = G a."""
    margins = np.maximum(0, 1 - targets * (product + model.intercept))
    return np.sum(model.coefficients * product, axis=0) / 2 + c * np.sum(np.square(margins), axis=0)


def lower_bound(gram: np.ndarray, scores: np.ndarray, targets: np.ndarray, c: float) -> np.ndarray:
    """Return float64 (classes,): the dual's value at the multipliers that belong to the scores (N, classes).

    These are 2 C max(0, 1 - t_i s_i). Those of the side, t = 1 or t = -1, that has the larger sum are scaled down, so
    that the sums are equal and the multipliers feasible.
    """
    multipliers = 2 * c * np.maximum(0, 1 - targets * scores)
    sums = np.stack([np.sum(multipliers, axis=0, where=targets == side) for side in (1, -1)])
    scale = sums.min(axis=0) / np.where(sums == 0, 1, sums)
    multipliers *= np.where(targets > 0, scale[0], scale[1])
    signed = multipliers * targets
    return multipliers.sum(axis=0) - np.sum(signed * (gram @ signed), axis=0) / 2 - np.sum(multipliers**2, 0) / (4 * c)


def linear_model(features: np.ndarray, dual: DualModel) -> LinearModel:
    """Return the weights that the dual model stands for, given the features (N, F) it was fitted to."""
    return LinearModel(features.T @ dual.coefficients.astype(np.float32), dual.intercept.astype(np.float32))


def svm_scores(features: np.ndarray, model: LinearModel) -> np.ndarray:
    """Return float32 (N, classes) scores of standardised features (N, F)."""
    return features @ model.weights + model.intercept
