"""The jobs that a command of Snakemake would run, read from what its dry run prints. Standard library only."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class DryRunError(Exception):
    """Snakemake could not plan. The message is what it has said."""


class Job(NamedTuple):
    """A job of a dry run. resources: as printed, whole numbers as such; command: of the shell, None without one."""

    rule: str
    wildcards: dict[str, str]
    outputs: list[str]
    log: str
    threads: int
    resources: dict[str, int | str]
    command: str | None


def planned_jobs(options: Sequence[str]) -> list[Job]:
    """Return what Snakemake would run with these options. A dry run locks nothing, and waits for no lock.

    Raises DryRunError if it cannot tell.
    """
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--printshellcmds", *options]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    process = subprocess.run(  # noqa: S603
        command, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    if process.returncode:
        raise DryRunError((process.stdout + process.stderr).strip())
    return read_jobs(process.stdout + process.stderr)


def read_jobs(printed: str) -> list[Job]:
    """Return the jobs that `snakemake --dry-run --printshellcmds` has printed, local ones too."""
    jobs = []
    for block in re.split(r"\n(?=(?:local)?rule \w+:\n)", printed)[1:]:
        fields = dict(re.findall(r"^    ([a-z]+): (.*)$", block, re.MULTILINE))
        command = re.search(r"^Shell command: (?:None|(.*))$", block, re.MULTILINE)
        resources = _pairs(fields.get("resources", ""))
        jobs.append(
            Job(
                rule=block.partition(":")[0].split()[-1],
                wildcards=_pairs(fields.get("wildcards", "")),
                outputs=fields.get("output", "").split(", "),
                log=fields.get("log", ""),
                threads=int(fields.get("threads", 1)),
                resources={name: int(value) if value.isdigit() else value for name, value in resources.items()},
                command=command.group(1) if command else None,
            )
        )
    return jobs


def _pairs(text: str) -> dict[str, str]:
    """Return 'a=1, b=x' as a dictionary."""
    return dict(pair.split("=", 1) for pair in text.split(", ") if pair)
