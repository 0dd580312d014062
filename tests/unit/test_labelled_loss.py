from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from fixtures_training import RECIPE
from semisup.labelled_loss import Examples, LabelledLoss
from semisup.resizing import image_side


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
    LabelledLoss(examples, augment, recipe, **options).backward(network, torch.tensor(rows), epoch, 2)
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
