"""Check a configuration, and answer the questions that the rules ask of it.

A study or experiment set to null is left out. Options of an experiment come, from weak to strong, from the declarations
and sections of the methods that its own builds on, from what its base gives, from those of its own method, from what
its base fixes, and from itself.
"""

import inspect
import json
import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from data_sets import declared_data_sets
from data_sets.declare import Data, DataSet
from declarations.options import Options, declaring_group, option_names, properties, required_names
from methods import declared_methods
from methods.declare import Method
from planning.config_files import LOADER, ConfigError
from planning.schema import Config, schema_mistakes
from semisup.run_names import labels_run
from semisup.titles import composed, title_mistake

METHODS = declared_methods()
DATA_SETS = declared_data_sets()
# What keys and methods were called, and are called now.
RENAMED = {"base": "builds_on", "relabel": "relabel_each"}
RENAMED |= {method.formerly: name for name, method in METHODS.items() if "formerly" in vars(method)}


def read_yaml(path: str | Path) -> Config:
    """Return the content of a YAML file."""
    return LOADER(Path(path).read_text(encoding="utf-8")).get_single_data()


def config_schema() -> Config:
    """Return the JSON schema of a configuration: study.schema.yaml, and what data sets and methods declare."""
    schema = read_yaml(Path(__file__).with_name("study.schema.yaml"))
    schema["properties"]["data"] |= _data_schema()
    experiment = schema["$defs"]["experiment"]
    experiment["properties"]["method"]["enum"] = list(METHODS)
    experiment["allOf"] = [_branch("method", name, method) for name, method in METHODS.items()]
    for name, method in METHODS.items():
        schema["properties"][name] = {
            "description": inspect.getdoc(method),
            "type": "object",
            "additionalProperties": False,
            # What an experiment must say itself has no place in a section.
            "properties": {
                key: part for key, part in section_options(method).items() if key not in required_names(method)
            },
        }
    return schema


def _data_schema() -> Config:
    """Return the schema of data sets by name: one with the name of a kind is of that kind, any other tells its own."""
    kinds = {name: properties(kind) for name, kind in DATA_SETS.items()}
    about = "What the data set is; one with the name of a kind is of that kind."
    named = {
        name: {
            "description": inspect.getdoc(DATA_SETS[name]),
            "type": "object",
            "additionalProperties": False,
            "required": required_names(DATA_SETS[name]),
            "properties": {"kind": {"description": about, "const": name, "default": name}} | options,
        }
        for name, options in kinds.items()
    }
    other = {
        "type": "object",
        "unevaluatedProperties": False,
        "required": ["kind"],
        "properties": {"kind": {"description": about, "enum": list(kinds)}},
        "allOf": [_branch("kind", name, kind) for name, kind in DATA_SETS.items()],
    }
    return {"properties": named, "additionalProperties": other}


def _branch(key: str, name: str, group: type[Options]) -> Config:
    """Return a condition of a schema: a mapping whose `key` is this name may have the options of this group."""
    condition = {"type": "object", "properties": {key: {"const": name}}, "required": [key]}
    return {"if": condition, "then": {"properties": properties(group), "required": required_names(group)}}


def data_kind(config: Config, dataset: str) -> type[DataSet]:
    """Return the kind of the data set of that name."""
    return DATA_SETS[config.get("data", {}).get(dataset, {}).get("kind", dataset)]


def data_options(config: Config, dataset: str) -> Config:
    """Return every option of a data set: the declared defaults, and what the configuration sets."""
    own = config.get("data", {}).get(dataset, {})
    options = {name: part.get("default") for name, part in properties(data_kind(config, dataset)).items()}
    return {
        name: default | own.get(name, {}) if isinstance(default, dict) else own.get(name, default)
        for name, default in options.items()
    }


def data_of(config: Config, dataset: str) -> Data:
    """Return what a method may ask of a data set."""
    return _described(data_kind(config, dataset), dataset, json.dumps(data_options(config, dataset)))


@cache  # of pictures in folders, which are counted once while the workflow is planned
def _described(kind: type[DataSet], dataset: str, options: str) -> Data:
    return kind.describe(dataset, json.loads(options))


def checked_config(config: Config, schema: Config) -> Config:
    """Return `config` without the studies and experiments that are null; raise `ConfigError` on the first mistake."""
    _described.cache_clear()
    mistakes = schema_mistakes(config, schema, RENAMED)
    if mistakes:
        raise ConfigError(mistakes[0])
    studies = {}
    for study, content in config["studies"].items():
        if content is not None:
            place = f"studies.{study}"
            kept = {
                name: _with_title(options, f"{place}.experiments.{name}")
                for name, options in content["experiments"].items()
                if options is not None
            }
            studies[study] = _with_title(content, place) | {"experiments": _only(kept, content, f"{place}.only")}
    result = config | {"studies": studies}
    if not studies:
        raise ConfigError("studies: every study is null; keep at least one")
    for study in studies:
        _check_study(result, study)
    return result


def _with_title(content: Config, place: str) -> Config:
    """Return a study or an experiment with title and short name as the report sets them.

    Raises ConfigError if it cannot.
    """
    texts = {key: content[key] for key in ("title", "short") if key in content}
    for key, text in texts.items():
        mistake = title_mistake(text)
        if mistake:
            raise ConfigError(f"{place}.{key}: {mistake}")
    return content | {key: composed(text) for key, text in texts.items()}


def short_name(config: Config, study: str, experiment: str) -> str:
    """Return how figures and tables call an experiment."""
    return config["studies"][study]["experiments"][experiment].get("short", experiment)


def _only(experiments: Config, content: Config, place: str) -> Config:
    """Return the experiments that the study's key `only` names, with all bases and baselines; without it, all."""
    wanted, waiting = set(), [*content.get("only", experiments), content["baseline"]]
    while waiting:
        name = waiting.pop()
        if name in content.get("only", ()) and name not in experiments:
            raise ConfigError(f"{place}: there is no experiment {name!r}; known: {', '.join(experiments)}")
        if name in experiments and name not in wanted:
            wanted.add(name)
            waiting += [experiments[name][key] for key in ("builds_on", "baseline") if key in experiments[name]]
    return {name: options for name, options in experiments.items() if name in wanted}


def method_of(config: Config, study: str, experiment: str) -> type[Method]:
    """Return the method of an experiment."""
    return METHODS[config["studies"][study]["experiments"][experiment]["method"]]


def experiment_options(config: Config, study: str, experiment: str) -> Config:
    """Return every option of the experiment, defaults and base included."""
    own = config["studies"][study]["experiments"][experiment]
    method = METHODS[own["method"]]
    given = _options_of_base(config, study, own)
    fixed = {name: value for name, value in given.items() if method.base and name in method.base.fixed}
    options: Config = {}
    for parent in parent_methods(method):
        options |= section_defaults(parent) | config.get(parent.name, {})
    options |= given | section_defaults(method) | config.get(method.name, {}) | fixed
    options |= {name: own[name] for name in required_names(method)}
    return {name: own.get(name, value) for name, value in options.items()}


@cache
def parent_methods(method: type[Method]) -> list[type[Method]]:
    """Return the methods that a method builds on, weak to strong; their sections count for it too."""
    return [parent for parent in reversed(method.__mro__) if parent in METHODS.values() and parent is not method]


@cache
def section_options(method: type[Method]) -> Config:
    """Return the schema of each option that the method's own section of the configuration may hold.

    They are those that it declares, or that groups declare which it does not share with the methods it builds on.
    """
    inherited = {part for parent in parent_methods(method) for part in parent.__mro__}
    return {name: part for name, part in properties(method).items() if declaring_group(method, name) not in inherited}


@cache
def section_defaults(method: type[Method]) -> Config:
    """Return the declared defaults of the options in the method's own section."""
    return {name: part["default"] for name, part in section_options(method).items() if "default" in part}


def _options_of_base(config: Config, study: str, own: Config) -> Config:
    """Return the options that an experiment takes from its base; none without a base."""
    base = METHODS[own["method"]].base
    if base is None or "builds_on" not in own:
        return {}
    options = experiment_options(config, study, own["builds_on"])
    taken = options if base.gives is None else option_names(*base.gives)
    return {name: options[name] for name in taken if name in options}


def asked_options(config: Config, study: str, experiment: str) -> Config:
    """Return the options of the experiment as its method is asked about them: with `builds_on`, if it has a base."""
    own = config["studies"][study]["experiments"][experiment]
    base = {"builds_on": own["builds_on"]} if "builds_on" in own else {}
    return experiment_options(config, study, experiment) | base


def experiment_runs(config: Config, study: str, experiment: str) -> list[str]:
    """Return the runs of an experiment: its seeds and, where asked for, folds and seeds with fewer labels."""
    content, options = config["studies"][study], experiment_options(config, study, experiment)
    data = data_of(config, content["dataset"])
    runs = [f"seed{seed}" for seed in content["seeds"]]
    if options.get("folds"):
        runs += [f"fold{fold}" for fold in range(data.folds)]
    counts = data.fewer_labels(options.get("label_counts", ()))
    return runs + [labels_run(count, seed) for count in counts for seed in content["seeds"]]


def base_experiment(config: Config, study: str, experiment: str) -> str:
    """Return the experiment whose centroids, network or model this one uses: its base, or itself."""
    return config["studies"][study]["experiments"][experiment].get("builds_on", experiment)


def experiments_of_methods(config: Config, *methods: str) -> Iterator[tuple[str, str]]:
    """Yield (study, experiment) for every experiment of these methods."""
    for study, content in config["studies"].items():
        for experiment, options in content["experiments"].items():
            if options["method"] in methods:
                yield study, experiment


def method_pattern(config: Config, *methods: str) -> str:
    """Return a regular expression for {experiment} in paths like results/{study}/{experiment}/...

    It matches the experiments of these methods only, and each only behind the folder of its own study: the same name
    may have another method in another study.
    """
    names = [f"(?<=/{study}/){experiment}" for study, experiment in experiments_of_methods(config, *methods)]
    return "|".join(names) or "no_experiment_of_this_method"  # an empty pattern would match any name


def command_line(options: Config, names: tuple[str, ...]) -> str:
    """Return the named options as command-line arguments: --patch-size 22 --whitening-epsilon 0.1 1.0."""
    words = []
    for name in names:
        value = options[name]
        values = value if isinstance(value, list) else [value]
        words += ["--" + name.replace("_", "-"), *map(str, values)]
    return shlex.join(words)


def _check_study(config: Config, study: str) -> None:
    """Check what a schema cannot say: names that must exist, and sizes that must fit."""
    content = config["studies"][study]
    experiments = content["experiments"]
    place = f"studies.{study}"
    usable = [name for name, kind in DATA_SETS.items() if not required_names(kind)]
    known = dict.fromkeys([*usable, *config.get("data", {})])
    if content["dataset"] not in known:
        raise ConfigError(
            f"{place}.dataset: {content['dataset']!r} is not known; choose one of {', '.join(known)}, or put it "
            "under data"
        )
    for key, mistake in data_kind(config, content["dataset"]).check(
        content["dataset"], data_options(config, content["dataset"])
    ):
        raise ConfigError(f"data.{content['dataset']}.{key}: {mistake}")
    if not experiments:
        raise ConfigError(f"{place}.experiments: every experiment is null; keep at least one, or set the study to null")
    if content["baseline"] not in experiments:
        raise ConfigError(
            f"{place}.baseline: there is no experiment {content['baseline']!r}; known: {', '.join(experiments)}"
        )
    for experiment in experiments:
        _check_base(config, study, experiment, f"{place}.experiments.{experiment}")
        _check_baseline(experiments, experiment, f"{place}.experiments.{experiment}")
    _check_short_names(config, study, place)
    for experiment in experiments:  # options can be told only when every base is in order
        _check_sizes(config, study, experiment, f"{place}.experiments.{experiment}")
    _check_map(config, content["dataset"])


def _check_short_names(config: Config, study: str, place: str) -> None:
    """Check that no two experiments are called alike."""
    called: dict[str, str] = {}
    for experiment in config["studies"][study]["experiments"]:
        name = short_name(config, study, experiment)
        if name in called:
            raise ConfigError(
                f"{place}.experiments.{experiment}.short: {called[name]!r} is called {name!r} too; give each its own"
            )
        called[name] = experiment


def _check_map(config: Config, dataset: str) -> None:
    """Check that a t-SNE map of the test images has enough of them."""
    figures = config["figures"]
    available = data_of(config, dataset).test_images
    images = figures["tsne_images"] if available == "all" else min(figures["tsne_images"], available)
    needed = max(int(figures["perplexity"]), 2 * figures["neighbors"]) + 1
    if images < needed:
        raise ConfigError(
            f"figures.tsne_images: a map of {images} test images of {dataset} is too small for perplexity "
            f"{figures['perplexity']:g} and {figures['neighbors']} neighbors; give it at least {needed}, or lower these"
        )


def _check_base(config: Config, study: str, experiment: str, place: str) -> None:
    experiments = config["studies"][study]["experiments"]
    own = experiments[experiment]
    name, base = own.get("builds_on"), METHODS[own["method"]].base
    if base is None and name is not None:
        raise ConfigError(f"{place}.builds_on: an experiment of method {own['method']} takes no base; remove it")
    if base is None or (name is None and not base.needed):
        return
    fitting = [other for other, options in experiments.items() if other != experiment and options["method"] in base.of]
    known, methods = ", ".join(fitting) or "none", " or ".join(base.of)
    if name is None:
        raise ConfigError(
            f"{place}: the key 'builds_on' is missing; name the experiment of method {methods} that it begins with; "
            f"known: {known}"
        )
    if name == experiment or name not in experiments:
        raise ConfigError(f"{place}.builds_on: there is no other experiment {name!r} in this study; known: {known}")
    if name not in fitting:
        raise ConfigError(
            f"{place}.builds_on: {name!r} is of method {experiments[name]['method']}, and the base of an experiment of "
            f"method {own['method']} must be of method {methods}; known: {known}"
        )
    if own["method"] in base.of and "builds_on" in experiments[name]:
        raise ConfigError(
            f"{place}.builds_on: {name!r} has a base itself; name {experiments[name]['builds_on']!r} instead"
        )
    for key in base.fixed:
        if key in own:
            remedy = "" if base.needed else ", or the base"
            raise ConfigError(f"{place}.{key}: {base.what} from the base {name!r}; remove {key}{remedy}")


def _check_baseline(experiments: Config, experiment: str, place: str) -> None:
    baseline = experiments[experiment].get("baseline")
    others = [name for name in experiments if name != experiment]
    if baseline is not None and baseline not in others:
        raise ConfigError(
            f"{place}.baseline: there is no other experiment {baseline!r} in this study; "
            f"known: {', '.join(others) or 'none'}"
        )


def _check_sizes(config: Config, study: str, experiment: str, place: str) -> None:
    dataset = config["studies"][study]["dataset"]
    options = asked_options(config, study, experiment)
    data = data_of(config, dataset)
    if options.get("folds") and not data.folds:
        raise ConfigError(
            f"{place}.folds: the data set {dataset} has no folds; set it to false, or use another data set"
        )
    _check_label_counts(options.get("label_counts", ()), data, f"{place}.label_counts")
    base = experiment_options(config, study, options["builds_on"]) if "builds_on" in options else None
    for key, mistake in method_of(config, study, experiment).check(options, data, base):
        raise ConfigError(f"{place}.{key}: {mistake}")


def _check_label_counts(counts: Iterable[int], data: Data, place: str) -> None:
    """Check that there are as many training images, and one of each class among so many."""
    for count in counts:
        if count < data.classes:
            raise ConfigError(
                f"{place}: {count} is less than one label of each of the {data.classes} classes of {data.name}; choose "
                f"at least {data.classes}"
            )
        if count > data.train_images:
            raise ConfigError(
                f"{place}: {count} is more than the {data.train_images} training images of {data.name}; choose at most "
                "that"
            )
