import errno
import fcntl
import os
import platform
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from semisup import checkpoints
from semisup.checkpoint_files import epochs_so_far, is_locked
from semisup.checkpoints import deferred_stop, load_checkpoint, locked_checkpoint, new_fingerprint, save_checkpoint
from semisup.cli import UserError

LIBRARY = Path(checkpoints.__file__).parents[1]
CPU = torch.device("cpu")
STATE = {"weights": torch.arange(6.0).view(2, 3), "progress": {"epoch": 3, "loss": 0.5, "history": [{"epoch": 1}]}}
# Holds the lock until its standard input ends, or it is killed.
HOLDER = f"""
import sys
sys.path.insert(0, {str(LIBRARY)!r})
from semisup.checkpoints import locked_checkpoint
with locked_checkpoint(sys.argv[1], {{}}, 0.0):
    print("held", flush=True)
    sys.stdin.read()
"""


def fingerprint(code="0123456789abcdef", data=0, **options):
    arrays = [np.full((4, 3), data, np.uint8), np.arange(5)]
    return new_fingerprint({"learning_rate": 0.1, "epochs": 40, **options}, arrays, code)


def save(folder, state=STATE, found=None):
    with locked_checkpoint(folder, found or fingerprint(), 60.0) as checkpoint:
        save_checkpoint(checkpoint, state)


def load(folder, found=None):
    with locked_checkpoint(folder, found or fingerprint(), 60.0) as checkpoint:
        return load_checkpoint(checkpoint)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


# What is saved and what is resumed


def test_checkpoint_gives_the_state_back(tmp_path):
    folder = tmp_path / "made" / "as needed"
    assert load(folder) is None
    save(folder)
    found = load(folder)
    assert torch.equal(found["weights"], STATE["weights"])
    assert found["progress"] == STATE["progress"]
    save(folder, {"weights": torch.zeros(1)})
    assert load(folder)["weights"].tolist() == [0]
    assert files(folder) == ["checkpoint.pt", "lock"]


def test_fingerprint_depends_on_all_that_the_result_does():
    first = fingerprint()
    assert first == fingerprint()
    versions = {"torch", "kornia", "numpy", "scipy", "scikit-learn"}
    assert set(first) == {"learning_rate", "epochs", "data", "code"} | versions

    def differing(other):
        return [name for name in first | other if first.get(name) != other.get(name)]

    assert differing(fingerprint(learning_rate=0.2)) == ["learning_rate"]
    assert differing(fingerprint(data=1)) == ["data"]
    assert differing(fingerprint(code="another")) == ["code"]
    assert differing(fingerprint(patience=0)) == ["patience"]
    flipped = new_fingerprint({}, [np.arange(6).reshape(2, 3)[:, ::-1]], "")["data"]
    assert flipped != new_fingerprint({}, [np.arange(6).reshape(2, 3)], "")["data"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0.2}, "(learning_rate: 0.1, now 0.2)"),
        ({"code": "fedcba9876543210"}, "(code: 0123456789abcdef, now fedcba9876543210)"),
        ({"learning_rate": 0.2, "patience": 3}, "(learning_rate: 0.1, now 0.2, patience: None, now 3)"),
    ],
)
def test_checkpoint_of_a_different_run_is_set_aside(change, message, tmp_path, caplog):
    save(tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    assert load(tmp_path, fingerprint(**change)) is None
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.message == (
        f"the checkpoint is not resumed, for it was made by a different run {message}: set aside as "
        f"{tmp_path / 'set-aside-1.pt'}"
    )
    assert files(tmp_path) == ["lock", "set-aside-1.pt"]
    assert (tmp_path / "set-aside-1.pt").read_bytes() == before
    assert load(tmp_path) is None


def test_checkpoint_of_a_run_with_one_more_option_is_set_aside(tmp_path, caplog):
    save(tmp_path, found=fingerprint(patience=0))
    assert load(tmp_path) is None
    assert "(patience: 0, now None)" in caplog.text


def test_checkpoints_that_are_set_aside_do_not_collide(tmp_path):
    for epochs in range(3):
        save(tmp_path, {"epochs": epochs}, fingerprint(epochs=epochs))
        assert load(tmp_path, fingerprint(epochs=epochs + 1)) is None
    assert files(tmp_path) == ["lock", "set-aside-1.pt", "set-aside-2.pt", "set-aside-3.pt"]
    states = [torch.load(tmp_path / f"set-aside-{number}.pt")["state"]["epochs"] for number in (1, 2, 3)]
    assert states == [0, 1, 2]


def half(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


DAMAGE = {
    "cut short": half,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a checkpoint\n"),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "noise": lambda path: path.write_bytes(np.random.default_rng(0).bytes(1000)),
    "without a fingerprint": lambda path: torch.save({"state": STATE}, path),
    "not a dictionary": lambda path: torch.save([1, 2], path),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_checkpoint_is_set_aside(damage, tmp_path, caplog):
    save(tmp_path)
    DAMAGE[damage](tmp_path / "checkpoint.pt")
    assert load(tmp_path) is None
    assert "the checkpoint is not resumed, for it is damaged: set aside as" in caplog.text
    assert files(tmp_path) == ["lock", "set-aside-1.pt"]


def test_checkpoint_cut_short_anywhere(tmp_path):
    save(tmp_path)
    path = tmp_path / "checkpoint.pt"
    content = path.read_bytes()
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        assert load(tmp_path) is None, length


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failing_save_leaves_the_checkpoint_before_it(error, tmp_path, monkeypatch):
    save(tmp_path)

    def fail(_, file):
        file.write(b"half of it")
        raise error

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(type(error)):
        save(tmp_path, {"weights": torch.zeros(1)})
    monkeypatch.undo()
    assert torch.equal(load(tmp_path)["weights"], STATE["weights"])
    assert files(tmp_path) == ["checkpoint.pt", "lock"]


def test_checkpoint_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync

    def note(descriptor):
        fsync(descriptor)
        synced.append(files(tmp_path))

    monkeypatch.setattr(os, "fsync", note)
    save(tmp_path)
    host = platform.node().replace(".", "_")
    assert synced == [[f".checkpoint.pt.{host}.{os.getpid()}.tmp", "lock"]]


def test_whoever_has_the_lock_deletes_what_others_left(tmp_path):
    """Of other hosts too: a job that goes on after a lost node may run on another one."""
    for host in (platform.node(), "another-node"):
        for name in ("checkpoint.pt", "history.csv"):
            (tmp_path / f".{name}.{host}.999999999.tmp").touch()
    assert load(tmp_path) is None
    assert files(tmp_path) == ["lock"]


# The lock


@pytest.mark.parametrize("end", ["ends", "is killed"])
def test_second_process_waits_until_the_first(end, tmp_path, caplog):
    caplog.set_level("INFO")
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert is_locked(tmp_path)
        waiting = threading.Thread(target=save, args=[tmp_path], daemon=True)
        waiting.start()
        waiting.join(timeout=0.3)
        assert waiting.is_alive()
        assert files(tmp_path) == ["lock"]
        if end == "ends":
            holder.stdin.close()
        else:
            holder.kill()
        waiting.join(timeout=120)
        assert not waiting.is_alive()
    assert holder.returncode == (0 if end == "ends" else -signal.SIGKILL)
    assert f"another process is at work in {tmp_path}: waiting for it to end" in caplog.text
    assert not is_locked(tmp_path)
    assert load(tmp_path) is not None


def test_where_there_is_no_lock_nobody_is_at_work(tmp_path):
    assert not is_locked(tmp_path)
    assert not is_locked(tmp_path / "absent")
    assert epochs_so_far(tmp_path / "absent") == []


def test_those_who_ask_do_not_see_each_other(tmp_path):
    save(tmp_path)
    with (tmp_path / "lock").open("rb") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert not is_locked(tmp_path)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
@pytest.mark.parametrize("held", [False, True], ids=["at once", "while it waits"])
def test_file_system_without_locks(number, held, tmp_path, monkeypatch):
    """As Lustre without the mount option `flock` is, or NFS without its lock service."""

    def refuse(_, operation):
        if held and operation & fcntl.LOCK_NB:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(UserError) as caught, locked_checkpoint(tmp_path, {}, 0.0):
        pytest.fail("it went on without a lock")
    assert str(caught.value) == (
        f"{tmp_path}: this file system cannot lock ({os.strerror(number)}): mount it with flock, or use another folder "
        "with --directory"
    )


def test_errors_of_the_block_are_not_blamed_on_the_lock(tmp_path):
    error = OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    with pytest.raises(OSError, match="locks") as caught, locked_checkpoint(tmp_path, {}, 0.0):
        raise error
    assert caught.value is error


def test_lock_ends_with_the_block(tmp_path, caplog):
    caplog.set_level("INFO")
    with pytest.raises(ZeroDivisionError), locked_checkpoint(tmp_path, {}, 0.0):
        raise ZeroDivisionError
    with locked_checkpoint(tmp_path, {}, 0.0), locked_checkpoint(tmp_path / "other", {}, 0.0):
        pass
    assert caplog.text == ""


# Signals


class SecondSignalError(Exception):
    pass


@pytest.fixture
def handlers():
    """Let both signals raise SecondSignalError, and return their handlers; afterwards they are as before."""

    def act(number, _):
        raise SecondSignalError(number)

    before = {number: signal.signal(number, act) for number in (signal.SIGINT, signal.SIGTERM)}
    yield dict.fromkeys(before, act)
    for number, handler in before.items():
        signal.signal(number, handler)


def current(handlers):
    return {number: signal.getsignal(number) for number in handlers}


@pytest.mark.parametrize(
    ("first", "second"),
    [(signal.SIGINT, signal.SIGINT), (signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)],
)
def test_first_signal_is_noted_and_the_second_acts(first, second, handlers):
    with deferred_stop() as stop:
        assert stop() is None
        os.kill(os.getpid(), first)
        assert stop() == first
        with pytest.raises(SecondSignalError, match=str(int(second))):
            os.kill(os.getpid(), second)
        assert stop() == first
    assert current(handlers) == handlers


def test_repeated_sigterm_does_not_keep_a_program_from_saving(handlers):
    """SLURM sends it twice when a job's time is up, some milliseconds apart: less than a step of a training takes."""
    with deferred_stop() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop() == signal.SIGTERM
    assert current(handlers) == handlers


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_signals_act_again_after_the_block(error, handlers):
    try:
        with deferred_stop():
            assert current(handlers) != handlers
            if error:
                raise error
    except ZeroDivisionError:
        pass
    assert current(handlers) == handlers


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_that_nobody_asked_about_acts_at_the_end(number, handlers):
    with pytest.raises(SecondSignalError, match=str(int(number))), deferred_stop():
        os.kill(os.getpid(), number)
    assert current(handlers) == handlers


def test_signal_that_an_inner_block_overlooked_reaches_the_outer_one(handlers):
    with deferred_stop() as outer:
        with deferred_stop() as inner:
            assert inner() is None
            os.kill(os.getpid(), signal.SIGTERM)  # after the last question, as in the validation of a last epoch
        assert outer() == signal.SIGTERM
    assert current(handlers) == handlers
