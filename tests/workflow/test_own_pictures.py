"""A study of one's own pictures: from folders to the comparison, and what runs again when they change."""

import os
from contextlib import contextmanager

import pytest
from clones import ROOT, jobs_to_run, snakemake
from PIL import Image
from snakemake.utils import update_config

from planning import config as planning

CLASSES = ("wild cat", "aéroplane")
TARGET = "results/pets/comparison.csv"


def config(folder):
    return {
        "data": {"pets": {"kind": "folder", "pictures": str(folder), "image_size": 16}},
        "figures": {"perplexity": 2.0, "neighbors": 1},
        "evaluation": {"bootstrap_samples": 100, "top_k": 1},
        "studies": {
            "stl10": None,
            "mnist": None,
            "pets": {
                "dataset": "pets",
                "seeds": [0],
                "baseline": "pixels32",
                "experiments": {"pixels32": {"method": "pixels", "image_size": "native", "svm_c": [0.01]}},
            },
        },
    }


def save(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 16), (value, 0, 255 - value)).save(path)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The folder of the run, and that of the pictures."""
    pictures, run = tmp_path_factory.mktemp("my pictures"), tmp_path_factory.mktemp("run")
    for label, name in enumerate(CLASSES):
        for number in range(12):
            save(pictures / name / f"{number}.png", 100 * label + number)
    process = snakemake(ROOT, run, config(pictures), "--cores", "2", "--", TARGET)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "pixels32" in (run / TARGET).read_text()
    return run, pictures


def test_the_study_of_own_pictures_can_be_planned(tmp_path):
    """With the three lines of docs/own-pictures.md, whose least number of pictures this is."""
    for label, name in enumerate(CLASSES):
        for number in range(85):
            save(tmp_path / "pictures" / name / f"{number}.png", 100 * label + number)
    study = planning.read_yaml(ROOT / "config.folder.yaml")
    update_config(study, {"data": {"own": {"pictures": str(tmp_path / "pictures")}}})
    counts = jobs_to_run(ROOT, tmp_path, study, "results/report/report.tex")
    assert counts["prepare_folder"] == 1
    methods = {options["method"] for options in study["studies"]["own"]["experiments"].values()}
    assert {"train_supervised", "train_svm", "train_fixmatch"} <= set(counts)
    assert len(methods) > 5


@contextmanager
def restored(file):
    """Undo what a block does to a file, which may not be there."""
    there = file.exists()
    before = (file.read_bytes(), file.stat()) if there else None
    yield
    if there:
        file.write_bytes(before[0])
        os.utime(file, ns=(before[1].st_atime_ns, before[1].st_mtime_ns))
    else:
        file.unlink()


def jobs(compared):
    run, pictures = compared
    return jobs_to_run(ROOT, run, config(pictures), TARGET)


def test_unchanged_pictures_run_nothing(compared):
    assert jobs(compared) == {}


@pytest.mark.parametrize("name", ["new.png", "3.png"])
def test_a_new_or_another_picture_runs_the_study_again(name, compared):
    file = compared[1] / CLASSES[0] / name
    with restored(file):
        save(file, 77)
        assert jobs(compared) == {"prepare_folder": 1, "train_pixels": 1, "evaluate": 1}
    assert jobs(compared) == {}


def test_a_removed_picture_runs_the_study_again(compared):
    file = compared[1] / CLASSES[1] / "0.png"
    with restored(file):
        file.unlink()
        assert jobs(compared)["prepare_folder"] == 1
