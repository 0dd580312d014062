"""The questions of the paper, the claims of the sources, and what limits the results."""

import re

import pandas as pd
import pytest

from fixtures_report import PUBLISHED, experiment, made_up_plan, render, summary
from render_report import add_minutes
from reporting.augmentation import changed_alone
from reporting.claims import claims
from reporting.questions import limits, question_values, seen_filters
from reporting.rounds import wilson_interval
from reporting.source import seed_setting, source_table_facts

NO_CLAIM = {"study": None, "last_test": "99.47"}
SETTING = seed_setting(PUBLISHED["seed_setting"])
NO_THEORY = {"derivations": None}


def study(*experiments, kind="stl10", name="study"):
    return {"name": name, "kind": kind, "experiments": list(experiments), "followed": []}


def found_of(studies, text, table=NO_CLAIM, theory=NO_THEORY):
    """The row of the claim that begins so."""
    return next(row for row in claims(studies, table, SETTING, theory) if row["text"].startswith(text))


@pytest.mark.parametrize(
    ("difference", "runs", "outcome"),
    [(-0.05, 3, "reproduced"), (0.05, 3, "contradicted"), (0.0, 3, "undecided"), (0.05, 1, "one run")],
)
def test_rounds_that_help_contradict_the_report(difference, runs, outcome):
    rounds = experiment("rounds", "pseudo_label_rounds", "plain", "plain", summary(difference, runs=runs))
    control = experiment("control", "pseudo_label_rounds", "plain", "plain", summary(0.5), options={"accepted": 0})
    row = found_of([study(experiment("plain", "supervised", "plain"), control, rounds)], "pseudo-labels in rounds")
    assert row["outcome"] == outcome
    low, high = (100 * (difference + sign * 0.01) for sign in (-1, 1))
    assert row["found"] == rf"\emph{{ROUNDS}}: ${100 * difference:+.1f}$ [${low:+.1f}$, ${high:+.1f}$] points"


def test_folds_decide_where_they_are_more():
    rounds = experiment("r", "pseudo_label_rounds", "p", "p", summary(0.05), summary(-0.05, runs=10))
    assert found_of([study(rounds)], "pseudo-labels in rounds")["outcome"] == "reproduced"


def test_claims_are_tested_on_their_own_data_alone():
    loss = experiment("loss", "pseudo_label_loss", "plain", seeds=summary(0.05))
    assert found_of([study(loss, kind="mnist")], "pseudo-labels in the loss")["outcome"] == "reproduced"
    for kind in ("stl10", "mnist5k"):
        row = found_of([study(loss, kind=kind)], "pseudo-labels in the loss")
        assert row["outcome"] == "not testable"
        assert "no such experiment on these data" in row["found"]


def test_the_table_of_solver_iterations_is_contradicted_where_it_is_measured():
    followed = {"solver": [{"test_accuracy": 0.451}], "name": "kmeans"}
    measured = study() | {"followed": [followed]}
    table = source_table_facts(PUBLISHED["solver_table"], [measured])
    row = found_of([measured], "k-means features reach 99.47", table)
    assert (row["outcome"], row["found"]) == ("contradicted", r"45.1\,\%")
    assert found_of([study()], "k-means features reach 99.47")["outcome"] == "not testable"


def test_wrong_formulas_are_counted():
    row = found_of([study()], "the formulas", theory={"derivations": {"errors": [1, 2, 3]}})
    assert row["found"].startswith("3 are wrong")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"shift": 0, "flip": False}, True),
        ({"shift": 0, "epochs": 9}, False),
        ({"copies": 30, "epochs": 9}, True),
        ({"folds": True}, False),
        ({"epochs": 9}, False),
    ],
)
def test_augmentations_are_compared_where_nothing_else_differs(changes, expected):
    options = {"shift": 4, "flip": True, "copies": 0, "epochs": 3, "folds": False}
    plain = experiment("plain", "supervised", "plain", options=options)
    other = experiment("other", "supervised", "plain", options=options | changes)
    assert changed_alone(other, [plain, other]) is expected
    assert not changed_alone(plain, [plain, other])


def test_each_experiment_answers_one_question():
    options = {"shift": 4, "epochs": 3}
    rows = [
        experiment("pixels", "pixels", "plain", family="labels", seeds=summary(-0.1)),
        experiment("plain", "supervised", "plain", family="labels", options=options),
        experiment("unchanged", "supervised", "plain", family="labels", options=options | {"shift": 0}),
        experiment("kmeans", "kmeans", "plain", family="features", seeds=summary(0.1)),
        experiment("fixmatch", "fixmatch", "plain", family="beside", seeds=summary(0.0)),
        experiment("svm", "kmeans_rounds", "kmeans", "kmeans", family="beside"),
    ]
    for row in rows:
        row["seeds"]["validation_accuracy_mean"] = 0.5
        row["mark"] = ""
    values = question_values(rows)
    assert {name: part["names"] for name, part in values.items()} == {
        "labels": [r"\emph{PIXELS}", r"\emph{PLAIN}"],
        "features": [r"\emph{KMEANS}"],
        "pseudo": [r"\emph{FIXMATCH}"],
        "kmeans_pseudo": [r"\emph{SVM}"],
        "augmentations": [r"\emph{UNCHANGED}"],
    }
    assert values["features"]["best"]["name"] == "kmeans"
    assert values["labels"]["best"]["name"] == "pixels"
    (group,) = values["features"]["groups"]["seeds"]
    assert group["better"] == [r"\emph{KMEANS} ($+10.0$ [$+9.0$, $+11.0$])"]
    assert values["features"]["labels"] == {"seeds": 4000, "folds": 0}


def test_centroids_and_trained_filters_stand_side_by_side():
    rows = [
        experiment(name, "supervised", "a", options={"first_layer": layer})
        for name, layer in (("a", "centroids"), ("b", "random"), ("c", "random"))
    ]
    seen = seen_filters(rows, {"centroids": [{"name": "k1"}, {"name": "k2"}], "filters": rows})
    assert [(row["name"], row["kind"], row["fixed"]) for row in seen] == [
        ("k2", "centroids", False),
        ("b", "filters", False),
        ("c", "filters", False),
    ]


def test_limits_name_the_edges_and_the_largest_spread():
    rows = [
        experiment("a", "kmeans", "a", seeds={"test_accuracy_std": 0.01, "runs": 3}, edge=["$C$"]),
        experiment("b", "kmeans", "a", seeds={"test_accuracy_std": 0.02, "runs": 3}, edge=[]),
    ]
    values = limits(rows)
    assert values["largest_spread"] == {"title": "B", "value": 0.02}
    assert values["edges"] == [r"\emph{A} ($C$)"]
    assert values["several_runs"]
    assert values["single_runs"] == []
    compared = experiment("c", "kmeans", "a", seeds=summary(0.1, runs=1), folds=summary(0.1), edge=[])
    assert limits([*rows, compared])["single_runs"] == ["seed"]
    assert limits([experiment("a", "kmeans", "a", edge=[])])["largest_spread"] is None


def test_eight_of_ten_may_be_half_or_nearly_all():
    assert wilson_interval(0.8, 10, 0.95) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson_interval(1.0, 18, 0.95) == pytest.approx((0.8241, 1.0), abs=1e-4)


def test_minutes_are_of_all_jobs_for_each_run():
    timings = pd.DataFrame(
        [("study", "a", "train", 90.0), ("study", "a", "extract", 30.0), ("other", "a", "train", 999.0)],
        columns=["study", "experiment", "rule", "seconds"],
    )
    rows = [{"name": name, "runs": ["seed0", "seed1"]} for name in ("a", "b")]
    add_minutes([study(*rows)], timings)
    assert [row["minutes"] for row in rows] == [1.0, None]


def test_methods_without_a_text_have_a_heading_in_words(tmp_path):
    """The title of their experiments, not the key of the configuration."""
    text = render(tmp_path, made_up_plan(["raw_pixels", "supervised"], baseline="supervised"))
    for part in (text.paper, text.supplement):
        headings = re.findall(r"section\*?\{([^}]*)", part)
        assert "Raw pixels" in headings
        assert [heading for heading in headings if heading[0].islower() and heading[:5] not in ("k-mea", "t-SNE")] == []
