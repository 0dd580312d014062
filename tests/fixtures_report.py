"""Results that the report is made of, made up: the plan as the workflow makes it, and tables of random numbers."""

import json
import re
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

import fixtures_theory
import render_report
from evaluate import CURVE_COLUMNS
from methods import declared_methods
from planning import config as planning
from planning.report import data_set_text, facts_of, network_texts, report_plan, sections_of
from reporting.facts import PSEUDO_LABELS
from semisup.comparability import accepts_nothing
from semisup.dataset import SPLITS, Split, write_dataset
from semisup.run_names import labels_run, parsed_run

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = {
    str(path.relative_to(ROOT / "report")): path.read_text() for path in sorted((ROOT / "report").rglob("*.tex"))
}
METHODS = declared_methods()
PUBLISHED = planning.read_yaml(ROOT / "report" / "published.yaml")
CONFIG = planning.checked_config(planning.read_yaml(ROOT / "config.yaml"), planning.config_schema())
DEFAULTS = {name: planning.section_defaults(method) for name, method in METHODS.items()}
SOURCES = ("report.tex", "supplement.tex", "references.bib", "published.yaml")
CLASS_NAMES = ["cat", "dog", "9_&"]
IMAGES = 4  # of each split
LAYERS = {"features.h5": ["features"], "layers.h5": ["conv1", "conv2", "full"]}  # by what maps are made from
NETWORK_LAYERS = ["stem", "stage1"]  # of the other networks


def methods_that(fit):
    """The names of the methods whose declarations fit."""
    return tuple(name for name, method in METHODS.items() if fit(method))


DESCRIBED = methods_that(lambda method: method.sections)  # in a text of their own
IN_ROUNDS = methods_that(lambda method: method.in_rounds)
WITH_PSEUDO_LABELS = methods_that(lambda method: method.unlabeled == PSEUDO_LABELS)
NETWORKS_WITH_PSEUDO_LABELS = methods_that(lambda method: method.network_file and method.unlabeled == PSEUDO_LABELS)


# A study


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
    plan |= {"kind": kind.kind, "embedded": kind.embedded, "of_source": kind.of_source, "about": kind.__doc__} | changes
    plan["text"] = data_set_text(kind, ROOT / "report")
    plan |= {"experiments": chosen, "figures": figures}
    plan["training_figure"] = any(values["facts"]["training_curves"] for values in chosen.values())
    methods = {METHODS[values["method"]] for values in chosen.values()}
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


def made_up_label_curve(experiments, rng):
    """Return rows of label_curve.csv; the experiments' differences are better, undecided and worse in turn."""
    rows = []
    for number, (name, plan) in enumerate(experiments.items()):
        groups = {}  # labels -> protocol, runs
        for protocol, labels in (("labels", None), ("seeds", 4000), ("folds", 1000)):
            for run in plan["runs"]:
                if parsed_run(run).protocol == protocol:
                    group = groups.setdefault(labels or parsed_run(run).labels, (protocol, []))
                    group[1].extend([run] if group[0] == protocol else [])
        if "labels" not in {protocol for protocol, _ in groups.values()}:
            continue
        for labels, (protocol, ours) in sorted(groups.items()):
            accuracy = rng.uniform(0.5, 0.8)
            row = {
                "experiment": name,
                "baseline": plan["baseline"],
                "labels": labels,
                "protocol": protocol,
                "runs": len(ours),
                "validation_accuracy_mean": accuracy,
                "test_accuracy_mean": accuracy,
                "test_accuracy_std": 0.01 if len(ours) > 1 else None,
                "test_accuracy_low": accuracy - 0.01,
                "test_accuracy_high": accuracy + 0.01,
            }
            pairs = set(ours) & set(experiments[plan["baseline"]]["runs"])
            value = (0.05, 0.0, -0.05)[number % 3]
            interval = {"difference": value, "difference_low": value - 0.01, "difference_high": value + 0.01}
            compared = pairs and plan["baseline"] != name
            rows.append(row | ({"difference_runs": len(pairs), **interval} if compared else {}))
    return rows


def made_up_metrics(experiments, test_groups=IMAGES):
    """Return the rows of metrics.csv, as far as the report reads them."""
    runs = [(name, run) for name, plan in experiments.items() for run in plan["runs"]]
    return [{"experiment": name, "run": run, "test_groups": test_groups} for name, run in runs]


def made_up_copies(pairs=3):
    """Return the rows of near_copy_counts.csv: so many near copies in each two splits."""
    found = {"with_copies": min(pairs, IMAGES), "pairs": pairs, "mirrored": 0, "least_correlation": 0.85}
    splits = [pair for pair in product(SPLITS, repeat=2) if pair != ("unlabeled", "unlabeled")]
    return [{"split": split, "images": IMAGES, "beside": beside, **found} for split, beside in splits]


def made_up_history(epochs, rng, method="supervised"):
    unlabeled = {"unlabeled_loss": 0.5, "unlabeled_weight": 1.0, "accepted": 0.5}
    return (unlabeled if METHODS[method].training_curves and METHODS[method].unlabeled else {}) | {
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
    accepted = np.full(rounds + 1, 0 if accepts_nothing(options) else 100)
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
    """Return the held-out images that go with the history of rounds; the first one would get a wrong label."""
    rounds = np.repeat(history["round"], history["held_out_images"])
    columns = {"row": range(len(rounds)), "label": 1, "confidence": rng.uniform(0.9, 1, len(rounds))}
    return pd.DataFrame({"round": rounds} | columns).assign(predicted=[0, *[1] * len(rounds)][: len(rounds)])


def made_up_training(method, options, rng):
    """Return the tables of a run by name, but for the selection."""
    if "epochs" not in options and "rounds" not in options:
        return {"history": pd.DataFrame({"iteration": range(1, 4), "objective": [3.0, 2.0, 1.5]})}
    if METHODS[method].in_rounds:
        history = made_up_rounds(options, rng)
        return {"history": history, "held_out": made_up_held_out(history, rng)}
    name = METHODS[method].network_history.removesuffix(".csv")
    return {name: made_up_history(options["epochs"], rng, method)}


def made_up_selection(options, method, rng):
    if METHODS[method].in_rounds:
        rounds = np.arange(options["rounds"] + 1)
        return pd.DataFrame({"round": rounds, "validation_accuracy": 0.5, "chosen": rounds == options["rounds"]})
    if METHODS[method].training_curves:
        candidates = {"epoch": range(1, options["epochs"] + 1)}
    else:
        columns = {"epsilon": "whitening_epsilon", "c": "svm_c"}
        candidates = {column: options[name] for column, name in columns.items() if name in options}
    table = pd.DataFrame(product(*candidates.values()), columns=list(candidates))
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
    curves = pd.DataFrame(made_up_label_curve(experiments, rng))
    write_csv(folder / "label_curve.csv", curves.reindex(columns=CURVE_COLUMNS))
    write_csv(folder / "near_copy_counts.csv", made_up_copies())
    operations = [{"experiment": name, "operations": 1_234_567_890} for name in experiments]
    write_csv(folder / "operations.csv", operations)
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
        name: LAYERS.get(METHODS[values["method"]].mapped, NETWORK_LAYERS)
        for name, values in experiments.items()
        if METHODS[values["method"]].mapped
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
        "date": "2026-01-31",
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
    rules = {"evaluate": "", "train_svm": "kmeans"}
    timings = [{"study": "all", "experiment": name, "rule": rule, **timing} for rule, name in rules.items()]
    write_csv(folder / "report" / "timings.csv", [*timings, timings[-1] | {"experiment": "other"}])


class Report(str):
    """The LaTeX of the paper, then that of its supplement."""

    def __new__(cls, paper, supplement):
        """Return both as one text, which knows its parts."""
        report = super().__new__(cls, paper + supplement)
        report.paper, report.supplement = paper, supplement
        return report


def section(text, heading):
    """What stands in a text under this heading, up to the next one."""
    return re.split(r"\\(?:sub)?section\b", text.split(rf"section{{{heading}}}")[1])[0]


def render(folder, plan):
    """Return the LaTeX of the report on made-up results."""
    write_results(folder, plan)
    report = folder / "report"
    options = {
        "plan": [json.dumps(plan)],
        "results": [folder],
        "provenance": [report / "provenance.json"],
        "timings": [report / "timings.csv"],
        "sources": [ROOT / "report" / name for name in SOURCES],
        "tex": [report / "report.tex"],
        "supplement": [report / "supplement.tex"],
        "bibliography": [report / "references.bib"],
    }
    render_report.main([str(text) for name, values in options.items() for text in (f"--{name}", *values)])
    return Report(*((report / f"{name}.tex").read_text() for name in ("report", "supplement")))


def with_seeds(plan, seeds, folds=None):
    """The plan with other seeds, and with that many folds where it has any."""
    for study in plan["studies"].values():
        study["seeds"] = list(seeds)
        for values in study["experiments"].values():
            of_folds = [run for run in values["runs"] if run.startswith("fold")]
            counts = dict.fromkeys(parsed_run(run).labels for run in values["runs"] if parsed_run(run).labels)
            values["runs"] = [f"seed{seed}" for seed in seeds] + of_folds[:folds]
            values["runs"] += [labels_run(count, seed) for count in counts for seed in seeds]
    return plan


def plan_of(*methods):
    """The plan of a study with all experiments of config.yaml that are of these methods; the first is the baseline."""
    content = CONFIG["studies"]["stl10"]["experiments"]
    names = [name for name, options in content.items() if options["method"] in methods]
    names = [name for name in names if content[name].get("builds_on", names[0]) in names]
    return made_up_plan(names, baseline=names[0])


# Rows of experiments, as far as comparisons ask for them


def summary(value, margin=0.01, runs=3):
    interval = {"difference_low": value - margin, "difference_high": value + margin}
    return {"difference_runs": runs, "difference": value} | interval


def of_method(name):
    """What the plan of an experiment says of its method."""
    method = METHODS[name]
    return {"method": name, "network_file": method.network_file, "facts": facts_of(method)}


def experiment(name, method, baseline, base=None, seeds=None, folds=None, **values):
    options = {"restart": False, "steps_per_epoch": 0, "accepted": 100} | values.pop("options", {})
    always = {"labels": 4000, "test_accuracy_mean": 0.7}
    results = {"seeds": always | (seeds or {}), "folds": (folds or {}) | {"labels": 1000}}
    row = {"name": name, "title": name.upper(), "baseline": baseline, "base": base} | of_method(method)
    return row | results | {"options": options, "control": accepts_nothing(options)} | values


def study_with_pseudo_labels():
    """Experiments of which each comparison has an answer of its own."""
    few, many = ({"training": {"images": images}} for images in (100, 1000))
    return [
        experiment("kmeans", "kmeans", "kmeans"),
        experiment("stride8", "kmeans", "kmeans", "kmeans", summary(0.1)),
        experiment("plain", "supervised", "kmeans", seeds=summary(-0.1), **few),
        experiment("exemplar", "exemplar", "kmeans", seeds=summary(0.1)),
        experiment("probe", "exemplar", "plain", seeds=summary(0.1)),
        experiment("tuned", "supervised", "plain", "exemplar", summary(-0.03), summary(0.04), **few),
        experiment("rounds", "pseudo_label_rounds", "plain", "plain", summary(0.0), summary(0.0), **many),
        experiment("control", "pseudo_label_rounds", "plain", "plain", summary(0.02), options={"accepted": 0}, **many),
        experiment("balanced", "pseudo_label_rounds", "control", "plain", summary(0.02), **many),
        experiment("svm", "kmeans_rounds", "kmeans", "kmeans", summary(0.02)),
        experiment("fixmatch", "fixmatch", "plain", seeds=summary(-0.02), **many),
        experiment("freematch", "fixmatch", "fixmatch", seeds=summary(0.02), **many),
        experiment("loss", "pseudo_label_loss", "plain", **few),
    ]
