"""What programs load: starting is a large part of the demonstration, and these libraries take most of it.

A program that does its work in the demonstration has noted what it had loaded at its end (tests/loaded); the others are
asked for their help.
"""

import pytest

from fixtures_demo import SITE, notes_of
from workflow.clones import ROOT, run_python

SCRIPTS = ROOT / "workflow_scripts"
ALONE = set()
TABLES = {"pandas"}
DRAWS = {"matplotlib"}
NETWORKS = {"torch"}
TRAINS = {"torch", "kornia"}
MAY_LOAD = {
    "check_derivations": {"torch", "scipy", "sklearn"},
}


@pytest.fixture(scope="module")
def loaded(demo, tmp_path_factory):
    """By program, the large libraries that it had loaded at its end."""
    found = notes_of(demo)
    folder = tmp_path_factory.mktemp("loaded")
    for program in sorted({path.stem for path in SCRIPTS.glob("*.py")} - set(found)):
        changes = {"PYTHONPATH": str(SITE), "LOADED": str(folder)}
        assert run_python(SCRIPTS / f"{program}.py", "--help", environment=changes).returncode == 0
        found |= {path.name.split(".")[0]: set(path.read_text().split()) for path in folder.iterdir()}
    return found


@pytest.mark.parametrize("program", sorted(path.stem for path in SCRIPTS.glob("*.py")))
def test_program_loads_only_what_it_needs(program, loaded):
    assert loaded[program] == MAY_LOAD[program]
