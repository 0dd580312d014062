"""A line of the table of `make bench`, and what every bench shares. Nothing in this folder is a test."""

import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch

from semisup.device import product_dtype

Result = TypeVar("Result")
CPU = torch.device("cpu")


class Row(NamedTuple):
    """What one of them needed for one work; the first row of a work is what the others are compared with.

    quality: an objective, an accuracy, a speed or empty. flop: floating-point operations of the work done in the plain
    way, None if they are not known. dtype: of its products.
    """

    work: str
    who: str
    seconds: float
    quality: str = ""
    flop: float | None = None
    dtype: torch.dtype = torch.float32


def timed(work: Callable[[], Result], device: torch.device = CPU) -> tuple[float, Result]:
    """Return how many seconds one call takes, and what it returns."""
    _wait_for(device)
    start = time.perf_counter()
    result = work()
    _wait_for(device)
    return time.perf_counter() - start, result


def _wait_for(device: torch.device) -> None:
    """Wait for a GPU, which is still at work when a call has returned."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def best(work: Callable[[], object], times: int = 3, device: torch.device = CPU) -> float:
    """Return how many seconds the fastest of some calls takes."""
    return min(timed(work, device)[0] for _ in range(times))


def scaled(count: int, part: float, least: int = 1) -> int:
    """Return a part of a size, but no less than the least."""
    return max(least, round(count * part))


def formats(device: torch.device = CPU) -> list[torch.dtype]:
    """Return float32, and bfloat16 where the device multiplies it faster."""
    return list(dict.fromkeys((torch.float32, product_dtype(device, "auto"))))


def format_name(dtype: torch.dtype) -> str:
    """Return "float32" or "bfloat16"."""
    return str(dtype).removeprefix("torch.")
