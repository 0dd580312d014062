"""A method, a data set or a network is added by files of its own alone, as docs/adding-a-method.md says."""

import json
import shutil

import pytest
from clones import ROOT, clone, run_snakemake, snakemake

from fixtures_machine import HAS_LATEX
from planning.digest import code_digest

DECLARED = '''"""The mean colour of an image and the nearest of the classes' mean colours."""

from declarations.options import Options
from methods.declare import Method
from methods.shared import Runs


class MeanColour(Options):
    """Options of `train_mean_colour`."""

    weight: float = 1.0
    """Weight of the distance in the scores."""


class Mean(MeanColour, Runs, Method):
    """An image is given the class whose mean colour is nearest to its own."""

    name = "mean_colour"
'''
PROGRAM = '''"""Find the mean colour of each class."""

import argparse
from collections.abc import Sequence

import numpy as np

from declarations.command_line import add_options
from methods.mean_colour import MeanColour
from semisup.cli import run_program
from semisup.dataset import read_images, read_labelled, run_rows
from semisup.run_options import add_run_options
from semisup.scores import write_scores
from semisup.tables import write_table


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write what a run has."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, MeanColour)
    add_run_options(parser)
    for name in ("scores", "history", "selection"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args(arguments)

    labels = read_labelled(options.images)
    train, validation = run_rows(options.images, options.run)
    labelled, test = (
        np.concatenate([read_images(options.images, split).mean(axis=(2, 3)) for split in splits])
        for splits in (("train", "validation"), ("test",))
    )
    means = np.stack([labelled[train][labels[train] == label].mean(axis=0) for label in np.unique(labels)])

    def scores(colours: np.ndarray) -> np.ndarray:
        return -options.weight * np.linalg.norm(colours[:, None] - means, axis=2).astype(np.float32)

    accuracy = float(np.mean(scores(labelled[validation]).argmax(axis=1) == labels[validation]))
    write_scores(options.scores, scores(labelled[validation]), validation, scores(test))
    write_table(options.history, [{"validation_accuracy": accuracy}])
    write_table(options.selection, [{"weight": options.weight, "validation_accuracy": accuracy, "chosen": True}])


if __name__ == "__main__":
    run_program(main)
'''
RULE = """from methods.mean_colour import MeanColour


rule train_mean_colour:
    input:
        images=ancient("results/{study}/data/images.h5"),
        images_checksum="results/{study}/data/images.sha256",
    output:
        scores="results/{study}/{experiment}/{run}/scores.npz",
        history="results/{study}/{experiment}/{run}/history.csv",
        selection="results/{study}/{experiment}/{run}/selection.csv",
    log:
        "results/logs/{study}/{experiment}/{run}/train_mean_colour.log",
    wildcard_constraints:
        experiment=experiment_pattern("mean_colour"),
    conda:
        "../../envs/train.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("train_mean_colour"),
        program=program("train_mean_colour"),
        options=options_of(MeanColour),
        seed=training_seed,
    shell:
        "python {params.program:q} --images {input.images} --run {wildcards.run} {params.options} --seed {params.seed}"
        " --scores {output.scores} --history {output.history} --selection {output.selection} 2> {log}"
"""
DATA = '''"""Squares of one colour, for a test."""

from data_sets.declare import DataSet, Seed
from declarations.options import Count, Options


class SquaresSplit(Options):
    """Options of `prepare_squares`."""

    train_images: Count = 40
    """Squares to train on."""
    validation_images: Count = 20
    """Squares kept for every choice."""
    unlabeled_images: Count = 10
    """Squares without a label."""
    test_images: Count = 70
    """Squares of the test."""
    split_seed: Seed = 0
    """Seed of the colours."""


class Squares(SquaresSplit, DataSet):
    """Squares of two colours, red and blue."""

    kind = "squares"
    embedded = True
    size = 8
    channels = 3
    classes = 2
'''
DATA_PROGRAM = '''"""Write the squares."""

import argparse
from collections.abc import Sequence

import numpy as np

from data_sets.squares import SquaresSplit
from declarations.command_line import add_options
from semisup.cli import run_program
from semisup.data_options import add_outputs
from semisup.dataset import Split, write_dataset


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, SquaresSplit)
    add_outputs(parser)
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(options.split_seed)
    splits = {}
    for name in ("train", "validation", "unlabeled", "test"):
        count = getattr(options, f"{name}_images")
        labels = np.arange(count) % 2
        images = rng.integers(0, 100, (count, 3, 8, 8), dtype=np.uint8)
        images[np.arange(count), 2 * labels] += 100
        splits[name] = Split([images], np.arange(count), None if name == "unlabeled" else labels)
    attributes = {"dataset": "squares", "class_names": ["red", "blue"], "source": "made", "checksums": {}}
    write_dataset(options.images, options.test_labels, splits, None, attributes)


if __name__ == "__main__":
    run_program(main)
'''
DATA_RULE = """from data_sets.squares import SquaresSplit


rule prepare_squares:
    output:
        images="results/{study}/data/images.h5",
        images_checksum="results/{study}/data/images.sha256",
        test_labels="results/{study}/data/test_labels.h5",
    log:
        "results/logs/{study}/prepare_squares.log",
    wildcard_constraints:
        study=studies_of("squares"),
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=run_time(minutes=10),
    params:
        code=code_digest("prepare_squares"),
        program=program("prepare_squares"),
        sizes=data_options_of(SquaresSplit),
    shell:
        "python {params.program:q} {params.sizes} --images {output.images} --test-labels {output.test_labels} 2> {log}"
        " && sha256sum {output.images} > {output.images_checksum} 2>> {log}"
"""
NETWORK = '''"""A network for a test."""

from collections import OrderedDict

from semisup.network import Network, Shape
from semisup.network_layers import average_head, convolution
from semisup.networks import network


@network(smallest=4)
def one_layer(shape: Shape) -> Network:
    """One convolution of sixteen channels."""
    layers = OrderedDict(only=convolution(shape.channels, 16))
    return Network(shape, layers, average_head(16, shape.classes, shape.dropout))
'''
ADDED = {
    "workflow_scripts/semisup/networks/one_layer.py": NETWORK,
    "workflow_scripts/methods/mean_colour.py": DECLARED,
    "workflow_scripts/train_mean_colour.py": PROGRAM,
    "rules/methods/mean_colour.smk": RULE,
    "workflow_scripts/data_sets/squares.py": DATA,
    "workflow_scripts/prepare_squares.py": DATA_PROGRAM,
    "rules/data_sets/squares.smk": DATA_RULE,
}
REPORT = f"results/report/report.{'pdf' if HAS_LATEX else 'tex'}"
CONFIG = {
    "figures": {"perplexity": 5.0, "neighbors": 3},
    "evaluation": {"bootstrap_samples": 100, "top_k": 1},
    "theory": {"parts": []},
    "studies": {
        "stl10": None,
        "mnist": None,
        "colours": {
            "dataset": "squares",
            "seeds": [0, 1],
            "baseline": "mean",
            "experiments": {
                "mean": {"method": "mean_colour"},
                "half": {"method": "mean_colour", "weight": 0.5},
                "learned": {
                    "method": "supervised",
                    "network": "one_layer",
                    "epochs": 2,
                    "batch_size": 8,
                    "shift": 2,
                    "cutout": 0,
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def enlarged(tmp_path_factory):
    """A clone with a method, a data set and a network of one's own."""
    folder = clone(tmp_path_factory.mktemp("adding") / "clone")
    for name, text in ADDED.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def typeset(enlarged, tmp_path_factory):
    """A folder in which the study of the new method on the new data set has come to its typeset report."""
    folder = tmp_path_factory.mktemp("run")
    process = snakemake(enlarged, folder, CONFIG, "--cores", "2", REPORT, "--resources", "gpu=0")
    assert process.returncode == 0, process.stdout + process.stderr
    return folder


def test_a_new_method_on_a_new_data_set_comes_to_the_report(typeset):
    text = (typeset / "results/report/report.tex").read_text()
    assert r"\subsection{Method mean\_colour}" in text
    assert "An image is given the class whose mean colour is nearest to its own." in text
    assert "Squares of two colours, red and blue." in text
    assert r"\texttt{one\_layer}: One convolution of sixteen channels." in text
    metrics = (typeset / "results/colours/metrics.csv").read_text()
    assert [metrics.count(f"\n{name},") for name in CONFIG["studies"]["colours"]["experiments"]] == [2, 2, 2]


def test_adding_changes_the_code_of_no_other_program(enlarged):
    for path in sorted((ROOT / "workflow_scripts").glob("*.py")):
        assert code_digest(path) == code_digest(enlarged / "workflow_scripts" / path.name), path.name


def test_adding_plans_the_published_study_as_before(enlarged, tmp_path):
    """The same jobs and params, so that nothing of it runs again."""
    jobs = []
    for root in (ROOT, enlarged):
        folder = tmp_path / root.name
        folder.mkdir()
        shutil.copyfile(ROOT / "config.yaml", folder / "config.yaml")
        script = ROOT / "tests/workflow/dump_dag.py"
        process = run_snakemake(script, root / "Snakefile", folder, folder / "config.yaml", "all", cwd=folder)
        assert process.returncode == 0, process.stderr
        planned = json.loads(process.stdout.replace(str(root), "ROOT"))["jobs"]
        jobs.append(sorted((job["rule"], job["outputs"], job["params"].get("code"), job["shell"]) for job in planned))
    first, second = jobs
    told = {"render_report", "plot_rulegraph"}  # the plan of the report names the methods there are
    assert [job for job in first if job[0] not in told] == [job for job in second if job[0] not in told]
