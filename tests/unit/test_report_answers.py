"""What the report concludes from paired differences: verdicts, and whether unlabeled images helped."""

import pytest

from fixtures_report import experiment, of_method, study_with_pseudo_labels, summary
from reporting import answers as answering
from reporting import comparisons
from reporting.rounds import fewer_steps
from reporting.text import difference


@pytest.mark.parametrize(("value", "expected"), [(0.02, "better"), (-0.02, "worse"), (0.005, "undecided")])
def test_verdict(value, expected):
    assert comparisons.verdict(summary(value)) == expected
    assert comparisons.verdict(summary(value, runs=2)) == expected
    assert comparisons.verdict(summary(value, runs=1)) == "none", "whatever its interval"


def test_differences_carry_the_mark_of_their_baseline():
    rows = [
        {"name": "a", "title": "A", "baseline": "a", "seeds": {}, "folds": {}},
        {"name": "b", "title": "B", "baseline": "a", "seeds": summary(0.1), "folds": {}},
        {"name": "c", "title": "C", "baseline": "b", "seeds": summary(-0.1), "folds": summary(0.0)},
    ]
    comparisons.mark_baselines(rows, "a")
    assert [row["mark"] for row in rows] == ["", "", "a"]
    groups = comparisons.compared_groups(rows, "seeds")
    assert [(group["baseline"], group["mark"]) for group in groups] == [("A", ""), ("B", "a")]
    assert groups[0]["better"] == [r"\emph{B} ($+10.0$ [$+9.0$, $+11.0$])"]
    assert groups[1]["worse"] == [r"\emph{C} ($-10.0$ [$-11.0$, $-9.0$])"]
    assert [group["undecided"] for group in comparisons.compared_groups(rows, "folds")] == [
        [r"\emph{C} ($+0.0$ [$-1.0$, $+1.0$])"]
    ]
    assert difference(rows[0]["seeds"]) == "--"
    assert r"\mathrm{a}" in difference(rows[2]["seeds"], "a")


def test_nothing_is_claimed_of_experiments_compared_by_one_run():
    rows = [
        {"name": "a", "title": "A", "baseline": "a", "seeds": {}, "folds": {}, "mark": ""},
        {"name": "b", "title": "B", "baseline": "a", "seeds": summary(0.1, runs=1), "folds": summary(0.1), "mark": ""},
    ]
    (of_seeds,), (of_folds,) = (comparisons.compared_groups(rows, protocol) for protocol in ("seeds", "folds"))
    assert [of_seeds[name] for name in ("better", "worse", "undecided")] == [[], [], []]
    assert of_seeds["none"] == [r"\emph{B} ($+10.0$ [$+9.0$, $+11.0$])"]
    assert (of_folds["better"], of_folds["none"]) == ([r"\emph{B} ($+10.0$ [$+9.0$, $+11.0$])"], [])


def test_only_the_same_network_from_random_weights_answers_for_the_unlabeled_images():
    def row(name, baseline, base=None, method="supervised", network="exemplar_small", **options):
        values = {"network": network, "folds": False, "epochs": 3} | options
        return {
            "name": name,
            "title": name,
            **of_method(method),
            "base": base,
            "baseline": baseline,
            "options": values,
            "seeds": summary(0.05),
            "folds": {},
        }

    pretrained = row("pretrained", "exemplar", method="exemplar")
    twin, other = row("twin", "twin", folds=True), row("other", "other", network="resnet")
    tuned = [row("alike", "twin", "pretrained"), row("longer", "twin", "pretrained", epochs=9)]
    against_other = row("against_other", "other", "pretrained")
    rows = [pretrained | {"name": "exemplar"}, pretrained, twin, other, *tuned, against_other]
    answers = answering.pretraining_answers(rows)
    assert [(answer["title"], answer["alike"]) for answer in answers] == [("alike", True), ("longer", False)]
    assert [result["verdict"] for result in answers[0]["results"]] == ["better"]


def test_who_answers_for_the_unlabeled_images():
    """Only against a baseline that uses them less; a control uses none; no row without a difference."""
    answers = answering.unlabeled_answers(study_with_pseudo_labels())
    assert [(row["title"], row["baseline"], row["runs_name"], row["verdict"]) for row in answers["rows"]] == [
        ("PROBE", "PLAIN", "seeds", "better"),
        ("TUNED", "PLAIN", "seeds", "worse"),
        ("TUNED", "PLAIN", "folds", "better"),
        ("ROUNDS", "PLAIN", "seeds", "undecided"),
        ("ROUNDS", "PLAIN", "folds", "undecided"),
        ("BALANCED", "CONTROL", "seeds", "better"),
        ("SVM", "KMEANS", "seeds", "better"),
        ("FIXMATCH", "PLAIN", "seeds", "worse"),
    ]
    assert [row["first"] for row in answers["rows"]] == [True, True, False, True, False, True, True, True]
    assert answers["verdicts"] == {"better": 4, "worse": 2, "undecided": 2, "none": 0, "not comparable": 0}
    assert answers["most"] == r"\emph{PROBE} ($+10.0$ [$+9.0$, $+11.0$])"
    assert answers["elsewhere"] == [r"\emph{EXEMPLAR}"], "ablations of one method ask another question"
    # 1,000 of its own after 100 of the base, against 100; 1,100 against the 1,100 of the control; 1,000 against 100.
    assert answers["longer"] == [r"\emph{ROUNDS} (11.0 times)", r"\emph{FIXMATCH} (10.0 times)"]
    assert answers["shorter"] == []


def test_trainings_on_more_or_fewer_images_are_named():
    """From 1.5 times the baseline's images on, and from 1 / 1.5 of them down; not between, nor where none are known."""
    images = {"plain": 300, "long": 450, "alike": 449, "less": 201, "short": 200, "shortest": 15}
    rows = [experiment(name, "supervised", "plain", training={"images": count}) for name, count in images.items()]
    rows.append(experiment("unknown", "supervised", "plain", training={"images": None}))
    lengths = answering.training_lengths(rows, {row["name"]: row for row in rows})
    assert lengths["longer"] == [r"\emph{LONG} (1.5 times)"]
    assert lengths["shorter"] == [r"\emph{SHORT} (0.67 times)", r"\emph{SHORTEST} (0.05 times)"]


def test_other_settings_than_the_baseline_are_named_where_both_train_on_labels():
    common = {"epochs": 10, "dropout": 0.0, "folds": False}
    rows = [
        experiment("plain", "supervised", "plain", options=common),
        experiment("fixmatch", "fixmatch", "plain", options=common | {"epochs": 9, "dropout": 0.3, "threshold": 0.9}),
        experiment("freematch", "fixmatch", "plain", options=common | {"epochs": 8, "dropout": 0.5}),
        experiment("loss", "pseudo_label_loss", "plain", options=common | {"alpha": 3.0, "folds": True}),
        experiment("tuned", "supervised", "plain", "exemplar", options=common | {"epochs": 5}),
        experiment("rounds", "pseudo_label_rounds", "plain", "plain", options=common | {"epochs": 1}),
        experiment("exemplar", "exemplar", "plain", options=common | {"epochs": 1}),
        experiment("of_surrogate", "supervised", "exemplar", options=common),
    ]
    compared = [row | {"seeds": row["seeds"] | summary(0.1)} for row in rows[1:3]]
    found = answering.unlabeled_answers([rows[0], *compared])
    assert found["verdicts"] == {"better": 0, "worse": 0, "undecided": 0, "none": 0, "not comparable": 2}
    assert (found["most"], found["groups"]) == (None, [])
    assert answering.otherwise_trained(rows, {row["name"]: row for row in rows}) == [
        r"\emph{FIXMATCH} and \emph{FREEMATCH} (\texttt{epochs}, \texttt{dropout})",
        r"\emph{TUNED} (\texttt{epochs})",
    ]


def test_rounds_beside_a_control_of_the_same_base():
    """Without an interval, so only where the baseline is another; only where both train in the same way."""

    def rounds(name, accuracy, baseline="plain", base="plain", **changes):
        options = {"accept": "top", "accepted": 100, "epochs": 5, "restart": False} | changes.pop("options", {})
        seeds = {"test_accuracy_mean": accuracy}
        return experiment(name, "pseudo_label_rounds", baseline, base, seeds=seeds, options=options, **changes)

    rows = [
        rounds("top", 0.715),
        rounds("threshold", 0.68, options={"accept": "threshold"}),
        rounds("restart", 0.9, options={"restart": True}),
        rounds("longer", 0.9, options={"epochs": 6}),
        rounds("of_other", 0.9, base="other"),
        rounds("compared", 0.9, baseline="control"),
        experiment("svm", "kmeans_rounds", "kmeans", "kmeans"),
    ]
    controls = [
        rounds("control", 0.7, options={"accepted": 0}),
        rounds("stepped", 0.7, base="other", options={"accepted": 0, "steps_per_epoch": 9}),
    ]
    assert answering.control_differences(rows, rows + controls) == [
        {
            "title": "CONTROL",
            "steps": True,
            "differences": [r"\emph{TOP} ($+1.5$)", r"\emph{THRESHOLD} ($-2.0$)"],
        }
    ]
    assert answering.control_differences(rows, rows) == []
    assert [fewer_steps(row) for row in controls] == [True, False], "as many steps, however many images"


def test_no_answer_without_a_comparison():
    rows = [row for row in study_with_pseudo_labels() if row["method"] == "kmeans"]
    assert answering.unlabeled_answers(rows) is None


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.02], r"unlabelled images helped \emph{A}"),
        ([-0.02], r"unlabelled images did harm to \emph{A}"),
        ([0.0], r"it cannot be said whether unlabelled images helped \emph{A}"),
        ([0.02, -0.03], r"unlabelled images helped \emph{A}; they did harm to \emph{B}"),
        (
            [0.0, 0.02, -0.03, 0.04],
            r"unlabelled images helped \emph{B} and \emph{D}; they did harm to \emph{C}; "
            r"it cannot be said whether they helped \emph{A}",
        ),
    ],
)
def test_the_answer_in_words(differences, expected):
    rows = [
        {"title": title, "labels": 4000, "runs_name": "seeds", **summary(value)}
        for title, value in zip("ABCD", differences, strict=False)
    ]
    rows = [row | {"verdict": comparisons.verdict(row)} for row in rows]
    group = answering.answer_group(rows)
    assert group == {"labels": 4000, "runs_name": "seeds", "sentence": expected}
    assert answering.answer_group([]) == {}
