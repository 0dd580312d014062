"""What a program is told of a configuration, as JSON."""

import argparse
import json
import sys
from typing import Any


def add_plan(parser: argparse.ArgumentParser, about: str) -> None:
    """Add --plan, whose value is parsed JSON; `about` says what it holds.

    `-` stands for standard input: Linux takes no argument of 128 KiB, and the plan of 200 experiments is longer.
    """
    parser.add_argument("--plan", type=_parsed, required=True, help=f"{about}, as JSON; -: on standard input")


def _parsed(text: str) -> Any:  # noqa: ANN401
    """Parse JSON. Raises ValueError for anything else."""
    return json.loads(sys.stdin.read() if text == "-" else text)
