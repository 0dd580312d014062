import signal
from contextlib import nullcontext
from itertools import pairwise

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.cluster import KMeans

import learn_centroids
from semisup import kmeans
from semisup.checkpoints import load_checkpoint, locked_checkpoint
from semisup.cli import UserError
from semisup.kmeans import (
    Cut,
    Iteration,
    assign,
    best_cut,
    initial_centroids,
    leading_coordinates,
    lloyd,
    move_points,
    nearest_centroids,
    rough_points,
)


def clustered_points(count=1500, dimension=8, clusters=12, spread=0.6, seed=0):
    """Return float32 (count, dimension) points around random centres."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, dimension)) * 2
    noise = spread * rng.normal(size=(count, dimension))
    return torch.from_numpy((centres[rng.integers(0, clusters, count)] + noise).astype(np.float32))


def whitened_like_points(count=5000, dimension=200, seed=0):
    """Return float32 (count, dimension) points of mean 0, variance 1 and heavy tails, as whitened patches have."""
    rng = np.random.default_rng(seed)
    contrast = rng.gamma(4.0, 0.25, size=(count, 1))
    points = contrast * rng.laplace(size=(count, dimension))
    return torch.from_numpy(((points - points.mean(axis=0)) / points.std(axis=0)).astype(np.float32))


def squared_distances(points, centroids):
    """Return float64 (n, K), from differences."""
    return np.stack([np.square(points - centre).sum(axis=1) for centre in centroids], axis=1)


def mean_squared_distance(points, centroids):
    return squared_distances(points.double().numpy(), centroids.double().numpy()).min(axis=1).mean()


def run(points, first, iterations, tolerance=0.0, dtype=torch.float32, momentum=0.0):
    centroids, _, history = lloyd(points, first, iterations, tolerance, 0, dtype, momentum)
    return centroids, history


def falling_points(count=4000, dimension=60, seed=0):
    """Return float32 (count, dimension) points with coordinates of falling variance, as PCA-whitened patches have."""
    points = whitened_like_points(count, dimension, seed)
    return points * torch.exp(-torch.arange(dimension) / (dimension / 6))


def test_one_iteration_is_what_a_loop_does():
    points = clustered_points(300)
    first = points[:9].clone()
    centroids, history = run(points, first, 1)
    members = [[] for _ in first]
    objective = 0.0
    for point in points.double().numpy():
        distances = [np.square(point - centre).sum() for centre in first.double().numpy()]
        members[int(np.argmin(distances))].append(point)
        objective += min(distances) / len(points)
    np.testing.assert_allclose(centroids, [np.mean(group, axis=0) for group in members], rtol=1e-5, atol=1e-6)
    assert history[0].objective == pytest.approx(objective, rel=1e-6)
    assert history[0].changed_fraction == 1.0
    assert history[0].empty_clusters == 0


def test_nearest_centroids_are_the_nearest():
    points = clustered_points(9000)  # more than one block
    centroids = clustered_points(40, seed=1)
    distances = squared_distances(points.double().numpy(), centroids.double().numpy())
    labels = nearest_centroids(points, centroids, torch.float32).numpy()
    assert labels.dtype == np.int64
    chosen = distances[np.arange(len(points)), labels]
    np.testing.assert_allclose(chosen, distances.min(axis=1), rtol=1e-5)


def test_first_of_equal_centroids():
    centroids = torch.ones(5, 3)
    assert nearest_centroids(torch.randn(10, 3), centroids, torch.float32).unique().tolist() == [0]


def test_moved_points_leave_one_cluster_for_another():
    points = clustered_points(5000)
    rng = np.random.default_rng(0)
    old, new = (torch.from_numpy(rng.integers(0, 7, 5000)) for _ in range(2))
    old[::3] = new[::3]
    sums, counts = torch.zeros(7, points.shape[1], dtype=torch.float64), torch.zeros(7, dtype=torch.int64)
    assert move_points(points, torch.full((5000,), -1), old, sums, counts) == 5000
    assert move_points(points, old, new, sums, counts) == int((old != new).sum())
    assert counts.tolist() == torch.bincount(new, minlength=7).tolist()
    for cluster in range(7):
        np.testing.assert_allclose(sums[cluster], points[new == cluster].double().sum(dim=0), rtol=1e-9, atol=1e-9)


# Products that are cut short


def scores(points, centroids):
    """float64 (n, K): x.c - |c|^2 / 2, which is highest where the distance is smallest."""
    points, centroids = points.double(), centroids.double()
    return points @ centroids.T - centroids.square().sum(dim=1) / 2


def cut_at(points, leading):
    return Cut(leading, points[:, leading:].norm(dim=1))


CASES = {
    "falling": lambda: (falling_points(), falling_points(90, seed=1)),
    "flat": lambda: (whitened_like_points(3000, 40), whitened_like_points(50, 40, seed=1)),
    "duplicate centroids": lambda: (falling_points(), falling_points(30, seed=1).repeat(3, 1)),
    "duplicate points": lambda: (falling_points(700).repeat(4, 1), falling_points(700)[:40].clone()),
    "centroids far away": lambda: (falling_points(), torch.cat([falling_points(20, seed=1), falling_points(20) * 100])),
    "rounding as large as the differences": lambda: (falling_points() + 1000, falling_points(60, seed=1) + 1000),
    "all points the same": lambda: (torch.ones(2000, 12), torch.eye(12)),
    "the leading coordinates say nothing": lambda: (falling_points().flip(1), falling_points(90, seed=1).flip(1)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("part", [0.05, 0.3, 0.9])
def test_cut_products_find_a_nearest_centroid(case, dtype, part):
    """As good as any by a float64 brute force, up to the rounding of the format; whatever the guesses."""
    points, centroids = CASES[case]()
    expected = scores(points, centroids)
    lengths = points.double().norm(dim=1) * centroids.double().norm(dim=1).max()
    allowed = (2 * kmeans.ROUNDING[dtype] + 4 * points.shape[1] * 2.0**-24) * lengths
    leading = max(1, int(part * points.shape[1]))
    right = expected.argmax(dim=1)
    for guesses in (right, right.roll(1), torch.zeros_like(right), torch.randint(0, len(centroids), right.shape)):
        before = guesses.clone()
        found = assign(points, centroids, guesses, cut_at(points, leading), dtype)
        chosen = expected.gather(1, found.labels.unsqueeze(1)).squeeze(1)
        assert bool((chosen >= expected.max(dim=1).values - allowed).all())
        assert torch.equal(guesses, before), "the guesses are not written to"
        assert leading / points.shape[1] <= found.multiplied <= leading / points.shape[1] + 1


def test_a_cut_spares_most_of_the_product():
    points = falling_points()
    centroids, labels, history = lloyd(points, points[:40].clone(), 12, 0.0, 0)
    cut = best_cut(points, centroids, labels, None, torch.float32)
    found = assign(points, centroids, labels, cut, torch.float32)
    assert found.multiplied < 0.5
    assert history[0].multiplied == 1
    assert history[-1].multiplied < 0.6
    assert torch.equal(found.labels, nearest_centroids(points, centroids, torch.float32))
    assert best_cut(points, centroids, labels, cut, torch.float32) is cut, "its norms are used again"


@pytest.mark.parametrize("dimension", [1, 40])
def test_without_a_falling_spectrum_nothing_is_cut(dimension):
    points = whitened_like_points(4000, dimension)
    centroids, labels, history = lloyd(points, points[:30].clone(), 6, 0.0, 0)
    assert best_cut(points, centroids, labels, None, torch.float32) is None
    assert [iteration.multiplied for iteration in history] == [1.0] * len(history)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_cuts_change_nothing_of_the_result(momentum, monkeypatch):
    points = falling_points()
    cut, history = run(points, points[:40].clone(), 15, momentum=momentum)
    assert min(iteration.multiplied for iteration in history) < 0.6
    monkeypatch.setattr(kmeans, "best_cut", lambda *_: None)
    whole, expected = run(points, points[:40].clone(), 15, momentum=momentum)
    torch.testing.assert_close(cut, whole, rtol=1e-4, atol=1e-5)
    assert [row.objective for row in history] == pytest.approx([row.objective for row in expected], rel=1e-6)


# Momentum


@pytest.mark.parametrize("seed", range(3))
def test_momentum_needs_fewer_iterations(seed):
    """At most two thirds of those to what 25 plain iterations reach, within a thousandth."""
    points = falling_points(8000, seed=seed)
    first = points[:100].clone()
    aim = run(points, first, 26)[1][25].objective * 1.001
    plain, moved = (run(points, first, 26, momentum=momentum)[1] for momentum in (0.0, 0.8))
    reached = [next(row.iteration for row in history if row.objective <= aim) for history in (plain, moved)]
    assert reached[1] <= 2 / 3 * reached[0]


def test_momentum_begins_with_the_second_update():
    points = falling_points(1000)
    first = points[:20].clone()
    plain, moved = (run(points, first, 2, momentum=momentum)[1] for momentum in (0.0, 0.8))
    assert [row[:5] for row in plain] == [row[:5] for row in moved]
    means = [run(points, first, count)[0] for count in (1, 2)]
    expected = means[1] + 0.8 * (means[1] - means[0])
    history = run(points, first, 3, momentum=0.8)[1]
    assert history[2].objective == pytest.approx(mean_squared_distance(points, expected), rel=1e-5)


def test_centroids_are_means_whatever_the_momentum():
    points = falling_points(1500)
    for iterations in (3, 4, 9, 500):
        centroids, labels, history = lloyd(points, points[:20].clone(), iterations, 0.0, 0, momentum=0.9)
        for cluster in labels.unique():
            expected = points[labels == cluster].double().mean(dim=0)
            np.testing.assert_allclose(centroids[cluster], expected, rtol=1e-4, atol=1e-5)
    assert len(history) < 500
    assert history[-1].changed_fraction == 0, "what momentum leaves undone is done without it"
    assert history[-1].objective == pytest.approx(mean_squared_distance(points, centroids), rel=1e-5)


def test_tolerance_ends_momentum_first():
    points = falling_points(3000)
    history = run(points, points[:40].clone(), 200, tolerance=1e-3, momentum=0.8)[1]
    falls = [(before.objective - after.objective) / after.objective for before, after in pairwise(history)]
    assert falls[-1] < 1e-3
    assert len(history) < 60


# Leading coordinates first


def test_leading_coordinates_hold_the_part():
    points = falling_points()
    shares = np.cumsum(np.square(points.numpy(), dtype=np.float64).sum(axis=0))
    shares /= shares[-1]
    count = leading_coordinates(points)
    assert shares[count - 2] < kmeans.ROUGH_PART <= shares[count - 1]


@pytest.mark.parametrize("points", [whitened_like_points(500, 40), torch.randn(50, 1), torch.ones(9, 3)])
def test_without_a_falling_spectrum_all_coordinates_lead(points):
    assert leading_coordinates(points) == points.shape[1]


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_rough_iterations_come_to_the_same_objective(momentum):
    points = falling_points(8000)
    first = points[:100].clone()
    aim = run(points, first, 26)[1][25].objective * 1.001
    centroids, labels, history = lloyd(points, first, 40, 0.0, 0, momentum=momentum, leading=8)
    assert history[-1].objective < aim
    assert torch.equal(labels, nearest_centroids(points, centroids, torch.float32)) or len(history) == 40
    looked_at = [(row.points, row.coordinates) for row in history]
    assert looked_at == sorted(looked_at)
    assert set(looked_at) == {(2000, 8), (8000, 60)}
    assert looked_at.count((2000, 8)) <= 20
    for cluster in labels.unique():
        expected = points[labels == cluster].double().mean(dim=0)
        np.testing.assert_allclose(centroids[cluster], expected, rtol=1e-4, atol=1e-5)


def test_objective_of_rough_iterations_is_that_of_centroids_without_the_rest():
    points = falling_points(2000)
    first = points[:30].clone()
    history = lloyd(points, first, 6, 0.0, 0, leading=10)[2]
    cut_off = torch.cat([first[:, :10], torch.zeros(30, 50)], dim=1)
    rough = rough_points(points, 30, 10)
    assert history[0].points == len(rough) == 500
    assert history[0].objective == pytest.approx(mean_squared_distance(rough, cut_off), rel=1e-5)
    falls = [(one, next_one) for one, next_one in pairwise(history) if one.points == next_one.points]
    assert len(falls) == 4
    assert all(after.objective < before.objective for before, after in falls)


@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_the_last_iteration_looks_at_all(iterations):
    points = falling_points(500)
    centroids, _, history = lloyd(points, points[:9].clone(), iterations, 0.0, 0, leading=4)
    assert history[-1].coordinates == centroids.shape[1] == 60
    assert history[-1].points == 500
    assert len(history) == iterations


@pytest.mark.parametrize(("points", "leading", "step"), [(8000, 10, 4), (2900, 10, 2), (1000, 10, 1), (1000, 100, 1)])
def test_rough_points_are_enough_for_each_centroid(points, leading, step):
    every = torch.arange(points).view(-1, 1)
    assert rough_points(every, 100, leading).flatten().tolist() == list(range(0, points, step))


def test_a_higher_objective_of_all_points_does_not_end_it():
    """The first iteration on all of them is compared with none before: those looked at other points."""
    points = falling_points(3000)
    first = points[:40].clone()
    history = lloyd(points, first, 40, 0.02, 0, leading=8)[2]
    numbers = [row.points for row in history]
    assert numbers.count(3000) >= 2
    assert numbers.count(750) >= 2


# Killed


@pytest.mark.parametrize("leading", [None, 8])
def test_goes_on_from_every_iteration(leading, tmp_path, monkeypatch):
    """Stopped after each iteration in turn, which saves; the end has the bytes of a run that nothing stopped."""
    points = falling_points(1500)
    first = points[:30].clone()
    first[7] = 1000  # an empty cluster, whose new centroid is drawn
    options = {"momentum": 0.8, "leading": leading}
    expected = lloyd(points, first, 14, 0.0, 3, **options)
    monkeypatch.setattr(kmeans, "deferred_stop", lambda: nullcontext(lambda: signal.SIGTERM))
    for done in range(1, 15):
        with locked_checkpoint(tmp_path, {"run": "one"}, 60) as checkpoint:
            with pytest.raises(SystemExit):
                lloyd(points, first, 14, 0.0, 3, **options, checkpoint=checkpoint)
            assert len(load_checkpoint(checkpoint)["history"]) == done
    with locked_checkpoint(tmp_path, {"run": "one"}, 60) as checkpoint:
        found = lloyd(points, first, 14, 0.0, 3, **options, checkpoint=checkpoint)
    assert found[0].numpy().tobytes() == expected[0].numpy().tobytes()
    assert torch.equal(found[1], expected[1])
    assert [row[:-1] for row in found[2]] == [row[:-1] for row in expected[2]]


# Beside scikit-learn


@pytest.mark.parametrize("iterations", [1, 4, 100])
def test_same_as_scikit_learn(iterations):
    points = clustered_points()
    first = points[::120][:12].clone()
    centroids, history = run(points, first, iterations)
    reference = KMeans(12, init=first.numpy(), n_init=1, max_iter=iterations, tol=0, algorithm="lloyd")
    reference.fit(points.numpy())
    np.testing.assert_allclose(centroids, reference.cluster_centers_, rtol=1e-4, atol=1e-4)
    assert mean_squared_distance(points, centroids) == pytest.approx(reference.inertia_ / len(points), rel=1e-5)
    if iterations == 100:
        assert len(history) < 100
        assert history[-1].changed_fraction == 0
        assert history[-1].objective == pytest.approx(reference.inertia_ / len(points), rel=1e-5)


def test_objective_is_the_mean_squared_distance_before_each_update():
    points = clustered_points(1000)
    centroids = points[:20].clone()
    _, history = run(points, centroids, 5)
    for iteration in history:
        assert iteration.objective == pytest.approx(mean_squared_distance(points, centroids), rel=1e-5)
        centroids, _ = run(points, centroids, 1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("initialization", ["gaussian", "patches", "k-means++"])
def test_objective_never_rises(seed, initialization):
    points = whitened_like_points(2000, 50, seed)
    first = initial_centroids(points, 40, initialization, np.random.default_rng(seed))
    objectives = [iteration.objective for iteration in run(points, first, 30)[1]]
    assert len(objectives) > 3
    assert np.all(np.diff(objectives) <= 1e-6 * objectives[0])


def test_empty_clusters_get_a_point():
    points = clustered_points(400)
    first = points[:5].clone()
    first[3] = 1000.0
    first[4] = -1000.0
    centroids, history = run(points, first, 1)
    assert history[0].empty_clusters == 2
    for empty in (3, 4):
        assert (points == centroids[empty]).all(dim=1).any(), "an empty cluster's centroid is one of the points"
    assert not torch.equal(centroids[3], centroids[4])
    _, history = run(points, first, 50)
    assert history[-1].empty_clusters == 0
    assert history[-1].objective < history[0].objective


def test_more_centroids_than_different_points():
    """Some clusters can never be filled; that must neither loop for ever nor give NaN."""
    points = torch.eye(3).repeat(10, 1)
    centroids, history = run(points, points[:8].clone(), 20)
    assert torch.isfinite(centroids).all()
    assert history[-1].objective == pytest.approx(0, abs=1e-6)
    assert len(history) <= 20


def test_when_it_stops():
    points = clustered_points()
    first = points[:12].clone()
    assert len(run(points, first, 3)[1]) == 3
    converged = run(points, first, 1000)[1]
    assert len(converged) < 1000
    assert converged[-1].changed_fraction == 0
    assert all(iteration.changed_fraction > 0 for iteration in converged[:-1])

    tolerant = run(points, first, 1000, tolerance=0.01)[1]
    falls = [(before.objective - after.objective) / after.objective for before, after in pairwise(tolerant)]
    assert len(tolerant) < len(converged)
    assert falls[-1] < 0.01
    assert all(fall >= 0.01 for fall in falls[:-1])
    assert [iteration.iteration for iteration in tolerant] == list(range(1, len(tolerant) + 1))


def test_bfloat16_products_reach_the_same_objective():
    points = whitened_like_points()
    first = initial_centroids(points, 50, "patches", np.random.default_rng(0))
    # Under this tolerance not even a rise ends the loop early.
    exact, history = run(points, first, 8, tolerance=-1.0)
    rough, rough_history = run(points, first, 8, tolerance=-1.0, dtype=torch.bfloat16)
    assert len(history) == len(rough_history) == 8
    assert not torch.equal(exact, rough)
    objective = mean_squared_distance(points, exact)
    assert objective < 0.99 * mean_squared_distance(points, first)
    assert mean_squared_distance(points, rough) == pytest.approx(objective, rel=1e-3)
    assert rough_history[-1].objective == pytest.approx(history[-1].objective, rel=1e-3)


@pytest.mark.parametrize("initialization", ["gaussian", "patches", "k-means++"])
def test_same_seed_same_bytes(initialization):
    points = whitened_like_points(2000, 30)

    def learn(seed):
        rng = np.random.default_rng(seed)
        first = initial_centroids(points, 25, initialization, rng)
        return lloyd(points, first, 10, 0.0, seed, momentum=0.8)[0].numpy().tobytes()

    assert learn(3) == learn(3)
    assert learn(3) != learn(4)


def test_gaussian_start_leaves_no_centroid_with_a_single_point():
    """From points of very different length, centroids that start at long points would keep nothing else."""
    rng = np.random.default_rng(0)
    lengths = rng.lognormal(0, 1, (4000, 1))
    points = torch.from_numpy((rng.standard_normal((4000, 200)) * lengths).astype(np.float32))

    def result(initialization):
        first = initial_centroids(points, 40, initialization, np.random.default_rng(1))
        centroids, history = run(points, first, 15)
        usage = torch.bincount(nearest_centroids(points, centroids, torch.float32), minlength=40)
        return int((usage <= 1).sum()), history[-1].objective

    lonely, objective = result("gaussian")
    lonely_from_patches, objective_from_patches = result("patches")
    assert lonely < lonely_from_patches / 2
    assert objective < objective_from_patches


@pytest.mark.parametrize("initialization", ["patches", "k-means++"])
def test_start_centroids_are_different_points(initialization):
    points = whitened_like_points(60, 5)
    first = initial_centroids(points, 60, initialization, np.random.default_rng(0))
    assert sorted(map(tuple, first.tolist())) == sorted(map(tuple, points.tolist()))
    with pytest.raises(ValueError, match=r"61 centroids.* 60"):
        initial_centroids(points, 61, initialization, np.random.default_rng(0))


def test_start_does_not_share_memory_with_the_points():
    points = whitened_like_points(60, 5)
    before = points.clone()
    initial_centroids(points, 10, "patches", np.random.default_rng(0)).zero_()
    assert torch.equal(points, before)


def test_kmeans_plus_plus_starts_better_than_random():
    points = clustered_points(600, clusters=20, spread=0.1)
    mean = {
        name: np.mean(
            [
                mean_squared_distance(points, initial_centroids(points, 20, name, np.random.default_rng(seed)))
                for seed in range(10)
            ]
        )
        for name in ("patches", "k-means++")
    }
    assert mean["k-means++"] < mean["patches"] / 2


def write_patches(folder, count):
    """Write random patches and a whitening that changes nothing but the mean; return the program's arguments."""
    dimension = 12
    patches = np.random.default_rng(0).integers(0, 256, (count, dimension), dtype=np.uint8)
    with h5py.File(folder / "patches.h5", "w") as file:
        file["patches"] = patches
    with h5py.File(folder / "whitening.h5", "w") as file:
        file.attrs.update(image_size=8, patch_size=2, contrast_constant=10.0)
        file["mean"] = np.zeros(dimension, np.float32)
        file["eigenvalues"] = np.full(dimension, 0.5, np.float32)
        file["eigenvectors"] = np.eye(dimension, dtype=np.float32)
    paths = {
        "patches": "patches.h5",
        "whitening": "whitening.h5",
        "centroids-file": "centroids.h5",
        "history": "history.csv",
    }
    options = {"epsilon": 0.5, "initialization": "gaussian", "iterations": 10, "tolerance": 0, "seed": 0}
    options["checkpoint"] = folder / "checkpoint"
    options |= {name: folder / file for name, file in paths.items()}
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


def test_program_writes_centroids_usage_and_history(tmp_path):
    learn_centroids.main([*write_patches(tmp_path, 300), "--centroids", "7", "--precision", "float32"])
    history = pd.read_csv(tmp_path / "history.csv")
    assert tuple(history) == Iteration._fields
    with h5py.File(tmp_path / "centroids.h5") as file:
        assert file["centroids"].shape == (7, 12)
        assert file["usage"][:].sum() == 300
        assert file.attrs["epsilon"] == 0.5


@pytest.mark.parametrize(
    ("option", "value"),
    [("seed", "1"), ("epsilon", "0.4"), ("momentum", "0.5"), ("iterations", "9"), ("code", "other")],
)
def test_checkpoint_of_another_run_is_set_aside(option, value, tmp_path, caplog):
    options = [*write_patches(tmp_path, 300), "--centroids", "7"]
    learn_centroids.main(options)
    learn_centroids.main([*options, f"--{option}", value])
    assert "it was made by a different run" in caplog.text
    assert (tmp_path / "checkpoint/set-aside-1.pt").exists()


def test_checkpoint_of_other_patches_is_set_aside(tmp_path, caplog):
    learn_centroids.main([*write_patches(tmp_path, 300), "--centroids", "7"])
    learn_centroids.main([*write_patches(tmp_path, 301), "--centroids", "7"])
    assert "it was made by a different run (data: " in caplog.text


def test_what_has_ended_is_taken_from_its_checkpoint(tmp_path, monkeypatch):
    options = [*write_patches(tmp_path, 300), "--centroids", "7"]
    written = []
    for _ in range(2):
        learn_centroids.main(options)
        written.append([(tmp_path / name).read_bytes() for name in ("centroids.h5", "history.csv")])
        monkeypatch.setattr(kmeans, "_iterate", None)
    assert written[0] == written[1]


def test_program_refuses_more_centroids_than_patches(tmp_path):
    with pytest.raises(UserError, match=r"301 centroids .*patches\.h5 holds 300: lower centroids"):
        learn_centroids.main([*write_patches(tmp_path, 300), "--centroids", "301"])
    assert not (tmp_path / "centroids.h5").exists()
