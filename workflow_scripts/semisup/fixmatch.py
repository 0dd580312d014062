"""FixMatch (Sohn et al. 2020): the prediction for a weakly changed image is the label of the strongly changed one.

With adaptive thresholds it is FreeMatch's way of choosing (Wang et al. 2023), without its fairness loss.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional

from semisup.augmentation import Augment
from semisup.constants import THRESHOLD_DECAY
from semisup.device import fast_products
from semisup.network import Network
from semisup.scaling import to_pixels
from semisup.unlabeled_loss import UnlabeledLoss


@dataclass
class FixMatchLoss(UnlabeledLoss):
    """The unlabeled part of the loss; see semisup.training.Loss. images: uint8 (N, C, H, W).

    An image counts if the largest probability p of its weak version reaches the threshold; the loss is the sum of their
    cross-entropies divided by all images of the batch. With `adaptive`, the threshold of class c is
    tau * q_c / max(q), where tau is the moving average of mean p and q that of the mean probabilities.
    """

    classes: int
    threshold: float
    adaptive: bool
    weight: float
    weak: Augment
    strong: Augment
    precision: str

    def __post_init__(self) -> None:
        """Know nothing before the first step: every class is as likely, and as confident, as by chance."""
        self.confidence = torch.full((), 1 / self.classes, device=self.images.device)
        self.probabilities = torch.full((self.classes,), 1 / self.classes, device=self.images.device)

    def begin_epoch(self, network: Network, epoch: int) -> None:
        """Nothing holds for an epoch."""

    def backward(self, network: Network, rows: torch.Tensor, epoch: int, parts: int) -> dict[str, torch.Tensor]:
        """Add the gradient of the weighted loss."""
        device = self.images.device
        pixels = to_pixels(self.images[rows])
        weak = self.weak(pixels).contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), fast_products(device, self.precision):
            scores = torch.cat([network(part) for part in weak.tensor_split(parts)])
        probabilities = scores.float().softmax(dim=1)
        confidence, labels = probabilities.max(dim=1)
        averages = self._moved_averages(confidence, probabilities)
        thresholds = self._thresholds(*averages)
        counts = confidence >= thresholds[labels]

        strong = self.strong(pixels).contiguous(memory_format=torch.channels_last)
        total = torch.zeros((), device=device)
        split = (strong.tensor_split(parts), labels.tensor_split(parts), counts.tensor_split(parts))
        for part, part_labels, part_counts in zip(*split, strict=True):
            with fast_products(device, self.precision):
                scores = network(part)
            losses = functional.cross_entropy(scores.float(), part_labels, reduction="none")
            loss = (losses * part_counts).sum() / len(rows)
            (self.weight * loss).backward()
            total += loss.detach()
        # Only now: a step that ran out of memory is taken again, and must find what it found.
        self.confidence, self.probabilities = averages
        return {
            "unlabeled_loss": total,
            "unlabeled_weight": torch.tensor(self.weight, dtype=torch.float64, device=device),
            "accepted": counts.float().mean(),
            "threshold": thresholds.mean(),
        }

    def _moved_averages(
        self, confidence: torch.Tensor, probabilities: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return FreeMatch's moving averages after this batch: tau, and q (classes,)."""
        return (
            THRESHOLD_DECAY * self.confidence + (1 - THRESHOLD_DECAY) * confidence.mean(),
            THRESHOLD_DECAY * self.probabilities + (1 - THRESHOLD_DECAY) * probabilities.mean(dim=0),
        )

    def _thresholds(self, confidence: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
        """Return the threshold of each class, float64 (classes,)."""
        if self.adaptive:
            return (confidence * probabilities / probabilities.max()).double()
        return torch.full_like(probabilities, self.threshold, dtype=torch.float64)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the moving averages."""
        return {"confidence": self.confidence, "probabilities": self.probabilities}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Take the moving averages."""
        self.confidence, self.probabilities = (
            state[name].to(self.images.device) for name in ("confidence", "probabilities")
        )
