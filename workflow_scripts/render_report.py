"""Write the LaTeX of the report: the template filled with numbers that rules have made, and with nothing else."""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from semisup.cli import run_program
from semisup.dataset import SPLITS, image_count, image_shape
from semisup.files import atomic_path
from semisup.tables import read_table

Values = dict[str, Any]
EMBEDDED = ("photos", "mnist5k")  # data sets that come with the packages
PROTOCOLS = ("seeds", "folds")


# How values are written


def tex(text: object) -> str:
    """Escape LaTeX's special characters."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(char, f"\\{char}" if char in "&%$#_{}" else char) for char in str(text))


def percent(value: float) -> str:
    """0.4532 -> 45.3."""
    return f"{100 * value:.1f}"


def mean_std(summary: Values) -> str:
    """Mean and standard deviation of the test accuracy in per cent; the mean alone if there was one run."""
    mean = percent(summary["test_accuracy_mean"])
    if "test_accuracy_std" not in summary:
        return mean
    return f"{mean} $\\pm$ {percent(summary['test_accuracy_std'])}"


def difference(summary: Values) -> str:
    """Return the paired difference with its interval in percentage points, or a dash for the baseline itself."""
    if "difference" not in summary:
        return "--"
    value, low, high = (100 * summary[key] for key in ("difference", "difference_low", "difference_high"))
    return f"${value:+.1f}$ [${low:+.1f}$, ${high:+.1f}$]"


FILTERS = {
    "tex": tex,
    "percent": percent,
    "percent0": lambda value: f"{100 * value:.0f}",
    "count": lambda value: f"{int(value):,}".replace(",", "\\,"),
    "decimals": lambda value: f"{value:.3f}".replace("-", "$-$"),
    "decimals1": lambda value: f"{value:.1f}",
    "whole": lambda value: "--" if pd.isna(value) else f"{value:.0f}",
    "commit": lambda value: value[:12] if value else "unknown",
    "mean_std": mean_std,
    "difference": difference,
}


# What the text speaks of


def attainable(value: float, count: int) -> bool:
    """Say whether some whole number of right answers out of `count` is `value` per cent, to two decimals."""
    nearest = round(value * count / 100)
    return any(round(100 * right / count, 2) == value for right in (nearest - 1, nearest, nearest + 1))


def source_table_facts(table: Values, studies: list[Values]) -> Values:
    """Return what arithmetic says of the published table of solver iterations, and the study it stands beside."""
    train = sorted({row["train"] for row in table["rows"]})
    fits = {count: all(attainable(value, count) for value in train) for count in table["other_counts"]}
    impossible = {
        count: [f"{value:.2f}" for value in train if not attainable(value, count)] for count in table["stl10_counts"]
    }
    equal_last_rows = sum(
        (row["train"], row["test"]) == (table["rows"][-1]["train"], table["rows"][-1]["test"]) for row in table["rows"]
    )
    beside = [(study, study["followed"][0]) for study in studies if study["dataset"] == "stl10" and study["followed"]]
    place = {"study": None}
    if beside:
        study, experiment = beside[0]
        ours = experiment["solver"][-1]["test_accuracy"]
        place = {"study": study["name"], "experiment": experiment["name"], "ours": ours}
    return {
        **place,
        "impossible": [{"count": count, "percents": values} for count, values in impossible.items() if values],
        "equal_last_rows": equal_last_rows,
        "last_test": f"{table['rows'][-1]['test']:.2f}",
        "fitting_counts": [FILTERS["count"](count) for count, fit in fits.items() if fit],
        "inverted_rows": sum(row["test"] > row["train"] for row in table["rows"]),
        "rows": len(table["rows"]),
    }


def seed_setting(setting: Values) -> Values:
    """Return how many patches the source's setting gives, by the right reading of its gap and by the wrong one."""
    span = setting["image_size"] - setting["patch_size"]
    stride = setting["patch_size"] + setting["gap"]
    patches, misread = ((span // step + 1) ** 2 for step in (stride, setting["gap"]))
    return setting | {"stride": stride, "patches": patches, "misread_patches": misread}


def summaries(row: pd.Series) -> Values:
    """Split a row of comparison.csv into what it says of seeds and of folds; cells that are empty are left out."""
    return {
        protocol: {
            key.removeprefix(f"{protocol}_"): value
            for key, value in row.items()
            if key.startswith(f"{protocol}_") and pd.notna(value)
        }
        for protocol in PROTOCOLS
    }


def chosen_settings(folder: Path, runs: list[str]) -> Values:
    """Return the epsilon and C that the seeds' runs have chosen, and which lie at the edge of several candidates."""
    chosen: Values = {"epsilon": [], "c": []}
    edge = set()
    for run in (run for run in runs if run.startswith("seed")):
        table = read_table(folder / run / "selection.csv")
        best = table[table["chosen"]].iloc[0]
        for key, name in (("epsilon", r"$\epsilon$"), ("c", "$C$")):
            chosen[key].append(f"{best[key]:g}")
            candidates = table[key].unique()
            if len(candidates) > 1 and best[key] in (candidates.min(), candidates.max()):
                edge.add(name)
    return {"chosen": chosen, "edge": sorted(edge)}


def solver_rows(table: pd.DataFrame, experiment: str, published: Values) -> list[Values]:
    """Return the mean accuracies by steps, the exact solution last, beside what the source prints."""
    means = table[table["experiment"] == experiment].groupby("steps").mean(numeric_only=True)
    printed = {row["steps"]: row for row in published["rows"]}
    rows = []
    for steps in [*means.index[means.index > 0], 0]:
        source = printed.get(steps)
        rows.append(
            {
                "steps": steps,
                **means.loc[steps].to_dict(),
                "source_train": f"{source['train']:.2f}" if source else "--",
                "source_test": f"{source['test']:.2f}" if source else "--",
            }
        )
    return rows


def clustering_rows(folder: Path, titles: dict[str, str]) -> list[Values]:
    """Return how well each representation clusters; raw pixels first."""
    names = {"pixels": "raw pixels, first channel"} | titles
    paths = {name: folder / f"clustering_{name}.csv" for name in names}
    return [
        {"name": name, "title": names[name], **read_table(path).iloc[0].to_dict()}
        for name, path in paths.items()
        if path.exists()
    ]


def extreme_classes(per_class: pd.DataFrame, experiment: str) -> tuple[Values, Values]:
    """Return the class that is recognised most often and the one least, mean of the seeds."""
    rows = per_class[(per_class["experiment"] == experiment) & per_class["run"].str.startswith("seed")]
    means = rows.astype({"class": str}).groupby("class")["test_accuracy"].mean()
    return tuple({"name": name, "accuracy": means[name]} for name in (means.idxmax(), means.idxmin()))


def experiment_values(name: str, plan: Values, row: pd.Series, results: Path, shape: tuple, centroids: int) -> Values:
    """Return what the text says of one experiment."""
    options = plan["options"]
    return {
        "name": name,
        **plan,
        **summaries(row),
        **chosen_settings(results / name, plan["runs"]),
        "image_size": shape[1] if options["image_size"] == "native" else options["image_size"],
        "patches_drawn": options["patch_images"] * options["patches_per_image"],
        "centroids_shown": min(centroids, options["centroids"]),
    }


def study_values(name: str, plan: Values, results: Path, published: Values, centroids: int) -> Values:
    """Return what the text says of one study."""
    folder = results / name
    images = folder / "data" / "images.h5"
    comparison = read_table(folder / "comparison.csv").set_index("experiment")
    shape = image_shape(images)
    experiments = [
        experiment_values(experiment, options, comparison.loc[experiment], folder, shape, centroids)
        for experiment, options in plan["experiments"].items()
    ]
    solver = read_table(folder / "solver_iterations.csv")
    followed = [
        experiment | {"solver": solver_rows(solver, experiment["name"], published["solver_table"])}
        for experiment in experiments
        if experiment["name"] in set(solver["experiment"])
    ]
    best = max(experiments, key=lambda experiment: experiment["seeds"]["validation_accuracy_mean"])
    best_on_test = max(experiments, key=lambda experiment: experiment["seeds"]["test_accuracy_mean"])
    easiest, hardest = extreme_classes(read_table(folder / "per_class.csv"), best["name"])
    clustering = clustering_rows(folder / "figures", {row["name"]: row["title"] for row in experiments})
    return {
        "name": name,
        **plan,
        "shape": shape,
        "counts": {split: image_count(images, split) for split in SPLITS},
        "experiments": experiments,
        "learners": [row for row in experiments if f"centroids_{row['name']}" in plan["figures"]],
        "followed": followed,
        "beside_source": plan["dataset"] not in EMBEDDED,
        "folds": next((row["folds"] for row in experiments if row["folds"]), None),
        "best": best,
        "best_on_test": best_on_test,
        "best_is_best_on_test": best is best_on_test,
        "easiest": easiest,
        "hardest": hardest,
        "clustering": clustering,
        "best_clustering": max(clustering, key=lambda row: row["knn_agreement"]),
        "shown_map": max(clustering[1:], key=lambda row: row["knn_agreement"]),
    }


def report_values(plan: Values, results: Path, provenance: Path, timings: Path, published: Values) -> Values:
    """Return every value of the template."""
    centroids = plan["figures"]["centroids"]
    studies = [study_values(name, content, results, published, centroids) for name, content in plan["studies"].items()]
    made_by = json.loads(provenance.read_text())
    return {
        "studies": studies,
        "embedded": sorted({study["dataset"] for study in studies} & set(EMBEDDED)),
        "confidence": plan["evaluation"]["confidence"],
        "bootstrap_samples": plan["evaluation"]["bootstrap_samples"],
        "top_k": plan["evaluation"]["top_k"],
        "neighbors": plan["figures"]["neighbors"],
        "published": published,
        "source_table": source_table_facts(published["solver_table"], studies),
        "seed_setting": seed_setting(published["seed_setting"]),
        "provenance": made_by,
        "packages": [f"{name} {version}" for name, version in made_by["packages"].items()],
        "timings": read_table(timings).to_dict("records"),
    }


def template_environment(folder: Path) -> jinja2.Environment:
    r"""Return an environment whose marks suit LaTeX: \VAR{value}, \BLOCK{statement}. Unknown names are errors."""
    environment = jinja2.Environment(  # noqa: S701 - this is LaTeX; `tex` escapes it
        loader=jinja2.FileSystemLoader(folder),
        block_start_string=r"\BLOCK{",
        block_end_string="}",
        variable_start_string=r"\VAR{",
        variable_end_string="}",
        comment_start_string=r"\REMARK{",
        comment_end_string="}",
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(FILTERS)
    return environment


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the text and its bibliography."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=json.loads, required=True, help="studies, options and figures, as JSON")
    parser.add_argument("--results", type=Path, required=True, help="folder of the studies")
    parser.add_argument("--provenance", type=Path, required=True, help="file of collect_provenance (JSON)")
    parser.add_argument("--timings", type=Path, required=True, help="table of collect_provenance (CSV)")
    parser.add_argument(
        "--sources", type=Path, nargs=3, required=True, help="report.tex, references.bib, published.yaml"
    )
    parser.add_argument("--tex", required=True, help="file to write")
    parser.add_argument("--bibliography", required=True, help="file to write")
    options = parser.parse_args(arguments)

    template, bibliography, published = options.sources
    values = report_values(
        options.plan, options.results, options.provenance, options.timings, yaml.safe_load(published.read_text())
    )
    text = template_environment(template.parent).get_template(template.name).render(values)
    with atomic_path(options.tex) as path:
        path.write_text(text)
    with atomic_path(options.bibliography) as path:
        shutil.copyfile(bibliography, path)


if __name__ == "__main__":
    run_program(main)
