"""Forty malformed configurations given to Snakemake itself: one line each, and nothing is made.

tests/workflow/test_config.py has every message, without Snakemake.
"""

import pytest
import yaml

from workflow.clones import ROOT, run_python

# YAML that is added to config.yaml, and how its error begins behind "config error: ".
MALFORMED = [
    ("kmean: {}", "the configuration: unknown key 'kmean'"),
    ("data: {imagenet: {}}", "data.imagenet: the key 'kind' is missing"),
    ("data: {photos: {train_image: 3}}", "data.photos: unknown key 'train_image'"),
    ("data: {photos: {train_images: many}}", "data.photos.train_images: 'many' is text"),
    ("data: {photos: {train_images: 0}}", "data.photos.train_images: 0 is out of range"),
    ("data: {photos: null}", "data.photos: null is empty"),
    ("data: {stl10: {url: 'ftp://a/b'}}", "data.stl10.url: 'ftp://a/b' is not allowed"),
    ("data: {stl10: {mirrors: ['http://a/$(id)']}}", "data.stl10.mirrors.0: 'http://a/$(id)' is not allowed"),
    ("data: {stl10: {members: {test_X.bin: abc}}}", "data.stl10.members.test_X.bin: 'abc' is not allowed"),
    ("kmeans: []", "kmeans: [] is a list"),
    ("kmeans: {patch_size: '22'}", "kmeans.patch_size: '22' is text"),
    ("kmeans: {patch_size: 22.5}", "kmeans.patch_size: 22.5 is a number with a decimal point"),
    ("kmeans: {patch_size: 1}", "kmeans.patch_size: 1 is out of range"),
    ("kmeans: {patch_size: .nan}", "kmeans.patch_size: nan is not a finite number"),
    ("kmeans: {patch_size: 2020-01-01}", "kmeans.patch_size: datetime.date(2020, 1, 1) is a date or time"),
    ("kmeans: {stride: 0}", "kmeans.stride: 0 is out of range"),
    (
        "kmeans: {stride: 75}",
        "studies.stl10.experiments.kmeans.stride: 75 leaves fewer than 2 x 2 patches of 22 pixels",
    ),
    (
        "kmeans: {centroids: 10000000}",
        "studies.stl10.experiments.kmeans.centroids: 10000000 is more than the 320000 patches",
    ),
    ("kmeans: {tolerance: 1e-3}", "kmeans.tolerance: '1e-3' is text"),
    ("kmeans: {whitening_epsilon: []}", "kmeans.whitening_epsilon: [] is out of range"),
    ("kmeans: {svm_c: [0.1, .inf]}", "kmeans.svm_c.1: inf is not a finite number"),
    ("kmeans: {initialization: kmeans++}", "kmeans.initialization: 'kmeans++' is not known"),
    ("kmeans: {folds: 1}", "kmeans.folds: 1 is a whole number"),
    ("supervised: {network: alexnet}", "supervised.network: 'alexnet' is not known"),
    ("supervised: {batch_size: 1}", "supervised.batch_size: 1 is out of range"),
    ("supervised: {momentum: 1.0}", "supervised.momentum: 1.0 is out of range"),
    (
        "supervised: {cutout: 96}",
        "studies.stl10.experiments.supervised.cutout: 96 is not smaller than the images of stl10",
    ),
    (
        "exemplar: {scale: [1.4, 0.7]}",
        "studies.stl10.experiments.exemplar.scale: the first number of [1.4, 0.7] is the higher one",
    ),
    ("exemplar: {transformations: [shear]}", "exemplar.transformations.0: 'shear' is not known"),
    ("evaluation: {confidence: 1.0}", "evaluation.confidence: 1.0 is out of range"),
    ("evaluation: null", "evaluation: null is empty"),
    ("figures: {perplexity: .inf}", "figures.perplexity: inf is not a finite number"),
    ("studies: null", "studies: null is empty"),
    ("studies: {stl10: null, mnist: null}", "studies: every study is null"),
    ("studies: {'my study; rm': null}", "studies: 'my study; rm' is not allowed"),
    ("studies: {logs: null}", "studies: the name 'logs' is reserved"),
    ("studies: {mnist: {seeds: []}}", "studies.mnist.seeds: [] is out of range"),
    ("studies: {mnist: {seeds: [0, 0]}}", "studies.mnist.seeds: [0, 0] names an entry twice"),
    ("studies: {mnist: {baseline: nobody}}", "studies.mnist.baseline: there is no experiment 'nobody'"),
    ("studies: {mnist: {dataset: cifar}}", "studies.mnist.dataset: 'cifar' is not known"),
]


@pytest.mark.parametrize(("text", "message"), MALFORMED, ids=[text for text, _ in MALFORMED])
def test_one_line_and_nothing_made(text, message, tmp_path, fault):
    assert isinstance(yaml.safe_load(text), dict)
    (tmp_path / "mine.yaml").write_text(text)
    command = ("-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--configfile", "mine.yaml", "--cores", "1")
    with fault("malformed configuration"):
        process = run_python(*command, cwd=tmp_path)
        assert process.returncode != 0
        said = process.stderr.splitlines()
        assert said[-1].startswith(f"config error: {message}"), process.stderr
        assert "Traceback" not in process.stderr
        # Snakemake says which profile and which file it reads, and nothing else is said.
        assert all(line.startswith(("Using workflow specific profile", "Config file")) for line in said[:-1]), said
        assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("text", ["kmeans: [1", "a: b: c", "- 1", "kmeans:\n\tcentroids: 3", ""])
def test_no_yaml_at_all(text, tmp_path, fault):
    """Snakemake itself says so."""
    (tmp_path / "mine.yaml").write_text(text)
    command = ("-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--configfile", "mine.yaml", "--cores", "1")
    with fault("malformed configuration"):
        process = run_python(*command, cwd=tmp_path)
        assert process.returncode != 0
        assert process.stderr.splitlines()[-1].startswith(("Config file is not valid", "Config file must be given as"))
        assert "Traceback" not in process.stderr
        assert not (tmp_path / "results").exists()


def test_there_are_forty():
    assert len({text for text, _ in MALFORMED}) == 40
