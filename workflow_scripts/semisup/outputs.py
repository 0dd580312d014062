"""What is looked at before a program that a person starts reads and writes, so that nothing of theirs is lost."""

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from semisup.cli import UserError, in_one_line


def given(text: str) -> Path:
    """Argument type: a path. An empty one, as of a variable of the shell that is not set, is no folder."""
    if not text:
        raise argparse.ArgumentTypeError("a path is empty")
    return Path(text)


def check_outputs(outputs: Sequence[str], inputs: Iterable[str | Path]) -> None:
    """Raise UserError if a file to be written is an input, another output, no usual file, or below none.

    A pipe or a device such as /dev/null would be replaced by a file.
    """
    for position, output in enumerate(outputs):
        mistake = _mistake(output) or _clash(output, outputs[:position], "is asked for twice")
        if mistake:
            raise UserError(f"{in_one_line(output) or 'an empty path'} {mistake}: name another file to write")
    there = [output for output in outputs if Path(output).exists()]
    for given in inputs if there else ():
        for output in there:
            if mistake := _clash(output, [given], "is read too"):
                raise UserError(f"{in_one_line(output)} {mistake}: name another file to write")


def _mistake(output: str) -> str | None:
    """Say why no file can be written there; None if nothing speaks against it."""
    if Path(output).is_dir() or output.endswith("/") or not output:
        return "is no file, but a folder" if output else "cannot be written"
    if Path(output).exists() and not Path(output).is_file():
        return "is a pipe or a device, not a usual file"
    above = next(place for place in Path(output).absolute().parents if os.path.lexists(place))
    if not above.is_dir():
        return f"cannot be written: {in_one_line(above)} is no folder"
    if not os.access(above, os.W_OK | os.X_OK):
        reason = "is read-only" if os.statvfs(above).f_flag & os.ST_RDONLY else "may not be written to"
        return f"cannot be written: {in_one_line(above)} {reason}"
    return None


def _clash(output: str, others: Iterable[str | Path], mistake: str) -> str | None:
    """Return the mistake if a file is one of the others; None if it is not."""
    place = os.path.realpath(output)
    return mistake if any(place == os.path.realpath(other) for other in others) else None
