"""Contrastive learning: its loss against a naive one, and the program that trains by it."""

import math
import signal

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

import train_simclr
import train_supervised
from fixtures_kmeans import COUNTS, command_line, write_striped_dataset
from fixtures_training import RECIPE_OPTIONS, assert_same_weights, exemplar_network
from semisup.augmentation import Augmentation, augment_function
from semisup.cli import UserError
from semisup.constants import PROJECTION
from semisup.contrastive import ContrastiveLoss, add_projection, contrastive_loss, told_apart
from semisup.network import read_network
from semisup.training import add_gradients


def naive_loss(projections, temperature):
    """Sum over the views one by one, in float64."""
    images, views, _ = projections.shape
    unit = [[row / np.linalg.norm(row) for row in image] for image in projections.astype(np.float64)]
    losses, right = [], []
    for i in range(images):
        for v in range(views):
            others = [(j, w) for j in range(images) for w in range(views) if (j, w) != (i, v)]
            alike = {place: math.exp(unit[i][v] @ unit[place[0]][place[1]] / temperature) for place in others}
            total = sum(alike.values())
            losses.append(np.mean([-math.log(alike[i, w] / total) for w in range(views) if w != v]))
            right.append(max(alike, key=alike.get)[0] == i)
    return np.mean(losses), np.mean(right)


@pytest.mark.parametrize(("images", "views", "temperature"), [(2, 2, 0.5), (5, 2, 0.1), (4, 4, 0.2), (1, 3, 1.0)])
def test_loss_is_that_of_the_papers(images, views, temperature):
    projections = torch.randn(images, views, 6, generator=torch.Generator().manual_seed(3))
    loss, right = contrastive_loss(projections, temperature)
    expected = naive_loss(projections.numpy(), temperature)
    assert (loss.item(), right.item()) == pytest.approx(expected, rel=1e-5)


def test_equal_views_of_different_images_are_told_apart():
    directions = torch.eye(5)[:, None].expand(-1, 3, -1)
    loss, right = contrastive_loss(3 * directions, 0.01)
    assert right == 1
    assert loss.item() == pytest.approx(math.log(2), abs=1e-4), "the two other views of the image are equal"


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_gradient_is_that_of_all_views_in_one_pass(precision):
    """With batch normalisation, whose statistics are those of all views."""
    pool = torch.randint(0, 256, (12, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    loss = ContrastiveLoss(pool, 4, 3, 0.5, augment_function(Augmentation(1, True, 0.0, 0.0, 0), 8))
    network, twin = (with_projection() for _ in range(2))
    rows = torch.tensor([1, 5, 7, 2])
    torch.manual_seed(4)
    shown = add_gradients(network, [loss], [rows], 0, precision, 1)
    torch.manual_seed(4)
    views = loss.images(rows, 0)
    assert views.shape == (4, 3, 3, 8, 8)
    value, right = contrastive_loss(twin(views.flatten(0, 1)).unflatten(0, (4, 3)), 0.5)
    value.backward()
    assert shown["train_loss"].item() == pytest.approx(value.item(), rel=0.02)
    if precision == "float32":
        assert shown["train_accuracy"] == right
        for ours, theirs in zip(network.parameters(), twin.parameters(), strict=True):
            if theirs.grad is not None:
                torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-6)


def with_projection(seed=0):
    torch.manual_seed(seed)
    network = exemplar_network(seed)
    add_projection(network)
    return network.train()


def test_measure_is_the_same_twice_and_leaves_the_generator_alone():
    network, augment = with_projection(), augment_function(Augmentation(1, True, 0.2, 0.1, 0, crop=0.5, grey=0.2), 8)
    images = torch.randint(0, 256, (70, 3, 12, 12), dtype=torch.uint8)
    measured = network, images, augment, "float32", 5
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert told_apart(*measured) == told_apart(*measured)
    assert torch.equal(torch.get_rng_state(), state)
    assert not network.training


def test_views_are_crops_of_any_images():
    """At least the asked part of the area: of a picture whose columns say where they are, so much of the width."""
    ramp = torch.linspace(0, 1, 40).expand(200, 3, 40, 40)
    torch.manual_seed(0)
    views = augment_function(Augmentation(0, False, 0.0, 0.0, 0, crop=0.25), 16)(ramp)
    assert views.shape == (200, 3, 16, 16)
    widths = (views.amax(dim=3) - views.amin(dim=3)).mean(dim=(1, 2))
    assert widths.min() > 0.25**0.5 * 0.75**0.5 * 15 / 16 - 0.1
    assert widths.max() > 0.8
    grey = augment_function(Augmentation(0, False, 0.0, 0.0, 0, grey=1.0), 8)(torch.rand(4, 3, 8, 8))
    torch.testing.assert_close(grey[:, 0], grey[:, 2])


# The program


def simclr_arguments(images, folder, **changes):
    options = {
        "images": images,
        "image_size": 32,
        "network": "exemplar_small",
        "first_layer": "trained",
        **RECIPE_OPTIONS,
        "dropout": 0.0,
        "epochs": 2,
        "batch_size": 20,
        "optimizer": "adamw",
        "learning_rate": 0.002,
        "views": 2,
        "temperature": 0.2,
        "crop": 0.3,
        "color": 0.2,
        "hue": 0.0,
        "grey": 0.1,
        "flip": True,
        "checkpoint": folder / "checkpoint",
        "seed": 0,
        "network_file": folder / "pretrained_network.h5",
        "history": folder / "pretraining_history.csv",
    }
    return command_line(**(options | changes))


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_striped_dataset(tmp_path_factory.mktemp("images"), size=40)[0]


@pytest.fixture(scope="module")
def trained(images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("simclr")
    train_simclr.main(simclr_arguments(images, folder))
    return folder


def read(folder):
    with h5py.File(folder / "pretrained_network.h5") as file:
        return read_network(file["network"])


def test_network_and_history(trained):
    """The pool is the unlabeled images; the projection is not kept."""
    history = pd.read_csv(trained / "pretraining_history.csv")
    assert history["images"].tolist() == [COUNTS["unlabeled"] // 20 * 20] * 2
    assert history["validation_accuracy"].between(0, 1).all()
    network = read(trained)
    assert (network.shape.size, network.shape.classes) == (32, 4)
    assert network.head[-1].out_features == 4 != PROJECTION


def test_same_seed_gives_the_same_network(images, trained, tmp_path):
    train_simclr.main(simclr_arguments(images, tmp_path))
    assert_same_weights(read(tmp_path).state_dict(), read(trained).state_dict())


def test_batch_larger_than_the_pool_is_refused(images, tmp_path):
    with pytest.raises(UserError, match=r"^batch_size 61 is above the 60 images: lower it$"):
        train_simclr.main(simclr_arguments(images, tmp_path, batch_size=61))


def test_only_whole_batches_are_measured():
    """Of 70 images the first 64, as with fewer others a view is told apart more easily."""
    network, augment = with_projection(), augment_function(Augmentation(1, True, 0.0, 0.0, 0), 8)
    images = torch.randint(0, 256, (70, 3, 8, 8), dtype=torch.uint8)
    assert told_apart(network, images, augment, "float32", 5) == told_apart(network, images[:64], augment, "float32", 5)
    assert told_apart(network, images[:10], augment, "float32", 5) > 0


def test_too_little_memory_is_refused_since_parts_are_another_loss(images, tmp_path, monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr("semisup.training.add_gradients", fail)
    with pytest.raises(UserError, match=r"^out of memory with batches of 20 in 1 parts: choose a smaller network or b"):
        train_simclr.main(simclr_arguments(images, tmp_path))


def test_stopped_program_goes_on_to_the_same_network(images, trained, tmp_path, monkeypatch):
    steps = iter(range(1, 100))

    class Stopping(ContrastiveLoss):
        def images(self, rows, epoch):
            if next(steps) == 4:
                signal.raise_signal(signal.SIGTERM)
            return super().images(rows, epoch)

    with monkeypatch.context() as context:
        context.setattr(train_simclr, "ContrastiveLoss", Stopping)
        with pytest.raises(SystemExit):
            train_simclr.main(simclr_arguments(images, tmp_path))
    train_simclr.main(simclr_arguments(images, tmp_path))
    assert_same_weights(read(tmp_path).state_dict(), read(trained).state_dict())


def test_supervised_network_starts_from_it_with_its_first_layer_as_it_is(images, tmp_path):
    """A first layer of centroids stays fixed."""
    train_simclr.main(simclr_arguments(images, tmp_path, epochs=1, first_layer="centroids"))
    source, file = read(tmp_path), str(tmp_path / "pretrained_network.h5")
    assert source.shape.first_layer == "centroids"
    network = train_supervised.pretrained_network(file, source.shape, 1)
    assert_same_weights(network.layers.state_dict(), source.layers.state_dict())
    assert not next(network.layers.parameters()).requires_grad
    with pytest.raises(UserError, match=r"is centroids, not trained: give --first-layer centroids$"):
        train_supervised.pretrained_network(file, source.shape._replace(first_layer="trained"), 1)
