"""Contrastive learning without labels: views of one image are more alike than those of any two (SimCLR)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from semisup.augmentation import Augment
from semisup.constants import PROJECTION, TOLD_APART_AMONG
from semisup.device import fast_products
from semisup.network import Network
from semisup.scaling import to_pixels

MEASURED = 512  # images whose views are told apart when a network is measured


def contrastive_loss(projections: torch.Tensor, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean loss of the views of a batch, and the part of them that are most like one of the same image.

    projections: float32 (n, views, d). The loss of a view is the mean over the other views of its image of their
    cross-entropy among all views but itself: NT-Xent (Chen et al. 2020, equation 1), with more than one positive
    (Khosla et al. 2020, equation 2).
    """
    images, views, _ = projections.shape
    unit = functional.normalize(projections.flatten(0, 1), dim=1)
    itself = torch.eye(images * views, dtype=torch.bool, device=projections.device)
    similarities = (unit @ unit.T / temperature).masked_fill(itself, -torch.inf)
    image = torch.arange(images, device=projections.device).repeat_interleave(views)
    same = (image[:, None] == image) & ~itself
    log_likelihood = similarities.log_softmax(dim=1).masked_fill(~same, 0).sum(dim=1) / (views - 1)
    right = image[similarities.argmax(dim=1)] == image
    return -log_likelihood.mean(), right.float().mean()


@dataclass
class ContrastiveLoss:
    """The loss of views of images without labels; see semisup.training.Loss. pool: uint8 (N, C, H, W), of any size."""

    pool: torch.Tensor
    batch_size: int
    views: int
    temperature: float
    augment: Augment
    batch_option: ClassVar[str] = "batch_size"
    of: ClassVar[str] = "images"
    in_parts: ClassVar[bool] = False  # every view is told apart from all others of the step

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.pool)

    def begin_epoch(self, network: Network, epoch: int) -> None:
        """Nothing holds for an epoch."""

    def images(self, rows: torch.Tensor, epoch: int) -> torch.Tensor:
        """Return the views of each image."""
        changed = self.augment(to_pixels(self.pool[rows]).repeat_interleave(self.views, dim=0))
        return changed.unflatten(0, (len(rows), self.views))

    def value(
        self, scores: torch.Tensor, rows: torch.Tensor, epoch: int
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss of these images' views; scores are their projections."""
        loss, right = contrastive_loss(scores, self.temperature)
        return loss, {"train_loss": loss.detach(), "train_accuracy": right}

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return nothing: there is no state."""
        return {}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Go on."""


def add_projection(network: Network) -> None:
    """Put a projection in place of the last layer: one hidden layer, normalised and rectified, and `PROJECTION`."""
    width = network.head[-1].in_features
    hidden = nn.Linear(width, width, bias=False)
    network.head[-1] = nn.Sequential(hidden, nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, PROJECTION))


def told_apart(network: Network, images: torch.Tensor, augment: Augment, precision: str, seed: int) -> float:
    """Return how often the nearest of all views in a batch is of the same image; two views of each, always the same.

    images: uint8 (N, C, H, W) on the network's device. The first `MEASURED` are looked at, in batches of
    `TOLD_APART_AMONG`; what is left after whole batches is not. The network is left in evaluation mode, and torch's
    generator as it was.
    """
    network.eval()
    whole = len(images) // TOLD_APART_AMONG * TOLD_APART_AMONG or len(images)
    batches = images[: min(whole, MEASURED)].split(TOLD_APART_AMONG)
    devices = [images.device] if images.is_cuda else []
    right = []
    with torch.random.fork_rng(devices), torch.inference_mode():
        torch.manual_seed(seed)
        for part in batches:
            views = augment(to_pixels(part).repeat_interleave(2, dim=0))  # in float32: it multiplies places of pixels
            with fast_products(images.device, precision):
                projections = network(views).float()
            right.append(contrastive_loss(projections.unflatten(0, (len(part), 2)), 1.0)[1])
    return float(torch.stack(right).mean())
