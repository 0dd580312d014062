"""Curriculum labeling (Cascante-Bonilla et al. 2021): each training learns from more of what the one before predicted.

Every training begins with random weights, so that no early mistake stays in them.
"""

import numpy as np


def surest_of_each_class(scores: np.ndarray, part: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the surest predictions, increasing, and their classes, both int64.

    scores: float32 (N, classes). Of each predicted class they are the part * N / classes (rounded up) of the largest
    probability, or all that it has; of equal ones those of lower rows.
    """
    count, classes = scores.shape
    predicted = scores.argmax(axis=1)
    others = scores.astype(np.float64)
    largest = others[np.arange(count), predicted]
    others[np.arange(count), predicted] = -np.inf
    log_odds = largest - np.logaddexp.reduce(others, axis=1)  # orders also what is so sure that p is rounded to 1
    quota = int(np.ceil(part * count / classes))
    order = np.argsort(-log_odds, kind="stable")
    rows = np.sort(np.concatenate([order[predicted[order] == label][:quota] for label in range(classes)]))
    return rows, predicted[rows]
