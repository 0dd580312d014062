"""FixMatch (Sohn et al. 2020): the prediction for a weakly changed image is the label of the strongly changed one.

With adaptive thresholds it is FreeMatch's way of choosing (Wang et al. 2023), without its fairness loss; with
distribution alignment, ReMixMatch's (Berthelot et al. 2020) way of keeping rare classes.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional

from semisup.augmentation import Augment
from semisup.device import sum_dtype
from semisup.network import Network
from semisup.scaling import to_pixels
from semisup.unlabeled_loss import UnlabeledLoss


@dataclass
class FixMatchLoss(UnlabeledLoss):
    """The unlabeled part of the loss; see semisup.training.Loss. pool: uint8 (N, C, H, W).

    An image counts if the largest probability p of its weak version reaches the threshold; the loss is the sum of their
    cross-entropies divided by all images of the batch. With `adaptive`, the threshold of class c is
    tau * q_c / max(q), where tau is the moving average of mean p and q that of the mean probabilities; `decay` is that
    of both for each step.
    class_shares: float32 (classes,), those of the labelled images. The probabilities are multiplied by class_shares / q
    and made to sum to 1 before labels and confidences are read from them, so that the predictions have the classes of
    the labelled images on average (distribution alignment); None, they are not. The averages are of those before.
    """

    classes: int
    threshold: float
    adaptive: bool
    decay: float
    class_shares: torch.Tensor | None
    weight: float
    weak: Augment
    strong: Augment

    def __post_init__(self) -> None:
        """Know nothing before the first step: every class is as likely, and as confident, as by chance."""
        self.confidence = torch.full((), 1 / self.classes, device=self.pool.device)
        self.probabilities = torch.full((self.classes,), 1 / self.classes, device=self.pool.device)

    def begin_epoch(self, network: Network, epoch: int) -> None:
        """Nothing holds for an epoch."""

    def images(self, rows: torch.Tensor, epoch: int) -> torch.Tensor:
        """Return two versions of each image, a weakly and a strongly changed one."""
        pixels = to_pixels(self.pool[rows])
        return torch.stack([self.weak(pixels), self.strong(pixels)], dim=1)

    def value(
        self, scores: torch.Tensor, rows: torch.Tensor, epoch: int
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the weighted loss. The weak version only says what is right: its scores have no gradient."""
        weak, strong = scores.unbind(dim=1)
        probabilities = weak.detach().softmax(dim=1)
        self._move_averages(probabilities)
        if self.class_shares is not None:
            aligned = probabilities * self.class_shares / self.probabilities
            probabilities = aligned / aligned.sum(dim=1, keepdim=True)
        confidence, labels = probabilities.max(dim=1)
        thresholds = self._thresholds()
        counts = confidence >= thresholds[labels]
        losses = functional.cross_entropy(strong, labels, reduction="none")
        loss = (losses * counts).mean()
        return self.weight * loss, {
            "unlabeled_loss": loss.detach(),
            "unlabeled_weight": torch.tensor(self.weight, dtype=thresholds.dtype, device=scores.device),
            "accepted": counts.float().mean(),
            "threshold": thresholds.mean(),
        }

    def _move_averages(self, probabilities: torch.Tensor) -> None:
        """Move FreeMatch's averages by these probabilities (n, classes): tau, and q (classes,).

        A part of a batch moves them by its share.
        """
        share = (1 - self.decay) * len(probabilities) / self.batch_size
        # New tensors, because a step that runs out of memory takes back the old ones.
        self.confidence = torch.lerp(self.confidence, probabilities.amax(dim=1).mean(), share)
        self.probabilities = torch.lerp(self.probabilities, probabilities.mean(dim=0), share)

    def _thresholds(self) -> torch.Tensor:
        """Return the threshold of each class, (classes,), float64 where the device has it."""
        exact = sum_dtype(self.pool.device)
        if self.adaptive:
            return (self.confidence * self.probabilities / self.probabilities.max()).to(exact)
        return torch.full_like(self.probabilities, self.threshold, dtype=exact)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the moving averages."""
        return {"confidence": self.confidence, "probabilities": self.probabilities}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Take the moving averages."""
        self.confidence, self.probabilities = (
            state[name].to(self.pool.device) for name in ("confidence", "probabilities")
        )
