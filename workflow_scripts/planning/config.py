"""Check a configuration, and answer the questions that the rules ask of it.

A study or experiment set to null is left out. Options of an experiment are, from weak to strong: its method's defaults,
those of its base that it inherits, its own.
"""

import difflib
import math
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, TypeChecker, validators
from jsonschema.exceptions import ValidationError

Config = dict[str, Any]

DATASETS_WITH_FOLDS = {"stl10": 10, "photos": None}  # None: as many as the configuration says
FOLD_IMAGES = {"stl10": 1000, "photos": None}
IMAGE_SIZES = {"stl10": 96, "photos": 96, "mnist": 28, "mnist5k": 28}
CHANNELS = {"stl10": 3, "photos": 3, "mnist": 1, "mnist5k": 1}
# The method that a base must have, by the method of the experiment; a method that is not here takes no base.
BASE_METHODS = {"kmeans": "kmeans", "cnn": "surrogate"}
# What the centroids depend on: an experiment of kmeans with a base takes these from it.
LEARNING_OPTIONS = (
    "image_size",
    "patch_size",
    "patch_images",
    "patches_per_image",
    "contrast_constant",
    "whitening_epsilon",
    "centroids",
    "initialization",
    "iterations",
    "tolerance",
    "precision",
)
# What an experiment takes from its base, by method; a cnn uses the network of its base, and trains it in its own way.
INHERITED_OPTIONS = {"kmeans": LEARNING_OPTIONS, "cnn": (), "surrogate": ()}
RANGES = ("scale", "pca_contrast", "color_power", "color_factor")
COLOR_TRANSFORMATIONS = ("pca_contrast", "color_contrast", "hue")
SURROGATE_STEP = 4  # surrogate_size is a multiple of it
# Side in pixels of the smallest images that the layers of a network leave anything of.
SMALLEST_IMAGES = {"resnet": 8, "vgg": 48, "exemplar_small": 32, "exemplar_large": 32}
LONGEST_SHOWN = 60  # characters of a value in a message
MOST_LISTED = 25  # keys in a message


class ConfigError(Exception):
    """A mistake in the configuration, in one line that names key, value and remedy."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def read_yaml(path: str | Path) -> Config:
    """Return the content of a YAML file."""
    return yaml.safe_load(Path(path).read_text())


def checked_config(config: Config, schema: Config) -> Config:
    """Return `config` without the studies and experiments that are null; raise `ConfigError` on the first mistake."""
    # An unknown key comes before a missing one, which may be the same key misspelt.
    errors = sorted(
        _Validator(schema).iter_errors(config),
        key=lambda error: (list(map(str, error.path)), error.validator == "required"),
    )
    messages = [message for error in errors for message in _plain_messages(error, schema)]
    if messages:
        raise ConfigError(messages[0])
    studies = {}
    for study, content in config["studies"].items():
        if content is not None:
            kept = {name: options for name, options in content["experiments"].items() if options is not None}
            studies[study] = content | {"experiments": kept}
    result = config | {"studies": studies}
    if not studies:
        raise ConfigError("studies: every study is null; keep at least one")
    for study in studies:
        _check_study(result, study)
    return result


def experiment_options(config: Config, study: str, experiment: str) -> Config:
    """Return every option of the experiment, defaults and base included."""
    own = config["studies"][study]["experiments"][experiment]
    base = config["studies"][study]["experiments"][base_experiment(config, study, experiment)]
    inherited = {key: base[key] for key in INHERITED_OPTIONS[own["method"]] if key in base}
    defaults = config[own["method"]]
    return {key: (inherited | own).get(key, default) for key, default in defaults.items()}


def experiment_runs(config: Config, study: str, experiment: str) -> list[str]:
    """Return the runs of an experiment: seed0, seed1, ... and, where asked for, fold0, fold1, ..."""
    runs = [f"seed{seed}" for seed in config["studies"][study]["seeds"]]
    if experiment_options(config, study, experiment).get("folds"):
        runs += [f"fold{fold}" for fold in range(fold_count(config, config["studies"][study]["dataset"]))]
    return runs


def fold_count(config: Config, dataset: str) -> int:
    """Return how many folds the data set has (0: none)."""
    return DATASETS_WITH_FOLDS.get(dataset, 0) or config["data"][dataset].get("folds", 0)


def base_experiment(config: Config, study: str, experiment: str) -> str:
    """Return the experiment whose centroids or network this one uses: its base, or itself."""
    return config["studies"][study]["experiments"][experiment].get("base", experiment)


def experiments_of_method(config: Config, method: str) -> Iterator[tuple[str, str]]:
    """Yield (study, experiment) for every experiment of that method."""
    for study, content in config["studies"].items():
        for experiment, options in content["experiments"].items():
            if options["method"] == method:
                yield study, experiment


def method_pattern(config: Config, method: str, before: str = "") -> str:
    """Return a regular expression for {experiment} in paths like results/{study}/{experiment}/...

    It matches the method's experiments only, and each only behind the folder of its own study: the same name may have
    another method in another study. `before` is what stands between the two: "figures/patches_", for example.
    """
    names = [
        f"(?<=/{study}/{re.escape(before)}){experiment}" for study, experiment in experiments_of_method(config, method)
    ]
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
    if not experiments:
        raise ConfigError(f"{place}.experiments: every experiment is null; keep at least one, or set the study to null")
    if content["baseline"] not in experiments:
        raise ConfigError(
            f"{place}.baseline: there is no experiment {content['baseline']!r}; known: {', '.join(experiments)}"
        )
    for experiment in experiments:
        _check_base(config, study, experiment, f"{place}.experiments.{experiment}")
        _check_baseline(experiments, experiment, f"{place}.experiments.{experiment}")
        _check_sizes(config, study, experiment, f"{place}.experiments.{experiment}")
    _check_map(config, content["dataset"])


def _check_map(config: Config, dataset: str) -> None:
    """Check that a t-SNE map of the test images has enough of them."""
    figures = config["figures"]
    available = config["data"][dataset]["test_images"]
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
    base, method = own.get("base"), own["method"]
    if base is None:
        return
    if method not in BASE_METHODS:
        raise ConfigError(f"{place}.base: an experiment of method {method} takes no base; remove it")
    wanted = BASE_METHODS[method]
    fitting = [name for name, other in experiments.items() if name != experiment and other["method"] == wanted]
    known = ", ".join(fitting) or "none"
    if base == experiment or base not in experiments:
        raise ConfigError(f"{place}.base: there is no other experiment {base!r} in this study; known: {known}")
    if base not in fitting:
        raise ConfigError(
            f"{place}.base: {base!r} is of method {experiments[base]['method']}, and the base of an experiment of "
            f"method {method} must be of method {wanted}; known: {known}"
        )
    if method == "kmeans":
        _check_centroid_base(experiments[base], own, base, place)
    if method == "cnn":
        needed = experiments[base].get("network", config[wanted]["network"])
        network = own.get("network", config[method]["network"])
        if network != needed:
            raise ConfigError(
                f"{place}.network: {network} cannot start from the base {base!r}, whose network is {needed}; "
                f"set network to {needed}, or remove the base"
            )


def _check_centroid_base(other: Config, own: Config, base: str, place: str) -> None:
    if "base" in other:
        raise ConfigError(f"{place}.base: {base!r} has a base itself; name {other['base']!r} instead")
    for key in LEARNING_OPTIONS:
        if key in own:
            raise ConfigError(f"{place}.{key}: the centroids come from the base {base!r}; remove {key}, or the base")


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
    own = config["studies"][study]["experiments"][experiment]
    options = own | experiment_options(config, study, experiment)
    if options["folds"] and not fold_count(config, dataset):
        raise ConfigError(
            f"{place}.folds: the data set {dataset} has no folds; set it to false, "
            f"or use one of {', '.join(DATASETS_WITH_FOLDS)}"
        )
    checks = {"kmeans": _check_kmeans, "cnn": _check_cnn, "surrogate": _check_surrogate}
    checks[own["method"]](config, dataset, options, place)


def _check_kmeans(config: Config, dataset: str, options: Config, place: str) -> None:
    size = IMAGE_SIZES[dataset] if options["image_size"] == "native" else options["image_size"]
    patch, stride = options["patch_size"], options["stride"]
    steps = size - patch  # from the first position of a patch in a row to the last
    if steps < 0:
        raise ConfigError(
            f"{place}.patch_size: {patch} is larger than the images ({size} pixels); choose at most {size - 1}"
        )
    if steps == 0:
        raise ConfigError(
            f"{place}.patch_size: {patch} leaves one patch in an image of {size} pixels, and features "
            f"are pooled over 2 x 2 quadrants; choose at most {size - 1}"
        )
    if stride > steps:
        raise ConfigError(
            f"{place}.stride: {stride} leaves fewer than 2 x 2 patches of {patch} pixels in an image of {size}; "
            f"choose at most {steps}"
        )
    _check_unlabeled(config, dataset, options, "patch_images", place)
    patches = options["patch_images"] * options["patches_per_image"]
    if options["centroids"] > patches:
        raise ConfigError(
            f"{place}.centroids: {options['centroids']} is more than the {patches} patches "
            "(patch_images x patches_per_image); choose at most that"
        )


def _check_cnn(config: Config, dataset: str, options: Config, place: str) -> None:
    size, network = IMAGE_SIZES[dataset], options["network"]
    # The network of a base takes any image that is larger than the base's patches.
    if "base" not in options and size < SMALLEST_IMAGES[network]:
        fitting = [name for name, smallest in SMALLEST_IMAGES.items() if smallest <= size]
        raise ConfigError(
            f"{place}.network: {network} needs images of at least {SMALLEST_IMAGES[network]} pixels, and those of "
            f"{dataset} have {size}; choose {' or '.join(fitting)}"
        )
    for key in ("shift", "cutout"):
        if options[key] >= size:
            raise ConfigError(
                f"{place}.{key}: {options[key]} is not smaller than the images of {dataset} ({size} pixels); "
                f"choose at most {size - 1}"
            )
    for key in ("color", "hue"):
        if options[key] and CHANNELS[dataset] == 1:
            raise ConfigError(
                f"{place}.{key}: {options[key]} changes colours, and the images of {dataset} have one channel; "
                "set it to 0"
            )
    sizes = config["data"][dataset]
    images, source = sizes["train_images"], dataset
    if options["folds"]:
        images, source = min((images, source), (FOLD_IMAGES[dataset] or sizes["fold_images"], f"a fold of {dataset}"))
    if options["batch_size"] > images:
        raise ConfigError(
            f"{place}.batch_size: {options['batch_size']} is more than the {images} training images of {source}; "
            "choose at most that"
        )


def _check_surrogate(config: Config, dataset: str, options: Config, place: str) -> None:
    _check_unlabeled(config, dataset, options, "seed_patches", place)
    for key in RANGES:
        low, high = options[key]
        if low > high:
            raise ConfigError(f"{place}.{key}: the first number of [{low}, {high}] is the higher one; exchange them")
    for name in COLOR_TRANSFORMATIONS:
        if name in options["transformations"] and CHANNELS[dataset] == 1:
            raise ConfigError(
                f"{place}.transformations: {name} changes colours, and the images of {dataset} have one channel; "
                "remove it"
            )
    patch, size = options["surrogate_size"], IMAGE_SIZES[dataset]
    if patch >= size:
        raise ConfigError(
            f"{place}.surrogate_size: {patch} is not smaller than the images of {dataset} ({size} pixels); "
            f"choose at most {(size - 1) // SURROGATE_STEP * SURROGATE_STEP}"
        )
    if patch % SURROGATE_STEP:
        raise ConfigError(
            f"{place}.surrogate_size: {patch} is not a multiple of {SURROGATE_STEP}, as the networks need it; "
            f"choose {patch // SURROGATE_STEP * SURROGATE_STEP}, or another multiple"
        )
    samples = options["samples_per_class"]
    patches = options["seed_patches"] * (samples - max(1, samples // 10))  # one in ten is kept for validation
    if options["batch_size"] > patches:
        raise ConfigError(
            f"{place}.batch_size: {options['batch_size']} is more than the {patches} patches that are trained on; "
            "choose at most that"
        )


def _check_unlabeled(config: Config, dataset: str, options: Config, key: str, place: str) -> None:
    unlabeled = config["data"][dataset]["unlabeled_images"]
    if unlabeled != "all" and options[key] > unlabeled:
        raise ConfigError(
            f"{place}.{key}: {options[key]} is more than the {unlabeled} unlabeled images of {dataset}; "
            f"choose at most that, or raise data.{dataset}.unlabeled_images"
        )


def _is_integer(_: TypeChecker, value: object) -> bool:
    """Refuse 22.0, which JSON schema takes for a whole number but the programs' command lines do not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: TypeChecker, value: object) -> bool:
    """Refuse .nan and .inf, which are within any limits that JSON schema can set."""
    return _is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


def _whole_pattern(_: object, pattern: str, value: object, __: Config) -> Iterator[ValidationError]:
    """Refuse a last line break too, which Python's $ lets pass; no pattern of the schema allows line breaks."""
    if isinstance(value, str) and ("\n" in value or not re.search(pattern, value)):
        yield ValidationError(f"does not match {pattern}")


_Validator = validators.extend(
    Draft202012Validator,
    {"pattern": _whole_pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number}),
)


def _plain_messages(error: ValidationError, schema: Config) -> list[str]:
    """Say a schema error in a sentence; empty for an error that only follows from another one."""
    place = ".".join(map(str, error.path)) or "the configuration"
    value = _shown(error.instance)
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        known = _known_keys(error.schema, error.instance, schema)
        return [_unknown_key(place, key, known) for key in error.instance if key not in known]
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return [f"{place}: the key {missing!r} is missing; add it (docs/configuration.md describes it)"]
    if error.validator == "enum":
        return [f"{place}: {value} is not known; choose one of {', '.join(map(str, error.validator_value))}"]
    if error.validator == "type":
        return [f"{place}: {value} is {_type_name(error.instance)}; expected {_expected(error.validator_value)}"]
    if error.validator == "anyOf":
        return [f"{place}: {value} is not valid; expected {_alternatives(error.validator_value)}"]
    if error.validator == "not":
        return [f"{place}: the name {value} is reserved; choose another"]
    if error.validator == "uniqueItems":
        return [f"{place}: {value} names an entry twice; remove one"]
    if error.validator in _LIMITS:
        return [f"{place}: {value} is out of range; {_LIMITS[error.validator]} {error.validator_value}"]
    if error.validator == "pattern":
        return [f"{place}: {value} is not allowed here; expected {_lower_first(error.schema['description'])}"]
    return [f"{place}: {error.message}"]


_LIMITS = {
    "minimum": "it must be at least",
    "maximum": "it must be at most",
    "exclusiveMinimum": "it must be greater than",
    "exclusiveMaximum": "it must be less than",
    "minItems": "the number of entries must be at least",
    "maxItems": "the number of entries must be at most",
    "minLength": "the number of characters must be at least",
    "maxLength": "the number of characters must be at most",
    "minProperties": "the number of keys must be at least",
}


def _unknown_key(place: str, key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(str(key), known, n=1)
    if close:
        remedy = f"did you mean {close[0]!r}?"
    elif len(known) <= MOST_LISTED:
        remedy = f"known keys: {', '.join(known)}"
    else:
        remedy = "docs/configuration.md lists the known keys"
    return f"{place}: unknown key {key!r}; {remedy}"


def _known_keys(part: Config, value: object, schema: Config) -> list[str]:
    """Return the property names that `part` of the schema allows in `value`, through references and conditions."""
    keys = list(part.get("properties", {}))
    if "$ref" in part:
        keys += _known_keys(schema["$defs"][part["$ref"].removeprefix("#/$defs/")], value, schema)
    branches = part.get("allOf", [])
    # An experiment without a method, or of none that there is, may have the options of any.
    for branch in [branch for branch in branches if _Validator(branch["if"]).is_valid(value)] or branches:
        keys += _known_keys(branch["then"], value, schema)
    return list(dict.fromkeys(keys))


def _shown(value: object) -> str:
    """Return a value as one would write it in YAML, cut short."""
    text = {"None": "null", "True": "true", "False": "false"}.get(repr(value), repr(value))
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + " ..."


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _type_name(value: object) -> str:
    names = {str: "text", bool: "true or false", int: "a whole number", list: "a list", dict: "a mapping of keys"}
    if isinstance(value, float):
        return "a number with a decimal point" if math.isfinite(value) else "not a finite number"
    return "empty" if value is None else names.get(type(value), "a date or time")


def _expected(types: str | list[str]) -> str:
    words = {
        "string": "text",
        "integer": "a whole number",
        "number": "a number (in YAML 1e-3 is text: write 1.0e-3)",
        "boolean": "true or false",
        "array": "a list",
        "object": "a mapping of keys",
    }
    return " or ".join(words.get(kind, kind) for kind in ([types] if isinstance(types, str) else types))


def _alternatives(branches: list[Config]) -> str:
    described = [
        branch["const"] if "const" in branch else f"a whole number of at least {branch['minimum']}"
        for branch in branches
    ]
    return " or ".join(described)
