"""Snakemake and its training killed in the middle, for real; the same command again ends with the same weights."""

import os
import signal
import subprocess
import time

import h5py
import numpy as np
import pytest

from fixtures_snakemake import command_of, environment

TARGET = "results/photos/supervised/seed0/model.h5"
LOG = "results/logs/photos/supervised/seed0/train_supervised.log"
CHECKPOINT = "results/checkpoints/photos/supervised/seed0/train_supervised"
CONFIG = {
    "data": {"photos": {"train_images": 100, "validation_images": 50, "unlabeled_images": 50, "test_images": 50}},
    "figures": {"perplexity": 3.0, "neighbors": 2},
    "studies": {
        "stl10": None,
        "mnist": None,
        "photos": {
            "dataset": "photos",
            "seeds": [0],
            "baseline": "supervised",
            "experiments": {"supervised": {"method": "supervised", "epochs": 8, "batch_size": 20, "ema_decay": 0.9}},
        },
    },
}


def command(folder, *arguments):
    """Snakemake on the configuration above, one core."""
    return command_of(folder, "demo", CONFIG, "--cores", 1, *arguments, "--", TARGET)


def finish(start, folder):
    """Run the command to its end; return what Snakemake and the training have said."""
    return said_by(start(command(folder), folder), folder)


def said_by(process, folder):
    """Wait for Snakemake to end well; return what it and the training have said."""
    code = process.wait(timeout=300)
    log = (folder / "snakemake.log").read_text()
    assert code == 0, log
    return log + (folder / LOG).read_text()


def wait_for_training(folder, process):
    """Return when the training has begun, and has had time for a step or two."""
    wait_for_words("training: 8 epochs", folder, process)
    time.sleep(0.5)


def wait_for_words(words, folder, process):
    """Return when the training has said these words; the process is that of Snakemake."""
    log = folder / LOG

    def said():
        assert process.poll() is None, (folder / "snakemake.log").read_text()
        return log.exists() and words in log.read_text()

    wait_for(said)


def wait_for(happened):
    """Return when the function says that something has happened."""
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def weights(folder):
    with h5py.File(folder / TARGET) as file:
        return {name: value[()] for name, value in file["network"].items()}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    subprocess.run(command(folder), env=environment(), check=True, capture_output=True)
    return weights(folder)


def assert_equal(folder, expected):
    found = weights(folder)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert np.array_equal(found[name], value), name


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_signal_to_the_terminal_group(start, tmp_path, uninterrupted, number, fault):
    """Ctrl-C, or what a scheduler sends when time is up: the training saves itself, and goes on the next time."""
    process = start(command(tmp_path), tmp_path)
    wait_for_training(tmp_path, process)
    with fault("signal to the workflow in mid-training"):
        os.killpg(process.pid, number)
        assert process.wait(timeout=60) != 0, (tmp_path / "snakemake.log").read_text()
        assert not (tmp_path / TARGET).exists()
        wait_for(lambda: (tmp_path / CHECKPOINT / "checkpoint.pt").exists())  # it may outlive Snakemake by a step
        assert "resumed after" in finish(start, tmp_path)
        assert_equal(tmp_path, uninterrupted)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_signal_to_snakemake_alone(start, tmp_path, uninterrupted, number, fault):
    """It waits for the training. After SIGINT it throws the outputs away; the finished checkpoint brings them back."""
    process = start(command(tmp_path), tmp_path)
    wait_for_training(tmp_path, process)
    with fault("signal to the workflow in mid-training"):
        process.send_signal(number)
        process.wait(timeout=120)
        said = finish(start, tmp_path)
        assert ("has ended before" in said) == (number == signal.SIGINT)
        assert_equal(tmp_path, uninterrupted)


def test_sigkill_of_the_whole_group(start, tmp_path, uninterrupted, fault):
    """So early that there is no checkpoint yet; test_random_kills.py kills trainings that have one."""
    process = start(command(tmp_path), tmp_path)
    wait_for_training(tmp_path, process)
    with fault("SIGKILL in mid-training"):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=60)
        subprocess.run(command(tmp_path, "--unlock"), check=True, capture_output=True)
        finish(start, tmp_path)
        assert_equal(tmp_path, uninterrupted)


def test_sigkill_of_snakemake_alone(start, tmp_path, uninterrupted, fault):
    """The training goes on as an orphan; the next one waits for it and takes what it has made."""
    process = start(command(tmp_path), tmp_path)
    wait_for_training(tmp_path, process)
    with fault("SIGKILL in mid-training"):
        process.kill()
        process.wait(timeout=60)
        os.killpg(process.pid, signal.SIGSTOP)  # or it might end before the next one begins
        subprocess.run(command(tmp_path, "--unlock"), check=True, capture_output=True)
        successor = start(command(tmp_path), tmp_path)
        wait_for_words("waiting for it to end", tmp_path, successor)
        os.killpg(process.pid, signal.SIGCONT)
        assert "has ended before" in said_by(successor, tmp_path)
        assert_equal(tmp_path, uninterrupted)
