"""Tell which runs of a study are finished, what is at work, and about how long the rest takes. Starts nothing."""

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import mean
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from snakemake.utils import available_cpu_count, update_config  # noqa: E402 (as the modules below, which are not found before)

from planning.config import checked_config, config_schema, experiment_runs, read_yaml  # noqa: E402
from planning.config_files import ConfigError, check_file  # noqa: E402
from planning.dry_run import DryRunError, Job, planned_jobs  # noqa: E402
from semisup.checkpoint_files import epochs_so_far, is_locked  # noqa: E402

BENCHMARKS = Path("results/benchmarks")
LONGEST_LIST = 12  # lines, so that all fits on a screen
NAMED = 3  # rules of unknown length
MINUTE, HOUR, DAY = 60, 3600, 86400

Durations = dict[tuple[str, ...], list[float]]  # seconds of jobs, by (study, experiment, rule), (study, rule), (rule,)


class Work(NamedTuple):
    """How far a job is that is at work.

    part: of a training that consists of several ("round 2"). epochs: those of the training, 0 if it has none; done:
    so many of them have ended, after `seconds` and with this validation accuracy.
    """

    job: Job
    part: str = ""
    epochs: int = 0
    done: int = 0
    seconds: float = 0.0
    validation: str = ""

    @property
    def fraction(self) -> float:
        """What part of the job is done, as far as it shows."""
        return self.done / self.epochs if self.epochs and not self.part else 0.0


# What is finished, and what is at work


def planned_scores(config: Mapping) -> dict[str, list[str]]:
    """Return for each study the files that its runs end with."""
    return {
        study: [
            f"results/{study}/{experiment}/{run}/scores.npz"
            for experiment in content["experiments"]
            for run in experiment_runs(config, study, experiment)
        ]
        for study, content in config["studies"].items()
    }


def at_work(jobs: Iterable[Job]) -> list[Work]:
    """Return the jobs that a process is at work on: whatever was killed is not.

    Snakemake's own marks outlive it when it is killed. So a job counts if a process of this machine writes its log or,
    on any machine, holds the lock of its checkpoint.
    """
    logs = _files_as_stderr()
    works = []
    for job in jobs:
        folder = _option(job, "checkpoint")
        if folder and is_locked(Path(folder)):
            works.append(_training(job, Path(folder)))
        elif str(Path(job.log).resolve()) in logs:
            works.append(Work(job))
    return works


def _files_as_stderr() -> set[str]:
    """Return what the processes of this machine, as far as we may look, have as their stderr."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found.add(str((process / "fd/2").readlink()))
    return found


def _option(job: Job, name: str) -> str | None:
    """Return the value of an option in the job's command."""
    match = re.search(rf" --{name} (\S+)", job.command or "")
    return match.group(1) if match else None


def _training(job: Job, folder: Path) -> Work:
    """Return how far a job is that holds the lock of this checkpoint: its own training, or that of its round."""
    inner = next((part.parent for part in folder.glob("*/lock") if is_locked(part.parent)), folder)
    rows = epochs_so_far(inner)
    return Work(
        job,
        "" if inner == folder else inner.name.replace("-", " "),
        int(_option(job, "epochs") or 0),
        len(rows),
        sum(float(row["seconds"]) for row in rows),
        rows[-1]["validation_accuracy"] if rows else "",
    )


# How long the rest takes


def measured(benchmarks: Path) -> Durations:
    """Return how long finished jobs took."""
    durations: Durations = defaultdict(list)
    for path in benchmarks.rglob("*.jsonl"):
        with suppress(OSError, ValueError, LookupError):  # just being written
            seconds = float(json.loads(path.read_text(encoding="utf-8").splitlines()[-1])["s"])
            _note(durations, path.relative_to(benchmarks).parent.parts[:2], path.stem, seconds)
    return durations


def projected(works: Iterable[Work]) -> Durations:
    """Return how long trainings that are at work will have taken, by the epochs that they have done."""
    durations: Durations = defaultdict(list)
    for work in works:
        if work.fraction:
            _note(durations, _place(work.job), work.job.rule, work.seconds / work.fraction)
    return durations


def _place(job: Job) -> tuple[str, ...]:
    """Return study and experiment of a job, as far as it has them."""
    return tuple(job.wildcards[name] for name in ("study", "experiment") if name in job.wildcards)


def _note(durations: Durations, place: tuple[str, ...], rule: str, seconds: float) -> None:
    for depth in range(len(place) + 1):
        durations[(*place[:depth], rule)].append(seconds)


def seconds_of(job: Job, sources: Sequence[Durations]) -> float | None:
    """Return the mean seconds of jobs of the same experiment and rule, else of the same study, else of the same rule.

    sources: for each of these the first one that knows any counts. None if none does.
    """
    place = _place(job)
    for depth in range(len(place), -1, -1):
        for durations in sources:
            if found := durations.get((*place[:depth], job.rule)):
                return mean(found)
    return None


class Left(NamedTuple):
    """A job that is not finished, and the seconds that are left of it; None if nobody knows."""

    job: Job
    seconds: float | None


def jobs_left(jobs: Iterable[Job], works: Iterable[Work], finished: Durations) -> list[Left]:
    """Return what is left of each job."""
    fractions = {work.job.log: work.fraction for work in works}
    sources = (finished, projected(works))
    left = []
    for job in jobs:
        seconds = seconds_of(job, sources)
        left.append(Left(job, None if seconds is None else seconds * (1 - fractions.get(job.log, 0.0))))
    return left


def seconds_together(left: Sequence[Left], cores: int) -> float:
    """Return about how long these jobs take side by side, of those whose length is known.

    It is the longest of three: what all cores need, what one GPU needs, and the longest job.
    """
    known = [(part.job, part.seconds) for part in left if part.seconds is not None]
    on_cores = sum(min(job.threads, cores) * seconds for job, seconds in known) / cores
    on_gpu = sum(seconds for job, seconds in known if job.resources.get("gpu"))
    return max([on_cores, on_gpu, *(seconds for _, seconds in known)])


# In words


def describe(scores: Mapping[str, Sequence[str]], left: Sequence[Left], works: Sequence[Work], cores: int) -> str:
    """Return what there is to say, in lines."""
    runs = _count(sum(map(len, scores.values())), "run")
    if not left:
        return f"Everything is finished: {runs}, and all that is made of them."
    waiting = {output for part in left for output in part.job.outputs}
    finished = {study: sum(path not in waiting for path in paths) for study, paths in scores.items()}
    if not works and not any(finished.values()) and not any((BENCHMARKS / study).exists() for study in scores):
        return f"Nothing was begun here: {_count(len(left), 'job')} for {runs} lie ahead."
    lines = [f"{study}: {finished[study]} of {_count(len(paths), 'run')} finished" for study, paths in scores.items()]
    return "\n".join([*lines, "", *_works_in_words(works), "", *_left_in_words(left, cores)])


def _works_in_words(works: Sequence[Work]) -> list[str]:
    if not works:
        return ["Nothing is at work."]
    rows = [("/".join(work.job.wildcards.values()), work.job.rule, _progress_in_words(work)) for work in works]
    more = [f"  and {len(rows) - LONGEST_LIST} more"] if len(rows) > LONGEST_LIST else []
    return ["At work:", *_columns(rows[:LONGEST_LIST]), *more]


def _progress_in_words(work: Work) -> str:
    words = [work.part] if work.part else []
    if work.epochs:
        words.append(f"epoch {work.done} of {work.epochs} done")
    if work.validation:
        words.append(f"validation {float(work.validation):.3f}")
    return ", ".join(words)


def _left_in_words(left: Sequence[Left], cores: int) -> list[str]:
    """Return a table of the rules, longest first, and the sum."""
    known = _by_rule(part for part in left if part.seconds is not None)
    seconds = {rule: sum(part.seconds or 0 for part in parts) for rule, parts in known.items()}
    rules = sorted(known, key=lambda rule: -seconds[rule])
    rows = [(rule, _count(len(known[rule]), "job"), _duration(seconds[rule])) for rule in rules[:LONGEST_LIST]]
    if others := rules[LONGEST_LIST:]:
        jobs, together = sum(len(known[rule]) for rule in others), sum(seconds[rule] for rule in others)
        rows.append((_count(len(others), "other rule"), _count(jobs, "job"), _duration(together)))
    unknown = _by_rule(part for part in left if part.seconds is None)
    jobs = sum(map(len, unknown.values()))
    if unknown:
        rows.append((_first_of(unknown), _count(jobs, "job"), "unknown"))
    length = "of unknown length"
    if known:
        length = f"about {_duration(seconds_together(left, cores))} on {_count(cores, 'core')}"
        length += f", beside {_count(jobs, 'job')} of unknown length" if unknown else ""
    total = f"In all {_count(len(left), 'job')}, {length}."
    return ["Left, what is at work included:", *_columns(rows), total]


def _by_rule(left: Iterable[Left]) -> dict[str, list[Left]]:
    groups: dict[str, list[Left]] = defaultdict(list)
    for part in left:
        groups[part.job.rule].append(part)
    return groups


def _first_of(groups: Mapping[str, Sequence[Left]]) -> str:
    """Return the rules with most jobs, and how many others there are."""
    rules = sorted(groups, key=lambda rule: -len(groups[rule]))
    others = [f"{len(rules) - NAMED} others"] if len(rules) > NAMED else []
    return ", ".join([*rules[:NAMED], *others])


def _duration(seconds: float) -> str:
    """Return seconds as words of one or two units."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    if seconds < 2 * DAY:
        return f"{seconds / HOUR:.1f} h"
    return f"{seconds / DAY:.1f} days"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of texts as lines whose columns begin below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return [f"  {line.rstrip()}" for line in lines]


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="All else goes to Snakemake: give the options of the command that makes the study, in its folder.",
        allow_abbrev=False,
    )
    parser.add_argument("-c", "--cores", default="all", help="a number, or all")
    parser.add_argument("--configfile", nargs="+", default=[], help="differences from config.yaml")
    options, others = parser.parse_known_args(arguments)

    try:
        config = read_yaml(ROOT / "config.yaml")
        for file in options.configfile:
            check_file(file)
            update_config(config, read_yaml(file))
        scores = planned_scores(checked_config(config, config_schema()))
        given = ["--configfile", *options.configfile] if options.configfile else []
        jobs = [job for job in planned_jobs(["--cores", options.cores, *given, *others]) if job.command]
    except ConfigError as error:
        sys.exit(f"config error: {error}")
    except DryRunError as error:
        sys.exit(str(error))
    works = at_work(jobs)
    cores = available_cpu_count() if options.cores == "all" else int(options.cores)
    print(describe(scores, jobs_left(jobs, works, measured(BENCHMARKS)), works, cores))


if __name__ == "__main__":
    main()
