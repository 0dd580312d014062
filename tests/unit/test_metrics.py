import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

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


@pytest.mark.parametrize("fraction", [0.5, 0.7, 0.9])
@pytest.mark.parametrize(("confidence", "deviations"), [(0.95, 1.959964), (0.68, 0.994458)])
def test_interval_of_the_normal_approximation(fraction, confidence, deviations):
    values = (np.arange(2000) < 2000 * fraction).astype(float)
    low, high = bootstrap_interval(values, 4000, confidence)
    half_width = deviations * np.sqrt(fraction * (1 - fraction) / 2000)
    assert low < fraction < high
    assert high - low == pytest.approx(2 * half_width, rel=0.1)
    assert (low + high) / 2 == pytest.approx(fraction, abs=half_width / 10)


def test_interval_is_the_same_each_time():
    values = np.random.default_rng(0).random(100)
    assert bootstrap_interval(values, 200, 0.95) == bootstrap_interval(values, 200, 0.95)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.25])
def test_interval_of_constant_values(value):
    assert bootstrap_interval(np.full(50, value), 100, 0.95) == (value, value)
    assert bootstrap_interval(np.array([value]), 100, 0.95) == (value, value)
