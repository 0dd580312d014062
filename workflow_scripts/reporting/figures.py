"""Which figures the report shows of all that there are."""

from reporting.facts import PSEUDO_LABELS, with_pseudo_labels
from reporting.text import Values
from semisup.constants import CHROMATIC

MOST_SURROGATES = 2  # figures of surrogate classes in a study


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
        kind = (PSEUDO_LABELS,) if with_pseudo_labels(row) else (row["method"], row["base"] is not None)
        kinds.setdefault(kind, row)
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
        "mistakes": [row for row in rounds if row["rounds"]["mistakes"]][:1],
        "unlabeled": list(losses.values()),
        "centroids": experiments,
        "surrogates": shown_surrogates([row for row in experiments if "transformations" in row["options"]]),
        "augmentations": [row for row in experiments if row.get("augmentation")][:1],
        "filters": shown_filters(networks),
        "layers": layers,
    }
    return {kind: [row for row in rows if row["name"] in figures.get(kind, [])] for kind, rows in shown.items()}
