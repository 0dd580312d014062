from itertools import pairwise

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.cluster import KMeans

import learn_centroids
from semisup.cli import UserError
from semisup.kmeans import cluster_sums, initial_centroids, lloyd, nearest_centroids


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


def run(points, first, iterations, tolerance=0.0, dtype=torch.float32):
    return lloyd(points, first, iterations, tolerance, np.random.default_rng(0), dtype)


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


def test_cluster_sums():
    points = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    sums, counts = cluster_sums(points, torch.tensor([2, 0, 2]), 4)
    assert sums.tolist() == [[3, 4], [0, 0], [6, 8], [0, 0]]
    assert counts.tolist() == [1, 0, 2, 0]


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
        return lloyd(points, first, 10, 0.0, rng)[0].numpy().tobytes()

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
    options |= {name: folder / file for name, file in paths.items()}
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


def test_program_writes_centroids_usage_and_history(tmp_path):
    learn_centroids.main([*write_patches(tmp_path, 300), "--centroids", "7", "--precision", "float32"])
    history = pd.read_csv(tmp_path / "history.csv")
    assert list(history) == ["iteration", "objective", "empty_clusters", "changed_fraction", "seconds"]
    with h5py.File(tmp_path / "centroids.h5") as file:
        assert file["centroids"].shape == (7, 12)
        assert file["usage"][:].sum() == 300
        assert file.attrs["epsilon"] == 0.5


def test_program_refuses_more_centroids_than_patches(tmp_path):
    with pytest.raises(UserError, match=r"301 centroids .*patches\.h5 holds 300: lower centroids"):
        learn_centroids.main([*write_patches(tmp_path, 300), "--centroids", "301"])
    assert not (tmp_path / "centroids.h5").exists()
