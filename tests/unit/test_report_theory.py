"""The theory in the report: numbers as they are written, intervals, and sentences that follow from the tables."""

import math
import re

import numpy as np
import pandas as pd
import pytest

import fixtures_theory as made_up
from check_derivations import CHECKS
from fixtures_report import TEMPLATES, plan_of, render
from reporting import theory
from semisup.cli import UserError
from theory.source_errors import source_errors

CONFIDENCE = 0.95


def rendered(folder, *parts):
    return render(folder, plan_of("kmeans") | made_up.theory_plan(*parts))


def rewritten(monkeypatch, tmp_path, part, write, **changes):
    """Return the report's text on made-up results whose writer of one part is given other numbers."""
    original = getattr(made_up, write)
    monkeypatch.setattr(made_up, write, lambda folder: original(folder, **changes))
    return rendered(tmp_path, part)


# How values are written


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3.14e-12, r"$3.1\cdot10^{-12}$"),
        (1e-6, "$10^{-6}$"),
        (9.99e-7, "$10^{-6}$"),
        (0.0, "$0$"),
        (0.1234, "$0.12$"),
        (0.0999, "$0.10$"),
        (12.34, "$12$"),
        (-2.5e7, r"$-2.5\cdot10^{7}$"),
    ],
)
def test_scientific(value, expected):
    assert theory.scientific(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.104993, "$0.105$"),
        (0.00192, "$0.00192$"),
        (-0.4045, "$-0.405$"),
        (9.9999, "$10.0$"),
        (120, "$120$"),
        (25.0, "$25$"),
        (1234.5, "$1234$"),
        (0, "$0$"),
        (2e-5, r"$2.0\cdot10^{-5}$"),
    ],
)
def test_significant_digits(value, expected):
    assert theory.significant(value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = (-0.5, 0), beta = 2", r"$x$~=~($-$0.5, 0), $\beta$~=~2"),
        ("n = n' = 100: variance of W x", "$n$~=~$n$'~=~100: variance of $W x$"),
        ("(1.11)-(1.13)", "(1.11)--(1.13)"),
        ("row 1, column 2 of the example's F", "row 1, column 2 of the example's $F$"),
        ("softmax of -beta x: dE/dx", r"softmax of $-\beta x$: $\partial E / \partial x$"),
        ("dE/dvariance where x1 = x2", r"$\partial E / \partial \sigma^{2}$ where $x_1$~=~$x_2$"),
        ("text after (8)", "text after (8)"),
    ],
)
def test_points_have_the_signs_of_mathematics(text, expected):
    assert theory.place(text) == expected


def test_matrices_of_whole_numbers_have_no_decimals():
    assert theory.matrix([[1, 2.0], [-3, 0.5]]) == r"\begin{pmatrix} 1 & 2 \\ -3 & 0.5 \end{pmatrix}"


# Intervals


def test_t_interval_of_a_known_sample():
    """Mean 2, standard deviation 1, n = 3: t(0.975, 2) = 4.3027 (a table's), so the margin is 2.4841."""
    interval = theory.t_interval([1.0, 2.0, 3.0], CONFIDENCE)
    assert interval == pytest.approx((2.0, 2.0 - 2.4841, 2.0 + 2.4841), abs=1e-4)


@pytest.mark.parametrize("values", [[1.0], [], [1.0, math.nan], [1.0, math.inf]])
def test_no_interval_without_two_finite_numbers(values):
    with pytest.raises(ValueError, match="no interval"):
        theory.t_interval(values, CONFIDENCE)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 1.1, 1.2], "more"),
        ([-1.0, -1.1, -1.2], "less"),
        ([1.0, -1.1, 0.2], "undecided"),
        ([0, 0, 0], "undecided"),
    ],
)
def test_a_difference_is_claimed_only_if_its_interval_excludes_zero(values, expected):
    assert theory.compared(values, CONFIDENCE)["verdict"] == expected


def test_ratios_are_compared_with_one():
    found = theory.compared_ratios([2.0, 4.0, 8.0], CONFIDENCE)
    margin = 4.3027 * math.log(2) / math.sqrt(3)
    assert found["mean"] == pytest.approx(4)
    assert (found["low"], found["high"]) == pytest.approx((4 / math.exp(margin), 4 * math.exp(margin)), rel=1e-4)
    assert found["verdict"] == "undecided"
    assert theory.compared_ratios([0.5, 0.51, 0.52], CONFIDENCE)["verdict"] == "less"
    with pytest.raises(ValueError, match="geometric"):
        theory.compared_ratios([1.0, 0.0], CONFIDENCE)


# Which parts there are


@pytest.mark.parametrize("plan", [{}, made_up.theory_plan()])
def test_without_parts_there_is_no_section(tmp_path, plan):
    text = render(tmp_path, plan_of("kmeans") | plan)
    assert "Derivations" not in text
    assert "Small experiments" not in text


@pytest.mark.parametrize("part", made_up.PARTS)
def test_each_part_stands_alone(tmp_path, part):
    text = rendered(tmp_path, part)
    assert (r"\section{Derivations}" in text) == (part == "derivations")
    assert (r"\section{Small experiments}" in text) == (part != "derivations")
    for name in made_up.PARTS[1:]:
        assert (rf"\label{{fig:{name}}}" in text) == (name == part)
        assert (f"{{theory/{name}.pdf}}" in text) == (name == part)
    labels = re.findall(r"\\label\{([^}]*)\}", text)
    assert set(re.findall(r"\\ref\{([^}]*)\}", text)) <= set(labels)


def test_theory_comes_before_what_made_the_results(tmp_path):
    text = rendered(tmp_path, *made_up.PARTS)
    sections = ("Conclusion", "Derivations", "Small experiments", "Reproducibility")
    order = [text.rindex(rf"\section{{{section}}}") for section in sections]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("parts", "derives"),
    [((), False), (("derivations",), True), (("crowding",), False), (("derivations", "crowding"), True)],
)
def test_abstract_and_questions_name_the_theory_that_there_is(tmp_path, parts, derives):
    text = render(tmp_path, plan_of("kmeans", "supervised") | made_up.theory_plan(*parts))
    abstract = text.split(r"\begin{abstract}")[1].split(r"\end{abstract}")[0]
    assert ("A supplement derives" in abstract) == derives
    questions = text.split(r"\section{Introduction}")[0]
    for label in ("topk", "crowding", "dropout"):
        assert (f"sec:{label}}}" in questions) == derives, label


# Derivations


def template_keys():
    return re.findall(r"row\.key == '(\w+)'", TEMPLATES["derivations.tex"])


def test_every_error_of_the_sources_has_its_formulas():
    """The template's keys, the made-up ones and those that the program writes are the same."""
    written = [row.key for row in source_errors()]
    assert sorted(template_keys()) == sorted(written)
    assert sorted(written) == sorted(made_up.ERROR_KEYS)


def test_an_error_without_formulas_fails(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no formula for the error 'new_one'"):
        rewritten(monkeypatch, tmp_path, "derivations", "write_derivations", keys=("glorot", "new_one"))


def test_no_row_of_the_errors_is_like_another(tmp_path):
    made_up.write_derivations(tmp_path)
    text = rendered(tmp_path / "report", "derivations")
    table = text.split(r"\label{tab:errors}")[1].split(r"\end{longtable}")[0].split("\\bottomrule")[0]
    _, *rows = table.split("\\raggedright homework, (10)")
    assert len(rows) == len(made_up.ERROR_KEYS) == len(set(rows))
    assert sum(row.count("$-0.105$") for row in rows) == len(rows) - 1, "one row has no number at all"
    assert sum("$0.00192$" in row for row in rows) == len(rows) - 3, "two more have none for what is printed"


def test_the_table_of_checks_says_what_they_found(tmp_path):
    text = rendered(tmp_path, "derivations")
    assert r"sigmoid, 100 \% \& $\partial E / \partial x$ & \raggedright autograd & $0$ & $10^{-6}$ & pass \\" in text
    assert r"$3.1\cdot10^{-15}$" in text
    assert "All 3 agree" in text
    assert "each at 20 random inputs" in text


def test_every_check_has_its_section():
    """The first rows of the table, and all keys that the program knows."""
    assert [theory.section(key) for key in ("sigmoid", "tsne", "relu")] == ["activations", "crowding", "activations"]
    labels = re.findall(r"\\label\{sec:(\w+)\}", TEMPLATES["derivations.tex"])
    assert {theory.section(check.key) for check in CHECKS} == set(theory.SECTIONS)
    assert set(theory.SECTIONS) <= set(labels)
    with pytest.raises(UserError, match="no section of the check 'new_one'"):
        theory.section("new_one")


def test_the_examples_are_computed(tmp_path):
    text = rendered(tmp_path, "derivations")
    assert r"$\partial f / \partial x = 0.064645$ and $\partial f / \partial y = -0.18119$" in text
    assert r"109 & 92 & 72 \\ 108 & 85 & 74 \\ 110 & 74 & 79" in text
    assert r"11 & 23 & 34 & 23 & 11" in text
    assert "3 a side without padding, 9 values, and with $p = 1$ it is\n5 a side, 25 values" in text
    assert "The homework prints the same nine values." in text
    words = text.replace("\n", " ")
    assert (
        r"of all 256 networks is $(0.500, 0.300, 0.200)$ and differs from the one network by $2.2\cdot10^{-16}$"
        in words
    )
    assert r"their arithmetic mean, $(0.460, 0.310, 0.230)$, differs by $0.040$" in words


def test_what_the_homework_prints_is_compared_with_what_is_computed(tmp_path, monkeypatch):
    other = made_up.CONVOLUTION | {"output": [[109, 92, 71], *made_up.CONVOLUTION["output"][1:]]}
    monkeypatch.setattr(made_up, "CONVOLUTION", other)
    text = rendered(tmp_path, "derivations")
    assert "The homework prints other values." in text
    assert "the same nine values" not in text
    assert "This, too, is what the homework prints." in text


def test_made_up_examples_are_right():
    """Not of the report, but what the tests above rely on: NumPy's own convolutions."""
    image, kernel = (np.array(made_up.CONVOLUTION[name]) for name in ("image", "kernel"))
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    assert (np.einsum("ijmn,mn->ij", windows, kernel) == made_up.CONVOLUTION["output"]).all()


# Momentum


def test_steps_count_from_where_the_loss_stays_low():
    losses = pd.Series([10.0, 1.0, 5.0, 1.0, 0.5])
    assert theory.steps_to(losses, 1.0) == 3
    assert theory.steps_to(losses, 10.0) == 0
    assert theory.steps_to(losses, 0.1) is None
    assert theory.steps_to(pd.Series([1.0, math.inf, math.inf]), 0.5) is None
    assert theory.steps_to(pd.Series([1.0, math.nan]), 0.5) is None


def test_the_quadratics_in_words(tmp_path):
    """0.5^20 is just below a millionth, 0.9^132 too; 0.99^200 is far above it."""
    text = rendered(tmp_path, "momentum")
    first, second = text.split("Then both kinds have")
    assert (
        "The loss falls to $10^{-6}$ of its first value, for good, after 20 steps of classical momentum and 132 steps "
        "of Nesterov momentum; within 200 steps it does not with gradient descent." in first.replace("\n", " ")
    )
    assert "Of the two kinds of momentum, classical momentum gets there first." in first
    assert (
        "After 200 steps classical momentum has the lower loss of the two, as the theory of the long run has it"
        in first
    )
    assert "after 132 steps of classical momentum and 20 steps of Nesterov momentum." in second.replace("\n", " ")
    assert "Nesterov's method is ahead, because it brakes" in second


def test_quadratics_that_end_otherwise_are_told_otherwise():
    """Nesterov's method is first at the target, classical momentum lower at the end; then none reaches the target."""
    classical = np.geomspace(1, 1e-9, 11) * np.append([1, 1e3, 1e3, 1e3, 1e3, 1e3, 1e3, 1e3], [1, 1, 1])
    nesterov = np.geomspace(1, 1e-8, 11)
    rows = [
        {"method": method, "step": step, "loss": loss, "rate": 1.0, "momentum": 0.9}
        for method, losses in ((theory.CLASSICAL, classical), (theory.NESTEROV, nesterov))
        for step, loss in enumerate(losses)
    ]
    table = pd.DataFrame(rows)
    found = theory.quadratic_values(table)
    assert (found["first"], found["lower"]) == (None, theory.CLASSICAL), "both get there at step 8"
    found = theory.quadratic_values(table[table["step"] < 8])
    assert (found["first"], found["lower"]) == (None, theory.NESTEROV)
    assert (found["reached"], found["missed"]) == ([], [theory.CLASSICAL, theory.NESTEROV])
    slower = table.assign(loss=table["loss"].where(table["step"] != 8, 1.0 * (table["method"] == theory.CLASSICAL)))
    found = theory.quadratic_values(slower)
    assert (found["first"], found["lower"]) == (theory.NESTEROV, theory.CLASSICAL)
    assert [row["steps"] for row in found["reached"]] == [9, 8]


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ((1.0, 0.1, 0.1), ("it is lower, because the interval excludes one", "no difference can be claimed")),
        ((1.0, 10.0, 0.01), ("it is higher, because the interval excludes one", "it is lower, because the interval")),
    ],
)
def test_the_network_in_words(tmp_path, monkeypatch, last, words):
    text = rewritten(monkeypatch, tmp_path, "momentum", "write_momentum", network=last)
    sentences = text.replace("\n", " ").split("The loss with ")[1:]
    assert [sentence.split(" is ")[0] for sentence in sentences] == ["classical momentum", "Nesterov momentum"]
    for sentence, expected in zip(sentences, words, strict=True):
        assert expected in sentence


# Initialisation


@pytest.mark.parametrize(
    ("he", "best"),
    [
        (1.0, "He's weights for the gradients, ahead of Glorot's weights"),
        (9.0, "Glorot's weights for the gradients, ahead of the heuristic"),
    ],
)
def test_initialisation_in_words(tmp_path, monkeypatch, he, best):
    """He's weights are praised where they keep the variance, not where they blow it up."""
    text = rewritten(monkeypatch, tmp_path, "initialization", "write_initialization", he=he).replace("\n", " ")
    rectifiers = text.split("With rectifiers these are ")[1].split(". ")[0]
    assert rectifiers.endswith(f", and {best}")
    assert "With tanh these are " in text
    assert "and Glorot's weights for the gradients, which cannot be told from He's weights." in text
    assert f"{theory.scientific(6.0**-9)} \\\\" in text, "what theory predicts"


def test_factors_run_through_the_whole_chain(tmp_path):
    made_up.write_initialization(tmp_path)
    rows = theory.initialization_values(tmp_path, CONFIDENCE)["rows"]
    glorot = next(row for row in rows if (row["activation"], row["initialization"]) == ("rectifier", "Glorot"))
    assert glorot["gradients"]["mean"] == pytest.approx(0.5**9)
    assert glorot["responses"]["mean"] == pytest.approx(0.5**9)
    assert glorot["predicted"] == pytest.approx(0.5**9)
    # Seeds have the factors 1.1^-9, 1 and 1.1^9 beside it.
    margin = 4.3027 * 9 * math.log(1.1) / math.sqrt(3)
    assert glorot["responses"]["high"] == pytest.approx(0.5**9 * math.exp(margin), rel=1e-3)
    assert glorot["responses"]["verdict"] == "less"


# Dropout


@pytest.mark.parametrize(
    ("gain", "spread", "words"),
    [
        (0.05, 0.001, "Dropout raises the accuracy: it changes by $+5.0$ points"),
        (-0.05, 0.001, "Dropout lowers the accuracy: it changes by $-5.0$ points"),
        (0.05, 0.1, "so neither help nor harm can be claimed"),
    ],
)
def test_dropout_in_words(tmp_path, monkeypatch, gain, spread, words):
    text = rewritten(monkeypatch, tmp_path, "dropout", "write_dropout", gain=gain, spread=spread).replace("\n", " ")
    claims = ("Dropout raises", "Dropout lowers", "neither help nor harm")
    assert words in text
    assert sum(claim in text for claim in claims) == 1


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (4.4, "is $4.40$ times that without (geometric mean, interval $3.47$ to $5.58$): dropout leaves it higher."),
        (0.25, "is $0.250$ times that without (geometric mean, interval $0.197$ to $0.317$): dropout makes it lower."),
        (
            1.05,
            "is $1.05$ times that without (geometric mean, interval $0.829$ to $1.33$): no difference can be claimed.",
        ),
    ],
)
def test_the_training_loss_in_words(tmp_path, monkeypatch, loss, words):
    """Seeds have the factors 1/1.1, 1 and 1.1 beside it: exp(4.3027 ln 1.1 / sqrt(3)) is 1.2671."""
    text = rewritten(monkeypatch, tmp_path, "dropout", "write_dropout", loss=loss).replace("\n", " ")
    assert words in text


@pytest.mark.parametrize(
    ("grown", "words"),
    [
        (0.10, ("Averaging helps: the accuracy changes by $+10.0$ points", "cannot be told from the average")),
        (
            0.05,
            (
                "Averaging helps: the accuracy changes by $+5.0$ points",
                "with all units is better than the average: the accuracy changes by $+5.0$",
            ),
        ),
        (
            -0.05,
            (
                "Averaging does harm: the accuracy changes by $-5.0$ points",
                "with all units is better than the average: the accuracy changes by $+15.0$",
            ),
        ),
        (
            0.15,
            (
                "Averaging helps: the accuracy changes by $+15.0$ points",
                "with all units is worse than the average: the accuracy changes by $-5.0$",
            ),
        ),
        (
            0.0,
            (
                "It cannot be claimed that averaging helps",
                "with all units is better than the average: the accuracy changes by $+10.0$",
            ),
        ),
    ],
)
def test_the_ensemble_in_words(tmp_path, monkeypatch, grown, words):
    text = rewritten(monkeypatch, tmp_path, "dropout", "write_dropout", grown=grown).replace("\n", " ")
    assert "One network is right on 85.0\\,\\% of the validation images, 100 networks together on" in text
    assert all(word in text for word in words)


# Crowding


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            (
                "near distances grows (by $1$,",
                "there is more room between clusters",
                "more are neighbours in the map",
                "$+10.0$ points",
            ),
        ),
        ({"ratio": 3.0}, ("near distances shrinks, against what the derivation leads one to expect (by $-1$,",)),
        ({"ratio": 4.0}, ("No difference between the Gaussian and the Student-t kernel can be claimed",)),
        ({"separation": 2.0}, ("there is less room between clusters",)),
        ({"separation": 3.0}, ("Whether clusters have more room between them is open",)),
        ({"agreement": 0.5}, ("fewer are neighbours in the map",)),
        ({"agreement": 0.6}, ("is open: their fraction changes by $+0.0$ points",)),
    ],
)
def test_crowding_in_words(tmp_path, monkeypatch, changes, words):
    text = rewritten(monkeypatch, tmp_path, "crowding", "write_crowding", **changes).replace("\n", " ")
    assert [word for word in words if word not in text] == []
    assert "near pairs goes from 0.219 to 0.198, that of moderate ones from 0.963 to 0.981." in text
