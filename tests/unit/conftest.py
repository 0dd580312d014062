import errno
import os
from pathlib import Path

import pytest

# The arrays of these tests are small: handing them to several threads costs more time than it saves.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def lock(monkeypatch):
    """A function that locks a folder, as permissions do for who is not root."""
    scan, locked = os.scandir, set()

    def refusing(folder):
        if Path(folder) in locked:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    return locked.add
