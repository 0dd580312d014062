"""The support vector machine beside scikit-learn's, ten classes one against the rest."""

from collections.abc import Iterator

import numpy as np

from bench.rows import Row, scaled, timed
from semisup.svm import fit_svm, one_vs_rest_targets

IMAGES = 4000
FEATURES = 6400
CLASSES = 10
C = 0.0003
INTERCEPT_SCALING = 100  # divides the intercept's penalty by its square


def svm_rows(part: float) -> Iterator[Row]:
    """Time LinearSVC's primal solver, and ours with the Gram matrix.

    LinearSVC penalises the intercept, ours does not: the scaling lets both solve the same problem.
    """
    from sklearn.svm import LinearSVC

    data, labels = correlated_features(scaled(IMAGES, part, least=10 * CLASSES))
    work = f"SVM, {len(data):,} x {FEATURES:,}, {CLASSES} classes, C = {C}"

    seconds, model = timed(lambda: LinearSVC(C=C, dual=False, intercept_scaling=INTERCEPT_SCALING).fit(data, labels))
    yield Row(work, "scikit-learn, LinearSVC", seconds, quality(data, labels, model.coef_.T, model.intercept_))

    seconds, (dual, _) = timed(lambda: fit_svm((data @ data.T).astype(np.float64), labels, CLASSES, C))
    yield Row(work, "this project", seconds, quality(data, labels, data.T @ dual.coefficients, dual.intercept))


def correlated_features(images: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features, float32 (images, FEATURES), and labels, as many of each class.

    The features are correlated, as real ones are: their spectrum falls.
    """
    rng = np.random.default_rng(0)
    labels = rng.permutation(images) % CLASSES
    centers = rng.standard_normal((CLASSES, FEATURES), dtype=np.float32)
    spectrum = (np.arange(1, FEATURES + 1) ** -0.5).astype(np.float32)
    data = (rng.standard_normal((images, FEATURES), dtype=np.float32) + 0.3 * centers[labels]) * spectrum
    return (data - data.mean(axis=0)) / data.std(axis=0).mean(), labels


def quality(data: np.ndarray, labels: np.ndarray, weights: np.ndarray, intercept: np.ndarray) -> str:
    """Tell the primal objective of weights (F, classes), summed over the classes, and the accuracy on the data."""
    scores = data @ weights + intercept
    slack = np.maximum(0, 1 - one_vs_rest_targets(labels, CLASSES) * scores)
    objective = np.square(weights).sum() / 2 + C * np.square(slack).sum()
    return f"objective {objective:.5f}, accuracy {100 * np.mean(scores.argmax(axis=1) == labels):.1f} %"
