import h5py
import numpy as np
import pytest
import torch

from fixtures_kmeans import striped_images
from semisup import first_layer
from semisup.first_layer import learn_first_layer
from semisup.network import Shape, first_convolution, new_network, read_network, set_normalization, write_network
from semisup.networks import declared_networks
from semisup.patches import random_patches


def stripes(channels=3, size=32, count=200):
    return striped_images(np.arange(count) % 4, size, channels, seed=0)


def learned(images, network="resnet", seed=0):
    _, channels, _, size = images.shape
    made = new_network(Shape(network, channels, size, 4, 0.0, first_layer="centroids"), seed)
    set_normalization(made, images)
    learn_first_layer(made, images, seed)
    return made


@pytest.mark.parametrize("channels", [1, 3])
def test_filters_are_means_of_their_patches_in_the_whitened_space(channels):
    """Independent of semisup.whitening and semisup.kmeans: numpy's covariance, distances one by one."""
    images = stripes(channels)
    network = learned(images)
    weights = first_convolution(network).weight.detach().double().numpy()
    size = weights.shape[2]
    pixels = (images / 255 - network.mean.numpy()) / network.std.numpy()
    grid = np.lib.stride_tricks.sliding_window_view(pixels, (size, size), axis=(2, 3))[:, :, ::3, ::3]
    points = grid.transpose(0, 2, 3, 1, 4, 5).reshape(-1, channels * size**2)
    points = points - points.mean(axis=0)
    eigenvalues, directions = np.linalg.eigh(np.cov(points.T))
    whitening = directions / np.sqrt(eigenvalues + first_layer.EPSILON)
    filters = np.linalg.solve(whitening, weights.reshape(len(weights), -1).T).T
    norms = np.linalg.norm(filters, axis=1)
    assert norms == pytest.approx(1, abs=0.1), "whitened by other patches of the same images"

    white = points @ whitening
    nearest = (white @ filters.T).argmax(axis=1)
    cosines = []
    for number in np.unique(nearest):
        mean = white[nearest == number].mean(axis=0)
        cosines.append(mean @ filters[number] / np.linalg.norm(mean) / norms[number])
    assert np.mean(cosines) > 0.8
    random = np.random.default_rng(0).normal(size=(len(cosines), white.shape[1]))
    assert np.abs(random @ filters[0] / np.linalg.norm(random, axis=1)).mean() < 0.4, "no chance"


def test_the_answer_of_each_filter_to_patches_is_of_the_same_scale():
    images = stripes()
    network = learned(images)
    layer = first_convolution(network)
    patches = random_patches(images, layer.kernel_size[0], 20, np.random.default_rng(1))
    side = layer.kernel_size[0]
    pixels = (torch.from_numpy(patches).view(-1, 3, side, side) / 255 - network.mean) / network.std
    spread = torch.nn.functional.conv2d(pixels, layer.weight).flatten(1).std(dim=0)
    assert float(spread.max() / spread.min()) < 4


@pytest.mark.parametrize("network", [name for name, made in declared_networks().items() if made.smallest <= 48])
def test_every_network_can_have_it(network, monkeypatch):
    monkeypatch.setattr(first_layer, "PATCHES_PER_FILTER", 30)
    size = max(32, declared_networks()[network].smallest)
    made = learned(stripes(3, size, 40), network)
    fresh = new_network(made.shape, 0)
    assert not first_convolution(made).weight.requires_grad
    assert not torch.equal(first_convolution(made).weight, first_convolution(fresh).weight)
    assert sum(p.requires_grad for p in made.parameters()) == sum(1 for _ in made.parameters()) - 1


def test_same_seed_same_filters():
    images = stripes()
    one, again, other = (first_convolution(learned(images, seed=seed)).weight for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_images_of_one_colour_leave_the_filters():
    images = np.full((5, 3, 16, 16), 100, np.uint8)
    made = learned(images)
    assert torch.equal(first_convolution(made).weight, first_convolution(new_network(made.shape, 0)).weight)


def test_a_file_keeps_them_fixed(tmp_path):
    made = learned(stripes())
    with h5py.File(tmp_path / "model.h5", "w") as file:
        write_network(file.create_group("network"), made)
    with h5py.File(tmp_path / "model.h5") as file:
        read = read_network(file["network"])
    assert torch.equal(first_convolution(read).weight, first_convolution(made).weight)
    assert not first_convolution(read).weight.requires_grad


def test_a_file_from_before_has_a_trained_first_layer(tmp_path):
    with h5py.File(tmp_path / "model.h5", "w") as file:
        group = file.create_group("network")
        write_network(group, new_network(Shape("resnet", 3, 32, 4, 0.0), seed=0))
        del group.attrs["first_layer"]
        assert read_network(group).shape.first_layer == "trained"
        del group.attrs["classes"]
        with pytest.raises(KeyError, match="classes"):
            read_network(group)
