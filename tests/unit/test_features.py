import h5py
import numpy as np
import pytest
import torch

from semisup import features
from semisup.dictionary import Dictionary
from semisup.features import feature_blocks, image_features, on_device, quadrant_sums, triangle
from semisup.hdf5 import read_record, write_record


def toy_dictionary(*shape, **named):
    return on_device(stored_dictionary(*shape, **named), torch.device("cpu"))


def stored_dictionary(channels=3, patch=4, image_size=12, count=9, seed=0):
    rng = np.random.default_rng(seed)
    size = channels * patch * patch
    whitening = rng.normal(size=(size, size)) / np.sqrt(size)
    return Dictionary(
        image_size=image_size,
        patch_size=patch,
        contrast_constant=10.0,
        epsilon=0.1,
        mean=rng.normal(size=size).astype(np.float32) * 0.1,
        whitening=((whitening + whitening.T) / 2).astype(np.float32),
        centroids=rng.normal(size=(count, size)).astype(np.float32),
    )


def noise(count, channels=3, size=12, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, channels, size, size), dtype=np.uint8)


def naive_triangle(patch, dictionary):
    """Return the activations of one patch: f_k = max(0, mean(z) - z_k), z_k = |x - c_k|, x normalised and whitened."""
    x = patch.astype(np.float64)
    x = (x - x.mean()) / np.sqrt(x.var(ddof=1) + dictionary.contrast_constant)
    x = dictionary.whitening.double().numpy().T @ (x - dictionary.mean.double().numpy())
    z = [np.sqrt(np.square(x - centre).sum()) for centre in dictionary.centroids.double().numpy()]
    return [max(0.0, np.mean(z) - distance) for distance in z]


def naive_quadrants(activations):
    """Return the sums over the quadrants of (h, w, K); the first half has the middle row and column."""
    h, w, count = activations.shape
    sums = np.zeros((2, 2, count))
    for row in range(h):
        for column in range(w):
            sums[int(row >= h / 2), int(column >= w / 2)] += activations[row, column]
    return sums.reshape(-1)


def test_triangle_is_the_papers_formula():
    dictionary = toy_dictionary()
    patches = noise(30, 1, 7, seed=1).reshape(30, 49)[:, :48]
    found = triangle(torch.from_numpy(patches), dictionary)
    expected = [naive_triangle(patch, dictionary) for patch in patches]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert (found == 0).float().mean() > 0.2, "about half of the activations are cut off"


def test_a_patch_that_is_a_centroid():
    """Its squared distance may come out below zero: no NaN, and the strongest activation is its own."""
    dictionary = toy_dictionary()
    patch = noise(1, 3, 4).reshape(1, -1)
    normalised = (patch - patch.mean()) / np.sqrt(patch.var(ddof=1) + 10.0)
    whitened = (torch.from_numpy(normalised).float() - dictionary.mean) @ dictionary.whitening
    dictionary.centroids[5] = whitened[0]
    found = triangle(torch.from_numpy(patch), dictionary)[0]
    assert torch.isfinite(found).all()
    assert found.argmax() == 5
    assert found[5] == pytest.approx(naive_triangle(patch[0], dictionary)[5], rel=1e-2)


@pytest.mark.parametrize(("h", "w"), [(4, 4), (5, 5), (2, 3), (7, 4), (2, 1), (1, 1)])
def test_quadrant_sums(h, w):
    activations = np.random.default_rng(0).random((3, h, w, 5)).astype(np.float32)
    found = quadrant_sums(torch.from_numpy(activations))
    np.testing.assert_allclose(found, [naive_quadrants(image) for image in activations], rtol=1e-5)


@pytest.mark.parametrize(("channels", "stride"), [(3, 1), (3, 3), (1, 2), (1, 8)])
def test_features_from_pixels_to_the_end(channels, stride):
    dictionary = toy_dictionary(channels)
    images = noise(3, channels)
    found = image_features(torch.from_numpy(images), dictionary, stride)
    assert found.shape == (3, 4 * 9)
    assert found.dtype == torch.float32
    steps = range(0, 12 - 4 + 1, stride)
    for image, result in zip(images, found, strict=True):
        grid = [[naive_triangle(image[:, y : y + 4, x : x + 4].ravel(), dictionary) for x in steps] for y in steps]
        np.testing.assert_allclose(result, naive_quadrants(np.array(grid)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("block", [1, 3, 10])
@pytest.mark.parametrize("rows", [1, 100, 4096])
def test_blocks_of_any_size(monkeypatch, block, rows):
    monkeypatch.setattr(features, "ROWS", {"cpu": rows})
    dictionary = toy_dictionary(image_size=8)
    images = noise(10)
    whole = image_features(torch.from_numpy(images), dictionary, 2).numpy()
    blocks = list(feature_blocks((images[start : start + block] for start in range(0, 10, block)), dictionary, 2))
    assert [len(part) for part in blocks] == [len(images[start : start + block]) for start in range(0, 10, block)]
    np.testing.assert_allclose(np.concatenate(blocks), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("grey", [0, 200, 255])
def test_constant_image_is_finite(grey):
    images = torch.full((2, 3, 12, 12), grey, dtype=torch.uint8)
    found = image_features(images, toy_dictionary(), 2)
    assert torch.isfinite(found).all()
    assert torch.equal(found[0], found[1])


def test_one_centroid_has_no_activation():
    assert torch.equal(image_features(torch.from_numpy(noise(2)), toy_dictionary(count=1), 2), torch.zeros(2, 4))


def test_dictionary_is_read_as_written(tmp_path):
    dictionary = stored_dictionary()
    with h5py.File(tmp_path / "dictionary.h5", "w") as file:
        write_record(file, dictionary)
    with h5py.File(tmp_path / "dictionary.h5") as file:
        again = read_record(file, Dictionary)
    assert type(again.image_size) is int
    for ours, theirs in zip(dictionary, again, strict=True):
        assert np.array_equal(ours, theirs)
