"""Every title that planning allows is set by the LaTeX of the report."""

import subprocess

import pytest

from fixtures_machine import HAS_LATEX
from reporting.text import tex
from semisup.titles import SETTABLE

HEAD = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{lmodern}
\begin{document}
"""


@pytest.mark.skipif(not HAS_LATEX, reason="LaTeX is not installed")
def test_latex_sets_all_that_is_allowed(tmp_path):
    file = tmp_path / "titles.tex"
    file.write_text(HEAD + " ".join(map(tex, sorted(SETTABLE))) + "\n\\end{document}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", file.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (tmp_path / "titles.log").read_text(errors="replace")
