"""Typeset the report with latexmk and pdflatex, in a scratch folder, so that only the PDF is left."""

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

USERS_VARIABLES = ("TEXINPUTS", "BIBINPUTS", "BSTINPUTS", "TEXMFHOME", "TEXMFVAR", "TEXMFCONFIG")


def typeset(tex: Path, pdf: Path) -> None:
    """Run latexmk on `tex` and write `pdf`. Raises UserError where LaTeX is missing or the text does not compile."""
    for program in ("latexmk", "pdflatex"):
        if shutil.which(program) is None:
            remedy = INSTALL_ON_MACOS if sys.platform == "darwin" else INSTALL
            raise UserError(f"{program} is not installed: {remedy}; everything but {pdf} is already made")
    with tempfile.TemporaryDirectory() as scratch:
        options = ["-norc", "-pdf", "-interaction=nonstopmode", "-halt-on-error", f"-outdir={scratch}"]
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
        copy_file(Path(scratch) / f"{tex.stem}.pdf", pdf)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and typeset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tex", type=Path, required=True)
    parser.add_argument("--pdf", type=Path, required=True, help="file to write")
    options = parser.parse_args(arguments)
    typeset(options.tex, options.pdf.resolve())


if __name__ == "__main__":
    run_program(main)
