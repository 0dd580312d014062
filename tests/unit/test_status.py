import fcntl
import json
import subprocess
import sys
from contextlib import contextmanager

import pytest

from planning import status
from planning.dry_run import DryRunError, Job, read_jobs
from planning.status import Left, Work, at_work, describe, jobs_left, measured, projected, seconds_of, seconds_together

PRINTED = """
[Mon Nov 30 07:13:00 2026]
rule train_supervised:
    input: results/photos/data/images.h5, results/photos/data/images.sha256
    output: results/photos/supervised/seed0/model.h5, results/photos/supervised/seed0/scores.npz
    log: results/logs/photos/supervised/seed0/train_supervised.log
    jobid: 12
    benchmark: results/benchmarks/photos/supervised/seed0/train_supervised.jsonl
    reason: Missing output files: results/photos/supervised/seed0/scores.npz
    wildcards: study=photos, experiment=supervised, run=seed0
    priority: 1
    threads: 8
    resources: gpu=1, mem_mb=8000, tmpdir=/tmp
Shell command: python train_supervised.py --epochs 28 --checkpoint results/checkpoints/x 2> log

[Mon Nov 30 07:13:00 2026]
localrule all:
    input: results/report/report.pdf
    jobid: 0
    reason: Rules with a run or shell declaration but no output are always executed.
    resources: mem_mb=<TBD>
Shell command: None
Job stats:
job                 count
----------------  -------
all                     1
train_supervised        1
total                   2
"""


def job(rule="train_supervised", place="photos/supervised/seed0", threads=1, gpu=0, **options):
    wildcards = dict(zip(("study", "experiment", "run"), place.split("/"), strict=False))
    command = "python x.py" + "".join(f" --{name} {value}" for name, value in options.items()) + " 2> log"
    outputs = [f"results/{place}/scores.npz"]
    return Job(rule, wildcards, outputs, f"logs/{place}/{rule}.log", threads, {"gpu": gpu}, command)


@contextmanager
def held(folder):
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_history(folder, epochs):
    rows = "".join(f"{epoch},0.{epoch}5,10.0\n" for epoch in range(1, epochs + 1))
    (folder / "history.csv").write_text(f"epoch,validation_accuracy,seconds\n{rows}")


def write_benchmark(place, rule, seconds):
    path = status.BENCHMARKS / place / f"{rule}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"s": 99999.0}) + "\n" + json.dumps({"s": seconds}) + "\n")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder of a study, in which the program is started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_dry_run_is_read():
    training, all_made = read_jobs(PRINTED)
    assert training == Job(
        "train_supervised",
        {"study": "photos", "experiment": "supervised", "run": "seed0"},
        ["results/photos/supervised/seed0/model.h5", "results/photos/supervised/seed0/scores.npz"],
        "results/logs/photos/supervised/seed0/train_supervised.log",
        8,
        {"gpu": 1, "mem_mb": 8000, "tmpdir": "/tmp"},
        "python train_supervised.py --epochs 28 --checkpoint results/checkpoints/x 2> log",
    )
    assert (all_made.rule, all_made.command, all_made.threads) == ("all", None, 1)


# What is at work


def test_training_is_at_work_while_its_checkpoint_is_locked(here):
    training = job(checkpoint="folder", epochs=28)
    with held(here / "folder"):
        assert at_work([training]) == [Work(training, epochs=28)]
        write_history(here / "folder", 3)
        (work,) = at_work([training])
    assert work == Work(training, "", 28, 3, 30.0, "0.35")
    assert work.fraction == 3 / 28
    assert at_work([training]) == []  # killed, or stopped: its history stays


def test_round_is_told_whose_training_is_at_work(here):
    rounds = job("train_pseudo_label_rounds", checkpoint="folder", epochs=4)
    for number, epochs in ((2, 1), (5, 4)):  # the fifth is left of a run that was set aside
        (here / f"folder/round-{number}").mkdir(parents=True)
        (here / f"folder/round-{number}/lock").touch()
        write_history(here / f"folder/round-{number}", epochs)
    with held(here / "folder"), held(here / "folder/round-2"):
        (work,) = at_work([rounds])
    assert (work.part, work.done, work.epochs) == ("round 2", 1, 4)
    assert work.fraction == 0


def test_any_job_is_at_work_while_a_process_writes_its_log(here):
    features = job("extract_features")
    log = here / features.log
    log.parent.mkdir(parents=True)
    with log.open("w") as file:
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=file)
    try:
        assert at_work([features, job("train_svm")]) == [Work(features)]
    finally:
        process.kill()
        process.communicate()
    assert at_work([features]) == []


# How long the rest takes


def test_durations_are_those_of_the_nearest_jobs():
    write_benchmark("photos/supervised/seed0", "train_supervised", 10)
    write_benchmark("photos/supervised/fold0", "train_supervised", 20)
    write_benchmark("photos/plain/seed0", "train_supervised", 60)
    write_benchmark("mnist/plain/seed0", "train_supervised", 910)
    write_benchmark("photos/kmeans/seed0/epsilon1.0", "learn_centroids", 7)
    write_benchmark("photos", "evaluate", 3)
    finished = [measured(status.BENCHMARKS)]
    assert seconds_of(job(place="photos/supervised/seed1"), finished) == 15
    assert seconds_of(job(place="photos/another/seed0"), finished) == 30
    assert seconds_of(job(place="stl10/supervised/seed0"), finished) == 250
    assert seconds_of(job("learn_centroids", "photos/kmeans/seed1"), finished) == 7
    assert seconds_of(job("evaluate", "mnist"), finished) == 3
    assert seconds_of(job("train_fixmatch"), finished) is None


def test_benchmark_that_is_just_being_written(here):
    write_benchmark("photos/plain/seed0", "train_supervised", 60)
    for number, text in enumerate(("", '{"s": 1', "{}\n")):
        path = status.BENCHMARKS / f"photos/plain/fold{number}/train_supervised.jsonl"
        path.parent.mkdir()
        path.write_text(text)
    assert seconds_of(job(place="photos/plain/seed1"), [measured(status.BENCHMARKS)]) == 60


def test_training_at_work_counts_by_its_epochs_and_for_those_like_it():
    first, second = job(place="photos/supervised/seed0"), job(place="photos/supervised/seed1")
    works = [Work(first, epochs=40, done=10, seconds=100.0)]
    assert jobs_left([first, second], works, {}) == [Left(first, 300.0), Left(second, 400.0)]
    finished = {("photos", "supervised", "train_supervised"): [500.0]}
    assert jobs_left([first, second], works, finished) == [Left(first, 375.0), Left(second, 500.0)]


def test_nothing_is_projected_from_a_part_or_from_no_epoch():
    assert projected([Work(job(), "round 1", 4, 2, 10.0), Work(job(), "", 4), Work(job("extract_features"))]) == {}


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([Left(job(threads=1), 60.0)] * 8, 120.0),  # two on each core
        ([Left(job(threads=8), 60.0)] * 8, 480.0),  # one after the other, on all cores
        ([Left(job(threads=1, gpu=1), 60.0)] * 8, 480.0),  # one GPU
        ([Left(job(threads=1), 600.0), Left(job(threads=1), 60.0), Left(job(), None)], 600.0),
    ],
)
def test_seconds_together(jobs, expected):
    assert seconds_together(jobs, 4) == expected


# In words


def scores(**studies):
    return {
        study: [f"results/{study}/supervised/seed{seed}/scores.npz" for seed in range(count)]
        for study, count in studies.items()
    }


def test_nothing_was_begun():
    left = [Left(job(), None), Left(job("evaluate", "photos"), None)]
    assert describe(scores(photos=1), left, [], 2) == "Nothing was begun here: 2 jobs for 1 run lie ahead."


def test_everything_is_finished():
    said = describe(scores(photos=2, mnist=1), [], [], 2)
    assert said == "Everything is finished: 3 runs, and all that is made of them."


def test_a_study_under_way():
    rules = [job(f"rule_{number}", "photos") for number in range(15)]
    waiting = job("train_svm", "photos/supervised/seed1")
    training = job(place="photos/supervised/seed0")
    left = [Left(training, 7300.0), Left(waiting, None), *(Left(part, 100.0 - n) for n, part in enumerate(rules))]
    assert describe(scores(photos=3, mnist=1), left, [Work(training, "", 28, 3, 30.0, "0.5671")], 4).splitlines() == [
        "photos: 1 of 3 runs finished",
        "mnist: 1 of 1 run finished",
        "",
        "At work:",
        "  photos/supervised/seed0  train_supervised  epoch 3 of 28 done, validation 0.567",
        "",
        "Left, what is at work included:",
        "  train_supervised  1 job   2.0 h",
        *(f"  {f'rule_{number}':16}  1 job   {100 - number} s" for number in range(11)),
        "  4 other rules     4 jobs  6 min",
        "  train_svm         1 job   unknown",
        "In all 17 jobs, about 2.0 h on 4 cores, beside 1 job of unknown length.",
    ]


def test_nothing_is_known_and_nothing_at_work():
    names = ("one", "two", "two", "three", "four", "five")
    left = [Left(job(rule, f"photos/{rule}/seed{number}"), None) for number, rule in enumerate(names)]
    assert describe(scores(photos=1), left, [], 1).splitlines() == [
        "photos: 1 of 1 run finished",
        "",
        "Nothing is at work.",
        "",
        "Left, what is at work included:",
        "  two, one, three, 2 others  6 jobs  unknown",
        "In all 6 jobs, of unknown length.",
    ]


def test_a_screen_is_enough_for_many_cores():
    jobs = [job(f"rule_{number}", f"photos/e{number}/seed0") for number in range(60)]
    said = describe(scores(photos=60), [Left(part, 1.0) for part in jobs], [Work(part) for part in jobs], 64)
    assert len(said.splitlines()) < 40
    assert "  and 48 more" in said


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (119, "119 s"), (120, "2 min"), (7300, "2.0 h"), (90000, "25.0 h"), (864000, "10.0 days")],
)
def test_durations_in_words(seconds, words):
    assert status._duration(seconds) == words


# The program


def test_bad_configuration_is_one_line(here):
    (here / "mine.yaml").write_text("studies: {photos: {baseline: none}}\n")
    with pytest.raises(SystemExit, match=r"^config error: studies\.photos"):
        status.main(["--configfile", "mine.yaml"])


def test_what_snakemake_says_against_it(monkeypatch):
    def fail(options):
        assert options == ["--cores", "3", "--resources", "gpu=0"]
        raise DryRunError("what it said")

    monkeypatch.setattr(status, "planned_jobs", fail)
    with pytest.raises(SystemExit, match=r"^what it said$"):
        status.main(["--cores", "3", "--resources", "gpu=0"])
