"""Rotations as a task beside the labels (Zhai et al. 2019, "S4L: Self-Supervised Semi-Supervised Learning").

Every unlabeled image is shown in four rotations (Gidaris et al. 2018), and the network says which is which.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional

from semisup.augmentation import Augment
from semisup.network import Network
from semisup.scaling import to_pixels
from semisup.unlabeled_loss import UnlabeledLoss

ROTATIONS = 4  # by quarter turns


@dataclass
class RotationLoss(UnlabeledLoss):
    """The unlabeled part of the loss; see semisup.training.Loss. pool: uint8 (N, C, H, H).

    The network's last ROTATIONS outputs are the scores of the rotations, those before them the scores of the classes.
    """

    weight: float
    augment: Augment

    def begin_epoch(self, network: Network, epoch: int) -> None:
        """Nothing holds for an epoch."""

    def images(self, rows: torch.Tensor, epoch: int) -> torch.Tensor:
        """Return one changed version of each image, in four rotations."""
        pixels = self.augment(to_pixels(self.pool[rows]))
        return torch.stack([pixels.rot90(turns, dims=(2, 3)) for turns in range(ROTATIONS)], dim=1)

    def value(
        self, scores: torch.Tensor, rows: torch.Tensor, epoch: int
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the weighted mean cross-entropy of the rotations; show it, and the fraction that is right."""
        turns = torch.arange(ROTATIONS, device=scores.device).repeat(len(rows))
        own = scores[..., -ROTATIONS:].flatten(0, 1)
        loss = functional.cross_entropy(own, turns)
        return self.weight * loss, {
            "unlabeled_loss": loss.detach(),
            "unlabeled_weight": torch.tensor(self.weight, dtype=torch.float64, device=scores.device),
            "rotation_accuracy": (own.argmax(dim=1) == turns).double().mean(),
        }

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Nothing changes."""
        return {}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Nothing changes."""
