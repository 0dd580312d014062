"""Command-line options of the programs that prepare a data set."""

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from semisup.cli import UserError, fraction
from semisup.files import atomic_path
from semisup.left_out import leave_out_copies


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Add the two files that every data set is written to, and what is left out of the first."""
    parser.add_argument("--images", required=True, help="HDF5 file to write: images of all splits")
    parser.add_argument("--test-labels", required=True, help="HDF5 file to write: labels of the test images")
    parser.add_argument(
        "--leave-out-copies",
        type=fraction,
        metavar="CORRELATION",
        help="leave out unlabeled images that correlate with a test image at least so much",
    )


@contextmanager
def prepared_files(options: argparse.Namespace) -> Iterator[tuple[str | Path, str | Path]]:
    """Yield the paths to write the images and the test labels to.

    Where copies are left out, the images have another name until that is done.
    """
    if options.leave_out_copies is None:
        yield options.images, options.test_labels
        return
    with atomic_path(options.images) as images:
        yield images, options.test_labels
        leave_out_copies(images, options.leave_out_copies)


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
