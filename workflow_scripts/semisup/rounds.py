"""The loop of pseudo-label rounds, for any classifier: predict candidates, accept some, fit on them too, and so on.

Only rows and labels of accepted images are kept here, never the images.
"""

import logging
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from semisup.calibration import fit_temperature
from semisup.checkpoints import Checkpoint, deferred_stop, load_checkpoint, save_checkpoint
from semisup.pseudo_labels import (
    Accepted,
    HeldOut,
    RoundRow,
    Rule,
    accepted_rows,
    held_out_rows,
    precision,
    predict,
)


class RoundFit(NamedTuple):
    """How the fit of a round went: loss and accuracy of its last epoch, labelled and accepted images per second.

    None where the classifier does not say.
    """

    train_loss: float | None = None
    train_accuracy: float | None = None
    images_per_second: float | None = None


class Classifier(Protocol):
    """What takes part in rounds. It starts as the finished classifier of the base experiment."""

    def fit(self, number: int, images: np.ndarray, labels: np.ndarray) -> RoundFit:
        """Fit to the labelled images and these: int64 rows of the unlabeled images, and int64 labels.

        The images of a round begin with those of the round before. number: of the round, from 1.
        """

    def labelled_scores(self, rows: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) scores of rows of the labelled set."""

    def unlabeled_scores(self, rows: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) scores of rows of the unlabeled images."""

    def accepted_scores(self, images: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) scores of the images of the last fit."""

    def peak_memory_gib(self) -> float:
        """Return the most memory held so far, in GiB."""

    def checkpointed(self) -> None:
        """Do what becomes possible when the rounds so far are on disk."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""


class Setting(NamedTuple):
    """What the rounds go by.

    candidates: int64 (rounds, n) rows of the unlabeled images; validation, held_out: rows of the labelled set; labels:
    of the labelled set; labelled: how many of them are trained on; calibrate: fit the temperature of the probabilities
    on the validation images in every round.
    """

    rule: Rule
    relabel: bool
    calibrate: bool
    candidates: np.ndarray
    validation: np.ndarray
    held_out: np.ndarray
    labels: np.ndarray
    labelled: int
    classes: int


@dataclass
class Rounds:
    """What has come out so far: rows of the three tables. Round 0 is the base before any round."""

    rows: list[RoundRow] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    held_out: list[HeldOut] = field(default_factory=list)


def run_rounds(classifier: Classifier, setting: Setting, checkpoint: Checkpoint) -> Rounds:
    """Run all rounds, from the checkpoint if there is one; leave the classifier as the last round has made it.

    SIGINT and SIGTERM save a checkpoint at the end of the round under way and raise SystemExit.
    """
    rounds = _restored(classifier, load_checkpoint(checkpoint))
    last_saved = time.perf_counter()
    with deferred_stop() as stop:
        for number in range(len(rounds.rows), len(setting.candidates) + 1):
            _run_round(classifier, setting, number, rounds)
            signal_number = stop()
            last = number == len(setting.candidates)
            if signal_number or last or time.perf_counter() - last_saved >= checkpoint.seconds:
                save_checkpoint(checkpoint, _state(classifier, rounds))
                classifier.checkpointed()
                last_saved = time.perf_counter()
            if signal_number and not last:
                logging.info("stopped by signal %d; the same command goes on from here", signal_number)
                raise SystemExit(128 + signal_number)
    return rounds


def _run_round(classifier: Classifier, setting: Setting, number: int, rounds: Rounds) -> None:
    """Fit (not in round 0), measure and, unless it is the last round, accept; add to the tables."""
    start = time.perf_counter()
    fit = RoundFit()
    images = np.array([row.image for row in rounds.accepted], dtype=np.int64)
    if number:
        labels = np.array([row.label for row in rounds.accepted], dtype=np.int64)
        trained_before = sum(row.round < number - 1 for row in rounds.accepted)
        if setting.relabel and trained_before:
            labels[:trained_before] = classifier.accepted_scores(images[:trained_before]).argmax(axis=1)
        fit = classifier.fit(number, images, labels)

    validation_scores = classifier.labelled_scores(setting.validation)
    validation_labels = setting.labels[setting.validation]
    temperature = fit_temperature(validation_scores, validation_labels) if setting.calibrate else 1.0
    held_out = held_out_rows(
        number,
        predict(classifier.labelled_scores(setting.held_out), temperature),
        setting.held_out,
        setting.labels,
        setting.rule,
        setting.candidates.shape[1],
        setting.classes,
    )
    new: list[Accepted] = []
    if number < len(setting.candidates):
        candidates = setting.candidates[number]
        predictions = predict(classifier.unlabeled_scores(candidates), temperature)
        new = accepted_rows(number, predictions, candidates, setting.rule, setting.classes)
    confidences = [row.confidence for row in new]
    row = RoundRow(
        round=number,
        training_images=setting.labelled + len(images),
        accepted=len(new),
        mean_confidence=float(np.mean(confidences)) if new else None,
        lowest_confidence=min(confidences, default=None),
        held_out_images=len(held_out),
        held_out_precision=precision(held_out),
        validation_accuracy=float(np.mean(validation_scores.argmax(axis=1) == validation_labels)),
        seconds=round(time.perf_counter() - start, 2),
        peak_memory_gib=round(classifier.peak_memory_gib(), 2),
        **fit._asdict(),
    )
    rounds.rows.append(row)
    rounds.accepted += new
    rounds.held_out += held_out
    logging.info(
        "round %d of %d: %d training images, validation accuracy %.4f, %s",
        number,
        len(setting.candidates),
        row.training_images,
        row.validation_accuracy,
        _acceptance(row, new, setting.classes),
    )


def _acceptance(row: RoundRow, new: list[Accepted], classes: int) -> str:
    """Say in words what a round has accepted: how many, how surely, of which classes, and how right the rule is."""
    words = f"{row.accepted} accepted"
    if new:
        of_class = np.bincount([accepted.label for accepted in new], minlength=classes)
        words += f" (lowest confidence {row.lowest_confidence:.3f}; of each class {' '.join(map(str, of_class))})"
    if row.held_out_precision is not None:
        words += f", precision on {row.held_out_images} held-out images {row.held_out_precision:.3f}"
    return words


def _state(classifier: Classifier, rounds: Rounds) -> dict[str, Any]:
    """Return all that `_restored` needs."""
    tables = {name: [row._asdict() for row in rows] for name, rows in vars(rounds).items()}
    return {**tables, "classifier": classifier.state_dict()}


def _restored(classifier: Classifier, saved: dict[str, Any] | None) -> Rounds:
    """Return what the checkpoint holds, and set the classifier to it; without a checkpoint, the beginning."""
    if saved is None:
        return Rounds()
    classifier.load_state_dict(saved["classifier"])
    kinds = {"rows": RoundRow, "accepted": Accepted, "held_out": HeldOut}
    rounds = Rounds(**{name: [kind(**row) for row in saved[name]] for name, kind in kinds.items()})
    logging.info("resumed after round %d", rounds.rows[-1].round)
    return rounds
