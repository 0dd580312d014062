"""Surrogate classes in the report."""

from pathlib import Path

from reporting.runs import chosen_settings, seed_runs
from reporting.settings import RECIPE, distinct
from reporting.text import Values, code, emphasized, listed, spread
from semisup.constants import CHROMATIC, PERCENTILE, TRANSFORMATIONS
from semisup.tables import read_table

FURTHER = ("image_size", "surrogate_size", "steps_per_epoch", "batch_size", "learning_rate", *RECIPE, "svm_c")
# The options that a transformation's parameters are drawn from, each with its sign in the text.
RANGES = {
    "rotation": {"rotation": ""},
    "translation": {"translation": ""},
    "scale": {"scale": ""},
    "pca_contrast": {"pca_contrast": ""},
    "color_contrast": {"color_power": "$p$: ", "color_factor": "$m$: ", "color_offset": "$a$: "},
    "hue": {"hue": ""},
}


def values(plan: Values, folder: Path, size: int, classes: int) -> Values:
    """Return what the text says of an experiment.

    top1: accuracy on patches of the surrogate classes that were kept aside, mean of the seeds.
    """
    options = plan["options"]
    column = "validation_accuracy"
    tables = [read_table(folder / run / "pretraining_history.csv") for run in seed_runs(plan["runs"])]
    top1 = [table[column].max() if options["patience"] else table[column].iloc[-1] for table in tables]
    return {
        **chosen_settings(folder, plan["runs"], {"c": "$C$"}),
        "top1": sum(top1) / len(top1),
        "transformations": named_transformations(options["transformations"]),
    }


def section_values(experiments: list[Values], published: Values) -> Values:
    """Return what the section says of all experiments together.

    follows_source: those that sample uniformly and change no colours, as the source does.
    """
    by_geometry = [row for row in experiments if not set(row["options"]["transformations"]) & set(CHROMATIC)]
    return {
        "patch_sides": distinct(row["options"]["surrogate_size"] for row in experiments),
        "samplings": distinct(row["options"]["seed_sampling"] for row in experiments),
        "chromatic": len(by_geometry) < len(experiments),
        "transformations": transformation_rows(experiments, published),
        "follows_source": [
            emphasized(row["title"]) for row in by_geometry if row["options"]["seed_sampling"] == "uniform"
        ],
        "percentile": PERCENTILE,
    }


def named_transformations(names: list[str]) -> str:
    """Return the transformations' names in few words."""
    missing = [name for name in TRANSFORMATIONS if name not in names]
    if not names:
        return "none"
    if not missing:
        return "all"
    return f"all but {code(missing[0])}" if len(missing) == 1 else listed(map(code, names))


def range_text(options: Values, transformation: str) -> str:
    """Return what the parameters of a transformation are drawn from; a dash where the options say nothing of it."""
    parts = [f"{sign}{spread(options[option])}" for option, sign in RANGES[transformation].items() if option in options]
    return ", ".join(parts) or "--"


def ranges_text(experiments: list[Values], transformation: str) -> str:
    """Return the ranges of the experiments that use a transformation; the most usual one is named last."""
    groups: dict[str, list[str]] = {}
    for row in experiments:
        if transformation in row["options"]["transformations"]:
            name = emphasized(row["title"])
            groups.setdefault(range_text(row["options"], transformation), []).append(name)
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
