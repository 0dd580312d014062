"""What is measured on scores and labels. Scores are (N, classes); labels int64 (N,)."""

import numpy as np

COUNTS_AT_ONCE = 2**17  # groups x resamples of one block: counts that stay in the processor's cache


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


def bootstrap_interval(values: np.ndarray, groups: np.ndarray, samples: int, confidence: float) -> tuple[float, float]:
    """Return the percentile-bootstrap interval of the mean of `values` (runs, N), one value a run and image.

    groups: int64 (N,); images of one group (crops of one tile, say) do not vary freely of each other, and are drawn
    together. A resample draws as many runs as there are, and independently as many groups, both with replacement
    (A. B. Owen: The pigeonhole bootstrap. Annals of Applied Statistics 1(2), 2007); its mean is over every pair of a
    drawn run and an image of a drawn group. One run is drawn each time: then the interval knows of images alone. Few
    runs show little of how runs differ: where they differ more than images do, the interval is too narrow.
    The same input gives the same interval. Sums of whole numbers are exact, so that of right and wrong answers, and of
    their differences, it is the same on every machine.
    """
    _, members = np.unique(groups, return_inverse=True)
    sizes = np.bincount(members)
    sums = np.stack([np.bincount(members, weights=run) for run in values])  # of each run over each group
    runs, count = sums.shape
    rng = np.random.default_rng(0)
    means = []
    block = max(COUNTS_AT_ONCE // count, 1)
    for start in range(0, samples, block):
        resamples = min(block, samples - start)
        of_groups = draw_counts(count, resamples, rng)
        of_runs = draw_counts(runs, resamples, rng)
        totals = np.sum(of_runs * (of_groups @ sums.T), axis=1)
        means.append(totals / (runs * (of_groups @ sizes)))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


def draw_counts(size: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `size` of `size` things with replacement; return how often each comes, float64 (resamples, size)."""
    drawn = rng.integers(size, size=(resamples, size)) + size * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * size).reshape(resamples, size).astype(float)
