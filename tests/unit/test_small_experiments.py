"""The small experiments of the report: what theory says of them holds, and their files are what the report reads."""

import math
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch import nn

import compare_crowding
import compare_dropout
import compare_initialization
import compare_momentum
from compare_crowding import KERNELS, PLANE, SPACE
from compare_momentum import CLASSICAL, DESCENT, NESTEROV
from fixtures_kmeans import command_line
from reporting import theory
from semisup.cli import UserError
from theory import small_network
from theory.small_digits import centered, checked_seeds, read_digits, split_digits, warn_at_edge
from theory.small_experiments import CROWDING, DIGITS, DROPOUT, MOMENTUM
from theory.small_network import RECTIFIER, TANH, Network
from theory.sne import affinities, sne_cost

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
    monkeypatch.setattr(compare_momentum, "MOMENTUM", MOMENTUM._replace(rates=(0.4, 0.8)))
    monkeypatch.setattr(compare_dropout, "DROPOUT", DROPOUT._replace(rates=(0.01, 0.03)))
    monkeypatch.setattr(compare_crowding, "CROWDING", CROWDING._replace(rates=(30.0, 100.0)))

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


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_the_rows_of_a_seed_do_not_depend_on_the_other_seeds(program, run, monkeypatch, tmp_path):
    for module, name in ((compare_momentum, "MOMENTUM"), (compare_dropout, "DROPOUT"), (compare_crowding, "CROWDING")):
        settings = getattr(module, name)
        monkeypatch.setattr(module, name, settings._replace(rates=settings.rates[:1]))  # others might choose another
    monkeypatch.setattr(program, "draw_figure", lambda *arguments: None)
    alone, together = (run(program, tmp_path / str(len(seeds)), seeds=seeds) for seeds in ((3,), (0, 3)))
    for table in COLUMNS[program]:
        one, two = (pd.read_csv(files[table]) for files in (alone, together))
        pd.testing.assert_frame_equal(one, two[two["seed"] != 0].reset_index(drop=True), check_dtype=False)


def test_the_report_of_the_theory_loads_nothing_heavy():
    """Each of these takes a second. What the programs may load is in test_imports.py."""
    heavy = ["torch", "sklearn", "scipy.stats", "matplotlib"]
    code = (
        f"import sys; sys.path.insert(0, {str(Path(compare_momentum.__file__).parent)!r}); import {theory.__name__}; "
        f"print(sorted(set({heavy}) & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what is freed is another C library's business")
def test_freed_memory_is_used_again():
    """Counted are the pages that the system hands out for arrays of 8 MiB, which are made and freed in turn."""
    program = (
        f"import sys; sys.path.insert(0, {str(Path(compare_momentum.__file__).parent)!r})\n"
        "import resource, numpy as np\n"
        "from theory.small_digits import reuse_memory\n"
        "def pages():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    for _ in range(20): np.ones(2**20)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "first = pages(); reuse_memory(); pages(); print(first, pages())"
    )
    others = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")  # settings of the allocator
    environment = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    before, after = map(int, done.stdout.split())
    assert after < before / 10


def test_seeds_keep_their_order():
    assert checked_seeds([3, 0, 2]) == [3, 0, 2]


# The digits


def test_digits_are_those_of_scikit_learn():
    images, labels = load_digits(return_X_y=True)
    digits = read_digits()
    np.testing.assert_array_equal(digits.images, images / 16)
    np.testing.assert_array_equal(digits.labels, labels)
    assert digits.labels.dtype == np.int64
    assert len(labels) == DIGITS


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
    eigenvalues = np.array([0.1, 1.0])
    for method, constants in compare_momentum.best_constants(0.1, 1.0).items():
        points = compare_momentum.descend(method, np.ones(2), lambda x: eigenvalues * x, constants, 60)
        found = compare_momentum.losses(points, lambda x: (eigenvalues * x**2).sum() / 2)
        assert len(found) == 61
        assert found[0] == pytest.approx(0.55)
        seen = (found[60] / found[30]) ** (1 / 60)
        assert seen == pytest.approx(shrinking(method, *constants, eigenvalues), abs=0.03)


def test_a_descent_that_leaves_the_numbers_ends_in_infinite_losses():
    constants = compare_momentum.Constants(1e6, 0.9)
    points = compare_momentum.descend(CLASSICAL, np.ones(1), lambda x: x, constants, 200)
    found = compare_momentum.losses(points, lambda x: (x**2).sum() / 2)
    assert len(found) == 201
    assert found[0] == 0.5
    assert found[-1] == math.inf
    assert not any(map(math.isnan, found))


def test_momentum_helps_on_the_quadratic_and_nesterov_where_there_is_too_much():
    constants = compare_momentum.best_constants(1 / MOMENTUM.condition, 1.0)
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
            weights = parameters[position : position + n_in * n_out].reshape(n_out, n_in)
            layer.weight.copy_(torch.from_numpy(weights))
            layer.bias.copy_(torch.from_numpy(parameters[position + n_in * n_out : position + (n_in + 1) * n_out]))
        position += (n_in + 1) * n_out
        layers += [layer, nn.Tanh()]
        bound = math.sqrt(6 / (n_in + n_out))
        assert 0.95 * bound < layer.weight.abs().max() <= bound
        assert not layer.bias.any()
    assert position == len(parameters)
    few = digits.at(np.arange(50))
    images, labels = map(torch.from_numpy, few)
    expected = nn.functional.cross_entropy(nn.Sequential(*layers[:-1])(images), labels)
    (found,) = compare_momentum.network_losses([parameters], few)
    assert found == pytest.approx(expected.item(), abs=1e-12)


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

    def made_up(method, train, seed, constants, steps):
        momenta.add((method, constants.momentum))
        return [10.0] * steps + [last[method, constants.rate][seed]]

    monkeypatch.setattr(compare_momentum, "train_network", made_up)
    monkeypatch.setattr(compare_momentum, "network_losses", lambda points, train: points)
    table = pd.DataFrame(compare_momentum.network_rows([0, 1], 4, [1, 2, 3]))
    assert table.groupby("method")["rate"].unique().map(list).to_dict() == {DESCENT: [2], CLASSICAL: [2], NESTEROV: [3]}
    assert momenta == {(DESCENT, 0.0), (CLASSICAL, 0.9), (NESTEROV, 0.9)}
    assert table[table["step"] == 4].groupby("method")["loss"].apply(list)[CLASSICAL] == [2, 3]
    assert caplog.messages == [f"{NESTEROV}: the rate 3 is at the edge of the rates tried"]


def test_momentum_beats_plain_descent_on_the_network(digits):
    train = split_digits(digits, [300], 0)[0]
    plain, moving = (
        compare_momentum.network_losses(
            compare_momentum.train_network(method, train, 0, compare_momentum.Constants(0.4, momentum), 30), train
        )
        for method, momentum in ((DESCENT, 0.0), (NESTEROV, 0.9))
    )
    assert plain[0] == moving[0]
    assert moving[-1] < 0.2 * plain[-1] < 0.2 * plain[0]


# Dropout


def test_a_thinned_network_has_one_choice_of_units_for_all_images():
    network = Network((1000, 1000), RECTIFIER)
    identity = np.concatenate([np.eye(1000).ravel(), np.zeros(1000)])
    rng = np.random.default_rng(0)
    found = compare_dropout.thinned_scores(network, identity, np.ones((4, 1000)), (0.2, 0.5), rng)
    assert (found == found[0]).all()
    assert set(np.unique(found)) == {0.0, 1.25}
    assert (found[0] == 0).mean() == pytest.approx(0.2, abs=0.05)


def test_a_thinned_network_is_the_network_with_masks():
    """What training multiplies a layer's inputs by, cuts the same units out of the weights."""
    network = compare_dropout.new_network(30)
    rng = np.random.default_rng(1)
    parameters = rng.normal(size=len(compare_dropout.first_weights(network.sizes, rng)))
    images = rng.normal(size=(7, 64))
    drawn = np.random.default_rng(2)
    masks = [
        (drawn.random(size) >= rate) / (1 - rate) for size, rate in zip((64, 30, 30), (0.2, 0.5, 0.5), strict=True)
    ]
    expected = small_network.layer_outputs(network, parameters, images, masks)[-1]
    found = compare_dropout.thinned_scores(network, parameters, images, (0.2, 0.5), np.random.default_rng(2))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_masks_drop_as_many_as_they_should_and_keep_the_mean():
    masks = compare_dropout.draw_masks(500, (64, 40, 40, 10), (0.2, 0.5), np.random.default_rng(0))
    assert [mask.shape for mask in masks] == [(500, 64), (500, 40), (500, 40)]
    assert compare_dropout.draw_masks(5, (64, 40, 10), (0.0, 0.0), np.random.default_rng(0)) is None
    for mask, rate in zip(masks, (0.2, 0.5, 0.5), strict=True):
        assert mask.dtype == np.float32
        assert np.unique(mask) == pytest.approx([0, 1 / (1 - rate)])
        assert (mask == 0).mean() == pytest.approx(rate, abs=0.02)


def test_thinned_networks_of_nothing_dropped_are_the_network(digits):
    images = digits.images[:30].astype(np.float32)
    rng = np.random.default_rng(0)
    network = compare_dropout.new_network(16)
    parameters = compare_dropout.first_weights(network.sizes, rng)
    found = compare_dropout.thinned_scores(network, parameters, images, (0.0, 0.0), rng)
    np.testing.assert_allclose(found, small_network.scores(network, parameters, images), rtol=1e-5, atol=1e-6)


def test_the_rate_is_chosen_without_the_validation_images(monkeypatch, caplog, digits):
    choice = {0.003: 0.7, 0.01: 0.9, 0.03: 0.9, 0.1: 0.1}

    def made_up(parts, dropped, seed, rate, width, epochs):
        return compare_dropout.Training(dropped, seed, rate, None, {}, choice[rate] + seed / 100)

    monkeypatch.setattr(compare_dropout, "train_network", made_up)
    parts = {seed: compare_dropout.read_parts(digits, seed) for seed in (0, 1)}
    found = compare_dropout.best_trainings(parts, "yes", 8, 5)
    assert [(training.seed, training.rate) for training in found] == [(0, 0.01), (1, 0.01)]
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
            rows += compare_dropout.measured(training, part)
            if dropped == "yes":
                ensembles += compare_dropout.ensemble_rows(training, part.validation)
    losses = pd.DataFrame(rows).query("epoch == 10").groupby("dropout")["train_loss"].mean()
    assert losses["yes"] > 2 * losses["no"]  # later, at the same rate, the larger activations may overtake
    last = pd.DataFrame(rows).query("epoch == 60").groupby("dropout").mean()
    assert last["validation_accuracy"]["yes"] > last["validation_accuracy"]["no"] + 0.005
    assert last["train_accuracy"]["no"] == 1
    ensemble = pd.DataFrame(ensembles).groupby("networks")["validation_accuracy"].mean()
    assert list(ensemble.index) == [0, *compare_dropout.NETWORKS]
    assert ensemble[1] < ensemble[5] < ensemble[100]
    assert ensemble[0] == pytest.approx(ensemble[100], abs=0.02)
    whole = pd.DataFrame(rows).query("epoch == 60 and dropout == 'yes'").set_index("seed")["validation_accuracy"]
    single = pd.DataFrame(ensembles).query("networks == 0").set_index("seed")["validation_accuracy"]
    pd.testing.assert_series_equal(whole, single)


# The network of both


def torch_network(parameters, sizes, activation):
    """Return the scores as a function of images and of masks, and PyTorch's parameters, layer after layer."""
    layers = [tuple(map(torch.from_numpy, layer)) for layer in small_network.layers_of(parameters, sizes)]
    for layer in layers:
        for part in layer:
            part.requires_grad_()

    def scores(images, masks):
        for number, ((weights, bias), mask) in enumerate(zip(layers, masks, strict=True)):
            images = nn.functional.linear((activation(images) if number else images) * mask, weights, bias)
        return images

    return scores, [part for layer in layers for part in layer]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("activation", "library"), [(TANH, torch.tanh), (RECTIFIER, torch.relu)])
def test_the_gradient_is_that_of_autograd(activation, library, masked):
    rng = np.random.default_rng(0)
    network = Network((6, 5, 4, 3), activation)
    parameters = rng.normal(size=(6 + 1) * 5 + (5 + 1) * 4 + (4 + 1) * 3)
    images, labels = rng.normal(size=(9, 6)), rng.integers(0, 3, 9)
    masks = [(rng.random((9, size)) < 0.6) / 0.6 if masked else np.ones((9, size)) for size in (6, 5, 4)]
    scores, parts = torch_network(parameters.copy(), network.sizes, library)
    expected = scores(torch.from_numpy(images), [torch.from_numpy(mask) for mask in masks])
    loss = nn.functional.cross_entropy(expected, torch.from_numpy(labels))
    loss.backward()
    given = masks if masked else None
    found = small_network.layer_outputs(network, parameters, images, given)
    assert len(found) == len(network.sizes)
    np.testing.assert_allclose(found[-1], expected.detach(), rtol=1e-12)
    assert small_network.cross_entropy(found[-1], labels) == pytest.approx(loss.item())
    gradient = small_network.loss_gradient(network, parameters, images, labels, given)
    np.testing.assert_allclose(gradient, np.concatenate([part.grad.numpy().ravel() for part in parts]), atol=1e-12)


def test_large_scores_have_a_finite_loss():
    assert small_network.cross_entropy(np.array([[1e4, 0.0]]), np.array([1])) == pytest.approx(1e4)


def test_small_numbers_stay_small():
    """A gradient of another type would make all later products slower."""
    network = compare_dropout.new_network(8)
    parameters = compare_dropout.first_weights(network.sizes, np.random.default_rng(0))
    images, labels = np.ones((3, 64), np.float32), np.array([0, 1, 2])
    masks = compare_dropout.draw_masks(3, network.sizes, (0.2, 0.5), np.random.default_rng(0))
    assert parameters.dtype == np.float32
    assert small_network.loss_gradient(network, parameters, images, labels, masks).dtype == np.float32


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


def test_the_plane_is_that_of_scikit_learn():
    points = split_digits(read_digits(), [100], 0)[0].images
    np.testing.assert_allclose(
        compare_crowding.pca_map(points), PCA(2, svd_solver="full").fit_transform(points), atol=1e-12
    )


def test_nearest_are_the_nearest_others():
    points = np.concatenate([np.arange(11.0), [100.0]])[:, None]
    found = compare_crowding.nearest(compare_crowding.relative_distances(points))
    assert not found.diagonal().any()
    assert (found.sum(axis=1) == CROWDING.neighbors).all()
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
    monkeypatch.setattr(compare_crowding, "CROWDING", CROWDING._replace(neighbors=1))
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
        return compare_crowding.Map(start, costs[kernel][rate], rate)

    monkeypatch.setattr(compare_crowding, "descend", made_up)
    monkeypatch.setattr(compare_crowding, "CROWDING", CROWDING._replace(rates=(10, 30, 100)))
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
    points = split_digits(read_digits(), [60], 0)[0].images
    joint = affinities(points, 10.0)
    start = compare_crowding.pca_map(points)
    found = compare_crowding.descend(joint, start, kernel, 10.0, 100)
    assert found.cost < 0.8 * sne_cost(joint, start, kernel)
    assert found.cost == pytest.approx(sne_cost(joint, found.points, kernel))


@pytest.mark.parametrize("kernel", KERNELS.values())
def test_a_descent_that_leaves_the_numbers_has_an_infinite_cost(kernel):
    points = split_digits(read_digits(), [60], 0)[0].images
    start = compare_crowding.pca_map(points)
    assert compare_crowding.descend(affinities(points, 10.0), start, kernel, 1e200, 30).cost == math.inf
