"""Classify pictures with a trained model: python predict.py --model model.h5 --images PICTURES --predictions out.csv.

PICTURES are image files, folders of them (with all folders below, in the order of the names, 2.png before 10.png),
data sets (HDF5) or files of STL-10 (.bin). The table has the columns file, class, confidence, second and
second_confidence. With --kaggle it has Id (from 1, in the order of the images) and Prediction (number of the class,
from 1). The confidence is the model's probability, calibrated on its validation images.
"""

import argparse
import logging
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))  # which PYTHONSAFEPATH leaves out

from semisup.batches import Batch, Listed, Reading, batches, class_key, listed
from semisup.calibration import probabilities
from semisup.cli import UserError, natural_int, positive_int, run_program
from semisup.device import leased_device
from semisup.edges import edge_pixels
from semisup.hdf5 import finite
from semisup.model_files import Model, read_model
from semisup.outputs import check_outputs, given
from semisup.pictures import FITS
from semisup.sheet import end_sheet, new_sheet, write_figure
from semisup.tables import new_table

COLUMNS = ("file", "class", "confidence", "second", "second_confidence")
KAGGLE_COLUMNS = ("Id", "Prediction")
EMPTY_EDGE = 64  # grey levels from black or white: closer than that, things were learned before an empty ground
OTHER_EDGE = 100  # grey levels that the edge of a picture of the other ground differs by
UNSURE = 0.5  # confidence


@dataclass
class Tally:
    """What has come out so far: of each class how many; confusion: rows are the true classes, where they are known."""

    counts: np.ndarray
    confusion: np.ndarray
    unsure: int = 0
    skipped: int = 0
    other_ground: int = 0

    def skip(self) -> None:
        """Count a picture that cannot be read."""
        self.skipped += 1


def new_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=given, required=True, help="model.h5 of a run")
    parser.add_argument(
        "--images", type=given, nargs="+", required=True, help="pictures, folders of them, data sets (HDF5), .bin files"
    )
    parser.add_argument("--predictions", required=True, help="table to write (CSV)")
    parser.add_argument("--kaggle", action="store_true", help="write the columns Id and Prediction")
    parser.add_argument("--html", help="also write a sheet of all images with their classes (one HTML file)")
    parser.add_argument("--fit", choices=FITS, default="crop", help="how a picture becomes a square (default: crop)")
    parser.add_argument("--invert", action="store_true", help="classify the negatives of the images")
    parser.add_argument("--strict", action="store_true", help="stop at a picture that cannot be read")
    parser.add_argument("--split", default="test", help="images of a data set to classify (default: test)")
    parser.add_argument("--block", type=positive_int, default=128, help="images in memory at once")
    parser.add_argument("--gpu", type=natural_int, default=0, help="1: compute on a GPU if there is one (default: 0)")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the predictions."""
    options = new_parser().parse_args(arguments)
    model = read_model(options.model)
    facts = facts_of(model)
    for line in facts:
        logging.info("%s", line)
    classes = {class_key(name): label for label, name in enumerate(model.class_names)}
    reading = Reading(model.channels, model.size, options.fit, options.block, options.split, options.strict)
    what = listed(options.images, classes)
    outputs = [path for path in (options.predictions, options.html) if path is not None]
    check_outputs(outputs, [options.model, *what.sets, *(picture for picture, _ in what.pictures)])
    tally = Tally(*(np.zeros((len(model.class_names),) * sides, np.int64) for sides in (1, 2)))
    sheet = new_sheet(options.html, f"Predictions of {options.model}", facts) if outputs[1:] else nullcontext()
    columns = KAGGLE_COLUMNS if options.kaggle else COLUMNS
    with (
        new_table(options.predictions, columns) as write,
        sheet as html,
        leased_device(options.gpu) as device,
    ):
        found = (inverted(batch) if options.invert else batch for batch in batches(what, reading, tally.skip))
        for batch, scores in scored(found, model, device):
            rows = answers(batch, finite(scores, options.model, "scores"), model)
            write([{name: row[name] for name in columns} for row in rows])
            count(tally, batch, rows, model)
            if html:
                for image, label, row in zip(batch.images, batch.labels, rows, strict=True):
                    write_figure(html, image, row, None if label is None else model.class_names[label])
        if not tally.counts.any():
            raise UserError(f"none of {tally.skipped} pictures can be read: give others")
        lines = summary(tally, what, model)
        if html:
            end_sheet(html, lines, model.class_names, tally.confusion)
    for line in [*lines, *confusions(tally, model.class_names)]:
        logging.info("%s", line)
    logging.info("%d predictions written to %s", tally.counts.sum(), options.predictions)


def inverted(batch: Batch) -> Batch:
    """Return the negatives of the images."""
    return batch._replace(images=255 - batch.images)


def scored(found: Iterator[Batch], model: Model, device: torch.device) -> Iterator[tuple[Batch, np.ndarray]]:
    """Yield each batch with its scores, float32 (n, classes)."""
    waiting: deque[Batch] = deque()

    def blocks() -> Iterator[np.ndarray]:
        for batch in found:
            waiting.append(batch)
            yield batch.images

    for scores in model.scores(blocks(), device):
        yield waiting.popleft(), scores


def answers(batch: Batch, scores: np.ndarray, model: Model) -> list[dict]:
    """Return a row for each image, with all columns; of equal scores the lower class comes first, as in evaluations."""
    first, second = np.argsort(-scores, axis=1, kind="stable")[:, :2].T
    chances = probabilities(scores, model.about.temperature)
    return [
        {
            "Id": number,
            "Prediction": int(best) + 1,
            "file": name,
            "class": model.class_names[best],
            "confidence": round(float(chance[best]), 4),
            "second": model.class_names[next_best],
            "second_confidence": round(float(chance[next_best]), 4),
        }
        for number, name, best, next_best, chance in zip(
            batch.numbers, batch.names, first, second, chances, strict=True
        )
    ]


def count(tally: Tally, batch: Batch, rows: Sequence[dict], model: Model) -> None:
    """Add the rows of a batch to the tally."""
    for label, row in zip(batch.labels, rows, strict=True):
        tally.counts[row["Prediction"] - 1] += 1
        tally.unsure += row["confidence"] < UNSURE
        if label is not None:
            tally.confusion[label, row["Prediction"] - 1] += 1
    learned = model.about.edge
    if min(learned, 255 - learned) < EMPTY_EDGE:
        edges = edge_pixels(batch.images).mean(axis=(1, 2))
        tally.other_ground += int(np.sum(np.abs(edges - learned) > OTHER_EDGE))


def facts_of(model: Model) -> list[str]:
    """Say in lines what the model is."""
    about = model.about
    return [
        f"model: {model.description}, learned with {about.labels} labels of the data set {about.data} ({about.run})",
        f"it knows {len(model.class_names)} classes: {', '.join(model.class_names)}",
        f"of {about.validation_images} validation images it gets {about.validation_accuracy:.1%} right; what shows "
        "none of its classes gets one of them all the same",
    ]


def summary(tally: Tally, what: Listed, model: Model) -> list[str]:
    """Say in lines what has come out."""
    names, total = model.class_names, int(tally.counts.sum())
    order = [label for label in np.argsort(-tally.counts, kind="stable") if tally.counts[label]]
    skipped = f"skipped, as they cannot be read: {tally.skipped}"
    lines = [
        f"classified: {total} ({', '.join(f'{names[label]} {tally.counts[label]}' for label in order)})",
        f"with a confidence below {UNSURE:.0%}: {tally.unsure}",
        f"{skipped}; passed over (hidden, texts, of systems): {what.passed_over}",
    ]
    if tally.other_ground:
        learned, other = ("dark", "light") if model.about.edge < 128 else ("light", "dark")  # noqa: PLR2004
        lines.append(
            f"{tally.other_ground} of {total} are {other} at their edges, and what the model has learned from is "
            f"{learned} there: if these are negatives, as digits in ink on paper are, give --invert"
        )
    known = int(tally.confusion.sum())
    if known:
        right = int(np.trace(tally.confusion))
        lines.append(f"accuracy {right / known:.1%}: {right} of {known} in folders that are named after classes")
    return lines


def confusions(tally: Tally, names: Sequence[str]) -> list[str]:
    """Say in a line for each true class what its images are taken for."""
    lines = []
    for name, counts in zip(names, tally.confusion, strict=True):
        taken = [f"{names[other]} {counts[other]}" for other in np.argsort(-counts, kind="stable") if counts[other]]
        if taken:
            lines.append(f"truly {name} {counts.sum()}: taken for {', '.join(taken)}")
    return lines


if __name__ == "__main__":
    run_program(main)
