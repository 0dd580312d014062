"""What the tests of the workflow share: copies of the workflow, and Snakemake as a command."""

import shutil
import subprocess
import sys

import yaml

from fixtures_snakemake import ROOT, environment

CLONED = ("Snakefile", "config.yaml", "config.demo.yaml", "config.schema.yaml", "rules", "workflow_scripts", "profiles")
CLONED += ("envs", "report")


def run_python(*arguments, **options):
    """Run this Python, its folder first on PATH, and return the finished process with its output as text.

    before: words before the command.
    """
    changes, before = options.pop("environment", {}), options.pop("before", ())
    return subprocess.run(
        [*before, sys.executable, *map(str, arguments)],
        env=environment() | changes,
        capture_output=True,
        text=True,
        timeout=1200,
        **options,
    )


def snakemake(root, folder, config, *arguments, environment=None):
    """Run the workflow of the clone `root` in `folder` with the differences `config` from config.yaml."""
    file = folder / "test_config.yaml"
    file.write_text(yaml.safe_dump(config))
    command = ("-m", "snakemake", "--snakefile", root / "Snakefile", "--directory", folder, "--configfile", file)
    return run_python(*command, *arguments, environment=environment or {}, cwd=folder)


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
