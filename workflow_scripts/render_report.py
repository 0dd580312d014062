"""Write the LaTeX of the report: the template filled with numbers that rules have made, and with nothing else."""

import argparse
import json
import string
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from reporting import theory
from semisup.cli import run_program
from semisup.constants import (
    CHROMATIC,
    COPY_NOISE,
    COPY_ROTATION,
    COPY_SHIFTS,
    EPOCH_FACTOR,
    PERCENTILE,
    THRESHOLD_DECAY,
    TRANSFORMATIONS,
)
from semisup.dataset import SPLITS, image_count, image_shape, read_class_names
from semisup.files import atomic_path, copy_file
from semisup.hdf5 import open_hdf5
from semisup.tables import read_table

Values = dict[str, Any]
PROTOCOLS = ("seeds", "folds")
PSEUDO_LABELS = "pseudo-labels"  # what unlabeled images are used for
AUGMENTATIONS = ("shift", "flip", "color", "hue", "cutout")
# How a network is trained, beside epochs, batch and learning rate.
RECIPE = (
    "optimizer",
    "momentum",
    "weight_decay",
    "schedule",
    "label_smoothing",
    "dropout",
    "ema_decay",
    "patience",
    "precision",
)
# What the tables of settings leave out, by method.
FURTHER = {
    "kmeans": (
        "whitening_epsilon",
        "svm_c",
        "contrast_constant",
        "initialization",
        "iterations",
        "tolerance",
        "precision",
    ),
    "cnn": ("image_size", *RECIPE, "average_flips"),
    "surrogate": ("image_size", "surrogate_size", "steps_per_epoch", "batch_size", "learning_rate", *RECIPE, "svm_c"),
    "pseudo_label_rounds": (
        "image_size",
        "held_out",
        "steps_per_epoch",
        "batch_size",
        *RECIPE,
        *AUGMENTATIONS,
        "average_flips",
    ),
    "kmeans_rounds": ("held_out",),
    "pseudo_label_loss": ("image_size", *RECIPE, "average_flips"),
    "fixmatch": ("image_size", "network", "unlabeled_weight", *RECIPE, "average_flips"),
}
# The options that a transformation's parameters are drawn from, each with its sign in the text.
RANGES = {
    "rotation": {"rotation": ""},
    "translation": {"translation": ""},
    "scale": {"scale": ""},
    "pca_contrast": {"pca_contrast": ""},
    "color_contrast": {"color_power": "$p$: ", "color_factor": "$m$: ", "color_offset": "$a$: "},
    "hue": {"hue": ""},
}
SHORT_TABLE = 12  # rows, each of up to three lines; a table of more may go on over pages
MOST_SURROGATES = 2  # figures of surrogate classes in a study
LONGER = 1.5  # times as many training images as the baseline, or 1 / LONGER: worth a sentence
# The options of rounds that decide what is accepted, and not how a round trains.
ACCEPTANCE = ("candidates", "accept", "accepted", "threshold", "class_balanced", "relabel", "held_out")


# How values are written


def tex(text: object) -> str:
    """Escape LaTeX's special characters."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(char, f"\\{char}" if char in "&%$#_{}" else char) for char in str(text))


def code(name: str) -> str:
    """Return a name of the configuration in typewriter letters; lines may break after its underscores."""
    return rf"\texttt{{{tex(name)}}}".replace(r"\_", r"\_\allowbreak ")


def percent(value: float) -> str:
    """0.4532 -> 45.3."""
    return f"{100 * value:.1f}"


def count(value: float) -> str:
    """12345 -> 12 345, with a thin space."""
    return f"{int(value):,}".replace(",", "\\,")


def short(value: float) -> str:
    """0.0003 -> 0.0003, 3e-05 -> 3 times a power of ten."""
    mantissa, _, exponent = f"{value:g}".partition("e")
    return rf"${mantissa}\cdot10^{{{int(exponent)}}}$" if exponent else mantissa


def plain(value: object) -> str:
    """Return a value of the configuration as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return short(value) if isinstance(value, float) else tex(value)


def setting(value: object) -> str:
    """Return an option as text; a list as its items."""
    return ", ".join(map(plain, value)) if isinstance(value, list) else plain(value)


def in_turn(values: Sequence[str]) -> str:
    """Return what the runs have chosen in turn, once if they agree."""
    return ", ".join(values if len(set(values)) > 1 else values[:1])


def spread(value: float | Sequence[float]) -> str:
    """Return a range of parameters: plus or minus a number, or from one to another."""
    return f"$\\pm${value:g}" if isinstance(value, int | float) else f"{value[0]:g} to {value[1]:g}"


def listed(items: Iterable[str], word: str = "and") -> str:
    """Join as in a sentence: a, b and c."""
    *first, last = items
    return f"{', '.join(first)} {word} {last}" if first else last


def mean_std(summary: Values) -> str:
    """Mean and standard deviation of the test accuracy in per cent; the mean alone if there was one run."""
    mean = percent(summary["test_accuracy_mean"])
    if "test_accuracy_std" not in summary:
        return mean
    return f"{mean} $\\pm$ {percent(summary['test_accuracy_std'])}"


def difference(summary: Values, mark: str = "") -> str:
    """Return the paired difference with its interval in percentage points, or a dash for the baseline itself.

    mark: a letter that tells to which baseline the difference is, if not to that of the study.
    """
    if "difference" not in summary:
        return "--"
    value, low, high = (100 * summary[key] for key in ("difference", "difference_low", "difference_high"))
    return f"${value:+.1f}$ [${low:+.1f}$, ${high:+.1f}$]{superscript(mark)}"


def superscript(mark: str) -> str:
    """Return a letter as a note's mark; nothing for none."""
    return rf"\rlap{{$^{{\mathrm{{{mark}}}}}$}}" if mark else ""


FILTERS = {
    "tex": tex,
    "code": code,
    "percent": percent,
    "percent0": lambda value: f"{100 * value:.0f}",
    "count": count,
    "decimals": lambda value: f"{value:.3f}".replace("-", "$-$"),
    "decimals1": lambda value: f"{value:.1f}",
    "whole": lambda value: "--" if pd.isna(value) else f"{value:.0f}",
    "percent_if_any": lambda value: "--" if pd.isna(value) else percent(value),
    "millions": lambda value: f"{value / 1e6:.2f}",
    "number": plain,
    "setting": setting,
    "points": lambda value: f"${100 * value:+.1f}$",
    "in_turn": in_turn,
    "listed": listed,
    "either": lambda values: listed(map(plain, values), "or"),
    "commit": lambda value: value[:12] if value else "unknown",
    "mean_std": mean_std,
    "difference": difference,
    "superscript": superscript,
    # The command of the template that sets a table of so many rows.
    "table": lambda rows: r"\shorttable" if len(rows) <= SHORT_TABLE else r"\longertable",
}


# The table of the source


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
    beside = [
        (study, study["followed"][0]) for study in studies if study["kind"] == table["data_set"] and study["followed"]
    ]
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


def seed_setting(setting: Values) -> Values:
    """Return how many patches the source's setting gives, by the right reading of its gap and by the wrong one."""
    span = setting["image_size"] - setting["patch_size"]
    stride = setting["patch_size"] + setting["gap"]
    patches, misread = ((span // step + 1) ** 2 for step in (stride, setting["gap"]))
    return setting | {"stride": stride, "patches": patches, "misread_patches": misread}


def source_rounds(setting: Values) -> Values:
    """Return how many rounds and epochs the source's pseudo-labels take from its first to its last training set."""
    rounds = (setting["end"] - setting["start"]) // setting["accepted"]
    return setting | {
        "rounds": rounds,
        "all_epochs": rounds * setting["epochs"],
        "all_candidates": rounds * setting["candidates"],
    }


# An experiment


def seed_runs(runs: list[str]) -> list[str]:
    """Return the runs that are seeds."""
    return [run for run in runs if run.startswith("seed")]


def chosen_settings(folder: Path, runs: list[str], names: dict[str, str]) -> Values:
    """Return what the seeds' runs have chosen, and which of it lies at the edge of several candidates.

    names: column of selection.csv -> its name in the text.
    """
    chosen: Values = {key: [] for key in names}
    edge = set()
    for run in seed_runs(runs):
        table = read_table(folder / run / "selection.csv")
        best = table[table["chosen"]].iloc[0]
        for key, name in names.items():
            chosen[key].append(short(best[key]))
            candidates = table[key].unique()
            if len(candidates) > 1 and best[key] in (candidates.min(), candidates.max()):
                edge.add(name)
    return {"chosen": chosen, "edge": sorted(edge)}


def kmeans_values(plan: Values, folder: Path, shape: tuple, centroids: int, *_: object) -> Values:
    """Return what the text says of an experiment of method kmeans."""
    options = plan["options"]
    return {
        **chosen_settings(folder, plan["runs"], {"epsilon": r"$\epsilon$", "c": "$C$"}),
        "image_size": shape[1] if options["image_size"] == "native" else options["image_size"],
        "patches_drawn": options["patch_images"] * options["patches_per_image"],
        "centroids_shown": min(centroids, options["centroids"]),
    }


def augmentation(options: Values) -> list[str]:
    """Return the changes of training images that are switched on, each in a word or two."""
    words = {"color": "colour", "cutout": "cut-out"}
    made_once = [f"{count(options['copies'])} copies"] if options.get("copies") else []
    return made_once + [
        name if options[name] is True else f"{words.get(name, name)} {plain(options[name])}"
        for name in (*AUGMENTATIONS, "rotation")
        if options.get(name)
    ]


def strong_changes(options: Values) -> list[str]:
    """Return FixMatch's strong changes: shift and mirroring of the weak ones, and those that are strong alone."""
    strong = {name: options[f"strong_{name}"] for name in ("color", "hue", "cutout", "rotation")}
    return augmentation({"shift": options["shift"], "flip": options["flip"]} | strong)


def cnn_values(plan: Values, folder: Path, *_: object) -> Values:
    """Return what the text says of an experiment whose network is trained on labels, epoch by epoch."""
    options = plan["options"]
    kept = chosen_settings(folder, plan["runs"], {"epoch": "epoch"})["chosen"]["epoch"]
    strong = {"strong": strong_changes(options)} if plan["method"] == "fixmatch" else {}
    return strong | {
        "augmentation": augmentation(options),
        "kept_epochs": kept if options["patience"] else [],
        "edge": [],
    }


def accepts_nothing(options: Values) -> bool:
    """Say whether the rule of pseudo-label rounds can accept no image at all: a control."""
    return options["accepted"] == 0


def fewer_steps(row: Values) -> bool:
    """Say whether rounds that accept no image take fewer steps than others: epochs grow with the training images."""
    return row["facts"]["in_rounds"] and row["network_file"] is not None and not row["options"]["steps_per_epoch"]


def rule_text(options: Values, classes: int) -> str:
    """Return in few words what pseudo-label rounds accept of their candidates."""
    if accepts_nothing(options):
        return "none (control)"
    each = f"{count(options['accepted'] // classes)} of each class"
    if options["accept"] == "top":
        return f"most confident {each if options['class_balanced'] else count(options['accepted'])}"
    sure = f"confidence of at least {plain(options['threshold'])}"
    return f"{sure}, at most {each}" if options["class_balanced"] else sure


def rounds_values(plan: Values, folder: Path, _shape: tuple, _centroids: int, classes: int) -> Values:
    """Return what the text says of pseudo-label rounds: how they accept, and their first and last round.

    training: images before and after; validation: accuracies before and after; both are means of the seeds.
    precision, confidence: of the held-out images that the rule would accept, all rounds of all seeds together, the
    fraction of right labels and the mean confidence; lowest: confidence of all accepted images; nan if there are none.
    """
    options = plan["options"]
    folders = [folder / run for run in seed_runs(plan["runs"])]
    tables = [read_table(run / "history.csv") for run in folders]
    first, last = (pd.DataFrame([table.iloc[place] for table in tables]).mean() for place in (0, -1))
    # A table without rows has no types of its own.
    held_out = pd.concat([read_table(run / "held_out.csv").astype(float) for run in folders])
    return {
        "edge": [],
        "control": accepts_nothing(options),
        "fewer_steps": fewer_steps(plan),
        "rule": rule_text(options, classes),
        "rounds": {
            "training": [first["training_images"], last["training_images"]],
            "validation": [first["validation_accuracy"], last["validation_accuracy"]],
            "precision": (held_out["predicted"] == held_out["label"]).mean(),
            "confidence": held_out["confidence"].mean(),
            "lowest": pd.concat(tables)["lowest_confidence"].min(),
        },
    }


def surrogate_values(plan: Values, folder: Path, *_: object) -> Values:
    """Return what the text says of an experiment of method surrogate.

    top1: accuracy on patches of the surrogate classes that were kept aside, mean of the seeds.
    """
    options = plan["options"]
    column = "validation_accuracy"
    tables = [read_table(folder / run / "surrogate_history.csv") for run in seed_runs(plan["runs"])]
    top1 = [table[column].max() if options["patience"] else table[column].iloc[-1] for table in tables]
    return {
        **chosen_settings(folder, plan["runs"], {"c": "$C$"}),
        "top1": sum(top1) / len(top1),
        "transformations": named_transformations(options["transformations"]),
    }


def plain_values(plan: Values, folder: Path, *_: object) -> Values:
    """Return what the text says of an experiment of a method without a text of its own: all that its runs chose."""
    table = read_table(folder / plan["runs"][0] / "selection.csv")
    tried = [name for name in table if not name.endswith("_accuracy") and name != "chosen"]
    return chosen_settings(folder, plan["runs"], {name: code(name) for name in tried})


METHOD_VALUES: dict[str, Callable[..., Values]] = {
    "kmeans": kmeans_values,
    "cnn": cnn_values,
    "surrogate": surrogate_values,
    "pseudo_label_rounds": rounds_values,
    "kmeans_rounds": rounds_values,
    "pseudo_label_loss": cnn_values,
    "fixmatch": cnn_values,
}


def named_transformations(names: list[str]) -> str:
    """Return the transformations' names in few words."""
    missing = [name for name in TRANSFORMATIONS if name not in names]
    if not names:
        return "none"
    if not missing:
        return "all"
    return f"all but {code(missing[0])}" if len(missing) == 1 else listed(map(code, names))


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


def training_values(plan: Values, folder: Path) -> Values:
    """Return number, speed and cost of an experiment's trainings of a network.

    images: that one training learns from, with repeats; None where the history does not say.
    """
    name = plan["facts"]["network_history"]
    runs = plan["runs"] if name == "history.csv" else seed_runs(plan["runs"])
    histories = [read_table(folder / run / name) for run in runs]
    epochs = sorted({len(table) for table in histories})
    rows = pd.concat(histories)
    if plan["facts"]["in_rounds"]:
        of_all_epochs = f"${plan['options']['rounds']}\\times{plan['options']['epochs']}$"
    else:
        of_all_epochs = "--".join(map(str, epochs[:1] + epochs[1:][-1:]))
    return {
        "learned": plan["facts"]["learns_from"],
        "runs": len(runs),
        "epochs": of_all_epochs,
        "images": trained_images(plan, histories[0]),
        "images_per_second": rows["images_per_second"].mean(),
        "peak_memory_gib": rows["peak_memory_gib"].max(),
        "minutes": rows["seconds"].sum() / 60,
    }


def trained_images(plan: Values, history: pd.DataFrame) -> float | None:
    """Return how many images a training learns from beside unlabeled ones in its loss, with repeats.

    Of rounds: those of all rounds, which come after the base's; of rounds that start anew, those of the last.
    """
    if plan["facts"]["in_rounds"]:
        options = plan["options"]
        steps = options["steps_per_epoch"] or history["training_images"] // options["batch_size"]
        images = pd.Series(options["epochs"] * options["batch_size"] * steps, index=history.index)
        return images.iloc[-1] if options["restart"] else images.iloc[1:].sum()
    return history["images"].sum() if plan["facts"]["training_curves"] and "images" in history else None


def experiment_values(
    name: str, plan: Values, row: pd.Series, results: Path, shape: tuple, centroids: int, classes: int
) -> Values:
    """Return what the text says of one experiment."""
    folder = results / name
    values_of = METHOD_VALUES.get(plan["method"], plain_values)
    values = {"name": name, **plan, **summaries(row), **values_of(plan, folder, shape, centroids, classes)}
    if plan["network_file"]:
        values["training"] = training_values(plan, folder)
        values["network_values"] = network_values(folder / plan["runs"][0] / plan["network_file"])
    return values


# Comparisons


def mark_baselines(experiments: list[Values], baseline: str) -> None:
    """Give each experiment a mark: a letter for its baseline, nothing if that is the study's `baseline`."""
    compared = [row for row in experiments if any("difference" in row[protocol] for protocol in PROTOCOLS)]
    others = dict.fromkeys(row["baseline"] for row in compared if row["baseline"] != baseline)
    letters = dict(zip(others, string.ascii_lowercase, strict=False))
    for row in experiments:
        row["mark"] = letters.get(row["baseline"], "")


def verdict(summary: Values) -> str:
    """Say whether the paired difference is better or worse than nothing, or neither: its interval includes zero.

    Of one run there is no verdict: its interval knows nothing of other seeds, and another processor rounds otherwise.
    """
    if summary["difference_runs"] == 1:
        return "none"
    if summary["difference_low"] > 0:
        return "better"
    return "worse" if summary["difference_high"] < 0 else "undecided"


def compared_groups(experiments: list[Values], protocol: str) -> list[Values]:
    """Return, for each baseline that is compared with, the titles of the better, worse and undecided experiments.

    none: those compared by one run, of which nothing is claimed.
    """
    titles = {row["name"]: row["title"] for row in experiments}
    groups: dict[str, Values] = {}
    for row in experiments:
        if "difference" not in row[protocol]:
            continue
        empty: Values = {"better": [], "worse": [], "undecided": [], "none": []}
        group = groups.setdefault(row["baseline"], {"baseline": titles[row["baseline"]], "mark": row["mark"], **empty})
        points = FILTERS["points"](row[protocol]["difference"])
        group[verdict(row[protocol])].append(rf"\emph{{{tex(row['title'])}}} ({points})")
    return sorted(groups.values(), key=lambda group: group["mark"])


def different_options(one: Values, other: Values, apart: Iterable[str] = ("folds",)) -> list[str]:
    """Return the options that two experiments both have and that differ, but for those `apart`."""
    shared = [key for key in one["options"] if key in other["options"] and key not in apart]
    return [key for key in shared if one["options"][key] != other["options"][key]]


def pretraining_answers(experiments: list[Values]) -> list[Values]:
    """Return what each network that starts from surrogate classes gains over the same network from random weights.

    Only experiments whose baseline is that network are answered for. alike: it is also trained in the same way.
    """
    by_name = {row["name"]: row for row in experiments}
    answers = []
    for row in experiments:
        twin = by_name[row["baseline"]]
        if row["method"] != "cnn" or not row["base"] or twin["method"] != "cnn" or twin["base"]:
            continue
        if twin["options"]["network"] != row["options"]["network"]:
            continue
        results = [
            {"runs_name": protocol, "verdict": verdict(row[protocol]), **row[protocol]}
            for protocol in PROTOCOLS
            if "difference" in row[protocol]
        ]
        answers.append(
            {
                "title": row["title"],
                "base": by_name[row["base"]]["title"],
                "twin": twin["title"],
                "alike": not different_options(row, twin),
                "epochs": twin["options"]["epochs"],
                "results": results,
            }
        )
    return [answer for answer in answers if answer["results"]]


def unlabeled_uses(row: Values, by_name: dict[str, Values]) -> set[str]:
    """Return the ways in which an experiment uses unlabeled images, those of its base among them."""
    inherited = unlabeled_uses(by_name[row["base"]], by_name) if row["base"] else set()
    is_control = row["facts"]["in_rounds"] and row.get("control")
    return inherited | ({row["facts"]["unlabeled"]} if row["facts"]["unlabeled"] and not is_control else set())


def times_as_many_images(row: Values, by_name: dict[str, Values]) -> float | None:
    """Return how many times as many images an experiment's network is trained on as that of its baseline."""
    totals = []
    for one in (row, by_name[row["baseline"]]):
        images = one.get("training", {}).get("images")
        if images is None:
            return None
        goes_on = one["facts"]["in_rounds"] and not one["options"]["restart"]
        totals.append(images + (by_name[one["base"]]["training"]["images"] or 0 if goes_on else 0))
    return totals[0] / totals[1]


def unlabeled_answers(experiments: list[Values]) -> Values | None:
    """Return what unlabeled images gain: each experiment that uses them against a baseline that does so less.

    rows: one for each experiment and kind of run; groups: for each kind of run a sentence of those that are better,
    worse and undecided; verdicts: how many rows are, and how many have none; longer, shorter: experiments that are also
    trained on more or on fewer images; otherwise: those that are also trained with other options; controls: what rounds
    gain over a control; elsewhere: names of those whose baseline uses unlabeled images in a way of its own, which so
    answer another question. Nothing if there is no such comparison.
    """
    by_name = {row["name"]: row for row in experiments}
    rows, elsewhere, answering = [], [], []
    for row in experiments:
        uses, of_baseline = (unlabeled_uses(one, by_name) for one in (row, by_name[row["baseline"]]))
        compared = [protocol for protocol in PROTOCOLS if "difference" in row[protocol]]
        if not uses or not compared:
            continue
        if not of_baseline < uses:
            elsewhere += [row["name"]] if of_baseline != uses else []
            continue
        rows += [
            {
                "title": row["title"],
                "baseline": by_name[row["baseline"]]["title"],
                "first": protocol == compared[0],
                "runs_name": protocol,
                "verdict": verdict(row[protocol]),
                **row[protocol],
            }
            for protocol in compared
        ]
        answering.append(row)
    groups = [answer_group([row for row in rows if row["runs_name"] == protocol]) for protocol in PROTOCOLS]
    verdicts = {name: sum(row["verdict"] == name for row in rows) for name in ("better", "worse", "undecided", "none")}
    answers = {"rows": rows, "groups": [group for group in groups if group], "verdicts": verdicts}
    reservations = {
        **training_lengths(answering, by_name),
        "otherwise": otherwise_trained(answering, by_name),
        "controls": control_differences(answering, experiments),
        "elsewhere": list(map(code, elsewhere)),
    }
    return answers | reservations if rows else None


def training_lengths(rows: list[Values], by_name: dict[str, Values]) -> dict[str, list[str]]:
    """Return which experiments are trained on far more images than their baselines, and which on far fewer."""
    times = [(rf"\emph{{{tex(row['title'])}}}", times_as_many_images(row, by_name)) for row in rows]
    known = [(title, value) for title, value in times if value is not None]
    return {
        "longer": [f"{title} ({value:.1f} times)" for title, value in known if value >= LONGER],
        "shorter": [f"{title} ({value:.2g} times)" for title, value in known if value <= 1 / LONGER],
    }


def otherwise_trained(rows: list[Values], by_name: dict[str, Values]) -> list[str]:
    """Return the experiments trained on labels with other options than their baselines, by the options that differ.

    Only where both train a network on labels, epoch by epoch: rounds go on from a finished training.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        twin = by_name[row["baseline"]]
        if not (row["facts"]["training_curves"] and twin["facts"]["training_curves"]):
            continue
        different = different_options(row, twin)
        if different:
            groups.setdefault(tuple(different), []).append(rf"\emph{{{tex(row['title'])}}}")
    return [f"{listed(titles)} ({', '.join(map(code, different))})" for different, titles in groups.items()]


def control_differences(rows: list[Values], experiments: list[Values]) -> list[Values]:
    """Return by how much the test accuracies of rounds differ from those of the control beside them, means of seeds.

    A control is beside them if it has the same base and is trained alike; title: the control's; differences: of each;
    steps: whether the control takes fewer. What has the control as its baseline has an interval too, and is left out.
    """
    controls = [row for row in experiments if row["facts"]["in_rounds"] and row.get("control")]
    answers = []
    for control in controls:
        beside = [
            row
            for row in rows
            if (row["method"], row["base"]) == (control["method"], control["base"])
            and row["baseline"] != control["name"]
            and not different_options(row, control, (*ACCEPTANCE, "folds"))
        ]
        gains = [row["seeds"]["test_accuracy_mean"] - control["seeds"]["test_accuracy_mean"] for row in beside]
        differences = [
            rf"\emph{{{tex(row['title'])}}} ({FILTERS['points'](gain)})"
            for row, gain in zip(beside, gains, strict=True)
        ]
        if differences:
            answers.append({"title": control["title"], "steps": fewer_steps(control), "differences": differences})
    return answers


def answer_group(rows: list[Values]) -> Values:
    """Return what the comparisons of one kind of run say together, in a sentence without its end.

    Nothing if there are none, or none of several runs.
    """
    rows = [row for row in rows if row["verdict"] != "none"]
    titles: dict[str, list[str]] = {"better": [], "worse": [], "undecided": []}
    for row in rows:
        titles[row["verdict"]].append(rf"\emph{{{tex(row['title'])}}} ({FILTERS['points'](row['difference'])})")
    parts = []
    if titles["better"]:
        parts.append(f"unlabeled images helped {listed(titles['better'])}")
    if titles["worse"]:
        parts.append(f"{'they' if parts else 'unlabeled images'} did harm to {listed(titles['worse'])}")
    if titles["undecided"]:
        images = "they" if parts else "unlabeled images"
        parts.append(f"for {listed(titles['undecided'])} it cannot be said whether {images} helped")
    first = rows[0] if rows else {}
    return {"labels": first["labels"], "runs_name": first["runs_name"], "sentence": "; ".join(parts)} if rows else {}


def extreme_classes(per_class: pd.DataFrame, experiment: str) -> tuple[Values, Values]:
    """Return the class that is recognised most often and the one least, mean of the seeds."""
    rows = per_class[(per_class["experiment"] == experiment) & per_class["run"].str.startswith("seed")]
    means = rows.astype({"class": str}).groupby("class")["test_accuracy"].mean()
    return tuple({"name": name, "accuracy": means[name]} for name in (means.idxmax(), means.idxmin()))


def clustering_rows(folder: Path, titles: dict[str, str]) -> list[Values]:
    """Return how well each layer of each representation clusters; raw pixels first.

    first, last: whether it is the representation's first or last row; layers: how many it has.
    """
    names = {"pixels": "raw pixels, first channel"} | titles
    found = read_table(folder / "clustering.csv")
    tables = {name: found[found["representation"] == name].to_dict("records") for name in names}
    return [
        {
            "name": name,
            "title": names[name],
            "first": row is table[0],
            "last": row is table[-1],
            "layers": len(table),
            **row,
        }
        for name, table in tables.items()
        for row in table
    ]


# Figures


def shown_surrogates(experiments: list[Values]) -> list[Values]:
    """Return the first experiment whose classes are made by geometry alone, and the first that changes colours too."""
    kinds: dict[bool, Values] = {}
    for row in experiments:
        kinds.setdefault(bool(set(row["options"]["transformations"]) & set(CHROMATIC)), row)
    return list(kinds.values())[:MOST_SURROGATES]


def shown_filters(experiments: list[Values]) -> list[Values]:
    """Return the first network to learn from labels, surrogate classes, one after the other, or pseudo-labels too."""
    kinds: dict[tuple, Values] = {}
    for row in experiments:
        with_pseudo_labels = row["facts"]["unlabeled"] == PSEUDO_LABELS
        kinds.setdefault(("pseudo-labels",) if with_pseudo_labels else (row["method"], row["base"] is not None), row)
    return list(kinds.values())


def shown_rounds(experiments: list[Values]) -> list[Values]:
    """Return the first experiment of each method with rounds that is no control."""
    kinds: dict[str, Values] = {}
    for row in experiments:
        if row["facts"]["in_rounds"] and not row.get("control"):
            kinds.setdefault(row["method"], row)
    return list(kinds.values())


def best_on_validation(experiments: list[Values]) -> Values:
    """Return the experiment of the highest validation accuracy, mean of the seeds."""
    return max(experiments, key=lambda row: row["seeds"]["validation_accuracy_mean"])


def shown_figures(experiments: list[Values], figures: dict[str, list[str]]) -> Values:
    """Return the experiments whose figures the text shows, by kind of figure.

    figures: the names of those that have one, by kind.
    """
    networks = [row for row in experiments if row["network_file"]]
    of_labels = [row for row in networks if "labels" in row["facts"]["learns_from"]]
    without_labels = [row for row in networks if row not in of_labels]
    layers = ([best_on_validation(of_labels)] if of_labels else []) + without_labels[:1]
    losses: dict[str, Values] = {}
    for row in experiments:
        if row["facts"]["training_curves"] and row["facts"]["unlabeled"]:
            losses.setdefault(row["method"], row)
    rounds = shown_rounds(experiments)
    shown = {
        "rounds": rounds,
        "mistakes": rounds[:1],
        "unlabeled": list(losses.values()),
        "centroids": experiments,
        "surrogates": shown_surrogates([row for row in experiments if "transformations" in row["options"]]),
        "augmentations": [row for row in experiments if row.get("augmentation")][:1],
        "filters": shown_filters(networks),
        "layers": layers,
    }
    return {kind: [row for row in rows if row["name"] in figures.get(kind, [])] for kind, rows in shown.items()}


# Methods, over all studies


def distinct(values: Iterable) -> list:
    """Return the different values in the order of their first appearance."""
    return list(dict.fromkeys(values))


def recipe_values(networks: list[Values]) -> Values:
    """Return the different values of each option that says how networks are trained."""
    return {key: distinct(row["options"][key] for row in networks if key in row["options"]) for key in RECIPE}


def grouped_settings(experiments: list[Values]) -> list[Values]:
    """Return which experiments share all options that the tables of settings leave out, and these options."""
    groups: dict[tuple, list[str]] = {}
    for row in experiments:
        values = tuple(
            f"{code(key)} {setting(row['options'][key])}" for key in FURTHER.get(row["method"], row["options"])
        )
        groups.setdefault(values, []).append(code(row["name"]))
    return [{"names": names, "options": options} for options, names in groups.items()]


def network_values(path: Path) -> Values:
    """Return shape, layers and number of weights of a network; layers: name, channels and side of the maps of each."""
    with open_hdf5(path) as file:
        attributes = dict(file["network"].attrs)
    facts = json.loads(attributes["facts"])
    return {
        **{name: attributes[name] for name in ("network", "channels", "size", "classes")},
        "layers": ", ".join(f"{code(name)} {channels} ({side})" for name, channels, side in facts["layers"]),
        "weights": facts["weights"],
    }


def different_networks(studies: list[Values]) -> list[Values]:
    """Return the different networks that the experiments train."""
    networks = [row["network_values"] for study in studies for row in study["experiments"] if "network_values" in row]
    return list({str(values): values for values in networks}.values())


def range_text(options: Values, transformation: str) -> str:
    """Return what the parameters of a transformation are drawn from; a dash where the options say nothing of it."""
    parts = [f"{sign}{spread(options[option])}" for option, sign in RANGES[transformation].items() if option in options]
    return ", ".join(parts) or "--"


def ranges_text(experiments: list[Values], transformation: str) -> str:
    """Return the ranges of the experiments that use a transformation; the most usual one is named last."""
    groups: dict[str, list[str]] = {}
    for row in experiments:
        if transformation in row["options"]["transformations"]:
            groups.setdefault(range_text(row["options"], transformation), []).append(code(row["name"]))
    *rare, (usual, _) = sorted(groups.items(), key=lambda item: len(item[1]))
    return "".join(f"{text} ({listed(names)}), else " for text, names in rare) + usual


def transformation_rows(experiments: list[Values], published: Values) -> list[Values]:
    """Return each transformation that some experiment uses, with its ranges here, in the source and in the paper."""
    return [
        {
            "name": name,
            "here": ranges_text(experiments, name),
            "source": range_text(published["surrogate_classes"]["ranges"], name),
            "paper": range_text(published["exemplar_paper"]["ranges"], name),
        }
        for name in TRANSFORMATIONS
        if any(name in row["options"]["transformations"] for row in experiments)
    ]


def is_of_method(method: str, row: Values) -> bool:
    """Tell whether an experiment is of this method."""
    return row["method"] == method


def other_methods(studies: list[Values]) -> list[Values]:
    """Return the methods that have no text of their own: name, what they are, and their experiments."""
    found: dict[str, Values] = {}
    for row in under_headings(studies, lambda row: not row["facts"]["text"]):
        values = found.setdefault(
            row["method"], {"name": row["method"], "about": row["facts"]["about"], "experiments": []}
        )
        values["experiments"].append(row)
    return list(found.values())


def under_headings(studies: list[Values], wanted: Callable[[Values], bool]) -> list[Values]:
    """Return the experiments that are wanted; heading: the study's title at its first, if there are several."""
    rows = []
    for study in studies:
        chosen = [row for row in study["experiments"] if wanted(row)]
        titles = [study["title"] if len(studies) > 1 else "", *[""] * len(chosen)]
        rows += [row | {"heading": title} for row, title in zip(chosen, titles, strict=False)]
    return rows


def method_values(methods: Sequence[str], studies: list[Values], published: Values) -> Values:
    """Return what the description of the methods needs: experiments of each, and what their options have in common."""
    of_method: Values = {method: under_headings(studies, partial(is_of_method, method)) for method in methods}
    networks = under_headings(studies, lambda row: row["network_file"] is not None)
    surrogates = of_method["surrogate"]
    rounds = under_headings(studies, lambda row: row["facts"]["in_rounds"])
    on_labels = under_headings(studies, lambda row: row["facts"]["training_curves"])
    return of_method | {
        "all_networks": networks,
        "rounds": rounds,
        "pseudo_labels": under_headings(studies, lambda row: row["facts"]["unlabeled"] == PSEUDO_LABELS),
        "others": other_methods(studies),
        "held_out": distinct(row["options"]["held_out"] for row in rounds),
        "copied": any(row["options"].get("copies") for row in on_labels),
        "rotation": COPY_ROTATION,
        "shifts": COPY_SHIFTS,
        "noise": COPY_NOISE,
        "epoch_factor": EPOCH_FACTOR,
        "threshold_decay": THRESHOLD_DECAY,
        "adaptive": any(row["options"]["adaptive_threshold"] for row in of_method["fixmatch"]),
        "networks": different_networks(studies),
        "network_names": {row["options"].get("network") for row in networks},
        "whole_image_exemplar": any(row["options"].get("network", "").startswith("exemplar") for row in on_labels),
        "recipe": recipe_values(networks),
        "augmented_by": {name for row in on_labels for name in AUGMENTATIONS if row["options"].get(name)},
        "flips_averaged": any(row["options"].get("average_flips") for row in on_labels),
        "pretrained": any(row["base"] for row in of_method["cnn"]),
        "patch_sides": distinct(row["options"]["surrogate_size"] for row in surrogates),
        "samplings": distinct(row["options"]["seed_sampling"] for row in surrogates),
        "chromatic": any(set(row["options"]["transformations"]) & set(CHROMATIC) for row in surrogates),
        "transformations": transformation_rows(surrogates, published),
        "follows_source": [
            code(row["name"])
            for row in surrogates
            if row["options"]["seed_sampling"] == "uniform"
            and not set(row["options"]["transformations"]) & set(CHROMATIC)
        ],
        "percentile": PERCENTILE,
        "patient": any(row["options"].get("patience") for row in networks),
        "any_folds": any(study["folds"] for study in studies),
    }


# The whole text


def study_values(name: str, plan: Values, results: Path, published: Values, centroids: int) -> Values:
    """Return what the text says of one study."""
    folder = results / name
    images = folder / "data" / "images.h5"
    comparison = read_table(folder / "comparison.csv").set_index("experiment")
    shape, classes = image_shape(images), len(read_class_names(images))
    experiments = [
        experiment_values(experiment, options, comparison.loc[experiment], folder, shape, centroids, classes)
        for experiment, options in plan["experiments"].items()
    ]
    mark_baselines(experiments, plan["baseline"])
    solver = read_table(folder / "solver_iterations.csv")
    followed = [
        experiment | {"solver": solver_rows(solver, experiment["name"], published["solver_table"])}
        for experiment in experiments
        if experiment["name"] in set(solver["experiment"])
    ]
    folded = [row for row in experiments if row["folds"]]
    best = best_on_validation(experiments)
    best_on_test = max(experiments, key=lambda experiment: experiment["seeds"]["test_accuracy_mean"])
    easiest, hardest = extreme_classes(read_table(folder / "per_class.csv", texts=("class",)), best["name"])
    clustering = clustering_rows(folder, {row["name"]: row["title"] for row in experiments})
    test_groups = int(read_table(folder / "metrics.csv")["test_groups"].iloc[0])
    return {
        "name": name,
        **plan,
        "shape": shape,
        "classes": classes,
        "counts": {split: image_count(images, split) for split in SPLITS},
        "test_groups": test_groups,
        "grouped": test_groups < image_count(images, "test"),
        "experiments": experiments,
        "methods": {row["method"] for row in experiments},
        "groups": {protocol: compared_groups(experiments, protocol) for protocol in PROTOCOLS},
        "answers": pretraining_answers(experiments),
        "help": unlabeled_answers(experiments),
        "rounds": [row for row in experiments if row["facts"]["in_rounds"]],
        "has_networks": any(row["network_file"] for row in experiments),
        "shown": shown_figures(experiments, plan["figures"]) | {"training": plan["training_figure"]},
        "settings": grouped_settings(experiments),
        "followed": followed,
        "beside_source": plan["kind"] in published["solver_table"]["beside"],
        "folded": folded,
        "folds": folded[0]["folds"] if folded else None,
        # The published ten-fold accuracy stands beside our own of the same method on the same data, if there is any.
        "beside_log": plan["kind"] == published["exemplar_log"]["data_set"]
        and any(row["method"] == "surrogate" for row in folded),
        "best": best,
        "best_on_test": best_on_test,
        "best_is_best_on_test": best is best_on_test,
        "easiest": easiest,
        "hardest": hardest,
        "clustering": clustering,
        "best_layers": {row["name"]: row for row in clustering if row["best"]},
        "best_clustering": max(clustering, key=lambda row: row["knn_agreement"]),
        "shown_map": max(clustering, key=lambda row: (row["name"] != "pixels", row["knn_agreement"])),
    }


def report_values(plan: Values, results: Path, provenance: Path, timings: Path, published: Values) -> Values:
    """Return every value of the template."""
    centroids = plan["figures"]["centroids"]
    studies = [study_values(name, content, results, published, centroids) for name, content in plan["studies"].items()]
    made_by = json.loads(provenance.read_text())
    return {
        "studies": studies,
        "sections": plan["sections"],
        "networks": plan["networks"],
        "methods": method_values(plan["methods"], studies, published),
        "embedded": sorted({study["kind"] for study in plan["studies"].values() if study["embedded"]}),
        "confidence": plan["evaluation"]["confidence"],
        "bootstrap_samples": plan["evaluation"]["bootstrap_samples"],
        "top_k": plan["evaluation"]["top_k"],
        "neighbors": plan["figures"]["neighbors"],
        "published": published,
        "source_table": source_table_facts(published["solver_table"], studies),
        "seed_setting": seed_setting(published["seed_setting"]),
        "source_rounds": source_rounds(published["pseudo_label_rounds"]),
        "source_copies": published["homework"]["augmented_images"] // published["homework"]["images"],
        "provenance": made_by,
        "packages": [f"{name} {version}" for name, version in made_by["packages"].items()],
        "timings": read_table(timings).to_dict("records"),
        "theory": theory.theory_values(plan, results / "theory"),
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
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(FILTERS | theory.FILTERS)
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
    environment = template_environment(template.parent)
    for study in values["studies"]:
        study["text"] = environment.get_template(study["text"]).module
    text = environment.get_template(template.name).render(values)
    with atomic_path(options.tex) as path:
        path.write_text(text)
    copy_file(bibliography, options.bibliography)


if __name__ == "__main__":
    run_program(main)
