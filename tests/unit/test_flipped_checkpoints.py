"""A checkpoint with any one bit flipped: it is set aside, or gives back what was saved; never anything else."""

import random

import pytest
import torch

from semisup.checkpoints import load_checkpoint, locked_checkpoint, save_checkpoint

FINGERPRINT = {"learning_rate": "0.1", "code": "0123456789abcdef"}
STATE = {"weights": torch.arange(600.0).view(20, 30), "progress": {"epoch": 3, "history": [{"epoch": 1, "loss": 0.5}]}}
PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_flipped_bits(part, tmp_path):
    with locked_checkpoint(tmp_path, FINGERPRINT, 0) as checkpoint:
        save_checkpoint(checkpoint, STATE)
        path = tmp_path / "checkpoint.pt"
        whole = path.read_bytes()
        set_aside = 0
        for bit in random.Random(part).sample(range(8 * len(whole)), 100):
            damaged = bytearray(whole)
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            found = load_checkpoint(checkpoint)
            if found is None:
                set_aside += 1
                assert (tmp_path / f"set-aside-{set_aside}.pt").read_bytes() == damaged
            else:
                assert torch.equal(found["weights"], STATE["weights"]), bit
                assert found["progress"] == STATE["progress"], bit
    assert set_aside > 60, "most bits are of weights"


def test_unreadable_checkpoint_is_not_set_aside(tmp_path, monkeypatch):
    """A disk that fails to read may be mended; then the checkpoint must still be there."""

    def fail(*_):
        raise OSError(5, "Input/output error")

    with locked_checkpoint(tmp_path, FINGERPRINT, 0) as checkpoint:
        save_checkpoint(checkpoint, STATE)
        monkeypatch.setattr("zipfile.ZipFile.testzip", fail)
        with pytest.raises(OSError, match="Input/output error"):
            load_checkpoint(checkpoint)
        assert (tmp_path / "checkpoint.pt").exists()
