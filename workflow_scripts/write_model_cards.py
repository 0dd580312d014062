"""Write a model card (Markdown) for each of several models of a study: what it is, how good it is, what it is for.

The content of a card comes from the model, the data set, the tables of `evaluate`, and --plan, which holds what the
configuration and the declarations say. The folder of a model is the run, and the folder above it is the experiment.
"""

import argparse
import csv
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py

from semisup.cli import UserError, run_program
from semisup.files import atomic_path, file_checksum
from semisup.hdf5 import open_hdf5
from semisup.model_format import About, read_about
from semisup.plans import add_plan
from semisup.run_names import COMPARED, FORMS, RunName, parsed_run

Row = dict[str, str]
Plan = dict[str, Any]

MARKUP = re.compile(r"([\\`*_\[\]<>|#~])")


class Contents(NamedTuple):
    """What a model's file says.

    size, channels: of its images, None where the file does not say; network: its name, and weights: their number,
    where it has one; precision, computed_on: of a training of a network.
    """

    about: About
    class_names: list[str]
    kind: str
    size: int | None
    channels: int | None
    network: str | None
    weights: int | None
    precision: str | None
    computed_on: Plan


def read_contents(path: Path) -> Contents:
    """Read what a model's file says, without the libraries that it takes to run it."""
    about = read_about(path)
    with open_hdf5(path) as file:
        groups = [file, *(value for value in file.values() if isinstance(value, h5py.Group))]
        network = file["network"].attrs if "network" in file else {}
        sizes = [group.attrs["image_size"] for group in groups if "image_size" in group.attrs]
        sizes += [network["size"]] if "size" in network else []
        channels = network.get("channels", file.attrs.get("channels"))
        return Contents(
            about=about,
            class_names=[str(name) for name in file.attrs["class_names"]],
            kind=str(file.attrs["kind"]),
            size=int(sizes[0]) if sizes else None,
            channels=None if channels is None else int(channels),
            network=network["network"] if network else None,
            weights=json.loads(network["facts"])["weights"] if network else None,
            precision=file.attrs.get("precision"),
            computed_on=json.loads(file.attrs.get("computed_on", "{}")),
        )


def read_source(images: str) -> str:
    """Return where a data set says that it comes from."""
    with open_hdf5(images) as file:
        return str(file.attrs["source"])


def read_rows(path: str) -> list[Row]:
    """Read the rows of a table; an empty cell is an empty text."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def row_of(rows: list[Row], path: str, **keys: str) -> Row:
    """Return the row with these values. Raises UserError if there is none."""
    for row in rows:
        if keys.items() <= row.items():
            return row
    raise UserError(f"{path} has no row of {' '.join(keys.values())}: delete it and run again")


def text(value: object) -> str:
    """Return a text for a cell or a sentence of Markdown: in one line, and nothing in it is markup."""
    return MARKUP.sub(r"\\\1", " ".join(str(value).split()))


def prose(value: object) -> str:
    """Return a sentence of a declaration, which may hold marks of code, in one line."""
    return " ".join(str(value).split()).replace("|", r"\|")


def percent(value: str | float) -> str:
    """0.4532 -> 45.3 %."""
    return f"{100 * float(value):.1f} %"


def interval(row: Row, prefix: str, confidence: float) -> str:
    """Say the interval of an accuracy: (95 % interval 48.6 % to 75.3 %)."""
    low, high = (percent(row[f"{prefix}_{end}"]) for end in ("low", "high"))
    return f"({confidence:.4g} % interval {low} to {high})"


def protocol(name: RunName, labels: int) -> str:
    """Say what a run trains on."""
    if name.protocol == "folds":
        return f"fold {name.number} of the data set: {labels:,} labelled images"
    part = "all" if name.labels is None else f"{labels:,} of the"
    return f"{part} training images of the study's split, seed {name.number}"


def model_row(contents: Contents) -> str:
    """Say what the model is."""
    words = [f"kind `{contents.kind}`"]
    if contents.network:
        words.append(f"network `{contents.network}`, {contents.weights:,} weights")
    if contents.size:
        channels = f" × {contents.channels}" if contents.channels else ""
        words.append(f"sees images of {contents.size} × {contents.size}{channels}")
    return "; ".join(words)


def precision_row(contents: Contents) -> str | None:
    """Say in which number format the model was made; None where it has no choice."""
    if contents.precision is None:
        return None
    made = contents.computed_on
    trained = f"; trained with products in {made['products']} on {text(made['processor'])}" if made else ""
    return f"option `{contents.precision}`{trained}"


def compared_rows(row: Row, confidence: float) -> list[tuple[str, str]]:
    """Say the mean accuracy of the experiment's seeds, and of its folds, where there are several."""
    found = []
    for name in COMPARED:
        runs = int(float(row.get(f"{name}_runs") or 0))
        if runs > 1:
            mean, std = (percent(row[f"{name}_test_accuracy_{part}"]) for part in ("mean", "std"))
            limits = interval(row, f"{name}_test_accuracy", confidence)
            found.append((f"test accuracy, mean of {runs} {name}", f"{mean} ± {std} {limits}"))
    return found


def limits_of(contents: Contents, measured: Row, embedded: bool) -> list[str]:
    """Say in sentences what the model is not good for."""
    about = contents.about
    lines = [
        f"It knows {len(contents.class_names)} classes: what shows none of them gets one of them all the same.",
        "Its accuracy is that on images of the same data set; other cameras, places and ways to frame a picture were "
        "not tried.",
        f"Its confidences are calibrated (temperature {about.temperature:.3g}) on {about.validation_images:,} "
        "validation images, on which choices of the training were made too: they hold for images like those.",
    ]
    if contents.size:
        lines.append(f"Every picture becomes a square of {contents.size} pixels: smaller things are lost.")
    images, groups = int(measured["test_images"]), int(measured["test_groups"])
    if groups < images:
        lines.append(
            f"The {images:,} test images come in {groups:,} groups within which they are not independent; the interval "
            "allows for it."
        )
    if embedded:
        lines.append("The data set is a small one for demonstrations: the model is none for practical use.")
    return lines


def card(path: Path, plan: Plan, contents: Contents, source: str, tables: dict[str, Row | list[Row]]) -> str:
    """Return the text of a card.

    source: what `read_source` returned; tables: the row of the run in metrics.csv, that of the experiment in
    comparison.csv, and those of the run in per_class.csv.
    """
    experiment, run = path.parent.parent.name, path.parent.name
    told, about, confidence = plan["experiments"][experiment], contents.about, 100 * plan["confidence"]
    measured = tables["metrics"]
    found = {row["class"]: percent(row["test_accuracy"]) for row in tables["per_class"]}
    rows = [
        ("method", prose(told["about"])),
        ("model", model_row(contents)),
        ("data", f"{prose(plan['data_about'])} Source: {text(source)}."),
        ("licence of the data", prose(plan["licence"])),
        ("labels", f"{about.labels:,} labelled training images"),
        ("unlabeled images", f"used for: {told['unlabeled']}" if told["unlabeled"] else "not used"),
        ("protocol", protocol(parsed_run(run), about.labels)),
        (
            "test accuracy",
            f"{percent(measured['test_accuracy'])} {interval(measured, 'test_accuracy', confidence)}, "
            f"of {int(measured['test_images']):,} sealed images",
        ),
        *compared_rows(tables["comparison"], confidence),
        ("validation accuracy", f"{percent(about.validation_accuracy)} of {about.validation_images:,} images"),
        (
            "classes, with test accuracy",
            ", ".join(" ".join(filter(None, (text(name), found.get(name)))) for name in contents.class_names),
        ),
        ("precision", precision_row(contents)),
    ]
    lines = [
        f"# Model card: {text(told['title'])}",
        "",
        f"Of `{path}`, run `{run}` of the experiment `{experiment}` of the study {text(plan['title'])}.",
        f"SHA-256 of the file: `{file_checksum(path, 'sha256')}`.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows if value is not None),
        "",
        "## Intended use",
        "",
        "Telling these classes apart in pictures like those of the data set:",
        "",
        f"    python workflow_scripts/predict.py --model {path} --images PICTURES --predictions out.csv",
        "",
        "## Limits",
        "",
        *(f"- {line}" for line in limits_of(contents, measured, plan["embedded"])),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the cards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", type=Path, default=[], help=".../<experiment>/<run>/model.h5")
    parser.add_argument("--images", required=True, help="data set (HDF5), for where it comes from")
    for table in ("metrics", "comparison", "per-class"):
        parser.add_argument(f"--{table}", required=True, help="table of `evaluate` (CSV)")
    add_plan(parser, "what configuration and declarations say")
    parser.add_argument("--cards", nargs="*", default=[], help="cards to write (Markdown), one for each model")
    options = parser.parse_args(arguments)
    if len(options.models) != len(options.cards):
        raise UserError(f"--models has {len(options.models)} files and --cards {len(options.cards)}: give one for each")
    source = read_source(options.images)
    metrics, comparison, per_class = map(read_rows, (options.metrics, options.comparison, options.per_class))
    texts = []
    for path in options.models:
        experiment, run = path.parent.parent.name, path.parent.name
        if parsed_run(run) is None or experiment not in options.plan["experiments"]:
            raise UserError(
                f"{path} lies in no run's folder of the plan: give <experiment>/<run>/model.h5, like {FORMS}"
            )
        keys = {"experiment": experiment, "run": run}
        tables = {
            "metrics": row_of(metrics, options.metrics, **keys),
            "comparison": row_of(comparison, options.comparison, experiment=experiment),
            "per_class": [row for row in per_class if keys.items() <= row.items()],
        }
        texts.append(card(path, options.plan, read_contents(path), source, tables))
    for path, written in zip(options.cards, texts, strict=True):
        with atomic_path(path) as temporary:
            temporary.write_text(written, encoding="utf-8")
    logging.info("%d model cards written", len(texts))


if __name__ == "__main__":
    run_program(main)
