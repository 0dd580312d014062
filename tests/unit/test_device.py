import errno
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from semisup import device
from semisup.cli import UserError
from semisup.device import leased_device, product_dtype, wait_for_lease

LIBRARY = Path(device.__file__).parents[1]
NAMES = ["GPU-made-up-0", "GPU-made-up-1"]
POLL = 0.01
HOLDER = f"""
import sys, time
sys.path.insert(0, {str(LIBRARY)!r})
from semisup.device import wait_for_lease
index, lock = wait_for_lease({NAMES!r}, 0.01)
print(index, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def lock_folder(tmp_path, monkeypatch):
    """Keep the locks away from those of the machine's real devices; child processes go by the variable."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_each_lease_is_of_another_device():
    first, first_lock = wait_for_lease(NAMES, POLL)
    second, second_lock = wait_for_lease(NAMES, POLL)
    with first_lock, second_lock:
        assert (first, second) == (0, 1)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_folder_that_cannot_lock_is_named_in_one_line(monkeypatch, lock_folder, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(device.fcntl, "flock", refuse)
    with pytest.raises(UserError) as caught:
        wait_for_lease(NAMES, POLL)
    path = lock_folder / f"semisup-device-{NAMES[0]}.lock"
    said = f"{path}: this file system cannot lock ({os.strerror(number)}): set TMPDIR to a local folder"
    assert str(caught.value) == said


def test_third_waits_until_one_is_released():
    locks = [wait_for_lease(NAMES, POLL)[1] for _ in NAMES]
    leased = []

    def wait():
        index, lock = wait_for_lease(NAMES, POLL)
        leased.append(index)
        lock.close()

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    waiting.join(timeout=0.2)
    assert waiting.is_alive()
    assert leased == []
    locks[1].close()
    waiting.join(timeout=10)
    assert leased == [1]
    locks[0].close()


def test_killed_process_frees_its_lease():
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "0\n"
        index, lock = wait_for_lease(NAMES, POLL)
        lock.close()
        assert index == 1
        holder.kill()
    index, lock = wait_for_lease(NAMES, POLL)
    lock.close()
    assert index == 0


def test_lock_files_serve_all_users(lock_folder):
    """The file of another user is one that we may read, and not write to."""
    wait_for_lease(NAMES[:1], POLL)[1].close()
    (path,) = lock_folder.iterdir()
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o444)
    index, lock = wait_for_lease(NAMES[:1], POLL)
    with lock:
        assert index == 0
        assert lock.mode == "rb"


def test_no_gpu_asked_for():
    with leased_device(0) as leased:
        assert leased == torch.device("cpu")


def test_no_gpu_there(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    caplog.set_level("INFO")
    with leased_device(1) as leased:
        assert leased == torch.device("cpu")
    assert "no GPU is available" in caplog.text


@pytest.mark.parametrize("error", [None, RuntimeError])
def test_lease_ends_with_the_block(monkeypatch, error):
    """On a machine of one made-up GPU: taken inside the block, free after it and after an error."""
    properties = type("Properties", (), {"uuid": NAMES[0]})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: properties)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "made up")
    taken = []
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    second = threading.Thread(target=lambda: taken.append(wait_for_lease(NAMES[:1], POLL)), daemon=True)
    with suppress(RuntimeError), leased_device(1, POLL) as leased:
        assert leased == torch.device("cuda", 0)
        assert not torch.backends.cudnn.allow_tf32  # float32 is float32
        second.start()
        time.sleep(0.05)
        assert taken == []
        if error:
            raise error
    second.join(timeout=10)
    taken[0][1].close()


def test_product_type(monkeypatch):
    cpu = torch.device("cpu")
    assert product_dtype(cpu, "float32") == torch.float32
    for fast, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda fast=fast: fast)
        assert product_dtype(cpu, "auto") == expected
