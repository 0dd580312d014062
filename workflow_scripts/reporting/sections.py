"""What the report's description of the methods needs, over all studies."""

from collections.abc import Callable, Sequence

from reporting.augmentation import changes_values
from reporting.facts import beside_labels, on_labels_alone, with_pseudo_labels, without_labels
from reporting.methods import module_of
from reporting.networks import different_networks
from reporting.settings import distinct, recipe_values
from reporting.text import Values
from semisup.constants import EPOCH_FACTOR


def under_headings(studies: list[Values], wanted: Callable[[Values], bool]) -> list[Values]:
    """Return the experiments that are wanted; heading: the study's title at its first, if there are several."""
    rows = []
    for study in studies:
        chosen = [row for row in study["experiments"] if wanted(row)]
        titles = [study["title"] if len(studies) > 1 else "", *[""] * len(chosen)]
        rows += [row | {"heading": title} for row, title in zip(chosen, titles, strict=False)]
    return rows


def other_methods(studies: list[Values]) -> list[Values]:
    """Return the methods that have no text of their own: name, heading, what they are, and their experiments.

    heading: the title of the experiments if they have one in common; else it has the name of the method.
    """
    found: dict[str, Values] = {}
    for row in under_headings(studies, lambda row: not row["facts"]["sections"]):
        values = found.setdefault(
            row["method"], {"name": row["method"], "about": row["facts"]["about"], "experiments": []}
        )
        values["experiments"].append(row)
    for name, values in found.items():
        titles = distinct(row["full_title"] for row in values["experiments"])
        values["heading"] = titles[0] if len(titles) == 1 else f"Method {name}"
    return list(found.values())


def own_values(of_method: dict[str, list[Values]], published: Values) -> Values:
    """Return what the modules of the methods work out for their sections. of_method: experiments by method."""
    values: Values = {}
    for method, experiments in of_method.items():
        module = module_of(method)
        if hasattr(module, "section_values"):
            values |= module.section_values(experiments, published)
    return values


def network_section_values(studies: list[Values]) -> Values:
    """Return what the text says of networks and their training."""
    networks = under_headings(studies, lambda row: row["network_file"] is not None)
    on_labels = under_headings(studies, lambda row: row["facts"]["training_curves"])
    return {
        "all_networks": networks,
        "networks": different_networks(studies),
        "patch_network_on_whole_images": any(row["patch_network"] for row in on_labels),
        "recipe": recipe_values(networks),
        "hidden_labels": any(row["options"].get("unlabeled_pool", "unlabeled") != "unlabeled" for row in networks),
        "fixed_first_layer": any(row["options"].get("first_layer") == "centroids" for row in networks),
        "epoch_factor": EPOCH_FACTOR,
        "patient": any(row["options"].get("patience") for row in networks),
        "flips_averaged": any(row["options"].get("average_flips") for row in on_labels),
        **changes_values(on_labels),
    }


def method_values(methods: Sequence[str], studies: list[Values], published: Values) -> Values:
    """Return what the description of the methods needs: experiments of each, and what their options have in common.

    methods: names of all that there are, in use or not, as the templates ask for some of them by name.
    """
    of_method = {
        method: under_headings(studies, lambda row, method=method: row["method"] == method) for method in methods
    }
    rounds = under_headings(studies, lambda row: row["facts"]["in_rounds"])
    labels_alone = under_headings(studies, on_labels_alone)
    return {
        **of_method,
        **network_section_values(studies),
        **own_values(of_method, published),
        "without_labels": under_headings(studies, without_labels),
        "labels_alone": labels_alone,
        "pretrained": any(row["base"] for row in labels_alone),
        "vector_machines": under_headings(studies, lambda row: "svm" in row["facts"]["sections"]),
        "pseudo_labels": under_headings(studies, with_pseudo_labels),
        "beside_labels": under_headings(studies, beside_labels),
        "rounds": rounds,
        "held_out": distinct(row["options"]["held_out"] for row in rounds),
        "others": other_methods(studies),
        "any_folds": any(study["folds"] for study in studies),
        "any_label_curve": any(study["label_curve"] for study in studies),
    }
