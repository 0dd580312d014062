"""The README's table and figure of results, from the tables that are kept in docs/results."""

import json

import pandas as pd
import pytest

from fixtures_snakemake import ROOT
from planning import readme
from planning.config import checked_config, config_schema, read_yaml

SHORTS = {"kmeans": "KM", "network": "N"}
TIMES = [("kmeans", "learn_centroids", 60.0), ("kmeans", "train_svm", 30.0), ("network", "train_supervised", 240.0)]
MADE_BY = {"commit": "0123456789", "date": "2026-01-01", "cores": 2, "processor": "a processor"}
PUBLISHED = {
    "literature": [
        {"data_set": "stl10", "method": "kmeans", "labels": 1000, "accuracy": 51.5, "cross": True},
        {"data_set": "stl10", "method": "kmeans", "labels": 1000, "accuracy": 60},
        {"data_set": "mnist", "method": "supervised", "labels": 4000, "accuracy": 70, "cross": True},
    ]
}


@pytest.fixture
def config():
    """A study of two experiments on STL-10."""
    whole = read_yaml(ROOT / "config.yaml")
    experiments = {
        "kmeans": {"method": "kmeans", "title": "k-means", "short": SHORTS["kmeans"]},
        "network": {"method": "supervised", "title": "A network", "short": SHORTS["network"]},
    }
    toy = {"title": "Toy", "dataset": "stl10", "seeds": [0, 1], "baseline": "kmeans", "experiments": experiments}
    return checked_config(whole | {"studies": {"toy": toy}}, config_schema())


@pytest.fixture
def kept(tmp_path):
    """Results of two experiments with two seeds each; one has folds, and one a difference."""
    folder = tmp_path / "results"
    (folder / "toy").mkdir(parents=True)
    network = measured("seeds", 4000, 2, 0.6) | {"seeds_difference": 0.1, "seeds_difference_runs": 2}
    network |= {"seeds_difference_low": 0.05, "seeds_difference_high": 0.15}
    kmeans = measured("seeds", 4000, 2, 0.5) | measured("folds", 1000, 2, 0.4)
    rows = [
        {"experiment": name, "baseline": "kmeans"} | cells
        for name, cells in zip(SHORTS, (kmeans, network), strict=True)
    ]
    pd.DataFrame(rows).to_csv(folder / "toy" / "comparison.csv", index=False)
    runs = [(name, "seeds", x) for name, mean in (("kmeans", 0.5), ("network", 0.6)) for x in (mean, mean)]
    runs += [("kmeans", "folds", 0.4)] * 2
    columns = ["experiment", "protocol", "test_accuracy"]
    pd.DataFrame(runs, columns=columns).to_csv(folder / "toy" / "metrics.csv", index=False)
    times = pd.DataFrame([("toy", *row) for row in TIMES], columns=["study", "experiment", "rule", "seconds"])
    times.to_csv(folder / "timings.csv", index=False)
    return folder


def measured(protocol, labels, runs, accuracy):
    cells = {"labels": labels, "runs": runs, "validation_accuracy_mean": 0.5, "test_accuracy_mean": accuracy}
    cells |= {"test_accuracy_low": accuracy - 0.01, "test_accuracy_high": accuracy + 0.02}
    return {f"{protocol}_{name}": value for name, value in cells.items()}


def test_text_has_a_table_for_each_protocol(config, kept):
    study = readme.kept_study(config, "toy", kept, PUBLISHED)
    text = readme.results_text([study], MADE_BY)
    folds, seeds = text.split("**Toy: 1,000 labels, 2 folds**")[1].split("**Toy: 4,000 labels, 2 seeds**")
    assert "| KM | k-means | 40.0 | 39.0 to 42.0 |  | 0.4 | 51.5 with 1,000 labels |" in folds
    assert "| N | A network | 60.0 | 59.0 to 62.0 | **+10.0 [+5.0, +15.0] to KM** | 2.0 |  |" in seeds
    assert seeds.index("| N |") < seeds.index("| KM |"), "the most accurate first"
    assert "at commit 0123456 (2026-01-01) on 2 cores of a processor" in text


def test_only_what_is_between_the_marks_changes():
    page = f"before\n{readme.BEGIN}old\n{readme.END}after\n"
    once = readme.with_results(page, "new\n")
    assert once == f"before\n{readme.BEGIN}new\n{readme.END}after\n"
    assert readme.with_results(once, "new\n") == once


def test_tables_of_a_run_are_kept_and_nothing_else(tmp_path):
    results, folder = tmp_path / "results", tmp_path / "kept"
    (results / "toy").mkdir(parents=True)
    (results / "report").mkdir()
    (folder / "old").mkdir(parents=True)
    for name in readme.OF_STUDY:
        (results / "toy" / f"{name}.csv").write_text(name)
    (results / "toy" / "test_sample.csv").write_text("labels")
    for name in readme.OF_RUN:
        (results / "report" / name).write_text(json.dumps(MADE_BY))
    readme.keep(results, ["toy"], folder)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {*readme.OF_RUN, *(f"toy/{name}.csv" for name in readme.OF_STUDY)}


def test_readme_is_what_the_kept_results_give():
    """`make readme` has been run since docs/results changed; a repository without any says how to get them."""
    if (ROOT / readme.RESULTS).is_dir():
        readme.main(["--check"])
    else:
        with pytest.raises(SystemExit, match="docs/results is missing: `make readme KEEP=results` takes the tables"):
            readme.main(["--check"])
