"""What every command-line program shares: one-line errors, log format, progress bar, argument types."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


class UserError(Exception):
    """A mistake in the input. Its message names the thing, the value and the remedy, in one line."""


def run_program(main: Callable[[], None]) -> None:
    """Run `main`; a `UserError` or a failed file operation becomes one line on stderr and exit code 1.

    A reader that closed our pipe (`program | head`) is no error worth a traceback either.
    """
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
    )
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(f"error: {where}{error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(130)


def progress(items: Iterable[Item], total: int, unit: str, description: str) -> Iterable[Item]:
    """Wrap `items` in a progress bar: live on a terminal, one line every 30 seconds in a log."""
    interactive = sys.stderr.isatty()
    interval = 0.2 if interactive else 30.0
    return tqdm(
        items,
        total=total,
        unit=f" {unit}",
        unit_scale=True,
        desc=description,
        mininterval=interval,
        maxinterval=interval,
        ascii=not interactive,
        dynamic_ncols=interactive,
    )


def positive_int(text: str) -> int:
    """argparse type: an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return value
