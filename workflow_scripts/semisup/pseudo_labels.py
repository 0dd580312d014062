"""Rounds of pseudo-labels: which unlabeled images are accepted, with which label, and how good the rule is.

In each round some unlabeled images are candidates, drawn without replacement. The rule accepts those whose predicted
class has a high probability; from then on they are training images of that class. On labelled images that are held out
and used for nothing else, the rule's precision is measured.
"""

import argparse
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, logsumexp
from sklearn.model_selection import train_test_split

from semisup.cli import UserError


class Rule(NamedTuple):
    """Which candidates are accepted.

    accept: "top", the `accepted` most confident ones; "threshold", all that reach the threshold, a probability.
    class_balanced: of each predicted class at most accepted / classes, by either. With accepted 0 none are.
    """

    accept: str
    accepted: int
    threshold: float
    class_balanced: bool


class Predictions(NamedTuple):
    """Predicted classes, int64 (N,), their probabilities p, and log(p / (1 - p)), both float64 (N,).

    The latter tells apart what is so sure that p is rounded to 1.
    """

    classes: np.ndarray
    confidence: np.ndarray
    log_odds: np.ndarray


class Accepted(NamedTuple):
    """An accepted image: the round, its row among the unlabeled images, its label and the label's probability."""

    round: int
    image: int
    label: int
    confidence: float


class HeldOut(NamedTuple):
    """A held-out image that the rule would have accepted: round, row of the labelled set, true and predicted class."""

    round: int
    row: int
    label: int
    predicted: int
    confidence: float


class RoundRow(NamedTuple):
    """A row of the history; round 0 is the base experiment, before any round.

    training_images: that the round trained on; accepted: images accepted at its end, whose mean and lowest confidence
    follow (None: there are none); held_out_images: that the rule would have accepted, held_out_precision: the fraction
    of them that it would have labelled rightly. Of networks only: train_loss, train_accuracy, images_per_second.
    """

    round: int
    training_images: int
    accepted: int
    mean_confidence: float | None
    lowest_confidence: float | None
    held_out_images: int
    held_out_precision: float | None
    validation_accuracy: float
    seconds: float
    peak_memory_gib: float
    train_loss: float | None = None
    train_accuracy: float | None = None
    images_per_second: float | None = None


def rule_of(options: argparse.Namespace) -> Rule:
    """Return the rule of options that have the declared group Rounds."""
    return Rule(options.accept, options.accepted, options.threshold, options.class_balanced)


def draw_candidates(available: int, rounds: int, candidates: int, seed: int) -> np.ndarray:
    """Return int64 (rounds, candidates): distinct rows of the unlabeled images, in random order.

    Raises UserError if there are too few.
    """
    needed = rounds * candidates
    if needed > available:
        raise UserError(
            f"{rounds} rounds of {candidates} candidates need {needed} unlabeled images, and there are {available}: "
            "lower rounds or candidates, or raise unlabeled_images"
        )
    return np.random.default_rng(seed).permutation(available)[:needed].reshape(rounds, candidates)


def split_held_out(
    validation_rows: np.ndarray, labels: np.ndarray, held_out: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split validation rows in those kept for validation and those held out, both int64 and increasing.

    labels: of the whole labelled set. Every class has its share in both. Raises UserError if a part would lack a class.
    """
    lacking = UserError(
        f"held_out {held_out:g} of {len(validation_rows)} validation images leaves a part without some class: "
        "bring it nearer to 0.5, or raise validation_images"
    )
    try:
        kept, out = train_test_split(
            validation_rows, test_size=held_out, stratify=labels[validation_rows], random_state=seed
        )
    except ValueError as error:
        raise lacking from error
    if set(labels[kept]) != set(labels[out]):  # the share of a rare class may be rounded to no image
        raise lacking
    return np.sort(kept), np.sort(out)


def predict(scores: np.ndarray, temperature: float = 1.0) -> Predictions:
    """Return the predictions that scores (N, classes) stand for: softmax of scores / temperature."""
    logarithms = log_softmax(scores.astype(np.float64) / temperature, axis=1)
    classes = logarithms.argmax(axis=1)
    largest = logarithms[np.arange(len(classes)), classes]
    others = np.where(np.arange(scores.shape[1]) == classes[:, None], -np.inf, logarithms)
    return Predictions(classes, np.exp(largest), largest - logsumexp(others, axis=1))


def accepted_positions(predictions: Predictions, rule: Rule, classes: int) -> np.ndarray:
    """Return the positions of the accepted images, int64, the most confident first; of equals the first one."""
    order = np.argsort(-predictions.log_odds, kind="stable")
    if not rule.accepted:
        return order[:0]
    if rule.accept == "threshold":
        order = order[predictions.confidence[order] >= rule.threshold]
    if rule.class_balanced:
        of_class = predictions.classes[order][:, None] == np.arange(classes)
        rank = of_class.cumsum(axis=0)[np.arange(len(order)), predictions.classes[order]]
        return order[rank <= rule.accepted // classes]
    return order if rule.accept == "threshold" else order[: rule.accepted]


def scaled_rule(rule: Rule, images: int, candidates: int, classes: int) -> Rule:
    """Return the rule for another number of images: it accepts about the same fraction, and at least one if any."""
    if rule.accept == "threshold" and not rule.class_balanced:
        return rule
    parts = classes if rule.class_balanced else 1  # a balanced rule accepts so many of each class
    accepted = rule.accepted // parts
    return rule._replace(accepted=parts * max(round(accepted * images / candidates), min(accepted, 1)))


def held_out_rows(
    number: int,
    predictions: Predictions,
    rows: np.ndarray,
    labels: np.ndarray,
    rule: Rule,
    candidates: int,
    classes: int,
) -> list[HeldOut]:
    """Return the held-out images (`rows` of the labelled set, predicted as given) that the rule would have accepted.

    number: of the round; labels: of the whole labelled set.
    """
    positions = accepted_positions(predictions, scaled_rule(rule, len(rows), candidates, classes), classes)
    return [
        HeldOut(
            number,
            int(rows[position]),
            int(labels[rows[position]]),
            int(predictions.classes[position]),
            float(predictions.confidence[position]),
        )
        for position in positions
    ]


def accepted_rows(
    number: int, predictions: Predictions, images: np.ndarray, rule: Rule, classes: int
) -> list[Accepted]:
    """Return the candidates that the rule accepts; images: their rows among the unlabeled images."""
    return [
        Accepted(
            number,
            int(images[position]),
            int(predictions.classes[position]),
            float(predictions.confidence[position]),
        )
        for position in accepted_positions(predictions, rule, classes)
    ]


def precision(held_out: list[HeldOut]) -> float | None:
    """Return the fraction that is predicted rightly; None of none."""
    return float(np.mean([row.label == row.predicted for row in held_out])) if held_out else None
