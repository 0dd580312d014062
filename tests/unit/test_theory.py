"""What the sources have wrong, the worked examples, momentum, and maps of points."""

import math

import numpy as np
import pytest
import torch
from scipy.special import xlogy

from semisup.cli import UserError
from theory import derivations, momentum, sne, source_errors, worked_examples
from theory.derivation_checks import finite_differences
from theory.source_errors import vector

# What the sources have wrong: both numbers by hand

E = math.e
# x = (-1/2, 0, 1/2), beta = 2: the exponentials of -beta x are e, 1 and 1/e
TOTAL = E + 1 + 1 / E
PRINTED_AND_RIGHT = {
    "sigmoid_dag": (0.00192302, 0.10499359),
    "lab_batch_norm": (2 / (8 / 3) ** 0.25, 2 / (8 / 3) ** 0.5),
    "shift_indices": (None, None),
    "softmax_10": (-2 * (1 + 1 / E) * E / (1 + (1 + 1 / E) / E) ** 2, -2 * (E / TOTAL) * (1 - E / TOTAL)),
    "softmax_11": (-2 * (1 + 1 / E) / E / TOTAL, -2 * (E / TOTAL) * (1 - E / TOTAL)),
    "softmax_14": (2 * E / (E**2 + 1 + E**-2), 2 * E / TOTAL**2),
    "cross_entropy_3": (-0.86858896, -2),
    "softmax_regression_7": (0, 0.5),
    "softmax_regression_8": (0, 1),
    "zero_padding_a": (9, 25),
    "convolution_f": (108, 92),
    "convolution_22": (None, 34),
    "top_k_23": (1 / 3, 2 / 3),
    # w = 1/2, 1/10, 1/5 for the pairs; q = w / 1.6; p = 1/6
    "tsne_25": (None, 4 * ((1 / 6 - 0.3125) * -1 / 2 + (1 / 6 - 0.0625) * -3 / 10)),
    "glorot": (1 / 3, 1),
}


@pytest.mark.parametrize("row", source_errors.source_errors(), ids=lambda row: row.key)
def test_source_error(row):
    printed, right = PRINTED_AND_RIGHT[row.key]
    assert row.printed == (None if printed is None else pytest.approx(printed, abs=1e-8))
    assert row.right == (None if right is None else pytest.approx(right, abs=1e-8))
    assert printed is None or abs(printed - right) > 0.1 * abs(right), "the point shows the error"
    assert math.copysign(1, row.printed or 0.0) == math.copysign(1, printed or 0.0), "no -0.0"
    assert row.source in {"course report", "lab sheet", "homework", "theory homework"}


def test_every_error_is_tested():
    assert set(PRINTED_AND_RIGHT) == {row.key for row in source_errors.source_errors()}


def test_errors_are_in_the_order_of_the_sections():
    keys = [row.key for row in source_errors.source_errors()]
    firsts = ["sigmoid_dag", "softmax_10", "lab_batch_norm", "zero_padding_a", "top_k_23", "tsne_25", "glorot"]
    assert [key for key in keys if key in firsts] == firsts


def test_printed_convolution_of_an_image_that_is_not_square():
    """The sums as the homework prints them: rows from b, columns from a."""
    image, kernel = torch.arange(20.0, dtype=torch.float64).view(4, 5), vector(1.0, 10.0)[None]
    printed = source_errors.printed_convolution(image, kernel)
    assert printed.shape == (4, 4)
    assert printed[0].tolist() == [0 + 10 * 1, 5 + 10 * 6, 10 + 10 * 11, 15 + 10 * 16]
    assert printed[:, 1].tolist() == [5 + 10 * 6, 6 + 10 * 7, 7 + 10 * 8, 8 + 10 * 9]


def test_printed_sigmoid_on_the_other_side():
    by_x1, by_x2 = source_errors.printed_sigmoid_dag_gradient(vector(-2.0), vector(2.0), vector(1.0))
    assert by_x1.item() == pytest.approx(5.73, abs=0.005)
    assert by_x2.item() == pytest.approx(0.00192, abs=5e-6)


def test_the_homework_is_right_for_the_true_class():
    outputs, target, x = vector(0.2, 0.3, 0.5), vector(0.0, 1.0, 0.0), vector(1.0, -2.0)
    printed, _ = source_errors.printed_regression_gradient(outputs, target, x)
    right, _ = derivations.softmax_regression_gradient(outputs, target, x)
    torch.testing.assert_close(printed[1], right[1])
    assert not printed[[0, 2]].any()
    torch.testing.assert_close(right[[0, 2]], vector(0.2, 0.5)[:, None] * x)


def test_loss_when_a_certain_prediction_is_wrong():
    scores = vector(0.0, 800.0)
    assert -torch.softmax(scores, dim=0)[0].log() == math.inf
    assert derivations.cross_entropy(scores, 0).item() == pytest.approx(800)
    losses = [derivations.cross_entropy(vector(0.0, margin), 0).item() for margin in (1e1, 1e3, 1e5, 1e7)]
    assert losses == pytest.approx([1e1, 1e3, 1e5, 1e7], abs=1e-4), "without bound"


# The worked examples


@pytest.fixture(scope="module")
def examples():
    return worked_examples.worked_examples(0)


def test_chain_rule(examples):
    values = examples["chain_rule"]
    assert (values["x"], values["y"]) == (1, 0)
    assert values["f"] == pytest.approx(1.5 / (3 - 0.7310585786), abs=1e-9)
    assert values["df_dx"] == pytest.approx(0.064645, abs=5e-7)
    assert values["df_dy"] == pytest.approx(-0.181186, abs=5e-7)


def test_the_image_gives_all_that_the_homework_prints(examples):
    values = examples["convolution"]
    assert values["output"] == values["printed_output"] == [[109, 92, 72], [108, 85, 74], [110, 74, 79]]
    assert values["gradient"] == values["printed_gradient"]
    image, kernel = np.array(values["image"]), np.array(values["kernel"])
    assert (
        np.sum(image[:3, :3] * kernel) == 4 * 4 + 3 * 5 + 3 * 2 + 5 * 3 + 3 * 5 + 5 * 2 + 2 * 4 + 4 * 3 + 3 * 4 == 109
    )
    for i in range(5):
        for j in range(5):
            reached = [
                kernel[i - row, j - column]
                for row in range(3)
                for column in range(3)
                if 0 <= i - row < 3 and 0 <= j - column < 3
            ]
            assert values["gradient"][i][j] == sum(reached)
    assert (values["output_side"], values["padded_side"]) == (3, 5)


def test_dag(examples):
    assert set(examples["dag"]) == {"tie"}
    tie = examples["dag"]["tie"]
    assert tie["x1"] == tie["x2"]
    assert (tie["dy_dx1"], tie["dy_dx2"]) == (0.25, 0.25)
    assert tie["by_index"] == [0.5, 0.0]


@pytest.mark.parametrize("seed", range(3))
def test_lasso(seed):
    values = worked_examples.lasso(seed)
    assert 0 < values["distance"] < 0.01
    assert 0 <= values["objective"] - values["reference_objective"] <= values["bound"]


def test_dropout_ensemble(examples):
    values = examples["dropout_ensemble"]
    assert values["networks"] == 2 ** values["units"]
    assert values["geometric_mean"] == pytest.approx(values["scaled_weights"], abs=1e-12)
    assert sum(values["arithmetic_mean"]) == pytest.approx(1)
    assert values["arithmetic_mean"] != pytest.approx(values["scaled_weights"], abs=1e-3), (
        "only the geometric mean is exact"
    )


# Momentum


def descent_of_pytorch(rates, decay, nesterov):
    variables = vector(1.0, -2.0).requires_grad_()
    optimizer = torch.optim.SGD([variables], lr=rates[0], momentum=decay, nesterov=nesterov)
    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        (vector(1.0, 10.0) * variables**2 / 2).sum().backward()
        optimizer.step()
    return variables.detach()


def own_descent(rates, decay, step):
    state = momentum.State(vector(1.0, -2.0), vector(0.0, 0.0))
    for rate in rates:
        state = step(*state, lambda x: vector(1.0, 10.0) * x, rate, decay)
    return state


def test_pytorch_holds_the_point_where_nesterov_takes_the_gradient():
    state = own_descent([0.05] * 5, 0.9, momentum.nesterov_step)
    library = descent_of_pytorch([0.05] * 5, 0.9, nesterov=True)
    torch.testing.assert_close(momentum.look_ahead(*state, 0.9), library)
    assert (state.parameters - library).abs().max() > 1e-2, "it is not Nesterov's point itself"


@pytest.mark.parametrize("nesterov", [False, True])
def test_pytorch_differs_once_the_rate_changes(nesterov):
    """PyTorch's velocity does not hold the rate, so a change of it reaches the past too."""
    rates = [0.05, 0.05, 0.02, 0.02]
    state = own_descent(rates, 0.9, momentum.nesterov_step if nesterov else momentum.classical_momentum_step)
    found = momentum.look_ahead(*state, 0.9) if nesterov else state.parameters
    assert (found - descent_of_pytorch(rates, 0.9, nesterov)).abs().max() > 1e-2


def test_first_step_is_that_of_gradient_descent():
    for step in (momentum.classical_momentum_step, momentum.nesterov_step):
        torch.testing.assert_close(own_descent([0.05], 0.9, step).parameters, vector(0.95, -1.0))


# Maps of points


def random_points(count=40, dimensions=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dimensions, generator=generator, dtype=torch.float64).numpy()


@pytest.mark.parametrize("perplexity", [1.5, 5.0, 30.0])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_affinities_have_the_perplexity(perplexity, scale):
    conditional = sne.conditional_affinities(scale * random_points() + 7 * scale, perplexity)
    entropies = -xlogy(conditional, conditional).sum(axis=1)
    np.testing.assert_allclose(np.exp(entropies), perplexity, rtol=1e-9, atol=0)
    np.testing.assert_allclose(conditional.sum(axis=1), 1)
    assert not conditional.diagonal().any()


def test_affinities_are_those_of_a_gaussian():
    points = random_points()
    row = sne.conditional_affinities(points, 8.0)[0, 1:]
    squares = ((points[1:] - points[0]) ** 2).sum(axis=1)
    slope = (np.log(row)[1:] - np.log(row)[0]) / (squares[1:] - squares[0])
    assert slope.max() < 0
    np.testing.assert_allclose(slope, slope[0], rtol=1e-6, atol=0)


def test_joint_affinities():
    points = random_points()
    joint, conditional = sne.affinities(points, 8.0), sne.conditional_affinities(points, 8.0)
    assert joint.sum().item() == pytest.approx(1)
    assert np.array_equal(joint, joint.T)
    assert joint[2, 5].item() == pytest.approx((conditional[2, 5] + conditional[5, 2]).item() / 80)


@pytest.mark.parametrize("kernel", sne.KERNELS)
def test_cost_falls_along_the_gradient(kernel):
    joint, points = sne.affinities(random_points(), 8.0), random_points(dimensions=2, seed=1)
    q = sne.map_affinities(points, kernel)
    assert q.sum().item() == pytest.approx(1)
    costs = []
    for _ in range(20):
        costs.append(sne.sne_cost(joint, points, kernel))
        points = points - 0.5 * sne.sne_gradient(joint, points, kernel)
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0] - 0.1
    positive = joint > 0
    expected = (joint[positive] * np.log(joint[positive] / q[positive])).sum()
    assert costs[0] == pytest.approx(expected)


@pytest.mark.parametrize("kernel", sne.KERNELS)
def test_the_gradient_is_that_of_the_cost(kernel):
    joint, points = sne.affinities(random_points(), 8.0), random_points(dimensions=2, seed=1)

    def cost(points):
        return torch.tensor(sne.sne_cost(joint, points.numpy(), kernel), dtype=torch.float64)

    (expected,) = finite_differences(cost, torch.from_numpy(points))
    np.testing.assert_allclose(sne.sne_gradient(joint, points, kernel), expected.numpy(), rtol=1e-6, atol=1e-9)


def test_a_map_that_is_far_spread_has_a_finite_cost():
    joint, points = sne.affinities(random_points(), 8.0), 1e3 * random_points(dimensions=2, seed=1)
    for kernel in sne.KERNELS:
        assert math.isfinite(sne.sne_cost(joint, points, kernel))
        assert np.isfinite(sne.sne_gradient(joint, points, kernel)).all()


@pytest.mark.parametrize("perplexity", [1.0, 39.0, 100.0, math.nan])
def test_impossible_perplexity(perplexity):
    with pytest.raises(UserError, match=r"perplexity .* does not lie between 1 and 39, the neighbours of a point"):
        sne.affinities(random_points(), perplexity)


def test_points_that_are_all_the_same():
    with pytest.raises(UserError, match="all 10 points are the same"):
        sne.affinities(np.ones((10, 3)), 3.0)


def test_unknown_kernel():
    with pytest.raises(ValueError, match="kernel cauchy is none of gaussian, student"):
        sne.map_affinities(random_points(), "cauchy")
