"""Files that appear whole or not at all."""

import errno
import glob
import hashlib
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from semisup.cli import UserError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
LONGEST_NAME = 255  # bytes, on Linux
LARGEST_PROCESS = 2**22  # the largest process number of Linux


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, delete it on any error.

    What killed processes of this host have left of it before is deleted too.
    Where the disk is full, raises OSError that names `path`, whatever error a library has made of it.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    _delete_abandoned(target)
    temporary = target.with_name(f"{_prefix(target)}{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(target)
    except Exception as error:
        # A failed write does not know the name of its file, and libraries that tidy up after one fail once more.
        number = None if getattr(error, "filename", None) else full_disk_number(error)
        if number is None:
            raise
        raise OSError(number, f"{os.strerror(number)}: make room there", str(target)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _prefix(target: Path) -> str:
    """Return what the names of the temporary files of `target` begin with: its name, and that of this host.

    Processes of different nodes and containers have the same numbers, but see the same folders.
    """
    host = re.sub(r"[^\w-]", "_", platform.node())  # no dots: a longer name of a file has them too
    prefix = f".{target.name}.{host}."
    if len(os.fsencode(f"{prefix}{LARGEST_PROCESS}.tmp")) > LONGEST_NAME:
        prefix = f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()}.{host}."
    return prefix


def _delete_abandoned(target: Path) -> None:
    """Delete the temporary files of `target` whose process is no more, as nothing else ever would.

    Those of other hosts stay, since nobody here knows what runs there.
    """
    prefix = _prefix(target)
    for temporary in target.parent.glob(f"{glob.escape(prefix)}*.tmp"):
        number = temporary.name.removeprefix(prefix).removesuffix(".tmp")
        if number.isdecimal() and not _is_running(int(number)):
            temporary.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 only asks
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return not _is_zombie(process)


def _is_zombie(process: int) -> bool:
    """Tell whether the process has ended and only its parent has not asked for it, as of orphans in some containers."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:  # gone by now, or no Linux
        return False
    return text.rpartition(")")[2].split()[0] == "Z"  # what stands before is its name


def copy_file(source: str | Path, target: str | Path) -> None:
    """Copy a small file, whole or not at all. An error in writing names the copy, where shutil names the source."""
    content = Path(source).read_bytes()
    with atomic_path(target) as path:
        path.write_bytes(content)


def full_disk_number(error: BaseException | None) -> int | None:
    """Return the number of the full disk's error that this one is, or was raised in the wake of; None if it was not."""
    while error is not None and not isinstance(error, UserError):
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            return error.errno
        error = error.__cause__ or error.__context__
    return None


def file_checksum(path: str | Path, algorithm: str) -> str:
    """Return the hexadecimal digest of the file at `path`, read in blocks (constant memory)."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
