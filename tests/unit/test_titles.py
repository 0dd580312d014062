"""Every title that planning allows is set by the LaTeX of the report."""

import shutil
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


def typeset(folder, texts):
    """Set texts as titles, one a paragraph; returns the lines of the log."""
    file = folder / "titles.tex"
    file.write_text(HEAD + "\n\n".join(map(tex, texts)) + "\n\\end{document}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", file.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    return (folder / "titles.log").read_text(errors="replace")


@pytest.mark.skipif(not HAS_LATEX, reason="LaTeX is not installed")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
def test_marks_that_follow_each_other_stay_what_they_are(tmp_path):
    titles = ["a--b", "a---b", "<<a>>", ",,a", "!-?", "a -> b", "50 %--60 %", "#_{}^~&$"]
    typeset(tmp_path, [*titles, "!`a", "a,,b"])
    shown = subprocess.run(["pdftotext", "titles.pdf", "-"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(titles) <= set(shown.stdout.splitlines())
    assert not set("¡¿«»„–—”") & set(shown.stdout)


@pytest.mark.skipif(not HAS_LATEX, reason="LaTeX is not installed")
def test_latex_sets_all_that_is_allowed(tmp_path):
    assert "Missing character" not in typeset(tmp_path, [" ".join(sorted(SETTABLE))])
