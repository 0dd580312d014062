"""The checked derivations: right formulas pass, wrong ones fail."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

import check_derivations
from semisup import metrics
from semisup.cli import UserError, run_program
from theory import derivations, initialization, momentum, proximal, sne, source_errors
from theory.derivation_checks import run_check

OUTPUTS = ("derivations.csv", "source_errors.csv", "examples.json")
KEYS = [check.key for check in check_derivations.CHECKS]


def arguments(folder, points=2, seed=0):
    paths = [str(Path(folder) / name) for name in OUTPUTS]
    options = zip(("--derivations", "--source-errors", "--examples"), paths, strict=True)
    return ["--points", str(points), "--seed", str(seed), *(word for option in options for word in option)]


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
