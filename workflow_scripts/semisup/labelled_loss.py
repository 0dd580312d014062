"""The loss of labelled images, and how well a network does on others; see semisup.training.Loss."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from semisup.augmentation import Augment
from semisup.device import sum_dtype
from semisup.network import Network, network_scores
from semisup.resizing import image_side
from semisup.scaling import to_pixels
from semisup.training import Recipe

VALIDATION_IMAGES = 1000  # of the validation images, those looked at after every epoch


class Examples(NamedTuple):
    """Labels int64 (N,) and images uint8 (M, C, H, W), on one device; rows int64 (N,): the image of each label.

    So several sets of examples share one array of images. Without rows, image i has label i.
    """

    images: torch.Tensor
    labels: torch.Tensor
    rows: torch.Tensor | None = None

    def take(self, which: torch.Tensor | slice) -> "Examples":
        """Return some of the examples, with images of their own."""
        rows = which if self.rows is None else self.rows[which]
        return Examples(self.images[rows], self.labels[which])


@dataclass
class LabelledLoss:
    """The mean cross-entropy of the scores of augmented images, with label smoothing.

    progressive_resizing: part of their side that images have in the first epochs. flip_seed: decides for each example
    in which of two epochs it is mirrored, before augmentation; None, in neither.
    """

    examples: Examples
    augment: Augment
    recipe: Recipe
    progressive_resizing: float = 1.0
    flip_seed: int | None = None
    batch_option: ClassVar[str] = "batch_size"
    of: ClassVar[str] = "training images"
    in_parts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Draw in which epochs each example is mirrored, int64 (N,): 0 in odd ones, 1 in even ones, counted from 0."""
        if self.flip_seed is not None:
            # The key keeps these numbers apart from the order of an epoch's images, which has the same seed.
            rng = np.random.default_rng(np.random.SeedSequence(self.flip_seed, spawn_key=(0,)))
            self.turns = torch.from_numpy(rng.integers(2, size=self.count)).to(self.examples.labels.device)

    @property
    def count(self) -> int:
        """Number of examples."""
        return len(self.examples.labels)

    @property
    def batch_size(self) -> int:
        """Examples of a step."""
        return self.recipe.batch_size

    def begin_epoch(self, network: Network, epoch: int) -> None:
        """Nothing holds for an epoch."""

    def images(self, rows: torch.Tensor, epoch: int) -> torch.Tensor:
        """Return one changed version of each image."""
        return self._changed(self.examples.take(rows).images, rows, epoch).unsqueeze(1)

    def value(
        self, scores: torch.Tensor, rows: torch.Tensor, epoch: int
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the mean cross-entropy; show it, and the fraction of the images that are right."""
        scores, labels = scores[:, 0], self.examples.labels[rows]
        loss = functional.cross_entropy(scores, labels, label_smoothing=self.recipe.label_smoothing)
        right = (scores.argmax(dim=1) == labels).to(sum_dtype(scores.device)).mean()
        return loss, {"train_loss": loss.detach(), "train_accuracy": right}

    def _changed(self, images: torch.Tensor, rows: torch.Tensor, epoch: int) -> torch.Tensor:
        """Return what the network sees in an epoch of these images, uint8 (n, C, H, W): float (n, C, h, h) in 0..1."""
        if self.flip_seed is not None:
            mirrored = (self.turns[rows] + epoch) % 2 == 1
            images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        images = self.augment(to_pixels(images))
        side = image_side(images.shape[3], self.progressive_resizing, epoch, self.recipe.epochs)
        if side < images.shape[3]:
            images = functional.interpolate(images, (side, side), mode="bilinear", antialias=True)
        return images

    def state_dict(self) -> dict[str, Any]:
        """Nothing changes."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing changes."""


def accuracy_on(validation: Examples, precision: str) -> Callable[[Network], float]:
    """Return a function that gives a network's accuracy on at most VALIDATION_IMAGES of these, evenly spaced."""
    looked_at = validation.take(slice(None, None, -(-len(validation.labels) // VALIDATION_IMAGES)))
    labels = looked_at.labels.cpu().numpy()

    def accuracy(network: Network) -> float:
        scores = network_scores(network, looked_at.images, precision, False, looked_at.images.device)
        return float(np.mean(scores.argmax(axis=1) == labels))

    return accuracy
