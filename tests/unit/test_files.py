import errno
import hashlib
import os

import h5py
import pytest

from semisup.cli import UserError
from semisup.files import atomic_path, file_checksum
from semisup.hdf5 import new_hdf5, open_hdf5
from semisup.tables import read_table, write_table


def test_file_appears_at_the_end(tmp_path):
    target = tmp_path / "new" / "folder" / "file.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_after_an_exception(tmp_path, error):
    with pytest.raises(error), atomic_path(tmp_path / "file.txt") as temporary:
        temporary.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_old_file_outlives_an_exception(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(ValueError, match="half"), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise ValueError("half")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_block_that_writes_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "file.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"x" * 3_000_000])
def test_checksum(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert file_checksum(path, "md5") == hashlib.md5(content).hexdigest()
    assert file_checksum(path, "sha256") == hashlib.sha256(content).hexdigest()


def test_hdf5_file_appears_at_the_end(tmp_path):
    path = tmp_path / "file.h5"
    with new_hdf5(path) as file:
        file["numbers"] = [1, 2, 3]
        assert not path.exists()
    with open_hdf5(path) as file:
        assert file["numbers"][:].tolist() == [1, 2, 3]


@pytest.mark.parametrize("error", [KeyError("a key"), RuntimeError("out of memory"), ValueError("a value")])
def test_errors_of_the_block_are_not_blamed_on_the_file(tmp_path, error):
    path = tmp_path / "file.h5"
    with new_hdf5(path) as file:
        file["numbers"] = [1, 2, 3]
    with pytest.raises(type(error)) as caught, open_hdf5(path):
        raise error
    assert caught.value is error


def test_full_disk_is_not_blamed_on_the_file_that_is_read(tmp_path):
    with new_hdf5(tmp_path / "source.h5") as file:
        file["numbers"] = [1, 2, 3]
    with (
        pytest.raises(UserError, match=f"^{tmp_path}/out: No space left on device: make room there"),
        open_hdf5(tmp_path / "source.h5"),
        new_hdf5(tmp_path / "out" / "file.h5"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list((tmp_path / "out").iterdir()) == []


def test_missing_parts_are_named(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["numbers"] = [1]
    for read in (lambda file: file["letters"], lambda file: file["a/b"], lambda file: file.attrs["letters"]):
        with pytest.raises(UserError, match=r"file\.h5 lacks what is needed"), open_hdf5(tmp_path / "file.h5") as file:
            read(file)


def test_table_is_read_as_written(tmp_path):
    rows = [{"name": "a", "value": 0.1}, {"name": "b, c", "value": None}]
    write_table(tmp_path / "table.csv", rows)
    assert (tmp_path / "table.csv").read_text() == 'name,value\na,0.1\n"b, c",\n'
    assert read_table(tmp_path / "table.csv")["value"][0] == 0.1


def test_table_quotes_both_characters_of_a_lines_end(tmp_path):
    write_table(tmp_path / "table.csv", [{"name": "a\rb", "value": "c\nd"}, {"name": "", "value": "e\r\n"}])
    assert (tmp_path / "table.csv").read_bytes() == b'name,value\n"a\rb","c\nd"\n,"e\r\n"\n'


def test_table_without_rows(tmp_path):
    write_table(tmp_path / "table.csv", [], columns=["name", "value"])
    assert (tmp_path / "table.csv").read_text() == "name,value\n"


def test_a_reader_keeps_the_whole_old_file(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("the old one")
    with target.open() as reader:
        with atomic_path(target) as temporary:
            temporary.write_text("the new one")
        assert reader.read() == "the old one"
    assert target.read_text() == "the new one"
