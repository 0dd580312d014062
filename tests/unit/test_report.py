"""The text of the report: no number typed by hand, every value there, no hole where a method is missing."""

import re
from itertools import pairwise

import pandas as pd
import pytest

import fixtures_report as made_up
import fixtures_theory
from fixtures_report import (
    DESCRIBED,
    IMAGES,
    IN_ROUNDS,
    NETWORKS_WITH_PSEUDO_LABELS,
    PUBLISHED,
    ROOT,
    TEMPLATES,
    WITH_PSEUDO_LABELS,
    made_up_plan,
    methods_that,
    plan_of,
    render,
    section,
    summary,
    with_seeds,
)
from reporting.studies import study_values
from reporting.text import FILTERS

WITH_FEWER_LABELS = {"kmeans", "supervised", "fixmatch"}  # of which config.yaml has experiments with label_counts
# What may hold digits: values, LaTeX's own lengths and options, labels, and the citations' keys.
NOT_PROSE = [
    r"\\(VAR|BLOCK)\{[^{}]*\}",
    r"\\(ref|label|citep|citet|cmidrule\([a-z]+\)|includegraphics\[[^\]]*\]|begin\{(minipage|tabular|longtable)\}(\[t\])?)\{[^{}]*\}",
    r"\\(pageref|label)\{(\\VAR\{[^{}]*\}|[^{}])*\}",
    r"\\setlength\{\\columnsep\}\{\dmm\}|\\setcounter\{tocdepth\}\{\d\}|\\begin\{multicols\}\{\d\}",
    r"\[width=[^\]]*\]",
    r"\\multicolumn\{\d\}\{[@{}a-z]+\}\{",
    r"\\setlength\{\\tabcolsep\}\{\dpt\}",
    r"p\{[0-9.]+\\linewidth\}",
    r"\{[0-9.]+\\linewidth\}",
    r"\\\\\[\dpt\]",
    r"\^\{-1/2\}",
]
# In the theory: lengths of its tables, and which error of the sources a row is.
NOT_PROSE_OF_THEORY = [
    r"\\(rule\{\dpt\}\{\d+pt\}|hspace\*\{\dem\}|renewcommand\{\\arraystretch\}\{[\d.]+\})",
]
MATH = re.compile(r"\$[^$]*\$|\\\[.*?\\\]|\\begin\{align\*\}.*?\\end\{align\*\}", re.DOTALL)
CONSTANTS = {"0", "1", "2"}  # of formulas
CONSTANTS_OF_THEORY = CONSTANTS | {"3", "4", "6", "10"}  # Glorot's root of 6, t-SNE's 4, the logarithm of 10


@pytest.fixture(
    scope="module",
    params=[
        (("kmeans",), ("derivations",)),
        (("supervised",), ("momentum",)),
        (("exemplar",), ("dropout",)),
        (("kmeans", "supervised", "exemplar"), ("initialization",)),
        (("supervised", *NETWORKS_WITH_PSEUDO_LABELS), ("crowding",)),
        (("kmeans", "kmeans_rounds"), fixtures_theory.PARTS[1:]),
        (("fixmatch",), ("derivations", "momentum", "initialization")),
        (("pseudo_label_loss",), ()),
        (DESCRIBED, fixtures_theory.PARTS),
    ],
)
def rendered(request, tmp_path_factory):
    """The methods of a study and the LaTeX of its report, with some parts of the theory."""
    methods, parts = request.param
    plan = plan_of(*methods) | fixtures_theory.theory_plan(*parts)
    return methods, render(tmp_path_factory.mktemp("results"), plan)


def test_every_reference_has_a_label_and_every_float_is_mentioned(rendered):
    _, text = rendered
    labels = re.findall(r"\\label\{([^}]*)\}", text)
    assert len(labels) == len(set(labels))
    mentioned = set(re.findall(r"\\ref\{([^}]*)\}", text))
    assert mentioned <= set(labels)
    assert [label for label in labels if label not in mentioned and not label.startswith("sec:")] == []


def test_floats_are_numbered_in_the_order_of_mention(rendered):
    _, text = rendered
    for part in (text.paper, text.supplement):
        for kind in ("fig", "tab"):
            labels = re.findall(rf"\\label\{{({kind}:[^}}]*)\}}", part)
            numbers = {label: number for number, label in enumerate(labels)}
            # What is said of a float of an earlier section is not its first mention; others are in the other document.
            mentions = dict.fromkeys(re.findall(rf"\\ref\{{({kind}:[^}}]*)\}}", part))
            own = [label for label in mentions if label in numbers]
            assert all(numbers[first] < numbers[second] for first, second in pairwise(own)), own


def test_only_methods_of_the_study_are_described(rendered):
    methods, text = rendered
    tables = {
        "tab:kmeans": {"kmeans"},
        "tab:supervised": {"supervised"},
        "tab:exemplar": {"exemplar"},
        "tab:rounds": IN_ROUNDS,
        "tab:rounds:stl10": IN_ROUNDS,
        "tab:pseudolabelloss": {"pseudo_label_loss"},
        "tab:fixmatch": {"fixmatch"},
        "tab:labels:stl10": WITH_FEWER_LABELS,
        "fig:labels:stl10": WITH_FEWER_LABELS,
        "tab:training": methods_that(lambda method: method.network_file),
        "sec:svm": methods_that(lambda method: "svm" in method.sections),
        "sec:pseudo": WITH_PSEUDO_LABELS,
        "sec:kmeans": {"kmeans"},
        "sec:labelsonly": {"supervised", "pixels"},
        "sec:features": methods_that(lambda method: method.unlabeled and method.unlabeled != "pseudo-labels"),
        "sec:pseudoresults": set(WITH_PSEUDO_LABELS) - {"kmeans_rounds"},
        "sec:kmeanspseudo": {"kmeans_rounds"},
        "sec:fewer": WITH_FEWER_LABELS,
        "fig:mistakes:stl10": IN_ROUNDS,
        "fig:rounds:stl10:pseudo_label": {"pseudo_label_rounds"},
        "fig:rounds:stl10:kmeans_pseudo_label": {"kmeans_rounds"},
        "fig:unlabeled:stl10:pseudo_label_loss": {"pseudo_label_loss"},
        "fig:unlabeled:stl10:fixmatch": {"fixmatch"},
    }
    for label, belonging in tables.items():
        assert (rf"\label{{{label}}}" in text) == bool(set(belonging) & set(methods)), label
    assert ("No experiment of this report uses the unlabelled images." in text) == (methods == ("supervised",))
    assert ("72.753" in text) == ("exemplar" in methods)


def test_nothing_is_left_empty(rendered):
    _, text = rendered
    assert not re.search(r"\b(None|nan|True|False|Undefined)\b", text)
    bodies = (text.paper.split(r"\begin{abstract}")[1], text.supplement.split(r"\maketitle")[1])
    body = MATH.sub("formula", "\n".join(bodies))
    apart = "[-<>,'`?!]{}(?=[-<>,'`])"  # of two marks that LaTeX would set as another one
    body = re.sub(apart, "", body)
    found = re.search(r"\s[.,;:](\s|$)|\(\)|(?<![a-z@])\{\}|,,|\.\.\s", body)
    assert not found, body[found.start() - 50 : found.end() + 50]


def test_no_paragraph_breaks_a_sentence(rendered):
    _, text = rendered
    assert not re.search(r"[a-z,]\n\s*\n\s*[a-z]", text)


def test_validation_of_rounds_is_said_to_be_over_fewer_images(rendered):
    methods, text = rendered
    with_rounds = bool(set(IN_ROUNDS) & set(methods))
    abstract, rest = text.split(r"\end{abstract}")
    assert ("on those that are not held out" in abstract) == with_rounds
    conclusion = section(rest, "Conclusion")
    assert ("of rounds of pseudo-labels is over fewer images than that of the others" in conclusion) == with_rounds
    assert ("of rounds of pseudo-labels is over fewer images than that of the others" in rest) == with_rounds
    assert ("those of rounds with validation" in rest) == ("pseudo_label_rounds" in methods)


def test_fewer_labels_have_a_table_and_a_figure(tmp_path):
    names = ["supervised", "supervised_fixmatch", "fixmatch"]
    text = render(tmp_path, with_seeds(made_up_plan(names, baseline="supervised"), [0, 1, 2]))
    table, said = (section(part, "Fewer labels") for part in (text.supplement, text.paper))
    rows = re.findall(r"^([\d,]+) & (3|10 folds) & [\d.]+ & .*? &\n(.*?) \\\\$", table, re.MULTILINE)
    counts = ["100", "250", "500"]
    runs = [*((labels, "3") for labels in counts), ("1,000", "10 folds"), ("4,000", "3")]
    assert [(labels, count) for labels, count, _ in rows] == 3 * runs
    assert re.findall(r"\\multicolumn\{6\}\{@\{\}l@\{\}\}\{(.*)\} ", table) == ["RN", "RN-steps", "FM"]
    assert [cells.endswith("& --") for *_, cells in rows] == 5 * [True] + 10 * [False]
    for labels in counts:
        claimed = said.split(rf", {labels} labels.}}")[1].split(r"\paragraph")[0]
        assert "RN},\nno difference can be claimed for \\emph{RN-steps} ($+0.0$ [$-1.0$, $+1.0$]), because" in claimed
        assert "RN-steps},\n\\emph{FM} ($-5.0$ [$-6.0$, $-4.0$]) is worse." in claimed
    assert said.count(r"\paragraph") == len(counts), "seeds and folds are told elsewhere"
    assert "The 1,000 labels are those of the folds" in table
    crosses = said.split("Crosses:")[1]
    for title, cite in (("raw pixels", "coates2011"), ("Exemplar-CNN", "dosovitskiy2014"), ("FixMatch", "zhang2021")):
        assert rf"{title} \citep{{{cite}}}" in crosses
    assert "interval over test images and runs." in table
    assert "runs with different numbers of labels" in text
    assert "with all of its training images or with a part of them" in text


def test_fewer_labels_without_a_baseline_claim_nothing(tmp_path):
    """A baseline that has no such runs; and data of which nothing is published here."""
    plan = made_up_plan(["kmeans", "kmeans_coates"], baseline="kmeans", dataset="photos")
    text = render(tmp_path, plan)
    said = section(text.paper, "Fewer labels")
    assert r"\paragraph" not in said
    assert "Crosses" not in said
    shared = "What is learned without labels comes from the same seed, and for the folds from the first seed."
    assert shared in section(text.supplement, "Fewer labels")
    without = render(tmp_path / "without", made_up_plan(["kmeans"], baseline="kmeans"))
    assert "Fewer labels" not in without
    assert "different numbers of labels" not in without


def test_fewer_labels_of_one_seed_claim_nothing(tmp_path):
    text = render(
        tmp_path, with_seeds(made_up_plan(["supervised_fixmatch", "fixmatch"], baseline="supervised_fixmatch"), [5])
    )
    assert r"\paragraph" not in section(text.paper, "Fewer labels")
    table = section(text.supplement, "Fewer labels")
    assert "$-5.0$" in table or "$+0.0$" in table, "the table has the numbers"
    assert "interval over test images and runs." in table, "of the folds"


def test_published_folds_stand_only_beside_our_own(tmp_path):
    plan = made_up_plan(["exemplar"], baseline="exemplar")
    experiment = plan["studies"]["stl10"]["experiments"]["exemplar"]
    experiment["runs"] = [run for run in experiment["runs"] if run.startswith("seed")]
    assert "72.753" not in render(tmp_path / "seeds", plan)
    embedded = made_up_plan(["exemplar"], baseline="exemplar", dataset="photos")
    assert "72.753" not in render(tmp_path / "photos", embedded)


def test_published_rows_stand_beside_our_own_of_the_same_method(tmp_path):
    """Of ours: the folds and the other numbers of labels; and no row of a method that the study has not."""
    names = ["kmeans_coates", "exemplar", "supervised"]
    text = render(tmp_path, made_up_plan(names, baseline="supervised"))
    found = section(text.supplement, "Comparison with the literature")
    groups = found.split("& computing}")[1].split(r"\midrule")
    titles = [["KM-6"], ["RN"], ["EX-geometric"]]
    assert [re.findall("ours: (.*?) &", group) for group in groups] == titles
    assert [len(re.findall(r"\\citep\[", group)) for group in groups] == [1, 2, 3]
    assert re.findall(r"& ([\d,]+) & [\d.]+", groups[0]) == ["100", "250", "500", "1,000", "4,000", "1,000"]
    assert r"51.5 $\pm$ 1.73, not said" in groups[0]
    assert "4 of the data set" in groups[0], "k-means"
    assert "none" in groups[1], "supervised"
    assert "FixMatch" not in found
    assert r"all & train\_svm & 2 & 2.0 & 1.0 & 1 \\" in text, "the rows of two experiments"
    assert "subsection{Comparison with the literature}" not in render(
        tmp_path / "photos", made_up_plan(["supervised"], baseline="supervised", dataset="photos")
    )


def test_operations_stand_next_to_accuracies_where_there_is_a_model(tmp_path):
    plan = made_up_plan(["kmeans", "supervised"], baseline="supervised")
    text = render(tmp_path, plan)
    assert re.findall(r"& ([\d.]+|--) & 1,234\.6 & [\d.-]+ \\\\", text.paper) == ["--", "0.01"]
    table = tmp_path / "stl10" / "operations.csv"
    rows = pd.read_csv(table)
    rows[rows["experiment"] != "kmeans"].to_csv(table, index=False)
    values = study_values("stl10", plan["studies"]["stl10"], tmp_path, PUBLISHED)
    assert [FILTERS["operations"](row["operations"]) for row in values["experiments"]] == ["--", "1,234.6"]


def test_study_of_digits_with_one_experiment(tmp_path):
    text = render(tmp_path, made_up_plan(["supervised"], study="mnist", baseline="supervised"))
    assert "shift 2" in text
    assert "Difference, paired" not in text
    assert r"$1\times28$" in text


def test_every_recipe_has_its_words(tmp_path):
    plan = made_up_plan(["exemplar_full", "exemplar_scratch", "exemplar_finetuned"], baseline="exemplar_scratch")
    options = [values["options"] for values in plan["studies"]["stl10"]["experiments"].values()]
    for values, optimizer, schedule in zip(
        options, ("sgd", "adamw", "sgd"), ("step", "one_cycle", "cosine"), strict=True
    ):
        values |= {"optimizer": optimizer, "schedule": schedule, "ema_decay": 0.99, "patience": 2, "hue": 0.1}
    text = render(tmp_path, plan)
    for words in (
        "or by\nAdamW",
        "along a cosine",
        "three fifths",
        "moving average",
        "does best on validation images",
        "(kept ",
    ):
        assert words in text
    assert "trained with other settings" in text
    assert "its hue is shifted" in text


def test_networks_without_augmentation(tmp_path):
    text = render(tmp_path, made_up_plan(["supervised_plain"], baseline="supervised_plain"))
    assert "The images are not changed." in text
    assert "mirrored" not in text
    assert "fig:samples" not in text


def test_one_is_followed_by_the_singular(tmp_path):
    plan = made_up_plan(["exemplar_full", "exemplar_scratch", "exemplar_finetuned"], baseline="exemplar_scratch")
    for experiment in plan["studies"]["stl10"]["experiments"].values():
        experiment["options"]["epochs"] = 1
    text = render(tmp_path, plan)
    assert "after 1 epoch of" in text
    assert not re.findall(r"\b1 (?:epoch|step|round|image|label|seed|fold|run)s\b", text)


@pytest.mark.parametrize(("groups", "said"), [(IMAGES, False), (2, True)])
def test_groups_of_test_images_are_said(monkeypatch, tmp_path, groups, said):
    original = made_up.made_up_metrics
    monkeypatch.setattr(made_up, "made_up_metrics", lambda experiments: original(experiments, groups))
    text = render(tmp_path, made_up_plan(["kmeans_coates"], baseline="kmeans_coates", dataset="photos"))
    assert ("The test images form 2 groups, each the crops of one tile;" in text) == said
    assert ("those of one group together" in text) == said
    assert ("interval over groups of test images" in text) == said


@pytest.mark.parametrize("pairs", [0, 3])
@pytest.mark.parametrize("left_out", [None, 0, 1500])
def test_near_copies_are_told(monkeypatch, tmp_path, pairs, left_out):
    original = made_up.made_up_copies
    monkeypatch.setattr(made_up, "made_up_copies", lambda: original(pairs))
    monkeypatch.setattr("reporting.copies.left_out_images", lambda path: left_out)
    text = render(tmp_path, made_up_plan(["kmeans_coates"], baseline="kmeans_coates", dataset="photos"))
    assert ("no test image has a near copy" in text) == (pairs == 0)
    assert ("the test images with a near copy number 3 where it is a training image" in text) == (pairs > 0)
    assert (r"\includegraphics[width=\linewidth]{stl10/figures/near_copies.pdf}" in text) == (pairs > 0)
    assert ("Near copies of test images were left among its unlabelled images." in text) == (
        pairs > 0 and left_out is None
    )
    expected = {None: None, 0: "0 of 4.", 1500: "1,500 of 1,504."}[left_out]
    assert re.findall(r"left out before anything was learned: (.*)\n", text) == ([expected] if expected else [])
    table = text.split(r"\label{tab:copies}")[1].split("\n}")[0]
    number = min(pairs, IMAGES)
    assert f" &  & unlabelled & 4 & {number} & {number} & -- & {number}" in table
    assert "& 0.85 & train & 4 &" in table


def test_confidence_and_precision_are_of_the_same_images(monkeypatch, tmp_path):
    """Of the held-out images, two thirds of them right; what the history says of accepted images is another thing."""

    def held_out(history, _):
        return pd.DataFrame({"round": [0] * 3, "row": range(3), "label": 1, "predicted": [1, 1, 2], "confidence": 0.99})

    monkeypatch.setattr(made_up, "made_up_held_out", held_out)
    text = render(tmp_path, made_up_plan(["supervised", "pseudo_label"], baseline="supervised"))
    assert (
        "would accept 3 different held-out images. It gives the right class to 66.7\\,\\% of those that it accepts "
        "(95\\,\\% interval\n20.8\\upto93.9)."
    ) in text
    assert (
        "Their mean confidence is 99.0\\,\\%, which lies outside the interval: "
        "the model is surer than it is right." in text
    )
    assert "66.7 & 99.0 & 85.0 \\\\" in text


def test_homework_of_the_source_is_described(tmp_path):
    names = ["digits_plain", "digits_augmented", "pseudo_label"]
    text = render(tmp_path, made_up_plan(names, study="mnist", baseline="digits_plain"))
    assert "which makes 90,000 images of 3,000, read here as\n30 copies of each" in text
    assert "multiplied by 0.998 after every epoch" in text
    assert "each step & \\raggedright\\arraybackslash 30 copies" in text
    assert r"$128+64$" in text
    assert "The images are not changed at random." in text


# What it says of differences, beside their numbers


VERDICTS = re.compile(
    r"\b(better|worse|best(?! on validation)|helped|did harm|did not help|can be claimed|surer|ahead of)\b"
)


def claims(text):
    """The words of verdicts from the results on, but for the maps of classes."""
    results = text.paper.split(r"\section{Results}")[1]
    return VERDICTS.findall(re.sub(r"\\subsection\{t-SNE.*?(?=\\section\{)", "", results, flags=re.DOTALL))


def test_one_seed_claims_nothing(tmp_path):
    """Half of the made-up intervals exclude zero."""
    text = render(tmp_path, with_seeds(plan_of(*DESCRIBED), [7], folds=1))
    assert claims(text) == []
    for run in ("seed", "fold"):
        assert text.count(f"there is one {run}, so no difference between its experiments is claimed") == 1
    assert "A comparison of one run has no verdict." in text
    assert "no comparison is of several runs that differ in them alone" in text.split(r"\end{abstract}")[0]
    rows = re.findall(r"1 (?:seed|fold) & ([a-z ]+) \\\\", text.paper)
    assert len(rows) > 5
    assert set(rows) == {"one run"}
    assert "interval over test images." in text


def test_several_seeds_are_judged_by_their_interval(tmp_path):
    text = render(tmp_path, with_seeds(plan_of(*DESCRIBED), [0, 1, 2]))
    assert {"better", "worse", "helped", "did harm", "can be claimed"} <= set(claims(text))
    assert "no difference between its experiments is claimed" not in text
    rows = re.findall(r"(?:seeds|folds) & ([a-z ]+) \\\\", text.paper)
    assert set(rows) == {"better", "undecided", "worse"}
    assert "interval over test images and runs." in text


def test_folds_are_judged_where_the_seed_is_one(tmp_path):
    text = render(tmp_path, with_seeds(plan_of(*DESCRIBED), [0]))
    said = section(text.paper, "Labels only")
    of_seeds, of_folds = said.split("labels (folds),")
    assert "there is one seed, so no difference between its experiments is claimed" in text
    assert not VERDICTS.findall(of_seeds)
    assert VERDICTS.findall(of_folds)
    judged = re.search(
        r"Of (\d+) comparisons of several runs, (\d+) says? .*?, (\d+) says? .*? and (\d+) lea", text, re.DOTALL
    )
    total, *parts = map(int, judged.groups())
    assert total == sum(parts) == len(re.findall(r"folds & (?:better|worse|undecided) \\\\", text))


def test_the_report_says_what_rounds_gain_over_the_control(tmp_path):
    plan = made_up_plan(["supervised", "pseudo_label", "pseudo_label_control"], baseline="supervised")
    text = render(tmp_path, plan)
    table = pd.read_csv(tmp_path / "stl10" / "comparison.csv").set_index("experiment")["seeds_test_accuracy_mean"]
    points = 100 * (table["pseudo_label"] - table["pseudo_label_control"])
    assert f"without an interval: \\emph{{PL-RN}} (${points:+.1f}$)." in text
    assert "It trains as many epochs, but fewer steps." in text
    assert "it takes fewer steps than rounds that accept images." in text
    steps = plan["studies"]["stl10"]["experiments"]
    for values in steps.values():
        values["options"]["steps_per_epoch"] = 50
    text = render(tmp_path / "steps", plan)
    assert "fewer steps" not in text
    assert "without an interval" in text
    assert r"28${}\times50$" in text


@pytest.mark.parametrize(("images", "words"), [(9000, "more"), (10, "fewer"), (4000, None)])
def test_the_report_says_who_trained_on_more_or_on_fewer_images(monkeypatch, tmp_path, images, words):
    plan = made_up_plan(["supervised", "fixmatch"], baseline="supervised")
    original = made_up.made_up_history

    def history(epochs, rng, method):
        """As many epochs for both, so that only the images of an epoch differ; FixMatch has those asked for."""
        return original(28, rng, method) | {"images": images if method == "fixmatch" else 4000}

    monkeypatch.setattr(made_up, "made_up_history", history)
    text = render(tmp_path, plan)
    for word in ("more", "fewer"):
        assert (f"saw {word} training images than its baseline" in text) == (word == words)
    assert "Not comparable, because they are trained with other options than their baselines: \\emph{FM} (\\te" in text
    assert set(re.findall(r"(?:seeds|folds) & ([a-z ]+) \\\\", text.paper)) == {"not comparable"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.05, "unlabelled images helped \\emph{PL-RN}."),
        (-0.05, "unlabelled images did harm to \\emph{PL-RN}."),
        (0.0, "it cannot be said whether unlabelled images helped \\emph{PL-RN}."),
    ],
)
def test_the_report_says_whether_unlabeled_images_help(monkeypatch, tmp_path, value, words):
    plan = made_up_plan(["supervised", "pseudo_label"], baseline="supervised")
    original = made_up.made_up_comparison

    def comparison(*arguments):
        """The second row's difference is the one asked for, and there is none of the folds."""
        first, second = original(*arguments)
        for name in ("difference", "difference_low", "difference_high"):
            second.pop(f"folds_{name}", None)
        return [first, second | {f"seeds_{name}": cell for name, cell in summary(value).items()}]

    monkeypatch.setattr(made_up, "made_up_comparison", comparison)
    text = render(tmp_path, plan)
    assert f"With 4,000 labels (seeds), {words}" in text
    verdict = {0.05: "better", -0.05: "worse", 0.0: "undecided"}[value]
    assert f"& 3 seeds & {verdict} " in text
    assert f"\\emph{{PL-RN}} (${100 * value:+.1f}$ [${100 * value - 1:+.1f}$, ${100 * value + 1:+.1f}$])" in text
    assert ("the largest gain is that of \\emph{PL-RN}" in text) == (verdict == "better")


# What is typed


def prose(body: str, patterns: list[str] = NOT_PROSE, constants: set[str] = CONSTANTS) -> str:
    """The body of a template without what may hold digits."""
    for pattern in patterns:
        body = re.sub(pattern, " ", body, flags=re.DOTALL)
    return MATH.sub(
        lambda formula: " " if set(re.findall(r"[\d.]+", formula[0])) <= constants | {"."} else formula[0], body
    )


def test_no_digit_is_typed_into_the_prose():
    texts = [TEMPLATES[name].split(r"\begin{document}", 1)[1] for name in ("report.tex", "supplement.tex")]
    body = "".join(
        [*texts, *(TEMPLATES[name] for name in ("answers.tex", "conclusion.tex", "macros.tex", "results.tex"))]
    )
    of_theory = prose(TEMPLATES["derivations.tex"], NOT_PROSE + NOT_PROSE_OF_THEORY, CONSTANTS_OF_THEORY)
    lines = [line for line in (prose(body) + of_theory).splitlines() if re.search(r"\d", line)]
    assert not lines


@pytest.mark.parametrize(
    "sentence", ["It reaches 45.3 per cent.", r"an accuracy of 61\,\%", "over 3 seeds", r"by $+1.5$ points"]
)
def test_a_typed_digit_is_found(sentence):
    assert re.search(r"\d", prose(sentence))
    assert re.search(r"\d", prose(sentence, NOT_PROSE + NOT_PROSE_OF_THEORY, CONSTANTS_OF_THEORY))


def bibliography() -> dict[str, dict[str, str]]:
    """The entries of references.bib by key: kind of publication and fields."""
    text = (ROOT / "report" / "references.bib").read_text()
    entries = re.findall(r"^@(\w+)\{(\w+),\n(.*?)^\}$", text, re.MULTILINE | re.DOTALL)
    assert len(entries) == text.count("@"), "an entry that this test cannot read"
    fields = {key: dict(re.findall(r"^  (\w+) *= \{(.*)\},?$", body, re.MULTILINE)) for _, key, body in entries}
    return {key: {"kind": kind} | fields[key] for kind, key, _ in entries}


def test_bibliography_has_every_citation_and_no_other():
    text = "".join(TEMPLATES.values())
    cited = {key for keys in re.findall(r"\\cite[pt]\{([^}]*)\}", text) for key in keys.split(",")}
    of_literature = {row["cite"] for row in PUBLISHED["literature"]}
    cited = {key for key in cited if not key.startswith(r"\VAR")} | of_literature
    assert cited == set(bibliography())


def test_every_entry_of_the_bibliography_is_complete():
    venue = {"article": "journal", "incollection": "booktitle", "inproceedings": "booktitle"}
    for key, entry in bibliography().items():
        missing = {"author", "title", "year", venue[entry["kind"]]} - {name for name, text in entry.items() if text}
        assert not missing, (key, missing)
        assert key.endswith(entry["year"]), key
        first = entry["author"].split(",")[0]
        assert key.startswith(re.sub(r"[^a-z]", "", first.lower())), key
        assert re.fullmatch(r"\d+(--\d+)?", entry.get("pages", "1--2")), key
        assert all("," in author for author in entry["author"].split(" and ")), key


def test_links_of_the_readme_and_the_docs_exist():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", page.read_text())]
    assert links
    assert not [(page.name, link) for page, link in links if "://" not in link and not (page.parent / link).exists()]
