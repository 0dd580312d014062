"""Networks in the report: their shapes, and number, speed and cost of their trainings."""

import json
from pathlib import Path

import pandas as pd

from reporting.runs import seed_runs
from reporting.text import Values, code
from semisup.hdf5 import open_hdf5
from semisup.tables import read_table


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
