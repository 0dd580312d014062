"""Command-line options of the programs that prepare a data set."""

import argparse
import re
from collections.abc import Iterable, Sequence

from semisup.cli import UserError


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Add the two files that every data set is written to."""
    parser.add_argument("--images", required=True, help="HDF5 file to write: images of all splits")
    parser.add_argument("--test-labels", required=True, help="HDF5 file to write: labels of the test images")


def named_checksums(pairs: Sequence[str], names: Iterable[str]) -> dict[str, str]:
    """Turn NAME=MD5 pairs into a dictionary. Raises UserError unless each of `names` is there, and no other."""
    for pair in pairs:
        if not re.fullmatch(r"[^=]+=[0-9a-fA-F]{32}", pair):
            raise UserError(f"--member-md5 {pair} is not of the form NAME=MD5 with 32 hexadecimal digits: correct it")
    checksums = {name: md5.lower() for name, md5 in (pair.split("=") for pair in pairs)}
    if unknown := sorted(set(checksums) - set(names)):
        raise UserError(f"--member-md5 names {unknown[0]}, which is not one of {', '.join(names)}: correct it")
    if missing := sorted(set(names) - set(checksums)):
        raise UserError(f"--member-md5 lacks {', '.join(missing)}: add NAME=MD5 for each")
    return checksums
