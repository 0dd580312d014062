"""Pseudo-labels in rounds: unlabelled images of which a base is surest are added to the training, round by round."""

import math
from collections.abc import Iterator
from typing import Literal

from data_sets.declare import Data
from declarations.options import Count, InnerPart, Mistake, Natural, Options, Part, Values, option_names
from methods.declare import Base, Method
from methods.kmeans import LEARNING, Features
from methods.shared import Augmentation, ImageSize, LabelledNetwork, Recipe, Runs, Svm, same_runs_as_base
from methods.supervised import Supervised, training_fits


class Rounds(Options):
    """Options of `train_kmeans_rounds`: how candidates are drawn and accepted."""

    rounds: Count = 48
    """Rounds of learning and accepting. Rounds x candidates are at most the unlabelled images. The last round accepts
    nothing more."""
    candidates: Count = 1000
    """Unlabelled images that are predicted in each round, drawn at random, none of them twice."""
    accept: Literal["top", "threshold"] = "top"
    """Candidates that are accepted with their predicted class. `top`: the `accepted` most confident ones. `threshold`:
    all with a confidence of at least `threshold`."""
    accepted: Natural = 100
    """Candidates accepted in each round with `accept: top`; with `class_balanced`, the largest number of them. 0
    accepts none: a control that trains for as many epochs on the labelled images alone, and so takes fewer steps."""
    threshold: Part = 0.95
    """Lowest confidence (probability of the predicted class) at which a prediction counts as a label."""
    class_balanced: bool = False
    """Accept at most `accepted` / classes images of each predicted class."""
    relabel: bool = False
    """Predict accepted images again in every round; otherwise they keep the class with which they were accepted."""
    held_out: InnerPart = 0.25
    """Fraction of the validation images that only measure how many accepted labels are right; the others give the
    validation accuracy."""


class InRounds(Rounds, Runs, Method):
    """What both methods with rounds share."""

    model = True
    in_rounds = True
    learns_from = "labels, pseudo-labels"
    unlabeled = "pseudo-labels"
    sections = ("pseudo-labels", "rounds")
    tables = ("held_out",)

    @classmethod
    def figures(cls, options: Values) -> list[str]:
        return [*super().figures(options), "rounds", "mistakes"]

    @classmethod
    def check(cls, options: Values, data: Data, base: Values | None) -> Iterator[Mistake]:
        yield from same_runs_as_base(options, data, base)
        rounds, candidates, accepted = options["rounds"], options["candidates"], options["accepted"]
        if data.unlabeled_images != "all" and rounds * candidates > data.unlabeled_images:
            yield (
                "candidates",
                f"{rounds} rounds x {candidates} candidates are more than the {data.unlabeled_images} unlabeled images "
                f"of {data.name}; choose fewer rounds or candidates, or {data.remedy()}",
            )
        if accepted > candidates:
            yield "accepted", f"{accepted} is more than the {candidates} candidates of a round; choose at most that"
        if options["class_balanced"] and 0 < accepted < data.classes:
            yield (
                "accepted",
                f"{accepted} is less than one of each of the {data.classes} classes, as class_balanced has it; choose "
                f"at least {data.classes}, or 0 for none",
            )
        for source, images in data.validation_sets(options.get("folds", False)).items():
            held_out = math.ceil(options["held_out"] * images)  # rounded as the programs round it
            if min(held_out, images - held_out) < data.classes:
                chosen = source != data.name and data.fold_validation_images != "all"
                yield (
                    "held_out",
                    f"{options['held_out']:g} parts the {images} validation images of {source} into {held_out} held "
                    f"out and {images - held_out} kept, and each part needs at least {data.classes}, one of each "
                    f"class; bring it nearer to 0.5, or raise "
                    f"data.{data.name}.{'fold_validation_images' if chosen else 'validation_images'}",
                )


class PseudoLabelRoundsTraining(Rounds, Recipe, ImageSize, Augmentation):
    """Options of `train_pseudo_label_rounds`; the network is that of the base."""

    epochs = 5
    """Passes over the training images in each round."""
    learning_rate = 0.01
    schedule = "cosine"

    restart: bool = False
    """Start each round from random weights, instead of from the weights of the round before."""


class PseudoLabelRounds(PseudoLabelRoundsTraining, InRounds, Supervised):
    """The network of a base is trained further, round by round, with the images that it accepts."""

    name = "pseudo_label_rounds"
    training_curves = False
    sections = ("networks", *InRounds.sections, "changes")
    base = Base(
        of=("supervised",), gives=None, fixed=option_names(LabelledNetwork), what="the network comes", needed=True
    )

    folds = False
    label_counts = []

    @classmethod
    def figures(cls, options: Values) -> list[str]:
        return ["filters", "layers", "rounds", "mistakes"]

    @classmethod
    def check(cls, options: Values, data: Data, base: Values | None) -> Iterator[Mistake]:
        if base["copies"]:
            yield (
                "builds_on",
                f"{options['builds_on']!r} trains on changed copies (copies: {base['copies']}), and rounds on the "
                "images themselves; name a base with copies: 0",
            )
        yield from training_fits(options, data)
        yield from super().check(options, data, base)
        if options["patience"]:
            yield (
                "patience",
                f"{options['patience']}, its own or that of the base {options['builds_on']!r}, has no meaning here: "
                "nothing is chosen among the epochs of a round; set patience to 0",
            )


class KMeansRounds(InRounds):
    """The support vector machine of a base is trained again, round by round, on the base's features."""

    name = "kmeans_rounds"
    sections = InRounds.sections
    base = Base(of=("kmeans",), gives=(*LEARNING, Features, Svm), needed=True)
