import numpy as np
import pytest
from sklearn.svm import LinearSVC

from semisup import svm
from semisup.stochastic_svm import stochastic_svm
from semisup.svm import (
    LinearModel,
    feature_products,
    fit_scaling,
    fit_svm,
    linear_model,
    lower_bound,
    one_vs_rest_targets,
    standardize,
    svm_scores,
)
from semisup.svm_selection import fit_for_each_c

SHAPES = [(60, 120), (240, 25)]  # images, features: the Gram matrix has full rank, or has not


def toy_problem(images, features, classes=4, seed=0):
    """Return standardised float32 features of classes that overlap, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(images) % classes)
    centres = rng.normal(size=(classes, features))
    points = (0.4 * centres[labels] + rng.normal(size=(images, features))).astype(np.float32)
    return standardize(points, fit_scaling(points)), labels


def gram_of(features):
    return features.astype(np.float64) @ features.T.astype(np.float64)


def naive_objective(weights, intercept, features, labels, c):
    """Return |w|^2 / 2 + C sum max(0, 1 - t (x.w + b))^2, added up over the classes, all in float64."""
    total = 0.0
    for number in range(len(intercept)):
        w, b = weights[:, number].astype(np.float64), float(intercept[number])
        total += w @ w / 2
        for x, label in zip(features.astype(np.float64), labels, strict=True):
            target = 1.0 if label == number else -1.0
            total += c * max(0.0, 1.0 - target * (x @ w + b)) ** 2
    return total


def exact_weights(features, dual):
    """Return the float64 weights that the dual model stands for."""
    return features.astype(np.float64).T @ dual.coefficients


def test_scaling_as_numpy_does():
    points = np.random.default_rng(0).normal(3, 5, size=(50, 7)).astype(np.float32)
    points[:, 4] = 2.5  # a feature without variance
    found = standardize(points, fit_scaling(points))
    exact = points.astype(np.float64)
    expected = (exact - exact.mean(axis=0)) / np.sqrt(exact.var(axis=0, ddof=1) + 0.01)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.all(found[:, 4] == 0)


def test_targets():
    assert one_vs_rest_targets(np.array([1, 0]), 3).tolist() == [[-1, 1, -1], [1, -1, -1]]


@pytest.mark.parametrize(("images", "features"), SHAPES)
@pytest.mark.parametrize("c", [1e-4, 1e-2, 1.0, 10.0])
def test_objective_of_liblinear(images, features, c):
    x, labels = toy_problem(images, features)
    dual, history = fit_svm(gram_of(x), labels, 4, c)
    ours = naive_objective(exact_weights(x, dual), dual.intercept, x, labels, c)

    # So large a scaling of the intercept leaves hardly any penalty on it.
    reference = LinearSVC(
        loss="squared_hinge", dual=False, C=c, intercept_scaling=1e3, tol=1e-8, max_iter=100_000, random_state=0
    ).fit(x.astype(np.float64), labels)
    theirs = naive_objective(reference.coef_.T, reference.intercept_, x, labels, c)
    assert ours == pytest.approx(theirs, rel=1e-3)
    assert np.isfinite([step.objective for step in history]).all()
    assert [step.iteration for step in history] == list(range(1, len(history) + 1))
    assert history[-1].objective == pytest.approx(ours, rel=1e-6)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("images", "features"), [*SHAPES, (100, 100)])
def test_never_stops_early(images, features, seed):
    """The default tolerance against a hundred times more iterations, on many problems."""
    x, labels = toy_problem(images, features, seed=seed)
    gram = gram_of(x)
    for c in (1e-3, 0.1, 10.0):
        found = fit_svm(gram, labels, 4, c)[1][-1].objective
        best = fit_svm(gram, labels, 4, c, tolerance=1e-13, max_iterations=5000)[1][-1].objective
        assert best * (1 - 1e-9) <= found <= best * (1 + 1e-3)


@pytest.mark.parametrize(("images", "features"), SHAPES)
def test_gradient_is_zero_at_the_solution(images, features):
    x, labels = toy_problem(images, features)
    c = 0.05
    dual, _ = fit_svm(gram_of(x), labels, 4, c, tolerance=1e-15, max_iterations=5000)
    weights = exact_weights(x, dual)
    targets = one_vs_rest_targets(labels, 4)
    pull = 2 * c * targets * np.maximum(0, 1 - targets * (x.astype(np.float64) @ weights + dual.intercept))
    np.testing.assert_allclose(x.astype(np.float64).T @ pull, weights, atol=1e-5 * np.abs(weights).max())
    np.testing.assert_allclose(pull.sum(axis=0), 0, atol=1e-5)


@pytest.mark.parametrize(("images", "features"), SHAPES)
def test_start_at_another_solution(images, features):
    x, labels = toy_problem(images, features)
    gram = gram_of(x)
    other, _ = fit_svm(gram, labels, 4, 0.01)
    before = other.coefficients.copy()
    cold, _ = fit_svm(gram, labels, 4, 0.1, tolerance=1e-12, max_iterations=5000)
    warm, _ = fit_svm(gram, labels, 4, 0.1, other, tolerance=1e-12, max_iterations=5000)
    np.testing.assert_allclose(warm.coefficients, cold.coefficients, atol=1e-5 * np.abs(cold.coefficients).max())
    np.testing.assert_allclose(warm.intercept, cold.intercept, atol=1e-5)
    assert np.array_equal(other.coefficients, before), "the start is left as it was"


@pytest.mark.parametrize(("images", "features"), SHAPES)
def test_coefficients_of_a_class_add_up_to_zero(images, features):
    x, labels = toy_problem(images, features)
    dual, _ = fit_svm(gram_of(x), labels, 4, 1.0)
    np.testing.assert_allclose(dual.coefficients.sum(axis=0), 0, atol=1e-10 * np.abs(dual.coefficients).sum())


@pytest.mark.parametrize(("images", "features"), SHAPES)
def test_scores_from_weights_and_from_the_gram_matrix(images, features):
    x, labels = toy_problem(images, features)
    gram = gram_of(x)
    dual, _ = fit_svm(gram, labels, 4, 0.1)
    model = linear_model(x, dual)
    assert model.weights.shape == (features, 4)
    assert svm_scores(x, model).dtype == np.float32
    np.testing.assert_allclose(svm_scores(x, model), gram @ dual.coefficients + dual.intercept, atol=1e-4)


def test_gram_matrix_is_left_as_it_was():
    x, labels = toy_problem(60, 20)
    gram = gram_of(x)
    before = gram.copy()
    fit_svm(gram, labels, 4, 1.0)
    assert np.array_equal(gram, before)


def test_class_without_images():
    """Its scores are -1 everywhere, and it does not keep the others from settling."""
    x, labels = toy_problem(60, 120)
    dual, history = fit_svm(gram_of(x), labels, 5, 0.1)
    np.testing.assert_allclose(svm_scores(x, linear_model(x, dual))[:, 4], -1, atol=1e-5)
    assert len(history) < 200


@pytest.mark.parametrize("tolerance", [1e-1, 1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize(("images", "features"), SHAPES)
def test_tolerance_bounds_the_distance_to_the_minimum(images, features, tolerance):
    x, labels = toy_problem(images, features)
    gram = gram_of(x)
    for c in (0.001, 0.1, 1.0):
        best = fit_svm(gram, labels, 4, c, tolerance=1e-10, max_iterations=20_000)[1][-1].objective
        _, history = fit_svm(gram, labels, 4, c, tolerance=tolerance)
        allowed = tolerance * max(best, 4 * tolerance * c * images)  # of four classes
        assert -1e-9 * best <= history[-1].objective - best <= allowed


@pytest.mark.parametrize(("images", "features"), SHAPES)
def test_solver_says_when_it_stops_too_early(images, features, caplog):
    x, labels = toy_problem(images, features)
    fit_svm(gram_of(x), labels, 4, 1.0)
    assert caplog.text == ""
    fit_svm(gram_of(x), labels, 4, 1.0, tolerance=1e-10, max_iterations=2)
    assert "the duality gap is still open after 2 iterations" in caplog.text


@pytest.mark.parametrize(("images", "features"), SHAPES)
def test_lower_bound_is_below_every_objective(images, features):
    """Of any scores, and so of any model: weak duality."""
    x, labels = toy_problem(images, features)
    gram, targets, rng = gram_of(x), one_vs_rest_targets(labels, 4), np.random.default_rng(0)
    for c in (0.01, 1.0):
        best, history = fit_svm(gram, labels, 4, c, tolerance=1e-10, max_iterations=20_000)
        exact = gram @ best.coefficients + best.intercept
        for spread in (0.0, 0.1, 1.0, 10.0):
            bound = lower_bound(gram, exact + spread * rng.normal(size=exact.shape), targets, c)
            assert np.all(np.isfinite(bound))
            assert bound.sum() <= history[-1].objective * (1 + 1e-9)
        assert lower_bound(gram, exact, targets, c).sum() == pytest.approx(history[-1].objective, rel=1e-8)


@pytest.mark.parametrize(("images", "features"), [*SHAPES, (100, 100)])
@pytest.mark.parametrize("c", [30.0, 1e3, 1e5])
def test_large_c_converges(images, features, c, caplog):
    """To the minimum within a thousandth of a per cent, by the bound of the dual and by liblinear's own solution."""
    x, labels = toy_problem(images, features)
    gram = gram_of(x)
    dual, history = fit_svm(gram, labels, 4, c)
    assert caplog.text == ""
    targets, scores = one_vs_rest_targets(labels, 4), gram @ dual.coefficients + dual.intercept
    bound = lower_bound(gram, scores, targets, c).sum()
    assert bound * (1 - 1e-9) <= history[-1].objective <= bound * (1 + 1e-4) + 1e-12 * c * images
    assert history[-1].objective == pytest.approx(
        naive_objective(exact_weights(x, dual), dual.intercept, x, labels, c), rel=1e-5
    )
    np.testing.assert_allclose(dual.coefficients.sum(axis=0), 0, atol=1e-8 * np.abs(dual.coefficients).sum())


def test_newton_finds_what_many_iterations_find(monkeypatch):
    x, labels = toy_problem(240, 25)
    gram = gram_of(x)
    monkeypatch.setattr(svm, "NEWTON_AFTER", 1)
    newton, history = fit_svm(gram, labels, 4, 0.5, tolerance=1e-12)
    monkeypatch.setattr(svm, "NEWTON_AFTER", 10**9)
    plain, _ = fit_svm(gram, labels, 4, 0.5, tolerance=1e-12, max_iterations=20_000)
    assert len(history) == 2
    np.testing.assert_allclose(newton.coefficients, plain.coefficients, atol=1e-6 * np.abs(plain.coefficients).max())
    np.testing.assert_allclose(newton.intercept, plain.intercept, atol=1e-6)


@pytest.mark.parametrize("c", [1e-3, 1.0, 1e4])
def test_products_are_as_precise_as_c_needs_them(c):
    """Many images of few, long features: in float32 the Gram matrix would have eigenvalues far below zero."""
    rng = np.random.default_rng(0)
    features = (30 * rng.normal(size=(400, 20))).astype(np.float32)
    gram = feature_products(features, features, c)
    assert gram.dtype == np.float64
    assert np.linalg.eigvalsh(gram).min() > -1 / (2 * c) / 10
    rough = (features @ features.T).astype(np.float64)
    assert np.array_equal(gram, rough) == (c <= 1.0)
    if c == 1e4:
        assert np.linalg.eigvalsh(rough).min() < -1 / (2 * c)
    fits = list(fit_for_each_c((features, np.arange(400) % 3), (features, np.arange(400) % 3), 3, [c]))
    assert np.isfinite(fits[0].svm.weights).all()


def test_products_in_blocks_are_those_of_all_features():
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=(count, 1300)).astype(np.float32) for count in (20, 30))
    expected = first.astype(np.float64) @ second.T.astype(np.float64)
    np.testing.assert_allclose(feature_products(first, second, 1e6), expected, rtol=1e-12, atol=1e-12)
    assert feature_products(first, second[:0], 1e6).shape == (20, 0)


def test_stochastic_steps_come_nearer():
    x, labels = toy_problem(240, 25)
    c = 0.01
    steps = [50, 500, 5000, 50_000]
    models = stochastic_svm(x, labels, 4, c, steps, seed=0)
    assert len(models) == len(steps)
    objectives = [naive_objective(*model, x, labels, c) for model in models]
    dual, _ = fit_svm(gram_of(x), labels, 4, c, tolerance=1e-10, max_iterations=5000)
    best = naive_objective(exact_weights(x, dual), dual.intercept, x, labels, c)
    excess = np.array(objectives) / best - 1
    assert np.all(np.diff(excess) < 0)
    assert 0 < excess[-1] < 0.05


def test_stochastic_steps_are_counted_from_the_start():
    """The model after 300 steps does not depend on the other numbers that are asked for."""
    x, labels = toy_problem(100, 10)
    alone = stochastic_svm(x, labels, 4, 0.1, [300], seed=0)[0]
    among = stochastic_svm(x, labels, 4, 0.1, [7, 100, 300, 900], seed=0)[2]
    np.testing.assert_allclose(alone.weights, among.weights, atol=1e-6)


def test_stochastic_seed():
    x, labels = toy_problem(100, 10)

    def weights(seed):
        model: LinearModel = stochastic_svm(x, labels, 4, 0.1, [250], seed)[0]
        return model.weights.tobytes() + model.intercept.tobytes()

    assert weights(1) == weights(1)
    assert weights(1) != weights(2)
