"""What a user has set for other work reaches no result: figures and report have the same bytes with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures_machine import needs_latex
from fixtures_snakemake import ROOT

SCRIPTS = ROOT / "workflow_scripts"
DRAW = """
from semisup.plots import new_figure, save_figure
figure = new_figure(2, 1)
axes = figure.add_subplot()
axes.plot([1, 2, 3], label="π é")
axes.legend()
save_figure(figure, "figure.pdf", "figure.png", "figure.svg")
"""
RC = "font.size: 30\nfigure.facecolor: red\nlines.linewidth: 9\nsavefig.transparent: True\ntext.usetex: True\n"
RC += "svg.fonttype: path\n"
TEX = r"\documentclass{article}\begin{document}Text.\end{document}"


def run(folder, *arguments, **variables):
    """Run Python in `folder` with these variables of the environment; return the bytes of what it has written."""
    command = [sys.executable, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)} | variables
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.suffix in (".pdf", ".png", ".svg")}


def test_figure(tmp_path):
    plain, changed = tmp_path / "plain", tmp_path / "changed"
    plain.mkdir()
    (changed / "temporary").mkdir(parents=True)
    (changed / "matplotlibrc").write_text(RC)
    variables = {"HOME": "/proc/nowhere", "MPLBACKEND": "module://nowhere", "TMPDIR": str(changed / "temporary")}
    variables |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "OMP_NUM_THREADS": "3"}
    expected = run(plain, "-c", DRAW)
    assert sorted(expected) == ["figure.pdf", "figure.png", "figure.svg"]
    assert run(changed, "-X", "utf8=1", "-c", DRAW, **variables) == expected


@needs_latex
def test_report(tmp_path):
    folder, home = tmp_path / "folder", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    (folder / "report.tex").write_text(TEX)
    program = (SCRIPTS / "typeset_report.py", "--tex", "report.tex", "--pdf", "out.pdf")
    expected = run(folder, *program)
    assert list(expected) == ["out.pdf"]
    (folder / "out.pdf").unlink()
    for place in (home / ".latexmkrc", folder / "latexmkrc"):
        place.write_text('$pdflatex = "false";\n')
    (home / "article.cls").write_text(r"\undefined")
    assert run(folder, *program, HOME=str(home), TEXINPUTS=f"{home}:", LC_ALL="C") == expected


@pytest.mark.parametrize("program", ["predict", "export_model", "write_crate"])
def test_programs_that_are_started_by_hand_find_their_modules(tmp_path, program):
    """For those of rules the Snakefile sees to it."""
    run(tmp_path, SCRIPTS / f"{program}.py", "--help", PYTHONSAFEPATH="1", PYTHONPATH="")
