from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from fixtures_training import RECIPE, exemplar_network, two_classes
from semisup.labelled_loss import Examples, LabelledLoss
from semisup.resizing import image_side
from semisup.training import add_gradients

SEED = 3


class Watcher(nn.Module):
    """A network that writes down the images it is given, and scores all alike."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.seen = []

    def forward(self, images):
        self.seen.append(images.clone())
        return self.weight.expand(len(images), 2)


def seen_images(epoch, rows, examples, augment=lambda images: images, recipe=RECIPE, **options):
    """Return what a network is trained on, float (n, C, h, w)."""
    network = Watcher()
    loss = LabelledLoss(examples, augment, recipe, **options)
    add_gradients(network, [loss], [torch.tensor(rows)], epoch, "float32", parts=2)
    return torch.cat(network.seen)


def noise(count, size, seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (count, 3, size, size), dtype=np.uint8)
    return Examples(torch.from_numpy(images), torch.arange(count) % 2)


# Progressive resizing


@pytest.mark.parametrize(
    ("size", "part", "epochs", "sides"),
    [
        (96, 0.5, 10, [48, 48, 48, 48, 48, 48, 64, 80, 96, 96]),
        (32, 0.5, 10, [16, 16, 16, 16, 16, 16, 20, 28, 32, 32]),
        (32, 0.75, 10, [24, 24, 24, 24, 24, 24, 28, 28, 32, 32]),
        (28, 0.5, 5, [16, 16, 16, 20, 28]),
        (30, 0.5, 5, [16, 16, 16, 20, 30]),
        (96, 1.0, 4, [96, 96, 96, 96]),
        (96, 0.5, 2, [48, 96]),
        (96, 0.5, 1, [96]),
        (8, 0.01, 2, [4, 8]),
        (3, 0.5, 2, [3, 3]),
    ],
)
def test_sides(size, part, epochs, sides):
    assert [image_side(size, part, epoch, epochs) for epoch in range(epochs)] == sides


def test_sides_are_those_of_the_formula():
    """The part grows from half of the epochs to the whole at four fifths of them, in exact numbers."""
    for epochs in range(1, 201):
        sides = [image_side(96, 0.5, epoch, epochs) for epoch in range(epochs)]
        assert sides == sorted(sides)
        for epoch, side in enumerate(sides):
            grown = (Fraction(epoch, epochs) - Fraction(1, 2)) / Fraction(3, 10)
            part = Fraction(1, 2) + min(max(grown, Fraction(0)), Fraction(1)) / 2
            assert side % 4 == 0
            if epoch >= Fraction(4 * epochs, 5).__floor__():
                assert side == 96, (epoch, epochs)
            else:
                assert abs(side - 96 * part) <= 2 + 1e-9, (epoch, epochs)
        assert sides.count(96) >= epochs / 5


def test_images_have_the_side_of_the_epoch_after_augmentation():
    examples, recipe, given = noise(4, 32), RECIPE._replace(epochs=10), []

    def augment(images):
        given.append(images.shape)
        return images

    for epoch, side in ((0, 16), (6, 20), (7, 28), (9, 32)):
        images = seen_images(epoch, [0, 3, 1], examples, augment, recipe, progressive_resizing=0.5)
        assert images.shape == (3, 3, side, side)
    assert given == [(3, 3, 32, 32)] * 4


def test_smaller_images_are_filtered():
    """By a triangle as wide as two of the new pixels, its part outside the image left out."""
    examples = noise(2, 8)
    (found, _) = seen_images(0, [1, 0], examples, progressive_resizing=0.5)
    weights = np.zeros((4, 8))
    for place in range(4):
        distance = np.abs((np.arange(8) + 0.5) / 2 - (place + 0.5))
        weights[place] = np.maximum(0, 1 - distance)
    weights /= weights.sum(axis=1, keepdims=True)
    expected = weights @ (examples.images[1].numpy() / 255) @ weights.T
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_whole_images_are_not_touched():
    examples = noise(4, 8)
    (first, *_), (last, *_) = (
        seen_images(epoch, [2, 1], examples, **options)
        for epoch, options in ((0, {}), (2, {"progressive_resizing": 0.5}))
    )
    assert torch.equal(first, examples.images[2] / 255)
    assert torch.equal(last, first)


# Alternate flips


def mirrored_in(epochs, examples, rows, **options):
    """Return for each epoch whether each image is mirrored, bool (epochs, n)."""
    result = []
    for epoch in epochs:
        images = seen_images(epoch, rows, examples, **options)
        plain = examples.take(torch.tensor(rows)).images / 255
        same, mirrored = ((images == other).flatten(1).all(dim=1) for other in (plain, plain.flip(3)))
        assert (same ^ mirrored).all()
        result.append(mirrored)
    return torch.stack(result)


def test_each_image_is_seen_both_ways_over_two_epochs():
    found = mirrored_in(range(6), noise(400, 8), list(range(400)), flip_seed=SEED)
    assert torch.equal(found[:-1], ~found[1:])
    assert 150 < found[0].sum() < 250


def test_row_and_seed_decide_on_flips():
    """And neither the batch, nor torch's generator, nor what came before."""
    examples, rows = noise(400, 8), list(range(400))
    (found,) = mirrored_in([4], examples, rows, flip_seed=SEED)
    order = np.random.default_rng(1).permutation(400)
    (again,) = mirrored_in([4], examples, order.tolist(), flip_seed=SEED)
    assert torch.equal(again, found[torch.from_numpy(order)])
    (other,) = mirrored_in([4], examples, rows, flip_seed=SEED + 1)
    assert 100 < (found == other).sum() < 300


def test_flips_draw_no_random_number():
    drawn = []

    def augment(images):
        drawn.append(torch.rand(1).item())
        return images

    for options in ({}, {"flip_seed": SEED}, {"progressive_resizing": 0.5}):
        torch.manual_seed(0)
        seen_images(0, [0, 1], noise(4, 8), augment, **options)
    assert len(set(drawn)) == 1


def test_flips_of_examples_that_share_images():
    """Rows of a larger array are mirrored as the images themselves are."""
    examples = noise(6, 8)
    rows = torch.tensor([5, 0, 3])
    shared = Examples(examples.images, examples.labels[rows], rows)
    alone = Examples(examples.images[rows], examples.labels[rows])
    for epoch in (0, 1):
        found = [seen_images(epoch, [2, 0, 1], part, flip_seed=SEED) for part in (shared, alone)]
        assert torch.equal(*found)


def test_gradients_of_a_mirrored_batch():
    """Those of the mirrored images, whether the loss or its data mirror them."""
    examples, rows = two_classes(8), torch.arange(8)
    mirrored = mirrored_in([1], examples, rows.tolist(), flip_seed=SEED)[0]
    images = torch.where(mirrored[:, None, None, None], examples.images.flip(3), examples.images)
    gradients = []
    for part, options in ((examples, {"flip_seed": SEED}), (examples._replace(images=images), {})):
        network = exemplar_network()
        loss = LabelledLoss(part, lambda pixels: pixels, RECIPE, **options)
        add_gradients(network, [loss], [rows], 1, "float32")
        gradients.append(network.layers.conv1[0].weight.grad)
    assert torch.equal(*gradients)
