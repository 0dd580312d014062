"""SimCLR in the report."""

from pathlib import Path

from reporting.runs import chosen_settings, seed_runs
from reporting.settings import RECIPE
from reporting.text import Values
from semisup.constants import PERCENTILE, PROJECTION, TOLD_APART_AMONG
from semisup.tables import read_table

FURTHER = (
    *("first_layer", "crop", "flip", "color", "hue", "grey", "steps_per_epoch", "learning_rate"),
    *(*RECIPE, "svm_c"),
)


def values(plan: Values, folder: Path, size: int, classes: int) -> Values:
    """Return what the text says of an experiment.

    pixels: side of the views. told_apart: accuracy on views of held-out images, mean of the seeds.
    """
    tables = [read_table(folder / run / "pretraining_history.csv") for run in seed_runs(plan["runs"])]
    column = "validation_accuracy"
    told_apart = [table[column].max() if plan["options"]["patience"] else table[column].iloc[-1] for table in tables]
    side = plan["options"]["image_size"]
    return {
        **chosen_settings(folder, plan["runs"], {"c": "$C$"}),
        "pixels": size if side == "native" else side,
        "told_apart": sum(told_apart) / len(told_apart),
    }


def section_values(experiments: list[Values], published: Values) -> Values:
    """Return what the section says of all experiments together. views: by option, whether any view is changed so."""
    changes = ("flip", "color", "hue", "grey")
    return {
        "projection": PROJECTION,
        "told_apart_among": TOLD_APART_AMONG,
        "simclr_percentile": PERCENTILE,
        "views": {name: any(row["options"][name] for row in experiments) for name in changes},
    }
