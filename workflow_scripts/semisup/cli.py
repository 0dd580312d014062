"""What every command-line program shares: one-line errors, log format, progress bar, peak memory, argument types."""

import argparse
import gc
import io
import logging
import math
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from tqdm import tqdm

LOG_SECONDS = 30.0  # between two lines of progress in a log
LARGEST_SEED = 2**32 - 1  # what scikit-learn takes
# What other errors say where memory runs out: PyTorch's of the CPU, oneDNN's, CUDA's own, and those of its libraries.
NO_MEMORY = (
    "DefaultCPUAllocator",
    "could not create a primitive",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "MPS backend out of memory",
)

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
        sys.exit(f"error: {in_one_line(error)}")
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        sys.exit("error: out of memory: use a machine with more, or lower the sizes in the configuration")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(f"error: {in_one_line(f'{where}{error.strerror or error}')}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()  # Python would look through all that was imported for cycles before it ends: 0.4 s with torch


def out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Tell whether an error of Python or of PyTorch says that there is no memory left, on the CPU or on a device."""
    named = type(error).__name__ == "OutOfMemoryError"  # torch's, of a device; programs without torch use this module
    return named or isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY)


def in_one_line(name: object) -> str:
    """Return a name with escapes for what cannot be printed, such as line breaks in the name of a file."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(name))


def in_a_log() -> bool:
    """Tell whether what is written to stderr goes into a file or another program, where it is read line by line."""
    return not sys.stderr.isatty()


def seldom(seconds: float) -> Callable[[], bool]:
    """Return a function that says yes when it is asked for the first time, and then at most once in so many seconds."""
    last = -math.inf

    def is_due() -> bool:
        nonlocal last
        now = time.perf_counter()
        due = now - last >= seconds
        last = now if due else last
        return due

    return is_due


class _Lines(io.TextIOBase):
    """A stderr in which each state of a bar is a line: tqdm begins it with a carriage return and does not end it."""

    def write(self, text: str) -> int:
        if state := text.strip():
            sys.stderr.write(f"{state}\n")
        return len(text)

    def flush(self) -> None:
        sys.stderr.flush()


def progress_settings() -> dict[str, Any]:
    """Return tqdm's settings for a bar that is live on a terminal, and in a log one line every 30 seconds.

    A loop that takes less than that leaves nothing in a log.
    """
    interactive = not in_a_log()
    interval = 0.2 if interactive else LOG_SECONDS
    return {
        "file": None if interactive else _Lines(),
        "delay": 0.0 if interactive else LOG_SECONDS,
        "mininterval": interval,
        "maxinterval": interval,
        "ascii": not interactive,
        "dynamic_ncols": interactive,
    }


def progress(
    items: Iterable[Item], total: int, unit: str, description: str, *, unit_scale: bool = False
) -> Iterable[Item]:
    """Wrap `items` in a progress bar. unit_scale: show counts as 1.2k or 3.4M."""
    return tqdm(items, total=total, unit=f" {unit}", unit_scale=unit_scale, desc=description, **progress_settings())


def peak_memory_gib() -> float:
    """Return the most memory that this process has held in RAM so far, in GiB."""
    unit = 1 if sys.platform == "darwin" else 2**10  # bytes on macOS, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def positive_int(text: str) -> int:
    """Argument type: an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return value


def natural_int(text: str) -> int:
    """Argument type: an integer of at least 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 0")
    return value


def seed_number(text: str) -> int:
    """Argument type: an integer that every random generator takes as its seed."""
    value = int(text)
    if not 0 <= value <= LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 0 to {LARGEST_SEED}")
    return value


def positive_number(text: str) -> float:
    """Argument type: a finite number above 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a finite number above 0")
    return value


def fraction(text: str) -> float:
    """Argument type: a number from 0, which is allowed, to 1, which is not."""
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 0 and below 1")
    return value


def natural_number(text: str) -> float:
    """Argument type: a finite number of at least 0."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a finite number of at least 0")
    return value


def name_pair(text: str) -> tuple[str, str]:
    """Argument type: two names, as in experiment=baseline."""
    first, equals, second = text.partition("=")
    if not (first and equals and second):
        raise argparse.ArgumentTypeError(f"{text} is not of the form NAME=VALUE")
    return first, second
