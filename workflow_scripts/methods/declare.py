"""What the workflow asks of a method."""

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from data_sets.declare import Data
from declarations.options import Mistake, Options, Values


class Base(NamedTuple):
    """The other experiment that one builds on.

    of: the methods that the base may be of. gives: the options that are taken from it, None for all; weaker than the
    options of the method's section. fixed: options that come from the base and cannot be set. what: what comes from
    the base, for the message that says so. needed: an experiment of the method cannot be without a base.
    """

    of: tuple[str, ...]
    gives: tuple[type[Options], ...] | None = ()
    fixed: tuple[str, ...] = ()
    what: str = "they come"
    needed: bool = False


class Method:
    """What the workflow asks of a method. A method is a class of this and of the groups of its options."""

    name: ClassVar[str]
    """Name in the configuration. A class that builds on another method has a name of its own, and inherits the facts of
    that method, including its `base`."""
    formerly: ClassVar[str | None] = None
    """Name in older configurations; a message then tells the present name."""
    model: ClassVar[bool] = False
    """A run has a model.h5, with which `predict.py` can classify images, so an experiment has a model card."""
    network_file: ClassVar[str | None] = None
    """File of a run that holds a network: the method then has figures of filters and layers."""
    mapped: ClassVar[str | None] = None
    """File of a run that t-SNE maps are made from: features.h5, layers.h5, or the network itself."""
    training_curves: ClassVar[bool] = False
    """history.csv has a row per epoch: its curve is in the study's figure of training curves."""
    in_rounds: ClassVar[bool] = False
    """history.csv has a row per round."""
    network_history: ClassVar[str] = "history.csv"
    """Table of the training of its network. If it is not history.csv, only runs of seeds have it."""
    learns_from: ClassVar[str] = "labels"
    """What a training of its network learns from, in the report's table of trainings."""
    unlabeled: ClassVar[str | None] = None
    """What unlabelled images are used for, in a word: `pseudo-labels` if they are given labels. Use by a base counts
    too. With `training_curves` they train together with the labelled images, else before any label is seen."""
    sections: ClassVar[tuple[str, ...]] = ()
    """What the report says of it: report/sections/NN-name.tex. Without one, the report has the docstring and
    options."""
    base: ClassVar[Base | None] = None
    tables: ClassVar[tuple[str, ...]] = ()
    """Tables of the run of each seed for the report, in addition to selection and history."""

    @classmethod
    def figures(cls, options: Values) -> list[str]:
        """Return the kinds of figures that an experiment has of its own, in addition to the confusion matrix."""
        return ["filters", "layers"] if cls.network_file else []

    @classmethod
    def learned(cls, options: Values) -> list[str]:
        """Return the files of a run that hold what it learned from images, where rounding differs between machines."""
        return [cls.network_file] if cls.network_file else []

    @classmethod
    def check(cls, options: Values, data: Data, base: Values | None) -> Iterator[Mistake]:
        """Yield what a schema cannot say: what must fit together. base: the options of the base, if there is one."""
        yield from ()
