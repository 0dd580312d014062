"""What losses on unlabeled images have in common; see semisup.training.Loss."""

from dataclasses import dataclass
from typing import ClassVar

import torch


@dataclass
class UnlabeledLoss:
    """pool: all unlabeled images, uint8 (N, C, H, W); batch_size: those of a step."""

    pool: torch.Tensor
    batch_size: int
    batch_option: ClassVar[str] = "unlabeled_batch_size"
    of: ClassVar[str] = "unlabeled images"
    in_parts: ClassVar[bool] = True

    @property
    def count(self) -> int:
        """Number of unlabeled images."""
        return len(self.pool)
