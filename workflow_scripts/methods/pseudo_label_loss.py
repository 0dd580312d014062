"""Pseudo-labels in the loss: unlabelled images train together with the labelled ones, with a weight that rises."""

from collections.abc import Iterator
from typing import Literal

from data_sets.declare import Data
from declarations.options import Mistake, Natural, Positive, Values
from methods.shared import UnlabeledBatch
from methods.supervised import SupervisedTraining
from methods.unlabeled_loss import UnlabeledLoss


class PseudoLabelLossTraining(UnlabeledBatch, SupervisedTraining):
    """Options of `train_pseudo_label_loss`."""

    epochs = 700
    batch_size = 128
    learning_rate = 0.01
    schedule = "exponential"
    alpha: Positive = 3.0
    """Final weight of the unlabelled images in the loss."""
    alpha_start: Natural = 100
    """Epoch, counted from 0, at which the weight starts to grow from 0."""
    alpha_end: Natural = 600
    """Epoch, counted from 0, at which the weight reaches `alpha`; it grows linearly until then."""
    relabel_each: Literal["step", "epoch"] = "step"
    """When pseudo-labels are predicted: at every `step` for the images of its batch, or once an `epoch` for all."""


class PseudoLabelLoss(PseudoLabelLossTraining, UnlabeledLoss):
    """A second loss makes the network surer of what it predicts for unlabelled images."""

    name = "pseudo_label_loss"
    sections = ("networks", "pseudo-labels", "pseudo-label-loss", "changes")

    @classmethod
    def check(cls, options: Values, data: Data, base: Values | None) -> Iterator[Mistake]:
        yield from super().check(options, data, base)
        start, end, last = options["alpha_start"], options["alpha_end"], options["epochs"] - 1  # counted from 0
        if end < start:
            yield "alpha_end", f"{end} comes before alpha_start, {start}; choose at least that"
        if last <= start and last < end:
            yield (
                "alpha_start",
                f"with {start} and epochs {last + 1} the weight of unlabeled images never leaves 0; lower alpha_start, "
                "or raise epochs",
            )
