"""What a machine may lack. Tests that need it are skipped, but not in CI, where nobody would see that they are."""

import os
import shutil
from typing import NoReturn

import pytest

IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")


def lacking(what: str) -> NoReturn:
    """Skip the test as this machine lacks something; in CI let it fail."""
    if IN_CI:
        pytest.fail(f"in CI no test may be skipped: {what}")
    pytest.skip(what)


def needs(*programs: str, remedy: str) -> pytest.MarkDecorator:
    """A mark for tests that are skipped where one of the programs is missing; in CI they run, and fail."""
    missing = [program for program in programs if not shutil.which(program)]
    return pytest.mark.skipif(bool(missing) and not IN_CI, reason=f"{', '.join(missing)} not found: {remedy}")


LATEX = ("latexmk", "pdflatex")
HAS_LATEX = all(map(shutil.which, LATEX))
needs_latex = needs(*LATEX, remedy="make latex")
