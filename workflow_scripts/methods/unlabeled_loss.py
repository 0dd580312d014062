"""Shared by methods whose networks train on labels and also on pseudo-labels in the loss."""

from collections.abc import Iterator

from data_sets.declare import Data
from declarations.options import Mistake, Values
from methods.shared import enough_in_pool
from methods.supervised import Supervised


class UnlabeledLoss(Supervised):
    """A network trained on labelled and unlabelled images together."""

    learns_from = "labels, pseudo-labels"
    unlabeled = "pseudo-labels"
    base = None

    folds = False
    label_counts = []

    @classmethod
    def figures(cls, options: Values) -> list[str]:
        return [*super().figures(options), "unlabeled"]

    @classmethod
    def check(cls, options: Values, data: Data, base: Values | None) -> Iterator[Mistake]:
        yield from super().check(options, data, None)
        yield from enough_in_pool(options, data)
        if options["progressive_resizing"] < 1:
            yield (
                "progressive_resizing",
                f"{options['progressive_resizing']:g} would make the labelled images smaller, and not the unlabeled "
                "ones beside them; set it to 1",
            )
