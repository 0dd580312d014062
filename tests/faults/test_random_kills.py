"""The demonstration killed at random moments, everything of it at once, and started again until it is done."""

import base64
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
import torch
from results import digests, result_files

from fixtures_demo import REPORT, demo_command
from fixtures_snakemake import environment
from workflow.clones import clone

AIMED = 3  # more of them, which after their random moment wait for a training to take a step
KILLS = 17 + AIMED
LONGEST = 9.0  # seconds until a kill: Snakemake plans for two or three of them, and most jobs take as long
PLAIN_UNLOCKS = 3  # for the others only the file that `snakemake --unlock` deletes is deleted, to save its start
PART = ("results/photos/coates/seed3/scores.npz", "results/photos/supervised/seed3/history.csv")


def command(folder, *arguments):
    return [sys.executable, *demo_command(folder, *arguments)]


def kill_group(process):
    """Kill Snakemake and all of its jobs; return when they are gone."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    deadline = time.monotonic() + 2  # where nobody collects dead orphans, their group stays
    try:
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.02)
    except ProcessLookupError:
        pass


def still_runs(process, seconds, checkpoints=None):
    """Wait for so long, or for the end; given a folder also until a training has just written a checkpoint there."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
    since = time.time()
    while checkpoints and process.poll() is None and not takes_steps(checkpoints, since):
        time.sleep(0.02)
    return process.poll() is None


def takes_steps(checkpoints, since):
    """Tell whether a training that has not ended wrote a checkpoint after this time, in seconds since the epoch."""
    with suppress(FileNotFoundError):  # folders of single rounds go when the round ends
        for path in checkpoints.rglob("checkpoint.pt"):
            if path.stat().st_mtime > since and "finished" not in torch.load(path, weights_only=True)["state"]:
                return True
    return False


def resumed(folder):
    """Tell whether the log of a training says that it went on from a checkpoint."""
    return any("resumed after" in path.read_text() for path in (folder / "results/logs").rglob("train_*.log"))


def unlock(folder, plainly):
    if plainly:
        subprocess.run(command(folder, "--unlock"), cwd=folder, env=environment(), check=True, capture_output=True)
    else:
        shutil.rmtree(folder / ".snakemake/locks", ignore_errors=True)


def finished(folder):
    """Return size and time of every result whose job Snakemake has noted as done, by path."""
    noted, under_way = (
        {base64.urlsafe_b64decode(path.name).decode() for path in (folder / ".snakemake" / kind).glob("*")}
        for kind in ("metadata", "incomplete")
    )
    paths = [path for path in result_files(folder) if f"results/{path}" in noted - under_way]
    stats = {path: (folder / "results" / path).stat() for path in paths}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


def same_as_undisturbed(folder, undisturbed):
    """Tell whether every result in the folder is one of the undisturbed run, byte for byte."""
    return digests(folder).items() <= undisturbed.items()


@pytest.fixture(scope="module")
def undisturbed(demo):
    """The checksums of the results of a run that nothing disturbed, by path."""
    return digests(demo)


@pytest.fixture
def eager(tmp_path):
    """A clone whose trainings write a checkpoint after every step, not once a minute, as they last seconds."""
    folder = clone(tmp_path / "eager")
    path = folder / "workflow_scripts/semisup/run_options.py"
    often = path.read_text().replace("\nCHECKPOINT_SECONDS = 60.0\n", "\nCHECKPOINT_SECONDS = 0.0\n")
    assert often != path.read_text()
    path.write_text(often)
    return folder


def test_killed_at_random_moments(start, undisturbed, eager, fault):
    """At each kill every result is whole or not there; at the end all are what they are without a kill."""
    rng = random.Random(0)
    words = command(eager, "--", REPORT)
    log, checkpoints = eager / "snakemake.log", eager / "results/checkpoints"
    kills, done, most, went_on = 0, {}, 0, False
    while kills < KILLS:
        log.unlink(missing_ok=True)
        process = start(words, eager)
        if still_runs(process, rng.uniform(0.3, LONGEST), checkpoints if kills < AIMED else None):
            with fault("SIGKILL of the workflow at a random moment") as counts:
                kill_group(process)
                kills += 1
                assert same_as_undisturbed(eager, undisturbed)
                for checkpoint in checkpoints.rglob("checkpoint.pt"):
                    torch.load(checkpoint, weights_only=True)
                now = finished(eager)
                lost = {path: size for path, (size, _) in done.items() if now.get(path) != done[path]}
                counts["bytes lost"] += sum(lost.values())
                assert lost == {}, "what was done before a kill is not made again"
                done, most = now, max(most, len(now))
                unlock(eager, plainly=kills <= PLAIN_UNLOCKS)
            went_on |= resumed(eager)
        else:  # done before its time: once more from the beginning
            assert process.returncode == 0, log.read_text()
            assert digests(eager) == undisturbed
            went_on |= resumed(eager)
            shutil.rmtree(eager / "results")
            done = {}
    assert start(words, eager).wait(timeout=1200) == 0, log.read_text()
    assert done.items() <= finished(eager).items()
    assert most > 5, "the kills came too early for any job to end"
    assert digests(eager) == undisturbed
    assert list((eager / "results").rglob(".*.tmp")) == []
    assert list((eager / "results").rglob("set-aside-*")) == []
    assert went_on or resumed(eager), "no kill came in the middle of a training"


def test_second_run_in_the_same_folder(start, undisturbed, tmp_path, fault):
    """It is refused in words, and the first one goes on as if it were alone."""
    folder = clone(tmp_path / "clone")
    words = command(folder, "--", *PART)
    first = start(words, folder)
    log = folder / "results/logs/photos/prepare_photos.log"
    deadline = time.monotonic() + 120
    while not log.exists():
        assert first.poll() is None, (folder / "snakemake.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with fault("second run in the folder of a first"):
        second = subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
        assert first.poll() is None, "the first one ended before the second one was refused"
        said = second.stdout + second.stderr
        assert second.returncode != 0
        assert "LockException" in said
        assert "no other Snakemake process is trying to create the same files" in said
        assert "--unlock" in said
        assert "Traceback" not in said
        assert first.wait(timeout=1200) == 0, (folder / "snakemake.log").read_text()
        assert all((folder / path).exists() for path in PART)
        assert same_as_undisturbed(folder, undisturbed)


def test_two_runs_started_at_once(start, undisturbed, tmp_path, fault):
    """No result is wrong at any time, and the next run makes all.

    Nothing is said here of how many are refused: Snakemake looks for a lock and sets its own in two steps, so both may
    get in, and then one may fail as the other deletes what it is about to make.
    """
    folder = clone(tmp_path / "clone")
    words = command(folder, "--", *PART)  # once: it writes the configuration, which the first one may be reading
    for again in ("results", *PART):
        made = folder / again
        if made.is_dir():
            shutil.rmtree(made)
        else:
            made.unlink(missing_ok=True)
        with fault("two runs started at once"):
            for process in [start(words, folder), start(words, folder, "second.log")]:
                process.wait(timeout=1200)
            assert same_as_undisturbed(folder, undisturbed)
            assert start(words, folder).wait(timeout=1200) == 0, (folder / "snakemake.log").read_text()
            assert all((folder / path).exists() for path in PART)
            assert same_as_undisturbed(folder, undisturbed)
            assert list((folder / "results").rglob(".*.tmp")) == []
