"""The forest plot: what stands in its rows, and what is drawn of them."""

import json

import pandas as pd
import pytest

import plot_forest
from fixtures_kmeans import command_line
from fixtures_snakemake import ROOT
from planning.config import checked_config, config_schema, read_yaml
from planning.report import family_of, forest_plan
from semisup.forest import FAMILIES, Cross, difference_text, forest_figure, forest_panels
from semisup.plots import svg_text

PLAN = {
    "title": "Toy",
    "data_set": "stl10",
    "experiments": {
        "kmeans": {"short": "KM", "method": "kmeans", "family": "features", "comparable": True},
        "wide": {"short": "KM-wide", "method": "kmeans", "family": "features", "comparable": True},
        "pixels": {"short": "Pixels", "method": "pixels", "family": "labels", "comparable": True},
        "network": {"short": "RN", "method": "supervised", "family": "labels", "comparable": True},
        "fixmatch": {"short": "FM", "method": "fixmatch", "family": "beside", "comparable": True},
    },
}
PUBLISHED = [
    {"method": "kmeans", "labels": 1000, "accuracy": 51.5, "cross": True},
    {"method": "kmeans", "labels": 1000, "accuracy": 60.0},
    {"method": "fixmatch", "labels": 250, "accuracy": 88.0, "cross": True},
    {"method": "fixmatch", "labels": 1000, "accuracy": 92.0, "cross": True},
]


def measured(protocol, labels, accuracies, validation=0.5, difference=None):
    """Return an experiment's cells of comparison.csv; difference: with its lower and its upper edge."""
    mean = sum(accuracies) / len(accuracies)
    cells = {"labels": labels, "runs": len(accuracies), "validation_accuracy_mean": validation}
    cells |= {"test_accuracy_mean": mean, "test_accuracy_low": mean - 0.02, "test_accuracy_high": mean + 0.03}
    if difference:
        names = ("difference", "difference_low", "difference_high")
        cells |= dict(zip(names, difference, strict=True)) | {"difference_runs": len(accuracies)}
    return {f"{protocol}_{name}": value for name, value in cells.items()}


SEEDS = {  # accuracies, validation accuracy, difference
    "kmeans": ([0.5, 0.52], 0.5, None),
    "wide": ([0.55, 0.57], 0.6, (0.05, -0.01, 0.09)),
    "pixels": ([0.62, 0.64], 0.3, (0.12, 0.1, 0.14)),  # the best of the labels alone on the test images
    "network": ([0.6, 0.62], 0.7, (0.1, 0.08, 0.12)),
    "fixmatch": ([0.7, 0.72], 0.8, (-0.02, -0.04, -0.01)),
}
FOLDS = {"kmeans": ([0.4, 0.41, 0.42], 0.5, None), "fixmatch": ([0.3, 0.3, 0.3], 0.4, (0.1, 0.05, 0.15))}
RUNS = {"seeds": (4000, SEEDS), "folds": (1000, FOLDS)}


@pytest.fixture
def tables():
    """comparison.csv and metrics.csv."""
    rows = [{"experiment": name, "baseline": "network" if name == "fixmatch" else "kmeans"} for name in SEEDS]
    runs = []
    for protocol, (labels, found) in RUNS.items():
        for row in rows:
            if row["experiment"] in found:
                accuracies, validation, difference = found[row["experiment"]]
                row.update(measured(protocol, labels, accuracies, validation, difference))
                runs += [
                    {"experiment": row["experiment"], "protocol": protocol, "test_accuracy": x} for x in accuracies
                ]
    return pd.DataFrame(rows), pd.DataFrame(runs)


@pytest.fixture
def panels(tables):
    return forest_panels(*tables, PLAN, PUBLISHED)


def row_of(panel, name):
    return next(row for row in panel.rows if row.name == name)


def test_each_protocol_has_a_panel_the_most_accurate_experiment_first(panels):
    folds, seeds = panels
    assert folds.title == "Toy: 1,000 labels, 3 folds"
    assert seeds.title == "Toy: 4,000 labels, 2 seeds"
    assert [row.name for row in folds.rows] == ["KM", "FM"]
    assert [row.name for row in seeds.rows] == ["FM", "Pixels", "RN", "KM-wide", "KM"]
    km = row_of(folds, "KM")
    assert (km.accuracy, km.low, km.high) == pytest.approx((0.41, 0.39, 0.44))
    assert km.runs == (0.4, 0.41, 0.42)


def test_line_is_of_the_labels_alone_by_validation(panels):
    folds, seeds = panels
    assert seeds.labels_only.name == "RN", "Pixels is better on test images, by which nothing is chosen"
    assert folds.labels_only is None


def test_crosses_stand_at_the_best_of_the_method_with_the_nearest_labels(panels):
    folds, seeds = panels
    assert row_of(folds, "KM").published == (Cross(51.5, 1000),)
    assert row_of(seeds, "KM").published == (), "KM-wide is better on validation images"
    assert row_of(seeds, "KM-wide").published == (Cross(51.5, 1000),)
    assert row_of(seeds, "FM").published == (Cross(92.0, 1000),)


def test_differences_are_claimed_of_several_runs_whose_interval_excludes_zero(panels, tables):
    seeds = panels[1]
    assert {row.name: row.claimed for row in seeds.rows} == {
        "FM": True,
        "Pixels": True,
        "RN": True,
        "KM-wide": False,
        "KM": False,
    }
    assert difference_text(row_of(seeds, "FM")) == "−2.0 [−4.0, −1.0] to RN"
    assert difference_text(row_of(seeds, "KM")) == ""
    comparison, metrics = tables
    single = comparison.assign(seeds_difference_runs=1, seeds_runs=1)
    assert not any(row.claimed for row in forest_panels(single, metrics, PLAN, ())[1].rows)


def test_a_difference_of_more_than_the_unlabeled_images_is_not_claimed(tables):
    """The table, the paper and the page call it "not comparable"."""
    fixmatch = PLAN["experiments"]["fixmatch"] | {"comparable": False}
    plan = PLAN | {"experiments": PLAN["experiments"] | {"fixmatch": fixmatch}}
    seeds = forest_panels(*tables, plan, PUBLISHED)[1]
    assert {row.name for row in seeds.rows if row.claimed} == {"Pixels", "RN"}


def test_figure_has_every_number_and_is_the_same_twice(panels):
    figure = forest_figure(panels, 6)
    folds, seeds = figure.axes
    assert [label.get_text() for label in reversed(seeds.get_yticklabels())] == [row.name for row in panels[1].rows]
    crosses = [line.get_xdata()[0] for line in seeds.lines if line.get_marker() == "x"]
    assert sorted(crosses) == [51.5, 92.0]
    dashed = [line.get_xdata()[0] for line in seeds.lines if line.get_linestyle() == "--"]
    assert dashed == [pytest.approx(61)]
    (grey,) = [line for line in folds.lines if line.get_markersize() < 2 and 40 in line.get_xdata().round(6)]
    assert list(grey.get_xdata()) == pytest.approx([40, 41, 42])
    bold = {text.get_text() for text in seeds.texts if text.get_fontweight() == "bold"}
    assert bold == {difference_text(row) for row in panels[1].rows if row.claimed}
    svg = svg_text(figure)
    assert ">KM-wide<" in svg, "letters stay letters"
    assert svg_text(forest_figure(panels, 6)) == svg


def test_program_writes_three_files(tables, tmp_path):
    for name, table in zip(("comparison", "metrics"), tables, strict=True):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    files = {end: tmp_path / f"forest.{end}" for end in ("pdf", "png", "svg")}
    options = {"comparison": tmp_path / "comparison.csv", "metrics": tmp_path / "metrics.csv"}
    plot_forest.main(
        command_line(**options, plan=json.dumps(PLAN), published=ROOT / "report" / "published.yaml", **files)
    )
    assert files["pdf"].read_bytes().startswith(b"%PDF")
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    assert ">1,000<" in files["svg"].read_text(), "the labels of a published accuracy"


def test_families_are_those_of_the_declarations_and_bases():
    config = checked_config(read_yaml(ROOT / "config.yaml"), config_schema())
    expected = {
        "raw_pixels": "labels",
        "supervised": "labels",
        "kmeans_stride8": "features",
        "exemplar": "features",
        "exemplar_finetuned": "features",
        "pseudo_label": "beside",
        "kmeans_pseudo_label": "beside",
        "fixmatch": "beside",
    }
    assert {name: family_of(config, "stl10", name) for name in expected} == expected
    config["studies"]["stl10"]["experiments"]["mine"] = {"method": "external", "scores": "{run}.npz"}
    assert family_of(config, "stl10", "mine") == "other"
    plan = forest_plan(config, "stl10")["experiments"]
    assert {values["family"] for values in plan.values()} == set(FAMILIES)
    assert plan["kmeans"]["short"] == config["studies"]["stl10"]["experiments"]["kmeans"]["short"]
    assert plan["mine"]["short"] == "mine"


def test_fixmatch_is_comparable_with_its_labelled_half_and_not_with_a_shorter_training():
    config = checked_config(read_yaml(ROOT / "config.yaml"), config_schema())
    assert forest_plan(config, "stl10")["experiments"]["fixmatch"]["comparable"]
    config["studies"]["stl10"]["experiments"]["fixmatch"]["baseline"] = "supervised"
    plan = forest_plan(config, "stl10")["experiments"]
    assert [name for name, values in plan.items() if not values["comparable"]] == ["fixmatch"]
