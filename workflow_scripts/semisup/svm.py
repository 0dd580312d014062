"""One-vs-rest linear support vector machine with squared hinge loss (L2-SVM), on standardised features.

For each class, with targets t in {-1, 1}: minimise |w|^2 / 2 + C sum_i max(0, 1 - t_i (x_i.w + b))^2. C is liblinear's;
unlike scikit-learn's LinearSVC the intercept b is not penalised.

The exact solver works on the Gram matrix, where w = X^T a: images outside the margin are given their own score as
target, which turns the loss into a parabola that touches it from above; its minimum is one ridge regression, and one
Cholesky factorisation of G + I / (2 C) serves all classes and all iterations. Nesterov's acceleration, restarted when
the objective rises (O'Donoghue and Candes 2015), makes it fast. The Gram matrix is computed once for all values of C.
A class whose gap is still open after NEWTON_AFTER iterations, as with a large C, is finished by Newton's method
(Chapelle 2007), which solves for the images inside the margin alone and ends when these stay the same.

The solver stops by the duality gap, which bounds how far an objective is above its minimum: how much the objective has
changed in the last iteration says nothing of that, and differs between processors. The dual problem is to maximise, for
a_i >= 0 with sum_i a_i t_i = 0, the value sum_i a_i - |sum_i a_i t_i x_i|^2 / 2 - sum_i a_i^2 / (4 C).
"""

import logging
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

VARIANCE_CONSTANT = 0.01  # added to a feature's variance (Coates, Lee and Ng's released code)
NEWTON_AFTER = 150  # iterations
NEWTON_STEPS = 100
SHORTEST_STEP = 2.0**-30  # of Newton's, along which the objective must fall
EXACT_BELOW = 100  # times the rounding of float32 products: a ridge 1 / (2 C) below it needs products in float64
BLOCK = 512  # features that are multiplied in float64 at once
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


def feature_products(first: np.ndarray, second: np.ndarray, c: float) -> np.ndarray:
    """Return float64 (n, m), the products of features float32 (n, F) and (m, F), as precise as this C needs them.

    The rounding of float32 would give the Gram matrix eigenvalues below zero, beyond those that 1 / (2 C) makes up for.
    """
    largest = max((float(np.square(part).sum(axis=1).max()) for part in (first, second) if len(part)), default=0.0)
    if 1 / (2 * c) >= EXACT_BELOW * np.finfo(np.float32).eps * largest:
        return (first @ second.T).astype(np.float64)
    products = np.zeros((len(first), len(second)))
    for start in range(0, first.shape[1], BLOCK):
        columns = slice(start, start + BLOCK)
        products += first[:, columns].astype(np.float64) @ second[:, columns].T.astype(np.float64)
    return products


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
    most `tolerance` times itself above its minimum, or `tolerance` cubed times C N, the objective of zero weights.
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
    smallest = tolerance**2 * c * len(labels)
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
        if iteration % GAP_ITERATIONS == 1 or iteration == NEWTON_AFTER:
            bound = np.maximum(bound, lower_bound(gram, product + model.intercept, targets, c))
            open_gaps = np.flatnonzero(objective - bound > tolerance * np.maximum(objective, smallest))
            if len(open_gaps) == 0:
                return model, history
            if iteration >= NEWTON_AFTER:
                break
    else:
        open_gaps = np.arange(0)  # Newton's method is for the iterations beyond those that are allowed
    for number in open_gaps:
        solved = _newton(gram, targets[:, number], c, product[:, number] + model.intercept[number])
        model.coefficients[:, number], model.intercept[number], product[:, number] = solved
    objective = _dual_objective(model, product, targets, c)
    bound = np.maximum(bound, lower_bound(gram, product + model.intercept, targets, c))
    gap = np.max((objective - bound) / np.maximum(objective, smallest))
    if len(open_gaps):
        history.append(SolverStep(len(history) + 1, float(objective.sum())))
    if gap > tolerance:
        logging.warning(
            "support vector machine, C = %g: the duality gap is still open after %d iterations, %.2g of the objective",
            c,
            len(history),
            gap,
        )
    return model, history


def _newton(
    gram: np.ndarray, targets: np.ndarray, c: float, scores: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray]:
    """Solve for one class, from scores (N,) on; return coefficients (N,), intercept, and products with the Gram matrix.

    The images inside the margin, t s < 1, decide: their coefficients a and the intercept b solve
    (G + I / (2 C)) a + b = t with sum a = 0, and all other coefficients are 0.
    """
    coefficients, intercept, product = np.zeros(len(targets)), 0.0, np.zeros(len(targets))
    inside, objective = targets * scores < 1, np.inf
    for _ in range(NEWTON_STEPS):
        rows = np.flatnonzero(inside)
        shifted = gram[np.ix_(rows, rows)]
        shifted[np.diag_indices_from(shifted)] += 1 / (2 * c)
        sides = np.stack([targets[rows], np.ones(len(rows))], axis=1)
        solved, ones = cho_solve(cho_factor(shifted, lower=True, overwrite_a=True), sides).T
        new_intercept = solved.sum() / ones.sum() if len(rows) else float(targets[0])
        new = np.zeros_like(coefficients)
        new[rows] = solved - ones * new_intercept
        new_product = gram[:, rows] @ new[rows]
        step = 1.0
        while True:  # the parabola of these images touches the objective, which may be higher at its minimum
            tried = [
                old + step * (to - old)
                for old, to in ((coefficients, new), (intercept, new_intercept), (product, new_product))
            ]
            margins = np.maximum(0, 1 - targets * (tried[2] + tried[1]))
            value = tried[0] @ tried[2] / 2 + c * np.sum(np.square(margins))
            if value <= objective or step < SHORTEST_STEP:
                break
            step /= 2
        coefficients, intercept, product = tried
        before, inside = inside, targets * (product + intercept) < 1
        if step == 1.0 and np.array_equal(inside, before):
            break
        if value >= objective:
            break
        objective = value
    return coefficients, intercept, product


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
