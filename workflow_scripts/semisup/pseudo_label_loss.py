"""Pseudo-labels as a part of the loss (Lee 2013, "Pseudo-Label").

Loss = mean over labelled images + alpha(t) * mean over unlabeled images, whose labels are the network's predictions.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.nn import functional

from semisup.augmentation import Augment
from semisup.device import sum_dtype
from semisup.network import Network, network_scores
from semisup.scaling import to_pixels
from semisup.unlabeled_loss import UnlabeledLoss


class Ramp(NamedTuple):
    """The weight of the unlabeled images: 0 before epoch `start`, `alpha` from epoch `end` on, linear between them."""

    alpha: float
    start: int
    end: int


def ramp_weight(ramp: Ramp, epoch: int) -> float:
    """Return alpha(t) of Lee 2013, equation 16, for an epoch counted from 0."""
    if epoch < ramp.start:
        return 0.0
    if epoch >= ramp.end:
        return ramp.alpha
    return ramp.alpha * (epoch - ramp.start) / (ramp.end - ramp.start)


@dataclass
class PseudoLabelLoss(UnlabeledLoss):
    """The unlabeled part of the loss; see semisup.training.Loss. pool: uint8 (N, C, H, W).

    each_step: the pseudo-labels are the predictions of the very pass that is differentiated, as in the paper; else
    those of all images at the beginning of the epoch, as in the homework.
    """

    ramp: Ramp
    each_step: bool
    augment: Augment
    precision: str

    def __post_init__(self) -> None:
        """Have no labels before the first epoch."""
        self.labels = torch.zeros(0, dtype=torch.int64, device=self.pool.device)

    def begin_epoch(self, network: Network, epoch: int) -> None:
        """Predict the labels of all images, where they hold for an epoch and have a weight."""
        if self.each_step or not ramp_weight(self.ramp, epoch):
            return
        device = self.pool.device
        scores = network_scores(network, self.pool, self.precision, False, device)
        network.train()
        self.labels = torch.from_numpy(scores.argmax(axis=1)).to(device)

    def images(self, rows: torch.Tensor, epoch: int) -> torch.Tensor:
        """Return one changed version of each image, where they have a weight."""
        if not ramp_weight(self.ramp, epoch):
            return to_pixels(self.pool[:0]).unsqueeze(1)
        return self.augment(to_pixels(self.pool[rows])).unsqueeze(1)

    def value(
        self, scores: torch.Tensor, rows: torch.Tensor, epoch: int
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return alpha(t) times the mean cross-entropy with the pseudo-labels."""
        weight = ramp_weight(self.ramp, epoch)
        loss = scores.sum()  # of none
        if weight:
            scores = scores.squeeze(1)
            labels = scores.argmax(dim=1) if self.each_step else self.labels[rows]
            loss = functional.cross_entropy(scores, labels)
        return weight * loss, {
            "unlabeled_loss": loss.detach(),
            "unlabeled_weight": torch.tensor(weight, dtype=sum_dtype(scores.device), device=scores.device),
            "accepted": torch.tensor(float(weight > 0), device=scores.device),
        }

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the labels of the epoch."""
        return {"labels": self.labels}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Take the labels of the epoch."""
        self.labels = state["labels"].to(self.pool.device)
