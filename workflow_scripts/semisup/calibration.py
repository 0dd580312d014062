"""Scores as probabilities: softmax at a temperature that is fitted on validation images (Guo et al. 2017, section 4.2).

NumPy alone, as scipy would make every training start later.
"""

import numpy as np

TEMPERATURES = (1e-2, 1e2)  # between which the calibration searches
HALVINGS = 60  # of that range: as exact as floats are


def probabilities(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Return float64 (N, classes): softmax of scores (N, classes) / temperature."""
    scaled = scores.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(scores: np.ndarray, labels: np.ndarray, smoothing: float = 0.0) -> float:
    """Return the temperature with the highest likelihood of the labels (N,); 1 if all are equally likely.

    smoothing: the probability that a label is another one, any of the others. With none at all the temperature of
    scores that are right for every image is the lowest one.
    The negative log-likelihood is convex in 1 / temperature. Its slope, the mean difference of the score that the
    probabilities expect and that of the label, has one change of sign, which is found by bisection.
    """
    own = scores[np.arange(len(labels)), labels].astype(np.float64)
    others = (scores.sum(axis=1, dtype=np.float64) - own) / max(scores.shape[1] - 1, 1)
    own = (1 - smoothing) * own + smoothing * others

    def slope(temperature: float) -> float:
        return float(np.mean(np.sum(probabilities(scores, temperature) * scores, axis=1) - own))

    if (scores == scores[:, :1]).all():
        return 1.0
    low, high = np.log(TEMPERATURES)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(np.exp(middle)) > 0 else (low, middle)
    return float(np.exp((low + high) / 2))
