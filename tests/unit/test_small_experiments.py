"""The small experiments of the report: what theory says of them holds, and their files are what the report reads."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import compare_crowding
import compare_dropout
import compare_initialization
import compare_momentum
from compare_crowding import KERNELS, PLANE, SPACE
from compare_momentum import CLASSICAL, DESCENT, NESTEROV
from fixtures_kmeans import command_line
from semisup.cli import UserError
from semisup.small_digits import centered, checked_seeds, read_digits, split_digits, warn_at_edge
from semisup.sne import affinities, sne_cost

PROGRAMS = (compare_momentum, compare_dropout, compare_initialization, compare_crowding)
SMALL = {
    compare_momentum: {"steps": 60, "network_steps": 8},
    compare_dropout: {"width": 16, "epochs": 6},
    compare_initialization: {"depth": 4, "width": 32},
    compare_crowding: {"images": 80, "steps": 30},
}
COLUMNS = {
    compare_momentum: {"table": "problem,method,seed,step,loss,rate,momentum"},
    compare_dropout: {
        "table": "dropout,seed,epoch,train_loss,train_accuracy,validation_accuracy,rate",
        "ensemble": "networks,seed,validation_accuracy",
    },
    compare_initialization: {"table": "activation,initialization,seed,layer,variance,gradient_variance"},
    compare_crowding: {
        "table": "map,seed,near,moderate,far,moderate_over_near,class_separation,neighbor_agreement,cost,rate",
        "distances": "map,seed,curve,distance,value",
    },
}


@pytest.fixture(scope="module")
def digits():
    return centered(read_digits())


@pytest.fixture
def run(monkeypatch):
    """Return a function that runs a program with small sizes and returns its files by option."""
    monkeypatch.setattr(compare_momentum, "RATES", (0.4, 0.8))
    monkeypatch.setattr(compare_dropout, "RATES", (0.01, 0.03))
    monkeypatch.setattr(compare_crowding, "RATES", (30.0, 100.0))

    def run_small(program, folder, seeds=(0, 3), **options):
        files = {table: folder / f"{table}.csv" for table in COLUMNS[program]}
        files |= {kind: folder / f"figure.{kind}" for kind in ("pdf", "png")}
        program.main(command_line(seeds=list(seeds), **(SMALL[program] | options), **files))
        return files

    return run_small


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_files_have_their_columns_and_the_same_seeds_give_the_same_bytes(program, run, monkeypatch, tmp_path):
    first, second = (run(program, tmp_path / name) for name in ("first", "second"))
    monkeypatch.setattr(program, "draw_figure", lambda *arguments: None)
    other = run(program, tmp_path / "other", seeds=(1, 3))
    for table, columns in COLUMNS[program].items():
        content = first[table].read_text()
        assert content.splitlines()[0] == columns
        rows = pd.read_csv(first[table])
        assert set(rows["seed"].dropna()) == {0, 3}
        numbers = rows.select_dtypes("number").drop(columns=["seed", "cost", "rate"], errors="ignore")
        assert np.isfinite(numbers).all(axis=None)
        assert other[table].read_text() != content
    assert first["pdf"].read_bytes().startswith(b"%PDF")
    assert first["png"].read_bytes().startswith(b"\x89PNG")
    for kind, path in first.items():
        assert path.read_bytes() == second[kind].read_bytes(), kind


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_one_seed_is_enough_and_none_is_one_line(program, run, tmp_path):
    run(program, tmp_path, seeds=(7,))
    with pytest.raises(UserError, match="--seeds names no seed: give at least one") as caught:
        run(program, tmp_path / "none", seeds=())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("seeds", "folder", "expected"),
    [
        ([], "results", "error: --seeds names no seed: give at least one, such as --seeds 0 1 2"),
        (["2", "1", "2"], "results", "error: --seeds names 2 twice: give different seeds"),
        (["0"], "file", "error: {folder}: File exists"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(seeds, folder, expected, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    folder = tmp_path / folder
    files = command_line(table=folder / "t.csv", pdf=folder / "f.pdf", png=folder / "f.png", depth=2, width=16)
    command = [sys.executable, Path(compare_initialization.__file__), "--seeds", *seeds, *files]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [expected.format(folder=folder)]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_seeds_keep_their_order():
    assert checked_seeds([3, 0, 2]) == [3, 0, 2]


# The digits


def test_parts_of_the_digits_are_disjoint_and_the_seed_decides_them():
    digits = read_digits()
    assert digits.images.min() == 0
    assert digits.images.max() == 1
    numbered = digits._replace(images=np.arange(1797.0)[:, None])
    parts = split_digits(numbered, [100, 400], 5)
    assert [len(part.labels) for part in parts] == [100, 400, 1297]
    assert sorted(np.concatenate([part.images[:, 0] for part in parts])) == list(range(1797))
    for part in parts:
        assert np.bincount(part.labels) / len(part.labels) == pytest.approx(np.full(10, 0.1), abs=0.011)
        np.testing.assert_array_equal(part.labels, digits.labels[part.images[:, 0].astype(int)])
    again, other = (split_digits(numbered, [100], seed)[0].images for seed in (5, 6))
    np.testing.assert_array_equal(again, parts[0].images)
    assert (other != again).any()


def test_too_many_and_too_few_digits_are_refused(digits):
    with pytest.raises(UserError, match="asked for 400 digits, but only 397 are left: ask for fewer"):
        split_digits(digits, [1400, 400], 0)
    with pytest.raises(UserError, match="cannot draw 5 training"):
        split_digits(digits, [5], 0)


def test_centered_digits_have_mean_0_and_mean_square_1(digits):
    np.testing.assert_allclose(digits.images.mean(axis=0), 0, atol=1e-12)
    assert np.mean(digits.images**2) == pytest.approx(1)
    pixels = read_digits().images
    np.testing.assert_allclose(digits.images.std(axis=0), pixels.std(axis=0) * digits.images.std() / pixels_std(pixels))


def pixels_std(pixels):
    return np.sqrt(np.mean((pixels - pixels.mean(axis=0)) ** 2))


# Momentum


def shrinking(method, rate, momentum, eigenvalues):
    """Return by which factor a step brings the slowest direction of a quadratic closer, in the long run.

    A direction's next distance is a linear function of its last two: the factor is the largest root of its polynomial.
    """
    if method == NESTEROV:
        kept = 1 - rate * eigenvalues
        linear, constant = (1 + momentum) * kept, momentum * kept
    else:
        linear, constant = 1 + momentum - rate * eigenvalues, np.full_like(eigenvalues, momentum)
    return max(np.abs(np.roots([1, -one, two])).max() for one, two in zip(linear, constant, strict=True))


@pytest.mark.parametrize("condition", [4.0, 100.0])
@pytest.mark.parametrize("method", [DESCENT, CLASSICAL, NESTEROV])
def test_constants_of_theory_shrink_as_it_says_and_none_are_better(method, condition):
    eigenvalues = np.geomspace(0.3, 0.3 * condition, 30)
    rate, momentum = compare_momentum.best_constants(0.3, 0.3 * condition)[method]
    root = math.sqrt(condition)
    factor = {
        DESCENT: (condition - 1) / (condition + 1),
        CLASSICAL: (root - 1) / (root + 1),
        NESTEROV: 1 - 2 / math.sqrt(3 * condition + 1),
    }[method]
    assert shrinking(method, rate, momentum, eigenvalues) == pytest.approx(factor, abs=1e-6)
    rng = np.random.default_rng(0)
    for size in (0.001, 0.01, 0.1, 0.5):
        for _ in range(10):
            other = rate * (1 + rng.uniform(-size, size))
            moved = 0.0 if method == DESCENT else min(0.9999, max(0.0, momentum + rng.uniform(-size, size)))
            assert shrinking(method, other, moved, eigenvalues) > factor - 1e-6


def test_the_loss_shrinks_by_the_square_of_the_factor():
    eigenvalues = torch.tensor([0.1, 1.0], dtype=torch.float64)
    for method, constants in compare_momentum.best_constants(0.1, 1.0).items():
        found = compare_momentum.losses(
            method,
            torch.ones(2, dtype=torch.float64),
            lambda x: (eigenvalues * x**2).sum() / 2,
            lambda x: eigenvalues * x,
            constants,
            60,
        )
        assert len(found) == 61
        assert found[0] == pytest.approx(0.55)
        seen = (found[60] / found[30]) ** (1 / 60)
        assert seen == pytest.approx(shrinking(method, *constants, eigenvalues.numpy()), abs=0.03)


def test_a_descent_that_leaves_the_numbers_ends_in_infinite_losses():
    start = torch.ones(1, dtype=torch.float64)
    constants = compare_momentum.Constants(1e6, 0.9)
    found = compare_momentum.losses(CLASSICAL, start, lambda x: (x**2).sum() / 2, lambda x: x, constants, 200)
    assert len(found) == 201
    assert found[0] == 0.5
    assert found[-1] == math.inf
    assert not any(map(math.isnan, found))


def test_momentum_helps_on_the_quadratic_and_nesterov_where_there_is_too_much():
    constants = compare_momentum.best_constants(1 / compare_momentum.CONDITION, 1.0)
    table = pd.DataFrame(compare_momentum.quadratic_rows("quadratic", constants, 400))
    last = table[table["step"] == 400].set_index("method")["loss"]
    assert last[CLASSICAL] < last[NESTEROV] < 1e-6 * last[DESCENT]
    same = dict.fromkeys((CLASSICAL, NESTEROV), compare_momentum.Constants(1.0, 0.99))
    table = pd.DataFrame(compare_momentum.quadratic_rows("same", same, 100)).pivot_table(
        index="step", columns="method", values="loss"
    )
    assert table[NESTEROV].is_monotonic_decreasing
    assert not table[CLASSICAL].is_monotonic_decreasing
    assert table[NESTEROV][100] < 0.1 * table[CLASSICAL][100]


def test_the_network_of_one_vector_is_the_network_of_layers(digits):
    parameters = compare_momentum.first_weights(3)
    layers, position = [], 0
    for n_in, n_out in ((64, 32), (32, 32), (32, 10)):
        layer = nn.Linear(n_in, n_out, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(parameters[position : position + n_in * n_out].view(n_out, n_in))
            layer.bias.copy_(parameters[position + n_in * n_out : position + (n_in + 1) * n_out])
        position += (n_in + 1) * n_out
        layers += [layer, nn.Tanh()]
        bound = math.sqrt(6 / (n_in + n_out))
        assert 0.95 * bound < layer.weight.abs().max() <= bound
        assert not layer.bias.any()
    assert position == len(parameters)
    images, labels = torch.from_numpy(digits.images[:50]), torch.from_numpy(digits.labels[:50])
    expected = nn.functional.cross_entropy(nn.Sequential(*layers[:-1])(images), labels)
    found = compare_momentum.network_loss(parameters, images, labels)
    assert found.item() == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize(("rate", "warned"), [(1, True), (3, True), (2, False)])
def test_a_rate_at_the_edge_is_a_warning(rate, warned, caplog):
    warn_at_edge("method", rate, (3, 1, 2))
    warn_at_edge("method", rate, (rate,))  # nothing was chosen
    assert caplog.messages == ([f"method: the rate {rate} is at the edge of the rates tried"] if warned else [])


def test_each_method_has_the_rate_with_the_smallest_mean_of_the_last_losses(monkeypatch, caplog):
    last = {(DESCENT, 1): (5, 5), (DESCENT, 2): (1, 8), (DESCENT, 3): (9, 9)}
    last |= {(CLASSICAL, 1): (3, 3), (CLASSICAL, 2): (2, 3), (CLASSICAL, 3): (0, math.inf)}
    last |= {(NESTEROV, 1): (7, 7), (NESTEROV, 2): (7, 7), (NESTEROV, 3): (6, 7)}
    momenta = set()

    def made_up(method, digits, seed, constants, steps):
        momenta.add((method, constants.momentum))
        return [10.0] * steps + [last[method, constants.rate][seed]]

    monkeypatch.setattr(compare_momentum, "train_network", made_up)
    table = pd.DataFrame(compare_momentum.network_rows([0, 1], 4, [1, 2, 3]))
    assert table.groupby("method")["rate"].unique().map(list).to_dict() == {DESCENT: [2], CLASSICAL: [2], NESTEROV: [3]}
    assert momenta == {(DESCENT, 0.0), (CLASSICAL, 0.9), (NESTEROV, 0.9)}
    assert table[table["step"] == 4].groupby("method")["loss"].apply(list)[CLASSICAL] == [2, 3]
    assert caplog.messages == [f"{NESTEROV}: the rate 3 is at the edge of the rates tried"]


def test_momentum_beats_plain_descent_on_the_network(digits):
    plain, moving = (
        compare_momentum.train_network(method, digits, 0, compare_momentum.Constants(0.4, momentum), 30)
        for method, momentum in ((DESCENT, 0.0), (NESTEROV, 0.9))
    )
    assert plain[0] == moving[0]
    assert moving[-1] < 0.2 * plain[-1] < 0.2 * plain[0]


# Dropout


def test_a_thinned_network_has_one_choice_of_units_for_all_images():
    layer = nn.Linear(1000, 1000, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(1000))
    torch.manual_seed(0)
    found = compare_dropout.thinned_scores(nn.Sequential(nn.Dropout(0.2), layer), torch.ones(4, 1000))
    assert (found == found[0]).all()
    assert set(found.unique().tolist()) == {0.0, 1.25}
    assert (found[0] == 0).double().mean().item() == pytest.approx(0.2, abs=0.05)


def test_thinned_networks_of_nothing_dropped_are_the_network(digits):
    images = torch.from_numpy(digits.images[:30]).float()
    torch.manual_seed(0)
    network = compare_dropout.new_network(16, (0.0, 0.0))
    found = compare_dropout.thinned_scores(network.train(), images)
    torch.testing.assert_close(found, compare_dropout.all_unit_scores(network, images))


def test_the_rate_is_chosen_without_the_validation_images(monkeypatch, caplog, digits):
    choice = {0.003: 0.7, 0.01: 0.9, 0.03: 0.9, 0.1: 0.1}

    def made_up(parts, dropped, seed, rate, width, epochs):
        row = compare_dropout.Epoch(dropped, seed, epochs, 0.0, 1.0, 1 - choice[rate], rate)
        return compare_dropout.Training(None, choice[rate] + seed / 100, [row])

    monkeypatch.setattr(compare_dropout, "train_network", made_up)
    parts = {seed: compare_dropout.read_parts(digits, seed) for seed in (0, 1)}
    found = compare_dropout.best_trainings(parts, "yes", 8, 5)
    assert [(row.seed, row.rate) for training in found for row in training.epochs] == [(0, 0.01), (1, 0.01)]
    assert not [line for line in caplog.messages if "edge" in line]
    choice[0.1] = 1.0
    compare_dropout.best_trainings(parts, "yes", 8, 5)
    assert "dropout yes: the rate 0.1 is at the edge of the rates tried" in caplog.messages


def test_dropout_fits_slower_generalises_better_and_its_ensemble_grows_better(digits):
    parts = {seed: compare_dropout.read_parts(digits, seed) for seed in range(3)}
    rows, ensembles = [], []
    for dropped in compare_dropout.DROPPED:
        for seed, part in parts.items():
            training = compare_dropout.train_network(part, dropped, seed, 0.01, 256, 60)
            rows += training.epochs
            if dropped == "yes":
                ensembles += compare_dropout.ensemble_rows(training.network, part.validation, seed)
    last = pd.DataFrame(rows).query("epoch == 60").groupby("dropout").mean()
    assert last["train_loss"]["yes"] > last["train_loss"]["no"]
    assert last["validation_accuracy"]["yes"] > last["validation_accuracy"]["no"] + 0.005
    assert last["train_accuracy"]["no"] == 1
    ensemble = pd.DataFrame(ensembles).groupby("networks")["validation_accuracy"].mean()
    assert list(ensemble.index) == [0, *compare_dropout.NETWORKS]
    assert ensemble[1] < ensemble[5] < ensemble[100]
    assert ensemble[0] == pytest.approx(ensemble[100], abs=0.02)
    whole = pd.DataFrame(rows).query("epoch == 60 and dropout == 'yes'").set_index("seed")["validation_accuracy"]
    single = pd.DataFrame(ensembles).query("networks == 0").set_index("seed")["validation_accuracy"]
    pd.testing.assert_series_equal(whole, single)


# Initialisation


LINEAR = (lambda y: y, np.ones_like)


def change(activation, draw, images, seed=0, depth=30):
    """Return by which factors the variance of responses and of gradients changes over the chain."""
    rng = np.random.default_rng(seed)
    weights = [draw(rng, n_in, 256) for n_in in (images.shape[1], *[256] * (depth - 1))]
    forward, backward = compare_initialization.chain_variances(images, weights, activation, rng)
    assert len(forward) == len(backward) == depth
    return forward[-1] / forward[0], backward[0] / backward[-1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("heuristic", lambda n: 1 / (3 * n[0])), ("Glorot", lambda n: 2 / sum(n)), ("He", lambda n: 2 / n[0])],
)
def test_weights_have_the_variance_of_the_papers(name, expected):
    sizes = (200, 400)
    weights = compare_initialization.INITIALIZATIONS[name](np.random.default_rng(0), *sizes)
    assert weights.shape == (400, 200)
    assert weights.var() == pytest.approx(expected(sizes), rel=0.02)
    largest = np.abs(weights).max() / weights.std()
    assert largest > 4 if name == "He" else largest == pytest.approx(math.sqrt(3), rel=0.01)  # normal, uniform


@pytest.mark.parametrize("seed", range(3))
def test_he_keeps_the_variance_of_rectified_layers_and_the_others_lose_it(digits, seed):
    rectifier = compare_initialization.ACTIVATIONS["rectifier"]
    for name, factor in (("He", 1), ("Glorot", 1 / 2), ("heuristic", 1 / 6)):
        draw = compare_initialization.INITIALIZATIONS[name]
        for found in change(rectifier, draw, digits.images[:100], seed):
            assert factor**29 / 5 < found < factor**29 * 5


def test_glorot_keeps_the_variance_of_linear_layers_and_of_tanh_near_zero(digits):
    for activation, scale in ((LINEAR, 1.0), (compare_initialization.ACTIVATIONS["tanh"], 1e-3)):
        images = scale * digits.images[:100]
        for found in change(activation, compare_initialization.glorot_weights, images):
            assert 1 / 3 < found < 3
        for found in change(activation, compare_initialization.heuristic_weights, images):
            assert found < 1e-12


@pytest.mark.parametrize("name", ["rectifier", "tanh"])
def test_gradients_of_the_chain_are_those_of_autograd(name):
    rng = np.random.default_rng(0)
    inputs, weights = rng.normal(size=(7, 5)), [rng.normal(size=size) for size in ((6, 5), (4, 6), (3, 4))]
    forward, backward = compare_initialization.chain_variances(
        inputs, weights, compare_initialization.ACTIVATIONS[name], np.random.default_rng(1)
    )
    function = {"rectifier": torch.relu, "tanh": torch.tanh}[name]
    values, responses = torch.from_numpy(inputs), []
    for weight in weights:
        responses.append((values @ torch.from_numpy(weight).T).requires_grad_())
        responses[-1].retain_grad()
        values = function(responses[-1])
    last = torch.from_numpy(np.random.default_rng(1).normal(size=responses[-1].shape))
    (responses[-1] * last).sum().backward()
    assert forward == pytest.approx([part.detach().numpy().var() for part in responses])
    assert backward == pytest.approx([part.grad.numpy().var() for part in responses])


# Crowding


def test_nearest_are_the_nearest_others():
    points = np.concatenate([np.arange(11.0), [100.0]])[:, None]
    found = compare_crowding.nearest(compare_crowding.relative_distances(points))
    assert not found.diagonal().any()
    assert (found.sum(axis=1) == compare_crowding.NEIGHBORS).all()
    assert not found[:11, 11].any()
    assert list(np.flatnonzero(found[11])) == list(range(1, 11))


def test_measures_do_not_depend_on_the_scale_and_the_space_agrees_with_itself():
    part = split_digits(read_digits(), [100], 0)[0]
    space = compare_crowding.relative_distances(part.images)
    assert space.mean() == pytest.approx(1)
    one, two = (
        compare_crowding.measures(SPACE, 0, compare_crowding.Map(scale * part.images), space, part.labels)
        for scale in (1, 7)
    )
    assert one[2:-2] == pytest.approx(two[2:-2])
    assert one.neighbor_agreement == 1
    assert one.near < one.moderate < one.far
    assert one.moderate_over_near == pytest.approx(one.moderate / one.near)


def test_measures_of_a_map_that_can_be_counted(monkeypatch):
    monkeypatch.setattr(compare_crowding, "NEIGHBORS", 1)
    points = np.array([[0.0], [1.0], [100.0], [101.0]])
    space = compare_crowding.relative_distances(points)
    result = compare_crowding.Map(points[[0, 2, 1, 3]], 0.5, 2.0)
    found = compare_crowding.measures("map", 4, result, space, np.array([0, 0, 1, 1]))
    mean = (100 + 1 + 101 + 99 + 1 + 100) / 6
    assert found == compare_crowding.Measures(
        "map",
        4,
        near=pytest.approx(100 / mean),  # pairs 1 apart in the space
        moderate=pytest.approx(99 / mean),  # the pair 99 apart
        far=pytest.approx(101 / mean),  # the pair 101 apart
        moderate_over_near=pytest.approx(99 / 100),
        class_separation=pytest.approx((1 + 101 + 99 + 1) / 4 / 100),
        neighbor_agreement=0.0,
        cost=0.5,
        rate=2.0,
    )


def test_the_kernel_is_all_that_differs_and_the_far_tails_part_the_classes(run, tmp_path):
    table = pd.read_csv(run(compare_crowding, tmp_path, seeds=(0, 1), images=200, steps=250)["table"])
    assert list(table["map"].unique()) == [SPACE, PLANE, *KERNELS]
    assert (table["cost"].isna() == table["map"].isin([SPACE, PLANE])).all()
    assert (table["rate"].groupby(table["map"]).nunique()[list(KERNELS)] == 1).all()
    for _, rows in table.groupby("seed"):
        rows = rows.set_index("map")
        for measure in ("class_separation", "neighbor_agreement"):
            assert rows[measure]["Student-t"] > rows[measure]["Gaussian"] > rows[measure][PLANE], measure
        near = rows["near"]
        assert near[list(KERNELS)].max() < near[PLANE] < near[SPACE]


def test_curves_are_densities_and_means_of_groups(run, tmp_path):
    table = pd.read_csv(run(compare_crowding, tmp_path)["distances"])
    for (name, _), rows in table.groupby(["map", "seed"]):
        density, groups = (rows[rows["curve"] == curve] for curve in ("density", "by_distance"))
        assert density["value"].sum() * np.diff(compare_crowding.BINS)[0] == pytest.approx(1)
        assert groups["value"].mean() == pytest.approx(1, abs=0.01)
        assert groups["distance"].is_monotonic_increasing
        if name == SPACE:
            np.testing.assert_allclose(groups["value"], groups["distance"])


def test_the_first_seed_chooses_the_rate_with_the_lowest_cost(monkeypatch, caplog):
    costs = {"gaussian": {10: 1.00001, 30: 1.0, 100: math.inf}, "student": {10: 0.9, 30: 0.4, 100: 0.5}}
    tried = []

    def made_up(joint, start, kernel, rate, steps):
        tried.append((kernel, rate))
        return compare_crowding.Map(start.numpy(), costs[kernel][rate], rate)

    monkeypatch.setattr(compare_crowding, "descend", made_up)
    monkeypatch.setattr(compare_crowding, "RATES", (10, 30, 100))
    found = compare_crowding.all_maps(read_digits(), [5, 6], 60, 3)
    assert [seed for seed, _, _ in found] == [5, 6]
    for _, _, maps in found:
        assert {name: result.rate for name, result in maps.items()} == {
            SPACE: None,
            PLANE: None,
            "Gaussian": 10,
            "Student-t": 30,
        }
    assert tried[6:] == [("gaussian", 10), ("student", 30)]
    edges = [line for line in caplog.messages if "edge" in line]
    assert edges == ["Gaussian kernel: the rate 10 is at the edge of the rates tried"], "once, where it was chosen"


@pytest.mark.parametrize("kernel", KERNELS.values())
def test_the_descent_lowers_the_cost_of_its_kernel(kernel):
    points = torch.from_numpy(split_digits(read_digits(), [60], 0)[0].images)
    joint = affinities(points, 10.0)
    start = torch.from_numpy(compare_crowding.pca_map(points.numpy()))
    found = compare_crowding.descend(joint, start, kernel, 10.0, 100)
    assert found.cost < 0.8 * sne_cost(joint, start, kernel).item()
    assert found.cost == pytest.approx(sne_cost(joint, torch.from_numpy(found.points), kernel).item())
