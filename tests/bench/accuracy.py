"""Seconds of training to an accuracy: a first layer that is trained with the others, beside one of centroids.

Each has as many epochs as it needs for a mean validation accuracy of 85 % over three seeds, on crops of the embedded
photographs. Nothing else differs.
"""

import tempfile
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from bench.rows import Row, formats, scaled, timed
from methods.supervised import SupervisedTraining
from semisup.augmentation import Augmentation, augment_function
from semisup.checkpoints import locked_checkpoint
from semisup.device import keep_freed_memory
from semisup.labelled_loss import Examples, LabelledLoss, accuracy_on
from semisup.network import Shape
from semisup.network_run import LabelledRun, random_network
from semisup.photos import crop_blocks, cut_tiles, draw_split, load_pictures
from semisup.scaling import scale_all
from semisup.training import EpochRow, train_network
from semisup.training_options import recipe_of

SIZE, LABELS, VALIDATION = 48, 1500, 500  # pixels, crops, crops
SEEDS = (0, 1, 2)
AUGMENTATION = Augmentation(shift=4, flip=True, color=0.2, hue=0.0, cutout=8)
RECIPE = recipe_of(SupervisedTraining)  # the defaults


class Way(NamedTuple):
    """A way to train: the first layer, and the fewest epochs that give the accuracy."""

    first_layer: str
    epochs: int


WAYS = (Way("trained", 4), Way("centroids", 2))


def accuracy_rows(part: float) -> Iterator[Row]:
    """Train each way with each seed; the seconds are those of all seeds, the filters and the validation included."""
    keep_freed_memory()
    labels = scaled(LABELS, part, least=200)
    for way in WAYS:
        histories = [trained(way, labels, seed) for seed in SEEDS]
        accuracies = 100 * np.array([history[-1].validation_accuracy for _, history in histories])
        yield Row(
            f"{len(SEEDS)} trainings of the resnet, {labels:,} labels, {SIZE} px",
            f"first layer {way.first_layer}, {way.epochs} epochs",
            sum(seconds for seconds, _ in histories),
            f"validation accuracy {accuracies.mean():.1f} % ({', '.join(f'{value:.1f}' for value in accuracies)})",
            dtype=formats()[-1],
        )


def trained(way: Way, labels: int, seed: int) -> tuple[float, list[EpochRow]]:
    """Return how many seconds a training takes, and its history."""
    images, classes = crops("train", labels, seed)
    run = LabelledRun([], images, classes, train=np.arange(labels), validation=np.arange(0))
    validation = Examples(*map(torch.from_numpy, crops("validation", VALIDATION, seed)))
    recipe = RECIPE._replace(epochs=way.epochs)
    augment = augment_function(AUGMENTATION, SIZE)

    def train() -> list[EpochRow]:
        network = random_network(Shape("resnet", 3, SIZE, 10, 0.3, first_layer=way.first_layer), run, seed)
        loss = LabelledLoss(Examples(torch.from_numpy(images), torch.from_numpy(classes)), augment, recipe)
        with tempfile.TemporaryDirectory() as folder, locked_checkpoint(folder, {}, np.inf) as checkpoint:
            return train_network(network, [loss], accuracy_on(validation, recipe.precision), recipe, seed, checkpoint)

    return timed(train)


def crops(split: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return crops of the embedded photographs, uint8 (count, 3, SIZE, SIZE), and their classes int64 (count,)."""
    pictures = load_pictures()
    drawn = draw_split(pictures, cut_tiles(pictures), split, count, seed)
    images = np.concatenate(list(crop_blocks(pictures, drawn)))
    return scale_all(images, SIZE), drawn[:, 0].copy()
