"""The checked derivations: right formulas pass, wrong ones fail; what the sources print; the worked examples."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import xlogy

import check_derivations
from semisup import metrics
from semisup.cli import UserError, run_program
from theory import derivations, initialization, momentum, proximal, sne, source_errors, worked_examples
from theory.derivation_checks import Check, difference, differences, finite_differences, run_check

OUTPUTS = ("derivations.csv", "source_errors.csv", "examples.json")
KEYS = [check.key for check in check_derivations.CHECKS]


def arguments(folder, points=2, seed=0):
    paths = [str(Path(folder) / name) for name in OUTPUTS]
    options = zip(("--derivations", "--source-errors", "--examples"), paths, strict=True)
    return ["--points", str(points), "--seed", str(seed), *(word for option in options for word in option)]


def vector(*values):
    return torch.tensor(values, dtype=torch.float64)


# The program


def test_tables(tmp_path):
    check_derivations.main(arguments(tmp_path, points=4))
    table = pd.read_csv(tmp_path / "derivations.csv")
    columns = ["key", "formula", "against", "points", "largest_error", "tolerance", "verdict"]
    assert list(table) == columns
    assert table["key"].tolist() == KEYS
    assert set(table["verdict"]) == {"pass"}
    assert set(table["points"]) == {4}
    assert (table["largest_error"] <= table["tolerance"]).all()
    assert (table["tolerance"] <= 1e-6).all()
    assert table["key"].is_unique
    assert not table.duplicated(["formula", "against"]).any(), "a reader can tell the rows apart"
    errors = pd.read_csv(tmp_path / "source_errors.csv")
    assert list(errors) == ["key", "source", "equation", "point", "printed", "right"]
    assert errors["key"].is_unique
    assert errors.loc[errors["printed"].isna(), "key"].tolist() == ["shift_indices", "convolution_22", "tsne_25"]
    assert errors.loc[errors["right"].isna(), "key"].tolist() == ["shift_indices"]
    assert set(json.loads((tmp_path / "examples.json").read_text())) >= {"chain_rule", "convolution", "lasso"}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(OUTPUTS)


def test_same_seed_same_bytes(tmp_path):
    for folder, seed in (("first", 3), ("again", 3), ("other", 4)):
        check_derivations.main(arguments(tmp_path / folder, seed=seed))
    first, again, other = (
        [(tmp_path / folder / name).read_bytes() for name in OUTPUTS] for folder in ("first", "again", "other")
    )
    assert first == again
    assert first[0] != other[0], "the seed draws the random inputs"
    assert first[1] == other[1], "the errors of the sources have points of their own"


@pytest.mark.parametrize("seed", range(3))
def test_other_seeds_pass_too(seed):
    assert [check.key for check in check_derivations.CHECKS if run_check(check, 5, 1000 + seed).verdict != "pass"] == []


def test_points_must_be_positive(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        check_derivations.main(arguments(tmp_path, points=0))
    assert "0 is not a positive whole number" in capsys.readouterr().err


# Wrong formulas


def ista_step_of(length):
    """A step of ISTA that is so many times as long as it should be."""

    def step(matrix, target, penalty, x):
        size = length / proximal.lipschitz_constant(matrix)
        return proximal.soft_threshold(x - size * matrix.T @ (matrix @ x - target), penalty * size)

    return step


def jacobian_with(diagonal):
    """A Jacobian of softmax with a printed diagonal and the printed entries beside it; beta is minus the homework's."""

    def jacobian(x, beta):
        beside = source_errors.printed_softmax_14(x, -beta)
        return beside - torch.diag(beside.diagonal()) + torch.diag(diagonal(x, -beta))

    return jacobian


def halves_at_the_tie(x1, x2, upstream):
    """What sending both gradients to the first of two equal inputs gives."""
    by_x1, by_x2 = (derivations.sigmoid_gradient(x, upstream) for x in (x1, x2))
    tie = x1 == x2
    return torch.where(tie, 2 * by_x1, by_x1), torch.where(tie, 0.0, by_x2)


def last_window_wins(image, rows, columns, upstream):
    """Max pooling that forgets to add up where windows overlap."""
    gradient = torch.zeros_like(image)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            window = image[row, column]
            gradient[row, column][divmod(int(window.argmax()), window.shape[1])] = upstream[i, j]
    return gradient


def last_of_equals(image, rows, columns, upstream):
    """Max pooling that gives the share of a window to the last of its largest pixels."""
    gradient = torch.zeros_like(image)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            window = image[row, column]
            last = window.numel() - 1 - int(window.flip(0, 1).flatten().argmax())
            gradient[row, column][divmod(last, window.shape[1])] += upstream[i, j]
    return gradient


def share_not_divided(image, rows, columns, upstream):
    gradient = torch.zeros_like(image)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            gradient[row, column] += upstream[i, j]
    return gradient


def softmax_that_overflows(x, beta):
    return torch.exp(beta * x) / torch.exp(beta * x).sum()


def without_kernel_factor(joint, points, kernel):
    return (
        RIGHT_SNE_GRADIENT(joint, points, "gaussian")
        if kernel == "gaussian"
        else 4
        * (((joint - sne.map_affinities(points, kernel))[:, :, None] * (points[:, None] - points[None])).sum(axis=1))
    )


RIGHT_SNE_GRADIENT = sne.sne_gradient
RIGHT_REGRESSION = derivations.softmax_regression_gradient
RIGHT_JACOBIAN = derivations.softmax_jacobian
DAG = {"sigmoid_dag_below", "sigmoid_dag_above", "sigmoid_dag_tie"}
ISTA = {"ista_step", "ista_decrease", "ista_rate", "ista_limit", "fista_rate"}
NESTEROV = {"nesterov", "nesterov_factor"}
TOP_K = {"top_k", "top_k_next"}
SOFTMAX = {"softmax_jacobian", "softmax_negative_jacobian", "output_weights", "weight_chain"}
HE = {"he_forward", "he_backward", "he_library"}
GLOROT = {"glorot_forward", "glorot_backward", "glorot_library"}

# A module, a formula of it, what is put in its place, and the checks that must fail then: these and no others. What a
# shift does to dE/dx is nothing, for instance, so a forgotten shift does not show there.
WRONG = {
    # as the sources print them
    "sigmoid_dag (1.3)": (derivations, "sigmoid_dag_gradient", source_errors.printed_sigmoid_dag_gradient, DAG),
    "batch_norm of the lab sheet": (
        derivations,
        "batch_norm",
        source_errors.printed_batch_norm,
        {"batch_norm", "batch_norm_closed", "batch_norm_numeric", "shift", "shift_input"},
    ),
    "softmax (10)": (derivations, "softmax_jacobian", jacobian_with(source_errors.printed_softmax_10), SOFTMAX),
    "softmax (11)": (derivations, "softmax_jacobian", jacobian_with(source_errors.printed_softmax_11), SOFTMAX),
    "softmax (14)": (
        derivations,
        "softmax_jacobian",
        jacobian_with(lambda x, beta: RIGHT_JACOBIAN(x, -beta).diagonal()),
        SOFTMAX,
    ),
    "cross-entropy (3)": (
        derivations,
        "cross_entropy_output_gradient",
        source_errors.printed_cross_entropy_gradient,
        {"cross_entropy", "weight_chain"},
    ),
    "softmax regression (7)": (
        derivations,
        "softmax_regression_gradient",
        source_errors.printed_regression_gradient,
        {"weights_wrong_classes", "bias", "certain_gradient"},
    ),
    "softmax regression (6)": (
        derivations,
        "output_weight_jacobian",
        lambda outputs, x: torch.diag(outputs * (1 - outputs))[:, :, None] * x,
        {"output_weights", "weight_chain"},
    ),
    "convolution 5(c)": (
        derivations,
        "convolution",
        source_errors.printed_convolution,
        {"convolution", "convolution_input", "convolution_kernel"},
    ),
    "zero padding 5(a)": (
        derivations,
        "convolution_side",
        source_errors.printed_convolution_side,
        {"convolution_side"},
    ),
    "top-k (23)": (metrics, "top_k_error", source_errors.printed_top_k_error, {"top_k"}),
    "top-k without a rule for ties": (metrics, "true_label_ranks", source_errors.strictly_larger, TOP_K),
    "Glorot III.1": (initialization, "glorot_bound", source_errors.printed_glorot_bound, GLOROT),
    # other slips
    "sigmoid": (
        derivations,
        "sigmoid_gradient",
        lambda x, upstream: upstream * torch.exp(-x) / (1 + torch.exp(x)) ** 2,
        {"sigmoid", "chain_rule", *DAG},
    ),
    "tanh": (derivations, "tanh_gradient", lambda x, upstream: upstream * (1 - torch.tanh(x)), {"tanh"}),
    "rectifier at zero": (derivations, "relu_gradient", lambda x, upstream: upstream * (x >= 0), {"relu"}),
    "one branch": (
        derivations,
        "sigmoid_dag",
        lambda x1, x2: 2 * torch.sigmoid(torch.minimum(x1, x2)),
        {"sigmoid_dag"},
    ),
    "tie": (derivations, "sigmoid_dag_gradient", halves_at_the_tie, {"sigmoid_dag_tie"}),
    "variance": (
        derivations,
        "batch_norm_variance_gradient",
        lambda x, upstream: -0.5 * (upstream * (x - x.mean(dim=0))).sum(dim=0) / x.var(dim=0, correction=0),
        {"batch_norm_variance", "batch_norm_in_parts"},
    ),
    "mean": (
        derivations,
        "batch_norm_mean_gradient",
        lambda x, upstream: -upstream.mean(dim=0) / x.std(dim=0, correction=0),
        {"batch_norm_mean", "batch_norm_in_parts"},
    ),
    "mean and variance held": (
        derivations,
        "batch_norm_gradient",
        lambda x, upstream: upstream / x.std(dim=0, correction=0),
        {"batch_norm_closed", "batch_norm_numeric", "shift_input"},
    ),
    "constant forgotten": (
        derivations,
        "stable_batch_norm_gradient",
        lambda x, upstream, constant: derivations.batch_norm_gradient(x, upstream),
        {"batch_norm_constant"},
    ),
    "a shift for each row": (derivations, "shift_gradient", lambda upstream: upstream, {"shift_epsilon"}),
    "no shift": (
        derivations,
        "shifted_batch_norm",
        lambda x, shift: derivations.batch_norm(x),
        {"shift", "shift_epsilon"},
    ),
    "softmax without beta": (
        derivations,
        "softmax",
        lambda x, beta: torch.softmax(x, dim=0),
        {"softmax", "softmax_negative", "softmax_jacobian", "softmax_negative_jacobian", "softmax_backward"},
    ),
    "softmax, diagonal only": (
        derivations,
        "softmax_gradient",
        lambda x, beta, upstream: upstream * derivations.softmax_jacobian(x, beta).diagonal(),
        {"softmax_backward"},
    ),
    "softmax that overflows": (derivations, "softmax", softmax_that_overflows, {"certain_gradient"}),
    "logarithm of zero": (
        derivations,
        "cross_entropy",
        lambda scores, label: -torch.softmax(scores, dim=0)[label].log(),
        {"certain_loss"},
    ),
    "true class": (
        derivations,
        "softmax_regression_gradient",
        lambda outputs, target, x: (torch.outer(outputs, x), RIGHT_REGRESSION(outputs, target, x)[1]),
        {"weights_true_class", "certain_gradient"},
    ),
    "quotient rule": (
        derivations,
        "quotient_gradient",
        lambda x, y: tuple(-value for value in RIGHT_QUOTIENT(x, y)),
        {"chain_rule"},
    ),
    "max pooling": (derivations, "max_pool", derivations.average_pool, {"max_pool", "adaptive_max_pool"}),
    "overlapping windows": (derivations, "max_pool_gradient", last_window_wins, {"max_pool", "adaptive_max_pool"}),
    "the last of equal pixels": (
        derivations,
        "max_pool_gradient",
        last_of_equals,
        {"max_pool", "adaptive_max_pool"},
    ),
    "average pooling": (derivations, "average_pool", derivations.max_pool, {"average_pool", "adaptive_average_pool"}),
    "shares": (derivations, "average_pool_gradient", share_not_divided, {"average_pool", "adaptive_average_pool"}),
    "adaptive windows": (
        derivations,
        "adaptive_windows",
        lambda side, outputs: [slice(i * side // outputs, (i + 1) * side // outputs) for i in range(outputs)],
        {"adaptive_max_pool", "adaptive_average_pool"},
    ),
    "kernel not flipped": (
        derivations,
        "convolution_input_gradient",
        lambda upstream, kernel: RIGHT_INPUT_GRADIENT(upstream, kernel.flip(0, 1)),
        {"convolution_input"},
    ),
    "dE/dW flipped": (
        derivations,
        "convolution_kernel_gradient",
        lambda image, upstream: derivations.convolution(image, upstream).flip(0, 1),
        {"convolution_kernel"},
    ),
    "t-SNE without the kernel": (sne, "sne_gradient", without_kernel_factor, {"tsne"}),
    "SNE, half": (sne, "sne_gradient", lambda *given: RIGHT_SNE_GRADIENT(*given) / 2, {"sne", "tsne"}),
    "momentum not kept": (
        momentum,
        "classical_momentum_step",
        lambda x, v, gradient, rate, decay: momentum.State(x - rate * gradient(x), v),
        {"momentum", "momentum_factor", "descent_factor"},
    ),
    "Nesterov as classical": (momentum, "nesterov_step", momentum.classical_momentum_step, NESTEROV),
    "constants of descent": (
        momentum,
        "best_descent_constants",
        lambda smallest, largest: momentum.Constants(1 / largest, 0.0),
        {"descent_factor"},
    ),
    "factor of descent": (
        momentum,
        "descent_factor",
        lambda condition: 1 - 1 / condition,
        {"descent_factor"},
    ),
    "constants of classical momentum": (
        momentum,
        "best_classical_constants",
        lambda smallest, largest: momentum.best_nesterov_constants(smallest, largest),
        {"momentum_factor"},
    ),
    "factor of classical momentum": (
        momentum,
        "classical_factor",
        lambda condition: momentum.descent_factor(condition),
        {"momentum_factor"},
    ),
    "Nesterov at the rate 1 / L": (
        momentum,
        "best_nesterov_constants",
        lambda smallest, largest: momentum.Constants(1 / largest, momentum.classical_factor(largest / smallest)),
        {"nesterov_factor"},
    ),
    "factor of Nesterov momentum": (
        momentum,
        "nesterov_factor",
        lambda condition: momentum.classical_factor(condition),
        {"nesterov_factor"},
    ),
    "dropout not inverted": (derivations, "inverted_dropout", lambda x, mask, keep: x * mask, {"dropout_expectation"}),
    "dropout unscaled": (
        derivations,
        "weight_scaled_layer",
        lambda weights, bias, x, keep: weights @ x + bias,
        {"dropout_scaling", "dropout_geometric"},
    ),
    "heuristic": (initialization, "heuristic_bound", lambda inputs: 1 / inputs, {"heuristic"}),
    "variance of the uniform distribution": (
        initialization,
        "uniform_variance",
        lambda bound: bound**2 / 12,
        {"heuristic", "glorot_forward", "glorot_backward"},
    ),
    "He without the rectifier": (initialization, "he_deviation", lambda connections: connections**-0.5, HE),
    "rectifier keeps all": (
        initialization,
        "layer_gain",
        lambda connections, variance, rectified: connections * variance,
        {"he_forward", "he_backward"},
    ),
    "threshold with the wrong sign": (
        proximal,
        "soft_threshold",
        lambda x, threshold: x.sign() * (x.abs() + threshold),
        {"soft_threshold", *(ISTA - {"fista_rate"})},  # the penalty is small there
    ),
    "ISTA's step, too long": (proximal, "ista_step", ista_step_of(2.5), ISTA),
    "ISTA's step, half": (proximal, "ista_step", ista_step_of(0.5), {"ista_step"}),
    "2 L": (
        proximal,
        "lipschitz_constant",
        lambda matrix: 2 * RIGHT_CONSTANT(matrix),
        {"lipschitz_constant", "ista_step"},
    ),
    "the sum of all eigenvalues for L": (
        proximal,
        "lipschitz_constant",
        lambda matrix: float((matrix**2).sum()),
        {"lipschitz_constant", "ista_step"},
    ),
    "ISTA without momentum": (proximal, "fista", proximal.ista, {"fista_rate"}),
}
RIGHT_CONSTANT = proximal.lipschitz_constant
RIGHT_QUOTIENT = derivations.quotient_gradient
RIGHT_INPUT_GRADIENT = derivations.convolution_input_gradient


@pytest.mark.parametrize("name", WRONG)
def test_wrong_formula(name, monkeypatch, tmp_path):
    module, formula, wrong, expected = WRONG[name]
    monkeypatch.setattr(module, formula, wrong)
    with pytest.raises(UserError) as error:
        check_derivations.main(arguments(tmp_path, points=6))
    message = str(error.value)
    assert set(re.findall(r"(\w+) \(error", message)) == expected
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_every_check_fails_for_some_wrong_formula():
    assert set().union(*(expected for *_, expected in WRONG.values())) == set(KEYS)


def test_exit_code_of_a_wrong_formula(tmp_path):
    """The homework's e^-x / (1 + e^x)^2 in a process of its own: exit code 1 and one line."""
    program = Path(check_derivations.__file__)
    code = (
        f"import sys; sys.path.insert(0, {str(program.parent)!r})\n"
        "import check_derivations\n"
        "from semisup import cli\n"
        "from theory import derivations, source_errors\n"
        "derivations.sigmoid_dag_gradient = source_errors.printed_sigmoid_dag_gradient\n"
        f"cli.run_program(lambda: check_derivations.main({arguments(tmp_path)!r}))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: wrong closed forms: sigmoid_dag_below (error ")
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_right_formulas_exit_well(tmp_path):
    result = subprocess.run(
        [sys.executable, check_derivations.__file__, *arguments(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert f"{len(KEYS)} formulas pass" in result.stderr


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(SystemExit, match=r"error: .*results"):
        run_program(lambda: check_derivations.main(arguments(tmp_path / "results")))


# The means of comparison


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e-9])
def test_an_error_that_is_no_small_number_fails(value):
    values = iter([0.0, value, 0.0])
    result = run_check(Check("key", "formula", "against", 1e-10, lambda rng: next(values)), 3, 0)
    assert result.verdict == "fail"
    assert result.largest_error == pytest.approx(value, nan_ok=True)


def test_difference_is_relative_where_values_are_large():
    assert difference(vector(1.5, 1000.0), vector(1.0, 1000.0)) == pytest.approx(0.5)
    assert difference(vector(0.25, 1010.0), vector(0.25, 1000.0)) == pytest.approx(0.01)
    assert difference(vector(0.002), vector(0.001)) == pytest.approx(0.001)
    assert math.isnan(differences([vector(0.0), vector(math.nan)], [vector(0.0), vector(0.0)]))


def test_tensors_that_would_broadcast_differ():
    assert difference(vector(1.0), vector(1.0, 1.0)) == math.inf


def test_finite_differences_of_a_polynomial():
    x, y = vector(1.0, -2.0), vector(3.0)
    by_x, by_y = finite_differences(lambda x, y: (x**2 * y).sum(), x, y)
    torch.testing.assert_close(by_x, vector(6.0, -12.0), atol=1e-8, rtol=0)
    torch.testing.assert_close(by_y, vector(5.0), atol=1e-8, rtol=0)


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
