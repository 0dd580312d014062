"""Snakemake with one of the project's profiles, as a command."""

import os
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


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
