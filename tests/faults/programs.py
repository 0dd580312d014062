"""Programs run to their end in a process of their own, so that not even a crash of a library hurts the tests."""

import multiprocessing
import subprocess
import sys
from contextlib import contextmanager

import pytest

from fixtures_machine import lacking
from semisup.cli import run_program


def run_forked(folder, function, *arguments):
    """Call `function` as a program's `main` is called; return its exit code (below 0: a signal) and what it said.

    A fork has all imports done: two seconds less for each of many programs.
    """
    log = folder / "said.txt"
    process = multiprocessing.get_context("fork").Process(target=_run, args=(log, function, arguments))
    process.start()
    process.join(timeout=120)
    if process.is_alive():
        process.kill()
        pytest.fail(f"the program hangs: {log.read_text()}")
    return process.exitcode, log.read_text()


def _run(log, function, arguments):
    sys.stdout = sys.stderr = log.open("w", buffering=1)  # open to the end, when the line of SystemExit is printed
    run_program(lambda: function(*arguments))


def error_line(code, said):
    """Return the one line of a program that ended with an error of the user's, not with a traceback or a crash."""
    assert code == 1, (code, said)
    assert "Traceback" not in said, said
    lines = said.splitlines()
    assert lines, "nothing was said"
    assert lines[-1].startswith("error: "), said
    assert said.count("error: ") == 1, said
    return lines[-1]


@contextmanager
def mounted(folder, *command):
    """Mount something at `folder` within the block; skip the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(["mount", *map(str, command), str(folder)], capture_output=True, text=True)
    except FileNotFoundError:
        lacking("there is no mount command here")
    if done.returncode:
        lacking(f"mounting is not allowed here ({done.stderr.strip()}): run the tests as root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def small_disk(folder, size):
    """A file system in memory of `size` bytes (a multiple of 4096) at `folder`."""
    with mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        yield folder


def fill(disk, free):
    """Fill the disk with a file until only `free` bytes (rounded to pages of 4096) are left."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            pass
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
        file.truncate(max(0, file.tell() - free))
    return filler
