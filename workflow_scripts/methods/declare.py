"""What the workflow asks of a method."""

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from data_sets.declare import Data
from declarations.options import Mistake, Options, Values


class Base(NamedTuple):
    """The other experiment that one builds on.

    of: the methods that it may be of. gives: the options that are taken from it, None for all; weaker than those of
    the method's section. fixed: those that cannot be set beside it. what: what comes from it, for the message that
    says so. needed: an experiment of the method cannot be without.
    """

    of: tuple[str, ...]
    gives: tuple[type[Options], ...] | None = ()
    fixed: tuple[str, ...] = ()
    what: str = "they come"
    needed: bool = False


class Method:
    """What the workflow asks of a method. A method is a class of this and of the groups of its options."""

    name: ClassVar[str]
    """In the configuration. A class that builds on another method has a name of its own, and that one's facts, also its
    `base`."""
    formerly: ClassVar[str | None] = None
    """Its name in older configurations, which are told the present one."""
    model: ClassVar[bool] = False
    """A run has a model.h5, which `predict.py` can classify images with, and so an experiment has a model card."""
    network_file: ClassVar[str | None] = None
    """File of a run that holds a network: it has filters, and layers to look at."""
    mapped: ClassVar[str | None] = None
    """File of a run that t-SNE maps are made from: features.h5, layers.h5, or the network itself."""
    training_curves: ClassVar[bool] = False
    """history.csv has a row an epoch: its curve is in the study's figure of training curves."""
    in_rounds: ClassVar[bool] = False
    """history.csv has a row a round."""
    network_history: ClassVar[str] = "history.csv"
    """Table of the training of its network; another one than history.csv has the run of each seed only."""
    learns_from: ClassVar[str] = "labels"
    """What a training of its network learns from, in the report's table of trainings."""
    unlabeled: ClassVar[str | None] = None
    """What unlabeled images are used for, in a word: `pseudo-labels` if they are given labels; what a base uses them
    for counts too. With `training_curves` they train beside the labelled images, else before any label is seen."""
    sections: ClassVar[tuple[str, ...]] = ()
    """What the report says of it: report/sections/NN-name.tex. Without one, it gives the docstring and the options."""
    base: ClassVar[Base | None] = None
    tables: ClassVar[tuple[str, ...]] = ()
    """Tables of the run of each seed for the report, beside selection and history."""

    @classmethod
    def figures(cls, options: Values) -> list[str]:
        """Return the kinds of figures that an experiment has of its own, beside the confusion matrix."""
        return ["filters", "layers"] if cls.network_file else []

    @classmethod
    def learned(cls, options: Values) -> list[str]:
        """Return the files of a run that hold what it learned from images, where rounding differs between machines."""
        return [cls.network_file] if cls.network_file else []

    @classmethod
    def check(cls, options: Values, data: Data, base: Values | None) -> Iterator[Mistake]:
        """Yield what a schema cannot say: what must fit together. base: the options of the base, if there is one."""
        yield from ()
