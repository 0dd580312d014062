"""What is left of a write that a full disk or a kill has ended: nothing, and an error that names the file."""

import errno
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from semisup import files
from semisup.cli import UserError
from semisup.files import atomic_path
from semisup.hdf5 import new_hdf5

HOST = platform.node().replace(".", "_")
DEAD = 999999999  # a number that no process has
LIBRARY = Path(files.__file__).parents[1]
# Writes half of a file, says so, and waits to be killed.
WRITER = f"""
import sys
sys.path.insert(0, {str(LIBRARY)!r})
from semisup.files import atomic_path
with atomic_path(sys.argv[1]) as path:
    path.write_text("half")
    print("half", flush=True)
    sys.stdin.read()
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def start_writer(target):
    command = [sys.executable, "-c", WRITER, str(target)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "half\n"
    return process


def test_what_a_killed_process_left_is_deleted_by_the_next(tmp_path):
    target = tmp_path / "a [table].csv"
    with start_writer(target) as process:
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert names(tmp_path) == [f".a [table].csv.{HOST}.{process.pid}.tmp"]
    with atomic_path(target) as path:
        path.write_text("whole")
    assert names(tmp_path) == ["a [table].csv"]


def test_what_a_killed_process_left_is_deleted_even_if_nobody_has_noticed_its_end(tmp_path):
    """As of orphans in a container whose first process does not care for them."""
    process = start_writer(tmp_path / "table.csv")
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and still listed among the processes
    os.kill(process.pid, 0)
    write_table(tmp_path)
    assert names(tmp_path) == ["table.csv"]
    process.communicate()


def test_what_another_process_is_writing_stays(tmp_path):
    target = tmp_path / "table.csv"
    with start_writer(target) as process:
        with atomic_path(target) as path:
            path.write_text("whole")
        assert names(tmp_path) == [f".table.csv.{HOST}.{process.pid}.tmp", "table.csv"]
        process.stdin.close()
    assert process.returncode == 0
    assert target.read_text() == "half"


OTHER_FILES = [
    f".other.csv.{HOST}.{DEAD}.tmp",
    f".table.csv.{HOST}.other.{DEAD}.tmp",  # of table.csv.HOST.other, on no host at all
    f".table.csv.{HOST}.part.tmp",
    f".table.csv.{HOST}.tmp",
    f".table.csv.{DEAD}.tmp",
    ".table.csv.tmp",
]


def write_table(folder):
    with atomic_path(folder / "table.csv") as path:
        path.write_text("whole")


@pytest.mark.parametrize("name", OTHER_FILES)
def test_other_files_stay(tmp_path, name):
    (tmp_path / name).touch()
    write_table(tmp_path)
    assert names(tmp_path) == sorted([name, "table.csv"])


def test_what_another_host_is_writing_stays(tmp_path):
    """Whatever number its process has: here it may be another's, or nobody's."""
    others = [f".table.csv.{host}.{DEAD}.tmp" for host in (f"{HOST}2", f"2{HOST}", "node-7")]
    ours = f".table.csv.{HOST}.{DEAD}.tmp"
    for name in (*others, ours):
        (tmp_path / name).touch()
    write_table(tmp_path)
    assert names(tmp_path) == sorted([*others, "table.csv"])


NAMES = ["table.csv", "table.csv.b", "x" * 250, "x" * 255, "ü" * 127]


@pytest.mark.parametrize("name", NAMES)
def test_two_hosts_never_share_a_path(tmp_path, monkeypatch, name):
    """Their processes may have the same number. Neither host's dots make its path that of a longer name."""
    paths = {}
    for host in ("a", "b", "a.b", "b.a", "h" * 64, "h" * 63 + "i"):
        monkeypatch.setattr(platform, "node", lambda host=host: host)
        with atomic_path(tmp_path / name) as path:
            path.write_text("whole")
            assert path.parent == tmp_path
            paths[host] = path.name
    assert len(set(paths.values())) == len(paths)
    monkeypatch.setattr(platform, "node", lambda: "a")
    for other in set(NAMES) - {name}:
        with atomic_path(tmp_path / other) as path:
            path.write_text("whole")
            assert path.name not in paths.values()


@pytest.mark.parametrize("name", ["x" * 240, "x" * 255, "ü" * 127])
def test_what_a_killed_process_left_of_a_long_name_is_deleted(tmp_path, name):
    target = tmp_path / name
    with start_writer(target) as process:
        process.kill()
    assert len(names(tmp_path)) == 1
    with atomic_path(target) as path:
        path.write_text("whole")
    assert names(tmp_path) == [name]


def full_disk(number=errno.ENOSPC):
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_is_named(tmp_path, number):
    with pytest.raises(OSError, match="make room there") as caught, atomic_path(tmp_path / "table.csv"):
        raise full_disk(number)
    assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "table.csv"))


@pytest.mark.parametrize("second", [AttributeError("no stream"), RuntimeError("unexpected pos 832 vs 726")])
def test_full_disk_shows_through_an_error_of_the_tidying_up(tmp_path, second):
    """As when matplotlib or PyTorch fails to close what it could not write."""
    with pytest.raises(OSError, match="No space left on device: make room there"), atomic_path(tmp_path / "a"):
        try:
            raise full_disk()
        finally:
            raise second


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EIO, "Input/output error"), OSError(errno.ENOSPC, "full", "other"), UserError("x"), KeyError()],
)
def test_other_errors_are_as_they_were(tmp_path, error):
    with pytest.raises(type(error)) as caught, atomic_path(tmp_path / "table.csv"):
        raise error
    assert caught.value is error


def test_error_of_a_file_of_its_own_is_not_renamed(tmp_path):
    """A file within a file: the inner one is the one that could not be written."""
    with (
        pytest.raises(UserError, match=f"^{tmp_path}/inner: No space"),
        atomic_path(tmp_path / "outer"),
        new_hdf5(tmp_path / "inner" / "file.h5"),
    ):
        raise full_disk()
