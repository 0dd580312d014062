"""What the report says of one study."""

from pathlib import Path

import pandas as pd

from reporting.answers import pretraining_answers, unlabeled_answers
from reporting.comparisons import mark_baselines
from reporting.copies import copies_values
from reporting.experiments import experiment_values
from reporting.figures import best_on_validation, shown_figures
from reporting.label_curves import label_curve_values
from reporting.literature import literature_groups
from reporting.questions import limits, question_values, seen_filters
from reporting.settings import grouped_settings
from reporting.source import solver_rows
from reporting.text import Values
from semisup.dataset import SPLITS, fold_validation_images, image_count, image_shape, read_class_names
from semisup.published import literature
from semisup.tables import read_table


def extreme_classes(per_class: pd.DataFrame, experiment: str) -> tuple[Values, Values]:
    """Return the classes that are recognised most often and those least, mean of the seeds; ties are all named."""
    rows = per_class[(per_class["experiment"] == experiment) & per_class["run"].str.startswith("seed")]
    means = rows.astype({"class": str}).groupby("class")["test_accuracy"].mean()
    return tuple({"names": list(means.index[means == edge]), "accuracy": edge} for edge in (means.max(), means.min()))


def clustering_rows(folder: Path, titles: dict[str, str]) -> list[Values]:
    """Return how well each layer of each representation clusters; raw pixels first.

    first, last: whether it is the representation's first or last row; layers: how many it has.
    """
    names = {"pixels": "raw pixels, first channel"} | titles
    found = read_table(folder / "clustering.csv")
    tables = {name: found[found["representation"] == name].to_dict("records") for name in names}
    return [
        {
            "name": name,
            "title": names[name],
            "first": row is table[0],
            "last": row is table[-1],
            "layers": len(table),
            **row,
        }
        for name, table in tables.items()
        for row in table
    ]


def clustering_values(rows: list[Values]) -> Values:
    """Return what the text says of how classes cluster: all rows, the best layer of each, the best of all.

    shown_maps: that of the pixels, which comes first, and the best one of features, if there are any.
    """
    shown = max(rows, key=lambda row: (row["name"] != "pixels", row["knn_agreement"]))
    return {
        "clustering": rows,
        "best_layers": {row["name"]: row for row in rows if row["best"]},
        "best_clustering": max(rows, key=lambda row: row["knn_agreement"]),
        "shown_map": shown,
        "shown_maps": [rows[0], *([shown] if shown is not rows[0] else [])],
    }


def best_values(experiments: list[Values], per_class: pd.DataFrame) -> Values:
    """Return the best experiment by validation accuracy, its easiest and hardest class, and the best one on test."""
    best = best_on_validation(experiments)
    best_on_test = max(experiments, key=lambda experiment: experiment["seeds"]["test_accuracy_mean"])
    easiest, hardest = extreme_classes(per_class, best["name"])
    return {
        "best": best,
        "best_on_test": best_on_test,
        "best_is_best_on_test": best is best_on_test,
        "easiest": easiest,
        "hardest": hardest,
    }


def beside_source(plan: Values, experiments: list[Values], solver: pd.DataFrame, published: Values) -> Values:
    """Return what stands beside published numbers. plan: of the study; solver: solver_iterations.csv.

    followed: the experiments whose solver is followed step by step; beside_log: whether the published log of ten folds
    stands beside our own of the same method on the same data.
    """
    table, log, kind = published["solver_table"], published["exemplar_log"], plan["kind"]
    folded = {(kind, row["method"]) for row in experiments if row["folds"]}
    return {
        "followed": [
            row | {"solver": solver_rows(solver, row["name"], table)}
            for row in experiments
            if row["name"] in set(solver["experiment"])
        ],
        "beside_source": plan["of_source"],
        "beside_log": (log["data_set"], log["method"]) in folded,
    }


def study_values(name: str, plan: Values, results: Path, published: Values) -> Values:
    """Return what the text says of one study."""
    folder = results / name
    images = folder / "data" / "images.h5"
    comparison = read_table(folder / "comparison.csv").set_index("experiment")
    shape, classes = image_shape(images), len(read_class_names(images))
    experiments = [
        experiment_values(experiment, options, comparison.loc[experiment], folder, shape[1], classes)
        for experiment, options in plan["experiments"].items()
    ]
    mark_baselines(experiments, plan["baseline"])
    titles = {row["name"]: row["title"] for row in experiments}
    operations = read_table(folder / "operations.csv").set_index("experiment")["operations"]
    for row in experiments:
        row["base_title"] = titles.get(row["base"], "")
        row["operations"] = operations.get(row["name"])  # None without a model
    folded = [row for row in experiments if row["folds"]]
    counts = {split: image_count(images, split) for split in SPLITS}
    curve = label_curve_values(folder, experiments, published, plan["kind"])
    shown = shown_figures(experiments, plan["figures"]) | {"training": plan["training_figure"]}
    known = literature(published, plan["kind"])
    test_groups = int(read_table(folder / "metrics.csv")["test_groups"].iloc[0])
    return {
        "name": name,
        **plan,
        "shape": shape,
        "classes": classes,
        "counts": counts,
        "test_groups": test_groups,
        "grouped": test_groups < counts["test"],
        "copies": copies_values(folder, images),
        "fold_validation": fold_validation_images(images),
        "experiments": experiments,
        "top_k": sum(name.startswith("top") for name in experiments[0]["seeds"]),
        "methods": {row["method"] for row in experiments},
        "folded": folded,
        "folds": folded[0]["folds"] if folded else None,
        "label_curve": curve,
        "literature": literature_groups(experiments, curve["rows"] if curve else [], known, counts["unlabeled"]),
        "crosses": {row["method"] for row in known if row.get("cross")} & {row["method"] for row in experiments},
        "questions": question_values(experiments),
        "seen": seen_filters(experiments, shown),
        **limits(experiments),
        "answers": pretraining_answers(experiments),
        "help": unlabeled_answers(experiments),
        "rounds": [row for row in experiments if row["facts"]["in_rounds"]],
        "has_networks": any(row["network_file"] for row in experiments),
        "shown": shown,
        "settings": grouped_settings(experiments),
        **best_values(experiments, read_table(folder / "per_class.csv", texts=("class",))),
        **beside_source(plan, experiments, read_table(folder / "solver_iterations.csv"), published),
        **clustering_values(clustering_rows(folder, {row["name"]: row["title"] for row in experiments})),
    }
