"""The text of the report: no number typed by hand, every value there, no hole where a method is missing, arithmetic of
the published table.
"""

import json
import re
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

import fixtures_theory
import render_report
from planning import config as planning
from planning.report import data_set_text, facts_of, network_texts, report_plan, sections_of
from semisup.dataset import Split, write_dataset
from semisup.network import Shape, new_network, write_network

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = {
    str(path.relative_to(ROOT / "report")): path.read_text() for path in sorted((ROOT / "report").rglob("*.tex"))
}
PUBLISHED = yaml.safe_load((ROOT / "report" / "published.yaml").read_text())
CONFIG = planning.checked_config(planning.read_yaml(ROOT / "config.yaml"), planning.config_schema())
DEFAULTS = {name: planning.section_defaults(method) for name, method in planning.METHODS.items()}
CLASS_NAMES = ["cat", "dog", "9_&"]
IMAGES = 4  # of each split
LAYERS = {"kmeans": ["features"], "surrogate": ["conv1", "conv2", "full"]}
NETWORK_LAYERS = ["stem", "stage1"]  # of the other networks
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
# In the theory: lengths of its tables, and which error of the sources a row is.
NOT_PROSE_OF_THEORY = [
    r"\\(rule\{\dpt\}\{\d+pt\}|hspace\*\{\dem\}|renewcommand\{\\arraystretch\}\{[\d.]+\})",
]
MATH = re.compile(r"\$[^$]*\$|\\\[.*?\\\]|\\begin\{align\*\}.*?\\end\{align\*\}", re.DOTALL)
CONSTANTS = {"0", "1", "2"}  # of formulas
CONSTANTS_OF_THEORY = CONSTANTS | {"3", "4", "6", "10"}  # Glorot's root of 6, t-SNE's 4, the logarithm of 10


# A study made up: the plan as the workflow makes it, and tables of random numbers


def made_up_plan(experiments, study="stl10", dataset=None, **changes):
    """Return the plan of a study with some of the experiments of config.yaml, without figures that all have."""
    whole = report_plan(CONFIG, ROOT / "report")
    del whole["theory"]
    plan = whole["studies"][study]
    chosen = {name: values for name, values in plan["experiments"].items() if name in experiments}
    baseline = changes.get("baseline", plan["baseline"])
    for values in chosen.values():
        values["baseline"] = values["baseline"] if values["baseline"] in chosen else baseline
    kinds = {kind: names for kind, names in plan["figures"].items() if kind not in ("confusion", "tsne")}
    figures = {kind: [name for name in names if name in chosen] for kind, names in kinds.items()}
    kind = planning.data_kind(CONFIG, dataset or plan["kind"])
    plan |= {"kind": kind.kind, "embedded": kind.embedded, "about": kind.__doc__} | changes
    plan["text"] = data_set_text(kind, ROOT / "report")
    plan |= {"experiments": chosen, "figures": figures}
    plan["training_figure"] = any(values["facts"]["training_curves"] for values in chosen.values())
    methods = {planning.METHODS[values["method"]] for values in chosen.values()}
    networks = dict.fromkeys(
        values["options"]["network"] for values in chosen.values() if "network" in values["options"]
    )
    return whole | {
        "studies": {study: plan},
        "sections": sections_of(methods, ROOT / "report"),
        "networks": network_texts(networks, ROOT / "report"),
    }


def made_up_images(folder, channels, size):
    rng = np.random.default_rng(0)
    splits = {
        name: Split(
            [rng.integers(0, 256, (IMAGES, channels, size, size), dtype=np.uint8)],
            np.arange(IMAGES),
            None if name == "unlabeled" else np.arange(IMAGES) % len(CLASS_NAMES),
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


def made_up_metrics(experiments, test_groups=IMAGES):
    """Return the rows of metrics.csv, as far as the report reads them."""
    runs = [(name, run) for name, plan in experiments.items() for run in plan["runs"]]
    return [{"experiment": name, "run": run, "test_groups": test_groups} for name, run in runs]


def made_up_history(epochs, rng, method="cnn"):
    unlabeled = {"unlabeled_loss": 0.5, "unlabeled_weight": 1.0, "accepted": 0.5}
    return (unlabeled if planning.METHODS[method].training_curves and planning.METHODS[method].unlabeled else {}) | {
        "epoch": range(1, epochs + 1),
        "learning_rate": 0.1,
        "train_loss": rng.uniform(1, 2, epochs),
        "train_accuracy": rng.uniform(0, 1, epochs),
        "validation_accuracy": rng.uniform(0, 1, epochs),
        "images": 4000,
        "seconds": 30.0,
        "images_per_second": 400.0,
        "peak_memory_gib": 1.5,
    }


def made_up_rounds(options, rng):
    """Return the history of rounds; the second of them accepts nothing."""
    rounds = options["rounds"]
    accepted = np.full(rounds + 1, 0 if render_report.accepts_nothing(options) else 100)
    accepted[[1, rounds]] = 0
    some = accepted > 0
    return pd.DataFrame(
        {
            "round": range(rounds + 1),
            "training_images": 4000 + np.append(0, accepted.cumsum()[:-1]),
            "accepted": accepted,
            "mean_confidence": np.where(some, rng.uniform(0.9, 1, rounds + 1), np.nan),
            "lowest_confidence": np.where(some, 0.85, np.nan),
            "held_out_images": np.where(some, 25, 0),
            "held_out_precision": np.where(some, rng.uniform(0.6, 0.8, rounds + 1), np.nan),
            "validation_accuracy": rng.uniform(0, 1, rounds + 1),
            "seconds": 30.0,
            "peak_memory_gib": 1.5,
            "images_per_second": [np.nan, *[400.0] * rounds],
        }
    )


def made_up_held_out(history, rng):
    """Return the held-out images that go with the history of rounds."""
    rounds = np.repeat(history["round"], history["held_out_images"])
    columns = {"row": range(len(rounds)), "label": 1, "predicted": 1, "confidence": rng.uniform(0.9, 1, len(rounds))}
    return pd.DataFrame({"round": rounds} | columns)


def made_up_training(method, options, rng):
    """Return the tables of a run by name, but for the selection."""
    if "epochs" not in options and "rounds" not in options:
        return {}
    if planning.METHODS[method].in_rounds:
        history = made_up_rounds(options, rng)
        return {"history": history, "held_out": made_up_held_out(history, rng)}
    name = planning.METHODS[method].network_history.removesuffix(".csv")
    return {name: made_up_history(options["epochs"], rng, method)}


def made_up_selection(options, method, rng):
    if planning.METHODS[method].in_rounds:
        rounds = np.arange(options["rounds"] + 1)
        return pd.DataFrame({"round": rounds, "validation_accuracy": 0.5, "chosen": rounds == options["rounds"]})
    if planning.METHODS[method].training_curves:
        method = "cnn"
    if not planning.METHODS[method].sections:
        method = "surrogate"  # which chooses C alone
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
    write_csv(folder / "metrics.csv", made_up_metrics(experiments))
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
            for table, rows in made_up_training(method, options, rng).items():
                write_csv(folder / name / run / f"{table}.csv", rows)
        if values["network_file"]:
            write_made_up_network(folder / name / values["runs"][0] / values["network_file"], values["options"], shape)
    columns = ["experiment", "run", "steps", "train_accuracy", "validation_accuracy", "test_accuracy"]
    write_csv(folder / "solver_iterations.csv", pd.DataFrame(solver, columns=columns))
    write_csv(folder / "per_class.csv", per_class)
    representations = {"pixels": ["pixels"]} | {
        name: LAYERS.get(values["method"], NETWORK_LAYERS)
        for name, values in experiments.items()
        if planning.METHODS[values["method"]].mapped
    }
    clustering = []
    for name, layers in representations.items():
        numbers = ("knn_agreement", "silhouette", "knn_agreement_before", "silhouette_before", "trustworthiness")
        rows = [{"layer": layer, "images": 1000, **{key: rng.uniform() for key in numbers}} for layer in layers]
        best = max(rows, key=lambda row: row["knn_agreement"])
        clustering += [{"representation": name} | row | {"best": row is best} for row in rows]
    write_csv(folder / "clustering.csv", clustering)


def write_made_up_network(path, options, shape):
    """Write what the report reads of a file that holds a network."""
    with h5py.File(path, "w") as file:
        group = file.create_group("network")
        group.attrs.update(network=options["network"], channels=shape[0], size=shape[1], classes=10)
        group.attrs["facts"] = json.dumps({"layers": [["stem", 64, 24]], "weights": 12345, "filters": "stem"})


def write_results(folder, plan):
    """Write all that the program reads; return the command line's options."""
    rng = np.random.default_rng(1)
    for name, study in plan["studies"].items():
        data = planning.data_of(CONFIG, study["kind"])
        shape = (data.channels, data.size)
        write_study(folder / name, study, shape, plan["evaluation"]["top_k"], rng)
    fixtures_theory.write_theory(folder / "theory")
    made_by = {
        "commit": "0123456789abcdef",
        "uncommitted_changes": True,
        "python": "3.11.7",
        "packages": {"numpy": "2.4.6"},
        "system": "Linux x86_64",
        "processor": "a processor",
        "cores": 2,
        "memory_gib": 8.0,
        "learned_on": [
            {"processor": "a processor", "products": "float32", "threads": 1, "files": 2},
            {"processor": "a GPU", "products": "bfloat16", "threads": None, "files": 1},
        ],
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


def with_seeds(plan, seeds, folds=None):
    """The plan with other seeds, and with that many folds where it has any."""
    for study in plan["studies"].values():
        study["seeds"] = list(seeds)
        for values in study["experiments"].values():
            of_folds = [run for run in values["runs"] if run.startswith("fold")]
            values["runs"] = [f"seed{seed}" for seed in seeds] + of_folds[:folds]
    return plan


def plan_of(*methods):
    """The plan of a study with all experiments of config.yaml that are of these methods; the first is the baseline."""
    content = CONFIG["studies"]["stl10"]["experiments"]
    names = [name for name, options in content.items() if options["method"] in methods]
    names = [name for name in names if content[name].get("base", names[0]) in names]
    return made_up_plan(names, baseline=names[0])


PSEUDO_LABELS = ("pseudo_label_rounds", "pseudo_label_loss", "fixmatch")


@pytest.fixture(
    scope="module",
    params=[
        (("kmeans",), ("derivations",)),
        (("cnn",), ("momentum",)),
        (("surrogate",), ("dropout",)),
        (("kmeans", "cnn", "surrogate"), ("initialization",)),
        (("cnn", *PSEUDO_LABELS), ("crowding",)),
        (("kmeans", "kmeans_rounds"), fixtures_theory.PARTS[1:]),
        (("fixmatch",), ("derivations", "momentum", "initialization")),
        (("pseudo_label_loss",), ()),
        (("kmeans", "cnn", "surrogate", "kmeans_rounds", *PSEUDO_LABELS), fixtures_theory.PARTS),
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
    # Two figures of an experiment with k-means stand for all between them.
    unmentioned = [label for label in labels if label not in mentioned and not label.startswith("sec:")]
    assert all(re.match("fig:(patches|centroids):", label) for label in unmentioned)


def test_floats_are_numbered_in_the_order_of_mention(rendered):
    _, text = rendered
    body = text.split(r"\section{Reproducibility}")[0]
    for kind in ("fig", "tab"):
        numbers = {label: number for number, label in enumerate(re.findall(rf"\\label\{{({kind}:[^}}]*)\}}", text))}
        # What is said of a float of an earlier section is not its first mention.
        mentions = list(dict.fromkeys(re.findall(rf"\\ref\{{({kind}:[^}}]*)\}}", body)))
        assert all(numbers[first] < numbers[second] for first, second in pairwise(mentions)), mentions


def test_only_methods_of_the_study_are_described(rendered):
    methods, text = rendered
    tables = {
        "tab:kmeans": {"kmeans"},
        "tab:cnn": {"cnn"},
        "tab:surrogate": {"surrogate"},
        "tab:rounds": {"pseudo_label_rounds", "kmeans_rounds"},
        "tab:rounds:stl10": {"pseudo_label_rounds", "kmeans_rounds"},
        "tab:pseudolabelloss": {"pseudo_label_loss"},
        "tab:fixmatch": {"fixmatch"},
        "tab:training": {"cnn", "surrogate", *PSEUDO_LABELS},
        "sec:svm": {"kmeans", "surrogate"},
        "sec:pseudo": {"kmeans_rounds", *PSEUDO_LABELS},
        "fig:mistakes:stl10": {"pseudo_label_rounds", "kmeans_rounds"},
        "fig:rounds:stl10:pseudo_label": {"pseudo_label_rounds"},
        "fig:rounds:stl10:kmeans_pseudo_label": {"kmeans_rounds"},
        "fig:unlabeled:stl10:pseudo_label_loss": {"pseudo_label_loss"},
        "fig:unlabeled:stl10:fixmatch": {"fixmatch"},
    }
    for label, belonging in tables.items():
        assert (rf"\label{{{label}}}" in text) == bool(belonging & set(methods)), label
    assert ("k-means" in text.split(r"\section{Results")[0]) == ("kmeans" in methods)
    assert ("No experiment of this report uses the unlabeled images." in text) == (methods == ("cnn",))
    assert ("pseudo-label" in text) == bool({"kmeans_rounds", *PSEUDO_LABELS} & set(methods))
    assert ("Did the unlabeled images help?" in text) == (len(methods) > 1)
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
        "does best on validation images",
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


def test_one_is_followed_by_the_singular(tmp_path):
    plan = made_up_plan(["surrogate_full", "surrogate_scratch", "surrogate_finetuned"], baseline="surrogate_scratch")
    for experiment in plan["studies"]["stl10"]["experiments"].values():
        experiment["options"]["epochs"] = 1
    text = render(tmp_path, plan)
    assert "after 1 epoch of" in text
    assert not re.findall(r"\b1 (?:epoch|step|round|image|label|seed|fold|run)s\b", text)


# What is computed


def summary(value, margin=0.01, runs=3):
    interval = {"difference_low": value - margin, "difference_high": value + margin}
    return {"difference_runs": runs, "difference": value} | interval


@pytest.mark.parametrize(("value", "expected"), [(0.02, "better"), (-0.02, "worse"), (0.005, "undecided")])
def test_verdict(value, expected):
    assert render_report.verdict(summary(value)) == expected
    assert render_report.verdict(summary(value, runs=2)) == expected
    assert render_report.verdict(summary(value, runs=1)) == "none", "whatever its interval"


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


def test_nothing_is_claimed_of_experiments_compared_by_one_run():
    rows = [
        {"name": "a", "title": "A", "baseline": "a", "seeds": {}, "folds": {}, "mark": ""},
        {"name": "b", "title": "B", "baseline": "a", "seeds": summary(0.1, runs=1), "folds": summary(0.1), "mark": ""},
    ]
    (of_seeds,), (of_folds,) = (render_report.compared_groups(rows, protocol) for protocol in ("seeds", "folds"))
    assert [of_seeds[name] for name in ("better", "worse", "undecided")] == [[], [], []]
    assert of_seeds["none"] == [r"\emph{B} ($+10.0$)"]
    assert (of_folds["better"], of_folds["none"]) == ([r"\emph{B} ($+10.0$)"], [])


# What a text says of differences, beside their numbers.
VERDICTS = re.compile(
    r"\b(better|worse|best|helped|did harm|did not help|can be claimed|surer|ahead of|higher by|lower by)\b"
)


def claims(text):
    """The words of verdicts in the results and the discussion, but for the maps of classes and what names a table."""
    results = text.split(r"\section{Results", 1)[1].split(r"\appendix")[0]
    results = re.sub(r"\\subsection\*\{How well do the classes cluster\?\}.*?\\clearpage", "", results, flags=re.DOTALL)
    return VERDICTS.findall(results)


ALL_METHODS = ("kmeans", "cnn", "surrogate", "kmeans_rounds", *PSEUDO_LABELS)


def test_one_seed_claims_nothing(tmp_path):
    """Half of the made-up intervals exclude zero."""
    text = render(tmp_path, with_seeds(plan_of(*ALL_METHODS), [7], folds=1))
    assert claims(text) == []
    assert re.search(r"With 4\\,000 labels \(1 seed\)\nno difference is claimed\.", text)
    assert text.count("With one seed no difference between experiments is claimed") == 1
    assert text.count("With one fold no difference between experiments is claimed") == 1
    assert "A comparison of one run has no verdict." in text
    rows = re.findall(r"1 (?:seed|fold) & (\$.*\]) & (\w+) \\\\", text)
    assert len(rows) > 5
    assert {verdict for _, verdict in rows} == {"none"}
    assert {difference[:5] for difference, _ in rows} == {"$+5.0", "$+0.0", "$-5.0"}, "the table has the numbers"
    assert "interval over test images." in text


def test_several_seeds_are_judged_by_their_interval(tmp_path):
    text = render(tmp_path, with_seeds(plan_of(*ALL_METHODS), [0, 1, 2]))
    assert {"better", "worse", "helped", "did harm", "can be claimed"} <= set(claims(text))
    assert "no difference between experiments is claimed" not in text
    assert "has no verdict" not in text
    rows = re.findall(r"(?:seeds|folds) & \$([+-][\d.]+)\$ \[.*\] & (\w+) \\\\", text)
    assert set(rows) == {("+5.0", "better"), ("+0.0", "undecided"), ("-5.0", "worse")}
    assert "interval over test images and seeds." in text
    assert "interval over test images and folds." in text


def test_folds_are_judged_where_the_seed_is_one(tmp_path):
    text = render(tmp_path, with_seeds(plan_of(*ALL_METHODS), [0]))
    of_seeds, of_folds = text.split(r"\subsection*{Folds}")
    assert "With one seed no difference between experiments is claimed" in of_seeds
    assert not claims(of_seeds + r"\appendix")
    assert "can be claimed" in of_folds
    judged = re.search(
        r"Of (\d+) comparisons of several runs, (\d+) says? .*?, (\d+) says? .*? and (\d+) lea", of_folds, re.DOTALL
    )
    total, *parts = map(int, judged.groups())
    assert total == sum(parts) == len(re.findall(r"folds & .* (?:better|worse|undecided) \\\\", of_folds))


@pytest.mark.parametrize(("groups", "said"), [(IMAGES, False), (2, True)])
def test_groups_of_test_images_are_said(monkeypatch, tmp_path, groups, said):
    made_up = made_up_metrics
    monkeypatch.setitem(globals(), "made_up_metrics", lambda experiments: made_up(experiments, groups))
    text = render(tmp_path, made_up_plan(["kmeans_coates"], baseline="kmeans_coates", dataset="photos"))
    assert ("The test images form 2 groups, each the crops of one tile;" in text) == said
    assert ("those of one group together" in text) == said
    assert ("interval over groups of test images" in text) == said


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


def of_method(name):
    """What the plan of an experiment says of its method."""
    method = planning.METHODS[name]
    return {"method": name, "network_file": method.network_file, "facts": facts_of(method)}


def experiment(name, method, baseline, base=None, seeds=None, folds=None, **values):
    options = {"restart": False, "steps_per_epoch": 0} | values.pop("options", {})
    always = {"labels": 4000, "test_accuracy_mean": 0.7}
    results = {"seeds": always | (seeds or {}), "folds": (folds or {}) | {"labels": 1000}}
    row = {"name": name, "title": name.upper(), "baseline": baseline, "base": base} | of_method(method)
    return row | results | {"options": options, "control": False} | values


def study_with_pseudo_labels():
    """Experiments of which each comparison has an answer of its own."""
    few, many = ({"training": {"images": images}} for images in (100, 1000))
    return [
        experiment("kmeans", "kmeans", "kmeans"),
        experiment("stride8", "kmeans", "kmeans", "kmeans", summary(0.1)),
        experiment("plain", "cnn", "kmeans", seeds=summary(-0.1), **few),
        experiment("surrogate", "surrogate", "kmeans", seeds=summary(0.1)),
        experiment("probe", "surrogate", "plain", seeds=summary(0.1)),
        experiment("tuned", "cnn", "plain", "surrogate", summary(-0.03), summary(0.04), **few),
        experiment("rounds", "pseudo_label_rounds", "plain", "plain", summary(0.0), summary(0.0), **many),
        experiment("control", "pseudo_label_rounds", "plain", "plain", summary(0.02), control=True, **many),
        experiment("balanced", "pseudo_label_rounds", "control", "plain", summary(0.02), **many),
        experiment("svm", "kmeans_rounds", "kmeans", "kmeans", summary(0.02)),
        experiment("fixmatch", "fixmatch", "plain", seeds=summary(-0.02), **many),
        experiment("freematch", "fixmatch", "fixmatch", seeds=summary(0.02), **many),
        experiment("loss", "pseudo_label_loss", "plain", **few),
    ]


def test_who_answers_for_the_unlabeled_images():
    """Only against a baseline that uses them less; a control uses none; no row without a difference."""
    answers = render_report.unlabeled_answers(study_with_pseudo_labels())
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
    assert answers["verdicts"] == {"better": 4, "worse": 2, "undecided": 2, "none": 0}
    assert answers["elsewhere"] == [r"\texttt{surrogate}"], "ablations of one method ask another question"
    # 1,000 of its own after 100 of the base, against 100; 1,100 against the 1,100 of the control; 1,000 against 100.
    assert answers["longer"] == [r"\emph{ROUNDS} (11.0 times)", r"\emph{FIXMATCH} (10.0 times)"]
    assert answers["shorter"] == []


def test_trainings_on_more_or_fewer_images_are_named():
    """From 1.5 times the baseline's images on, and from 1 / 1.5 of them down; not between, nor where none are known."""
    images = {"plain": 300, "long": 450, "alike": 449, "less": 201, "short": 200, "shortest": 15}
    rows = [experiment(name, "cnn", "plain", training={"images": count}) for name, count in images.items()]
    rows.append(experiment("unknown", "cnn", "plain", training={"images": None}))
    lengths = render_report.training_lengths(rows, {row["name"]: row for row in rows})
    assert lengths["longer"] == [r"\emph{LONG} (1.5 times)"]
    assert lengths["shorter"] == [r"\emph{SHORT} (0.67 times)", r"\emph{SHORTEST} (0.05 times)"]


def test_other_settings_than_the_baseline_are_named_where_both_train_on_labels():
    common = {"epochs": 10, "dropout": 0.0, "folds": False}
    rows = [
        experiment("plain", "cnn", "plain", options=common),
        experiment("fixmatch", "fixmatch", "plain", options=common | {"epochs": 9, "dropout": 0.3, "threshold": 0.9}),
        experiment("freematch", "fixmatch", "plain", options=common | {"epochs": 8, "dropout": 0.5}),
        experiment("loss", "pseudo_label_loss", "plain", options=common | {"alpha": 3.0, "folds": True}),
        experiment("tuned", "cnn", "plain", "surrogate", options=common | {"epochs": 5}),
        experiment("rounds", "pseudo_label_rounds", "plain", "plain", options=common | {"epochs": 1}),
        experiment("surrogate", "surrogate", "plain", options=common | {"epochs": 1}),
        experiment("of_surrogate", "cnn", "surrogate", options=common),
    ]
    assert render_report.otherwise_trained(rows, {row["name"]: row for row in rows}) == [
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
        rounds("control", 0.7, control=True, options={"accepted": 0}),
        rounds("stepped", 0.7, base="other", control=True, options={"accepted": 0, "steps_per_epoch": 9}),
    ]
    assert render_report.control_differences(rows, rows + controls) == [
        {
            "title": "CONTROL",
            "steps": True,
            "differences": [r"\emph{TOP} ($+1.5$)", r"\emph{THRESHOLD} ($-2.0$)"],
        }
    ]
    assert render_report.control_differences(rows, rows) == []
    assert [render_report.fewer_steps(row) for row in controls] == [True, False], "as many steps, however many images"


def test_the_report_says_what_rounds_gain_over_the_control(tmp_path):
    plan = made_up_plan(["supervised", "pseudo_label", "pseudo_label_control"], baseline="supervised")
    text = render(tmp_path, plan)
    table = pd.read_csv(tmp_path / "stl10" / "comparison.csv").set_index("experiment")["seeds_test_accuracy_mean"]
    points = 100 * (table["pseudo_label"] - table["pseudo_label_control"])
    assert f"without an interval: \\emph{{Pseudo-labels in rounds, most confident 100}} (${points:+.1f}$)." in text
    assert "it trains as many epochs, but fewer steps." in text
    assert "it takes fewer steps than rounds of as many epochs" in text
    steps = plan["studies"]["stl10"]["experiments"]
    for values in steps.values():
        values["options"]["steps_per_epoch"] = 50
    text = render(tmp_path / "steps", plan)
    assert "fewer steps" not in text
    assert "without an interval" in text
    assert r"28${}\times50$" in text


def test_validation_of_rounds_is_said_to_be_over_fewer_images(rendered):
    methods, text = rendered
    with_rounds = bool({"pseudo_label_rounds", "kmeans_rounds"} & set(methods))
    abstract, rest = text.split(r"\end{abstract}")
    assert ("on those of them that are not held out" in abstract) == with_rounds
    discussion = rest.split(r"\section{Discussion}")[1]
    assert ("though that of rounds of pseudo-labels is over fewer images" in discussion) == with_rounds
    assert ("of rounds of pseudo-labels is over fewer images than that of the others" in rest) == with_rounds
    assert ("those of rounds with validation" in rest) == ("pseudo_label_rounds" in methods)


@pytest.mark.parametrize(("images", "words"), [(9000, "More"), (10, "Fewer"), (4000, None)])
def test_the_report_says_who_trained_on_more_or_on_fewer_images(monkeypatch, tmp_path, images, words):
    plan = made_up_plan(["supervised", "fixmatch"], baseline="supervised")
    made_up = made_up_history

    def history(epochs, rng, method):
        """As many epochs for both, so that only the images of an epoch differ; FixMatch has those asked for."""
        return made_up(28, rng, method) | {"images": images if method == "fixmatch" else 4000}

    monkeypatch.setitem(globals(), "made_up_history", history)
    text = render(tmp_path, plan)
    for word in ("More", "Fewer"):
        assert (f"{word} images than those of their baseline were seen" in text) == (word == words)
    assert "Trained with other settings than their baselines: \\emph{FixMatch} (\\texttt{epochs}," in text


def test_no_answer_without_a_comparison():
    rows = [row for row in study_with_pseudo_labels() if row["method"] == "kmeans"]
    assert render_report.unlabeled_answers(rows) is None


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.02], r"unlabeled images helped \emph{A} ($+2.0$)"),
        ([-0.02], r"unlabeled images did harm to \emph{A} ($-2.0$)"),
        ([0.0], r"for \emph{A} ($+0.0$) it cannot be said whether unlabeled images helped"),
        ([0.02, -0.03], r"unlabeled images helped \emph{A} ($+2.0$); they did harm to \emph{B} ($-3.0$)"),
        (
            [0.0, 0.02, -0.03, 0.04],
            r"unlabeled images helped \emph{B} ($+2.0$) and \emph{D} ($+4.0$); they did harm to \emph{C} ($-3.0$); "
            r"for \emph{A} ($+0.0$) it cannot be said whether they helped",
        ),
    ],
)
def test_the_answer_in_words(differences, expected):
    rows = [
        {"title": title, "labels": 4000, "runs_name": "seeds", **summary(value)}
        for title, value in zip("ABCD", differences, strict=False)
    ]
    rows = [row | {"verdict": render_report.verdict(row)} for row in rows]
    group = render_report.answer_group(rows)
    assert group == {"labels": 4000, "runs_name": "seeds", "sentence": expected}
    assert render_report.answer_group([]) == {}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.05, "unlabeled images helped \\emph{FixMatch} ($+5.0$)."),
        (-0.05, "unlabeled images did harm to \\emph{FixMatch} ($-5.0$)."),
        (0.0, "for \\emph{FixMatch} ($+0.0$) it cannot be said whether unlabeled images helped."),
    ],
)
def test_the_report_says_whether_unlabeled_images_help(monkeypatch, tmp_path, value, words):
    plan = made_up_plan(["supervised", "fixmatch"], baseline="supervised")
    made_up = made_up_comparison

    def comparison(*arguments):
        """The second row's difference is the one asked for, and there is none of the folds."""
        first, second = made_up(*arguments)
        for name in ("difference", "difference_low", "difference_high"):
            del second[f"folds_{name}"]
        return [first, second | {f"seeds_{name}": cell for name, cell in summary(value).items()}]

    monkeypatch.setitem(globals(), "made_up_comparison", comparison)
    text = render(tmp_path, plan)
    assert f"With 4\\,000 labels (seeds), {words}" in text
    verdict = {0.05: "better", -0.05: "worse", 0.0: "undecided"}[value]
    assert f"& 3 seeds & ${100 * value:+.1f}$ [${100 * value - 1:+.1f}$, ${100 * value + 1:+.1f}$] & {verdict} " in text
    assert "comparisons," not in text, "one comparison is not counted"


@pytest.mark.parametrize(
    ("changes", "text", "control"),
    [
        ({}, "most confident 100", False),
        ({"class_balanced": True}, "most confident 10 of each class", False),
        ({"accept": "threshold"}, "confidence of at least 0.9", False),
        (
            {"accept": "threshold", "class_balanced": True},
            "confidence of at least 0.9, at most 10 of each class",
            False,
        ),
        ({"accepted": 0}, "none (control)", True),
        ({"accepted": 0, "accept": "threshold"}, "none (control)", True),
        ({"accepted": 0, "accept": "threshold", "class_balanced": True}, "none (control)", True),
    ],
)
def test_rules_of_rounds_in_words(changes, text, control):
    options = {"accept": "top", "accepted": 100, "threshold": 0.9, "class_balanced": False} | changes
    assert render_report.rule_text(options, 10) == text
    assert render_report.accepts_nothing(options) == control


def rounds_plan(**changes):
    options = {"accept": "top", "accepted": 100, "class_balanced": False, "rounds": 2, "epochs": 5, "restart": False}
    options |= {"steps_per_epoch": 0, "batch_size": 30}
    return of_method("pseudo_label_rounds") | {"runs": ["seed0", "seed1", "fold0"], "options": options | changes}


def write_round_tables(folder):
    """Write the rounds of two seeds and, to be left out, of a fold."""
    columns = ["training_images", "accepted", "mean_confidence", "lowest_confidence", "held_out_images"]
    columns += ["held_out_precision", "validation_accuracy", "images_per_second"]
    rows = {
        "seed0": [
            (400, 100, 0.9, 0.7, 30, 0.5, 0.6, None),
            (500, 0, None, None, 0, None, 0.7, 50),
            (500, 0, None, None, 10, 1.0, 0.8, 50),
        ],
        "seed1": [
            (400, 300, 0.98, 0.8, 60, 1.0, 0.5, None),
            (700, 100, 0.96, 0.75, 0, None, 0.5, 50),
            (800, 0, None, None, 0, None, 0.4, 50),
        ],
    }
    for run, table in (rows | {"fold0": rows["seed0"]}).items():
        table = pd.DataFrame(table, columns=columns).assign(seconds=30.0, peak_memory_gib=1.0)
        write_csv(folder / run / "history.csv", table.assign(round=range(3)))
    columns = ["round", "row", "label", "predicted", "confidence"]
    held_out = {
        "seed0": [(0, 7, 3, 3, 0.9), (0, 8, 3, 2, 0.8), (2, 7, 3, 3, 1.0)],
        "seed1": [],
        "fold0": [(0, 7, 0, 1, 0)],
    }
    for run, table in held_out.items():
        write_csv(folder / run / "held_out.csv", pd.DataFrame(table, columns=columns))


def test_values_of_rounds(tmp_path):
    write_round_tables(tmp_path)
    values = render_report.rounds_values(rounds_plan(), tmp_path, (), 0, 10)["rounds"]
    assert values["training"] == pytest.approx([400, 650])
    assert values["validation"] == pytest.approx([0.55, 0.6])
    assert values["precision"] == pytest.approx(2 / 3)
    assert values["confidence"] == pytest.approx(0.9)
    assert values["lowest"] == pytest.approx(0.7)


def test_rounds_that_accept_nothing_have_no_confidence(tmp_path):
    history = made_up_rounds(rounds_plan(accepted=0)["options"], np.random)
    write_csv(tmp_path / "seed0" / "history.csv", history)
    write_csv(tmp_path / "seed0" / "held_out.csv", made_up_held_out(history, np.random))
    values = render_report.rounds_values(rounds_plan(accepted=0) | {"runs": ["seed0"]}, tmp_path, (), 0, 10)
    assert values["control"]
    keys = ("precision", "confidence", "lowest")
    assert [render_report.FILTERS["percent_if_any"](values["rounds"][key]) for key in keys] == ["--"] * 3


def test_confidence_and_precision_are_of_the_same_images(monkeypatch, tmp_path):
    """Of the held-out images, two thirds of them right; what the history says of accepted images is another thing."""

    def held_out(history, _):
        return pd.DataFrame({"round": [0] * 3, "row": 1, "label": 1, "predicted": [1, 1, 2], "confidence": 0.99})

    monkeypatch.setitem(globals(), "made_up_held_out", held_out)
    text = render(tmp_path, made_up_plan(["supervised", "pseudo_label"], baseline="supervised"))
    assert "66.7\\,\\% are given the right class, with a mean confidence of\n99.0\\,\\%." in text
    assert "66.7 & 99.0 & 85.0 \\\\" in text


def test_training_values_of_rounds(tmp_path):
    write_round_tables(tmp_path)
    values = render_report.training_values(rounds_plan(), tmp_path)
    assert (values["runs"], values["epochs"], values["images_per_second"]) == (3, r"$2\times5$", 50)
    # 16 batches of 30 of the 500 images; the rest of an epoch makes no batch.
    assert values["images"] == 5 * (480 + 480), "the base's are not the rounds'"
    restarted = render_report.training_values(rounds_plan(restart=True), tmp_path)
    assert restarted["images"] == 5 * 480, "only the last training counts"
    stepped = render_report.training_values(rounds_plan(steps_per_epoch=3), tmp_path)
    assert stepped["images"] == 2 * 5 * 3 * 30


def test_only_rounds_that_accept_are_shown():
    rows = study_with_pseudo_labels()
    figures = {kind: [row["name"] for row in rows] for kind in ("rounds", "mistakes", "unlabeled")}
    assert [row["name"] for row in render_report.shown_rounds(rows)] == ["rounds", "svm"]
    control_first = [row for row in rows if row["control"]] + rows
    assert [row["name"] for row in render_report.shown_rounds(control_first)] == ["rounds", "svm"]
    for row in rows:
        row |= {"options": {"transformations": []}}
        row["seeds"] |= {"validation_accuracy_mean": 0.5}
    shown = render_report.shown_figures(rows, figures)
    assert [row["name"] for row in shown["mistakes"]] == ["rounds"]
    assert [row["name"] for row in shown["unlabeled"]] == ["fixmatch", "loss"]


def test_strong_changes_are_those_of_the_strong_version():
    weak = {"shift": 8, "flip": True, "color": 0.0, "hue": 0.0, "cutout": 0, "copies": 0}
    strong = {"strong_color": 0.5, "strong_hue": 0.1, "strong_rotation": 30.0, "strong_cutout": 48}
    assert render_report.augmentation(weak | strong) == ["shift 8", "flip"]
    expected = ["shift 8", "flip", "colour 0.5", "hue 0.1", "cut-out 48", "rotation 30"]
    assert render_report.strong_changes(weak | strong) == expected
    assert render_report.augmentation(weak | {"copies": 30, "flip": False}) == ["30 copies", "shift 8"]


def test_rounds_of_the_source():
    source = render_report.source_rounds(PUBLISHED["pseudo_label_rounds"])
    assert (source["rounds"], source["all_epochs"], source["all_candidates"]) == (48, 240, 48000)
    assert (DEFAULTS["pseudo_label_rounds"]["rounds"], DEFAULTS["pseudo_label_rounds"]["epochs"]) == (48, 5)


def test_homework_of_the_source_is_described(tmp_path):
    names = ["digits_plain", "digits_augmented", "pseudo_label"]
    text = render(tmp_path, made_up_plan(names, study="mnist", baseline="digits_plain"))
    assert "which makes 90\\,000 images of 3\\,000, read here as\n30 copies of each" in text
    assert "multiplied by 0.998 after every epoch" in text
    assert "each step & \\raggedright\\arraybackslash 30 copies" in text
    assert r"$128+64$" in text
    assert "The images are not changed at random." in text


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
    for options in (DEFAULTS["surrogate"], PUBLISHED["exemplar_paper"]["ranges"]):
        assert all(name in options for signs in render_report.RANGES.values() for name in signs)
    assert set(PUBLISHED["surrogate_classes"]["ranges"]) == {"rotation", "translation", "scale"}


def test_further_settings_are_options_of_their_method():
    of_others = {"pseudo_label_rounds": "cnn", "pseudo_label_loss": "cnn", "fixmatch": "cnn"}
    assert set(render_report.FURTHER) <= set(planning.METHODS)
    for method, names in render_report.FURTHER.items():
        assert set(names) <= {*DEFAULTS[method], *DEFAULTS[of_others.get(method, method)]}
    assert set(render_report.AUGMENTATIONS) <= set(DEFAULTS["cnn"])


def test_network_values_are_those_of_the_network(tmp_path):
    network = new_network(Shape("exemplar_small", 3, 32, 10, 0.0), seed=0)
    with h5py.File(tmp_path / "model.h5", "w") as file:
        write_network(file.create_group("network"), network)
    values = render_report.network_values(tmp_path / "model.h5")
    assert values["layers"] == r"\texttt{conv1} 64 (16), \texttt{conv2} 64 (8), \texttt{full} 128 (1)"
    assert values["weights"] == sum(value.numel() for value in network.parameters())
    assert (values["network"], values["channels"], values["size"], values["classes"]) == ("exemplar_small", 3, 32, 10)


def test_training_values_sum_over_runs(tmp_path):
    for number, run in enumerate(("seed0", "seed1", "fold0")):
        table = made_up_history(2 + number, np.random.default_rng(0)) | {"peak_memory_gib": float(number)}
        write_csv(tmp_path / run / "history.csv", table)
        write_csv(tmp_path / run / "surrogate_history.csv", table)
    runs = ["seed0", "seed1", "fold0"]
    values = render_report.training_values(of_method("cnn") | {"runs": runs}, tmp_path)
    assert values["runs"] == 3
    assert values["epochs"] == "2--4"
    assert values["minutes"] == pytest.approx(9 * 30 / 60)
    assert values["peak_memory_gib"] == 2
    values = render_report.training_values(of_method("surrogate") | {"runs": runs}, tmp_path)
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


def prose(body: str, patterns: list[str] = NOT_PROSE, constants: set[str] = CONSTANTS) -> str:
    """The body of a template without what may hold digits."""
    for pattern in patterns:
        body = re.sub(pattern, " ", body, flags=re.DOTALL)
    return MATH.sub(
        lambda formula: " " if set(re.findall(r"[\d.]+", formula[0])) <= constants | {"."} else formula[0], body
    )


def test_no_digit_is_typed_into_the_prose():
    body = TEMPLATES["report.tex"].split(r"\begin{document}", 1)[1]
    of_theory = prose(TEMPLATES["derivations.tex"], NOT_PROSE + NOT_PROSE_OF_THEORY, CONSTANTS_OF_THEORY)
    lines = [line for line in (prose(body) + of_theory).splitlines() if re.search(r"\d", line)]
    assert not lines


@pytest.mark.parametrize(
    "sentence", ["It reaches 45.3 per cent.", r"an accuracy of 61\,\%", "over 3 seeds", r"by $+1.5$ points"]
)
def test_a_typed_digit_is_found(sentence):
    assert re.search(r"\d", prose(sentence))
    assert re.search(r"\d", prose(sentence, NOT_PROSE + NOT_PROSE_OF_THEORY, CONSTANTS_OF_THEORY))


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
    assert cited == set(bibliography())


def test_every_entry_of_the_bibliography_is_complete():
    venue = {"article": "journal", "inproceedings": "booktitle"}
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
