"""What the report says of one experiment."""

from pathlib import Path

import pandas as pd

from reporting.methods import module_of
from reporting.networks import network_values, training_values
from reporting.text import Values
from semisup.run_names import COMPARED


def summaries(row: pd.Series) -> Values:
    """Split a row of comparison.csv into what it says of seeds and of folds; cells that are empty are left out."""
    return {
        protocol: {
            key.removeprefix(f"{protocol}_"): value
            for key, value in row.items()
            if key.startswith(f"{protocol}_") and pd.notna(value)
        }
        for protocol in COMPARED
    }


def experiment_values(name: str, plan: Values, row: pd.Series, results: Path, size: int, classes: int) -> Values:
    """Return what the text says of one experiment.

    row: of comparison.csv. results: folder of the study. size: side of its images in pixels. classes: their number.
    title: its short name, by which text, tables and figures call it; full_title: what the configuration calls it.
    further: the options that the appendix gives; all of them where the module of the method does not say which.
    """
    folder = results / name
    method = module_of(plan["method"])
    values = {
        "name": name,
        **plan,
        "title": plan["short"],
        "full_title": plan["title"],
        **summaries(row),
        **method.values(plan, folder, size, classes),
        "further": getattr(method, "FURTHER", list(plan["options"])),
    }
    if plan["network_file"]:
        values["training"] = training_values(plan, folder)
        values["network_values"] = network_values(folder / plan["runs"][0] / plan["network_file"])
    return values
