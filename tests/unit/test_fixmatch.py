from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional

import train_fixmatch
import train_supervised
from fixtures_kmeans import command_line, write_striped_dataset
from fixtures_programs import assert_scores_are_the_models
from fixtures_training import RECIPE, exemplar_network, network_options, two_classes
from semisup import network_run
from semisup.augmentation import Augmentation
from semisup.cli import UserError
from semisup.dataset import read_images, run_rows
from semisup.device import product_dtype
from semisup.fixmatch import FixMatchLoss
from semisup.labelled_loss import LabelledLoss
from semisup.models.network import read_model
from semisup.network import Shape, new_network
from semisup.scaling import to_pixels
from semisup.training import add_gradients

IMAGES = two_classes(40, seed=2).images
ROWS = torch.tensor([3, 17, 4, 30, 11, 8, 22, 35])
CLASSES = 3
DECAY = 0.999  # of FreeMatch's averages, Wang et al. 2023, appendix


def weak(images):
    return images * 0.9


def strong(images):
    return images.flip(3) * 0.7


def new_loss(threshold=0.6, adaptive=False, weight=2.0, decay=DECAY, shares=None):
    return FixMatchLoss(IMAGES, 8, CLASSES, threshold, adaptive, decay, shares, weight, weak, strong)


def gradient_of(loss, network, rows, epoch, parts):
    """Add the gradient of this loss alone."""
    return add_gradients(network, [loss], [rows], epoch, "float32", parts)


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
    shown = gradient_of(new_loss(), network, ROWS, 0, parts)
    assert_same_gradients(network, expected)
    assert {name: value.item() for name, value in shown.items()} == pytest.approx(
        {"unlabeled_loss": total, "unlabeled_weight": 2.0, "accepted": counted, "threshold": 0.6}, rel=1e-5
    )


def test_gradient_is_added_to_that_of_the_labelled_images():
    network, twice = network_with_opinions(), network_with_opinions()
    gradient_of(new_loss(), network, ROWS, 0, 1)
    for _ in range(2):
        gradient_of(new_loss(), twice, ROWS, 0, 1)
    assert_same_gradients(twice, {name: 2 * value.grad for name, value in network.named_parameters()})


def test_no_image_is_sure_enough():
    network = network_with_opinions()
    shown = gradient_of(new_loss(threshold=0.999999), network, ROWS, 0, 1)
    assert (shown["unlabeled_loss"].item(), shown["accepted"].item()) == (0, 0)
    assert not any(value.grad.any() for value in network.parameters())


def test_every_image_counts_at_threshold_zero():
    assert gradient_of(new_loss(threshold=0.0), network_with_opinions(), ROWS, 0, 1)["accepted"] == 1


def test_only_the_strong_version_has_a_gradient():
    """The weak one only says what is right."""
    loss = new_loss()
    pixels = to_pixels(IMAGES[ROWS])
    torch.testing.assert_close(loss.images(ROWS, 0), torch.stack([weak(pixels), strong(pixels)], dim=1))
    scores = network_with_opinions()(loss.images(ROWS, 0).flatten(0, 1)).view(8, 2, CLASSES).detach().requires_grad_()
    value, _ = loss.value(scores, ROWS, 0)
    value.backward()
    assert not scores.grad[:, 0].any()
    assert scores.grad[:, 1].any()


def written_out_scores(network, images):
    """Return float64 scores of a network of convolutions whose batch normalisation is that of these images together.

    Also the mean of the first layer's channels. Everything but convolution and pooling is written out.
    """
    value = ((images - network.mean) / network.std).double()
    means = []
    for layer in network.layers:
        for module in layer:
            if isinstance(module, nn.BatchNorm2d):
                mean = value.mean(dim=(0, 2, 3), keepdim=True)
                means.append(mean.flatten())
                spread = ((value - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
                factor, shift = (part.double().view(1, -1, 1, 1) for part in (module.weight, module.bias))
                value = (value - mean) / (spread + module.eps).sqrt() * factor + shift
            elif isinstance(module, nn.Conv2d):
                bias = None if module.bias is None else module.bias.double()
                value = functional.conv2d(value, module.weight.double(), bias, module.stride, module.padding)
            else:
                value = module(value)
    for module in network.head:
        linear = isinstance(module, nn.Linear)
        value = value @ module.weight.double().T + module.bias.double() if linear else module(value)
    return value, means[0]


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_all_images_pass_batch_normalisation_together(precision):
    """Labelled, weak and strong ones, as in the paper; against a loop over images in float64 that writes it all out.

    The running statistics are moved once, by the statistics of all of them.
    """
    network = new_network(Shape("digits", 3, 8, CLASSES, 0.0), 0)
    with torch.no_grad():
        network.head[-1].weight.mul_(20)
    naive = deepcopy(network)
    labelled = two_classes(12, seed=7)
    rows = torch.tensor([2, 9, 4, 7, 0])
    recipe = RECIPE._replace(label_smoothing=0.0)
    losses = [LabelledLoss(labelled, weak, recipe), new_loss(threshold=0.75)]
    shown = add_gradients(network, losses, [rows, ROWS], 0, precision)

    pixels, unlabeled = to_pixels(labelled.images[rows]), to_pixels(IMAGES[ROWS])
    together = torch.cat([weak(pixels), weak(unlabeled), strong(unlabeled)])
    scores, mean = written_out_scores(naive, together)
    total = 0
    for row, label in enumerate(labelled.labels[rows]):
        total = total - scores[row].log_softmax(dim=0)[label] / len(rows)
    counted = 0
    for row in range(len(ROWS)):
        probabilities = scores[len(rows) + row].detach().softmax(dim=0)
        if probabilities.max() >= 0.75:
            strong_scores = scores[len(rows) + len(ROWS) + row]
            total = total - 2.0 * strong_scores.log_softmax(dim=0)[probabilities.argmax()] / len(ROWS)
            counted += 1
    total.backward()
    assert 0 < counted < len(ROWS), "some count and some do not"
    loose = 1 if product_dtype(torch.device("cpu"), precision) == torch.float32 else 300
    assert shown["accepted"].item() == pytest.approx(counted / len(ROWS))
    assert (shown["train_loss"] + 2 * shown["unlabeled_loss"]).item() == pytest.approx(total.item(), rel=1e-4 * loose)
    for name, value in network.named_parameters():
        expected = dict(naive.named_parameters())[name].grad
        assert (value.grad - expected).norm() <= 1e-4 * loose * expected.norm() + 1e-6 * loose, name
    first = next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    assert first.num_batches_tracked == 1
    torch.testing.assert_close(first.running_mean, 0.1 * mean.float(), rtol=1e-3 * loose, atol=1e-5 * loose)


def test_distribution_alignment():
    """Two steps, as in section 3.1 of Berthelot et al. 2020 with a moving average: p * shares / q, made to sum to 1."""
    shares = torch.tensor([0.2, 0.3, 0.5])
    network, loss = network_with_opinions(), new_loss(threshold=0.5, decay=0.6, shares=shares)
    means = np.full(CLASSES, 1 / CLASSES)
    for step, rows in enumerate(torch.arange(16).split(8)):
        probabilities = naive_probabilities(network, rows)
        means = 0.6 * means + 0.4 * probabilities.mean(axis=0)
        aligned = probabilities * shares.numpy() / means
        aligned /= aligned.sum(axis=1, keepdims=True)
        assert (aligned.argmax(axis=1) != probabilities.argmax(axis=1)).any(), "it changes a label"
        total, counted, expected = naive_gradients(deepcopy(network), aligned, [0.5] * CLASSES, 2.0, rows)
        network.zero_grad()
        shown = gradient_of(loss, network, rows, step, 1)
        assert_same_gradients(network, expected)
        assert (shown["unlabeled_loss"].item(), shown["accepted"].item()) == pytest.approx((total, counted), rel=1e-5)


def test_parts_of_a_batch_move_the_averages_as_the_whole_does():
    averages = []
    for parts in (1, 4):
        loss = new_loss(adaptive=True, decay=0.9)
        gradient_of(loss, network_with_opinions(), ROWS, 0, parts)
        averages.append(loss.state_dict())
    for name, value in averages[0].items():
        torch.testing.assert_close(averages[1][name], value, rtol=2e-2, atol=2e-3)


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
        shown = gradient_of(loss, network, rows, step, 1)
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
    counted = gradient_of(loss, network, ROWS, 0, 1)["accepted"].item()
    assert counted == pytest.approx(np.mean((labels != frequent) | (confidence > 0.998)))
    assert 0 < counted < 1


def test_state():
    network = network_with_opinions()
    first, second = new_loss(adaptive=True), new_loss(adaptive=True)
    gradient_of(first, network, ROWS, 0, 1)
    second.load_state_dict(first.state_dict())
    shown = [gradient_of(loss, network, ROWS, 0, 1)["threshold"] for loss in (first, second)]
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
        "unlabeled_pool": "unlabeled",
        "labelled_in_pool": "false",
        "unlabeled_weight": 1.5,
        "threshold": 0.3,
        "adaptive_threshold": "false",
        "distribution_alignment": "false",
        "prediction_decay": 0.999,
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


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({}, ["unlabeled"]),
        ({"unlabeled_pool": "hidden"}, ["hidden"]),
        ({"unlabeled_pool": "both"}, ["unlabeled", "hidden"]),
        ({"unlabeled_pool": "both", "labelled_in_pool": "true"}, ["unlabeled", "hidden", "train"]),
        ({"unlabeled_pool": "hidden", "labelled_in_pool": "true"}, ["hidden", "train"]),
    ],
)
def test_pool(changes, parts, tmp_path, monkeypatch):
    """Hidden are the labelled images that the fold neither trains nor validates on."""
    images = write_striped_dataset(tmp_path, size=8, fold_validation=12)[0]
    pools = []
    monkeypatch.setattr(train_fixmatch, "train_run", lambda *given: pools.append(given[4][0]))
    train_fixmatch.main(arguments(images, tmp_path, run="fold1", **changes))
    labelled = np.concatenate([read_images(images, split) for split in ("train", "validation")])
    train, validation = run_rows(images, "fold1")
    assert len(validation) == 12
    hidden = [row for row in range(64) if row not in {*train, *validation}]
    assert len(hidden) == 32
    known = {"unlabeled": read_images(images, "unlabeled"), "hidden": labelled[hidden], "train": labelled[train]}
    assert np.array_equal(pools[0], np.concatenate([known[part] for part in parts]))


def test_no_images_are_left_for_the_pool(images, tmp_path):
    with pytest.raises(UserError, match=r"^--unlabeled-pool hidden: the run seed0 has no such images; choose another"):
        train_fixmatch.main(arguments(images, tmp_path, unlabeled_pool="hidden"))


def test_warm_start(images, tmp_path):
    """With a learning rate of nothing the network is that of the base, and its average too."""
    train_supervised.main(
        command_line(**network_options(images, tmp_path / "base") | {"network": "digits", "cutout": 0, "color": 0})
    )
    base = tmp_path / "base/model.h5"
    train_fixmatch.main(
        arguments(
            images, tmp_path, base_model=base, learning_rate=1e-30, weight_decay=0, ema_decay=0.5, network="resnet"
        )
    )
    first, second = (read_model(path).network for path in (base, tmp_path / "model.h5"))
    assert second.shape == first.shape
    for (name, value), other in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(value, other), name


def test_base_of_other_images(images, tmp_path):
    with pytest.raises(UserError, match=r"model.h5 is a network for 4 classes and images of 3 x 8 x 8, not for this"):
        train_supervised.main(command_line(**network_options(images, tmp_path) | {"network": "digits", "cutout": 0}))
        other = write_striped_dataset(tmp_path, size=12)[0]
        train_fixmatch.main(arguments(other, tmp_path / "other", base_model=tmp_path / "model.h5"))


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
