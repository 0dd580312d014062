"""profiles/cluster-generic with a made-up PBS: jobs are queued, killed, lost and deleted, and the study is finished.

Not among what `make` installs: pip install snakemake-executor-plugin-cluster-generic==1.0.9. No real PBS has seen it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from fixtures_snakemake import environment
from workflow.clones import clone

pytest.importorskip("snakemake_executor_plugin_cluster_generic", reason="its package is not installed")

FAKE = Path(__file__).with_name("fake_pbs.py")
TARGET = "results/photos/supervised/seed0/model.h5"
LOG = "results/logs/photos/supervised/seed0/train_supervised.log"
CHECKPOINTS = "results/checkpoints/**/checkpoint.pt"
SIZES = {"train_images": 100, "validation_images": 50, "unlabeled_images": 50, "test_images": 50}
TRAINING = {"method": "supervised", "epochs": 10, "batch_size": 20}
CONFIG = {
    "data": {"photos": SIZES},
    "figures": {"perplexity": 3.0, "neighbors": 2},
    "studies": {
        "stl10": None,
        "mnist": None,
        "photos": {
            "dataset": "photos",
            "seeds": [0],
            "baseline": "supervised",
            "experiments": {"supervised": TRAINING},
        },
    },
}
OFTEN = ("\nCHECKPOINT_SECONDS = 60.0\n", "\nCHECKPOINT_SECONDS = 0.0\n")  # a checkpoint after every step


@pytest.fixture
def study(tmp_path):
    """A function that starts the study in a clone with these arguments, on a scheduler with these faults."""
    folder, scheduler, commands = clone(tmp_path / "a clone"), tmp_path / "pbs", tmp_path / "bin"
    options = folder / "workflow_scripts/semisup/run_options.py"
    options.write_text(options.read_text().replace(*OFTEN))
    for path in (scheduler, commands):
        path.mkdir()
    for name in ("qsub", "qstat", "qdel"):
        (commands / name).write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
        (commands / name).chmod(0o755)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    variables = environment() | {"FAKE_PBS": str(scheduler)}
    variables["PATH"] = os.pathsep.join([str(commands), variables["PATH"]])

    def start(profile, faults, *arguments):
        (scheduler / "faults.json").write_text(json.dumps(faults))
        command = [sys.executable, "-m", "snakemake", "--workflow-profile", f"profiles/{profile}"]
        command += ["--configfile", "config.json", *arguments, "--", TARGET]
        log = (folder / "snakemake.log").open("a")
        return subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
        )

    return folder, scheduler, start


QUICKLY = ("--seconds-between-status-checks", "1", "--latency-wait", "10")


def events(scheduler):
    """What happened to the jobs: number, name and what, one after the other."""
    path = scheduler / "log.txt"
    return [line.split(maxsplit=2) for line in path.read_text().splitlines()] if path.exists() else []


def weights(folder):
    with h5py.File(folder / TARGET) as file:
        return {name: value[()] for name, value in file["network"].items()}


def test_killed_and_lost_jobs_come_again(study):
    """The images' job is lost and the training killed after a checkpoint: it goes on, and has the same weights."""
    folder, scheduler, start = study
    faults = {"prepare_photos": ["lose"], "train_supervised": [f"kill {CHECKPOINTS}"]}
    alike = ("--set-threads", "train_supervised=1")  # the last bits depend on it
    process = start("cluster-generic", faults, *QUICKLY, *alike)
    assert process.wait(timeout=300) == 0, (folder / "snakemake.log").read_text()
    happened = events(scheduler)
    for name, end in (("prepare_photos", "lost"), ("train_supervised", "killed")):
        whats = [what for _, job, what in happened if job == name]
        assert whats == ["queued", "running", end, "queued", "running", "ended with 0"], happened
    assert "resumed after" in (folder / LOG).read_text()
    found = weights(folder)
    shutil.rmtree(folder / "results")
    assert start("demo", {}, "--cores", "1").wait(timeout=300) == 0
    expected = weights(folder)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], value) for name, value in expected.items())


def test_jobs_ask_for_what_their_rules_state(study):
    folder, scheduler, start = study
    assert start("cluster-generic", {}, *QUICKLY).wait(timeout=300) == 0, (folder / "snakemake.log").read_text()
    asked = {
        job["name"]: " ".join(job["asked"])
        for job in map(json.loads, map(Path.read_text, scheduler.glob("*.json")))
        if "name" in job
    }
    assert set(asked) == {"prepare_photos", "train_supervised"}
    assert ":ngpus=0 " in asked["prepare_photos"]
    assert "select=1:ncpus=8:mem=" in asked["train_supervised"]
    assert ":ngpus=1 " in asked["train_supervised"]
    assert all("walltime=" in words and words.endswith(":00") for words in asked.values())


def test_ctrl_c_deletes_the_jobs_and_the_same_command_goes_on(study):
    folder, scheduler, start = study
    process = start("cluster-generic", {}, *QUICKLY)
    deadline = time.monotonic() + 120
    while not list(folder.glob(CHECKPOINTS)):
        assert process.poll() is None, (folder / "snakemake.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) != 0
    assert events(scheduler)[-1][1:] == ["train_supervised", "deleted"]
    assert start("cluster-generic", {}, *QUICKLY).wait(timeout=300) == 0, (folder / "snakemake.log").read_text()
    assert "resumed after" in (folder / LOG).read_text()
