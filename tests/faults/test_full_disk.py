"""Every program on a disk that is full: it says so in a line, leaves nothing half, and works when there is room."""

import errno
import os
import shutil
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from apart import DATA_SETS, TASKS
from programs import error_line, fill, run_forked, small_disk
from results import digest, is_result

from fixtures_demo import left_in, redirected, run_job
from fixtures_machine import needs_latex
from semisup.checkpoints import load_checkpoint, locked_checkpoint, save_checkpoint
from semisup.dataset import Split, write_dataset
from semisup.hdf5 import new_hdf5, open_hdf5
from workflow.clones import ROOT

PROGRAMS = sorted(path.stem for path in (ROOT / "workflow_scripts").glob("*.py") if path.stem not in TASKS)
PLACED = {"train_svm": "features.h5"}  # a file of links, whose paths depend on where it lies
DISK = 96 * 2**20  # bytes; the data set and the features of the tiny demonstration, and more


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", DISK) as folder:
        yield folder


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_on_a_full_disk(program, demo, jobs, disk, tmp_path, fault):
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
            if is_result(path.relative_to("results")) and path.name != PLACED.get(program):
                assert digest(disk, path.relative_to("results")) == digest(demo, path.relative_to("results"))


def fills_up(disk, replacements, main, arguments):
    """Run a program; when so many of its outputs are under their names, another process takes what is left of the disk.

    Only for a process of its own, as it changes Path.replace.
    """
    replace, done = Path.replace, []

    def replace_and_fill(path, target):
        replace(path, target)
        if "checkpoints" not in target.parts:
            done.append(target)
            if len(done) == replacements:
                fill(disk, free=0)

    Path.replace = replace_and_fill
    main(arguments)


def names_unfinished(line, paths):
    """Tell whether the line of an error names one of these files; of an HDF5 file its folder is enough."""
    folders = [path.parent for path in paths if path.suffix == ".h5"]
    words = [f"{path}: " for path in [*paths, *folders]] + [f"{folder} has" for folder in folders]
    return any(word in line for word in words)


@pytest.mark.parametrize("program", PROGRAMS)
def test_disk_that_fills_up_between_two_files(program, demo, jobs, disk, tmp_path, fault):
    """After some files: they are there and whole, the next one is not, and the next run makes all.

    After each one of up to eight; of more, as are the figures of a study, after one, two, half and all but one.
    """
    job = jobs[program]
    count = len(job.outputs)
    if count == 1:
        pytest.skip(f"{program} writes one file")
    compared = [Path(path) for path in job.outputs if Path(path).name != PLACED.get(program)]
    expected = {path: digest(demo, path.relative_to("results")) for path in compared}
    for number in range(1, count) if count <= 8 else (1, 2, count // 2, count - 1):
        folder = disk / f"after{number}"
        arguments = redirected(job, {}, folder)
        with fault("disk that fills up between two files"):
            line = error_line(*run_job(job, demo, arguments, tmp_path, partial(fills_up, disk, number)))
            missing = [folder / path for path in job.outputs if not (folder / path).exists()]
            assert len(missing) == count - number
            assert names_unfinished(line, missing), (line, missing)
            assert "make room there" in line
            assert list(folder.rglob(".*.tmp")) == []
            whole = [path for path in compared if (folder / path).exists()]
            assert [str(path) for path in whole if digest(folder, path.relative_to("results")) != expected[path]] == []
            (disk / "filler").unlink()
            code, said = run_job(job, demo, arguments, tmp_path)
            assert code == 0, said
            assert {path: digest(folder, path.relative_to("results")) for path in compared} == expected
        shutil.rmtree(folder)


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
    task = TASKS["download"](tmp_path, disk)
    content = (tmp_path / "source").read_bytes()
    fill(disk, free=409_600)
    with fault("full disk under a download") as counts:
        line = error_line(*run_forked(tmp_path, task.main, task.arguments))
        assert line == f"error: {disk}/results/part: {os.strerror(errno.ENOSPC)}"
        part = (disk / "results/part").read_bytes()
        counts["bytes lost"] += 409_600 - len(part)
        assert len(part) == 409_600
        assert content.startswith(part)
        (disk / "filler").unlink()
        code, said = run_forked(tmp_path, task.main, task.arguments)
        assert code == 0, said
        assert (disk / "results/file").read_bytes() == content


@pytest.mark.parametrize("program", DATA_SETS)
@pytest.mark.parametrize("free", [0, 16_000_000])
def test_data_set_on_a_full_disk(program, free, disk, tmp_path, fault):
    task = TASKS[program](tmp_path, disk)
    filler = fill(disk, free)
    with fault("full disk"):
        line = error_line(*run_forked(tmp_path, task.main, task.arguments))
        assert str(disk) in line
        assert "make room there" in line
        assert left_in(disk) == [filler]
        filler.unlink()
        code, said = run_forked(tmp_path, task.main, task.arguments)
        assert code == 0, said
        with open_hdf5(task.outputs[0]) as file:
            assert len(file["train/images"]) > 0


def last_line(code, said):
    """Return the last line that typeset_report has said, below all that LaTeX says."""
    assert code == 1, (code, said)
    assert "Traceback" not in said, said
    return said.splitlines()[-1]


@needs_latex
def test_report_onto_a_full_disk(disk, tmp_path, fault):
    task = TASKS["typeset_report"](tmp_path, disk)
    filler = fill(disk, free=0)
    with fault("full disk"):
        line = last_line(*run_forked(tmp_path, task.main, task.arguments))
        assert line == f"error: {task.outputs[0]}: No space left on device: make room there"
        assert left_in(disk) == [filler]
        filler.unlink()
        code, said = run_forked(tmp_path, task.main, task.arguments)
        assert code == 0, said
        assert task.outputs[0].read_bytes().startswith(b"%PDF")


def with_scratch(folder, main, arguments):
    """Run a program whose temporary files go to `folder`."""
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None  # which remembers the folder of the tests
    main(arguments)


@needs_latex
@pytest.mark.parametrize("free", [4096, 16384])
def test_report_with_a_full_scratch_disk(free, disk, tmp_path, fault):
    """LaTeX itself meets the full disk; where nothing at all is free, Python takes another folder for scratch."""
    task = TASKS["typeset_report"](tmp_path, tmp_path)
    filler = fill(disk, free)
    with fault("full disk under LaTeX"):
        code, said = run_forked(tmp_path, with_scratch, disk, task.main, task.arguments)
        line = last_line(code, said)
        assert line.startswith(f"error: LaTeX could not typeset {tmp_path}/report.tex: "), said
        assert "begin with '!'" in line
        assert [above for above in said.splitlines() if above.startswith("!")] != [], said
        assert left_in(disk) == [filler]
        assert left_in(tmp_path / "results") == []
        filler.unlink()
        code, said = run_forked(tmp_path, with_scratch, disk, task.main, task.arguments)
        assert code == 0, said
        assert task.outputs[0].read_bytes().startswith(b"%PDF")
        assert left_in(disk) == []
