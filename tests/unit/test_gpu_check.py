"""The check on a GPU where there is none: its one line, and its comparisons. All of it is in tests/gpu."""

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch

from fixtures_demo import Job
from fixtures_snakemake import ROOT
from gpu.compare import apart, distance
from gpu.programs import in_order
from gpu.rows import checked_device, held, within

ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("workflow_scripts", "tests"))}


def check(*arguments, **variables):
    """Run the check with these variables of the environment; return its exit code and what it printed."""
    command = [sys.executable, "-m", "gpu", *map(str, arguments)]
    done = subprocess.run(command, env=ENVIRONMENT | variables, capture_output=True, text=True, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU")
def test_without_a_gpu_one_line_says_so(tmp_path):
    code, said = check(tmp_path / "demo", GPU_CHECK_DEVICE="cuda")
    assert (code, len(said.splitlines())) == (0, 1)
    assert said.startswith("gpu-check: no CUDA device here")
    assert not list(tmp_path.iterdir())


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [checked_device(name) for name in ("cpu", "cuda")] == [torch.device("cpu"), torch.device("cuda", 0)]


@pytest.mark.parametrize("value", [0.2, np.inf, np.nan])
def test_what_is_too_far_apart_is_wrong(value):
    assert within("a", "b", 0.1, 0.1).well
    assert not within("a", "b", value, 0.1).well
    assert held("a", "b", False, "this instead").limit == "this instead"


def test_distances():
    a = np.array([3.0, 4.0, np.nan])
    assert distance(a, a) == 0
    assert distance(a, np.array([3.0, 4.5, np.nan])) == pytest.approx(0.1)
    assert distance(a, a[:2]) == np.inf
    assert not within("", "", distance(a, np.array([3.0, np.nan, np.nan])), 1).well


def test_files_are_compared_array_by_array(tmp_path):
    paths = [tmp_path / name for name in ("a.h5", "b.h5", "c.h5")]
    for path, weights in zip(paths, ([1, 0], [1, 0.1], [1, 0]), strict=True):
        with h5py.File(path, "w") as file:
            file["network/weights"] = np.array(weights[:1], np.float32)
            file["network/bias"] = np.array(weights[1:], np.float32)  # that of one is zero: together they are compared
            file["names"] = "a text"
            if path.stem != "c":
                file["labels"] = np.arange(3)
    assert apart(paths[0], paths[1]) == pytest.approx(0.1)
    assert apart(paths[0], paths[2]) == np.inf


def test_times_are_not_compared(tmp_path):
    for name, seconds in (("a", 1), ("b", 9)):
        (tmp_path / f"{name}.csv").write_text(f"epoch,train_loss,seconds\n1,0.5,{seconds}\n")
    assert apart(tmp_path / "a.csv", tmp_path / "b.csv") == 0


def test_a_job_comes_after_those_that_it_reads():
    jobs = {
        "last": Job("c", [], ["b"], ["c"]),
        "first": Job("a", [], ["x"], ["a"]),
        "middle": Job("b", [], ["a"], ["b"]),
    }
    assert list(in_order(jobs)) == ["first", "middle", "last"]
