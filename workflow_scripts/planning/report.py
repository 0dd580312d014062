"""What the report is told of a configuration: titles, options, figures, and what the declarations say."""

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

from data_sets.declare import DataSet
from methods.declare import Method
from methods.shared import NETWORKS
from planning.config import (
    METHODS,
    Config,
    asked_options,
    base_experiment,
    data_kind,
    experiment_options,
    experiment_runs,
    method_of,
    short_name,
)
from semisup.comparability import not_comparable
from semisup.run_names import parsed_run

DEFAULT = "default"  # text of what has none of its own


def figures_of(config: Config, study: str) -> dict[str, list[str]]:
    """Return the experiments of the study that have a figure of each kind; t-SNE maps the pixels too."""
    names = list(config["studies"][study]["experiments"])
    figures: dict[str, list[str]] = {}
    for name in names:
        for kind in method_of(config, study, name).figures(asked_options(config, study, name)):
            figures.setdefault(kind, []).append(name)
    mapped = [name for name in names if method_of(config, study, name).mapped]
    return figures | {"confusion": names, "tsne": ["pixels", *mapped]}


def trained_together(config: Config, study: str) -> list[str]:
    """Return the experiments whose training curves share a figure."""
    return [name for name in config["studies"][study]["experiments"] if method_of(config, study, name).training_curves]


def with_label_counts(config: Config, study: str) -> list[str]:
    """Return the experiments that have runs with fewer labels; their curves share a figure."""
    return [
        name
        for name in config["studies"][study]["experiments"]
        if any(parsed_run(run).labels for run in experiment_runs(config, study, name))
    ]


def sections_of(methods: Iterable[type[Method]], sources: Path) -> list[str]:
    """Return the files in `sources` with what the report says of these methods, in order.

    A method that has no text of its own shares the default one.
    """
    wanted = set()
    for method in methods:
        wanted |= set(own_sections(method) or (DEFAULT,))
    files = {path.stem.partition("-")[2]: path for path in sources.glob("sections/*.tex")}
    return sorted(str(files[name].relative_to(sources)) for name in wanted)


def data_set_text(kind: type[DataSet], sources: Path) -> str:
    """Return the file in `sources` with what the report says of a kind of data set: its own, or the default one."""
    own = f"data_sets/{kind.kind}.tex"
    return own if (sources / own).is_file() else f"data_sets/{DEFAULT}.tex"


def network_texts(names: Iterable[str], sources: Path) -> list[Config]:
    """Return what the report says of these networks, in their order.

    text: the file in `sources` that describes it, its module's or the default one. What shares a text stands once.
    """
    found = {}
    for name in names:
        own, about = f"networks/{NETWORKS[name].module}.tex", NETWORKS[name].about
        if (sources / own).is_file():
            found.setdefault(own, {"name": name, "text": own, "about": about})
        else:
            found[name] = {"name": name, "text": f"networks/{DEFAULT}.tex", "about": about}
    return list(found.values())


def networks_of(config: Config) -> list[str]:
    """Return the networks of all experiments, in the order of their first use."""
    options = [
        experiment_options(config, study, name)
        for study, content in config["studies"].items()
        for name in content["experiments"]
    ]
    return list(dict.fromkeys(values["network"] for values in options if "network" in values))


def methods_of(config: Config) -> Iterator[type[Method]]:
    """Yield the methods of all experiments, each once."""
    seen = {
        method_of(config, study, name)
        for study, content in config["studies"].items()
        for name in content["experiments"]
    }
    yield from (method for method in METHODS.values() if method in seen)


def report_plan(config: Config, sources: Path) -> Config:
    """Return all that the text of the report is told. sources: the folder of its templates."""
    return {
        "studies": {study: _study_plan(config, study, sources) for study in config["studies"]},
        "methods": list(METHODS),
        "sections": sections_of(methods_of(config), sources),
        "networks": network_texts(networks_of(config), sources),
        "evaluation": config["evaluation"],
        "figures": config["figures"],
        "theory": config["theory"],
    }


def with_models(config: Config, study: str) -> list[str]:
    """Return the experiments whose runs end in a model."""
    return [name for name in config["studies"][study]["experiments"] if method_of(config, study, name).model]


def card_plan(config: Config, study: str) -> Config:
    """Return all that the cards of a study's models are told."""
    content = config["studies"][study]
    kind = data_kind(config, content["dataset"])
    return {
        "title": content.get("title", study),
        "data_about": inspect.getdoc(kind),
        "licence": kind.licence,
        "embedded": kind.embedded,
        "confidence": config["evaluation"]["confidence"],
        "experiments": {name: _card_experiment(config, study, name) for name in with_models(config, study)},
    }


def _chain(config: Config, study: str, name: str) -> list[type[Method]]:
    """Return the methods of an experiment and of all that it builds on, the first base first."""
    chain = [name]
    while (base := base_experiment(config, study, chain[0])) != chain[0]:
        chain.insert(0, base)
    return [method_of(config, study, part) for part in chain]


def family_of(config: Config, study: str, name: str) -> str:
    """Return what an experiment learns from: one of semisup.families.FAMILIES."""
    chain = _chain(config, study, name)
    if not all(method.model for method in chain):
        return "other"
    if any(method.unlabeled == "pseudo-labels" or (method.unlabeled and method.training_curves) for method in chain):
        return "beside"
    return "features" if any(method.unlabeled for method in chain) else "labels"


def forest_plan(config: Config, study: str) -> Config:
    """Return all that the forest plot of a study is told."""
    content = config["studies"][study]
    told = {name: _experiment_plan(config, study, name) for name in content["experiments"]}
    apart = not_comparable(told)
    return {
        "title": content.get("title", study),
        "data_set": data_kind(config, content["dataset"]).kind,
        "experiments": {
            name: {
                **{key: plan[key] for key in ("short", "method", "family")},
                "comparable": name not in apart,
            }
            for name, plan in told.items()
        },
    }


def _card_experiment(config: Config, study: str, name: str) -> Config:
    """Return what the card of an experiment's model is told."""
    uses = dict.fromkeys(filter(None, (method.unlabeled for method in _chain(config, study, name))))
    return {
        "title": config["studies"][study]["experiments"][name].get("title", name),
        "about": inspect.getdoc(method_of(config, study, name)),
        "unlabeled": " and ".join(uses),
    }


def _study_plan(config: Config, study: str, sources: Path) -> Config:
    content = config["studies"][study]
    kind = data_kind(config, content["dataset"])
    return {
        "title": content.get("title", study),
        "kind": kind.kind,
        "embedded": kind.embedded,
        "of_source": kind.of_source,
        "about": inspect.getdoc(kind),
        "text": data_set_text(kind, sources),
        "seeds": content["seeds"],
        "baseline": content["baseline"],
        "experiments": {name: _experiment_plan(config, study, name) for name in content["experiments"]},
        "figures": figures_of(config, study),
        "training_figure": bool(trained_together(config, study)),
    }


def _experiment_plan(config: Config, study: str, name: str) -> Config:
    content = config["studies"][study]
    own, method = content["experiments"][name], method_of(config, study, name)
    options = experiment_options(config, study, name)
    return {
        "title": own.get("title", name),
        "short": short_name(config, study, name),
        "family": family_of(config, study, name),
        "method": method.name,
        "network_file": method.network_file,
        "base": own.get("builds_on"),
        "baseline": own.get("baseline", content["baseline"]),
        "runs": experiment_runs(config, study, name),
        "options": options,
        "patch_network": "network" in options and NETWORKS[options["network"]].of_patches,
        "facts": facts_of(method),
    }


def own_sections(method: type[Method]) -> tuple[str, ...]:
    """Return the sections that the method itself names, not only one that it builds on; none, it has no text."""
    return vars(method).get("sections", ())


def facts_of(method: type[Method]) -> Config:
    """Return what the report asks of a method."""
    return {
        "about": inspect.getdoc(method),
        "in_rounds": method.in_rounds,
        "learns_from": method.learns_from,
        "network_history": method.network_history,
        "sections": list(own_sections(method)),
        "training_curves": method.training_curves,
        "unlabeled": method.unlabeled,
    }
