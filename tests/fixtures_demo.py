"""The tiny demonstration, run once in a clone for all tests, and the commands of its jobs to run again at will."""

import importlib
import json
import os
import re
import shlex
from functools import partial
from pathlib import Path
from typing import NamedTuple

import yaml

from faults.programs import run_forked
from fixtures_machine import HAS_LATEX
from workflow.clones import ROOT, run_python, run_snakemake

TINY = yaml.safe_load((ROOT / "tests/e2e/config.tiny.yaml").read_text())
REPORT = "results/report/report.tex"  # predictions and provenance are among its sources
PAGE = "results/report/index.html"
SITE = ROOT / "tests/loaded"  # whose sitecustomize makes every program note what it has loaded
WHOLE = [] if HAS_LATEX else ["--", REPORT, PAGE]  # what is asked for: all, typeset where LaTeX is installed


class Job(NamedTuple):
    """A job of the demonstration: its program and arguments, and the files that it reads and writes.

    All paths are relative to the folder of the demonstration.
    """

    program: str
    arguments: list[str]
    inputs: list[str]
    outputs: list[str]


MODEL, IMAGES = "results/photos/coates/seed3/model.h5", "results/photos/data/images.h5"
PREDICTIONS = "results/photos/predictions/coates.csv"
PREDICT = Job(
    "predict",
    ["--model", MODEL, "--images", IMAGES, "--predictions", PREDICTIONS, "--kaggle"],
    [MODEL, IMAGES],
    [PREDICTIONS],
)


def demo_command(folder, *arguments):
    """The arguments of Python that run the tiny demonstration in the clone at `folder`, as `make report` does.

    Every job has one thread, as in the tests that run it again: the last bits depend on the number.
    """
    (folder / "config.tiny.json").write_text(json.dumps(TINY))
    profile = ("--workflow-profile", "profiles/demo", "--configfile", "config.tiny.json")
    return ["-m", "snakemake", "--cores", "2", "--max-threads", "1", *profile, *arguments]


def run_demo(folder, *arguments, before=()):
    """Run the tiny demonstration in the clone at `folder`; return the finished process. before: a prefix."""
    notes = folder.with_name(f"{folder.name}.loaded")
    notes.mkdir(exist_ok=True)
    changes = {"PYTHONPATH": str(SITE), "LOADED": str(notes)}
    process = run_python(*demo_command(folder, *arguments), before=before, cwd=folder, environment=changes)
    assert process.returncode == 0, process.stdout + process.stderr
    return process


def notes_of(folder):
    """By program, which of the large libraries some job of the demonstration in that folder had loaded at its end."""
    notes = {}
    for path in folder.with_name(f"{folder.name}.loaded").iterdir():
        notes.setdefault(path.name.split(".")[0], set()).update(path.read_text().split())
    return notes


def read_jobs(clone, scratch):
    """Return one job of each program, by program: the first one of those of seeds, which have the most to do.

    Beside those of the rules the program that a user runs by hand, as if it made what a rule makes from the scores.

    scratch: an empty folder.
    """
    jobs = read_all_jobs(clone, scratch)
    first = {program: min(some, key=lambda job: (_of_fewer_labels(job), job.outputs)) for program, some in jobs.items()}
    return first | {"predict": PREDICT}


def read_all_jobs(clone, scratch, run=run_snakemake):
    """Return the jobs of each program, by program; scratch: an empty folder; run: `run_snakemake`, or `run_python`."""
    script = ROOT / "tests/workflow/dump_dag.py"
    (scratch / "config.json").write_text(json.dumps(TINY))
    process = run(script, clone / "Snakefile", scratch, scratch / "config.json", REPORT, PAGE, cwd=scratch)
    assert process.returncode == 0, process.stderr
    jobs = {}
    for described in json.loads(process.stdout)["jobs"]:
        words = without_standard_input(shlex.split(described["shell"].split(" 2> ")[0]))
        if words[:1] == ["python"]:
            # Of a folder of figures or predictions, the files in it, which the command names.
            written = [word for word in words[2:] if any(_is_in(word, path) for path in described["outputs"])]
            job = Job(Path(words[1]).stem, words[2:], described["inputs"], written)
            jobs.setdefault(job.program, []).append(job)
    return jobs


def without_standard_input(words):
    """The words of a command to which its plan is given as an argument, as short ones may be."""
    if "<<<" not in words:
        return words
    *command, _, plan = words
    return [plan if word == "-" else word for word in command]


def _is_in(path, place):
    return path == place or path.startswith(f"{place}/")


def _of_fewer_labels(job):
    return any(re.search(r"/(fold|labels)\d", path) for path in job.outputs)


def redirected(job, changes, output_folder):
    """Return the job's arguments with some input paths changed, and all that it writes below `output_folder`."""
    written = {path: str(output_folder / path) for path in job.outputs}
    places = [number + 1 for number, word in enumerate(job.arguments) if word == "--checkpoint"]
    written |= {job.arguments[number]: str(output_folder / job.arguments[number]) for number in places}
    return [_with_path(word, written | changes) for word in job.arguments]


def path_of(word):
    """The path in a word of a command, which may stand there as NAME=PATH."""
    return word.rpartition("=")[2]


def _with_path(word, changes):
    path = path_of(word)
    return word.removesuffix(path) + changes.get(path, path)


def run_job(job, demo, arguments, scratch, around=None):
    """Run the program of a job in the folder of the demonstration; return its exit code and what it said.

    around: what calls `main(arguments)` in its stead, given both.
    """
    module = importlib.import_module(job.program)  # before the fork, so once for all tests
    main = partial(around, module.main) if around else module.main
    return run_forked(scratch, _run_in, demo, main, arguments)


def _run_in(folder, main, arguments):
    os.chdir(folder)
    main(arguments)


def left_in(folder):
    """Return the files below `folder`, but for locks, which are empty and stay on purpose."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
