"""Checkpoints of long programs: they outlive every kind of death, and never mix with another run's.

A folder holds one checkpoint, beside no output of a rule: Snakemake deletes the outputs of a job that failed. A
checkpoint carries a fingerprint of all that the result depends on; one with another fingerprint is set aside.
"""

import errno
import fcntl
import hashlib
import logging
import os
import pickle
import signal
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import IO, Any, NamedTuple

import numpy as np
import torch

from semisup.checkpoint_files import CHECKPOINT, LOCK
from semisup.cli import UserError
from semisup.files import atomic_path

DIGITS = 16  # of a checksum, enough to tell two apart

State = dict[str, Any]  # what torch.load reads back without running code: tensors, numbers, text, lists, dictionaries


class Checkpoint(NamedTuple):
    """A locked folder, the fingerprint of this run, and how many seconds may pass between two checkpoints."""

    folder: Path
    fingerprint: dict[str, str]
    seconds: float


def new_fingerprint(options: Mapping[str, object], arrays: Iterable[np.ndarray], code: str) -> dict[str, str]:
    """Return what a result depends on: options by name, a checksum of the data, the code's digest, library versions."""
    checksum = hashlib.sha256()
    for array in arrays:
        checksum.update(np.ascontiguousarray(array).data)
    versions = {name: metadata.version(name) for name in ("torch", "kornia", "numpy", "scipy", "scikit-learn")}
    return {
        **{name: str(value) for name, value in options.items()},
        "data": checksum.hexdigest()[:DIGITS],
        "code": code[:DIGITS],
        **versions,
    }


@contextmanager
def locked_checkpoint(folder: str | Path, fingerprint: dict[str, str], seconds: float) -> Iterator[Checkpoint]:
    """Yield the folder's checkpoint, which no other process can have at the same time.

    Waits while another process holds it, for instance one that went on when Snakemake was killed. The kernel frees the
    lock when a process ends, however it ends. Raises UserError where the file system cannot lock.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            _wait_for_lock(lock, folder)
        except OSError as error:
            raise UserError(
                f"{folder}: this file system cannot lock ({error.strerror}): mount it with flock, or use another folder"
                " with --directory"
            ) from error
        # Of processes that were killed while they wrote, on this host or another: none of them has the lock.
        for unfinished in folder.glob(".*.tmp"):
            unfinished.unlink()
        yield Checkpoint(folder, fingerprint, seconds)


def _wait_for_lock(lock: IO, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logging.info("another process is at work in %s: waiting for it to end", folder)
        fcntl.flock(lock, fcntl.LOCK_EX)


def save_checkpoint(checkpoint: Checkpoint, state: State) -> None:
    """Write the state; the checkpoint before it stays until this one is whole."""
    with atomic_path(_path(checkpoint)) as temporary, temporary.open("wb") as file:
        torch.save({"fingerprint": checkpoint.fingerprint, "state": state}, file)
        file.flush()
        os.fsync(file.fileno())


def load_checkpoint(checkpoint: Checkpoint) -> State | None:
    """Return the saved state, its tensors on the CPU; None if there is none, or only one of a different run.

    One with another fingerprint, or a damaged one, is renamed to set-aside-<number>.pt and the log says why.
    """
    path = _path(checkpoint)
    if not path.exists():
        return None
    try:
        _check_sums(path)
        saved = torch.load(path, map_location="cpu", weights_only=True)
        found = saved["fingerprint"]
    except (RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile):
        _set_aside(path, "it is damaged")
        return None
    differing = [key for key in checkpoint.fingerprint | found if found.get(key) != checkpoint.fingerprint.get(key)]
    if differing:
        now = ", ".join(f"{key}: {found.get(key)}, now {checkpoint.fingerprint.get(key)}" for key in differing)
        _set_aside(path, f"it was made by a different run ({now})")
        return None
    return saved["state"]


def _check_sums(path: Path) -> None:
    """Raise BadZipFile unless every part has its checksum, which torch.save writes and torch.load does not look at."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (OSError, zlib.error, struct.error) as error:
        if getattr(error, "errno", errno.EINVAL) != errno.EINVAL:  # that is of a place before the beginning of the file
            raise
        raise zipfile.BadZipFile(str(error)) from error
    if damaged:
        raise zipfile.BadZipFile(f"{damaged} has not its checksum")


def _path(checkpoint: Checkpoint) -> Path:
    return checkpoint.folder / CHECKPOINT


def _set_aside(path: Path, reason: str) -> None:
    number = 1
    while (aside := path.with_name(f"set-aside-{number}.pt")).exists():
        number += 1
    path.rename(aside)
    logging.warning("the checkpoint is not resumed, for %s: set aside as %s", reason, aside)


@contextmanager
def deferred_stop() -> Iterator[Callable[[], int | None]]:
    """Within the block, the first SIGINT or SIGTERM only makes the yielded function return its number.

    So the program can save what it has before it goes. A second signal acts at once, except a repeated SIGTERM: when a
    job's time is up SLURM sends two within milliseconds, and SIGKILL later. A first signal that the function was not
    asked about acts at the end of the block.
    """
    received: list[int] = []
    handed_out: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)
        for which, handler in before.items():
            signal.signal(which, signal.SIG_IGN if which == number == signal.SIGTERM else handler)

    def restore() -> None:
        for which, handler in before.items():
            signal.signal(which, handler)

    def stop() -> int | None:
        handed_out.extend(received)
        return received[0] if received else None

    before = {which: signal.signal(which, note) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        restore()
    if received and not handed_out:
        signal.raise_signal(received[0])
