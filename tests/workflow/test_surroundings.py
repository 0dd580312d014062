"""What surrounds a command while the workflow is planned: PATH and locale."""

import sys
from pathlib import Path

import pytest

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
