"""The workflow as a module of another one, of a clone in a folder whose name Snakemake and a shell could misread."""

import re

import pytest
import yaml
from clones import ROOT, clone, run_snakemake
from snakemake.utils import update_config

from planning import config as planning

OUTER = """
configfile: "outer.yaml"


module study:
    snakefile:
        config["clone"] + "/Snakefile"
    config:
        config["study"]
    prefix:
        "part"


use rule * from study as study_*


rule mine:
    default_target: True
    input:
        "part/results/report/report.tex",
"""


@pytest.fixture(scope="module")
def outer(tmp_path_factory):
    """The folder of another workflow that has this one as a module, with a prefix and a configuration of its own."""
    folder = tmp_path_factory.mktemp("outer")
    config = planning.read_yaml(ROOT / "config.yaml")
    update_config(config, planning.read_yaml(ROOT / "tests/e2e/config.tiny.yaml"))
    root = clone(tmp_path_factory.mktemp("clones") / "a {clone} é")
    (folder / "outer.yaml").write_text(yaml.safe_dump({"clone": str(root), "study": config}))
    (folder / "Snakefile").write_text(OUTER)
    return folder


def test_everything_lies_below_the_prefix(outer):
    process = run_snakemake("-m", "snakemake", "-n", "-p", cwd=outer)
    said = process.stdout + process.stderr
    assert process.returncode == 0, said
    assert "study_render_report" in said
    assert "/a {clone} é/workflow_scripts/render_report.py" in said
    assert not re.search(r"[ =](results|resources)/", said)
    assert re.search(r"--checkpoint part/results/checkpoints/photos/\w+/seed\d/train_supervised ", said)


def test_job_runs(outer):
    process = run_snakemake("-m", "snakemake", "--cores", "1", "part/results/photos/data/images.h5", cwd=outer)
    assert process.returncode == 0, process.stdout + process.stderr
    assert (outer / "part/results/photos/data/images.sha256").is_file()
