"""The text of the report: no number typed by hand, every value there, no hole where a method is missing, arithmetic of
the published table.
"""

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import render_report
from planning import config as planning
from semisup.dataset import Split, write_dataset
from semisup.networks import Shape, new_network

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = (ROOT / "report" / "report.tex").read_text()
PUBLISHED = yaml.safe_load((ROOT / "report" / "published.yaml").read_text())
CONFIG = planning.checked_config(
    planning.read_yaml(ROOT / "config.yaml"), planning.read_yaml(ROOT / "config.schema.yaml")
)
CLASS_NAMES = ["cat", "dog", "9_&"]
LAYERS = {"kmeans": ["features"], "cnn": ["stem", "stage1"], "surrogate": ["conv1", "conv2", "full"]}
# What may hold digits: values, LaTeX's own lengths and options, labels, and the citations' keys.
NOT_PROSE = [
    r"\\(VAR|BLOCK)\{[^{}]*\}",
    r"\\(ref|label|citep|citet|cmidrule\([a-z]+\)|includegraphics\[[^\]]*\]|begin\{(minipage|tabular|longtable)\})\{[^{}]*\}",
    r"\\multicolumn\{\d\}\{[@{}a-z]+\}\{",
    r"\\setlength\{\\tabcolsep\}\{\dpt\}",
    r"p\{[0-9.]+\\linewidth\}",
    r"\{[0-9.]+\\linewidth\}",
    r"\\\\\[\dpt\]",
    r"\^\{-1/2\}",
]
MATH = re.compile(r"\$[^$]*\$|\\\[.*?\\\]", re.DOTALL)
CONSTANTS = {"0", "1", "2"}  # of formulas


# A study made up: the plan as the workflow makes it, and tables of random numbers


def made_up_plan(experiments, study="stl10", **changes):
    """Return the plan of a study with some of the experiments of config.yaml, without their figures of confusion."""
    content = CONFIG["studies"][study]
    chosen = {name: options for name, options in content["experiments"].items() if name in experiments}
    baseline = changes.get("baseline", content["baseline"])
    plan = {
        name: {
            "title": options.get("title", name),
            "method": options["method"],
            "base": options.get("base"),
            "baseline": options["baseline"] if options.get("baseline") in chosen else baseline,
            "runs": planning.experiment_runs(CONFIG, study, name),
            "options": planning.experiment_options(CONFIG, study, name),
        }
        for name, options in chosen.items()
    }
    networks = [name for name, values in plan.items() if values["method"] != "kmeans"]
    figures = [f"{kind}_{name}" for kind in ("filters", "layers") for name in networks]
    for method, kind in (("cnn", "augmentations"), ("surrogate", "surrogates")):
        figures += [f"{kind}_{name}" for name, values in plan.items() if values["method"] == method]
    learners = [name for name, values in plan.items() if values["method"] == "kmeans" and not values["base"]]
    figures += [f"{kind}_{name}" for kind in ("patches", "centroids") for name in learners]
    if any(values["method"] == "cnn" for values in plan.values()):
        figures.append("training")
    values = {key: content[key] for key in ("title", "dataset", "seeds", "baseline")}
    return {"studies": {study: values | changes | {"experiments": plan, "figures": figures}}} | {
        key: CONFIG[key] for key in ("evaluation", "figures")
    }


def made_up_images(folder, channels, size):
    rng = np.random.default_rng(0)
    splits = {
        name: Split(
            [rng.integers(0, 256, (4, channels, size, size), dtype=np.uint8)],
            np.arange(4),
            None if name == "unlabeled" else np.arange(4) % len(CLASS_NAMES),
        )
        for name in ("train", "validation", "unlabeled", "test")
    }
    attributes = {"dataset": "toy", "class_names": CLASS_NAMES, "source": "made up", "checksums": {}}
    write_dataset(folder / "images.h5", folder / "test_labels.h5", splits, None, attributes)


def made_up_comparison(experiments, top_k, rng):
    """Return rows of comparison.csv; differences are better, undecided and worse in turn."""
    rows = []
    for number, (name, plan) in enumerate(experiments.items()):
        row = {"experiment": name, "baseline": plan["baseline"]}
        for protocol, labels in (("seeds", 4000), ("folds", 1000)):
            names = [run for run in plan["runs"] if run.startswith(protocol[:-1])]
            theirs = experiments[plan["baseline"]]["runs"]
            accuracy = rng.uniform(0.5, 0.8)
            summary = {
                "labels": labels,
                "runs": len(names),
                "validation_accuracy_mean": accuracy,
                "test_accuracy_mean": accuracy,
                "test_accuracy_std": 0.01,
                "test_accuracy_low": accuracy - 0.01,
                "test_accuracy_high": accuracy + 0.01,
                **{f"top{k}_error_mean": (1 - accuracy) / k for k in range(1, top_k + 1)},
            }
            if set(names) & set(theirs) and plan["baseline"] != name:
                value = (0.05, 0.0, -0.05)[number % 3]
                interval = {"difference_low": value - 0.01, "difference_high": value + 0.01}
                summary |= {"difference_runs": len(names), "difference": value, **interval}
            if names:
                row |= {f"{protocol}_{key}": cell for key, cell in summary.items()}
        rows.append(row)
    return rows


def made_up_history(epochs, rng):
    return {
        "epoch": range(1, epochs + 1),
        "learning_rate": 0.1,
        "train_loss": rng.uniform(1, 2, epochs),
        "train_accuracy": rng.uniform(0, 1, epochs),
        "validation_accuracy": rng.uniform(0, 1, epochs),
        "seconds": 30.0,
        "images_per_second": 400.0,
        "peak_memory_gib": 1.5,
    }


def made_up_selection(options, method, rng):
    candidates = {
        "kmeans": [(epsilon, c) for epsilon in options.get("whitening_epsilon", ()) for c in options.get("svm_c", ())],
        "surrogate": [(c,) for c in options.get("svm_c", ())],
        "cnn": [(epoch,) for epoch in range(1, options.get("epochs", 0) + 1)],
    }[method]
    columns = {"kmeans": ["epsilon", "c"], "surrogate": ["c"], "cnn": ["epoch"]}[method]
    table = pd.DataFrame(candidates, columns=columns)
    return table.assign(validation_accuracy=rng.uniform(0, 1, len(table)), chosen=table.index == len(table) // 2)


def write_csv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)


def write_study(folder, plan, shape, top_k, rng):
    """Write every table that the report reads of a study."""
    experiments = plan["experiments"]
    (folder / "data").mkdir(parents=True)
    made_up_images(folder / "data", *shape)
    write_csv(folder / "comparison.csv", made_up_comparison(experiments, top_k, rng))
    solver, per_class = [], []
    for name, values in experiments.items():
        per_class += [
            {"experiment": name, "run": "seed0", "class": label, "test_accuracy": rng.uniform()}
            for label in CLASS_NAMES
        ]
        solver += [
            {
                "experiment": name,
                "run": "seed0",
                "steps": steps,
                **{f"{split}_accuracy": 0.5 for split in ("train", "validation", "test")},
            }
            for steps in (0, *values["options"].get("svm_iterations", ()))
            if values["options"].get("svm_iterations")
        ]
        for run in values["runs"]:
            method, options = values["method"], values["options"]
            write_csv(folder / name / run / "selection.csv", made_up_selection(options, method, rng))
            if method != "kmeans":
                history = "history" if method == "cnn" else "surrogate_history"
                write_csv(folder / name / run / f"{history}.csv", made_up_history(options["epochs"], rng))
    columns = ["experiment", "run", "steps", "train_accuracy", "validation_accuracy", "test_accuracy"]
    write_csv(folder / "solver_iterations.csv", pd.DataFrame(solver, columns=columns))
    write_csv(folder / "per_class.csv", per_class)
    representations = {"pixels": ["pixels"]} | {name: LAYERS[values["method"]] for name, values in experiments.items()}
    for name, layers in representations.items():
        numbers = ("knn_agreement", "silhouette", "knn_agreement_before", "silhouette_before", "trustworthiness")
        rows = [{"layer": layer, "images": 1000, **{key: rng.uniform() for key in numbers}} for layer in layers]
        best = max(rows, key=lambda row: row["knn_agreement"])
        write_csv(folder / "figures" / f"clustering_{name}.csv", [row | {"best": row is best} for row in rows])


def write_results(folder, plan):
    """Write all that the program reads; return the command line's options."""
    rng = np.random.default_rng(1)
    for name, study in plan["studies"].items():
        shape = (planning.CHANNELS[study["dataset"]], planning.IMAGE_SIZES[study["dataset"]])
        write_study(folder / name, study, shape, plan["evaluation"]["top_k"], rng)
    made_by = {
        "commit": "0123456789abcdef",
        "uncommitted_changes": True,
        "python": "3.11.7",
        "packages": {"numpy": "2.4.6"},
        "system": "Linux x86_64",
        "processor": "a processor",
        "cores": 2,
        "memory_gib": 8.0,
        "gpu": None,
    }
    (folder / "report").mkdir()
    (folder / "report" / "provenance.json").write_text(json.dumps(made_by))
    timing = {"jobs": 1, "seconds": 1.0, "longest_seconds": 1.0, "peak_mb": 1.0}
    write_csv(folder / "report" / "timings.csv", [{"study": "all", "rule": "evaluate", **timing}])


def render(folder, plan):
    """Return the LaTeX of the report on made-up results."""
    write_results(folder, plan)
    report = folder / "report"
    options = {
        "plan": [json.dumps(plan)],
        "results": [folder],
        "provenance": [report / "provenance.json"],
        "timings": [report / "timings.csv"],
        "sources": [ROOT / "report" / name for name in ("report.tex", "references.bib", "published.yaml")],
        "tex": [report / "report.tex"],
        "bibliography": [report / "references.bib"],
    }
    render_report.main([str(text) for name, values in options.items() for text in (f"--{name}", *values)])
    return (report / "report.tex").read_text()


def plan_of(*methods):
    """The plan of a study with all experiments of config.yaml that are of these methods; the first is the baseline."""
    content = CONFIG["studies"]["stl10"]["experiments"]
    names = [name for name, options in content.items() if options["method"] in methods]
    if "surrogate" not in methods:
        names = [name for name in names if content[name].get("base") is None or content[name]["method"] == "kmeans"]
    return made_up_plan(names, baseline=names[0])


@pytest.fixture(scope="module", params=[("kmeans",), ("cnn",), ("surrogate",), ("kmeans", "cnn", "surrogate")])
def rendered(request, tmp_path_factory):
    """The methods of a study and the LaTeX of its report."""
    return request.param, render(tmp_path_factory.mktemp("results"), plan_of(*request.param))


def test_every_reference_has_a_label_and_every_float_is_mentioned(rendered):
    _, text = rendered
    labels = re.findall(r"\\label\{([^}]*)\}", text)
    assert len(labels) == len(set(labels))
    mentioned = set(re.findall(r"\\ref\{([^}]*)\}", text))
    assert mentioned <= set(labels)
    # Two figures of an experiment with k-means stand for all between them.
    unmentioned = [label for label in labels if label not in mentioned and not label.startswith("sec:")]
    assert all(re.match("fig:(patches|centroids):", label) for label in unmentioned)


def test_floats_are_numbered_in_the_order_of_mention(rendered):
    _, text = rendered
    body = text.split(r"\appendix")[0]
    for kind in ("fig", "tab"):
        numbers = {label: number for number, label in enumerate(re.findall(rf"\\label\{{({kind}:[^}}]*)\}}", text))}
        # What is said of a float of an earlier section is not its first mention.
        mentions = list(dict.fromkeys(re.findall(rf"\\ref\{{({kind}:[^}}]*)\}}", body)))
        assert all(numbers[first] < numbers[second] for first, second in pairwise(mentions)), mentions


def test_only_methods_of_the_study_are_described(rendered):
    methods, text = rendered
    tables = {"kmeans": "tab:kmeans", "cnn": "tab:cnn", "surrogate": "tab:surrogate"}
    for method, table in tables.items():
        assert (rf"\label{{{table}}}" in text) == (method in methods)
    assert ("k-means" in text.split(r"\section{Results")[0]) == ("kmeans" in methods)
    assert (r"\label{tab:training}" in text) == (methods != ("kmeans",))
    assert (r"\label{sec:svm}" in text) == (methods != ("cnn",))
    assert ("No experiment of this report uses the unlabeled images." in text) == (methods == ("cnn",))
    assert ("Did the unlabeled images help?" in text) == (len(methods) == 3)
    assert ("72.753" in text) == ("surrogate" in methods)


def test_nothing_is_left_empty(rendered):
    _, text = rendered
    assert not re.search(r"\b(None|nan|True|False|Undefined)\b", text)
    body = MATH.sub("formula", text.split(r"\begin{abstract}")[1])
    assert not re.search(r"\s[.,;:](\s|$)|\(\)|(?<![a-z@])\{\}|,,|\.\.\s", body)


def test_no_paragraph_breaks_a_sentence(rendered):
    _, text = rendered
    assert not re.search(r"[a-z,]\n\s*\n\s*[a-z]", text)


def test_published_folds_stand_only_beside_our_own(tmp_path):
    plan = made_up_plan(["surrogate"], baseline="surrogate")
    experiment = plan["studies"]["stl10"]["experiments"]["surrogate"]
    experiment["runs"] = [run for run in experiment["runs"] if run.startswith("seed")]
    assert "72.753" not in render(tmp_path / "seeds", plan)
    embedded = made_up_plan(["surrogate"], baseline="surrogate", dataset="photos")
    assert "72.753" not in render(tmp_path / "photos", embedded)


def test_study_of_digits_with_one_experiment(tmp_path):
    text = render(tmp_path, made_up_plan(["supervised"], study="mnist", baseline="supervised"))
    assert "shift 2" in text
    assert "Difference, paired" not in text
    assert r"$1\times28$" in text


def test_every_recipe_has_its_words(tmp_path):
    plan = made_up_plan(["surrogate_full", "surrogate_scratch", "surrogate_finetuned"], baseline="surrogate_scratch")
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
        "does best on validation",
        "(kept ",
    ):
        assert words in text
    assert "trained with other settings" in text
    assert "its hue is shifted" in text


def test_networks_without_augmentation(tmp_path):
    text = render(tmp_path, made_up_plan(["supervised_plain"], baseline="supervised_plain"))
    assert "The images are not changed." in text
    assert "mirror" not in text
    assert "fig:augmentations" not in text


# What is computed


def summary(value, margin=0.01):
    return {"difference": value, "difference_low": value - margin, "difference_high": value + margin}


@pytest.mark.parametrize(("value", "expected"), [(0.02, "better"), (-0.02, "worse"), (0.005, "undecided")])
def test_verdict(value, expected):
    assert render_report.verdict(summary(value)) == expected


def test_differences_carry_the_mark_of_their_baseline():
    rows = [
        {"name": "a", "title": "A", "baseline": "a", "seeds": {}, "folds": {}},
        {"name": "b", "title": "B", "baseline": "a", "seeds": summary(0.1), "folds": {}},
        {"name": "c", "title": "C", "baseline": "b", "seeds": summary(-0.1), "folds": summary(0.0)},
    ]
    render_report.mark_baselines(rows, "a")
    assert [row["mark"] for row in rows] == ["", "", "a"]
    groups = render_report.compared_groups(rows, "seeds")
    assert [(group["baseline"], group["mark"]) for group in groups] == [("A", ""), ("B", "a")]
    assert groups[0]["better"] == [r"\emph{B} ($+10.0$)"]
    assert groups[1]["worse"] == [r"\emph{C} ($-10.0$)"]
    assert [group["undecided"] for group in render_report.compared_groups(rows, "folds")] == [[r"\emph{C} ($+0.0$)"]]
    assert render_report.difference(rows[0]["seeds"]) == "--"
    assert r"\mathrm{a}" in render_report.difference(rows[2]["seeds"], "a")


def test_only_the_same_network_from_random_weights_answers_for_the_unlabeled_images():
    def row(name, baseline, base=None, method="cnn", network="exemplar_small", **options):
        values = {"network": network, "folds": False, "epochs": 3} | options
        return {
            "name": name,
            "title": name,
            "method": method,
            "base": base,
            "baseline": baseline,
            "options": values,
            "seeds": summary(0.05),
            "folds": {},
        }

    pretrained = row("pretrained", "surrogate", method="surrogate")
    twin, other = row("twin", "twin", folds=True), row("other", "other", network="resnet")
    tuned = [row("alike", "twin", "pretrained"), row("longer", "twin", "pretrained", epochs=9)]
    against_other = row("against_other", "other", "pretrained")
    rows = [pretrained | {"name": "surrogate"}, pretrained, twin, other, *tuned, against_other]
    answers = render_report.pretraining_answers(rows)
    assert [(answer["title"], answer["alike"]) for answer in answers] == [("alike", True), ("longer", False)]
    assert [result["verdict"] for result in answers[0]["results"]] == ["better"]


def test_ranges_name_the_exceptions_first():
    rows = [
        {"name": name, "options": {"transformations": ["translation"], "translation": value}}
        for name, value in (("first", 0.1), ("second", 0.2), ("third", 0.2))
    ]
    text = r"$\pm$0.1 (\texttt{first}), else $\pm$0.2"
    assert render_report.ranges_text(rows, "translation") == text
    assert render_report.ranges_text(rows[1:], "translation") == r"$\pm$0.2"
    assert render_report.range_text({"scale": [0.7, 1.4]}, "scale") == "0.7 to 1.4"
    assert render_report.range_text({}, "hue") == "--"


def test_every_transformation_has_ranges_in_the_options_and_in_the_paper():
    assert tuple(render_report.RANGES) == render_report.TRANSFORMATIONS
    for options in (CONFIG["surrogate"], PUBLISHED["exemplar_paper"]["ranges"]):
        assert all(name in options for signs in render_report.RANGES.values() for name in signs)
    assert set(PUBLISHED["surrogate_classes"]["ranges"]) == {"rotation", "translation", "scale"}


def test_further_settings_are_options_of_their_method():
    for method, names in render_report.FURTHER.items():
        assert set(names) <= set(CONFIG[method])
    assert set(render_report.AUGMENTATIONS) <= set(CONFIG["cnn"])


def test_network_facts_are_those_of_the_network():
    shape = Shape("exemplar_small", 3, 32, 10, 0.0)
    facts = render_report.network_facts(shape)
    assert facts["layers"] == r"\texttt{conv1} 64 (16), \texttt{conv2} 64 (8), \texttt{full} 128 (1)"
    assert facts["weights"] == sum(value.numel() for value in new_network(shape, seed=0).parameters())


def test_training_values_sum_over_runs(tmp_path):
    for number, run in enumerate(("seed0", "seed1", "fold0")):
        table = made_up_history(2 + number, np.random.default_rng(0)) | {"peak_memory_gib": float(number)}
        write_csv(tmp_path / run / "history.csv", table)
        write_csv(tmp_path / run / "surrogate_history.csv", table)
    runs = ["seed0", "seed1", "fold0"]
    values = render_report.training_values({"method": "cnn", "runs": runs}, tmp_path)
    assert values["runs"] == 3
    assert values["epochs"] == "2--4"
    assert values["minutes"] == pytest.approx(9 * 30 / 60)
    assert values["peak_memory_gib"] == 2
    values = render_report.training_values({"method": "surrogate", "runs": runs}, tmp_path)
    assert (values["runs"], values["epochs"]) == (2, "2--3")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "none"),
        (render_report.TRANSFORMATIONS, "all"),
        (render_report.TRANSFORMATIONS[:-1], r"all but \texttt{hue}"),
        (["rotation", "scale"], r"\texttt{rotation} and \texttt{scale}"),
    ],
)
def test_named_transformations(names, expected):
    assert render_report.named_transformations(list(names)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0003, "0.0003"), (3e-5, r"$3\cdot10^{-5}$"), (1600.0, "1600"), (2.5e7, r"$2.5\cdot10^{7}$")],
)
def test_small_numbers_are_powers_of_ten(value, expected):
    assert render_report.short(value) == expected


def test_lists_read_as_sentences():
    assert [render_report.listed("abc"[:size]) for size in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


# What is typed


def prose(text: str) -> str:
    """The body of the template without what may hold digits."""
    body = text.split(r"\begin{document}", 1)[1]
    for pattern in NOT_PROSE:
        body = re.sub(pattern, " ", body)
    return MATH.sub(
        lambda formula: " " if set(re.findall(r"[\d.]+", formula[0])) <= CONSTANTS | {"."} else formula[0], body
    )


def test_no_digit_is_typed_into_the_prose():
    lines = [line for line in prose(TEMPLATE).splitlines() if re.search(r"\d", line)]
    assert not lines


@pytest.mark.parametrize(
    "sentence", ["It reaches 45.3 per cent.", r"an accuracy of 61\,\%", "over 3 seeds", r"by $+1.5$ points"]
)
def test_a_typed_digit_is_found(sentence):
    assert re.search(r"\d", prose(r"\begin{document}" + sentence))


def test_published_training_accuracies_cannot_be_stl10():
    facts = render_report.source_table_facts(PUBLISHED["solver_table"], studies=[])
    impossible = {row["count"]: row["percents"] for row in facts["impossible"]}
    for count in (1000, 4000, 5000):
        attainable = {f"{100 * right / count:.2f}" for right in range(count + 1)}
        assert impossible[count] == [value for value in ("96.71", "99.04", "99.34", "99.53") if value not in attainable]
    assert all("96.71" in values for values in impossible.values())
    assert facts["equal_last_rows"] == 3
    assert facts["study"] is None
    assert facts["inverted_rows"] == 3
    assert facts["fitting_counts"] == ["10\\,000", "60\\,000"]


@pytest.mark.parametrize(
    ("value", "count", "possible"), [(50.0, 2, True), (33.33, 3, True), (33.3, 3, False), (99.53, 5000, False)]
)
def test_attainable(value, count, possible):
    assert render_report.attainable(value, count) is possible
    brute = any(round(100 * right / count, 2) == value for right in range(count + 1))
    assert brute is possible


def test_seed_setting_gives_sixteen_patches():
    setting = render_report.seed_setting({"patch_size": 22, "gap": 2, "image_size": 96})
    assert (setting["stride"], setting["patches"], setting["misread_patches"]) == (24, 16, 1444)


def test_special_characters_are_escaped():
    assert render_report.tex("50 % & _x{}") == r"50 \% \& \_x\{\}"


def test_bibliography_has_every_citation_and_no_other():
    cited = {key for keys in re.findall(r"\\cite[pt]\{([^}]*)\}", TEMPLATE) for key in keys.split(",")}
    entries = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "report" / "references.bib").read_text(), re.MULTILINE))
    assert cited == entries


def test_links_of_the_readme_and_the_docs_exist():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", page.read_text())]
    assert links
    assert not [(page.name, link) for page, link in links if "://" not in link and not (page.parent / link).exists()]
