import copy
import math
import re

import pytest
import yaml
from clones import ROOT, run_python, snakemake
from jsonschema import Draft202012Validator
from sklearn.model_selection import train_test_split
from snakemake.io import regex_from_filepattern
from snakemake.utils import update_config

from declarations.options import required_names
from planning import config as planning
from planning import config_docs
from planning.config_files import check_file
from planning.report import with_label_counts

SCHEMA = planning.config_schema()
CONFIG = planning.read_yaml(ROOT / "config.yaml")
DEMO = planning.read_yaml(ROOT / "config.demo.yaml")
CPU = planning.read_yaml(ROOT / "config.cpu.yaml")
TINY = planning.read_yaml(ROOT / "tests/e2e/config.tiny.yaml")
METHODS = list(planning.METHODS)
# What the methods declare for their own sections of the configuration.
DEFAULTS = {name: planning.section_defaults(method) for name, method in planning.METHODS.items()}
ROUNDS = {"rounds": 20, "candidates": 100, "accepted": 50}
# Two studies on the embedded data, whose sizes are written out where a test needs to know them.
SMALL = {
    "data": {
        "photos": {"train_images": 600, "validation_images": 200, "unlabeled_images": 2000, "fold_images": 100},
        "mnist5k": {"train_images": 500, "unlabeled_images": 3000},
    },
    "studies": {
        "stl10": None,
        "mnist": None,
        "photos": {
            "dataset": "photos",
            "seeds": [0, 1],
            "baseline": "kmeans",
            "experiments": {
                "kmeans": {"method": "kmeans", "patch_images": 2000, "centroids": 200},
                "kmeans_stride8": {"method": "kmeans", "builds_on": "kmeans", "stride": 8},
                "kmeans_coates": {
                    "method": "kmeans",
                    "image_size": 32,
                    "patch_size": 6,
                    "patch_images": 2000,
                    "patches_per_image": 16,
                    "centroids": 200,
                    "stride": 1,
                    "folds": True,
                },
                "supervised": {"method": "supervised", "folds": True},
                "exemplar": {"method": "exemplar", "seed_patches": 2000},
                "finetuned": {
                    "method": "supervised",
                    "builds_on": "exemplar",
                    "baseline": "supervised",
                    "network": "exemplar_small",
                },
                "rounds": {"method": "pseudo_label_rounds", "builds_on": "supervised", **ROUNDS},
                "kmeans_rounds": {"method": "kmeans_rounds", "builds_on": "kmeans_coates", **ROUNDS},
                "loss": {"method": "pseudo_label_loss"},
                "fixmatch": {"method": "fixmatch"},
            },
        },
        "mnist5k": {
            "dataset": "mnist5k",
            "seeds": [0],
            "baseline": "kmeans",
            "experiments": {
                "kmeans": {"method": "kmeans", "patch_size": 6, "patch_images": 3000, "stride": 1},
                "supervised": {"method": "supervised", "shift": 2, "color": 0.0, "hue": 0.0, "cutout": 0},
                "exemplar": {"method": "exemplar", "seed_patches": 3000, "surrogate_size": 24},
                "fixmatch": {
                    "method": "fixmatch",
                    "shift": 2,
                    "strong_color": 0.0,
                    "strong_hue": 0.0,
                    "strong_cutout": 8,
                },
            },
        },
    },
}


def merged(*overlays):
    config = copy.deepcopy(CONFIG)
    for overlay in overlays:
        update_config(config, copy.deepcopy(overlay))
    return config


def error_of(config):
    """The message that a configuration is refused with."""
    with pytest.raises(planning.ConfigError) as caught:
        planning.checked_config(config, SCHEMA)
    return str(caught.value)


def with_value(place, value, config):
    """A copy of the configuration in which the key at the dotted place has another value."""
    config = copy.deepcopy(config)
    *parents, last = place.split("/")
    part = config
    for key in parents:
        part = part.setdefault(key, {})
    part[last] = value
    return config


# The schema and the two configurations


def keys(part, place="config"):
    """Every key that the schema describes: place, what stands there, and the same with references filled in."""
    for key, unresolved in config_docs.resolved(part, SCHEMA).get("properties", {}).items():
        full = config_docs.resolved(unresolved, SCHEMA)
        yield f"{place}.{key}", unresolved, full
        yield from keys(full, f"{place}.{key}")


def all_keys():
    yield from keys(SCHEMA)
    yield from keys(SCHEMA["$defs"]["study"], "study")
    yield from keys(SCHEMA["$defs"]["experiment"], "experiment")


def defaults(part):
    """The configuration that the schema's defaults make."""
    full = config_docs.resolved(part, SCHEMA)
    if "default" in full:
        return full["default"]
    return {key: defaults(value) for key, value in full.get("properties", {}).items() if key != "studies"}


def schema_objects(part, place="schema"):
    """Every part of the schema that lists the keys of a mapping."""
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict):
            yield place, part
        for key, value in part.items():
            yield from schema_objects(value, f"{place}.{key}")
    if isinstance(part, list):
        for value in part:
            yield from schema_objects(value, place)


def test_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def test_config_holds_the_defaults_of_what_is_declared_nowhere():
    sections = {key: value for key, value in CONFIG.items() if key != "studies"}
    assert sections == {key: value for key, value in defaults(SCHEMA).items() if key not in ("data", *METHODS)}


def test_every_key_is_described():
    found = list(all_keys())
    assert len(found) > 60
    assert [place for place, _, full in found if not full.get("description")] == []


def test_defaults_are_valid():
    with_default = [(place, part, full["default"]) for place, part, full in all_keys() if "default" in full]
    assert len(with_default) > 50
    for place, part, default in with_default:
        assert not list(Draft202012Validator(part | {"$defs": SCHEMA["$defs"]}).iter_errors(default)), place


def test_every_option_has_a_default():
    # Only what a study says of itself has none.
    without = {place for place, _, full in all_keys() if "default" not in full and "properties" not in full}
    known = {"config.studies"}
    known |= {
        f"config.data.{kind}.{name}" for kind, group in planning.DATA_SETS.items() for name in required_names(group)
    }
    known |= {f"config.{method}.{name}" for method, group in planning.METHODS.items() for name in required_names(group)}
    assert {place.split(".")[0] for place in without - known} == {"study", "experiment"}


def test_schema_allows_no_unknown_key_anywhere():
    # The branches of an experiment list the options of its method, and are closed where they are used.
    open_on_purpose = {"schema.properties.data"}  # data sets have any name
    for closed in ("schema.$defs.experiment", "schema.properties.data.additionalProperties"):
        open_on_purpose |= {f"{closed}.allOf.if", f"{closed}.allOf.then"}
    for place, part in schema_objects(SCHEMA):
        if place not in open_on_purpose:
            closed = part.get("additionalProperties", part.get("unevaluatedProperties"))
            assert closed is False, place


def test_leave_one_out_rows_leave_out_one_transformation():
    experiments = CONFIG["studies"]["stl10"]["experiments"]
    whole = planning.experiment_options(CONFIG, "stl10", "exemplar_full")
    rows = [name for name in experiments if name.startswith("exemplar_full_no_")]
    assert [name.removeprefix("exemplar_full_no_") for name in rows] == whole["transformations"]
    for name in rows:
        assert experiments[name]["baseline"] == "exemplar_full"
        options = planning.experiment_options(CONFIG, "stl10", name)
        left = [other for other in whole["transformations"] if name != f"exemplar_full_no_{other}"]
        assert options == whole | {"transformations": left, "folds": False}


@pytest.mark.parametrize(
    ("study", "experiment", "differences"),
    [
        ("stl10", "fixmatch", set()),
        ("stl10", "freematch", {"folds", "label_counts"}),  # which runs there are
        ("stl10", "pseudo_label_loss", set()),
        ("mnist", "pseudo_label", set()),
    ],
)
def test_only_the_loss_on_unlabeled_images_tells_an_experiment_from_its_baseline(study, experiment, differences):
    baseline = CONFIG["studies"][study]["experiments"][experiment]["baseline"]
    assert CONFIG["studies"][study]["experiments"][baseline]["method"] == "supervised"
    options, of_baseline = (planning.experiment_options(CONFIG, study, name) for name in (experiment, baseline))
    assert set(of_baseline) == set(DEFAULTS["supervised"]) <= set(options)
    assert {key for key, value in of_baseline.items() if options[key] != value} == differences


@pytest.mark.parametrize(
    ("overlays", "studies"),
    [
        ([], {"stl10", "mnist"}),
        ([CPU], {"stl10", "mnist"}),
        ([DEMO], {"photos", "mnist5k"}),
        ([TINY], {"photos"}),
        ([SMALL], {"photos", "mnist5k"}),
    ],
    ids=["config.yaml", "config.cpu.yaml", "config.demo.yaml", "config.tiny.yaml", "of these tests"],
)
def test_good_configurations_pass(overlays, studies):
    checked = planning.checked_config(merged(*overlays), SCHEMA)
    assert set(checked["studies"]) == studies


def test_checking_changes_no_option():
    config = merged(SMALL)
    before = copy.deepcopy(config)
    planning.checked_config(config, SCHEMA)
    assert config == before


def test_documentation_is_up_to_date():
    process = run_python("workflow_scripts/planning/config_docs.py", "--check", cwd=ROOT)
    assert (process.returncode, process.stderr) == (0, "")


def test_outdated_documentation_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(config_docs, "ROOT", tmp_path)
    monkeypatch.setattr(config_docs, "PAGE", tmp_path / "configuration.md")
    monkeypatch.setattr(config_docs, "SCHEMA", tmp_path / "config.schema.json")
    with pytest.raises(SystemExit, match=r"^configuration\.md is out of date: run python .*config_docs\.py$"):
        config_docs.main(["--check"])
    config_docs.main([])
    config_docs.main(["--check"])


# Malformed configurations: place, value, and what the message must say

OWN = "studies/photos/experiments/kmeans"
STRIDE8 = "studies/photos/experiments/kmeans_stride8"
COATES = "studies/photos/experiments/kmeans_coates"
SUPERVISED = "studies/photos/experiments/supervised"
SURROGATE = "studies/photos/experiments/exemplar"
FINETUNED = "studies/photos/experiments/finetuned"
EXTRA = "studies/photos/experiments/extra"
ROUNDS_OF_SUPERVISED = "studies/photos/experiments/rounds"
ROUNDS_OF_KMEANS = "studies/photos/experiments/kmeans_rounds"
LOSS = "studies/photos/experiments/loss"
FIXMATCH = "studies/photos/experiments/fixmatch"
DIGITS = "studies/mnist5k/experiments/supervised"
FIXMATCH_OF_DIGITS = "studies/mnist5k/experiments/fixmatch"
DIGIT_PATCHES = "studies/mnist5k/experiments/exemplar"
MD5 = "91f7769df0f17e558f3565bffb0c7dfb"

MALFORMED = [
    # unknown and misspelt keys, on every level
    ("kmean", {}, r"^the configuration: unknown key 'kmean'; did you mean 'kmeans'\?"),
    ("batches", 3, r"^the configuration: unknown key 'batches'; known keys: data, evaluation,"),
    ("data/imagenet", {}, r"^data\.imagenet: the key 'kind' is missing; add it"),
    ("data/photos/train_image", 1, r"^data\.photos: unknown key 'train_image'; did you mean 'train_images'\?"),
    ("data/stl10/members/trainX.bin", MD5, r"^data\.stl10\.members: unknown key .* did you mean 'train_X\.bin'\?"),
    ("data/mnist/files/other.gz", MD5, r"^data\.mnist\.files: unknown key 'other\.gz'; known keys: train-images"),
    ("kmeans/centroid", 10, r"^kmeans: unknown key 'centroid'; did you mean 'centroids'\?"),
    ("evaluation/topk", 5, r"^evaluation: unknown key 'topk'; did you mean 'top_k'\?"),
    ("figures/perplexities", 5, r"^figures: unknown key 'perplexities'; did you mean 'perplexity'\?"),
    ("studies/photos/seed", [0], r"^studies\.photos: unknown key 'seed'; did you mean 'seeds'\?"),
    (f"{OWN}/patchsize", 6, r"^studies\.photos\.experiments\.kmeans: unknown key 'patchsize'; did you .* 'patch_size'"),
    (f"{OWN}/learning_rate", 0.1, r"^studies\.photos\.experiments\.kmeans: unknown key 'learning_rate'; known keys:"),
    ("kmeans/1", 1, r"^kmeans: unknown key '1'; known keys:"),
    ("supervised/learningrate", 0.1, r"^supervised: unknown key 'learningrate'; did you mean 'learning_rate'\?"),
    ("exemplar/cutout", 8, r"^exemplar: unknown key 'cutout'; docs/configuration\.md lists the known keys"),
    # an option of another method
    (f"{OWN}/cutout", 8, r"^studies\.photos\.experiments\.kmeans: unknown key 'cutout'; known keys: method, title, sh"),
    (
        f"{SUPERVISED}/stride",
        8,
        r"^studies\.photos\.experiments\.supervised: unknown key 'stride'; docs/configuration\.md lists the known keys",
    ),
    (f"{SURROGATE}/cutout", 8, r"\.exemplar: unknown key 'cutout'; docs/configuration\.md lists the known keys"),
    (f"{SURROGATE}/sclae", [1.0, 2.0], r"\.exemplar: unknown key 'sclae'; did you mean 'scale'\?"),
    (f"{EXTRA}", {"cutout": 8}, r"\.extra: the key 'method' is missing; add it"),
    (f"{EXTRA}", {"metod": "supervised", "cutout": 8}, r"\.extra: unknown key 'metod'; did you mean 'method'\?"),
    (f"{EXTRA}", {"zzz": 8}, r"\.extra: unknown key 'zzz'; docs/configuration\.md lists the known keys"),
    (
        f"{ROUNDS_OF_SUPERVISED}/alpha",
        3.0,
        r"\.rounds: unknown key 'alpha'; docs/configuration\.md lists the known keys",
    ),
    (f"{ROUNDS_OF_SUPERVISED}/candidate", 9, r"\.rounds: unknown key 'candidate'; did you mean 'candidates'\?"),
    (
        f"{ROUNDS_OF_KMEANS}/stride",
        2,
        r"\.kmeans_rounds: unknown key 'stride'; known keys: .*, held_out, folds, label_counts$",
    ),
    (f"{ROUNDS_OF_KMEANS}/epochs", 2, r"\.kmeans_rounds: unknown key 'epochs'; known keys: method,"),
    (f"{LOSS}/threshold", 0.9, r"\.loss: unknown key 'threshold'; docs/configuration\.md lists the known keys"),
    (f"{LOSS}/alpha_begin", 9, r"\.loss: unknown key 'alpha_begin'; did you mean 'alpha_(start|end)'\?"),
    ("external", {"scores": "mine/{run}.npz"}, r"^external: unknown key 'scores'; known keys: folds, label_counts$"),
    ("cnn", {"epochs": 3}, r"^the configuration: the key 'cnn' is called 'supervised' now; rename it$"),
    ("surrogate", {"epochs": 3}, r"^the configuration: the key 'surrogate' is called 'exemplar' now; rename it$"),
    (f"{OWN}/method", "surrogate", r"kmeans\.method: 'surrogate' is called 'exemplar' now; rename it$"),
    (f"{STRIDE8}/base", "kmeans", r"kmeans_stride8: the key 'base' is called 'builds_on' now; rename it$"),
    (f"{LOSS}/relabel", "step", r"\.loss: the key 'relabel' is called 'relabel_each' now; rename it$"),
    (f"{FIXMATCH}/relabel", "step", r"\.fixmatch: unknown key 'relabel'; docs/configuration\.md lists the known keys"),
    (f"{SUPERVISED}/strong_hue", 0.1, r"\.supervised: unknown key 'strong_hue'; docs/configuration\.md lists"),
    # the section of a method holds its own keys only
    ("pseudo_label_rounds/cutout", 8, r"^pseudo_label_rounds: unknown key 'cutout'; known keys: rounds, candidates,"),
    ("kmeans_rounds/restart", True, r"^kmeans_rounds: unknown key 'restart'; known keys: rounds, candidates, accept,"),
    (
        "pseudo_label_loss/network",
        "vgg",
        r"^pseudo_label_loss: unknown key 'network'; known keys: unlabeled_pool, unlabeled_batch_size,",
    ),
    ("fixmatch/shift", 4, r"^fixmatch: unknown key 'shift'; known keys: unlabeled_pool, unlabeled_batch_size,"),
    # missing keys
    ("studies/photos", {"dataset": "photos"}, r"^studies\.photos: the key 'seeds' is missing; add it"),
    ("studies/photos/experiments/extra", {"stride": 8}, r"\.extra: the key 'method' is missing; add it"),
    ("evaluation", {"top_k": 3}, r"^evaluation: the key 'bootstrap_samples' is missing; add it"),
    # wrong types
    ("kmeans", [], r"^kmeans: \[\] is a list; expected a mapping of keys"),
    ("studies", "photos", r"^studies: 'photos' is text; expected a mapping of keys"),
    ("kmeans/patch_size", "22", r"^kmeans\.patch_size: '22' is text; expected a whole number"),
    (
        "kmeans/patch_size",
        22.5,
        r"^kmeans\.patch_size: 22\.5 is a number with a decimal point; expected a whole number",
    ),
    (
        "kmeans/centroids",
        1600.0,
        r"^kmeans\.centroids: 1600\.0 is a number with a decimal point; expected a whole number",
    ),
    ("kmeans/iterations", True, r"^kmeans\.iterations: true is true or false; expected a whole number"),
    ("kmeans/tolerance", True, r"^kmeans\.tolerance: true is true or false; expected a number"),
    ("kmeans/folds", 1, r"^kmeans\.folds: 1 is a whole number; expected true or false"),
    ("kmeans/folds", "yes please", r"^kmeans\.folds: 'yes please' is text; expected true or false"),
    ("kmeans/tolerance", "1.0e3", r"^kmeans\.tolerance: '1\.0e3' is text in YAML; write 1000\.0"),
    ("kmeans/tolerance", "1e-9", r"^kmeans\.tolerance: '1e-9' is text in YAML; write 1\.0e-09"),
    ("kmeans/tolerance", "1e-3", r"^kmeans\.tolerance: '1e-3' is text in YAML; write 0\.001"),
    ("kmeans/svm_c", 0.1, r"^kmeans\.svm_c: 0\.1 is a number with a decimal point; expected a list"),
    ("kmeans/svm_c", ["1e-3"], r"^kmeans\.svm_c\.0: '1e-3' is text in YAML; write 0\.001"),
    ("kmeans/image_size", "large", r"^kmeans\.image_size: 'large' is not valid; expected a whole number .* or native"),
    (
        "kmeans/image_size",
        96.0,
        r"^kmeans\.image_size: 96\.0 is not valid; expected a whole number of at least 2 or nat",
    ),
    ("data/stl10/test_images", "some", r"^data\.stl10\.test_images: 'some' is not valid; expected a whole .* or all"),
    ("studies/photos/title", 7, r"^studies\.photos\.title: 7 is a whole number; expected text"),
    ("studies/photos/seeds", 0, r"^studies\.photos\.seeds: 0 is a whole number; expected a list"),
    ("studies/photos/seeds", [0, True], r"^studies\.photos\.seeds\.1: true is true or false; expected a whole number"),
    ("kmeans_rounds/class_balanced", "yes", r"^kmeans_rounds\.class_balanced: 'yes' is text; expected true or false"),
    ("pseudo_label_rounds/relabel", "step", r"^pseudo_label_rounds\.relabel: 'step' is text; expected true or false"),
    (
        "pseudo_label_loss/relabel_each",
        True,
        r"^pseudo_label_loss\.relabel_each: true is not known; choose one of step, epoch",
    ),
    ("pseudo_label_loss/alpha_start", 1.5, r"^pseudo_label_loss\.alpha_start: 1\.5 is a number with a decimal point"),
    (f"{FIXMATCH}/epochs", "many", r"\.fixmatch\.epochs: 'many' is text; expected a whole number"),
    # out of range
    ("supervised/copies", -1, r"^supervised\.copies: -1 is out of range; it must be at least 0"),
    ("supervised/copies", 4, r"^supervised\.copies: 4 is not a multiple of 3; choose 3 or 6$"),
    ("supervised/copies", 7.5, r"^supervised\.copies: 7\.5 is a number with a decimal point; expected a whole number"),
    (f"{LOSS}/copies", 1, r"\.loss\.copies: 1 is not a multiple of 3; choose 0 or 3$"),
    ("pseudo_label_rounds/rounds", 0, r"^pseudo_label_rounds\.rounds: 0 is out of range; it must be at least 1"),
    ("kmeans_rounds/candidates", 0, r"^kmeans_rounds\.candidates: 0 is out of range; it must be at least 1"),
    ("kmeans_rounds/accepted", -1, r"^kmeans_rounds\.accepted: -1 is out of range; it must be at least 0"),
    ("pseudo_label_rounds/threshold", 1.0, r"^pseudo_label_rounds\.threshold: 1\.0 .* it must be less than 1"),
    ("pseudo_label_rounds/held_out", 0, r"^pseudo_label_rounds\.held_out: 0 is out .* it must be greater than 0"),
    ("kmeans_rounds/held_out", 1, r"^kmeans_rounds\.held_out: 1 is out of range; it must be less than 1"),
    ("pseudo_label_loss/alpha", 0.0, r"^pseudo_label_loss\.alpha: 0\.0 is out of range; it must be greater than 0"),
    ("pseudo_label_loss/alpha_start", -1, r"^pseudo_label_loss\.alpha_start: -1 is out of range; .* at least 0"),
    ("fixmatch/unlabeled_batch_size", 0, r"^fixmatch\.unlabeled_batch_size: 0 is out of range; .* at least 1"),
    ("fixmatch/steps_per_epoch", -1, r"^fixmatch\.steps_per_epoch: -1 is out of range; it must be at least 0"),
    (f"{SURROGATE}/steps_per_epoch", -1, r"\.exemplar\.steps_per_epoch: -1 is out of range; it must be at least 0"),
    (f"{SUPERVISED}/steps_per_epoch", 0.5, r"\.steps_per_epoch: 0\.5 is a number with a decimal point; expected a who"),
    ("fixmatch/unlabeled_weight", 0, r"^fixmatch\.unlabeled_weight: 0 is out of range; it must be greater than 0"),
    ("fixmatch/threshold", -0.1, r"^fixmatch\.threshold: -0\.1 is out of range; it must be at least 0"),
    ("fixmatch/strong_hue", 0.6, r"^fixmatch\.strong_hue: 0\.6 is out of range; it must be at most 0\.5"),
    ("fixmatch/strong_color", 1.0, r"^fixmatch\.strong_color: 1\.0 is out of range; it must be less than 1"),
    ("fixmatch/strong_rotation", 181, r"^fixmatch\.strong_rotation: 181 is out of range; it must be at most 180"),
    ("kmeans/patch_size", 1, r"^kmeans\.patch_size: 1 is out of range; it must be at least 2"),
    ("kmeans/centroids", 1, r"^kmeans\.centroids: 1 is out of range; it must be at least 2"),
    ("kmeans/stride", 0, r"^kmeans\.stride: 0 is out of range; it must be at least 1"),
    ("kmeans/contrast_constant", 0, r"^kmeans\.contrast_constant: 0 is out of range; it must be greater than 0"),
    (
        "kmeans/whitening_epsilon",
        [1.0, -1.0],
        r"^kmeans\.whitening_epsilon\.1: -1\.0 is out of range; .* greater than 0",
    ),
    ("kmeans/tolerance", 1, r"^kmeans\.tolerance: 1 is out of range; it must be less than 1"),
    ("supervised/epochs", 0, r"^supervised\.epochs: 0 is out of range; it must be at least 1"),
    ("supervised/batch_size", 1, r"^supervised\.batch_size: 1 is out of range; it must be at least 2"),
    ("supervised/learning_rate", 0.0, r"^supervised\.learning_rate: 0\.0 is out of range; it must be greater than 0"),
    ("supervised/momentum", 1.0, r"^supervised\.momentum: 1\.0 is out of range; it must be less than 1"),
    ("supervised/weight_decay", -1.0e-4, r"^supervised\.weight_decay: -0\.0001 is out of range; it must be at least 0"),
    ("supervised/label_smoothing", 1, r"^supervised\.label_smoothing: 1 is out of range; it must be less than 1"),
    ("supervised/dropout", -0.1, r"^supervised\.dropout: -0\.1 is out of range; it must be at least 0"),
    ("supervised/ema_decay", 1.0, r"^supervised\.ema_decay: 1\.0 is out of range; it must be less than 1"),
    ("supervised/patience", -1, r"^supervised\.patience: -1 is out of range; it must be at least 0"),
    ("supervised/shift", -1, r"^supervised\.shift: -1 is out of range; it must be at least 0"),
    ("supervised/color", 1.0, r"^supervised\.color: 1\.0 is out of range; it must be less than 1"),
    ("supervised/hue", 0.6, r"^supervised\.hue: 0\.6 is out of range; it must be at most 0\.5"),
    ("exemplar/seed_patches", 1, r"^exemplar\.seed_patches: 1 is out of range; it must be at least 2"),
    ("exemplar/samples_per_class", 1, r"^exemplar\.samples_per_class: 1 is out of range; it must be at least 2"),
    ("exemplar/surrogate_size", 4, r"^exemplar\.surrogate_size: 4 is out of range; it must be at least 8"),
    ("exemplar/rotation", 181, r"^exemplar\.rotation: 181 is out of range; it must be at most 180"),
    ("exemplar/translation", 0.6, r"^exemplar\.translation: 0\.6 is out of range; it must be at most 0\.5"),
    ("exemplar/color_offset", -0.1, r"^exemplar\.color_offset: -0\.1 is out of range; it must be at least 0"),
    ("exemplar/hue", 0.6, r"^exemplar\.hue: 0\.6 is out of range; it must be at most 0\.5"),
    ("exemplar/scale", [0.0, 1.0], r"^exemplar\.scale\.0: 0\.0 is out of range; it must be greater than 0"),
    (
        "evaluation/bootstrap_samples",
        99,
        r"^evaluation\.bootstrap_samples: 99 is out of range; it must be at least 100",
    ),
    ("evaluation/confidence", 1.0, r"^evaluation\.confidence: 1\.0 is out of range; it must be less than 1"),
    ("data/photos/split_seed", -1, r"^data\.photos\.split_seed: -1 is out of range; it must be at least 0"),
    ("studies/photos/seeds", [2**32], r"^studies\.photos\.seeds\.0: 4294967296 is out of range; it must be at most"),
    ("studies/photos/title", "", r"^studies\.photos\.title: '' is out of range; the number of characters must be at"),
    ("studies/photos/title", "x" * 81, r"^studies\.photos\.title: 'x+ \.\.\. is out of range; .* must be at most 80"),
    # numbers that are none
    ("kmeans/tolerance", math.nan, r"^kmeans\.tolerance: nan is not a finite number; expected a number"),
    (
        "kmeans/contrast_constant",
        math.inf,
        r"^kmeans\.contrast_constant: inf is not a finite number; expected a number",
    ),
    ("kmeans/svm_c", [0.1, math.inf], r"^kmeans\.svm_c\.1: inf is not a finite number; expected a number"),
    ("kmeans/svm_c", [0.1, 1e7], r"^kmeans\.svm_c\.1: 10000000\.0 is out of range; it must be at most 1000000\.0"),
    ("kmeans/whitening_epsilon", [math.nan], r"^kmeans\.whitening_epsilon\.0: nan is not a finite number"),
    ("kmeans/iterations", math.inf, r"^kmeans\.iterations: inf is not a finite number; expected a whole number"),
    ("kmeans/image_size", math.nan, r"^kmeans\.image_size: nan is not valid; expected a whole number"),
    ("evaluation/confidence", math.nan, r"^evaluation\.confidence: nan is not a finite number; expected a number"),
    ("figures/perplexity", math.inf, r"^figures\.perplexity: inf is not a finite number; expected a number"),
    (f"{OWN}/tolerance", math.nan, r"^studies\.photos\.experiments\.kmeans\.tolerance: nan is not a finite number"),
    # null where something must be
    ("kmeans", None, r"^kmeans: null is empty; expected a mapping of keys"),
    ("kmeans/patch_size", None, r"^kmeans\.patch_size: null is empty; expected a whole number"),
    (
        "data/other",
        {"kind": "cifar"},
        r"^data\.other\.kind: 'cifar' is not known; choose one of cifar10, folder, mnist,",
    ),
    (
        "data/other",
        {"kind": "photos", "url": "http://a"},
        r"^data\.other: unknown key 'url'; known keys: kind, train_im",
    ),
    ("data/photos/kind", "stl10", r"^data\.photos\.kind: 'stl10' is not possible here; it must be 'photos'"),
    ("data/Other", {"kind": "photos"}, r"^data: 'Other' is not allowed here; expected lower-case letters"),
    ("data/photos", None, r"^data\.photos: null is empty; expected a mapping of keys"),
    ("studies", None, r"^studies: null is empty; expected a mapping of keys"),
    ("studies/photos/baseline", None, r"^studies\.photos\.baseline: null is empty; expected text"),
    ("studies/photos/experiments", None, r"^studies\.photos\.experiments: null is empty; expected a mapping"),
    ("studies", {"photos": None}, r"^studies: every study is null; keep at least one"),
    (
        "studies/photos/experiments",
        {"kmeans": None},
        r"^studies\.photos\.experiments: every .* null; keep at least one",
    ),
    # unknown names
    (
        "studies/photos/dataset",
        "cifar",
        r"^studies\.photos\.dataset: 'cifar' is not known; choose one of cifar10, .*, or put it",
    ),
    (
        f"{OWN}/method",
        "svm",
        r"^studies\.photos\.experiments\.kmeans\.method: 'svm' is not known; choose one of exemplar,",
    ),
    (
        "supervised/network",
        "alexnet",
        r"^supervised\.network: 'alexnet' is not known; choose one of digits, exemplar_small, exemplar_large, resnet, ",
    ),
    ("exemplar/network", "resnet", r"^exemplar\.network: 'resnet' is not .* one of exemplar_small, exemplar_large$"),
    ("kmeans_rounds/accept", "best", r"^kmeans_rounds\.accept: 'best' is not known; choose one of top, threshold"),
    ("supervised/optimizer", "adam", r"^supervised\.optimizer: 'adam' is not known; choose one of sgd, adamw"),
    (
        "exemplar/schedule",
        "constant",
        r"^exemplar\.schedule: 'constant' .* one of one_cycle, cosine, step, exponential",
    ),
    ("exemplar/seed_sampling", "random", r"^exemplar\.seed_sampling: 'random' .* choose one of uniform, energy"),
    (
        "exemplar/transformations",
        ["scale", "shear"],
        r"^exemplar\.transformations\.1: 'shear' is not known; choose one of rotation, translation, scale, pca_contr",
    ),
    (
        "kmeans/initialization",
        "kmeans++",
        r"^kmeans\.initialization: 'kmeans\+\+' is not known; .* gaussian, patches, k-means\+\+",
    ),
    ("kmeans/precision", "float16", r"^kmeans\.precision: 'float16' is not known; choose one of auto, float32"),
    (
        "studies/photos/baseline",
        "other",
        r"^studies\.photos\.baseline: there is no experiment 'other'; known: kmeans,",
    ),
    (OWN, None, r"^studies\.photos\.baseline: there is no experiment 'kmeans'; known: kmeans_stride8, kmeans_coates"),
    # bases
    (
        f"{STRIDE8}/builds_on",
        "other",
        r"^studies\.photos\.experiments\.kmeans_stride8\.builds_on: .* no other experiment 'other'",
    ),
    (
        f"{STRIDE8}/builds_on",
        "kmeans_stride8",
        r"stride8\.builds_on: there is no other experiment .*; known: kmeans, kmeans_coates",
    ),
    (
        f"{OWN}/builds_on",
        "kmeans_coates",
        r"kmeans\.patch_images: the centroids come from .* remove patch_images, or the base",
    ),
    (
        f"{STRIDE8}/patch_size",
        6,
        r"stride8\.patch_size: the centroids come .* 'kmeans'; remove patch_size, or the base",
    ),
    (
        f"{STRIDE8}/whitening_epsilon",
        [1.0],
        r"stride8\.whitening_epsilon: the centroids come from the base 'kmeans'; rem",
    ),
    (
        "studies/photos/experiments/extra",
        {"method": "kmeans", "builds_on": "kmeans_stride8"},
        r"extra\.builds_on: 'kmeans_stride8' has a base itself; name 'kmeans' instead",
    ),
    (
        f"{SURROGATE}/builds_on",
        "kmeans",
        r"exemplar\.builds_on: an experiment of method exemplar takes no base; remove it",
    ),
    (
        f"{FINETUNED}/builds_on",
        "other",
        r"finetuned\.builds_on: there is no other experiment 'other' .*; known: exemplar$",
    ),
    (
        f"{FINETUNED}/builds_on",
        "finetuned",
        r"finetuned\.builds_on: there is no other experiment 'finetuned' .*: exemplar$",
    ),
    (
        f"{FINETUNED}/builds_on",
        "kmeans",
        r"finetuned\.builds_on: 'kmeans' is of method kmeans, .* be of method exemplar or simclr; known: exemplar$",
    ),
    (
        f"{STRIDE8}/builds_on",
        "supervised",
        r"stride8\.builds_on: 'supervised' is of method .* must be of method kmeans; known: kmeans, kmeans_",
    ),
    (
        DIGITS,
        {"method": "supervised", "builds_on": "nothing"},
        r"^studies\.mnist5k\.experiments\.supervised\.builds_on: there is no other .* 'nothing'.*; known: exemplar$",
    ),
    (
        f"{FINETUNED}/network",
        "vgg",
        r"finetuned\.network: vgg cannot start from the base 'exemplar', whose network is exemplar_small; set netw",
    ),
    (
        "exemplar/network",
        "exemplar_large",
        r"finetuned\.network: exemplar_small cannot .* is exemplar_large; set network to exemplar_large, or remove",
    ),
    (
        f"{ROUNDS_OF_SUPERVISED}",
        {"method": "pseudo_label_rounds"},
        r"\.rounds: the key 'builds_on' is missing; .* of method supervised",
    ),
    (
        f"{ROUNDS_OF_KMEANS}",
        {"method": "kmeans_rounds"},
        r"\.kmeans_rounds: the key 'builds_on' is missing; .* method kmeans .* known: kmeans, kmeans_st",
    ),
    (
        f"{ROUNDS_OF_SUPERVISED}/builds_on",
        "kmeans",
        r"rounds\.builds_on: 'kmeans' is of .* must be of method supervised; known: supervised, finetuned$",
    ),
    (
        f"{ROUNDS_OF_SUPERVISED}/builds_on",
        "loss",
        r"rounds\.builds_on: 'loss' is of method pseudo_label_loss, and .* of method supervised;",
    ),
    (
        f"{ROUNDS_OF_KMEANS}/builds_on",
        "rounds",
        r"\.builds_on: 'rounds' is of method pseudo_label_rounds, .* of method kmeans;",
    ),
    (
        f"{ROUNDS_OF_KMEANS}/builds_on",
        "kmeans_rounds",
        r"kmeans_rounds\.builds_on: there is no other experiment 'kmeans_rounds'",
    ),
    *(
        (
            f"{ROUNDS_OF_SUPERVISED}/{key}",
            value,
            rf"rounds\.{key}: the network comes from .* 'supervised'; remove {key}$",
        )
        for key, value in (("network", "resnet"), ("copies", 0), ("dropout", 0.3), ("average_flips", True))
    ),
    (
        f"{SUPERVISED}/copies",
        3,
        r"rounds\.builds_on: 'supervised' trains on changed copies \(copies: 3\), .* name a base with copies: 0$",
    ),
    ("supervised/copies", 6, r"rounds\.builds_on: 'supervised' trains on changed copies \(copies: 6\)"),
    (
        f"{ROUNDS_OF_KMEANS}",
        {"method": "kmeans_rounds", "builds_on": "kmeans_stride8", "folds": True, **ROUNDS},
        r"kmeans_rounds\.folds: the base 'kmeans_stride8' does not run on the folds; set its folds to true, or these",
    ),
    (
        f"{ROUNDS_OF_SUPERVISED}",
        {"method": "pseudo_label_rounds", "builds_on": "finetuned", "folds": True, **ROUNDS},
        r"rounds\.folds: the base 'finetuned' does not run on the folds; set its folds to true, or these",
    ),
    (
        f"{ROUNDS_OF_SUPERVISED}/label_counts",
        [100, 70],
        r"rounds\.label_counts: the base 'supervised' has no runs with 70 labels; name 70 in its label_counts, or",
    ),
    (
        f"{ROUNDS_OF_KMEANS}/label_counts",
        [100],
        r"kmeans_rounds\.label_counts: the base 'kmeans_coates' has no runs with 100 labels; name 100 in its",
    ),
    (
        f"{LOSS}/builds_on",
        "supervised",
        r"loss\.builds_on: an experiment of method pseudo_label_loss takes no base; remove it",
    ),
    (
        f"{FIXMATCH}/builds_on",
        "exemplar",
        r"fixmatch\.builds_on: 'exemplar' is of method exemplar, and the base of an experiment of method fixmatch must",
    ),
    (
        FIXMATCH,
        {"method": "fixmatch", "builds_on": "supervised", "network": "vgg"},
        r"fixmatch\.network: the network comes from the base 'supervised'; remove network, or the base$",
    ),
    (
        FIXMATCH,
        {"method": "fixmatch", "builds_on": "finetuned", "folds": True},
        r"fixmatch\.folds: the base 'finetuned' does not run on the folds; set its folds to true, or these to false$",
    ),
    # baselines of experiments
    (
        f"{FINETUNED}/baseline",
        "other",
        r"^studies\.photos\.experiments\.finetuned\.baseline: there is no other experiment 'other' .*; known: kmeans,",
    ),
    (f"{FINETUNED}/baseline", "finetuned", r"finetuned\.baseline: there is no other experiment 'finetuned' in this"),
    (SUPERVISED, None, r"finetuned\.baseline: there is no other experiment 'supervised' in this study; known:"),
    (f"{FINETUNED}/baseline", None, r"finetuned\.baseline: null is empty; expected text"),
    (f"{STRIDE8}/builds_on", None, r"stride8\.builds_on: null is empty; expected text"),
    # names
    ("studies/my study", {}, r"^studies: 'my study' is not allowed here; expected lower-case letters, digits and"),
    ("studies/a;rm -rf b", {}, r"^studies: 'a;rm -rf b' is not allowed here; expected lower-case letters"),
    ("studies/..", {}, r"^studies: '\.\.' is not allowed here; expected lower-case letters"),
    ("studies/photos\n", {}, r"^studies: 'photos\\n' is not allowed here; expected lower-case letters"),
    ("studies/Photos", {}, r"^studies: 'Photos' is not allowed here; expected lower-case letters"),
    ("studies/report", {}, r"^studies: the name 'report' is reserved; choose another"),
    (
        "studies/photos/experiments/pixels",
        {},
        r"^studies\.photos\.experiments: the name 'pixels' is reserved; choose an",
    ),
    ("studies/logs", None, r"^studies: the name 'logs' is reserved; choose another"),
    ("studies/" + "x" * 41, None, r"^studies: 'x+' is out of range; the number of characters must be at most 40"),
    (
        "studies/photos/experiments/k-means",
        {},
        r"^studies\.photos\.experiments: 'k-means' is not allowed here; expected",
    ),
    (
        "studies/photos/experiments/2kmeans",
        {},
        r"^studies\.photos\.experiments: '2kmeans' is not allowed here; expected",
    ),
    # lists
    (
        "studies/photos/seeds",
        [],
        r"^studies\.photos\.seeds: \[\] is out of range; the number of entries must be at least",
    ),
    (
        "kmeans/whitening_epsilon",
        [],
        r"^kmeans\.whitening_epsilon: \[\] is out of range; the number of entries must be",
    ),
    ("kmeans/svm_c", [], r"^kmeans\.svm_c: \[\] is out of range; the number of entries must be at least 1"),
    (
        "studies/photos/experiments",
        {},
        r"^studies\.photos\.experiments: \{\} is out of range; the number of keys must be",
    ),
    ("exemplar/transformations", [], r"^exemplar\.transformations: \[\] is out of .* entries must be at least 1"),
    (
        "exemplar/scale",
        [1.4],
        r"^exemplar\.scale: \[1\.4\] is out of range; the number of entries must be at least 2",
    ),
    ("exemplar/scale", [1, 2, 3], r"^exemplar\.scale: \[1, 2, 3\] is out of range; .* entries must be at most 2"),
    ("exemplar/scale", 1.4, r"^exemplar\.scale: 1\.4 is a number with a decimal point; expected a list"),
    ("exemplar/transformations", ["hue", "hue"], r"^exemplar\.transformations: .* names an entry twice; remove one"),
    ("studies/photos/seeds", [0, 1, 0], r"^studies\.photos\.seeds: \[0, 1, 0\] names an entry twice; remove one"),
    ("kmeans/whitening_epsilon", [1, 1.0], r"^kmeans\.whitening_epsilon: \[1, 1\.0\] names an entry twice; remove one"),
    ("kmeans/svm_iterations", [5, 5], r"^kmeans\.svm_iterations: \[5, 5\] names an entry twice; remove one"),
    ("kmeans/label_counts", [50, 50], r"^kmeans\.label_counts: \[50, 50\] names an entry twice; remove one"),
    ("kmeans/label_counts", [0], r"^kmeans\.label_counts\.0: 0 is out of range; it must be at least 1"),
    ("kmeans/label_counts", 50, r"^kmeans\.label_counts: 50 is a whole number; expected a list"),
    # sizes that do not fit
    (
        "studies/mnist5k/experiments/kmeans/folds",
        True,
        r"kmeans\.folds: the data set mnist5k has no folds; set it to fals",
    ),
    (f"{OWN}/patch_size", 97, r"kmeans\.patch_size: 97 is larger than the images \(96 pixels\); choose at most 95"),
    (f"{COATES}/patch_size", 33, r"coates\.patch_size: 33 is larger than the images \(32 pixels\); choose at most 31"),
    (
        f"{COATES}/patch_size",
        32,
        r"coates\.patch_size: 32 leaves one patch in an image of 32 pixels.*; choose at most 31",
    ),
    ("kmeans/patch_size", 97, r"\.patch_size: 97 is larger than the images"),
    (f"{OWN}/stride", 75, r"kmeans\.stride: 75 leaves fewer than 2 x 2 patches of 22 .* of 96; choose at most 74"),
    (
        f"{STRIDE8}/stride",
        96,
        r"kmeans_stride8\.stride: 96 leaves fewer than 2 x 2 patches of 22 .*; choose at most 74",
    ),
    (f"{COATES}/centroids", 32001, r"coates\.centroids: 32001 is more than the 32000 patches .*; choose at most that"),
    (
        f"{OWN}/patch_images",
        2001,
        r"kmeans\.patch_images: 2001 is more than the 2000 unlabeled images of photos; choose",
    ),
    (
        f"{SUPERVISED}/shift",
        96,
        r"supervised\.shift: 96 is not smaller than the images of photos \(96 pixels\); choose at",
    ),
    (f"{SUPERVISED}/cutout", 97, r"supervised\.cutout: 97 is not smaller than .* \(96 pixels\); choose at most 95"),
    ("supervised/cutout", 96, r"^studies\.photos\.experiments\.supervised\.cutout: 96 is not smaller than"),
    (
        f"{DIGITS}/shift",
        28,
        r"supervised\.shift: 28 is not smaller than the images of mnist5k \(28 pixels\); .* most 27",
    ),
    (
        f"{DIGITS}/color",
        0.3,
        r"supervised\.color: 0\.3 changes colours, and the images of mnist5k have one channel; set it to 0",
    ),
    (f"{DIGITS}/hue", 0.05, r"supervised\.hue: 0\.05 changes colours, and .* mnist5k have one channel; set it to 0"),
    (
        f"{DIGITS}/network",
        "vgg",
        r"supervised\.network: vgg needs images of at least 48 pixels, .* mnist5k have 28; choose digits or re",
    ),
    (
        f"{DIGITS}/network",
        "exemplar_small",
        r"network: exemplar_small needs .* 32 .* choose digits or resnet or res",
    ),
    (f"{SUPERVISED}/progressive_resizing", 0.0, r"supervised\.progressive_resizing: 0\.0 is out of range"),
    (f"{SUPERVISED}/bias_rate", 0.5, r"supervised\.bias_rate: 0\.5 is out of range"),
    (
        SUPERVISED,
        {"method": "supervised", "network": "vgg", "progressive_resizing": 0.5},
        r"progressive_resizing: vgg takes images of one size only; set it to 1, or choose exemplar_small or .*resnet18",
    ),
    (
        f"{SUPERVISED}/progressive_resizing",
        0.1,
        r"progressive_resizing: 0\.1 makes images of 8 pixels, and resnet needs 16; choose at least 0\.17$",
    ),
    (
        f"{FINETUNED}/progressive_resizing",
        0.25,
        r"resizing: 0\.25 makes images of 24 pixels, and exemplar_small needs 32; choose at least 0\.34$",
    ),
    (
        f"{LOSS}/progressive_resizing",
        0.5,
        r"loss\.progressive_resizing: 0\.5 would make the labelled images smaller, and not the unlabeled .* to 1$",
    ),
    (
        f"{ROUNDS_OF_SUPERVISED}/first_layer",
        "centroids",
        r"rounds\.first_layer: the network comes from the base 'supervised'; remove first_layer",
    ),
    (
        f"{FINETUNED}/first_layer",
        "centroids",
        r"first_layer: the network comes from the base 'exemplar'; remove first_layer, or the base",
    ),
    (
        SUPERVISED,
        {"method": "supervised", "alternate_flips": True, "flip": False},
        r"alternate_flips: true has no meaning without flip",
    ),
    (
        SUPERVISED,
        {"method": "supervised", "alternate_flips": True, "steps_per_epoch": 5},
        r"alternate_flips: true needs epochs that are passes over the images, and steps_per_epoch is 5; set that to 0",
    ),
    (
        "studies/mnist5k/experiments/supervised/folds",
        True,
        r"supervised\.folds: the data set mnist5k has no folds; set it to false",
    ),
    (
        f"{SUPERVISED}/batch_size",
        101,
        r"supervised\.batch_size: 101 is more than the 100 training images of a fold of photos; choose at most that",
    ),
    (
        f"{SUPERVISED}/label_counts",
        [64, 63],
        r"supervised\.batch_size: 64 is more than the 63 training images of a run with 63 labels of photos; choose at",
    ),
    (
        f"{OWN}/label_counts",
        [600, 601],
        r"kmeans\.label_counts: 601 is more than the 600 training images of photos; choose at most that$",
    ),
    (
        "kmeans/label_counts",
        [501],
        r"^studies\.mnist5k\.experiments\.kmeans\.label_counts: 501 is more than the 500 training images of mnist5k;",
    ),
    (
        f"{OWN}/label_counts",
        [100, 9],
        r"kmeans\.label_counts: 9 is less than one label of each of the 10 classes of photos; choose at least 10$",
    ),
    ("data/photos/train_images", 63, r"supervised\.batch_size: 64 is more than the 63 training images of photos; cho"),
    (f"{DIGITS}/batch_size", 501, r"supervised\.batch_size: 501 is more than the 500 training images of mnist5k; cho"),
    (
        f"{SURROGATE}/seed_patches",
        2001,
        r"exemplar\.seed_patches: 2001 is more than the 2000 unlabeled images of photos; choose",
    ),
    *(
        (
            f"{SURROGATE}/{key}",
            [1.4, 0.7],
            rf"{key}: the first number of \[1\.4, 0\.7\] is the higher one; exchange them",
        )
        for key in ("scale", "pca_contrast", "color_power", "color_factor")
    ),
    *(
        (
            f"{DIGIT_PATCHES}/transformations",
            ["scale", name],
            rf"\.transformations: {name} changes colours, and the images of mnist5k have one channel; remove it",
        )
        for name in ("pca_contrast", "color_contrast", "hue")
    ),
    (f"{SURROGATE}/surrogate_size", 96, r"surrogate_size: 96 is not smaller than .* \(96 pixels\); choose at most 92"),
    (
        f"{DIGIT_PATCHES}/surrogate_size",
        32,
        r"surrogate_size: 32 is not smaller than the images of mnist5k \(28 pixels\); choose at most 24",
    ),
    (
        f"{SURROGATE}/surrogate_size",
        30,
        r"surrogate_size: 30 is not a multiple of 4, as the networks need it; choose 28, or another multiple",
    ),
    (
        f"{SURROGATE}/batch_size",
        180001,
        r"exemplar\.batch_size: 180001 is more than the 180000 patches that are trained on; choose at most that",
    ),
    ("theory/parts", ["dropouts"], r"^theory\.parts\.0: 'dropouts' is not known; choose one of .*dropout"),
    ("theory/parts", ["dropout", "dropout"], r"^theory\.parts: "),
    ("theory/points", 0, r"^theory\.points: 0 is "),
    ("theory/seeds", [0], r"^theory\.seeds: .*2"),
    ("theory/repeats", 3, r"^theory: unknown key 'repeats'"),
    ("studies/theory", {}, r"theory"),
    ("figures/perplexity", 600.0, r"^figures\.tsne_images: a map of 500 test images of photos is too small for"),
    # pseudo-labels
    (
        f"{ROUNDS_OF_SUPERVISED}/candidates",
        101,
        r"rounds\.candidates: 20 rounds x 101 candidates are more than the 2000 unlabeled images of photos; cho",
    ),
    (
        f"{ROUNDS_OF_KMEANS}/rounds",
        21,
        r"kmeans_rounds\.candidates: 21 rounds x 100 candidates are more than the 2000 .* or raise data\.photos\.unl",
    ),
    *(
        (f"{place}/accepted", 101, r"\.accepted: 101 is more than the 100 candidates of a round; choose at most that")
        for place in (ROUNDS_OF_SUPERVISED, ROUNDS_OF_KMEANS)
    ),
    (
        ROUNDS_OF_SUPERVISED,
        {"method": "pseudo_label_rounds", "builds_on": "supervised", "class_balanced": True, **ROUNDS, "accepted": 9},
        r"rounds\.accepted: 9 is less than one of each of the 10 classes, .*; choose at least 10, or 0 for none",
    ),
    (f"{ROUNDS_OF_SUPERVISED}/shift", 96, r"rounds\.shift: 96 is not smaller than the images of photos \(96 pixels\)"),
    (
        f"{ROUNDS_OF_SUPERVISED}/batch_size",
        601,
        r"rounds\.batch_size: 601 is more than the 600 training images of photos",
    ),
    (
        "data/photos/validation_images",
        36,
        r"rounds\.held_out: 0\.25 parts the 36 validation images of photos into 9 held out and 27 kept, and each part "
        r"needs at least 10, .*; bring it nearer to 0\.5, or raise data\.photos\.validation_images$",
    ),
    (
        f"{ROUNDS_OF_SUPERVISED}/held_out",
        0.96,
        r"rounds\.held_out: 0\.96 parts the 200 .* into 192 held out and 8 kept",
    ),
    (f"{ROUNDS_OF_KMEANS}/held_out", 0.01, r"kmeans_rounds\.held_out: 0\.01 parts .* into 2 held out and 198 kept"),
    *(
        (
            f"{place}/patience",
            3,
            r"rounds\.patience: 3, its own or that of the base 'supervised', .*: nothing is chosen among the epochs of "
            r"a round; set patience to 0$",
        )
        for place in ("supervised", SUPERVISED, ROUNDS_OF_SUPERVISED)
    ),
    (f"{LOSS}/network", "digit", r"loss\.network: 'digit' is not known; choose one of digits, exemplar_small, "),
    (f"{LOSS}/cutout", 96, r"loss\.cutout: 96 is not smaller than the images of photos \(96 pixels\)"),
    (
        f"{LOSS}/batch_size",
        601,
        r"loss\.batch_size: 601 is more than the 600 training images of photos; choose",
    ),
    (
        f"{LOSS}/unlabeled_batch_size",
        2001,
        r"loss\.unlabeled_batch_size: 2001 is more than the 2000 unlabeled images of photos; choose at most that",
    ),
    (f"{LOSS}/alpha_end", 99, r"loss\.alpha_end: 99 comes before alpha_start, 100; choose at least that"),
    (f"{LOSS}/alpha_start", 601, r"loss\.alpha_end: 600 comes before alpha_start, 601; choose at least that"),
    (
        f"{LOSS}/epochs",
        101,
        r"loss\.alpha_start: with 100 and epochs 101 the weight .* never leaves 0; lower",
    ),
    (
        f"{FIXMATCH}/unlabeled_batch_size",
        2601,
        r"fixmatch\.unlabeled_batch_size: 2601 is more than the 2600 unlabeled images of photos; choose at most that",
    ),
    (
        FIXMATCH,
        {"method": "fixmatch", "unlabeled_batch_size": 2001, "labelled_in_pool": False},
        r"fixmatch\.unlabeled_batch_size: 2001 is more than the 2000 unlabeled images of photos; choose at most that",
    ),
    (
        f"{FIXMATCH}/unlabeled_pool",
        "both",
        r"fixmatch\.unlabeled_pool: both needs labelled images that a run neither trains nor validates on; set folds "
        r"to true and data\.photos\.fold_validation_images to a lower number, give label_counts, or choose unlabeled$",
    ),
    (
        f"{LOSS}/unlabeled_pool",
        "hidden",
        r"loss\.unlabeled_pool: hidden needs labelled images",
    ),
    (
        FIXMATCH,
        {"method": "fixmatch", "unlabeled_pool": "hidden", "label_counts": [250], "unlabeled_batch_size": 601},
        r"fixmatch\.unlabeled_batch_size: 601 is more than the 600 unlabeled images of photos; choose at most that, or "
        r"choose another pool$",
    ),
    (
        "data/photos/fold_validation_images",
        9,
        r"photos\.fold_validation_images: 9 cannot have one of each of 10 classes; choose at least 10$",
    ),
    (
        FIXMATCH,
        {"method": "pseudo_label_loss", "unlabeled_pool": "hidden"},
        r"fixmatch\.unlabeled_pool: hidden needs labelled images",
    ),
    *(
        (FIXMATCH, {"method": "simclr", "image_size": 48, **options}, message)
        for options, message in (
            (
                {"label_smoothing": 0.1},
                r"fixmatch\.label_smoothing: 0\.1 has no meaning without labels; set it to 0$",
            ),
            ({"batch_size": 2001}, r"fixmatch\.batch_size: 2001 is more than the 2000 unlabeled images of photos"),
            ({"image_size": 4}, r"fixmatch\.network: resnet needs images of at least"),
        )
    ),
    *(
        (
            "studies/photos/experiments",
            {
                "kmeans": {"method": "kmeans", "patch_images": 2000},
                "views": {"method": "simclr", "image_size": 48, **of_base},
                "tuned": {"method": "supervised", "builds_on": "views", "image_size": 48, **of_tuned},
            },
            message,
        )
        for of_base, of_tuned, message in (
            (
                {},
                {"image_size": 96},
                r"tuned\.image_size: 96 is not the 48 pixels of the images that the base 'views' l",
            ),
            (
                {},
                {"network": "vgg"},
                r"tuned\.network: vgg cannot start from the base 'views', whose network is resnet",
            ),
            ({}, {"first_layer": "centroids"}, r"tuned\.first_layer: the network comes from the base 'views'; remove"),
            (
                {"network": "vgg"},
                {"network": "vgg", "progressive_resizing": 0.5},
                r"tuned\.progressive_resizing: vgg takes images of one size only",
            ),
        )
    ),
    (
        "data/photos/fold_validation_images",
        701,
        r"photos\.fold_validation_images: 701 is more than the 700 labelled images outside a fold; choose at most that",
    ),
    (
        f"{FIXMATCH}/strong_cutout",
        96,
        r"fixmatch\.strong_cutout: 96 is not smaller .* choose at most 95",
    ),
    (f"{FIXMATCH}/batch_size", 601, r"fixmatch\.batch_size: 601 is more than the 600 training images of photos"),
    *(
        (
            f"{FIXMATCH_OF_DIGITS}/{key}",
            0.1,
            rf"fixmatch\.{key}: 0\.1 changes colours, and the images of mnist5k have one channel; set it to 0",
        )
        for key in ("color", "hue", "strong_color", "strong_hue")
    ),
    (
        f"{FIXMATCH_OF_DIGITS}/strong_cutout",
        28,
        r"fixmatch\.strong_cutout: 28 is not smaller .* choose at most 27",
    ),
    (f"{FIXMATCH_OF_DIGITS}/network", "vgg", r"fixmatch\.network: vgg needs images of at least 48 pixels"),
    (f"{FIXMATCH_OF_DIGITS}/folds", True, r"fixmatch\.folds: the data set mnist5k has no folds; set it to false"),
    # addresses and checksums
    (
        "data/stl10/url",
        "ftp://example.org/stl10",
        r"^data\.stl10\.url: 'ftp:.*' is not allowed here; expected an http://",
    ),
    (
        "data/stl10/url",
        "/data/stl10",
        r"^data\.stl10\.url: '/data/stl10' is not allowed here; expected .* file:// address",
    ),
    (
        "data/stl10/url",
        "file:///my data",
        r"^data\.stl10\.url: 'file:///my data' is not allowed here; .* without spaces",
    ),
    ("data/mnist/url", "http://a/';reboot'", r"^data\.mnist\.url: .* is not allowed here; .* without spaces, quotes"),
    ("data/mnist/url", "http://a/b\n", r"^data\.mnist\.url: 'http://a/b\\n' is not allowed here"),
    ("data/mnist/mirrors", ["http://a/$(id)"], r"^data\.mnist\.mirrors\.0: .* is not allowed here; expected an http"),
    ("data/mnist/mirrors", "http://a", r"^data\.mnist\.mirrors: 'http://a' is text; expected a list"),
    ("data/stl10/files/stl10_binary.tar.gz", "abc", r"^data\.stl10\.files\.stl10_binary\.tar\.gz: 'abc' .* an MD5 sum"),
    ("data/stl10/members/test_X.bin", MD5.upper(), r"^data\.stl10\.members\.test_X\.bin: '91F7.*' .* an MD5 sum"),
    ("data/stl10/members/test_X.bin", None, r"^data\.stl10\.members\.test_X\.bin: null is empty; expected text"),
]


@pytest.mark.parametrize(
    ("place", "value", "message"), MALFORMED, ids=[f"{case[0]}={case[1]!r}"[:60] for case in MALFORMED]
)
def test_malformed_configuration_is_refused_in_one_line(place, value, message):
    found = error_of(with_value(place, value, merged(SMALL)))
    assert len(found.splitlines()) == 1
    assert len(found) < 400
    assert re.search(message, found), found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cnn: {epochs: 010}", "line 1: YAML reads 010 as 8: write 8, or '010' if it is a text"),
        ("cnn:\n  epochs: 1:30", "line 2: YAML reads 1:30 as 90: write 90, or '1:30' if it is a text"),
        ("cnn:\n  epochs: 3\n  epochs: 4", "line 3: the key 'epochs' stands in line 2 too; keep one"),
        ("cnn: {a: 1}\nkmeans: {}\ncnn: {b: 2}", "line 3: the key 'cnn' stands in line 1 too; keep one"),
        ("studies: {no: null}", "line 1: YAML reads the key no as true or false: write 'no', in quotes"),
    ],
)
def test_what_yaml_would_hide_is_refused_in_one_line(tmp_path, text, message):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(planning.ConfigError) as caught:
        check_file(file)
    assert str(caught.value) == f"{file}, {message}"


@pytest.mark.parametrize("text", ["", "{a: 0, b: 10_000, c: 0x1F, d: -1.5, e: 1.0e-3, f: .inf, g: '010', h: 08}", "[]"])
def test_usual_yaml_passes(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    check_file(tmp_path / "mine.yaml")


def test_tabs_in_json_pass(tmp_path):
    (tmp_path / "mine.json").write_text('{\n\t"a": 1}')
    check_file(tmp_path / "mine.json")


def test_key_twice_in_json_is_refused_in_one_line(tmp_path):
    (tmp_path / "mine.json").write_text('{"supervised": {"epochs": 3, "epochs": 4}}')
    with pytest.raises(planning.ConfigError, match=r"mine\.json: the key 'epochs' stands 2 times in one object; keep"):
        check_file(tmp_path / "mine.json")


@pytest.mark.parametrize("text", ["supervised: &a {epochs: *a}", "supervised: " + 3000 * "[" + 3000 * "]"])
def test_endless_nesting_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(planning.ConfigError, match=r"mine\.yaml is nested without end: write out what"):
        check_file(tmp_path / "mine.yaml")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_file_of_another_encoding_is_refused_in_one_line(tmp_path, encoding):
    file = tmp_path / "mine.yaml"
    file.write_text("studies: {photos: {title: café}}", encoding=encoding)
    with pytest.raises(planning.ConfigError) as caught:
        check_file(file)
    assert str(caught.value) == f"{file} is not UTF-8: save it in that encoding (it may be Latin-1 or UTF-16)"


@pytest.mark.parametrize(
    ("title", "named"),
    [
        ("σ", "'σ' (greek small letter sigma)"),
        ("a ≥ b", "'≥' (greater-than or equal to)"),
        ("照片", "'照' (cjk unified ideograph-7167)"),
        ("x\u0304", "'\u0304' (combining macron)"),
        ("a\n\nb", "'\\n' (a line break)"),
        ("a\tb", "'\\t' (a control character)"),
    ],
)
@pytest.mark.parametrize(
    "place",
    ["studies/stl10/title", "studies/stl10/experiments/kmeans/title", "studies/stl10/experiments/kmeans/short"],
)
def test_title_that_latex_cannot_set_is_refused(place, title, named):
    found = error_of(with_value(place, title, merged({})))
    remedy = "write Latin letters, digits and usual marks, in one line"
    assert found == f"{place.replace('/', '.')}: the report cannot set {named}; {remedy}"


@pytest.mark.parametrize("short", ["RN", "supervised"])
def test_two_experiments_with_one_short_name_are_refused(short):
    """A name counts where no short name is given."""
    changes = {"kmeans": {"short": short}, "supervised": {"short": "RN"} if short == "RN" else {}}
    config = merged({"studies": {"stl10": {"experiments": changes}}})
    if short == "supervised":
        del config["studies"]["stl10"]["experiments"]["supervised"]["short"]
    place = "studies.stl10.experiments.supervised.short"
    assert error_of(config) == f"{place}: 'kmeans' is called {short!r} too; give each its own"


def test_blank_title_is_refused():
    found = error_of(with_value("studies/stl10/title", "  ", merged({})))
    assert found == "studies.stl10.title: it is blank; write something"


def test_accents_of_a_title_are_put_together():
    config = planning.checked_config(with_value("studies/stl10/title", "Cafe\u0301 – “50 %”", merged({})), SCHEMA)
    assert config["studies"]["stl10"]["title"] == "Café – “50 %”"


def test_unhashable_and_odd_yaml_is_refused_in_one_line():
    for text in ("kmeans: {patch_size: 2020-01-01}", "{2020-01-01: 3}", "studies: {1: null}", "kmeans: {? [1] : 2}"):
        try:
            overlay = yaml.safe_load(text)
        except yaml.YAMLError:
            continue
        assert len(error_of(merged(overlay)).splitlines()) == 1


@pytest.mark.parametrize("place", ["", "evaluation", "figures", "theory"])
def test_removing_any_key_is_refused(place):
    config = merged(SMALL)
    part = config
    for key in place.split("/") if place else []:
        part = part[key]
    for key in part:
        broken = copy.deepcopy(config)
        holder = broken
        for step in place.split("/") if place else []:
            holder = holder[step]
        del holder[key]
        if key == "data":  # every data set has its defaults
            continue
        assert f"the key {key!r} is missing" in error_of(broken)


def test_mappings_refuse_an_unknown_key():
    def mappings(part, place):
        if isinstance(part, dict):
            yield place
            for key, value in part.items():
                yield from mappings(value, [*place, key])

    config = merged(SMALL)
    places = ["/".join([*place, "zzz"]) for place in mappings(config, [])]
    assert len(places) > 20
    for place in places:
        assert "zzz" in error_of(with_value(place, 1, config))


def test_option_of_experiment_is_its_own_then_its_bases_then_the_methods():
    config = planning.checked_config(merged(SMALL), SCHEMA)
    own = planning.experiment_options(config, "photos", "kmeans_stride8")
    assert (own["stride"], own["centroids"], own["contrast_constant"]) == (8, 200, 10.0)
    assert own["svm_iterations"] == []  # of the method: the base passes on only what its centroids depend on


def test_network_with_a_base_has_options_of_its_own():
    config = planning.checked_config(with_value("exemplar/epochs", 9, merged(SMALL)), SCHEMA)
    options = planning.experiment_options(config, "photos", "finetuned")
    assert list(options) == list(DEFAULTS["supervised"])
    assert (options["epochs"], options["network"]) == (DEFAULTS["supervised"]["epochs"], "exemplar_small")


def test_base_experiment_is_the_base_or_itself():
    config = planning.checked_config(merged(SMALL), SCHEMA)
    bases = {
        name: planning.base_experiment(config, "photos", name) for name in config["studies"]["photos"]["experiments"]
    }
    others = {name: base for name, base in bases.items() if base != name}
    assert others == {
        "kmeans_stride8": "kmeans",
        "finetuned": "exemplar",
        "rounds": "supervised",
        "kmeans_rounds": "kmeans_coates",
    }


def options_with(experiment, *changes):
    """Options of an experiment of the photographs after changes of the configuration, (place, value) each."""
    config = merged(SMALL)
    for place, value in changes:
        config = with_value(place, value, config)
    return planning.experiment_options(planning.checked_config(config, SCHEMA), "photos", experiment)


@pytest.mark.parametrize(
    ("experiment", "layers"),
    [
        # weak to strong: each place is set to a value of its own, and the last one that is set counts
        (LOSS, ["supervised", "pseudo_label_loss", LOSS]),
        (FIXMATCH, ["supervised", "fixmatch", FIXMATCH]),
        (ROUNDS_OF_SUPERVISED, ["supervised", SUPERVISED, "pseudo_label_rounds", ROUNDS_OF_SUPERVISED]),
    ],
)
def test_strongest_place_of_an_option_wins(experiment, layers):
    name = experiment.rpartition("/")[2]
    for strongest in range(len(layers)):
        # These methods declare a learning rate: weaker places do not show.
        changes = [(f"{layer}/learning_rate", 0.5 + i) for i, layer in enumerate(layers[: strongest + 1])]
        section = next(i for i, layer in enumerate(layers) if layer in METHODS and layer != "supervised")
        expected = 0.5 + strongest if strongest >= section else DEFAULTS[layers[section]]["learning_rate"]
        assert options_with(name, *changes)["learning_rate"] == expected


def test_options_of_pseudo_label_methods_are_all_that_their_programs_take():
    assert set(options_with("loss")) == set(DEFAULTS["supervised"]) | set(DEFAULTS["pseudo_label_loss"])
    assert set(options_with("fixmatch")) == set(DEFAULTS["supervised"]) | set(DEFAULTS["fixmatch"])
    assert set(options_with("rounds")) == set(DEFAULTS["supervised"]) | set(DEFAULTS["pseudo_label_rounds"])
    without = set(DEFAULTS["kmeans"]) - {"svm_iterations"}  # which is a table of the base's own
    assert set(options_with("kmeans_rounds")) == without | set(DEFAULTS["kmeans_rounds"])


def test_rounds_take_what_they_do_not_set_from_their_base():
    base = [(f"{SUPERVISED}/network", "vgg"), (f"{SUPERVISED}/dropout", 0.6), (f"{SUPERVISED}/batch_size", 10)]
    base += [(f"{SUPERVISED}/label_counts", [100])]
    options = options_with("rounds", *base)
    assert (options["network"], options["dropout"], options["batch_size"]) == ("vgg", 0.6, 10)
    assert (options["epochs"], options["candidates"]) == (DEFAULTS["pseudo_label_rounds"]["epochs"], 100)
    assert options_with("rounds", *base, (f"{ROUNDS_OF_SUPERVISED}/batch_size", 20))["batch_size"] == 20
    assert (options["folds"], options["label_counts"]) == (False, [])  # although the base has such runs
    of_kmeans = options_with("kmeans_rounds", (f"{COATES}/svm_c", [0.5]))
    assert (of_kmeans["patch_size"], of_kmeans["svm_c"], of_kmeans["folds"]) == (6, [0.5], False)


def test_rounds_with_kmeans_take_what_their_base_has_from_its_own():
    changes = [(f"{ROUNDS_OF_KMEANS}/builds_on", "kmeans_stride8"), (f"{OWN}/whitening_epsilon", [7.0])]
    options = options_with("kmeans_rounds", *changes)
    assert (options["stride"], options["whitening_epsilon"]) == (8, [7.0])


@pytest.mark.parametrize("experiment", [ROUNDS_OF_SUPERVISED, ROUNDS_OF_KMEANS])
def test_folds_hold_out_some_of_what_they_validate_on(experiment):
    """All 800 labelled images but those of the fold."""
    config = with_value("data/photos/fold_images", 764, merged(SMALL))
    planning.checked_config(config, SCHEMA)
    config = with_value(f"{experiment}/folds", True, config)
    found = error_of(config)
    assert "held_out: 0.25 parts the 36 validation images of a fold of photos into 9 held out and 27 kept" in found
    planning.checked_config(with_value("data/photos/fold_images", 763, config), SCHEMA)
    config = with_value("data/photos/fold_validation_images", 20, config)
    found = error_of(config)
    assert "into 5 held out and 15 kept" in found
    assert "or raise data.photos.fold_validation_images" in found


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.3, 0.5, 0.7])
def test_held_out_images_are_counted_as_the_programs_split_them(fraction):
    for images in range(10, 130):
        parts = train_test_split(range(images), test_size=fraction, random_state=0)
        config = with_value("data/photos/validation_images", images, merged(SMALL))
        config = with_value(f"{ROUNDS_OF_KMEANS}/held_out", fraction, config)
        options, base = (planning.asked_options(config, "photos", name) for name in ("kmeans_rounds", "kmeans_coates"))
        mistakes = dict(planning.METHODS["kmeans_rounds"].check(options, planning.data_of(config, "photos"), base))
        assert set(mistakes) == ({"held_out"} if min(map(len, parts)) < 10 else set())
        for message in mistakes.values():
            assert f"into {len(parts[1])} held out and {len(parts[0])} kept" in message


def test_rounds_may_do_without_the_patience_of_their_base():
    changes = [(f"{SUPERVISED}/patience", 3), (f"{ROUNDS_OF_SUPERVISED}/patience", 0)]
    assert options_with("rounds", *changes)["patience"] == 0
    assert options_with("supervised", *changes)["patience"] == 3


def test_rounds_run_on_the_folds_of_their_base():
    config = planning.checked_config(with_value(f"{ROUNDS_OF_SUPERVISED}/folds", True, merged(SMALL)), SCHEMA)
    assert planning.experiment_runs(config, "photos", "rounds") == planning.experiment_runs(
        config, "photos", "supervised"
    )


@pytest.mark.parametrize("experiment", ["kmeans", "supervised", "fixmatch"])
def test_runs_with_fewer_labels(experiment):
    """One for each number and each seed; the seeds have all training images themselves."""
    place = f"studies/photos/experiments/{experiment}/label_counts"
    plain = planning.experiment_runs(merged(SMALL), "photos", experiment)
    config = planning.checked_config(with_value(place, [100, 600, 70], merged(SMALL)), SCHEMA)
    added = ["labels100_seed0", "labels100_seed1", "labels70_seed0", "labels70_seed1"]
    assert planning.experiment_runs(config, "photos", experiment) == plain + added
    assert with_label_counts(config, "photos") == [experiment]
    assert with_label_counts(config, "mnist5k") == []


def test_all_training_images_are_no_curve():
    config = planning.checked_config(with_value(f"{OWN}/label_counts", [600], merged(SMALL)), SCHEMA)
    assert planning.experiment_runs(config, "photos", "kmeans") == ["seed0", "seed1"]
    assert with_label_counts(config, "photos") == []


@pytest.mark.parametrize(
    ("base", "rounds", "name"),
    [(SUPERVISED, ROUNDS_OF_SUPERVISED, "rounds"), (COATES, ROUNDS_OF_KMEANS, "kmeans_rounds")],
)
def test_rounds_run_with_fewer_labels_of_their_base(base, rounds, name):
    """Some of those of the base, and all training images, for which no run is needed."""
    config = with_value(
        f"{rounds}/label_counts", [100, 600], with_value(f"{base}/label_counts", [64, 100], merged(SMALL))
    )
    config = planning.checked_config(config, SCHEMA)
    runs = planning.experiment_runs(config, "photos", name)
    assert runs == ["seed0", "seed1", "labels100_seed0", "labels100_seed1"]
    assert set(runs) <= set(planning.experiment_runs(config, "photos", base.rpartition("/")[2]))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (f"{SURROGATE}/scale", [1.0, 1.0]),
        (f"{SUPERVISED}/label_counts", [64, 600]),
        (f"{OWN}/label_counts", [10, 600]),
        (f"{SURROGATE}/samples_per_class", 2),
        (f"{SURROGATE}/transformations", ["hue"]),
        (f"{SUPERVISED}/batch_size", 100),
        (f"{SUPERVISED}/network", "vgg"),
        (f"{SUPERVISED}/progressive_resizing", 0.17),
        (f"{FINETUNED}/progressive_resizing", 0.34),
        (f"{DIGITS}/progressive_resizing", 0.5),
        (f"{SUPERVISED}/baseline", "finetuned"),
        (f"{DIGITS}/cutout", 27),
        (f"{DIGITS}/network", "digits"),
        (f"{ROUNDS_OF_SUPERVISED}/held_out", 0.95),
        ("data/photos/validation_images", 37),
        ("fixmatch/steps_per_epoch", 0),
        (f"{SUPERVISED}/steps_per_epoch", 7),
        (f"{ROUNDS_OF_SUPERVISED}/accepted", 0),
        (f"{ROUNDS_OF_SUPERVISED}/accepted", 100),
        (f"{ROUNDS_OF_SUPERVISED}/folds", True),
        (f"{ROUNDS_OF_SUPERVISED}/builds_on", "finetuned"),
        (
            f"{ROUNDS_OF_SUPERVISED}",
            {"method": "pseudo_label_rounds", "builds_on": "supervised", **ROUNDS, "class_balanced": True},
        ),
        ("data/stl10/unlabeled_images", "all"),
        (f"{ROUNDS_OF_KMEANS}/builds_on", "kmeans_stride8"),
        (f"{LOSS}/unlabeled_batch_size", 2000),
        (f"{LOSS}/alpha_end", 100),
        (f"{LOSS}/epochs", 102),
        (f"{LOSS}", {"method": "pseudo_label_loss", "epochs": 1, "alpha_start": 0, "alpha_end": 0}),
        # Copies are training images too.
        (f"{LOSS}", {"method": "pseudo_label_loss", "copies": 3, "batch_size": 1800}),
        (f"{FIXMATCH}/strong_cutout", 95),
        (f"{FIXMATCH}/folds", True),
        (FIXMATCH, {"method": "fixmatch", "builds_on": "supervised", "folds": True}),
        (FIXMATCH, {"method": "fixmatch", "unlabeled_batch_size": 2600}),
        (FIXMATCH, {"method": "fixmatch", "unlabeled_pool": "both", "label_counts": [100]}),
        (FIXMATCH, {"method": "fixmatch", "unlabeled_pool": "hidden", "label_counts": [100]}),
        ("data/photos/fold_validation_images", 700),
        # The network of the base takes images that a new one of its kind would find too small.
        (
            DIGITS,
            SMALL["studies"]["mnist5k"]["experiments"]["supervised"]
            | {"builds_on": "exemplar", "network": "exemplar_small"},
        ),
    ],
)
def test_limits_are_allowed(place, value):
    planning.checked_config(with_value(place, value, merged(SMALL)), SCHEMA)


def test_patterns_keep_methods_apart_in_every_study():
    """As Snakemake matches paths: the same name may have another method in another study."""
    template = "results/{study,photos|mnist5k}/{experiment,PATTERN}/{run,seed[0-9]+}/scores.npz"
    namesakes = {
        "supervised": {"method": "exemplar", "seed_patches": 100, "surrogate_size": 24},
        "exemplar": {"method": "kmeans", "patch_size": 6, "patch_images": 100, "stride": 1},
        "kmeans_rounds": {"method": "fixmatch", "strong_color": 0, "strong_hue": 0, "strong_cutout": 0},
    }
    config = with_value("studies/mnist5k/experiments", namesakes, merged(SMALL))
    config = planning.checked_config(with_value("studies/mnist5k/baseline", "exemplar", config), SCHEMA)
    patterns = {
        method: regex_from_filepattern(template.replace("PATTERN", planning.method_pattern(config, method)))
        for method in METHODS
    }
    path = re.sub(r"\{(\w+),[^{}]*\}", r"{\1}", template)
    for study, content in config["studies"].items():
        for name, options in content["experiments"].items():
            file = path.format(study=study, experiment=name, run="seed0")
            assert [method for method, pattern in patterns.items() if re.match(pattern, file)] == [options["method"]]
    other = path.format(study="photos", experiment="other", run="seed0")
    assert not [method for method, pattern in patterns.items() if re.match(pattern, other)]


def test_pattern_of_a_method_without_experiments_matches_nothing():
    assert planning.method_pattern({"studies": {}}, "supervised") == "no_experiment_of_this_method"


def test_command_line_quotes_every_value():
    assert planning.command_line({"a_b": ["x y", 1], "c": 1.0e-4}, ("a_b", "c")) == "--a-b 'x y' 1 --c 0.0001"


# Data sets


def test_two_data_sets_may_be_of_one_kind():
    config = merged(SMALL, {"data": {"larger": {"kind": "photos", "unlabeled_images": 3000, "folds": 3}}})
    config = planning.checked_config(with_value("studies/photos/dataset", "larger", config), SCHEMA)
    data, other = (planning.data_of(config, name) for name in ("larger", "photos"))
    assert (data.name, data.unlabeled_images, data.folds, data.channels) == ("larger", 3000, 3, 3)
    assert (other.name, other.unlabeled_images, other.folds) == ("photos", 2000, 10)
    assert planning.data_kind(config, "larger") is planning.DATA_SETS["photos"]


def test_options_of_a_data_set_are_the_declared_ones_and_what_the_configuration_sets():
    config = {"data": {"stl10": {"files": {"stl10_binary.tar.gz": "0" * 32}, "mirrors": ["http://a"]}}}
    options = planning.data_options(config, "stl10")
    assert (options["files"], options["mirrors"]) == ({"stl10_binary.tar.gz": "0" * 32}, ["http://a"])
    assert options["members"] == planning.data_options({}, "stl10")["members"]
    assert planning.data_options({"data": {"a": {"kind": "stl10"}}}, "a") == planning.data_options({}, "stl10")


def test_only_some_experiments_are_run_with_their_bases_and_baselines():
    config = merged(SMALL)
    for only, kept in (
        (["fixmatch"], {"fixmatch", "kmeans"}),  # the study's baseline
        (["finetuned"], {"finetuned", "exemplar", "supervised", "kmeans"}),  # its base, and its baseline
        (["kmeans_rounds", "loss"], {"kmeans_rounds", "kmeans_coates", "loss", "kmeans"}),
    ):
        checked = planning.checked_config(with_value("studies/photos/only", only, config), SCHEMA)
        assert set(checked["studies"]["photos"]["experiments"]) == kept
    found = error_of(with_value("studies/photos/only", ["fixmatch", "other"], config))
    assert found.startswith("studies.photos.only: there is no experiment 'other'; known: kmeans, ")


# The same through Snakemake


@pytest.mark.parametrize(
    ("overlay", "line"),
    [
        ({"kmeans": {"patch_size": "22"}}, "config error: kmeans.patch_size: '22' is text; expected a whole number"),
        (
            {"studies": {"stl10": {"baseline": "other"}}},
            "config error: studies.stl10.baseline: there is no experiment 'other'",
        ),
    ],
)
def test_snakemake_stops_with_one_line(tmp_path, overlay, line):
    assert_one_line(snakemake(ROOT, tmp_path, overlay, "-n"), line, tmp_path)


def test_snakemake_stops_at_a_file_that_is_read_otherwise_than_it_looks(tmp_path):
    (tmp_path / "mine.yaml").write_text("kmeans:\n  stride: 3\n  stride: 4\n")
    process = snakemake(ROOT, tmp_path, {}, "mine.yaml", "-n")
    line = f"config error: {tmp_path / 'mine.yaml'}, line 3: the key 'stride' stands in line 2 too"
    assert_one_line(process, line, tmp_path)


def assert_one_line(process, line, folder):
    assert process.returncode == 1
    assert all(text.startswith("Config file") for text in process.stdout.splitlines()), process.stdout
    assert [text for text in process.stderr.splitlines() if text.startswith(line)] == [process.stderr.splitlines()[-1]]
    assert "Traceback" not in process.stderr
    # Snakemake itself says which profile it reads, and nothing else is said.
    others = process.stderr.splitlines()[:-1]
    assert all(text.startswith("Using workflow specific profile") for text in others), others
    assert not (folder / "results").exists()


def test_numbers_given_with_config_are_refused(tmp_path):
    # docs/configuration.md says so: Snakemake passes what stands inside a section as text.
    process = snakemake(ROOT, tmp_path, {}, "-n", "--config", "kmeans={patch_size: 20}")
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1].startswith("config error: kmeans.patch_size: '20' is text")
