"""What is measured on scores and labels. Scores are (N, classes); labels int64 (N,)."""

import numpy as np
from scipy.stats import bootstrap


def true_label_ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return int64 (N,): how many classes come before the true one when classes are ordered by falling score.

    Of equal scores the lower class number comes first, as in argmax; so rank 0 means that argmax is right.
    """
    own = scores[np.arange(len(labels)), labels][:, None]
    before = np.arange(scores.shape[1]) < labels[:, None]
    return ((scores > own) | ((scores == own) & before)).sum(axis=1)


def top_k_error(ranks: np.ndarray, k: int) -> float:
    """Return the fraction of images whose true label is not among the first k classes."""
    return float(np.mean(ranks >= k))


def bootstrap_interval(values: np.ndarray, samples: int, confidence: float) -> tuple[float, float]:
    """Return the percentile-bootstrap interval of the mean of `values` (N,), one value an image.

    It says how far the test images' choice moves the mean; what seeds or folds move is their standard deviation.
    """
    if np.all(values == values[0]):
        return float(values[0]), float(values[0])
    result = bootstrap(
        (values,),
        np.mean,
        n_resamples=samples,
        confidence_level=confidence,
        method="percentile",
        batch=100,
        rng=np.random.default_rng(0),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
