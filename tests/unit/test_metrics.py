import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import bootstrap, norm

from semisup import metrics
from semisup.metrics import bootstrap_interval, top_k_error, true_label_ranks

CLASSES = 5
# Few different values, so that many are equal.
TIED_SCORES = st.integers(1, 20).flatmap(
    lambda count: st.tuples(
        arrays(np.float32, (count, CLASSES), elements=st.sampled_from([-1.5, -0.0, 0.0, 0.25, 2.0])),
        arrays(np.int64, count, elements=st.integers(0, CLASSES - 1)),
    )
)


def naive_ranks(scores, labels):
    order = np.argsort(-scores, axis=1, kind="stable")
    return [list(row).index(label) for row, label in zip(order, labels, strict=True)]


@given(TIED_SCORES)
def test_ranks_are_places_in_a_stable_sort(case):
    scores, labels = case
    assert true_label_ranks(scores, labels).tolist() == naive_ranks(scores, labels)


@given(TIED_SCORES)
def test_top_1_error_is_one_minus_accuracy(case):
    scores, labels = case
    accuracy = np.mean(scores.argmax(axis=1) == labels)
    assert top_k_error(true_label_ranks(scores, labels), 1) == pytest.approx(1 - accuracy)


@given(TIED_SCORES)
def test_top_k_error_falls_to_zero(case):
    scores, labels = case
    errors = [top_k_error(true_label_ranks(scores, labels), k) for k in range(1, CLASSES + 1)]
    naive = [
        np.mean([label not in np.argsort(-row, kind="stable")[:k] for row, label in zip(scores, labels, strict=True)])
        for k in range(1, CLASSES + 1)
    ]
    assert errors == pytest.approx(naive)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == 0


def test_ranks_by_hand():
    scores = np.array([[3.0, 1.0, 2.0], [1.0, 1.0, 1.0], [0.0, 5.0, 5.0]])
    assert true_label_ranks(scores, np.array([2, 2, 1])).tolist() == [1, 2, 0]


# Intervals


def each_its_own(values):
    """One run, and every image a group."""
    return values[None], np.arange(len(values))


def clustered(runs, groups, seed):
    """Random values (runs, N) and groups (N,) of 1 to 12 images; a group, a run and a group in a run have something
    in common.
    """
    rng = np.random.default_rng(seed)
    members = rng.permutation(np.repeat(np.arange(groups), rng.integers(1, 13, groups)))
    common = rng.normal(size=(runs, 1)) / 4 + rng.normal(size=groups) / 2 + rng.normal(size=(runs, groups)) / 4
    return common[:, members] + rng.normal(size=(runs, len(members))) / 2, members


def naive_means(values, groups, samples, seed):
    """Draw runs and groups one by one; return the mean of each resample."""
    rng = np.random.default_rng(seed)
    of_group = {group: [place for place, own in enumerate(groups) if own == group] for group in groups}
    means = []
    for _ in range(samples):
        drawn = [place for group in rng.choice(list(of_group), len(of_group)) for place in of_group[group]]
        runs = rng.integers(len(values), size=len(values))
        means.append(np.mean([values[run][drawn].mean() for run in runs]))
    return np.array(means)


def half_width(interval):
    return (interval[1] - interval[0]) / 2


@pytest.mark.parametrize("fraction", [0.5, 0.7, 0.9])
@pytest.mark.parametrize(("confidence", "deviations"), [(0.95, 1.959964), (0.68, 0.994458)])
def test_interval_of_the_normal_approximation(fraction, confidence, deviations):
    values = (np.arange(2000) < 2000 * fraction).astype(float)
    low, high = bootstrap_interval(*each_its_own(values), 4000, confidence)
    half_width = deviations * np.sqrt(fraction * (1 - fraction) / 2000)
    assert low < fraction < high
    assert high - low == pytest.approx(2 * half_width, rel=0.1)
    assert (low + high) / 2 == pytest.approx(fraction, abs=half_width / 10)


@pytest.mark.parametrize("confidence", [0.95, 0.8])
def test_interval_of_one_run_is_that_of_scipy(confidence):
    values = np.random.default_rng(1).exponential(size=60)  # not symmetric
    rng = np.random.default_rng(2)
    options = {"n_resamples": 20_000, "confidence_level": confidence, "method": "percentile", "rng": rng}
    expected = bootstrap((values,), np.mean, **options).confidence_interval
    found = bootstrap_interval(*each_its_own(values), 20_000, confidence)
    assert found == pytest.approx((expected.low, expected.high), abs=0.03 * half_width(expected))


@pytest.mark.parametrize(("runs", "groups"), [(1, 40), (3, 40), (4, 5)])
def test_interval_of_runs_and_groups_is_that_of_a_loop(runs, groups):
    values, members = clustered(runs, groups, seed=runs)
    means = naive_means(values, members, 3000, seed=3)
    low, high = bootstrap_interval(values, members, 20_000, 0.9)
    width = np.quantile(means, 0.95) - np.quantile(means, 0.05)
    assert low == pytest.approx(np.quantile(means, 0.05), abs=0.06 * width)
    assert high == pytest.approx(np.quantile(means, 0.95), abs=0.06 * width)


def test_groups_widen_the_interval_to_the_error_of_a_clustered_sample():
    """The mean of groups of different sizes is a ratio, whose variance is that of the residuals of the sums."""
    values, groups = clustered(1, 300, seed=0)
    mean = values.mean()
    residuals = np.bincount(groups, values[0] - mean)  # of each group's sum, beside its size times the mean
    expected = norm.ppf(0.975) * np.sqrt(np.sum(residuals**2)) / values.size
    found = bootstrap_interval(values, groups, 10_000, 0.95)
    assert half_width(found) == pytest.approx(expected, rel=0.05)
    assert sum(found) / 2 == pytest.approx(mean, abs=0.05 * expected)
    alone = bootstrap_interval(*each_its_own(values[0]), 10_000, 0.95)
    assert half_width(found) > 1.5 * half_width(alone)


@pytest.mark.parametrize(("runs", "images"), [(12, 300), (40, 40)])
def test_interval_has_the_variance_of_a_crossed_design(runs, images):
    """Variances of runs, of images and of what is left, each over their numbers, add up."""
    rng = np.random.default_rng(runs)
    of_runs, of_images = rng.normal(size=(runs, 1)), rng.normal(size=images)
    values = of_runs + of_images + rng.normal(size=(runs, images))
    run_means, image_means = values.mean(axis=1, keepdims=True), values.mean(axis=0)
    rest = values - run_means - image_means + values.mean()
    variance = run_means.var() / runs + image_means.var() / images + rest.var() / values.size
    found = bootstrap_interval(values, np.arange(images), 20_000, 0.95)
    assert half_width(found) == pytest.approx(norm.ppf(0.975) * np.sqrt(variance), rel=0.05)
    of_images_alone = norm.ppf(0.975) * np.sqrt(image_means.var() / images)
    assert half_width(found) > 1.2 * of_images_alone


def test_what_all_images_share_moves_several_runs_only():
    """Runs that differ as a whole widen the interval; one run has nothing to differ from."""
    values = np.repeat([[0.0], [1.0]], 50, axis=1)
    assert bootstrap_interval(values, np.arange(50), 1000, 0.9) == (0.0, 1.0)
    assert bootstrap_interval(values[1:], np.arange(50), 1000, 0.9) == (1.0, 1.0)


def test_interval_is_the_same_each_time():
    values, groups = clustered(3, 20, seed=0)
    first = bootstrap_interval(values, groups, 200, 0.95)
    assert bootstrap_interval(values, groups, 200, 0.95) == first
    assert bootstrap_interval(values, 7 * groups - 3, 200, 0.95) == first, "what the groups are called does not matter"


@pytest.mark.parametrize("value", [0.0, 1.0, -0.25])
def test_interval_of_constant_values(value):
    assert bootstrap_interval(np.full((1, 50), value), np.arange(50), 100, 0.95) == (value, value)
    assert bootstrap_interval(np.full((3, 50), value), np.arange(50) // 7, 100, 0.95) == (value, value)
    assert bootstrap_interval(np.array([[value]]), np.array([0]), 100, 0.95) == (value, value)


@pytest.mark.parametrize("groups", [7, 100, 1000])
def test_all_resamples_are_drawn_and_few_at_once(monkeypatch, groups):
    drawn = {}
    draw_counts = metrics.draw_counts

    def counted(size, resamples, rng):
        drawn.setdefault(size, []).append(resamples)
        return draw_counts(size, resamples, rng)

    monkeypatch.setattr(metrics, "draw_counts", counted)
    monkeypatch.setattr(metrics, "COUNTS_AT_ONCE", 350)
    bootstrap_interval(np.zeros((2, groups)), np.arange(groups), 123, 0.9)
    assert sum(drawn[2]) == sum(drawn[groups]) == 123
    assert max(drawn[groups]) == max(350 // groups, 1)


def test_counts_are_of_draws_with_replacement():
    counts = metrics.draw_counts(4, 5000, np.random.default_rng(0))
    assert counts.shape == (5000, 4)
    assert (counts.sum(axis=1) == 4).all()
    assert counts.mean(axis=0) == pytest.approx(1, abs=0.05)
    assert counts.var(axis=0) == pytest.approx(3 / 4, rel=0.1)  # binomial: 4 draws of probability 1/4
    assert np.corrcoef(counts[:-1, 0], counts[1:, 0])[0, 1] == pytest.approx(0, abs=0.05)
