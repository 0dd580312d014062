"""The whole check on a GPU, with the CPU as stand-in: minutes, in `make test-all` only.

Covered: every program with a GPU is run, compared, and within limits that another rounding keeps; kills, the lease and
want of memory are really provoked, by the same code. Nothing of CUDA is.
"""

import json
import os
import subprocess
import sys

from fixtures_snakemake import ROOT

SCRIPTS = ROOT / "workflow_scripts"


def test_whole_check(tmp_path):
    places = {"PYTHONPATH": os.pathsep.join(map(str, (SCRIPTS, ROOT / "tests"))), "GPU_CHECK_DEVICE": "cpu"}
    command = [sys.executable, "-m", "gpu", str(tmp_path / "demo"), "--part", "0.01"]
    done = subprocess.run(command, env=os.environ | places, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "demo/gpu_check.json").read_text())
    programs = {row["what"].split()[0] for row in report["checks"] if row["check"] == "programs"}
    assert programs == {
        path.stem for path in SCRIPTS.glob("*.py") if "--gpu {resources.gpu}" in rules_of(path.stem)
    } | {"predict"}
    checks = {row["check"] for row in report["checks"]}
    assert checks - {"own format"} == {"programs", "killed", "lease", "memory"}  # that is bfloat16, where there is such
    works = {row["work"].split(",")[0].split(" of ")[0] for row in report["times"]}
    assert works == {"product", "k-means", "features", "surrogate classes", "training", "FixMatch"}


def rules_of(program):
    """The rules that run the program, as text."""
    text = "\n".join(path.read_text() for path in (ROOT / "rules").rglob("*.smk"))
    return "\n".join(rule for rule in text.split("\nrule ") if f'program("{program}")' in rule)
