"""Measure every run of a study on the sealed test set. No other program reads test labels.

It also writes the labels of a random sample of test images, for figures. No other output has labels of single test
images.

The folder of a file of scores is the run, and the folder above it is the experiment.

Every interval is a bootstrap over test images, in which images of one group stay together. With several runs, the runs
are drawn too.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from semisup.cli import UserError, fraction, name_pair, positive_int, run_program
from semisup.dataset import read_class_names, read_labelled, read_test_groups, read_test_labels, run_rows
from semisup.files import file_checksum
from semisup.metrics import bootstrap_interval, top_k_error, true_label_ranks
from semisup.run_names import COMPARED, FORMS, parsed_run
from semisup.scores import read_arrays
from semisup.tables import write_table

SAMPLE_SEED = 0
CURVE_COLUMNS = (
    *("experiment", "baseline", "labels", "protocol", "runs", "validation_accuracy_mean", "test_accuracy_mean"),
    *("test_accuracy_std", "test_accuracy_low", "test_accuracy_high"),
    *("difference_runs", "difference", "difference_low", "difference_high"),
)


class Run(NamedTuple):
    """A run's identity, its scores (N, classes), and the ranks (N,) of the true labels among them."""

    experiment: str
    name: str
    protocol: str
    scores_sha256: str
    validation_images: int
    validation_accuracy: float
    test_scores: np.ndarray
    test_ranks: np.ndarray


class Interval(NamedTuple):
    """How intervals are made: groups of the test images, int64 (N,), number of bootstrap samples and coverage."""

    groups: np.ndarray
    samples: int
    confidence: float


def read_run(path: Path, labelled: np.ndarray, test_labels: np.ndarray, classes: int) -> Run:
    """Read and check the scores of a run; labelled: labels of train and validation.

    Raises UserError for a folder that names no run, unless there is one score for each image and class, and for scores
    that are not finite.
    """
    name = parsed_run(path.parent.name)
    if name is None:
        raise UserError(
            f"{path} lies in no run's folder: give <experiment>/<run>/scores.npz, where run is like {FORMS}"
        )
    validation, rows, test = read_arrays(path, ["validation", "validation_rows", "test"])
    for split, scores, images in (("validation", validation, len(rows)), ("test", test, len(test_labels))):
        if scores.shape != (images, classes):
            raise UserError(
                f"{path} has {split} scores of shape {scores.shape}, and there are {images} images and {classes} "
                "classes: delete it and run again"
            )
        if not np.isfinite(scores).all():
            raise UserError(f"{path} has {split} scores that are not finite: delete {path.parent} and run again")
    return Run(
        experiment=path.parent.parent.name,
        name=path.parent.name,
        protocol=name.protocol,
        scores_sha256=file_checksum(path, "sha256"),
        validation_images=len(rows),
        validation_accuracy=float(np.mean(validation.argmax(axis=1) == labelled[rows])),
        test_scores=test,
        test_ranks=true_label_ranks(test, test_labels),
    )


def run_metrics(run: Run, images: str, top_k: int, interval: Interval) -> dict[str, Any]:
    """Return the row of a run in metrics.csv."""
    train, _ = run_rows(images, run.name)
    correct = right_answers([run])
    low, high = bootstrap_interval(correct, *interval)
    errors = {f"top{k}_error": top_k_error(run.test_ranks, k) for k in range(1, top_k + 1)}
    return {
        "experiment": run.experiment,
        "run": run.name,
        "protocol": run.protocol,
        "labels": len(train),
        "validation_images": run.validation_images,  # rounds of pseudo-labels hold some out
        "validation_accuracy": run.validation_accuracy,
        "test_images": correct.size,
        "test_groups": len(np.unique(interval.groups)),
        "test_accuracy": correct.mean(),
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        **errors,
        "scores_sha256": run.scores_sha256,
    }


def per_class_rows(run: Run, test_labels: np.ndarray, class_names: list[str]) -> list[dict[str, Any]]:
    """Return one row for each class: how many images, and the fraction that is right."""
    return [
        {
            "experiment": run.experiment,
            "run": run.name,
            "class": name,
            "images": int(np.sum(test_labels == label)),
            "test_accuracy": float(np.mean(run.test_ranks[test_labels == label] == 0)),
        }
        for label, name in enumerate(class_names)
        if np.any(test_labels == label)
    ]


def confusion_rows(run: Run, test_labels: np.ndarray, class_names: list[str]) -> list[dict[str, Any]]:
    """Return one row for each pair of true and predicted class: the number of images."""
    counts = np.zeros((len(class_names), len(class_names)), int)
    np.add.at(counts, (test_labels, run.test_scores.argmax(axis=1)), 1)
    return [
        {"experiment": run.experiment, "run": run.name, "true": true, "predicted": predicted, "images": counts[i, j]}
        for i, true in enumerate(class_names)
        for j, predicted in enumerate(class_names)
    ]


def right_answers(runs: list[Run]) -> np.ndarray:
    """Return float64 (runs, N): 1 where a run has a test image right, 0 where it has not."""
    return np.array([run.test_ranks == 0 for run in runs], float)


def protocol_summary(
    runs: list[Run], baseline: list[Run], labels: int, top_k: int, interval: Interval
) -> dict[str, Any]:
    """Summarise an experiment's runs of one protocol, and the paired difference to the baseline's runs of equal name.

    labels: of each of the runs; those of different numbers are never averaged.
    Standard deviations divide by the number of runs minus one. Intervals resample runs and test images.
    """
    correct = right_answers(runs)
    accuracies = correct.mean(axis=1)
    low, high = bootstrap_interval(correct, *interval)
    summary = {
        "labels": labels,
        "runs": len(runs),
        "validation_accuracy_mean": np.mean([run.validation_accuracy for run in runs]),
        "test_accuracy_mean": np.mean(accuracies),
        "test_accuracy_std": np.std(accuracies, ddof=1) if len(runs) > 1 else None,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        **{
            f"top{k}_error_mean": np.mean([top_k_error(run.test_ranks, k) for run in runs]) for k in range(1, top_k + 1)
        },
    }
    theirs = {run.name: run for run in baseline}
    pairs = [(run, theirs[run.name]) for run in runs if run.name in theirs]
    if pairs and runs[0].experiment != baseline[0].experiment:
        differences = right_answers([run for run, _ in pairs]) - right_answers([twin for _, twin in pairs])
        low, high = bootstrap_interval(differences, *interval)
        summary |= {
            "difference_runs": len(pairs),
            "difference": differences.mean(),
            "difference_low": low,
            "difference_high": high,
        }
    return summary


def comparison_rows(
    runs: list[Run], baselines: dict[str, str], images: str, top_k: int, interval: Interval
) -> list[dict[str, Any]]:
    """Return one row for each experiment; seeds and folds have columns of their own, fewer labels none.

    baselines: for each experiment, the one that its paired difference is taken to.
    """
    rows = []
    for experiment in dict.fromkeys(run.experiment for run in runs):
        baseline = baselines[experiment]
        row: dict[str, Any] = {"experiment": experiment, "baseline": baseline}
        for protocol in COMPARED:
            ours, theirs = (
                [run for run in runs if run.protocol == protocol and run.experiment == name]
                for name in (experiment, baseline)
            )
            if ours:
                labels = len(run_rows(images, ours[0].name)[0])
                summary = protocol_summary(ours, theirs, labels, top_k, interval)
                row |= {f"{protocol}_{key}": value for key, value in summary.items()}
        rows.append(row)
    return rows


def runs_by_labels(runs: list[Run], images: str) -> dict[int, list[Run]]:
    """Return an experiment's runs by their number of labels, which rises.

    Seeds, and then folds, are there if no other runs have as many labels: other protocols are not averaged together.
    """
    groups: dict[int, list[Run]] = {}
    for run in runs:
        if run.protocol == "labels":
            groups.setdefault(len(run_rows(images, run.name)[0]), []).append(run)
    for protocol in COMPARED:
        group = [run for run in runs if run.protocol == protocol]
        if group:
            groups.setdefault(len(run_rows(images, group[0].name)[0]), group)
    return dict(sorted(groups.items()))


def label_curve_rows(
    runs: list[Run], baselines: dict[str, str], images: str, top_k: int, interval: Interval
) -> list[dict[str, Any]]:
    """Return one row for each number of labels of each experiment that has runs with fewer labels than all."""
    rows = []
    for experiment in dict.fromkeys(run.experiment for run in runs if run.protocol == "labels"):
        ours, theirs = ([run for run in runs if run.experiment == name] for name in (experiment, baselines[experiment]))
        for labels, group in runs_by_labels(ours, images).items():
            summary = protocol_summary(group, theirs, labels, top_k, interval)
            names = {"experiment": experiment, "baseline": baselines[experiment], "protocol": group[0].protocol}
            rows.append(names | summary)
    return rows


def solver_rows(path: Path, labelled: np.ndarray, test_labels: np.ndarray) -> list[dict[str, Any]]:
    """Return one row for each number of solver steps: train, validation and test accuracy. Steps 0: exact solution."""
    names = ["steps", "train", "validation", "test", "train_rows", "validation_rows"]
    steps, train, validation, test, train_rows, validation_rows = read_arrays(path, names)
    scored = {
        "train": (train, labelled[train_rows]),
        "validation": (validation, labelled[validation_rows]),
        "test": (test, test_labels),
    }
    accuracies = {name: np.mean(scores.argmax(axis=2) == labels, axis=1) for name, (scores, labels) in scored.items()}
    return [
        {
            "experiment": path.parent.parent.name,
            "run": path.parent.name,
            "steps": int(count),
            **{f"{name}_accuracy": float(values[index]) for name, values in accuracies.items()},
        }
        for index, count in enumerate(steps)
    ]


def sample_rows(test_labels: np.ndarray, count: int) -> list[dict[str, int]]:
    """Return row and label of `count` random test images, or of all if there are fewer, in increasing order."""
    rng = np.random.default_rng(SAMPLE_SEED)
    rows = np.sort(rng.choice(len(test_labels), min(count, len(test_labels)), replace=False))
    return [{"row": int(row), "label": int(test_labels[row])} for row in rows]


def checked_baselines(pairs: list[tuple[str, str]], experiments: set[str]) -> dict[str, str]:
    """Return the baseline of each experiment. Raises UserError if one is missing or has no scores."""
    baselines = dict(pairs)
    for experiment in sorted(experiments - set(baselines)):
        raise UserError(f"experiment {experiment} has no baseline: give --baselines {experiment}=<an experiment>")
    for experiment, baseline in baselines.items():
        if baseline not in experiments:
            raise UserError(
                f"baseline {baseline} of {experiment} is not among the experiments that have scores: give one of them"
            )
    return baselines


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the seven tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", nargs="+", type=Path, required=True, help=".../<experiment>/<run>/scores.npz")
    parser.add_argument("--solver-scores", nargs="*", type=Path, default=[], help=".../<run>/solver_iterations.npz")
    parser.add_argument("--images", required=True, help="data set (HDF5), for the labels of train and validation")
    parser.add_argument("--test-labels", required=True, help="sealed test labels (HDF5)")
    parser.add_argument(
        "--baselines",
        nargs="+",
        type=name_pair,
        required=True,
        metavar="EXPERIMENT=BASELINE",
        help="for each experiment, the one that its paired difference is taken to; itself: none",
    )
    parser.add_argument("--top-k", type=positive_int, required=True)
    parser.add_argument("--bootstrap-samples", type=positive_int, required=True)
    parser.add_argument("--confidence", type=fraction, required=True)
    parser.add_argument(
        "--sample-images", type=positive_int, required=True, help="test images whose labels go into --test-sample"
    )
    for table in ("metrics", "per-class", "confusion", "comparison", "label-curve", "solver-iterations", "test-sample"):
        parser.add_argument(f"--{table}", required=True, help="table to write (CSV)")
    options = parser.parse_args(arguments)

    labelled, test_labels = read_labelled(options.images), read_test_labels(options.test_labels)
    class_names = read_class_names(options.images)
    interval = Interval(read_test_groups(options.test_labels), options.bootstrap_samples, options.confidence)
    runs = [read_run(path, labelled, test_labels, len(class_names)) for path in options.scores]
    baselines = checked_baselines(options.baselines, {run.experiment for run in runs})
    solver = [row for path in options.solver_scores for row in solver_rows(path, labelled, test_labels)]
    top_k = min(options.top_k, max(1, len(class_names) - 1))  # among all classes the right one always is
    comparison = comparison_rows(runs, baselines, options.images, top_k, interval)
    curves = label_curve_rows(runs, baselines, options.images, top_k, interval)
    write_table(options.metrics, [run_metrics(run, options.images, top_k, interval) for run in runs])
    write_table(options.per_class, [row for run in runs for row in per_class_rows(run, test_labels, class_names)])
    write_table(options.confusion, [row for run in runs for row in confusion_rows(run, test_labels, class_names)])
    write_table(options.comparison, comparison)
    write_table(options.label_curve, curves, columns=CURVE_COLUMNS)
    write_table(
        options.solver_iterations,
        solver,
        columns=["experiment", "run", "steps", "train_accuracy", "validation_accuracy", "test_accuracy"],
    )
    write_table(options.test_sample, sample_rows(test_labels, options.sample_images))
    for row in comparison:
        for protocol in COMPARED:
            if f"{protocol}_runs" in row:
                logging.info(
                    "%s, %d %s: test accuracy %.4f",
                    row["experiment"],
                    row[f"{protocol}_runs"],
                    protocol,
                    row[f"{protocol}_test_accuracy_mean"],
                )


if __name__ == "__main__":
    run_program(main)
