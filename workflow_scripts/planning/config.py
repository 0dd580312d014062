"""Check a configuration, and answer the questions that the rules ask of it.

A study or experiment set to null is left out. Options of an experiment come, from weak to strong, from the layers that
`LAYERS` lists for its method, and from itself.
"""

import math
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import yaml

from planning.schema import Config, schema_mistakes

DATASETS_WITH_FOLDS = {"stl10": 10, "photos": None}  # None: as many as the configuration says
FOLD_IMAGES = {"stl10": 1000, "photos": None}
IMAGE_SIZES = {"stl10": 96, "photos": 96, "mnist": 28, "mnist5k": 28}
CHANNELS = {"stl10": 3, "photos": 3, "mnist": 1, "mnist5k": 1}
# The method that a base must have, by the method of the experiment; a method that is not here takes no base.
BASE_METHODS = {"kmeans": "kmeans", "cnn": "surrogate", "pseudo_label_rounds": "cnn", "kmeans_rounds": "kmeans"}
ROUNDS_METHODS = ("pseudo_label_rounds", "kmeans_rounds")  # they go on from a base, and need one
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
BASE = "base"
# Where the options of a method come from, weak to strong: sections of the configuration, and the options of the base.
# A cnn uses the network of its base, and trains it in its own way.
LAYERS = {
    "kmeans": ("kmeans", BASE),
    "cnn": ("cnn",),
    "surrogate": ("surrogate",),
    "pseudo_label_rounds": (BASE, "pseudo_label_rounds"),
    "kmeans_rounds": (BASE, "kmeans_rounds"),
    "pseudo_label_loss": ("cnn", "pseudo_label_loss"),
    "fixmatch": ("cnn", "fixmatch"),
}
# Which options of the base these are; a method that is not here takes all.
INHERITED_OPTIONS = {"kmeans": LEARNING_OPTIONS, "kmeans_rounds": (*LEARNING_OPTIONS, "stride", "svm_c")}
# What an experiment with a base may not set, as it is the base's.
OPTIONS_OF_BASE = {
    "kmeans": LEARNING_OPTIONS,
    "pseudo_label_rounds": ("image_size", "network", "copies", "dropout", "average_flips"),
}
CLASSES = 10  # of every data set
RANGES = ("scale", "pca_contrast", "color_power", "color_factor")
COLOR_TRANSFORMATIONS = ("pca_contrast", "color_contrast", "hue")
SURROGATE_STEP = 4  # surrogate_size is a multiple of it
# Side in pixels of the smallest images that the layers of a network leave anything of.
SMALLEST_IMAGES = {"resnet": 8, "vgg": 48, "exemplar_small": 32, "exemplar_large": 32, "digits": 8}


class ConfigError(Exception):
    """A mistake in the configuration, in one line that names key, value and remedy."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def read_yaml(path: str | Path) -> Config:
    """Return the content of a YAML file."""
    # Safe both; LibYAML, where PyYAML was built with it, reads ten times as fast.
    return yaml.load(Path(path).read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


def checked_config(config: Config, schema: Config) -> Config:
    """Return `config` without the studies and experiments that are null; raise `ConfigError` on the first mistake."""
    mistakes = schema_mistakes(config, schema)
    if mistakes:
        raise ConfigError(mistakes[0])
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
    options: Config = {}
    for layer in LAYERS[own["method"]]:
        options |= _inherited_options(config, study, own) if layer == BASE else config[layer]
    return {key: own.get(key, value) for key, value in options.items()}


def _inherited_options(config: Config, study: str, own: Config) -> Config:
    """Return the options that an experiment takes from its base; none without a base."""
    if BASE not in own:
        return {}
    options = experiment_options(config, study, own[BASE])
    return {key: options[key] for key in INHERITED_OPTIONS.get(own["method"], options)}


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
    """Return the experiment whose centroids, network or model this one uses: its base, or itself."""
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
    for experiment in experiments:  # options can be told only when every base is in order
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
    if base is None and method not in ROUNDS_METHODS:
        return
    if method not in BASE_METHODS:
        raise ConfigError(f"{place}.base: an experiment of method {method} takes no base; remove it")
    wanted = BASE_METHODS[method]
    fitting = [name for name, other in experiments.items() if name != experiment and other["method"] == wanted]
    known = ", ".join(fitting) or "none"
    if base is None:
        raise ConfigError(
            f"{place}: the key 'base' is missing; name the experiment of method {wanted} that the rounds begin with; "
            f"known: {known}"
        )
    if base == experiment or base not in experiments:
        raise ConfigError(f"{place}.base: there is no other experiment {base!r} in this study; known: {known}")
    if base not in fitting:
        raise ConfigError(
            f"{place}.base: {base!r} is of method {experiments[base]['method']}, and the base of an experiment of "
            f"method {method} must be of method {wanted}; known: {known}"
        )
    if method == "kmeans" and "base" in experiments[base]:
        raise ConfigError(f"{place}.base: {base!r} has a base itself; name {experiments[base]['base']!r} instead")
    _check_options_of_base(own, place)
    if method == "cnn":
        needed = experiments[base].get("network", config[wanted]["network"])
        network = own.get("network", config[method]["network"])
        if network != needed:
            raise ConfigError(
                f"{place}.network: {network} cannot start from the base {base!r}, whose network is {needed}; "
                f"set network to {needed}, or remove the base"
            )


def _check_options_of_base(own: Config, place: str) -> None:
    method, base = own["method"], own["base"]
    taken, remedy = ("the network comes", "") if method in ROUNDS_METHODS else ("the centroids come", ", or the base")
    for key in OPTIONS_OF_BASE.get(method, ()):
        if key in own:
            raise ConfigError(f"{place}.{key}: {taken} from the base {base!r}; remove {key}{remedy}")


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
    if "base" in own:
        base_options = experiment_options(config, study, own["base"])
        if own["method"] in ROUNDS_METHODS:
            _check_base_of_rounds(base_options, options, place)
        if own["method"] == "cnn":
            _check_patches_of_base(dataset, base_options, options, place)
    checks = {
        "kmeans": (_check_kmeans,),
        "cnn": (_check_cnn,),
        "surrogate": (_check_surrogate,),
        "pseudo_label_rounds": (_check_cnn, _check_rounds, _check_held_out, _check_patience),
        "kmeans_rounds": (_check_rounds, _check_held_out),
        "pseudo_label_loss": (_check_cnn, _check_unlabeled_batch, _check_alpha),
        "fixmatch": (_check_cnn, _check_unlabeled_batch, _check_strong_changes),
    }
    for check in checks[own["method"]]:
        check(config, dataset, options, place)


def _image_size(dataset: str, options: Config) -> int:
    """Return the side in pixels of the images that an experiment works on."""
    return IMAGE_SIZES[dataset] if options["image_size"] == "native" else options["image_size"]


def _check_kmeans(config: Config, dataset: str, options: Config, place: str) -> None:
    size = _image_size(dataset, options)
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
    size, network = _image_size(dataset, options), options["network"]
    # The network of a base takes any image that is larger than the base's patches.
    if "base" not in options and size < SMALLEST_IMAGES[network]:
        fitting = [name for name, smallest in SMALLEST_IMAGES.items() if smallest <= size]
        raise ConfigError(
            f"{place}.network: {network} needs images of at least {SMALLEST_IMAGES[network]} pixels, and those of "
            f"{dataset} have {size}; choose {' or '.join(fitting) or 'a larger image_size'}"
        )
    _check_smaller_than_images(dataset, options, ("shift", "cutout"), place)
    _check_colors(dataset, options, ("color", "hue"), place)
    sizes = config["data"][dataset]
    images, source = sizes["train_images"], dataset
    if options["folds"]:
        images, source = min((images, source), (_fold_images(config, dataset), f"a fold of {dataset}"))
    images *= max(1, options["copies"])
    if options["batch_size"] > images:
        raise ConfigError(
            f"{place}.batch_size: {options['batch_size']} is more than the {images} training images of {source}; "
            "choose at most that"
        )


def _fold_images(config: Config, dataset: str) -> int:
    """Return how many labelled images a fold trains on."""
    return FOLD_IMAGES[dataset] or config["data"][dataset]["fold_images"]


def _check_smaller_than_images(dataset: str, options: Config, keys: tuple[str, ...], place: str) -> None:
    size = _image_size(dataset, options)
    for key in keys:
        if options[key] >= size:
            raise ConfigError(
                f"{place}.{key}: {options[key]} is not smaller than the images of {dataset} ({size} pixels); "
                f"choose at most {size - 1}"
            )


def _check_colors(dataset: str, options: Config, keys: tuple[str, ...], place: str) -> None:
    for key in keys:
        if options[key] and CHANNELS[dataset] == 1:
            raise ConfigError(
                f"{place}.{key}: {options[key]} changes colours, and the images of {dataset} have one channel; "
                "set it to 0"
            )


def _check_patches_of_base(dataset: str, base_options: Config, options: Config, place: str) -> None:
    size, patch = _image_size(dataset, options), base_options["surrogate_size"]
    if size < patch:
        raise ConfigError(
            f"{place}.image_size: {size} is less than the {patch} pixels of the patches that the network of the base "
            f"{options['base']!r} takes; choose at least that"
        )


def _check_base_of_rounds(base_options: Config, options: Config, place: str) -> None:
    """Check that a base has what the rounds begin with: a model of each run, and a network that trained on images."""
    base = options["base"]
    if options["folds"] and not base_options["folds"]:
        raise ConfigError(
            f"{place}.folds: the base {base!r} does not run on the folds; set its folds to true, or these to false"
        )
    if base_options.get("copies"):
        raise ConfigError(
            f"{place}.base: {base!r} trains on changed copies (copies: {base_options['copies']}), and rounds on the "
            "images themselves; name a base with copies: 0"
        )


def _check_rounds(config: Config, dataset: str, options: Config, place: str) -> None:
    rounds, candidates, accepted = options["rounds"], options["candidates"], options["accepted"]
    unlabeled = config["data"][dataset]["unlabeled_images"]
    if unlabeled != "all" and rounds * candidates > unlabeled:
        raise ConfigError(
            f"{place}.candidates: {rounds} rounds x {candidates} candidates are more than the {unlabeled} unlabeled "
            f"images of {dataset}; choose fewer rounds or candidates, or raise data.{dataset}.unlabeled_images"
        )
    if accepted > candidates:
        raise ConfigError(
            f"{place}.accepted: {accepted} is more than the {candidates} candidates of a round; choose at most that"
        )
    if options["class_balanced"] and 0 < accepted < CLASSES:
        raise ConfigError(
            f"{place}.accepted: {accepted} is less than one of each of the {CLASSES} classes, as class_balanced has "
            f"it; choose at least {CLASSES}, or 0 for none"
        )


def _check_held_out(config: Config, dataset: str, options: Config, place: str) -> None:
    """Check that both parts of the validation images of every run can have an image of each class."""
    sizes, fraction = config["data"][dataset], options["held_out"]
    validation = {dataset: sizes["validation_images"]}
    if options["folds"]:  # which validate on all labelled images outside the fold
        labelled = sizes["train_images"] + sizes["validation_images"]
        validation[f"a fold of {dataset}"] = max(0, labelled - _fold_images(config, dataset))
    for source, images in validation.items():
        held_out = math.ceil(fraction * images)  # rounded as the programs round it
        if min(held_out, images - held_out) < CLASSES:
            raise ConfigError(
                f"{place}.held_out: {fraction:g} parts the {images} validation images of {source} into {held_out} held "
                f"out and {images - held_out} kept, and each part needs at least {CLASSES}, one of each class; "
                f"bring it nearer to 0.5, or raise data.{dataset}.validation_images"
            )


def _check_patience(_: Config, __: str, options: Config, place: str) -> None:
    if options["patience"]:
        raise ConfigError(
            f"{place}.patience: {options['patience']}, its own or that of the base {options['base']!r}, has no meaning "
            "here: nothing is chosen among the epochs of a round; set patience to 0"
        )


def _check_unlabeled_batch(config: Config, dataset: str, options: Config, place: str) -> None:
    _check_unlabeled(config, dataset, options, "unlabeled_batch_size", place)


def _check_alpha(_: Config, __: str, options: Config, place: str) -> None:
    start, end, last = options["alpha_start"], options["alpha_end"], options["epochs"] - 1  # counted from 0
    if end < start:
        raise ConfigError(f"{place}.alpha_end: {end} comes before alpha_start, {start}; choose at least that")
    if last <= start and last < end:
        raise ConfigError(
            f"{place}.alpha_start: with {start} and epochs {last + 1} the weight of unlabeled images never leaves 0; "
            "lower alpha_start, or raise epochs"
        )


def _check_strong_changes(_: Config, dataset: str, options: Config, place: str) -> None:
    _check_smaller_than_images(dataset, options, ("strong_cutout",), place)
    _check_colors(dataset, options, ("strong_color", "strong_hue"), place)


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
    patch, size = options["surrogate_size"], _image_size(dataset, options)
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
