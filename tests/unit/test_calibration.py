"""Scores as probabilities."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from semisup.calibration import TEMPERATURES, fit_temperature, probabilities


@pytest.mark.parametrize("temperature", [0.2, 1.0, 5.0])
def test_temperature_is_found_again(temperature):
    """Labels drawn from softmax(scores / temperature)."""
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2 * temperature, (20_000, 4))
    chances = np.exp(scores / temperature)
    chances /= chances.sum(axis=1, keepdims=True)
    labels = (rng.random((len(scores), 1)) > chances.cumsum(axis=1)).sum(axis=1)
    assert fit_temperature(scores.astype(np.float32), labels) == pytest.approx(temperature, rel=0.05)


def test_temperature_has_the_highest_likelihood():
    rng = np.random.default_rng(1)
    scores, labels = rng.normal(size=(60, 4)).astype(np.float32), rng.integers(0, 4, 60)
    scores[np.arange(60), labels] += 1

    def loss(temperature):
        logarithms = [
            math.log(sum(math.exp((s - row[label]) / temperature) for s in row))
            for row, label in zip(scores.astype(float), labels, strict=True)
        ]
        return sum(logarithms) / 60

    best = fit_temperature(scores, labels)
    assert all(loss(best) <= loss(best * factor) for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2))


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_temperature_is_that_of_scipy(scale):
    rng = np.random.default_rng(2)
    scores, labels = rng.normal(size=(200, 5)), rng.integers(0, 5, 200)
    scores[np.arange(200), labels] += 1
    scores *= scale

    def loss(logarithm):
        return -log_softmax(scores / np.exp(logarithm), axis=1)[np.arange(200), labels].mean()

    expected = np.exp(minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded").x)
    assert fit_temperature(scores, labels) == pytest.approx(max(expected, TEMPERATURES[0]), rel=1e-3)


def test_temperature_stays_in_its_range():
    """All right: the surer the likelier; all wrong: the less sure."""
    scores, labels = np.eye(3)[[0, 1, 2, 0]].astype(np.float32), np.array([0, 1, 2, 0])
    assert fit_temperature(scores, labels) == pytest.approx(TEMPERATURES[0])
    assert fit_temperature(scores, (labels + 1) % 3) == pytest.approx(TEMPERATURES[1])
    assert fit_temperature(np.zeros_like(scores), labels) == 1.0


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_smoothing_leaves_doubt_where_all_is_right(count):
    scores, labels = np.tile(np.eye(4, dtype=np.float32), (count, 1)), np.tile(np.arange(4), count)
    smoothing = 1 / (4 * count + 2)
    temperature = fit_temperature(scores, labels, smoothing)
    np.testing.assert_allclose(probabilities(scores, temperature).max(axis=1), 1 - smoothing, rtol=1e-6)


def test_smoothing_hardly_matters_where_much_is_wrong():
    rng = np.random.default_rng(3)
    scores, labels = rng.normal(size=(1000, 5)), rng.integers(0, 5, 1000)
    scores[np.arange(1000), labels] += 1
    assert fit_temperature(scores, labels, 1 / 1002) == pytest.approx(fit_temperature(scores, labels), rel=0.01)


def test_probabilities_are_a_softmax_of_any_scores():
    scores = np.array([[1000, 0, -1000], [0.5, 0.2, 0.1]], np.float32)
    np.testing.assert_allclose(probabilities(scores, 2.0), softmax(scores.astype(float) / 2, axis=1))
