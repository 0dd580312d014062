"""What the parts of the check on a GPU share. Nothing in this folder but test_*.py is a test."""

import math
from pathlib import Path
from typing import NamedTuple

import torch


class Checked(NamedTuple):
    """The folder of the tiny demonstration, and the device; stand_in: it is the CPU, which is treated as a GPU."""

    demo: Path
    device: torch.device
    stand_in: bool


class Found(NamedTuple):
    """A line of the table: what was looked at, what was found, what it may be, and whether it is so."""

    check: str
    what: str
    value: str
    limit: str
    well: bool


def within(check: str, what: str, value: float, limit: float) -> Found:
    """Return the line of a number that must not be above a limit; one that is not finite is."""
    return Found(check, what, f"{value:.2g}", f"at most {limit:g}", math.isfinite(value) and value <= limit)


def held(check: str, what: str, well: bool, found: str = "") -> Found:
    """Return the line of something that must be so; found: what was there instead."""
    return Found(check, what, "yes" if well else "no", "" if well else found, well)


def checked_device(name: str) -> torch.device | None:
    """Return the device of that name, "cuda" or "cpu"; None for a GPU that is not there."""
    if name == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", 0) if torch.cuda.is_available() else None
