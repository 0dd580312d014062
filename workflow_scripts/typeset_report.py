"""Typeset paper and supplement with latexmk and pdflatex in a scratch folder, so that only the PDFs remain."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from semisup.cli import UserError, run_program
from semisup.files import copy_file

INSTALL = "run apt-get install latexmk texlive-latex-base texlive-latex-recommended lmodern"
INSTALL_ON_MACOS = "run brew install --cask mactex-no-gui"

MOST_TIMES = 4  # that all texts are set; references that still change then go round in a circle
USERS_VARIABLES = ("TEXINPUTS", "BIBINPUTS", "BSTINPUTS", "TEXMFHOME", "TEXMFVAR", "TEXMFCONFIG")


def typeset(texts: Sequence[Path], pdfs: Sequence[Path]) -> None:
    """Run latexmk on the texts, which lie in one folder, and write a PDF of each.

    They may refer to each other, so that all are set again until no reference changes. Raises UserError where LaTeX is
    missing or a text does not compile.
    """
    for program in ("latexmk", "pdflatex"):
        if shutil.which(program) is None:
            remedy = INSTALL_ON_MACOS if sys.platform == "darwin" else INSTALL
            raise UserError(f"{program} is not installed: {remedy}; everything but {pdfs[0]} is already made")
    with tempfile.TemporaryDirectory() as scratch:
        before: list[bytes] | None = None
        for _ in range(MOST_TIMES):
            for tex in texts:
                set_once(tex, scratch)
            after = [(Path(scratch) / f"{tex.stem}.aux").read_bytes() for tex in texts]
            if len(texts) == 1 or after == before:
                break
            before = after
        for tex, pdf in zip(texts, pdfs, strict=True):
            copy_file(Path(scratch) / f"{tex.stem}.pdf", pdf)


def set_once(tex: Path, scratch: str) -> None:
    """Run latexmk on a text, in any case once; its files go to the folder `scratch`."""
    options = ["-norc", "-g", "-pdf", "-interaction=nonstopmode", "-halt-on-error", f"-outdir={scratch}"]
    # Without an identifier, which would be made of the scratch folder's name.
    command = ["latexmk", *options, r"-usepretex=\pdftrailerid{}", tex.name]
    # Nothing of the user's: another article.cls or font map may lie in their home, or where these variables say.
    environment = {name: value for name, value in os.environ.items() if name not in USERS_VARIABLES}
    # A fixed date makes equal text an equal PDF.
    environment |= {"HOME": scratch, "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1"}
    finished = subprocess.run(  # noqa: S603
        command, cwd=tex.parent, env=environment, stdout=sys.stderr, stderr=sys.stderr, check=False
    )
    if finished.returncode:
        raise UserError(f"LaTeX could not typeset {tex}: see the lines above that begin with '!'")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and typeset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tex", type=Path, nargs="+", required=True, help="texts of one folder")
    parser.add_argument("--pdf", type=Path, nargs="+", required=True, help="files to write, one for each text")
    options = parser.parse_args(arguments)
    if len(options.tex) != len(options.pdf):
        raise UserError(f"--tex has {len(options.tex)} and --pdf {len(options.pdf)} values: give one PDF for each text")
    typeset(options.tex, [pdf.resolve() for pdf in options.pdf])


if __name__ == "__main__":
    run_program(main)
