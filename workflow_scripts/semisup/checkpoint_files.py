"""What lies in the folder of a checkpoint, and what it tells those who look on. Standard library only."""

import csv
import fcntl
from pathlib import Path

CHECKPOINT = "checkpoint.pt"
LOCK = "lock"  # held by the process that is at work in the folder
HISTORY = "history.csv"  # of a training: a row for each epoch so far


def is_locked(folder: Path) -> bool:
    """Tell whether a process is at work in the folder. The kernel frees the lock of one that was killed.

    The question is a lock that many can share, so that those who ask do not take each other for a process at work.
    """
    try:
        with (folder / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # nothing is there, or the file system cannot lock
        return False
    return False


def epochs_so_far(folder: Path) -> list[dict[str, str]]:
    """Return the rows of the history in the folder, none where there is no history."""
    try:
        with (folder / HISTORY).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []
