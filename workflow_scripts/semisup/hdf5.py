"""HDF5 files: opened with one-line errors, written whole or not at all."""

import os
import re
import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar, get_origin, get_type_hints

import h5py
import numpy as np

from semisup.cli import UserError
from semisup.files import DISK_FULL, atomic_path

T = TypeVar("T")

SPARE_BYTES = 16_000_000  # room for what HDF5 still holds back, and for its own tables


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Raises UserError if the file is missing, damaged or no HDF5 file, and if the block asks for what is not in it.
    """
    try:
        # Finished files are never written to again, and some cluster file systems cannot lock.
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (KeyError, OSError, RuntimeError) as error:
        if not _raised_by_h5py(error):
            raise
        if isinstance(error, OSError) and error.errno:
            raise UserError(f"{path}: {os.strerror(error.errno)}: check the path") from error
        if isinstance(error, KeyError):
            linked = _unreadable_link(path)
            if linked is not None:
                raise UserError(
                    f"{linked}, which {path} refers to, is damaged or missing: delete it and run again"
                ) from error
            raise UserError(
                f"{path} lacks what is needed ({error.args[0]}): give the right file, or delete it and run again"
            ) from error
        raise UserError(f"{path} is damaged or not an HDF5 file: delete it and run again") from error


def _unreadable_link(path: str | Path) -> Path | None:
    """Return the first file that this one has an external link to and that cannot be opened; None if there is none."""
    with h5py.File(path, "r", locking=False) as file:
        links = [file.get(name, getlink=True) for name in file]
    for link in links:
        if isinstance(link, h5py.ExternalLink):
            linked = Path(path).parent / link.filename
            try:
                h5py.File(linked, "r", locking=False).close()
            except OSError:
                return linked
    return None


def write_record(group: h5py.Group, record: NamedTuple, writers: dict[type, Callable] | None = None) -> None:
    """Write a named tuple: arrays as data sets, named tuples as groups, all else as attributes.

    writers: for a type, a function that writes a value of it into a group.
    """
    for name, value in record._asdict().items():
        if isinstance(value, np.ndarray):
            group.create_dataset(name, data=value)
        elif type(value) in (writers or {}):
            writers[type(value)](group.create_group(name), value)
        elif hasattr(value, "_fields"):
            write_record(group.create_group(name), value)
        else:
            group.attrs[name] = value


def read_record(group: h5py.Group, kind: type[T], readers: dict[type, Callable] | None = None) -> T:
    """Read what `write_record` wrote. readers: for a type, a function that reads a value of it from a group.

    An attribute that an older file lacks has its default.
    """
    values = {}
    for name, hint in get_type_hints(kind).items():
        part = get_origin(hint) or hint
        if part in (readers or {}):
            values[name] = readers[part](group[name])
        elif part is np.ndarray or isinstance(part, TypeVar):
            values[name] = group[name][()]
        elif hasattr(part, "_fields"):
            values[name] = read_record(group[name], part)
        elif name in group.attrs or name not in kind._field_defaults:
            value = group.attrs[name]
            values[name] = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return kind(**values)


def read_rows(data: h5py.Dataset | np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return data[rows]. One by one is up to 70 times as fast as h5py's own indexing with a list."""
    return np.stack([data[row] for row in rows])


def finite(values: np.ndarray, path: str | Path, what: str) -> np.ndarray:
    """Return the values of a file. Raises UserError if one is infinite or not a number, which would spread unseen."""
    if not np.isfinite(values).all():
        raise UserError(f"{path} has {what} that are not finite: delete it and what it was made from, and run again")
    return values


def _discard(file: h5py.File) -> None:
    """Let what HDF5 still holds back go into memory: it cannot close a file on a full disk, and crashes later on.

    The file may be one of several on that disk, so giving back its own space is not enough.
    """
    if not hasattr(os, "memfd_create"):  # no Linux
        os.truncate(file.filename, 0)
        return
    memory = os.memfd_create("discarded")
    os.dup2(memory, file.id.get_vfd_handle())
    os.close(memory)


def _error_number(error: BaseException) -> int | None:
    """Return the system's number of an error. HDF5 has it in the text of a RuntimeError where it fails to flush."""
    if isinstance(error, RuntimeError):
        found = re.search(r"\berrno = (\d+)", str(error))
        return int(found[1]) if found else None
    return error.errno if isinstance(error, OSError) else None


def _raised_by_h5py(error: Exception) -> bool:
    """Tell whether h5py itself raised the error; a block may fail for reasons that have nothing to do with its file."""
    return "h5py" in Path(traceback.extract_tb(error.__traceback__)[-1].filename).parts


def require_space(folder: str | Path, size: int) -> None:
    """Raise UserError unless `folder` has room for `size` bytes and a little more."""
    free = shutil.disk_usage(folder).free
    needed = size + SPARE_BYTES
    if free < needed:
        raise UserError(f"{folder} has {free / 1e6:.0f} MB free, but {needed / 1e6:.0f} MB are needed: make room there")


@contextmanager
def new_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Yield an HDF5 file, open for writing; it appears under its name when the block ends without an error.

    Ask `require_space` before writing much: what it does not see (quotas, other writers) shows only while HDF5 writes.
    Raises UserError if the disk is full.
    """
    with atomic_path(path) as temporary:
        require_space(temporary.parent, 0)
        file = h5py.File(temporary, "w", locking=False)  # nobody else knows its name; some file systems cannot lock
        try:
            yield file
            file.flush()
        except BaseException as error:
            _discard(file)
            with suppress(RuntimeError):  # HDF5 may fail once more at what it could not write before
                file.close()
            number = _error_number(error)
            if number in DISK_FULL:
                raise UserError(f"{temporary.parent}: {os.strerror(number)}: make room there") from error
            raise
        file.close()
