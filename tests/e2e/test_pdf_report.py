"""The typeset report: nothing that LaTeX complains of, fonts that every reader has, and what its first page admits."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

from fixtures_demo import demo_command
from fixtures_machine import needs, needs_latex
from fixtures_snakemake import ROOT
from workflow.clones import run_python

NAMES = ("report", "supplement")
MOST_PAGES = 12  # of the paper, before its references
OVERFULL = 2.0  # points that a line may stick out
needs_poppler = needs("pdffonts", remedy="make browser")
# Everything that `complaints` has to find.
FAULTY = r"""
\documentclass{article}
\begin{document}
\cite{nowhere,undated} \ref{nowhere} \label{twice} \label{twice}
\noindent\rule{1.1\linewidth}{1pt}

{\fontseries{none}\selectfont no such font}
\begin{figure}\rule{1pt}{1.1\textheight}\end{figure}
\bibliographystyle{plain}
\bibliography{faulty}
\end{document}
"""


def typeset(folder: Path, tex: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """Run the program of the rule in `folder`; its error stream is what the rule's log has."""
    command = [sys.executable, str(ROOT / "workflow_scripts" / "typeset_report.py"), "--tex", tex, "--pdf", "out.pdf"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def complaints(log: str) -> list[str]:
    """What the last pass of LaTeX and any run of BibTeX warn of, a line each.

    `log` is what they print. There a warning begins a line, so that the breaks after 79 letters do not hide one. Of
    several texts the last pass of each counts.
    """
    passes = log.split("This is pdfTeX")[1:]
    last = "\n".join({re.search(r"\(\./(\w+)\.tex", text)[1]: text for text in passes}.values())
    warnings = re.findall(r"^.*\bwarning(?: \(\w+\))?: .*$", last, re.MULTILINE | re.IGNORECASE)
    overfull = re.findall(r"^(Overfull \\[hv]box \(([0-9.]+)pt too .*)$", last, re.MULTILINE)
    warnings += [line for line, points in overfull if float(points) > OVERFULL]
    return warnings + re.findall(r"^Warning--.*$", log, re.MULTILINE)


def of_pdf(program: str, *arguments: str) -> str:
    """What one of poppler's programs says of a PDF."""
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout


@needs_latex
def test_report_is_typeset_without_complaints(demo):
    assert complaints((demo / "results/logs/report/typeset_report.log").read_text()) == []
    for name in NAMES:
        assert (demo / f"results/report/{name}.pdf").read_bytes().startswith(b"%PDF")


@needs_latex
def test_every_kind_of_complaint_is_found(tmp_path):
    (tmp_path / "faulty.tex").write_text(FAULTY)
    (tmp_path / "faulty.bib").write_text("@article{undated, author={A. Author}, title={No year}, journal={Journal}}")
    finished = typeset(tmp_path, "faulty.tex")
    assert finished.returncode == 0, finished.stderr
    found = "\n".join(complaints(finished.stderr))
    for complaint in (
        "Citation `nowhere' on page 1 undefined",
        "Reference `nowhere' on page 1 undefined",
        "Label `twice' multiply defined",
        r"Overfull \hbox (",
        "LaTeX Font Warning: Font shape `OT1/cmr/none/n' undefined",
        "Float too large for page",
        "Warning--empty year in undated",
    ):
        assert complaint in found


@needs_latex
@needs_poppler
def test_every_font_is_embedded(demo):
    # The last columns: embedded, subset, unicode, and the two numbers of the object.
    for name in NAMES:
        fonts = of_pdf("pdffonts", str(demo / f"results/report/{name}.pdf")).splitlines()[2:]
        assert len(fonts) > 10
        assert [font for font in fonts if font.split()[-5] != "yes"] == []


@needs_latex
@needs_poppler
def test_paper_is_short_and_refers_to_pages_of_the_supplement(demo):
    pages = [page.split() for page in of_pdf("pdftotext", str(demo / "results/report/report.pdf"), "-").split("\f")]
    (references,) = [number for number, page in enumerate(pages, 1) if "References" in page]
    assert references <= MOST_PAGES
    index = "".join(map(" ".join, pages)).split("question section page")[1].split("1 Introduction")[0]
    assert re.search(r"batch normalisation, its gradient, and a learnable shift S\d+\.\d+ S\d+", index)
    assert re.search(r"do pseudo-labels help\? \d\.\d \d+", index)


@needs_latex
def test_a_text_may_refer_to_a_later_one(tmp_path):
    """And that one back to it: both are set until nothing changes."""
    head = r"\documentclass{article}\usepackage{xr-hyper}\usepackage{hyperref}\externaldocument{%s}\begin{document}"
    for name, other in (("one", "two"), ("two", "one")):
        body = rf"\section{{A}}\newpage\section{{B}}\label{{{name}}}See \ref{{{other}}}, page \pageref{{{other}}}."
        (tmp_path / f"{name}.tex").write_text(head % other + body + r"\end{document}")
    program = [sys.executable, str(ROOT / "workflow_scripts" / "typeset_report.py")]
    command = [*program, "--tex", "one.tex", "two.tex", "--pdf", "one.pdf", "two.pdf"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert complaints(done.stderr) == []
    assert (tmp_path / "two.pdf").read_bytes().startswith(b"%PDF")


@needs_latex
@needs_poppler
def test_first_page_says_that_the_images_are_stand_ins(demo):
    page = " ".join(of_pdf("pdftotext", "-l", "1", str(demo / "results/report/report.pdf"), "-").split())
    assert "This is the demonstration. Its images are the small embedded sets" in page
    assert "(photos), not STL-10 and MNIST" in page
    assert "Nothing here may be compared with published numbers." in page


def test_text_has_the_numbers_of_the_tables(demo):
    text, supplement = ((demo / f"results/report/{name}.tex").read_text() for name in NAMES)
    assert r"\VAR" not in supplement
    table = pd.read_csv(demo / "results/photos/comparison.csv").set_index("experiment")
    assert f"{100 * table.loc['coates', 'seeds_test_accuracy_mean']:.1f}" in text
    assert r"Photographs \& more" in text
    assert r"RN \& more" in text, "the short name of an experiment"
    assert r"\texttt{supervised}" in supplement, "and the key that it stands for"
    assert "This is the demonstration" in text
    assert r"\VAR" not in text
    assert r"\BLOCK" not in text


@needs_latex
def test_failed_typesetting_leaves_the_earlier_pdf(demo, tmp_path):
    folder = shutil.copytree(demo, tmp_path / "demo")
    failing = tmp_path / "bin" / "latexmk"
    failing.parent.mkdir()
    failing.write_text("#!/bin/sh\nexit 1\n")
    failing.chmod(0o755)
    earlier = (folder / "results/report/report.pdf").read_bytes()
    command = demo_command(folder, "--forcerun", "typeset_report", "--", "results/report/report.pdf")
    path = os.pathsep.join([str(failing.parent), os.environ["PATH"]])
    process = run_python(*command, cwd=folder, environment={"PATH": path})
    assert process.returncode == 1
    assert "could not typeset results/report/report.tex" in process.stdout + process.stderr
    assert not (folder / "results/report/typeset/report.pdf").exists()
    assert (folder / "results/report/report.pdf").read_bytes() == earlier


def test_without_latex_one_line_says_what_to_install(tmp_path):
    (tmp_path / "report.tex").write_text(r"\documentclass{article}\begin{document}text\end{document}")
    finished = typeset(tmp_path, "report.tex", {"PATH": str(tmp_path)})  # no latexmk there
    assert finished.returncode == 1
    assert len(finished.stderr.splitlines()) == 1
    assert "latexmk is not installed: run apt-get install latexmk" in finished.stderr
    assert not (tmp_path / "out.pdf").exists()
