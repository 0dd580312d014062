"""What the tests of the workflow share: copies of the workflow, and Snakemake as a command."""

import multiprocessing
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from fixtures_snakemake import ROOT
from fixtures_snakemake import environment as base_environment

CLONED = ("Snakefile", "config.yaml", "config.demo.yaml", "rules", "workflow_scripts", "profiles")
CLONED += ("envs", "report")
# A process that has imported Snakemake and forks. It spares each of many plans the second that the import takes.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["snakemake.cli"])
OURS = (ROOT / "tests", ROOT / "workflow_scripts")


def run_python(*arguments, **options):
    """Run this Python, its folder first on PATH, and return the finished process with its output as text.

    before: words before the command. environment: further variables.
    """
    changes, before = options.pop("environment", {}), options.pop("before", ())
    return subprocess.run(
        [*before, sys.executable, *map(str, arguments)],
        env=base_environment() | changes,
        capture_output=True,
        text=True,
        timeout=1200,
        **options,
    )


def run_snakemake(*arguments, cwd):
    """What `run_python` does, for a program that imports Snakemake, in a fork of a process that has imported it."""
    words, environ = list(map(str, arguments)), base_environment()
    with tempfile.TemporaryDirectory() as scratch:
        said = [Path(scratch, name) for name in ("stdout", "stderr")]
        process = SERVER.Process(target=_run_forked, args=(words, cwd, environ, said))
        process.start()
        process.join(timeout=1200)
        if process.is_alive():
            process.kill()
            raise subprocess.TimeoutExpired(words, 1200)
        return subprocess.CompletedProcess(words, process.exitcode, *(path.read_text() for path in said))


def _run_forked(words, folder, environ, said):
    for stream, path in zip((1, 2), said, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    # As in a Python of its own: nothing of the tests can be imported.
    sys.path[:] = [path for path in sys.path if not any(Path(path).is_relative_to(ours) for ours in OURS)]
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


def snakemake(root, folder, config, *arguments, environment=None):
    """Run the workflow of the clone `root` in `folder` with the differences `config` from config.yaml.

    environment: further variables, for which Python starts anew.
    """
    file = folder / "test_config.yaml"
    file.write_text(yaml.safe_dump(config))
    command = ("-m", "snakemake", "--snakefile", root / "Snakefile", "--directory", folder, "--configfile", file)
    if environment:
        return run_python(*command, *arguments, environment=environment, cwd=folder)
    return run_snakemake(*command, *arguments, cwd=folder)


def jobs_to_run(root, folder, config, target):
    """How many jobs of each rule Snakemake would run for a target."""
    process = snakemake(root, folder, config, "-n", "--", target)
    assert process.returncode == 0, process.stderr
    output = process.stdout + process.stderr
    counts = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE)}
    assert bool(counts) != ("Nothing to be done" in output), output
    assert counts.pop("total", 0) == sum(counts.values())
    return counts


def clone(folder):
    """Copy the workflow as git does: the files are new, and nothing comes along that was made here."""
    folder.mkdir(parents=True)
    for name in CLONED:
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__", ".*")
            shutil.copytree(ROOT / name, folder / name, copy_function=shutil.copyfile, ignore=ignore)
        else:
            shutil.copyfile(ROOT / name, folder / name)
    return folder
