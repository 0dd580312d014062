"""What runs again after a change: a small workflow is run once, and every test asks Snakemake what it would do next."""

import copy
import os
import random
import re
import shutil
import time

import pytest
from clones import clone, jobs_to_run, snakemake
from snakemake.utils import update_config

LEARNED = {"patch_images": 40, "patches_per_image": 200, "centroids": 20, "iterations": 2, "whitening_epsilon": [4.0]}
PHOTOS = {"train_images": 40, "validation_images": 20, "unlabeled_images": 60, "test_images": 20, "fold_images": 20}
CONFIG = {
    "data": {"photos": PHOTOS},
    "evaluation": {"bootstrap_samples": 100},
    "figures": {"perplexity": 5.0, "neighbors": 5},
    "kmeans": {"svm_c": [0.001]},
    "studies": {
        "stl10": None,
        "mnist": None,
        "photos": {
            "dataset": "photos",
            "seeds": [0],
            "baseline": "kmeans",
            "experiments": {
                "kmeans": {"method": "kmeans", "patch_size": 8, "svm_iterations": [50], **LEARNED},
                "kmeans_coates": {"method": "kmeans", "image_size": 32, "patch_size": 6, "stride": 6, **LEARNED},
            },
        },
        "other": {
            "dataset": "mnist5k",
            "seeds": [0],
            "baseline": "kmeans",
            "experiments": {"kmeans": {"method": "kmeans", "patch_size": 6, "stride": 6, **LEARNED}},
        },
    },
}
TARGET = "results/photos/comparison.csv"  # what `evaluated` asks for, of one study
JOBS = 13
# What follows new features of the first experiment.
SVM = {"train_svm": 1, "solver_iterations": 1, "evaluate": 1}


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A folder in which the workflow has evaluated the study."""
    folder = tmp_path_factory.mktemp("finished")
    root = clone(tmp_path_factory.mktemp("first") / "a clone")  # with a space, for the quotes of every command
    # One thread each, so that two of these small jobs run at a time.
    threads = [f"{rule}=1" for rule in ("fit_whitening", "learn_centroids", "extract_features", "train_svm")]
    options = ("--cores", "2", "--resources", "gpu=0", "--set-threads", *threads)
    # With another order of sets than the plans of the tests.
    process = snakemake(root, folder, CONFIG, *options, "--", TARGET, environment={"PYTHONHASHSEED": "7"})
    assert process.returncode == 0, process.stdout + process.stderr
    assert planned(root, folder) == {}
    return folder


@pytest.fixture
def fresh(tmp_path):
    """A clone of the workflow, at another place and with newer files than the one that made the results."""
    return clone(tmp_path / "clone")


def planned(root, folder, **changes):
    """How many jobs of each rule Snakemake would run with changes of the configuration, which are its sections."""
    config = copy.deepcopy(CONFIG)
    update_config(config, changes)
    return jobs_to_run(root, folder, config, TARGET)


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def with_experiments(**experiments):
    return {"studies": {"photos": {"experiments": experiments}}}


# Nothing runs again


def test_fresh_clone_at_another_place(fresh, finished):
    assert planned(fresh, finished) == {}


def test_touched_code(fresh, finished):
    later = time.time() + 60
    for path in fresh.rglob("*"):
        os.utime(path, (later, later))
    assert planned(fresh, finished) == {}


def test_comment_docstring_and_formatting(fresh, finished):
    for name in ("semisup/kmeans.py", "semisup/__init__.py", "learn_centroids.py", "prepare_photos.py"):
        path = fresh / "workflow_scripts" / name
        path.write_text("# A new comment.\n" + path.read_text() + "\n\n# And one below.\n")
    path = fresh / "workflow_scripts/semisup/kmeans.py"
    edit(path, "    return means, empty\n", "    return (\n        means, empty\n    )  # of Lloyd\n")
    path.write_text(re.sub(r'"""Minimise ', '"""Make small, as Lloyd did, ', path.read_text()))
    assert planned(fresh, finished) == {}


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of that folder, with Snakemake's notes, in which every file is newer, in an order of chance."""
    folder = shutil.copytree(finished, tmp_path / "copied", copy_function=shutil.copyfile)
    files = sorted(folder.glob("results/**/*"))
    random.Random(0).shuffle(files)
    then = time.time_ns() - len(files) * 10**6
    for number, path in enumerate(files):
        os.utime(path, ns=2 * (then + number * 10**6,))
    return folder


def test_copied_results(fresh, copied):
    large = [path for path in copied.rglob("*.h5") if path.stat().st_size > 1_000_000]  # Snakemake's own limit
    assert {path.name for path in large} == {"images.h5", "patches.h5"}
    assert planned(fresh, copied) == {}


def test_changes_elsewhere(fresh, finished):
    changes = {
        "data": {"mnist5k": {"split_seed": 5}, "stl10": {"url": "http://example.org"}},
        "figures": {"patches": 9},
        "kmeans": {"centroids": 30, "patch_images": 30, "iterations": 9},  # both experiments say these themselves
        **with_experiments(
            kmeans={"title": "Another title", "short": "Another"},
            kmeans_coates={"contrast_constant": 10.0},  # what it is by default
        ),
    }
    update_config(changes, {"studies": {"photos": {"title": "Another title"}, "third": CONFIG["studies"]["other"]}})
    update_config(changes, {"studies": {"other": {"seeds": [1], "experiments": {"kmeans": {"stride": 2}}}}})
    assert planned(fresh, finished, **changes) == {}


def test_another_study_left_out(fresh, finished):
    assert planned(fresh, finished, studies={"other": None}) == {}


# Exactly what depends on a change runs again


def test_other_images(fresh, copied):
    """As if the data set had been made anew, and the command stopped before anything else."""
    checksum = copied / "results/photos/data/images.sha256"
    checksum.write_text(checksum.read_text().translate(str.maketrans("0123456789abcdef", "123456789abcdef0")))
    jobs = planned(fresh, copied)
    assert sum(jobs.values()) == JOBS - 1
    assert "prepare_photos" not in jobs


def test_changed_module(fresh, finished):
    edit(fresh / "workflow_scripts/semisup/kmeans.py", "SAMPLE = 2048", "SAMPLE = 1024")
    both = {"learn_centroids": 2, "extract_features": 2, "train_svm": 2}
    assert planned(fresh, finished) == SVM | both  # but not sample_patches, fit_whitening or prepare_photos


def test_changed_program(fresh, finished):
    path = fresh / "workflow_scripts/evaluate.py"
    path.write_text(path.read_text() + "\nNEW = 1\n")
    assert planned(fresh, finished) == {"evaluate": 1}


def test_changed_data_module(fresh, finished):
    edit(fresh / "workflow_scripts/semisup/photos.py", "SMALLEST_SPREAD = 2.0", "SMALLEST_SPREAD = 2.5")
    jobs = planned(fresh, finished)
    assert jobs["prepare_photos"] == 1
    assert sum(jobs.values()) == JOBS


def test_svm_c(fresh, finished):
    assert planned(fresh, finished, **with_experiments(kmeans={"svm_c": [0.01, 0.1]})) == SVM


def test_stride(fresh, finished):
    jobs = planned(fresh, finished, **with_experiments(kmeans={"stride": 12}))
    assert jobs == SVM | {"extract_features": 1}


def test_another_epsilon(fresh, finished):
    jobs = planned(fresh, finished, **with_experiments(kmeans={"whitening_epsilon": [4.0, 8.0]}))
    assert jobs == SVM | {"learn_centroids": 1, "extract_features": 1}  # of the new one only


def test_solver_steps(fresh, finished):
    jobs = planned(fresh, finished, **with_experiments(kmeans={"svm_iterations": [50, 60]}))
    assert jobs == {"solver_iterations": 1, "evaluate": 1}


def test_evaluation(fresh, finished):
    assert planned(fresh, finished, evaluation={"confidence": 0.9}) == {"evaluate": 1}


def test_new_experiment(fresh, finished):
    jobs = planned(fresh, finished, **with_experiments(extra={"method": "kmeans", "builds_on": "kmeans", "stride": 8}))
    assert jobs == {"extract_features": 1, "train_svm": 1, "evaluate": 1}


def test_new_seed(fresh, finished):
    jobs = planned(fresh, finished, studies={"photos": {"seeds": [0, 1]}})
    new = {"sample_patches": 2, "fit_whitening": 2, "learn_centroids": 2, "extract_features": 2, "train_svm": 2}
    assert jobs == new | {"solver_iterations": 1, "evaluate": 1}


def test_fewer_labels(fresh, finished):
    """What the seed learned without labels is there."""
    jobs = planned(fresh, finished, **with_experiments(kmeans={"label_counts": [20, 30]}))
    assert jobs == {"train_svm": 2, "evaluate": 1}


def test_experiment_left_out(fresh, finished):
    assert planned(fresh, finished, **with_experiments(kmeans_coates=None)) == {"evaluate": 1}
