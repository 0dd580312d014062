"""What surrounds a command of the workflow: PATH, locale, a cache folder, variables of Python."""

import sys
from pathlib import Path

import pytest
import yaml
from clones import run_python

from fixtures_snakemake import ROOT, command_of
from planning.digest import code_digest
from planning.environment import python_mistake

OURS = Path(sys.executable).parent


def test_own_python_needs_no_look():
    assert python_mistake(str(OURS)) is None


def test_path_without_python_is_answered_by_the_remedy(tmp_path):
    assert python_mistake(str(tmp_path)) == f'there is no python on PATH: export PATH="{OURS}:$PATH"'


@pytest.mark.parametrize("code", [0, 1])
def test_another_python_must_have_the_packages(tmp_path, code):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nexit {code}\n")
    python.chmod(0o755)
    said = f'{python}, the first python on PATH, lacks the packages of this workflow: export PATH="{OURS}:$PATH"'
    assert python_mistake(str(tmp_path)) == (said if code else None)


def test_digest_of_code_is_the_same_in_every_locale(tmp_path, monkeypatch):
    """Path.read_text would take the encoding of the locale."""
    program = tmp_path / "program.py"
    program.write_text('print("é")\n', encoding="utf-8")
    here = code_digest(program)
    monkeypatch.setattr("io.text_encoding", lambda encoding, _=2: encoding or "latin-1")
    assert code_digest(program) == here


def job_with(folder, **variables):
    """Run one short job of the workflow in `folder` with these variables; return the bytes of its outputs."""
    folder.mkdir()
    arguments = ["--cores", 1, "--quiet", "all", "--", "results/theory/momentum.csv"]
    process = run_python(*command_of(folder, "demo", {}, *arguments)[1:], cwd=folder, environment=variables)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "Traceback" not in process.stdout + process.stderr
    return {path.name: path.read_bytes() for path in (folder / "results/theory").iterdir()}


def test_surroundings_that_stop_snakemake_or_python_do_not_reach_the_results(tmp_path):
    """A cache folder that cannot be made, and PYTHONSAFEPATH, which hides the modules beside a program."""
    plain = job_with(tmp_path / "plain")
    assert sorted(plain) == ["momentum.csv", "momentum.pdf", "momentum.png"]
    places = {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": "", "PYTHONSAFEPATH": "1"}
    assert job_with(tmp_path / "changed", **places) == plain


def test_every_profile_gives_snakemake_a_cache_folder_in_the_same_way():
    """It has to be set before Snakemake reads the Snakefile, so it is in the profile."""
    heads = {settings_of_cache(name) for name in ("cluster-generic", "default", "demo", "slurm")}
    assert len(heads) == 1


def settings_of_cache(profile):
    settings = yaml.safe_load((ROOT / "profiles" / profile / "profile.yaml").read_text())
    return settings["__use_yte__"], *settings["__definitions__"]
