"""Options of several experiments together: what they have in common, and the tables of further settings."""

from collections.abc import Iterable

from reporting.text import Values, code, setting, tex

# How a network is trained, beside epochs, batch and learning rate.
RECIPE = (
    "optimizer",
    "bias_rate",
    "momentum",
    "weight_decay",
    "schedule",
    "label_smoothing",
    "dropout",
    "ema_decay",
    "patience",
    "precision",
)


def distinct(values: Iterable) -> list:
    """Return the different values in the order of their first appearance."""
    return list(dict.fromkeys(values))


def recipe_values(networks: list[Values]) -> Values:
    """Return the different values of each option that says how networks are trained."""
    return {key: distinct(row["options"][key] for row in networks if key in row["options"]) for key in RECIPE}


def grouped_settings(experiments: list[Values]) -> list[Values]:
    """Return which experiments share all further options, and these options."""
    groups: dict[tuple, list[str]] = {}
    for row in experiments:
        values = tuple(f"{code(key)} {setting(row['options'][key])}" for key in row["further"])
        groups.setdefault(values, []).append(tex(row["title"]))
    return [{"names": names, "options": options} for options, names in groups.items()]
