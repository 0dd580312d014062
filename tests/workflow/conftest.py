import json

import pytest
from clones import ROOT, run_snakemake


@pytest.fixture(scope="session")
def build_dag(tmp_path_factory):
    """A function that returns the rules and jobs of the workflow for a configuration, in a folder without any file."""

    def build(config, targets=("all", "evaluated")):
        folder = tmp_path_factory.mktemp("dag")
        file = folder / "config.json"
        file.write_text(json.dumps(config))
        script = ROOT / "tests" / "workflow" / "dump_dag.py"
        process = run_snakemake(script, ROOT / "Snakefile", folder, file, *targets, cwd=folder)
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)

    return build
