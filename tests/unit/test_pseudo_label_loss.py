from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import train_pseudo_label_loss
from fixtures_kmeans import command_line, write_striped_dataset
from fixtures_programs import assert_scores_are_the_models
from fixtures_training import RECIPE, exemplar_network, network_options, two_classes
from semisup.cli import UserError
from semisup.labelled_loss import LabelledLoss
from semisup.network import Shape, network_scores, new_network
from semisup.pseudo_label_loss import PseudoLabelLoss, Ramp, ramp_weight
from semisup.scaling import to_pixels
from semisup.training import add_gradients

IMAGES = two_classes(40, seed=2).images
ROWS = torch.tensor([3, 17, 4, 30, 11, 8])
AT_ONCE = Ramp(2.5, 0, 0)
CPU = torch.device("cpu")


def same(images):
    return images


def new_loss(ramp=AT_ONCE, each_step=True, augment=same):
    return PseudoLabelLoss(IMAGES, 6, ramp, each_step, augment, "float32")


def gradient_of(loss, network, rows, epoch, parts):
    """Add the gradient of this loss alone."""
    return add_gradients(network, [loss], [rows], epoch, "float32", parts)


def digits_network(dropout=0.0):
    """Return a network with batch normalisation whose scores tell the images apart."""
    network = new_network(Shape("digits", 3, 8, 2, dropout), 0)
    with torch.no_grad():
        network.head[-1].weight.mul_(20)
    return network


def gradients(network):
    return {name: value.grad.clone() for name, value in network.named_parameters()}


def written_out(network, labels=None, rows=ROWS):
    """Return -1/n sum log p(label), the labels being those of the largest p of the same pass if none are given."""
    probabilities = network(to_pixels(IMAGES[rows])).exp()
    probabilities = probabilities / probabilities.sum(dim=1, keepdim=True)
    if labels is None:
        labels = probabilities.argmax(dim=1)
    return -probabilities[torch.arange(len(rows)), labels].log().mean()


def assert_same_gradients(found, expected, factor=1.0):
    """Check that the gradients `found` are those expected, times a factor."""
    assert max(value.abs().max() for value in expected.values()) > 1e-2, "there is something to compare"
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], factor * value, rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )


# The weight


@pytest.mark.parametrize(
    ("ramp", "epoch", "expected"),
    [
        (Ramp(3.0, 100, 600), 0, 0.0),
        (Ramp(3.0, 100, 600), 99, 0.0),
        (Ramp(3.0, 100, 600), 100, 0.0),
        (Ramp(3.0, 100, 600), 101, 3 / 500),
        (Ramp(3.0, 100, 600), 350, 1.5),
        (Ramp(3.0, 100, 600), 599, 3 * 499 / 500),
        (Ramp(3.0, 100, 600), 600, 3.0),
        (Ramp(3.0, 100, 600), 9999, 3.0),
        (Ramp(0.5, 0, 2), 0, 0.0),
        (Ramp(0.5, 0, 2), 1, 0.25),
        (Ramp(0.5, 7, 7), 6, 0.0),
        (Ramp(0.5, 7, 7), 7, 0.5),
        (Ramp(0.5, 0, 0), 0, 0.5),
    ],
)
def test_weight(ramp, epoch, expected):
    assert ramp_weight(ramp, epoch) == pytest.approx(expected, rel=1e-12)


# The loss


def test_gradient_is_that_of_the_formula():
    """It is added to the gradient that is there, of the labelled images."""
    network = digits_network()
    naive = deepcopy(network)
    loss = written_out(naive)
    loss.backward()
    with torch.no_grad():
        for value in network.parameters():
            value.grad = torch.ones_like(value)
    shown = gradient_of(new_loss(Ramp(2.5, 0, 4)), network, ROWS, 1, 1)
    added = {name: value - 1 for name, value in gradients(network).items()}
    assert_same_gradients(added, gradients(naive), factor=2.5 / 4)
    assert {name: value.item() for name, value in shown.items()} == pytest.approx(
        {"unlabeled_loss": loss.item(), "unlabeled_weight": 2.5 / 4, "accepted": 1.0}, rel=1e-5
    )


def test_before_the_ramp_nothing_is_added():
    """The labelled images go through the network alone."""
    losses, networks = [LabelledLoss(two_classes(8), same, RECIPE)], [digits_network(), digits_network()]
    add_gradients(networks[0], losses, [torch.arange(8)], 3, "float32")
    losses.append(new_loss(Ramp(2.5, 3, 5)))
    shown = add_gradients(networks[1], losses, [torch.arange(8), ROWS], 3, "float32")
    assert {name: shown[name].item() for name in ("unlabeled_loss", "unlabeled_weight", "accepted")} == {
        "unlabeled_loss": 0.0,
        "unlabeled_weight": 0.0,
        "accepted": 0.0,
    }
    for name, value in gradients(networks[0]).items():
        assert torch.equal(gradients(networks[1])[name], value)
    for name, value in networks[0].state_dict().items():
        assert torch.equal(networks[1].state_dict()[name], value)


@pytest.mark.parametrize("each_step", [True, False])
def test_parts_add_up_to_the_whole(each_step):
    found = []
    for parts in (1, 2, 4):
        network = exemplar_network(seed=3)
        loss = new_loss(each_step=each_step)
        loss.begin_epoch(network, 0)
        shown = gradient_of(loss, network, ROWS, 0, parts)
        found.append(gradients(network) | {"loss": shown["unlabeled_loss"]})
    for other in found[1:]:
        for name, value in found[0].items():
            torch.testing.assert_close(other[name], value, rtol=1e-4, atol=1e-6)
    assert found[0]["head.4.weight"].abs().max() > 1e-3


def test_labels_of_a_step_are_those_of_its_own_pass():
    """Where dropout makes every pass another, no label has less than half of the probability."""
    network = digits_network(dropout=0.7)
    for seed in range(20):
        torch.manual_seed(seed)
        shown = gradient_of(new_loss(), network, ROWS[:1], 0, 1)
        assert shown["unlabeled_loss"] <= np.log(2) + 1e-6


def test_labels_of_an_epoch_are_predicted_at_its_beginning():
    """From the images as they are, without dropout; then the weights move on, and the labels stay."""
    network = digits_network(dropout=0.5)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.add_(0.3)  # so that training and evaluation differ
    expected = torch.from_numpy(network_scores(network, IMAGES, "float32", False, CPU).argmax(axis=1))
    assert 5 < expected.sum() < 35, "both classes"
    loss = new_loss(each_step=False, augment=lambda images: images.flip(3))
    network.train()
    loss.begin_epoch(network, 0)
    assert network.training
    assert torch.equal(loss.labels, expected)

    other = exemplar_network(seed=5)
    naive = deepcopy(other)
    probabilities = naive(to_pixels(IMAGES[ROWS]).flip(3)).log_softmax(dim=1)
    (-probabilities[torch.arange(6), expected[ROWS]].mean()).backward()
    gradient_of(loss, other, ROWS, 0, 1)
    assert_same_gradients(gradients(other), gradients(naive), factor=2.5)


def test_labels_are_predicted_only_for_epochs_that_use_them():
    network = digits_network()
    for loss, epoch in ((new_loss(each_step=True), 0), (new_loss(Ramp(1.0, 3, 9), each_step=False), 3)):
        loss.begin_epoch(network, epoch)
        assert len(loss.labels) == 0


def test_state():
    """Another process goes on with the labels of the epoch, whatever the weights have become."""
    first, second = new_loss(each_step=False), new_loss(each_step=False)
    first.begin_epoch(digits_network(), 0)
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.labels, first.labels)
    assert len(second.labels) == 40


def test_images_are_augmented():
    network, seen = exemplar_network(), []
    handle = network.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    gradient_of(new_loss(augment=lambda images: images * 0.5), network, ROWS, 0, 1)
    handle.remove()
    torch.testing.assert_close(seen[0], to_pixels(IMAGES[ROWS]) * 0.5)
    assert isinstance(network, nn.Module)


# The program


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A data set of 40 training and 60 unlabeled images of 8 pixels."""
    return write_striped_dataset(tmp_path_factory.mktemp("data"), size=8)[0]


def arguments(images, folder, /, **changes):
    options = {
        "network": "digits",
        "epochs": 4,
        "schedule": "exponential",
        "unlabeled_batch_size": 12,
        "alpha": 3,
        "alpha_start": 1,
        "alpha_end": 3,
        "relabel_each": "step",
    }
    return command_line(**network_options(images, folder) | options | changes)


@pytest.mark.parametrize("relabel", ["step", "epoch"])
def test_program(relabel, images, tmp_path):
    train_pseudo_label_loss.main(arguments(images, tmp_path, relabel_each=relabel))
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
    ]
    assert rows["unlabeled_weight"].tolist() == [0, 0, 1.5, 3]
    assert rows["accepted"].tolist() == [0, 0, 1, 1]
    assert rows["unlabeled_loss"].gt(0).tolist() == [False, False, True, True]
    np.testing.assert_allclose(rows["learning_rate"], 0.01 * 0.998 ** np.arange(4))
    selection = pd.read_csv(tmp_path / "selection.csv")
    assert list(selection) == ["epoch", "train_accuracy", "validation_accuracy", "chosen"]
    assert selection["chosen"].tolist() == [False, False, False, True]


def test_unlabeled_images_decide(images, tmp_path):
    """The same command on other unlabeled images gives another network, and does not take up the checkpoint."""
    other = write_striped_dataset(tmp_path, size=8, unlabeled=50)[0]
    found = []
    for data in (images, other):
        train_pseudo_label_loss.main(arguments(data, tmp_path / "run", alpha_start=0, alpha_end=0, epochs=1))
        with np.load(tmp_path / "run/scores.npz") as scores:
            found.append(scores["test"])
    assert not np.allclose(found[0], found[1])
    assert (tmp_path / "run/checkpoint/set-aside-1.pt").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha_start": 4}, "^alpha_end 3 is before alpha_start 4: exchange them, or raise it$"),
        ({"unlabeled_batch_size": 61}, "^unlabeled_batch_size 61 is above the 60 unlabeled images: lower it$"),
    ],
)
def test_faults(changes, message, images, tmp_path):
    with pytest.raises(UserError, match=message):
        train_pseudo_label_loss.main(arguments(images, tmp_path, **changes))
    assert not (tmp_path / "model.h5").exists()
