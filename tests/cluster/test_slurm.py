"""The workflow on a real Slurm of one node: what its jobs get, and that a training outlives `scancel` and a time limit.

The node counts two GPUs that are not there, so the programs compute on the CPU.
"""

import hashlib
import os
import re
import signal
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd
import pytest

from fixtures_machine import HAS_LATEX
from fixtures_snakemake import ROOT, command_of, environment
from planning.dry_run import read_jobs

EPOCHS = 16
LOOK_SECONDS = 30  # between two looks of Slurm at the time limits of jobs
WAIT_SECONDS = 600  # for what takes seconds on a machine that has nothing else to do
PROGRAM = ROOT / "workflow_scripts/train_supervised.py"
CANCELLED, TIMED_OUT = "seed3", "seed5"  # what happens to the training of each seed
# Small sizes, so that starting the jobs takes longer than what they do; the training is long enough to be hit.
CONFIG = {
    "data": {
        "photos": {"train_images": 200, "validation_images": 100, "unlabeled_images": 200, "test_images": 100},
        "mnist": {"mirrors": []},
    },
    "evaluation": {"bootstrap_samples": 200},
    "figures": {"tsne_images": 50, "perplexity": 5.0, "neighbors": 2},
    "theory": {"parts": [], "points": 2, "seeds": [0, 1]},
    "studies": {
        "stl10": None,
        "mnist": None,
        "photos": {
            "dataset": "photos",
            "seeds": [3, 5],
            "baseline": "kmeans",
            "experiments": {
                "kmeans": {
                    "method": "kmeans",
                    "image_size": 32,
                    "patch_size": 6,
                    "patch_images": 100,
                    "centroids": 20,
                    "iterations": 5,
                    "stride": 3,
                    "whitening_epsilon": [0.1],
                    "svm_c": [0.01],
                },
                "supervised": {"method": "supervised", "epochs": EPOCHS, "batch_size": 20},
            },
        },
    },
}
TARGETS = ("results/report/report.tex", "evaluated")
DOWNLOADED = "t10k-labels-idx1-ubyte.gz"
LOCAL = (f"resources/mnist/{DOWNLOADED}", *(["results/report/report.pdf"] if HAS_LATEX else []))
# Fewer threads than the rules ask for, as the test machine may have two processors.
ONE_THREAD = ("find_copies", "fit_whitening", "learn_centroids", "extract_features", "train_supervised")
THREADS = dict.fromkeys(ONE_THREAD, 1) | {"train_svm": 2}
# One node that is always near, and no accounting database.
IN_THIS_CLUSTER = ("--slurm-init-seconds-before-status-checks", 1, "--slurm-status-command", "squeue")
IN_THIS_CLUSTER += ("--latency-wait", 10)


class Study(NamedTuple):
    """A run through Slurm. jobs: scontrol's fields; visible: CUDA_VISIBLE_DEVICES of the trainings, by run."""

    folder: Path
    jobs: list[dict[str, str]]
    visible: dict[str, str | None]
    said: str


def set_threads():
    return ["--set-threads", *(f"{rule}={number}" for rule, number in THREADS.items())]


def ask(*command):
    """Standard output of a command of Slurm."""
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture(scope="module")
def cluster(start_cluster, tmp_path_factory):
    """The folder of a cluster that runs."""
    folder = tmp_path_factory.mktemp("cluster")
    with start_cluster(folder):
        yield folder


def mirror(folder):
    """A source of one file to download, on this machine: the configuration of it."""
    content = b"not really gzip"
    (folder / DOWNLOADED).write_bytes(content)
    sums = {DOWNLOADED: hashlib.md5(content, usedforsecurity=False).hexdigest()}
    return {"data": {"mnist": {"url": folder.as_uri(), "files": sums}}}


def slurm_jobs():
    """The fields of every job that the cluster has seen, pending ones too."""
    lines = ask("scontrol", "show", "job", "--oneliner").splitlines()
    return [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines if line.startswith("JobId=")]


def trainings(jobs, run):
    """The jobs that train this run, in the order in which they were submitted."""
    comment = f"rule_train_supervised_wildcards_photos_supervised_{run}"
    return sorted((job for job in jobs if job["Comment"] == comment), key=lambda job: int(job["JobId"]))


def wait_until(condition, what):
    """Return what the condition returns once that is true."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {WAIT_SECONDS} s\n{ask('squeue')}"
        time.sleep(0.1)
    return found


def training_log(folder, run):
    return folder / f"results/logs/photos/supervised/{run}/train_supervised.log"


def wait_for_training(folder, run, process):
    """Return the running job that trains this run, once it has taken some steps."""
    log = training_log(folder, run)

    def has_begun():
        assert process.poll() is None, (folder / "snakemake.log").read_text()
        return log.exists() and f"training: {EPOCHS} epochs" in log.read_text()

    wait_until(has_begun, f"the training of {run} begins")
    time.sleep(1)
    (job,) = trainings(slurm_jobs(), run)
    assert job["JobState"] == "RUNNING", "the training is too short to be interrupted"
    return job["JobId"]


def training_process(job):
    """The number of the process that trains in this job."""
    numbers = [int(line.split()[0]) for line in ask("scontrol", "listpids", job).splitlines()[1:]]
    (number,) = {number for number in numbers if read_words(number, "cmdline")[1:2] == [str(PROGRAM)]}
    return number


def read_words(number, name):
    """A file of /proc that holds words: the command line, or the environment."""
    return (Path("/proc") / str(number) / name).read_bytes().decode().split("\0")


def visible_devices(number):
    """CUDA_VISIBLE_DEVICES of a process; None where it is not set."""
    return dict(word.split("=", 1) for word in read_words(number, "environ") if word).get("CUDA_VISIBLE_DEVICES")


def end_time_of(job, training, log):
    """Let the time of a job be up while it trains.

    Slurm looks at time limits twice a minute, and a training of that length would make a long test. So it is held until
    shortly before Slurm looks.
    """
    os.kill(training, signal.SIGSTOP)
    try:
        looks = wait_until(lambda: looks_at_time_limits(log), "Slurm looks at time limits")
        since = (datetime.now() - datetime.fromisoformat(looks[-1])).total_seconds()
        time.sleep((LOOK_SECONDS - 2 - since) % LOOK_SECONDS)
        ask("scontrol", "update", f"JobId={job}", f"EndTime={datetime.now():%Y-%m-%dT%H:%M:%S}")
    finally:
        os.kill(training, signal.SIGCONT)


def looks_at_time_limits(log):
    """When Slurm looked at the time limits of jobs, as its log says."""
    return re.findall(r"\[(\S+)\] debug2: Testing job time limits", log.read_text())


@pytest.fixture(scope="module")
def study(cluster, tmp_path_factory):
    """The study run through profiles/slurm: one training is cancelled, the other one's time is made to end now."""
    folder = tmp_path_factory.mktemp("study")
    config = CONFIG | {"data": CONFIG["data"] | mirror(tmp_path_factory.mktemp("mirror"))["data"]}
    command = command_of(folder, "slurm", config, *set_threads(), *IN_THIS_CLUSTER, "--", *TARGETS, *LOCAL)
    visible = {}
    with (folder / "snakemake.log").open("w") as log:
        process = subprocess.Popen(command, env=environment(), stdout=log, stderr=log)
        try:
            job = wait_for_training(folder, CANCELLED, process)
            visible[CANCELLED] = visible_devices(training_process(job))
            ask("scancel", job)
            job = wait_for_training(folder, TIMED_OUT, process)
            visible[TIMED_OUT] = visible_devices(training_process(job))
            end_time_of(job, training_process(job), cluster / "slurmctld.log")
            process.wait(timeout=1200)
        finally:
            process.kill()
            process.wait()
    said = (folder / "snakemake.log").read_text()
    assert process.returncode == 0, said
    return Study(folder, slurm_jobs(), visible, said)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The same trainings, with as many threads, without Slurm."""
    folder = tmp_path_factory.mktemp("undisturbed")
    models = [f"results/photos/supervised/{run}/model.h5" for run in (CANCELLED, TIMED_OUT)]
    command = command_of(folder, "demo", CONFIG, "--cores", 2, *set_threads(), "--", *models)
    subprocess.run(command, env=environment(), capture_output=True, check=True, timeout=1200)
    return folder


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """What the rules ask for: the jobs by the comment that the plugin gives them."""
    folder = tmp_path_factory.mktemp("planned")
    command = command_of(folder, "slurm", CONFIG, "-n", "-p", "--cores", 8, *set_threads(), "--", *TARGETS)
    printed = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    jobs = [job for job in read_jobs(printed.stdout + printed.stderr) if job.command]
    return {comment_of(job): job for job in jobs}


def comment_of(job):
    wildcards = "_".join(job.wildcards.values())
    return f"rule_{job.rule}" + (f"_wildcards_{wildcards}" if wildcards else "")


def test_every_job_went_through_slurm_and_no_other(study, planned):
    assert {job["Comment"] for job in study.jobs} == set(planned)
    assert len(study.jobs) == len(planned) + 2  # the interrupted trainings once more
    assert (study.folder / "results/report/report.tex").exists()
    assert (study.folder / "results/photos/comparison.csv").exists()


def test_what_nodes_often_lack_ran_where_snakemake_runs(study):
    """A network, LaTeX. That these were no jobs of Slurm, the test above has seen."""
    assert all((study.folder / path).exists() for path in LOCAL)


def test_jobs_got_what_their_rules_ask_for(study, planned):
    tries = dict.fromkeys(planned, 0)
    for job in sorted(study.jobs, key=lambda job: int(job["JobId"])):
        rule = planned[job["Comment"]]
        tries[job["Comment"]] += 1
        gpu = rule.resources.get("gpu", 0)
        assert job["Partition"] == ("gpu" if gpu else "cpu"), job
        assert job.get("TresPerJob", "") == ("gres:gpu:1" if gpu else ""), job
        assert job["NumCPUs"] == job["CPUs/Task"] == str(rule.threads), job
        assert megabytes(job["MinMemoryNode"]) == tries[job["Comment"]] * rule.resources["mem_mb"], job
        # Only trainings came twice, as a test below sees, and theirs stays the same.
        assert minutes(job["TimeLimit"]) == rule.resources["runtime"] or job["JobState"] == "TIMEOUT", job
        assert job["Requeue"] == "0", job
    assert {job.threads for job in planned.values()} == {1, 2}
    assert {job.resources.get("gpu", 0) for job in planned.values()} == {0, 1}


def megabytes(text):
    """Slurm's 8000M or 8G."""
    return int(text[:-1]) * {"M": 1, "G": 1024}[text[-1]]


def minutes(text):
    """Slurm's [days-]hours:minutes:seconds."""
    days, _, clock = text.rpartition("-")
    hours, minutes, _ = map(int, clock.split(":"))
    return int(days or 0) * 24 * 60 + hours * 60 + minutes


def test_slurm_recorded_the_same_of_finished_jobs(study, cluster):
    """What its own log of completed jobs says, which `scontrol` forgets after a while."""
    lines = (cluster / "completed_jobs.txt").read_text().splitlines()
    recorded = {job["JobId"]: job for job in (dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines)}
    for job in study.jobs:
        of_slurm = recorded[job["JobId"]]
        assert [of_slurm[key] for key in ("JobState", "Partition")] == [job["JobState"], job["Partition"]]
        assert of_slurm["ProcCnt"] == job["NumCPUs"]
        assert f"mem={job['MinMemoryNode']}" in of_slurm["Tres"]


def test_a_training_sees_one_device(study):
    """Slurm sets CUDA_VISIBLE_DEVICES, and the program falls back to the CPU where there is no such device."""
    for run in (CANCELLED, TIMED_OUT):
        assert study.visible[run] in ("0", "1")
        assert "no GPU is available: computing on the CPU" in training_log(study.folder, run).read_text()


@pytest.mark.parametrize(("run", "state"), [(CANCELLED, "CANCELLED"), (TIMED_OUT, "TIMEOUT")])
def test_an_interrupted_training_goes_on(study, undisturbed, run, state):
    first, second = trainings(study.jobs, run)
    assert first["JobState"] == state
    assert second["JobState"] == "COMPLETED"
    assert f"SLURM status is: '{state}'" in study.said
    resumed = re.search(r"resumed after (\d+) epochs and (\d+) steps", training_log(study.folder, run).read_text())
    assert resumed, "the second job began anew"
    assert (0, 0) < (int(resumed[1]), int(resumed[2])) < (EPOCHS, 0)
    path = Path(f"results/photos/supervised/{run}")
    assert_same_network(study.folder / path / "model.h5", undisturbed / path / "model.h5")
    timed = ["seconds", "images_per_second", "peak_memory_gib"]
    found, expected = (pd.read_csv(folder / path / "history.csv") for folder in (study.folder, undisturbed))
    assert len(expected) == EPOCHS
    pd.testing.assert_frame_equal(found.drop(columns=timed), expected.drop(columns=timed), check_exact=True)


def assert_same_network(found, expected):
    with h5py.File(found) as ours, h5py.File(expected) as theirs:
        assert ours["network"].keys() == theirs["network"].keys()
        for name, value in theirs["network"].items():
            assert np.array_equal(ours["network"][name][()], value[()]), name


def test_no_other_job_failed(study):
    states = sorted(job["JobState"] for job in study.jobs if job["JobState"] != "COMPLETED")
    assert states == ["CANCELLED", "TIMEOUT"]
