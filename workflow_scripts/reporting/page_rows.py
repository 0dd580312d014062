"""The experiments of the page, and the rows of its tables, from the tables of `evaluate` and what was published."""

from collections.abc import Collection, Iterable
from pathlib import Path

import pandas as pd

from reporting.answers import OTHERWISE
from reporting.comparisons import verdict
from reporting.experiments import summaries
from reporting.page_text import counted
from reporting.text import Values
from semisup.cli import UserError
from semisup.comparability import accepts_nothing, different_options, not_comparable
from semisup.histories import read_columns
from semisup.run_names import COMPARED
from semisup.tables import read_table

RUNS = {"seeds": "seed", "folds": "fold", "labels": "seed"}  # what a run is, by protocol
COMPARISON = ("experiment", "seeds_labels", "seeds_runs", "seeds_test_accuracy_mean")
CURVE = ("experiment", "protocol", "labels", "runs", "test_accuracy_mean")
PER_CLASS = ("experiment", "run", "class", "test_accuracy")
CONFUSION = ("experiment", "run", "true", "predicted", "images")
TIMINGS = ("study", "experiment", "seconds")
COUNTS = ("split", "images")
CLUSTERING = ("representation", "layer", "knn_agreement", "best")
MOST_CLASSES = 20  # of a confusion matrix that is shown
MOST_PAIRS = 20  # of classes, where there are more


def experiment_rows(plan: Values, folder: Path) -> list[Values]:
    """Return the experiments of a study with what they come to. plan: of the study; folder: of its results.

    seeds, folds: the summaries of these runs, empty without any; fewer: those of runs with fewer labels.
    """
    path = folder / "comparison.csv"
    table = read_columns(path, COMPARISON, "the comparison of evaluate").set_index("experiment")
    missing = [name for name in plan["experiments"] if name not in table.index]
    if missing:
        raise UserError(f"{path} lacks the experiments {', '.join(missing)}: make it again")
    fewer = fewer_labels(folder / "label_curve.csv")
    return [
        {
            "name": name,
            **told,
            **summaries(table.loc[name]),
            "fewer": fewer.get(name, []),
            "control": told["facts"]["in_rounds"] and accepts_nothing(told["options"]),
        }
        for name, told in plan["experiments"].items()
    ]


def fewer_labels(path: Path) -> dict[str, list[Values]]:
    """Return the rows of label_curve.csv for runs with fewer labels, by experiment, without their empty cells."""
    table = read_columns(path, CURVE, "the label curve of evaluate")
    found: dict[str, list[Values]] = {}
    for row in table[table["protocol"] == "labels"].to_dict("records"):
        found.setdefault(row["experiment"], []).append({key: value for key, value in row.items() if pd.notna(value)})
    return found


def measured(row: Values) -> list[Values]:
    """Return the summaries of an experiment, one for each protocol and number of labels; protocol: of its runs."""
    compared = [{"protocol": protocol, **row[protocol]} for protocol in COMPARED if row[protocol]]
    # A column with empty cells has its whole numbers as fractions.
    return [summary | {key: int(summary[key]) for key in ("labels", "runs")} for summary in compared + row["fewer"]]


def runs_title(summary: Values) -> str:
    """Return what the runs of a summary are called; the same runs of another experiment are called so too."""
    return f"{counted(summary['labels'], 'label')}, {RUNS[summary['protocol']]}s"


def table_rows(experiments: list[Values], seconds: dict[str, float]) -> list[Values]:
    """Return the rows of the table of all experiments: of most labels first, and of these the most accurate first.

    An experiment with unlabelled images has no verdict if it differs from its baseline in other options too.
    seconds: that all jobs of an experiment took together; they stand in the row of its seeds alone.
    """
    by_name = {row["name"]: row for row in experiments}
    apart = not_comparable(by_name)
    rows = []
    for experiment in experiments:
        baseline = by_name[experiment["baseline"]]
        for summary in measured(experiment):
            of_seeds = summary["protocol"] == "seeds"
            rows.append(
                {
                    **{key: experiment[key] for key in ("name", "short", "title", "method", "family")},
                    **summary,
                    "run": RUNS[summary["protocol"]],
                    "baseline": baseline["short"],
                    "is_baseline": experiment is baseline,
                    "verdict": row_verdict(experiment, summary, apart),
                    "seconds": seconds.get(experiment["name"]) if of_seeds else None,
                }
            )
    return sorted(rows, key=lambda row: (-row["labels"], -row["test_accuracy_mean"]))


def row_verdict(experiment: Values, summary: Values, apart: Collection[str]) -> str | None:
    """Return the verdict on a difference; None without a difference. apart: names of what cannot be compared."""
    if "difference" not in summary:
        return None
    return OTHERWISE if experiment["name"] in apart else verdict(summary)


def published_rows(published: Iterable[Values], methods: Iterable[str]) -> list[Values]:
    """Return what was published of these methods on the same data, the most labels first.

    published: rows of report/published.yaml on the data set; accuracies in per cent.
    """
    wanted = set(methods)
    rows = [row for row in published if row["method"] in wanted]
    return sorted(rows, key=lambda row: (-row["labels"], -row["accuracy"]))


def seconds_of(timings: Path, study: str) -> dict[str, float]:
    """Return how long all jobs of each experiment of a study took together, in seconds."""
    table = read_columns(timings, TIMINGS, "the timings of collect_provenance")
    rows = table[(table["study"] == study) & table["experiment"].notna()]
    return rows.groupby("experiment")["seconds"].sum().to_dict()


def class_accuracies(path: Path) -> dict[str, dict[str, float]]:
    """Return the test accuracy of each class by experiment, mean of the seeds, in the order of the classes."""
    table = read_classes(path, PER_CLASS, ("class",), "the accuracies of classes of evaluate")
    means = table.groupby(["experiment", "class"], sort=False)["test_accuracy"].mean()
    found: dict[str, dict[str, float]] = {}
    for (experiment, name), value in means.items():
        found.setdefault(experiment, {})[name] = value
    return found


def read_classes(path: Path, columns: tuple[str, ...], names: tuple[str, ...], expected: str) -> pd.DataFrame:
    """Return the rows of seeds of a table of classes. names: the columns that have names of classes."""
    read_columns(path, columns, expected)
    table = read_table(path, texts=names)
    return table[table["run"].str.startswith("seed")]


def class_confusions(path: Path) -> dict[str, Values]:
    """Return by experiment which classes are taken for which, over all seeds.

    names, rows: the matrix; of very many classes instead pairs: those taken for each other most often.
    """
    table = read_classes(path, CONFUSION, ("true", "predicted"), "the confusions of evaluate")
    found = {}
    for experiment, rows in table.groupby("experiment", sort=False):
        names = list(dict.fromkeys(rows["true"]))
        counts = rows.pivot_table(index="true", columns="predicted", values="images", aggfunc="sum").loc[names, names]
        small = len(names) <= MOST_CLASSES
        found[experiment] = (
            {"names": names, "rows": confusion_rows(counts)} if small else {"pairs": frequent_confusions(counts)}
        )
    return found


def confusion_rows(counts: pd.DataFrame) -> list[Values]:
    """Return for each true class the fractions of its images that get each class.

    counts: of images; a row for each true class, a column for each predicted one.
    """
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    return [{"name": name, "shares": list(row)} for name, row in zip(shares.index, shares.to_numpy(), strict=True)]


def frequent_confusions(counts: pd.DataFrame) -> list[Values]:
    """Return the pairs of a true and another class that most images are of, at most MOST_PAIRS."""
    pairs = [
        {"true": true, "predicted": predicted, "images": int(images)}
        for true, row in zip(counts.index, counts.to_numpy(), strict=True)
        for predicted, images in zip(counts.columns, row, strict=True)
        if true != predicted and images > 0
    ]
    return sorted(pairs, key=lambda pair: -pair["images"])[:MOST_PAIRS]


def image_counts(path: Path) -> dict[str, int]:
    """Return the number of images of each split, from the table of near copies."""
    table = read_columns(path, COUNTS, "the counts of find_copies")
    return dict(zip(table["split"], map(int, table["images"]), strict=True))


def best_layers(path: Path) -> dict[str, Values]:
    """Return by experiment the layer in whose map most neighbours are of one class; layers: how many it has."""
    table = read_columns(path, CLUSTERING, "the clustering of embed_tsne")
    layers = table["representation"].value_counts()
    rows = table[table["best"]].to_dict("records")
    return {row["representation"]: row | {"layers": int(layers[row["representation"]])} for row in rows}


def option_rows(row: Values, baseline: Values) -> list[Values]:
    """Return the options that an experiment and its baseline both have and that differ."""
    names = different_options(row, baseline)
    return [{"name": name, "own": row["options"][name], "other": baseline["options"][name]} for name in names]


def own_options(row: Values, baseline: Values) -> list[Values]:
    """Return the options of an experiment that its baseline does not have; all of them where it is its own baseline."""
    names = [name for name in row["options"] if row is baseline or name not in baseline["options"]]
    return [{"name": name, "own": row["options"][name]} for name in names]


def compared_values(experiments: list[Values], classes: dict[str, dict[str, float]]) -> list[Values]:
    """Return what the comparison of two experiments is worked out from in the browser.

    runs: the summaries by their name, which is that of the same runs of another experiment; classes: test accuracies.
    """
    keys = ("labels", "runs", "validation_accuracy_mean", "test_accuracy_mean", "test_accuracy_low")
    keys += ("test_accuracy_high", "difference", "difference_low", "difference_high", "difference_runs")
    return [
        {
            **{key: row[key] for key in ("name", "short", "title", "baseline")},
            "runs": {
                runs_title(summary): {key: summary[key] for key in keys if key in summary} for summary in measured(row)
            },
            "classes": classes.get(row["name"], {}),
        }
        for row in experiments
    ]
