from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch

import train_fixmatch
from fixtures_kmeans import command_line, write_striped_dataset
from fixtures_programs import assert_scores_are_the_models
from fixtures_training import exemplar_network, network_options, two_classes
from semisup import network_run
from semisup.augmentation import Augmentation
from semisup.cli import UserError
from semisup.fixmatch import FixMatchLoss
from semisup.scaling import to_pixels

IMAGES = two_classes(40, seed=2).images
ROWS = torch.tensor([3, 17, 4, 30, 11, 8, 22, 35])
CLASSES = 3
DECAY = 0.999  # of FreeMatch's averages, Wang et al. 2023, appendix


def weak(images):
    return images * 0.9


def strong(images):
    return images.flip(3) * 0.7


def new_loss(threshold=0.6, adaptive=False, weight=2.0, strong=strong):
    return FixMatchLoss(IMAGES, 8, CLASSES, threshold, adaptive, weight, weak, strong, "float32")


def network_with_opinions():
    """Return a network without batch normalisation: sure of some images and not of others, of one class or another."""
    network = exemplar_network(seed=4, classes=CLASSES)
    head = network.head[-1]
    with torch.no_grad():
        scores = network(weak(to_pixels(IMAGES)))
        head.weight.div_(scores.std(dim=0)[:, None])
        head.bias.sub_(scores.mean(dim=0) / scores.std(dim=0))
    return network


def naive_probabilities(network, rows, change=weak):
    """Return the probabilities of each image of `rows`, float64, one image at a time."""
    with torch.no_grad():
        return np.array(
            [network(change(to_pixels(IMAGES[row : row + 1])))[0].double().softmax(dim=0).numpy() for row in rows]
        )


def naive_gradients(network, weak_probabilities, thresholds, weight, rows):
    """Return loss, fraction that counts, and gradient: one image at a time, as in equation 4 of Sohn et al. 2020."""
    total, counted = 0.0, 0
    network.zero_grad()
    for row, probabilities in zip(rows, weak_probabilities, strict=True):
        label = int(np.argmax(probabilities))
        if probabilities[label] >= thresholds[label]:
            loss = -network(strong(to_pixels(IMAGES[row : row + 1])))[0].log_softmax(dim=0)[label] / len(rows)
            (weight * loss).backward()
            total += loss.item()
            counted += 1
    gradients = {name: value.grad.clone() for name, value in network.named_parameters()}
    network.zero_grad()
    return total, counted / len(rows), gradients


def assert_same_gradients(network, expected):
    """Check the network's gradients."""
    assert max(value.abs().max() for value in expected.values()) > 1e-2, "there is something to compare"
    for name, value in network.named_parameters():
        torch.testing.assert_close(
            value.grad, expected[name], rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("parts", [1, 3])
def test_loss_and_gradient_are_those_of_a_loop(parts):
    network = network_with_opinions()
    probabilities = naive_probabilities(network, ROWS)
    total, counted, expected = naive_gradients(deepcopy(network), probabilities, [0.6] * CLASSES, 2.0, ROWS)
    assert 0.2 < counted < 0.8, "some count and some do not"
    shown = new_loss().backward(network, ROWS, 0, parts)
    assert_same_gradients(network, expected)
    assert {name: value.item() for name, value in shown.items()} == pytest.approx(
        {"unlabeled_loss": total, "unlabeled_weight": 2.0, "accepted": counted, "threshold": 0.6}, rel=1e-5
    )


def test_gradient_is_added_to_that_of_the_labelled_images():
    network, twice = network_with_opinions(), network_with_opinions()
    new_loss().backward(network, ROWS, 0, 1)
    for _ in range(2):
        new_loss().backward(twice, ROWS, 0, 1)
    assert_same_gradients(twice, {name: 2 * value.grad for name, value in network.named_parameters()})


def test_no_image_is_sure_enough():
    network = network_with_opinions()
    shown = new_loss(threshold=0.999999).backward(network, ROWS, 0, 1)
    assert (shown["unlabeled_loss"].item(), shown["accepted"].item()) == (0, 0)
    assert not any(value.grad.any() for value in network.parameters())


def test_every_image_counts_at_threshold_zero():
    assert new_loss(threshold=0.0).backward(network_with_opinions(), ROWS, 0, 1)["accepted"] == 1


def test_only_the_strong_version_has_a_gradient():
    """The weak one only says what is right: its pass keeps nothing for a gradient."""
    network, passes = network_with_opinions(), []
    network.register_forward_hook(lambda _, given, scores: passes.append((given[0], scores.requires_grad)))
    new_loss().backward(network, ROWS, 0, 1)
    pixels = to_pixels(IMAGES[ROWS])
    for (given, differentiable), (expected, with_gradient) in zip(
        passes, [(weak(pixels), False), (strong(pixels), True)], strict=True
    ):
        torch.testing.assert_close(given, expected)
        assert differentiable == with_gradient


def test_thresholds_follow_the_formulas_of_freematch():
    """Three steps, equations 5, 6 and 8 of Wang et al. 2023 in float64; both averages begin at 1 / classes."""
    network, loss = network_with_opinions(), new_loss(adaptive=True)
    tau, mean_probabilities = 1 / CLASSES, np.full(CLASSES, 1 / CLASSES)
    for step, rows in enumerate(torch.arange(24).split(8)):
        network.zero_grad()
        probabilities = naive_probabilities(network, rows)
        tau = DECAY * tau + (1 - DECAY) * probabilities.max(axis=1).mean()
        mean_probabilities = DECAY * mean_probabilities + (1 - DECAY) * probabilities.mean(axis=0)
        thresholds = mean_probabilities / mean_probabilities.max() * tau
        total, counted, expected = naive_gradients(deepcopy(network), probabilities, thresholds, 2.0, rows)
        shown = loss.backward(network, rows, step, 1)
        assert_same_gradients(network, expected)
        assert shown["threshold"].item() == pytest.approx(thresholds.mean(), rel=1e-6)
        assert (shown["unlabeled_loss"].item(), shown["accepted"].item()) == pytest.approx((total, counted), rel=1e-5)
        assert loss.confidence.item() == pytest.approx(tau, rel=1e-6)
        np.testing.assert_allclose(loss.probabilities, mean_probabilities, rtol=1e-6)


def test_each_class_has_its_own_adaptive_threshold():
    """After long averages: sure images of a frequent class do not count, less sure ones of a rare class do."""
    network = network_with_opinions()
    probabilities = naive_probabilities(network, ROWS)
    labels, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    frequent, rare = np.bincount(labels, minlength=CLASSES).argsort()[[-1, -2]]
    assert (labels == rare).any()
    loss = new_loss(adaptive=True)
    means = np.full(CLASSES, 0.05)
    means[frequent] = 0.9
    loss.load_state_dict({"confidence": torch.tensor(1.0), "probabilities": torch.tensor(means, dtype=torch.float32)})
    counted = loss.backward(network, ROWS, 0, 1)["accepted"].item()
    assert counted == pytest.approx(np.mean((labels != frequent) | (confidence > 0.998)))
    assert 0 < counted < 1


def test_failed_step_leaves_the_averages():
    """A step for which there was too little memory is taken again."""

    def fail(images):
        raise torch.OutOfMemoryError("made up")

    network = network_with_opinions()
    loss = new_loss(adaptive=True, strong=fail)
    with pytest.raises(torch.OutOfMemoryError):
        loss.backward(network, ROWS, 0, 1)
    assert loss.confidence.item() == pytest.approx(1 / CLASSES)
    assert loss.probabilities.tolist() == pytest.approx([1 / CLASSES] * CLASSES)
    loss.strong = strong
    loss.backward(network, ROWS, 0, 2)
    once = new_loss(adaptive=True)
    once.backward(network, ROWS, 0, 1)
    torch.testing.assert_close(loss.state_dict(), once.state_dict())
    assert once.confidence > 1 / CLASSES


def test_state():
    network = network_with_opinions()
    first, second = new_loss(adaptive=True), new_loss(adaptive=True)
    first.backward(network, ROWS, 0, 1)
    second.load_state_dict(first.state_dict())
    shown = [loss.backward(network, ROWS, 0, 1)["threshold"] for loss in (first, second)]
    assert torch.equal(*shown)
    assert torch.equal(first.probabilities, second.probabilities)
    assert not torch.equal(second.probabilities, torch.full((CLASSES,), 1 / CLASSES))


# The program


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A data set of 40 training and 60 unlabeled images of 8 pixels."""
    return write_striped_dataset(tmp_path_factory.mktemp("data"), size=8)[0]


def arguments(images, folder, /, **changes):
    options = {
        "network": "digits",
        "color": 0,
        "hue": 0,
        "cutout": 0,
        "schedule": "cosine",
        "steps_per_epoch": 3,
        "unlabeled_batch_size": 12,
        "unlabeled_weight": 1.5,
        "threshold": 0.3,
        "adaptive_threshold": "false",
        "strong_color": 0.5,
        "strong_hue": 0.1,
        "strong_rotation": 30,
        "strong_cutout": 3,
    }
    return command_line(**network_options(images, folder) | options | changes)


@pytest.mark.parametrize("adaptive", ["false", "true"])
def test_program(adaptive, images, tmp_path):
    train_fixmatch.main(arguments(images, tmp_path, adaptive_threshold=adaptive))
    assert_scores_are_the_models(tmp_path, images, np.arange(40, 64))
    rows = pd.read_csv(tmp_path / "history.csv")
    assert list(rows) == [
        "epoch",
        "learning_rate",
        "train_loss",
        "train_accuracy",
        "validation_accuracy",
        "images",
        "seconds",
        "images_per_second",
        "peak_memory_gib",
        "unlabeled_loss",
        "unlabeled_weight",
        "accepted",
        "threshold",
    ]
    assert rows["images"].tolist() == [30, 30], "three steps of ten, of forty images"
    assert rows["unlabeled_weight"].tolist() == [1.5, 1.5]
    assert rows["accepted"].between(0, 1).all()
    if adaptive == "false":
        assert rows["threshold"].tolist() == pytest.approx([0.3, 0.3])
    else:
        assert rows["threshold"].nunique() == 2
        assert rows["threshold"].between(0.2, 0.26).all(), "near one of four classes at first"
    selection = pd.read_csv(tmp_path / "selection.csv")
    assert list(selection) == ["epoch", "train_accuracy", "validation_accuracy", "chosen"]


def test_unlabeled_images_are_mirrored_at_random(images, tmp_path, monkeypatch):
    """Also where labelled ones are in every second epoch."""
    seen, train = [], network_run.train_network

    def watch(network, losses, *options):
        seen.extend(losses)
        return train(network, losses, *options)

    monkeypatch.setattr(network_run, "train_network", watch)
    train_fixmatch.main(arguments(images, tmp_path, alternate_flips="true", epochs=1))
    labelled, unlabeled = seen
    assert labelled.flip_seed == 0
    for augment, random in ((labelled.augment, False), (unlabeled.weak, True), (unlabeled.strong, True)):
        assert any("Flip" in type(change).__name__ for change in augment) == random


def test_strong_changes_are_weak_ones_and_more(images, tmp_path, monkeypatch):
    made, new = [], train_fixmatch.augment_function

    def watch(augmentation, size):
        made.append((augmentation, size))
        return new(augmentation, size)

    monkeypatch.setattr(train_fixmatch, "augment_function", watch)
    train_fixmatch.main(arguments(images, tmp_path, shift=1, color=0.2, cutout=2, epochs=1))
    assert made == [(Augmentation(shift=1, flip=True, color=0.5, hue=0.1, cutout=3, rotation=30.0), 8)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unlabeled_batch_size": 61}, "^unlabeled_batch_size 61 is above the 60 unlabeled images: lower it$"),
        ({"strong_cutout": 8}, "^cutout 8 is not below the 8 pixels"),
        ({"batch_size": 41}, "^batch_size 41 is above the 40 training images: lower it$"),
    ],
)
def test_faults(changes, message, images, tmp_path):
    with pytest.raises(UserError, match=message):
        train_fixmatch.main(arguments(images, tmp_path, **changes))
    assert not (tmp_path / "model.h5").exists()
