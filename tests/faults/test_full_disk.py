"""Every program on a disk that is full: it says so in a line, leaves nothing half, and works when there is room."""

import errno
import hashlib
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from demo import left_in, redirected, run_job
from programs import error_line, fill, run_forked, small_disk
from results import APART, digest

import download
import prepare_mnist5k
import prepare_stl10
from fixtures_kmeans import command_line
from fixtures_stl10 import make_stl10_archive
from semisup.checkpoints import load_checkpoint, locked_checkpoint, save_checkpoint
from semisup.dataset import Split, write_dataset
from semisup.hdf5 import new_hdf5, open_hdf5
from workflow.clones import ROOT

# prepare_stl10, prepare_mnist, prepare_mnist5k and download are not in the demonstration; see below.
PROGRAMS = sorted(
    path.stem
    for path in (ROOT / "workflow_scripts").glob("*.py")
    if path.stem not in ("download", "prepare_stl10", "prepare_mnist", "prepare_mnist5k", "typeset_report")
)
PLACED = {"train_svm": "features.h5"}  # a file of links, whose paths depend on where it lies
DISK = 96 * 2**20  # bytes; the data set and the features of the tiny demonstration, and more


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", DISK) as folder:
        yield folder


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_on_a_full_disk(program, demo, jobs, disk, tmp_path, fault):
    if program not in jobs:
        pytest.skip(f"{program} is not among the programs of the tiny demonstration")
    job = jobs[program]
    arguments = redirected(job, {}, disk)
    filler = fill(disk, free=0)
    with fault("full disk"):
        line = error_line(*run_job(job, demo, arguments, tmp_path))
        assert str(disk) in line, line
        assert "make room there" in line
        assert left_in(disk) == [filler]
        filler.unlink()
        code, said = run_job(job, demo, arguments, tmp_path)
        assert code == 0, said
        for path in map(Path, job.outputs):
            assert (disk / path).stat().st_size > 0
            if path.parts[1] not in APART and path.name != PLACED.get(program):
                assert digest(disk, path.relative_to("results")) == digest(demo, path.relative_to("results"))


def data_set_until_full(folder, disk):
    """Write a data set; after its first block another process, as it were, takes all that is left of the disk."""

    def blocks():
        for number in range(8):
            yield np.full((512, 3, 32, 32), number, np.uint8)
            if number == 0:
                fill(disk, free=4096)

    count = 8 * 512
    splits = {"unlabeled": Split(blocks(), np.arange(count))}
    write_dataset(folder / "images.h5", folder / "test_labels.h5", splits, None, {"class_names": ["a"]})


def arrays_until_full(folder, disk):
    """Write an HDF5 file of many small arrays, and of one that nobody asked room for."""
    with new_hdf5(folder / "file.h5") as file:
        for number in range(300):
            file[f"small/{number}"] = np.arange(number)
        fill(disk, free=4096)
        file["large"] = np.ones(10**6)


@pytest.mark.parametrize("write", [data_set_until_full, arrays_until_full])
def test_disk_that_fills_up_under_hdf5(write, disk, tmp_path, fault):
    """The true errors of HDF5, not made-up ones; it must not crash when the program ends."""
    with fault("disk that fills up while HDF5 writes"):
        line = error_line(*run_forked(tmp_path, write, disk, disk))
        assert line.startswith(f"error: {disk}")
        assert "make room there" in line
        assert left_in(disk) == [disk / "filler"]


@pytest.mark.parametrize("free", [0, 4096, 8192, 65536, 200_000])
def test_checkpoint_before_a_full_disk_stays(free, disk, tmp_path, fault):
    def save(value):
        with locked_checkpoint(disk / "checkpoint", {"code": "same"}, 0) as checkpoint:
            save_checkpoint(checkpoint, {"weights": torch.full((300, 300), value), "bias": torch.full((300,), value)})

    save(1.0)
    fill(disk, free)
    with fault("full disk under a checkpoint"):
        line = error_line(*run_forked(tmp_path, save, 2.0))
        assert line == f"error: {disk}/checkpoint/checkpoint.pt: No space left on device: make room there"
        with locked_checkpoint(disk / "checkpoint", {"code": "same"}, 0) as checkpoint:
            assert torch.equal(load_checkpoint(checkpoint)["weights"], torch.full((300, 300), 1.0))
        assert left_in(disk) == [disk / "checkpoint/checkpoint.pt", disk / "filler"]


def test_download_onto_a_full_disk(disk, tmp_path, fault):
    """What was received stays, and the next run goes on from there."""
    content = random.Random(0).randbytes(10**6)
    (tmp_path / "source").write_bytes(content)
    fill(disk, free=409_600)
    options = {"url": (tmp_path / "source").as_uri(), "md5": hashlib.md5(content).hexdigest()}
    arguments = command_line(**options, partial=disk / "part", output=disk / "file")
    with fault("full disk under a download") as counts:
        line = error_line(*run_forked(tmp_path, download.main, arguments))
        assert line == f"error: {disk}/part: {os.strerror(errno.ENOSPC)}"
        part = (disk / "part").read_bytes()
        assert len(part) == 409_600
        assert content.startswith(part)
        (disk / "filler").unlink()
        code, said = run_forked(tmp_path, download.main, arguments)
        assert code == 0, said
        assert (disk / "file").read_bytes() == content
        counts["bytes lost"] += 409_600 - len(part)


def prepare_stl10_arguments(source, disk):
    archive, checksums = make_stl10_archive(source)
    members = [f"{name}={md5}" for name, md5 in checksums.items()]
    sizes = {"train_images": 40, "validation_images": 10}
    files = {"images": disk / "images.h5", "test_labels": disk / "test_labels.h5"}
    return command_line(archive=archive, member_md5=members, **sizes, **files)


def prepare_mnist5k_arguments(source, disk):
    sizes = {"train_images": 100, "validation_images": 100, "unlabeled_images": 100, "test_images": 100}
    return command_line(**sizes, images=disk / "images.h5", test_labels=disk / "test_labels.h5")


@pytest.mark.parametrize(
    ("program", "arguments"),
    [(prepare_stl10, prepare_stl10_arguments), (prepare_mnist5k, prepare_mnist5k_arguments)],
    ids=["prepare_stl10", "prepare_mnist5k"],
)
def test_data_set_on_a_full_disk(program, arguments, disk, tmp_path, fault):
    options = arguments(tmp_path, disk)
    filler = fill(disk, free=16_000_000)
    with fault("full disk"):
        line = error_line(*run_forked(tmp_path, program.main, options))
        assert str(disk) in line
        assert "make room there" in line
        assert left_in(disk) == [filler]
        filler.unlink()
        assert run_forked(tmp_path, program.main, options)[0] == 0
        with open_hdf5(disk / "images.h5") as file:
            assert len(file["train/images"]) > 0
