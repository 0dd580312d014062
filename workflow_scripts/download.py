"""Download one file: resume a part, try mirrors in turn, verify the MD5 sum, then put it in place."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from semisup.cli import positive_int, positive_number, run_program
from semisup.fetch import fetch


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and download."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", nargs="+", required=True, metavar="URL", help="addresses, tried in this order")
    parser.add_argument("--md5", required=True, metavar="HEX", help="MD5 sum that the file must have")
    parser.add_argument(
        "--partial", type=Path, required=True, metavar="PATH", help="where the unfinished download is kept"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="PATH", help="the file, on the file system of --partial"
    )
    parser.add_argument(
        "--attempts", type=positive_int, default=5, help="tries without progress per address (default: %(default)s)"
    )
    parser.add_argument(
        "--backoff",
        type=positive_number,
        default=1.0,
        metavar="SECONDS",
        help="first pause between tries, doubled up to 30 s (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=positive_number,
        default=30.0,
        metavar="SECONDS",
        help="longest wait for a connection or for data (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    fetch(
        options.url,
        options.md5,
        options.partial,
        options.output,
        attempts=options.attempts,
        backoff=options.backoff,
        timeout=options.timeout,
    )


if __name__ == "__main__":
    run_program(main)
