import math
import os
import signal
import sys
from collections import OrderedDict
from contextlib import contextmanager
from copy import deepcopy
from itertools import chain, pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from fixtures_training import (
    RECIPE,
    assert_close_weights,
    assert_same_weights,
    copied_weights,
    exemplar_network,
    two_classes,
    untimed,
)
from semisup import labelled_loss, network, training
from semisup.checkpoint_files import epochs_so_far
from semisup.checkpoints import load_checkpoint, locked_checkpoint
from semisup.cli import UserError
from semisup.fixmatch import FixMatchLoss
from semisup.labelled_loss import Examples, LabelledLoss, accuracy_on
from semisup.network import Network, Shape, network_scores, new_network, set_normalization
from semisup.pseudo_label_loss import PseudoLabelLoss, Ramp
from semisup.scaling import to_pixels
from semisup.training import EpochRow, add_gradients, chosen_epoch, history_table, train_network

TRAIN, VALIDATION = two_classes(32), two_classes(24, seed=1)  # 4 steps an epoch
SEED = 5
SMALL_RESNET = Shape("resnet", 3, 16, 2, 0.0)
CPU = torch.device("cpu")
NEVER = 1e9  # seconds


def tiny_network(seed=0, dropout=0.3):
    """Return a network of a few hundred weights that has all that a checkpoint must hold: also buffers and dropout."""
    torch.manual_seed(seed)
    layers = OrderedDict(
        conv=nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.MaxPool2d(2), nn.ReLU())
    )
    head = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(96, 2))
    return Network(Shape("tiny", 3, 8, 2, dropout), layers, head)


def same(images):
    return images


def noisy(images):
    """Draw from torch's generator, as augmentation does."""
    return images + 0.1 * torch.randn_like(images)


def train(
    folder,
    network,
    recipe=RECIPE,
    augment=noisy,
    seconds=NEVER,
    train=TRAIN,
    validation=VALIDATION,
    unlabeled=None,
    run="a test",
    **of_images,
):
    with locked_checkpoint(folder, {"run": run}, seconds) as checkpoint:
        losses = [LabelledLoss(train, augment, recipe, **of_images), *([unlabeled] if unlabeled else [])]
        return train_network(network, losses, accuracy_on(validation, recipe.precision), recipe, SEED, checkpoint)


def saved_state(folder):
    with locked_checkpoint(folder, {"run": "a test"}, NEVER) as checkpoint:
        return load_checkpoint(checkpoint)


def at_step(step, action):
    """Return an augmentation that is `noisy` but for the batch of step `step`, from 1, to which it applies `action`."""
    steps = 0

    def augment(images):
        nonlocal steps
        steps += 1
        return action(noisy(images)) if steps == step else noisy(images)

    return augment


def terminate(images):
    os.kill(os.getpid(), signal.SIGTERM)
    return images


def crash(images):
    raise ZeroDivisionError("a crash")


# What is learned


def test_training_learns(tmp_path):
    network = exemplar_network(dropout=0.5)
    set_normalization(network, TRAIN.images.numpy())
    history = train(tmp_path, network, RECIPE._replace(epochs=6, learning_rate=0.01))
    losses = [row.train_loss for row in history]
    assert losses[-1] < losses[0] / 2
    assert [row.epoch for row in history] == [1, 2, 3, 4, 5, 6]
    assert history[-1].train_accuracy > 0.9
    assert history[-1].validation_accuracy == 1
    assert all(row.seconds > 0 and row.images_per_second > 0 and row.peak_memory_gib > 0 for row in history)


def test_same_seed_same_weights(tmp_path):
    first, same_seed, other = tiny_network(), tiny_network(), tiny_network(1)
    histories = [train(tmp_path / str(n), network) for n, network in enumerate((first, same_seed, other))]
    assert_same_weights(first.state_dict(), same_seed.state_dict())
    assert untimed(histories[0]) == untimed(histories[1]) != untimed(histories[2])


@pytest.mark.parametrize(
    ("name", "size", "optimizer"),
    [
        ("resnet", 8, "sgd"),
        ("vgg", 48, "sgd"),
        ("digits", 8, "sgd"),
        ("exemplar_small", 8, "sgd"),
        ("exemplar_large", 8, "adamw"),
    ],
)
def test_a_step_changes_every_weight(name, size, optimizer, tmp_path):
    network = new_network(Shape(name, 3, size, 2, 0.5, field=8), 0)
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    recipe = RECIPE._replace(epochs=1, batch_size=4, schedule="cosine", optimizer=optimizer, weight_decay=0.0)
    train(tmp_path, network, recipe, train=two_classes(4, size), validation=two_classes(2, size))
    for name, value in network.named_parameters():
        assert not torch.equal(value, before[name]), name


def naive_loss(scores, labels, smoothing):
    """Return the mean cross-entropy against 1 - smoothing for the label plus smoothing spread over all classes."""
    logarithms = scores - scores.exp().sum(dim=1, keepdim=True).log()
    targets = torch.full_like(scores, smoothing / scores.shape[1])
    targets[torch.arange(len(labels)), labels] += 1 - smoothing
    return -(targets * logarithms).sum(dim=1).mean()


@pytest.mark.parametrize("bias_rate", [1.0, 8.0])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_steps_are_those_of_the_formulas(optimizer, bias_rate, tmp_path):
    """Three epochs of one step, whose learning rate follows half a cosine; that of biases is a multiple of it."""
    network = exemplar_network()
    naive = deepcopy(network)
    recipe = RECIPE._replace(
        batch_size=32,
        schedule="cosine",
        optimizer=optimizer,
        learning_rate=0.01,
        bias_rate=bias_rate,
        weight_decay=0.1,
        label_smoothing=0.2,
    )
    history = train(tmp_path, network, recipe, same)

    memory = {name: (torch.zeros_like(value), torch.zeros_like(value)) for name, value in naive.named_parameters()}
    for step in range(3):
        rate_of_weights = 0.01 * (1 + math.cos(math.pi * step / 3)) / 2
        order = np.random.default_rng([SEED, step]).permutation(32)
        naive.zero_grad()
        loss = naive_loss(naive(to_pixels(TRAIN.images[order])), TRAIN.labels[order], 0.2)
        loss.backward()
        assert history[step].train_loss == pytest.approx(loss.item(), rel=1e-4)
        with torch.no_grad():
            for name, value in naive.named_parameters():
                decay, factor = (0.1, 1.0) if name.endswith("weight") else (0.0, bias_rate)
                rate = factor * rate_of_weights
                first, second = memory[name]
                if optimizer == "sgd":
                    gradient = value.grad + decay * value
                    first.mul_(0.9).add_(gradient)
                    value -= rate * (gradient + 0.9 * first)
                else:
                    value -= rate * decay * value
                    first.mul_(0.9).add_(0.1 * value.grad)
                    second.mul_(0.999).add_(0.001 * value.grad**2)
                    mean, square = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
                    value -= rate * mean / (square.sqrt() + 1e-8)
    if optimizer == "sgd":
        assert_close_weights(network.state_dict(), naive.state_dict(), rtol=1e-4, atol=1e-6)
    else:  # Where a gradient is nothing but rounding, its sign is too.
        for name, value in naive.state_dict().items():
            assert ((network.state_dict()[name] - value).abs() < 1e-5).float().mean() > 0.999, name


def test_gradient_of_parts_is_that_of_the_whole():
    gradients = []
    for parts in (1, 4, 5, 32):
        network = exemplar_network()
        loss = LabelledLoss(TRAIN, same, RECIPE)
        shown = add_gradients(network, [loss], [torch.arange(32)], 0, "float32", parts)
        gradients.append({name: value.grad.clone() for name, value in network.named_parameters()} | shown)
    assert all(value.abs().max() > 1e-4 for value in gradients[0].values())
    for other in gradients[1:]:
        assert_close_weights(other, gradients[0], rtol=1e-4, atol=1e-7)


def test_history_tells_the_means_over_the_epoch(tmp_path):
    """With steps too small to change anything, they are those of the first network."""
    network = exemplar_network()
    scores = torch.from_numpy(network_scores(network, TRAIN.images, "float32", False, CPU))
    (row,) = train(tmp_path, network, RECIPE._replace(epochs=1, learning_rate=1e-30, weight_decay=0.0), same)
    expected = nn.functional.cross_entropy(scores, TRAIN.labels, label_smoothing=0.05)
    assert row.train_loss == pytest.approx(expected.item(), rel=1e-5)
    assert row.train_accuracy == (scores.argmax(dim=1) == TRAIN.labels).float().mean()


def test_epochs_see_each_image_once_in_another_order(tmp_path):
    """But for the incomplete batch, which is left out."""
    images = torch.arange(20, dtype=torch.uint8).view(20, 1, 1, 1).repeat(1, 3, 8, 8)
    seen = []

    def watch(batch):
        seen.append((batch[:, 0, 0, 0] * 255).round().int().tolist())
        return batch

    train(tmp_path, tiny_network(), augment=watch, train=Examples(images, torch.arange(20) % 2))
    assert [len(batch) for batch in seen] == [8] * 6
    epochs = [first + second for first, second in zip(seen[::2], seen[1::2], strict=True)]
    assert all(len(set(epoch)) == 16 for epoch in epochs)
    assert all(first != second for first, second in pairwise(epochs))


def test_every_step_draws_other_random_numbers(tmp_path):
    drawn = []

    def watch(images):
        drawn.append(torch.rand(1).item())
        return images

    train(tmp_path / "first", tiny_network(), augment=watch)
    train(tmp_path / "second", tiny_network(), augment=watch)
    assert drawn[:12] == drawn[12:]
    assert len(set(drawn[:12])) == 12


def test_more_images_in_a_batch_than_there_are(tmp_path):
    with pytest.raises(UserError, match="batch_size 33 is above the 32 training images: lower it"):
        train(tmp_path, tiny_network(), RECIPE._replace(batch_size=33))


def numbered(count):
    """Return black images that bear their number, and an augmentation that writes down which it is given."""
    images = torch.arange(count, dtype=torch.uint8).view(count, 1, 1, 1).repeat(1, 3, 8, 8)
    seen = []

    def watch(batch):
        seen.append((batch[:, 0, 0, 0] * 255).round().int().tolist())
        return batch

    return images, seen, watch


@pytest.mark.parametrize("steps", [1, 5, 7])
def test_steps_per_epoch(steps, tmp_path):
    """Twenty images go round and round, in batches of eight; each pass is in another order."""
    images, seen, watch = numbered(20)
    recipe = RECIPE._replace(steps_per_epoch=steps, epochs=2)
    history = train(tmp_path, tiny_network(), recipe, watch, train=Examples(images, torch.arange(20) % 2))
    assert [row.images for row in history] == [8 * steps] * 2
    assert [len(batch) for batch in seen] == [8] * (2 * steps)
    orders = [list(chain(*seen[:steps])), list(chain(*seen[steps:]))]
    assert orders[0] != orders[1]
    for order in orders:
        passes = [order[start : start + 20] for start in range(0, len(order), 20)]
        assert all(len(set(part)) == len(part) for part in passes), "no image twice before all were seen"
        assert len(passes) < 3 or passes[0] != passes[1]


def test_history_counts_the_labelled_images(tmp_path):
    """Those that were trained on: an incomplete batch is left out."""
    history = train(tmp_path, tiny_network(), RECIPE._replace(batch_size=10))
    assert [row.images for row in history] == [30, 30, 30]


def test_examples_that_share_images(tmp_path):
    """Rows of a larger array of images train as the images themselves do."""
    order = np.random.default_rng(0).permutation(56)
    pool = torch.cat([TRAIN.images, VALIDATION.images])[order]
    places = torch.from_numpy(np.argsort(order))
    alone, shared = tiny_network(), tiny_network()
    expected = train(tmp_path / "alone", alone)
    history = train(
        tmp_path / "shared",
        shared,
        train=Examples(pool, TRAIN.labels, places[:32]),
        validation=Examples(pool, VALIDATION.labels, places[32:]),
    )
    assert_same_weights(shared.state_dict(), alone.state_dict())
    assert untimed(history) == untimed(expected)


# Schedules


def learning_rates(folder, recipe, count):
    """Return the learning rate of each of so many steps; each is an epoch."""
    rates = []

    def note(optimizer, *_):
        (rate,) = {group["lr"] for group in optimizer.param_groups}
        assert {group["momentum"] for group in optimizer.param_groups} == {0.9}
        rates.append(rate)

    handle = register_optimizer_step_pre_hook(note)
    try:
        history = train(folder, tiny_network(), recipe._replace(epochs=count, batch_size=32))
    finally:
        handle.remove()
    assert [row.learning_rate for row in history] == rates
    return rates


def half_cosine(first, last, steps):
    return [last + (first - last) * (1 + math.cos(math.pi * step / steps)) / 2 for step in range(steps + 1)]


def test_one_cycle(tmp_path):
    rates = learning_rates(tmp_path, RECIPE._replace(learning_rate=0.5), 20)
    assert rates == pytest.approx(half_cosine(0.02, 0.5, 3)[:-1] + half_cosine(0.5, 0.02 / 1e4, 16))


def test_cosine(tmp_path):
    rates = learning_rates(tmp_path, RECIPE._replace(learning_rate=0.5, schedule="cosine"), 20)
    assert rates == pytest.approx(half_cosine(0.5, 0.0, 20)[:-1])


def test_step(tmp_path):
    rates = learning_rates(tmp_path, RECIPE._replace(learning_rate=0.5, schedule="step"), 20)
    assert rates == pytest.approx([0.5] * 12 + [0.05] * 4 + [0.005] * 4)


def test_exponential(tmp_path):
    """The learning rate is the same within an epoch, here of four steps, and 0.998 times that in the next."""
    rates = []
    recipe = RECIPE._replace(learning_rate=0.5, schedule="exponential")
    handle = register_optimizer_step_pre_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    try:
        history = train(tmp_path, tiny_network(), recipe)
    finally:
        handle.remove()
    assert rates == pytest.approx([0.5] * 4 + [0.5 * 0.998] * 4 + [0.5 * 0.998**2] * 4, rel=1e-12)
    assert [row.learning_rate for row in history] == rates[3::4]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "step", "exponential"])
def test_learning_rate_of_biases(schedule, optimizer, tmp_path):
    """At each of twelve steps it is 64 times that of the weights, which is what it is without the option."""
    runs, network = {}, tiny_network()
    names = {id(value): name for name, value in network.named_parameters()}
    for bias_rate in (1.0, 64.0):
        steps = []

        def note(optimizer, *_, steps=steps):
            groups = optimizer.param_groups
            steps.append({names.get(id(value)): group["lr"] for group in groups for value in group["params"]})

        recipe = RECIPE._replace(
            schedule=schedule, optimizer=optimizer, learning_rate=1e-4, bias_rate=bias_rate, ema_decay=0.5
        )
        handle = register_optimizer_step_pre_hook(note)
        try:
            history = train(tmp_path / str(bias_rate), network, recipe)
        finally:
            handle.remove()
        runs[bias_rate] = steps
        assert [row.learning_rate for row in history] == [rates["layers.conv.0.weight"] for rates in steps[3::4]]
    assert len(runs[64.0]) == 12
    for plain, faster in zip(runs[1.0], runs[64.0], strict=True):
        assert len(set(plain.values())) == 1
        for name, rate in faster.items():
            assert rate == pytest.approx(plain[name] * (64 if name.endswith("bias") else 1), rel=1e-9), name


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "step", "exponential"])
@pytest.mark.parametrize("count", range(1, 7))
def test_few_steps(schedule, count, tmp_path):
    rates = learning_rates(tmp_path, RECIPE._replace(schedule=schedule), count)
    assert len(rates) == count
    assert all(0 < rate <= RECIPE.learning_rate for rate in rates)


# Going on


def stopped_and_resumed(folder, recipe, stop, how=terminate, **options):
    """Train, stop at a step, and go on with a network of other weights; return it and its history."""
    error, seconds = (SystemExit, NEVER) if how is terminate else (ZeroDivisionError, 0)
    with pytest.raises(error):
        train(folder, tiny_network(), recipe, at_step(stop, how), seconds, **options)
    network = tiny_network(seed=99)
    return network, train(folder, network, recipe, **options)


@pytest.mark.parametrize("ema_decay", [0.0, 0.7])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "step", "exponential"])
def test_stopped_training_goes_on_as_if_it_had_not_been(schedule, optimizer, ema_decay, tmp_path, caplog):
    caplog.set_level("INFO")
    recipe = RECIPE._replace(schedule=schedule, optimizer=optimizer, ema_decay=ema_decay)
    whole = tiny_network()
    expected = train(tmp_path / "whole", whole, recipe)
    assert "resumed" not in caplog.text
    network, history = stopped_and_resumed(tmp_path / "stopped", recipe, 6)
    assert "stopped by signal 15; the same command goes on from here" in caplog.text
    assert "resumed after 1 epochs and 2 steps" in caplog.text
    assert_same_weights(network.state_dict(), whole.state_dict())
    assert untimed(history) == untimed(expected)


@pytest.mark.parametrize("how", [terminate, crash])
@pytest.mark.parametrize("stop", [2, 4, 5, 8, 11, 12])
def test_training_goes_on_from_any_step(stop, how, tmp_path):
    """Also after a death that gave no warning, from the checkpoint of the step before; 4, 8 and 12 end an epoch."""
    recipe = RECIPE._replace(ema_decay=0.7, patience=2)
    whole = tiny_network()
    expected = train(tmp_path / "whole", whole, recipe)
    network, history = stopped_and_resumed(tmp_path / "stopped", recipe, stop, how)
    assert_same_weights(network.state_dict(), whole.state_dict())
    assert untimed(history) == untimed(expected)


@pytest.mark.parametrize(("schedule", "stop"), [("one_cycle", 2), ("one_cycle", 4), ("one_cycle", 14), ("step", 11)])
def test_training_with_all_that_shortens_it_goes_on(schedule, stop, tmp_path):
    """Faster biases, images of growing sides and alternate flips, none of which a checkpoint knows more of."""
    recipe = RECIPE._replace(epochs=5, bias_rate=16.0, schedule=schedule, learning_rate=0.01)
    options = {"train": two_classes(32, 16), "validation": two_classes(24, 16, seed=1)}
    options |= {"progressive_resizing": 0.5, "flip_seed": SEED}
    whole, network = new_network(SMALL_RESNET, 0), new_network(SMALL_RESNET, 9)
    expected = train(tmp_path / "whole", whole, recipe, **options)
    with pytest.raises(SystemExit):
        train(tmp_path / "stopped", new_network(SMALL_RESNET, 0), recipe, at_step(stop, terminate), **options)
    history = train(tmp_path / "stopped", network, recipe, **options)
    assert_same_weights(network.state_dict(), whole.state_dict())
    assert untimed(history) == untimed(expected)


def test_training_stopped_at_every_step(tmp_path):
    whole, network = tiny_network(), tiny_network()
    expected = train(tmp_path / "whole", whole)
    for _ in range(12):
        with pytest.raises(SystemExit) as caught:
            train(tmp_path / "stopped", network, augment=at_step(1, terminate))
        assert caught.value.code == 128 + signal.SIGTERM
    assert untimed(train(tmp_path / "stopped", network, augment=crash)) == untimed(expected)
    assert_same_weights(network.state_dict(), whole.state_dict())


def test_stop_leaves_the_signals_as_they_were(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(SystemExit):
        train(tmp_path, tiny_network(), augment=at_step(1, terminate))
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("patience", [0, 1])
def test_finished_training_is_not_repeated(patience, tmp_path):
    recipe = RECIPE._replace(patience=patience)
    whole, network = tiny_network(), tiny_network(seed=99)
    expected = train(tmp_path, whole, recipe)
    assert train(tmp_path, network, recipe, crash) == expected
    assert_same_weights(network.state_dict(), whole.state_dict())


def test_checkpoints_are_written_as_often_as_asked(tmp_path, monkeypatch):
    states = []
    monkeypatch.setattr(training, "save_checkpoint", lambda _, state: states.append("finished" in state))
    train(tmp_path, tiny_network(), seconds=NEVER)
    assert states == [True]
    states.clear()
    train(tmp_path, tiny_network(), seconds=0)
    assert states == [False] * 12 + [True]


# A loss on unlabeled images

UNLABELED = two_classes(20, seed=2).images


class Recorder:
    """A loss on unlabeled images that changes nothing, writes down its calls and shows what it is told to."""

    batch_option = "unlabeled_batch_size"
    in_parts = True
    of = "unlabeled images"

    def __init__(self, batch_size=6, shown=()):
        self.count = len(UNLABELED)
        self.batch_size = batch_size
        self.shown = iter(shown)
        self.epochs = []
        self.calls = []

    def begin_epoch(self, network, epoch):
        self.epochs.append(epoch)

    def images(self, rows, epoch):
        self.calls.append((epoch, rows.tolist()))
        return to_pixels(UNLABELED[:0]).unsqueeze(1)

    def value(self, scores, rows, epoch):
        return scores.sum(), {name: torch.tensor(value) for name, value in next(self.shown, {}).items()}

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def pseudo_label_loss(augment=noisy, each_step=True):
    return PseudoLabelLoss(UNLABELED, 6, Ramp(2.0, 0, 2), each_step, augment, "float32")


def pseudo_label_loss_of_epochs(augment=noisy):
    return pseudo_label_loss(augment, each_step=False)


def fixmatch_loss(augment=noisy):
    return FixMatchLoss(UNLABELED, 6, 2, 0.5, True, 0.9, torch.tensor([0.3, 0.7]), 1.5, noisy, augment)


LOSSES = [pseudo_label_loss, pseudo_label_loss_of_epochs, fixmatch_loss]


def test_unlabeled_images_come_in_random_order_again_and_again(tmp_path):
    """Four steps of six are more than the twenty there are."""
    unlabeled = Recorder()
    train(tmp_path, tiny_network(), unlabeled=unlabeled)
    assert unlabeled.epochs == [0, 1, 2]
    assert [epoch for epoch, _ in unlabeled.calls] == [0] * 4 + [1] * 4 + [2] * 4
    orders = [list(chain(*(rows for epoch, rows in unlabeled.calls if epoch == number))) for number in range(3)]
    for order in orders:
        assert sorted(order[:20]) == list(range(20))
        assert len(set(order[20:])) == 4
    assert orders[0] != orders[1] != orders[2]


def test_loss_that_adds_nothing_leaves_the_training_as_it_is(tmp_path):
    plain, other = tiny_network(), tiny_network()
    expected = train(tmp_path / "plain", plain)
    history = train(tmp_path / "other", other, unlabeled=Recorder())
    assert_same_weights(plain.state_dict(), other.state_dict())
    assert untimed(history) == untimed(expected)


def test_gradients_of_both_losses_add_up(tmp_path):
    """One step of plain gradient descent on the labelled loss, plus alpha times that on pseudo-labels."""
    network = exemplar_network(seed=1)
    naive = deepcopy(network)
    recipe = RECIPE._replace(
        epochs=1, batch_size=32, momentum=0.0, weight_decay=0.0, schedule="cosine", learning_rate=0.1
    )
    loss = PseudoLabelLoss(UNLABELED, 20, Ramp(2.0, 0, 0), True, same, "float32")
    (row,) = train(tmp_path, network, recipe, same, unlabeled=loss)

    labelled = naive_loss(naive(to_pixels(TRAIN.images)), TRAIN.labels, 0.05)
    scores = naive(to_pixels(UNLABELED))
    added = naive_loss(scores, scores.argmax(dim=1), 0.0)
    (labelled + 2.0 * added).backward()
    with torch.no_grad():
        for value in naive.parameters():
            value -= 0.1 * value.grad
    assert_close_weights(network.state_dict(), naive.state_dict(), rtol=1e-4, atol=1e-6)
    assert (row.train_loss, row.unlabeled_loss) == pytest.approx((labelled.item(), added.item()), rel=1e-4)


def test_history_tells_the_means_of_what_the_loss_shows(tmp_path):
    shown = [{"unlabeled_loss": float(step), "accepted": step % 2, "threshold": 0.5} for step in range(12)]
    history = train(tmp_path, tiny_network(), unlabeled=Recorder(shown=shown))
    assert [row.unlabeled_loss for row in history] == [1.5, 5.5, 9.5]
    assert [row.accepted for row in history] == [0.5] * 3
    assert [row.threshold for row in history] == [0.5] * 3
    assert [row.unlabeled_weight for row in history] == [None] * 3
    left_out = ("unlabeled_weight", "further")
    assert list(history_table(history)[0]) == [name for name in EpochRow._fields if name not in left_out]


def test_history_takes_what_another_loss_shows(tmp_path):
    """One that knows no labels, and is the first."""

    class Contrast(Recorder):
        of = "images"

        def images(self, rows, epoch):
            return to_pixels(UNLABELED[rows]).unsqueeze(1)

        def value(self, scores, rows, epoch):
            loss = scores.square().mean()
            return loss, {"train_loss": loss.detach(), "similarity": torch.tensor(0.5)}

    with locked_checkpoint(tmp_path, {"run": "a test"}, NEVER) as checkpoint:
        history = train_network(tiny_network(), [Contrast()], lambda _: 0.25, RECIPE, SEED, checkpoint)
    table = history_table(history)
    assert [row["similarity"] for row in table] == [0.5] * 3
    assert [row["validation_accuracy"] for row in table] == [0.25] * 3
    assert "train_accuracy" not in table[0]
    assert history[-1].images == 18, "three batches of six from twenty images"


@pytest.mark.parametrize(
    ("new_loss", "columns"),
    [
        (None, ()),
        (pseudo_label_loss, ("unlabeled_loss", "unlabeled_weight", "accepted")),
        (fixmatch_loss, ("unlabeled_loss", "unlabeled_weight", "accepted", "threshold")),
    ],
)
def test_columns_of_the_history(new_loss, columns, tmp_path):
    """Those that say nothing in any epoch are left out; one that is empty in some epochs only is not."""
    history = train(tmp_path, tiny_network(), unlabeled=new_loss() if new_loss else None)
    table = history_table(history)
    assert [tuple(row) for row in table] == [(*EpochRow._fields[:9], *columns)] * 3
    partly = history_table([history[0], history[1]._replace(threshold=0.25)])
    assert [row["threshold"] for row in partly][1] == 0.25


@pytest.mark.parametrize("new_loss", LOSSES)
@pytest.mark.parametrize(("stop", "how"), [(2, terminate), (3, crash), (4, terminate), (6, crash), (8, terminate)])
def test_training_with_unlabeled_images_goes_on(new_loss, stop, how, tmp_path):
    """As if it had not been stopped: in the middle of an epoch, and at the end of one.

    Pseudo-labels have no weight in the first epoch, whose four steps ask for no unlabeled images.
    """
    whole, network = tiny_network(), tiny_network(seed=99)
    recipe = RECIPE._replace(ema_decay=0.7, schedule="exponential")
    expected = train(tmp_path / "whole", whole, recipe, unlabeled=new_loss())
    assert all(row.unlabeled_loss > 0 for row in expected[1:])
    error, seconds = (SystemExit, NEVER) if how is terminate else (ZeroDivisionError, 0)
    with pytest.raises(error):
        train(tmp_path / "stopped", tiny_network(), recipe, seconds=seconds, unlabeled=new_loss(at_step(stop, how)))
    history = train(tmp_path / "stopped", network, recipe, unlabeled=new_loss())
    assert_same_weights(network.state_dict(), whole.state_dict())
    assert untimed(history) == untimed(expected)


@pytest.mark.parametrize(("stop", "expected"), [(5, [2]), (7, [2]), (8, [2]), (9, [])])
def test_epoch_under_way_is_not_begun_again(stop, expected, tmp_path):
    """Pseudo-labels of an epoch hold until it ends, also if it is stopped and its weights have moved on."""
    with pytest.raises(SystemExit):
        train(tmp_path, tiny_network(), augment=at_step(stop, terminate), unlabeled=Recorder())
    unlabeled = Recorder()
    train(tmp_path, tiny_network(), unlabeled=unlabeled)
    assert unlabeled.epochs == expected


@pytest.mark.parametrize("new_loss", LOSSES)
def test_unlabeled_loss_that_is_no_number(new_loss, tmp_path):
    spoilt = at_step(4 + 3, lambda images: images * math.nan)
    if new_loss is not fixmatch_loss:
        spoilt = at_step(3, lambda images: images * math.nan)  # the first epoch has no weight, and takes no images
    with pytest.raises(UserError, match=r"the loss is nan in epoch 2, batch 3: lower learning_rate"):
        train(tmp_path, tiny_network(), seconds=0, unlabeled=new_loss(spoilt))
    progress = saved_state(tmp_path)["progress"]
    assert (progress["epoch"], progress["step"]) == (1, 2)


def test_more_unlabeled_images_in_a_batch_than_there_are(tmp_path):
    with pytest.raises(UserError, match=r"^unlabeled_batch_size 21 is above the 20 unlabeled images: lower it$"):
        train(tmp_path, tiny_network(), unlabeled=Recorder(batch_size=21))


@pytest.mark.parametrize("size", [2, 5, 20])
def test_parts_are_no_smaller_than_two(size, tmp_path):
    """Batch normalisation cannot be trained on fewer images, be they labelled or not."""
    network = exemplar_network()
    given = limited(network, 4, OUT_OF_MEMORY[0])
    train(tmp_path, network, unlabeled=PseudoLabelLoss(UNLABELED, size, Ramp(1.0, 0, 0), True, same, "float32"))
    assert set(given[-20:]) <= {2, 3, 4}


def test_too_little_memory_for_unlabeled_images(tmp_path, caplog):
    """Batches of four labelled images fit, those with six unlabeled ones do not: the step is taken again, in parts."""
    recipe = RECIPE._replace(batch_size=4, steps_per_epoch=4)
    whole, network = exemplar_network(), exemplar_network()
    expected = train(tmp_path / "whole", whole, recipe, unlabeled=pseudo_label_loss(same))
    given = limited(network, 5, OUT_OF_MEMORY[0])
    history = train(tmp_path / "parts", network, recipe, unlabeled=pseudo_label_loss(same))
    assert given[:9] == [4, 4, 4, 4, 10, 5, 5, 5, 5]
    assert given.count(10) == 1
    assert "out of memory: batches of 6 are computed in 2 parts from now on" in caplog.text
    assert_close_weights(network.state_dict(), whole.state_dict(), rtol=1e-3, atol=1e-5)
    assert [row.unlabeled_loss for row in history] == pytest.approx([row.unlabeled_loss for row in expected], rel=1e-4)


def test_step_taken_again_finds_what_it_found(tmp_path):
    """Where memory runs out in the second of two parts, the first one has moved what the loss holds."""

    class Counter(Recorder):
        values = 0

        def value(self, scores, rows, epoch):
            self.values += 1
            return super().value(scores, rows, epoch)

        def state_dict(self):
            return {"values": self.values}

        def load_state_dict(self, state):
            self.values = state["values"]

    network, unlabeled, passes = exemplar_network(), Counter(batch_size=8), []
    forward = network.forward

    def failing(pixels):
        if network.training:
            passes.append(len(pixels))
            if len(passes) in (1, 3):
                raise OUT_OF_MEMORY[0]
        return forward(pixels)

    network.forward = failing
    train(tmp_path, network, RECIPE._replace(epochs=1), train=two_classes(8), unlabeled=unlabeled)
    assert passes == [8, 4, 4, 2, 2, 2, 2]
    assert unlabeled.values == 4


# Averages and patience


def test_average_of_the_weights(tmp_path):
    plain, averaged, steps = tiny_network(), tiny_network(), []

    def watch(images):
        steps.append(copied_weights(plain))
        return noisy(images)

    train(tmp_path / "plain", plain, augment=watch)
    history = train(tmp_path / "averaged", averaged, RECIPE._replace(ema_decay=0.8))
    _, expected, *others = [*steps, copied_weights(plain)]
    for weights in others:
        for name, value in weights.items():
            if value.is_floating_point():
                expected[name] = 0.8 * expected[name] + 0.2 * value
    found = averaged.state_dict()
    floats = [name for name, value in found.items() if value.is_floating_point()]
    assert any("running_var" in name for name in floats)
    for name in floats:
        torch.testing.assert_close(found[name], expected[name])
    assert not torch.equal(found["head.2.weight"], plain.state_dict()["head.2.weight"])
    scores = network_scores(averaged, VALIDATION.images, "float32", False, CPU)
    assert history[-1].validation_accuracy == np.mean(scores.argmax(axis=1) == VALIDATION.labels.numpy())


@pytest.mark.parametrize("ema_decay", [0.0, 0.8])
def test_patience_keeps_the_best_epoch(ema_decay, tmp_path, monkeypatch):
    accuracies, weights = iter([0.5, 0.75, 0.75, 0.25, 1.0]), []

    def scores(network, images, *_):
        weights.append(copied_weights(network))
        right = np.arange(len(images)) < len(images) * next(accuracies)
        return np.eye(2)[np.where(right, VALIDATION.labels, 1 - VALIDATION.labels)]

    monkeypatch.setattr(labelled_loss, "network_scores", scores)
    network = tiny_network()
    history = train(tmp_path, network, RECIPE._replace(epochs=5, patience=2, ema_decay=ema_decay))
    assert [row.validation_accuracy for row in history] == [0.5, 0.75, 0.75, 0.25]
    assert chosen_epoch(history, 2) == 2
    assert chosen_epoch(history, 0) == 4
    assert_same_weights(network.state_dict(), weights[1])
    assert not torch.equal(weights[1]["head.2.weight"], weights[3]["head.2.weight"])


def test_patience_outlives_a_stop(tmp_path):
    """Validation labels without sense make accuracies that go up and down."""
    labels = torch.from_numpy(np.random.default_rng(0).integers(0, 2, 24))
    validation = VALIDATION._replace(labels=labels)
    recipe = RECIPE._replace(epochs=12, patience=2, learning_rate=0.2)
    whole = tiny_network()
    expected = train(tmp_path / "whole", whole, recipe, validation=validation)
    best = chosen_epoch(expected, recipe.patience)
    assert len(expected) == best + 2 < 12
    network, history = stopped_and_resumed(tmp_path / "stopped", recipe, 4 * best + 3, validation=validation)
    assert_same_weights(network.state_dict(), whole.state_dict())
    assert untimed(history) == untimed(expected)


# What goes wrong


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_loss_that_is_no_number(value, tmp_path):
    with pytest.raises(
        UserError, match=r"the loss is nan in epoch 2, batch 3: lower learning_rate.*checkpoint .*stays"
    ):
        train(tmp_path, tiny_network(), augment=at_step(7, lambda images: images * value), seconds=0)
    progress = saved_state(tmp_path)["progress"]
    assert (progress["epoch"], progress["step"]) == (1, 2)


@pytest.mark.parametrize(("check_steps", "steps"), [(50, 4), (3, 3)])
def test_losses_are_looked_at_now_and_then(check_steps, steps, tmp_path, monkeypatch):
    """At the latest when the epoch ends, and never after a later checkpoint was written."""
    monkeypatch.setattr(training, "CHECK_STEPS", check_steps)
    taken = 0

    def augment(images):
        nonlocal taken
        taken += 1
        return images * math.nan if taken == 2 else images

    with pytest.raises(UserError, match="the loss is nan in epoch 1, batch 2"):
        train(tmp_path, tiny_network(), augment=augment)
    assert taken == steps
    assert saved_state(tmp_path) is None


def test_learning_rate_that_is_far_too_large(tmp_path):
    with pytest.raises(UserError, match=r"the loss is (nan|inf) in epoch \d, batch \d: lower learning_rate"):
        train(tmp_path, exemplar_network(), RECIPE._replace(learning_rate=1e12))


@contextmanager
def hooked(function):
    """Call `function` with the optimiser after each of its steps."""
    handle = register_optimizer_step_post_hook(function)
    try:
        yield
    finally:
        handle.remove()


def limited(network, images, error):
    """Let the network fail while it is trained with more than so many images; return how many it was given."""
    forward, given = network.forward, []

    def checked(pixels):
        if network.training:
            given.append(len(pixels))
            if len(pixels) > images:
                raise error
        return forward(pixels)

    network.forward = checked
    return given


OUT_OF_MEMORY = (
    torch.OutOfMemoryError("made up"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("could not create a primitive"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
)


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_too_little_memory_for_a_batch(error, tmp_path, caplog):
    whole, network = exemplar_network(), exemplar_network()
    expected = train(tmp_path / "whole", whole)
    given = limited(network, 2, error)
    history = train(tmp_path / "parts", network)
    assert given[:6] == [8, 4, 2, 2, 2, 2]
    assert set(given[6:]) == {2}
    messages = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert messages == [f"out of memory: batches of 8 are computed in {n} parts from now on" for n in (2, 4)]
    assert_close_weights(network.state_dict(), whole.state_dict(), rtol=1e-3, atol=1e-5)
    assert [row.train_loss for row in history] == pytest.approx([row.train_loss for row in expected], rel=1e-4)
    assert [row.train_accuracy for row in history] == [row.train_accuracy for row in expected]


def test_parts_are_kept_after_a_stop(tmp_path):
    first, second = exemplar_network(), exemplar_network()
    limited(first, 2, OUT_OF_MEMORY[0])
    with pytest.raises(SystemExit):
        train(tmp_path, first, augment=at_step(3, terminate))
    given = limited(second, 2, OUT_OF_MEMORY[0])
    train(tmp_path, second)
    assert set(given) == {2}


@pytest.mark.parametrize(("batch", "parts"), [(8, [8, 4, 2]), (6, [6, 3, 2])])
def test_too_little_memory_for_two_images(batch, parts, tmp_path):
    """Batch normalisation cannot be trained on fewer."""
    network = exemplar_network()
    given = limited(network, 1, OUT_OF_MEMORY[0])
    with pytest.raises(UserError, match=rf"out of memory with batches of {batch} in {batch // 2} parts: choose a"):
        train(tmp_path, network, RECIPE._replace(batch_size=batch))
    assert given == parts


@pytest.mark.parametrize(
    ("step", "seconds", "place"), [(3, 0, "0 epochs and 3 batches"), (12, NEVER, "3 epochs and 0 batches")]
)
def test_weights_that_are_not_finite_are_not_saved(step, seconds, place, tmp_path):
    """A step whose loss was finite can leave them, the very last one too; no run could go on from such a checkpoint."""
    recipe, taken = RECIPE._replace(epochs=3, batch_size=8), []

    def spoil(optimizer, *_):
        taken.append(optimizer)
        if len(taken) == step:
            optimizer.param_groups[0]["params"][0].data.fill_(math.nan)

    with hooked(spoil), pytest.raises(UserError, match=f"the weights are not finite after {place}: lower learning"):
        train(tmp_path, tiny_network(), recipe, seconds=seconds)
    if seconds == 0:
        assert saved_state(tmp_path)["progress"]["step"] == step - 1
    else:
        assert saved_state(tmp_path) is None


def test_other_errors_are_not_taken_for_want_of_memory(tmp_path, caplog):
    network = exemplar_network()
    given = limited(network, 2, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        train(tmp_path, network)
    assert given == [8]
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


# What shows while it runs


def watched(folder):
    """Return an augmentation that notes at each step how many epochs the history beside the checkpoint has."""
    seen = []

    def augment(images):
        seen.append([int(row["epoch"]) for row in epochs_so_far(folder)])
        return noisy(images)

    return augment, seen


def in_words(table):
    """What a reader of a file sees of a table."""
    return [{name: str(value) for name, value in row.items()} for row in table]


def test_history_grows_by_a_row_an_epoch(tmp_path):
    augment, seen = watched(tmp_path)
    history = train(tmp_path, tiny_network(), augment=augment)
    assert seen == [[]] * 4 + [[1]] * 4 + [[1, 2]] * 4
    assert epochs_so_far(tmp_path) == in_words(history_table(history))


def test_history_goes_on_with_the_rows_of_the_checkpoint(tmp_path):
    """A killed training may have shown epochs behind its last checkpoint; they come again."""
    with pytest.raises(SystemExit):
        train(tmp_path, tiny_network(), augment=at_step(6, terminate))
    (row,) = epochs_so_far(tmp_path)
    with (tmp_path / "history.csv").open("a") as file:
        file.write(",".join(["2", *list(row.values())[1:]]) + "\n")
    assert [row["epoch"] for row in epochs_so_far(tmp_path)] == ["1", "2"]
    augment, seen = watched(tmp_path)
    history = train(tmp_path, tiny_network(), augment=augment)
    assert seen == [[1]] * 2 + [[1, 2]] * 4
    assert epochs_so_far(tmp_path) == in_words(history_table(history))
    assert epochs_so_far(tmp_path)[0] == row


def test_history_of_another_run_does_not_stay(tmp_path):
    train(tmp_path, tiny_network(), run="another")
    assert len(epochs_so_far(tmp_path)) == 3
    augment, seen = watched(tmp_path)
    train(tmp_path, tiny_network(), augment=augment)
    assert seen[:5] == [[]] * 4 + [[1]]


def epoch_lines(caplog):
    return [record.message for record in caplog.records if record.message.startswith("epoch ")]


def test_each_epoch_is_a_line_of_a_log(tmp_path, caplog, monkeypatch):
    caplog.set_level("INFO")
    monkeypatch.setattr(training, "EPOCH_LINE_SECONDS", 0.0)
    history = train(tmp_path, tiny_network())
    assert epoch_lines(caplog) == [
        f"epoch {row.epoch} of 3: loss {row.train_loss:.3f}, validation {row.validation_accuracy:.3f}, "
        f"{row.seconds:.1f} s"
        for row in history
    ]


@pytest.mark.parametrize("changes", [{}, {"patience": 2, "learning_rate": 1e-30}], ids=["epochs", "patience"])
def test_short_epochs_do_not_flood_a_log(changes, tmp_path, caplog):
    caplog.set_level("INFO")
    history = train(tmp_path, tiny_network(), RECIPE._replace(epochs=6, **changes))
    assert len(history) == (3 if changes else 6)
    assert [line.partition(":")[0] for line in epoch_lines(caplog)] == ["epoch 1 of 6", f"epoch {len(history)} of 6"]


def test_a_terminal_shows_the_bar_alone(tmp_path, caplog, monkeypatch):
    caplog.set_level("INFO")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    train(tmp_path, tiny_network())
    assert not epoch_lines(caplog)


# Scores


@pytest.mark.parametrize("average_flips", [False, True])
def test_scores(average_flips, monkeypatch):
    monkeypatch.setattr(network, "SCORING_BATCH", 7)
    made = tiny_network()
    scores = network_scores(made, TRAIN.images, "float32", average_flips, CPU)
    assert scores.dtype == np.float32
    made.eval()
    with torch.inference_mode():
        expected = made(TRAIN.images.float() / 255)
        mirrored = made(TRAIN.images.flip(3).float() / 255)
    expected = (expected + mirrored) / 2 if average_flips else expected
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
    assert (expected - mirrored).abs().max() > 0.01


@pytest.mark.parametrize(("count", "kept"), [(24, 24), (12, 12), (11, 8), (1, 1)])
def test_validation_is_thinned(count, kept, tmp_path, monkeypatch):
    looked_at = []

    def scores(network, images, *options):
        looked_at.append(images)
        return network_scores(network, images, *options)

    monkeypatch.setattr(labelled_loss, "VALIDATION_IMAGES", count)
    monkeypatch.setattr(labelled_loss, "network_scores", scores)
    train(tmp_path, tiny_network())
    assert len(looked_at) == 3
    every = -(-24 // count)
    assert all(torch.equal(images, VALIDATION.images[::every]) for images in looked_at)
    assert len(looked_at[0]) == kept


def test_chosen_epoch_is_the_first_of_the_best():
    accuracies = enumerate((3, 5, 5), start=1)
    history = [EpochRow(epoch, 0.1, 1.0, 0.5, accuracy, 1, 1.0, 1.0, 1.0) for epoch, accuracy in accuracies]
    assert (chosen_epoch(history, 4), chosen_epoch(history, 0)) == (2, 3)
