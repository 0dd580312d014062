"""The workflow killed at random moments, everything of it at once, and started again until it is done."""

import base64
import os
import random
import shutil
import signal
import subprocess
import time

import pytest
from results import digests, result_files

from fixtures_snakemake import command_of, environment

KILLS = 25
LONGEST = 12.0  # seconds until a kill: Snakemake plans for some four of them, and a job takes as long
PLAIN_UNLOCKS = 3  # for the others only the file that `snakemake --unlock` deletes is deleted, to save its start
STUDY = {
    "dataset": "photos",
    "seeds": [0],
    "baseline": "kmeans",
    "experiments": {
        "kmeans": {
            "method": "kmeans",
            "image_size": 32,
            "patch_size": 6,
            "stride": 6,
            "patch_images": 40,
            "patches_per_image": 5,
            "centroids": 20,
            "iterations": 2,
            "whitening_epsilon": [0.1],
            "svm_c": [0.001],
            "svm_iterations": [50],
            "folds": True,
        },
        "supervised": {"method": "cnn", "epochs": 4, "batch_size": 20, "ema_decay": 0.9},
        "surrogate": {
            "method": "surrogate",
            "seed_patches": 20,
            "samples_per_class": 10,
            "epochs": 2,
            "batch_size": 20,
            "svm_c": [0.001],
        },
        "rounds": {"method": "kmeans_rounds", "base": "kmeans", "rounds": 2, "candidates": 20, "accepted": 10},
    },
}
SIZES = {"train_images": 100, "validation_images": 50, "unlabeled_images": 100, "test_images": 50}
CONFIG = {
    "data": {"photos": {**SIZES, "folds": 2, "fold_images": 50}},
    "evaluation": {"bootstrap_samples": 100},
    "figures": {"perplexity": 3.0, "neighbors": 2},
    "theory": {"parts": []},
    "studies": {"stl10": None, "mnist": None, "photos": STUDY},
}
TARGETS = ("results/photos/comparison.csv", "results/photos/kmeans/seed0/predictions.csv")
TARGETS += ("results/photos/figures/training.pdf",)


def command(folder, *arguments):
    return command_of(folder, "demo", CONFIG, "--cores", 2, *arguments, "--", *TARGETS)


def start(folder, log="snakemake.log", words=None):
    """Start Snakemake, or the command `words`, in a process group of its own, as a shell does."""
    with (folder / log).open("w") as file:
        return subprocess.Popen(
            words or command(folder),
            env=environment(),
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def finish(folder):
    """Run to the end."""
    code = start(folder).wait(timeout=600)
    assert code == 0, (folder / "snakemake.log").read_text()


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


def unlock(folder, plainly):
    if plainly:
        subprocess.run(command(folder, "--unlock"), check=True, capture_output=True)
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


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The checksums of the results of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    finish(folder)
    return digests(folder)


def test_killed_at_random_moments(undisturbed, tmp_path, fault):
    """At each kill every result is whole or not there; at the end all are what they are without a kill."""
    rng = random.Random(0)
    kills, done, most = 0, {}, 0
    while kills < KILLS:
        process = start(tmp_path)
        try:
            assert process.wait(timeout=rng.uniform(0.3, LONGEST)) == 0, (tmp_path / "snakemake.log").read_text()
        except subprocess.TimeoutExpired:
            with fault("SIGKILL of the workflow at a random moment") as counts:
                kill_group(process)
                kills += 1
                found = digests(tmp_path)
                assert {path: undisturbed[path] for path in found} == found
                now = finished(tmp_path)
                lost = {path: size for path, (size, _) in done.items() if now.get(path) != done[path]}
                counts["bytes lost"] += sum(lost.values())
                assert lost == {}, "what was done before a kill is not made again"
                done, most = now, max(most, len(now))
                unlock(tmp_path, plainly=kills <= PLAIN_UNLOCKS)
        else:  # done before its time: once more from the beginning
            assert digests(tmp_path) == undisturbed
            shutil.rmtree(tmp_path / "results")
            done = {}
    finish(tmp_path)
    assert done.items() <= finished(tmp_path).items()
    assert most > 5, "the kills came too early for any job to end"
    assert digests(tmp_path) == undisturbed
    assert list((tmp_path / "results").rglob(".*.tmp")) == []


def test_second_run_in_the_same_folder(undisturbed, tmp_path, fault):
    """It is refused in words, and the first one goes on as if it were alone."""
    first = start(tmp_path)
    log = tmp_path / "results/logs/photos/prepare_photos.log"
    deadline = time.monotonic() + 120
    while not log.exists():
        assert first.poll() is None, (tmp_path / "snakemake.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with fault("second run in the folder of a first"):
        second = subprocess.run(command(tmp_path), capture_output=True, text=True, check=False)
        assert first.poll() is None, "the first one ended before the second one was refused"
        said = second.stdout + second.stderr
        assert second.returncode != 0
        assert "LockException" in said
        assert "no other Snakemake process is trying to create the same files" in said
        assert "--unlock" in said
        assert "Traceback" not in said
        assert first.wait(timeout=600) == 0, (tmp_path / "snakemake.log").read_text()
        assert digests(tmp_path) == undisturbed


def test_two_runs_started_at_once(undisturbed, tmp_path, fault):
    """Each is refused or does its work, one of them at least, and the results are what they are of one run.

    Both may end well: Snakemake looks for a lock and sets its own in two steps, and one may come when the other is
    done. So nothing is said here of how many are refused, only that two that work side by side do no harm.
    """
    words = command(tmp_path)  # once: it writes the configuration, which the first one may be reading
    logs = ("first.log", "second.log")
    for again in ("results", *TARGETS):
        made = tmp_path / again
        if made.is_dir():
            shutil.rmtree(made)
        else:
            made.unlink(missing_ok=True)
        with fault("two runs started at once"):
            processes = [start(tmp_path, log, words) for log in logs]
            codes = [process.wait(timeout=600) for process in processes]
            said = [(tmp_path / log).read_text() for log in logs]
            assert 0 in codes, said
            for code, text in zip(codes, said, strict=True):
                assert code == 0 or "LockException" in text, text
                assert "Traceback" not in text
            assert digests(tmp_path) == undisturbed
            assert list((tmp_path / "results").rglob(".*.tmp")) == []
