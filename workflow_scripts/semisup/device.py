"""The device a program computes on, and the number format its matrix products may use there."""

import ctypes
import fcntl
import json
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import torch

from semisup.cli import UserError
from semisup.machine import processor_name


@contextmanager
def leased_device(gpus: int, poll_seconds: float = 2.0) -> Iterator[torch.device]:
    """Yield a device for the length of the `with` block: a CUDA device of our own, Apple's GPU, or the CPU.

    Snakemake counts GPUs but never says which one a job may use, so each visible device has a lock file; the kernel
    frees the lock when the process ends, however it ends. Waits while every device is taken. Raises UserError where the
    folder for temporary files cannot lock.
    """
    kind = next((kind for kind in ("cuda", "mps") if gpus and getattr(torch, kind).is_available()), "cpu")
    if kind == "cpu":
        if gpus:
            logging.info("no GPU is available: computing on the CPU")
        yield torch.device("cpu")
        return
    index, lock = wait_for_lease(_names(kind), poll_seconds)
    with lock:
        name = torch.cuda.get_device_name(index) if kind == "cuda" else processor_name()
        logging.info("computing on %s:%d, %s", kind, index, name)
        torch.backends.cudnn.allow_tf32 = False  # or convolutions of float32 numbers would round them to 10 bits
        yield torch.device(kind, index)


def _names(kind: str) -> list[str]:
    """Return a name for each device of a kind, that no other one on this machine has."""
    if kind == "mps":  # a machine has one at most
        return [kind]
    return [str(torch.cuda.get_device_properties(index).uuid) for index in range(torch.cuda.device_count())]


def wait_for_lease(names: list[str], poll_seconds: float) -> tuple[int, IO]:
    """Lock the first free device of `names`; return its position and the open lock file that holds the lease."""
    waiting = False
    while True:
        for index, name in enumerate(names):
            path = Path(tempfile.gettempdir()) / f"semisup-device-{name}.lock"
            lock = _open_lock(path)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
            except OSError as error:
                raise UserError(
                    f"{path}: this file system cannot lock ({error.strerror}): set TMPDIR to a local folder"
                ) from error
            else:
                return index, lock
        if not waiting:
            logging.info("waiting for one of %d devices", len(names))
            waiting = True
        time.sleep(poll_seconds)


def _open_lock(path: Path) -> IO:
    """Open a lock file that all users of the machine share, and create it if need be.

    Opened for reading only: where the folder is /tmp, Linux keeps users from writing to each other's files.
    """
    with suppress(FileExistsError):
        path.touch(exist_ok=False)
        path.chmod(0o644)
    return path.open("rb")


def product_dtype(device: torch.device, precision: str) -> torch.dtype:
    """Return bfloat16 where `precision` is "auto" and the device multiplies it faster than float32, else float32."""
    fast = {"cuda": torch.cuda.is_bf16_supported, "cpu": torch.cpu._is_avx512_bf16_supported}
    return torch.bfloat16 if precision == "auto" and device.type in fast and fast[device.type]() else torch.float32


def sum_dtype(device: torch.device) -> torch.dtype:
    """Return the format of sums that must not lose small numbers: float64, or on Apple's GPU float32, its longest."""
    return torch.float32 if device.type == "mps" else torch.float64


def fast_products(device: torch.device, precision: str) -> torch.autocast:
    """Return a context in which matrix products and convolutions use `product_dtype`."""
    dtype = product_dtype(device, precision)
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def computed_on(device: torch.device, precision: str) -> str:
    """Return, as JSON, what rounding depends on beside the code: processor or GPU, format of products, threads."""
    names = {"cuda": torch.cuda.get_device_name, "mps": lambda _: f"{processor_name()}, GPU"}
    gpu = device.type in names
    return json.dumps(
        {
            "processor": names[device.type](device) if gpu else processor_name(),
            "products": str(product_dtype(device, precision)).removeprefix("torch."),
            "threads": None if gpu else torch.get_num_threads(),
        }
    )


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next step of a training, where it is glibc.

    Giving large blocks back and asking for them again costs a page fault for every 4 KiB: up to half of a step's time.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        for parameter, value in (("M_MMAP_MAX", 0), ("M_TRIM_THRESHOLD", 2**31 - 1), ("M_TOP_PAD", 2**28)):
            mallopt(_MALLOPT[parameter], value)


_MALLOPT = {"M_TRIM_THRESHOLD": -1, "M_TOP_PAD": -2, "M_MMAP_MAX": -4}  # numbers of glibc's malloc.h
