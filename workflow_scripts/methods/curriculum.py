"""Curriculum labeling: trainings one after another, each with more of the labels that the one before predicted."""

from collections.abc import Iterator

from data_sets.declare import Data
from declarations.options import Count, Mistake, Values
from methods.shared import UnlabeledPool, pool_there
from methods.supervised import Supervised, SupervisedTraining


class CurriculumTraining(UnlabeledPool, SupervisedTraining):
    """Options of `train_curriculum`."""

    cycles: Count = 5
    """Trainings after the first one, which has the labels alone. The n-th of them learns from the surest n / cycles of
    what the one before predicted for the unlabeled images too, as many of each class."""


class Curriculum(CurriculumTraining, Supervised):
    """A network is trained anew, again and again, on the labels and on ever more of what it predicted before."""

    name = "curriculum"
    learns_from = "labels, pseudo-labels"
    unlabeled = "pseudo-labels"
    base = None

    folds = False
    label_counts = []

    @classmethod
    def check(cls, options: Values, data: Data, base: Values | None) -> Iterator[Mistake]:
        yield from super().check(options, data, None)
        yield from pool_there(options, data)
        for key in ("copies", "alternate_flips", "patience"):
            if options[key]:
                yield key, f"{options[key]} has no meaning here; leave it out"
