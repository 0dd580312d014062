"""Snakemake with one of the project's profiles, as a command; and the jobs that a dry run prints."""

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]


class Job(NamedTuple):
    """A job of a dry run. resources: as printed, whole numbers as such; command: of the shell, None without one."""

    rule: str
    wildcards: dict[str, str]
    threads: int
    resources: dict[str, int | str]
    command: str | None


def command_of(folder, profile, config, *arguments):
    """The command that runs the workflow in `folder` with the differences `config` from config.yaml."""
    file = folder / "test_config.yaml"
    file.write_text(yaml.safe_dump(config))
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    settings = ["--workflow-profile", str(ROOT / "profiles" / profile), "--configfile", str(file)]
    return [*snakemake, *settings, *map(str, arguments)]


def environment():
    """The environment for that command, in which `python` is this one."""
    return os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}


def read_jobs(printed):
    """The jobs that `snakemake -n -p` has printed, local ones too."""
    jobs = []
    for block in re.split(r"\n(?=(?:local)?rule \w+:\n)", printed)[1:]:
        fields = dict(re.findall(r"^    ([a-z]+): (.*)$", block, re.MULTILINE))
        command = re.search(r"^Shell command: (?:None|(.*))$", block, re.MULTILINE)
        jobs.append(
            Job(
                re.search(r"rule (\w+):", block).group(1),
                read_pairs(fields.get("wildcards", "")),
                int(fields.get("threads", 1)),
                read_pairs(fields["resources"]),
                command.group(1),
            )
        )
    return jobs


def read_pairs(text):
    """'a=1, b=x' as a dictionary, whole numbers as such."""
    pairs = (pair.split("=", 1) for pair in text.split(", ") if pair)
    return {name: int(value) if value.isdigit() else value for name, value in pairs}
