"""Rotations: unlabeled images train beside the labelled ones, by the question how far each was turned."""

from declarations.options import Positive, Values
from methods.shared import UnlabeledBatch
from methods.supervised import SupervisedTraining
from methods.unlabeled_loss import UnlabeledLoss


class RotationTraining(UnlabeledBatch, SupervisedTraining):
    """Options of `train_rotation`."""

    unlabeled_batch_size = 16
    """Unlabeled images of a training step, beside the labelled ones; the network sees each in four rotations."""
    labelled_in_pool = True
    unlabeled_weight: Positive = 1.0
    """Weight of the unlabeled images in the loss."""


class Rotation(RotationTraining, UnlabeledLoss):
    """A network learns the classes of labelled images and, of all images, how far each was turned (S4L)."""

    name = "rotation"
    learns_from = "labels, rotations"
    unlabeled = "rotations"

    @classmethod
    def figures(cls, options: Values) -> list[str]:
        return super(UnlabeledLoss, cls).figures(options)
