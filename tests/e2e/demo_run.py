"""What the end-to-end tests share: the workflow on the tiny configuration as a command."""

import subprocess
import sys
from pathlib import Path

from fixtures_machine import HAS_LATEX
from fixtures_snakemake import ROOT, environment

CONFIG = ROOT / "tests" / "e2e" / "config.tiny.yaml"


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run the workflow on the tiny configuration, its results under `folder`."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    settings = ["--cores", "2", "--workflow-profile", str(ROOT / "profiles" / "demo"), "--configfile", str(CONFIG)]
    return subprocess.run(
        [*command, *settings, *arguments], env=environment(), capture_output=True, text=True, check=False
    )


def whole_report() -> list[str]:
    """Arguments for the whole study and its report: typeset where LaTeX is installed, else the text."""
    return [] if HAS_LATEX else ["--", "results/report/report.tex"]
