"""Nothing that only Linux has, without a way round it; macOS and others are made up here, and were not tried."""

import ast
import ctypes
import os
import platform
import re
import resource
import shlex
import sys
from pathlib import Path

import h5py
import pytest
import torch
from clones import ROOT
from torch.utils._python_dispatch import TorchDispatchMode

import typeset_report
from collect_provenance import memory_gib
from fixtures_training import RECIPE, exemplar_network, two_classes
from planning.environment import COMMANDS, command_mistake
from semisup import device, fixmatch, hdf5, kmeans, labelled_loss, pseudo_label_loss
from semisup.cli import UserError, peak_memory_gib
from semisup.device import keep_freed_memory, leased_device, product_dtype, sum_dtype
from semisup.files import _is_running
from semisup.machine import processor_name
from semisup.training import add_gradients

SCRIPTS = ROOT / "workflow_scripts"
# Names of modules and beginnings of paths that macOS does not have, or that say something else there.
LINUX_ONLY = {
    *(
        "sched_getaffinity",
        "sched_setaffinity",
        "memfd_create",
        "posix_fadvise",
        "posix_fallocate",
        "eventfd",
        "splice",
    ),
    *("copy_file_range", "O_DIRECT", "O_TMPFILE", "getrandom", "setns", "unshare", "epoll", "SIGRTMIN", "sigtimedwait"),
    *("pthread_setaffinity_np", "prlimit", "AF_NETLINK", "inotify", "ru_maxrss", "SC_PHYS_PAGES"),
}
LINUX_PATHS = ("/proc/", "/sys/", "/dev/shm", "/etc/", "libc.so")
# Each with its way round, which a test below tries.
GUARDED = {
    ("collect_provenance.py", "SC_PHYS_PAGES"),
    ("semisup/cli.py", "ru_maxrss"),
    ("semisup/device.py", "libc.so"),
    ("semisup/files.py", "/proc/"),
    ("semisup/hdf5.py", "memfd_create"),
    ("semisup/machine.py", "/proc/"),
}


def linux_only(path):
    """What of Linux alone a source names: attributes, imported names and texts; docstrings do not count."""
    tree = ast.parse(path.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in LINUX_ONLY:
            yield node.attr
        elif isinstance(node, ast.alias) and node.name in LINUX_ONLY:
            yield node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from (name for name in LINUX_PATHS if node.value.startswith(name))
            yield from LINUX_ONLY & {node.value}


def test_programs_name_nothing_of_linux_alone_without_a_way_round():
    files = sorted(SCRIPTS.rglob("*.py"))
    assert len(files) > 100
    assert {(str(path.relative_to(SCRIPTS)), name) for path in files for name in linux_only(path)} == GUARDED


def shell_commands(path):
    """The commands of the rules in a file, each as a list of words."""
    for text in re.findall(r"^    shell:\n((?:        .*\n?)+)", path.read_text(), re.MULTILINE):
        whole = "".join(ast.literal_eval(line.strip()) for line in text.splitlines())
        for command in re.split(r"&&|\|", re.sub(r"\{\{|; *\}\}", "", whole)):  # braces group commands
            words = [
                word for word in shlex.split(re.sub(r"[12]?>>? *\S+", "", command)) if not re.match(r"[A-Z_]+=", word)
            ]
            yield words


def test_rules_use_few_commands_and_no_options_of_gnu():
    commands = [words for path in sorted((ROOT / "rules").rglob("*.smk")) for words in shell_commands(path)]
    assert len(commands) > 40
    assert {words[0] for words in commands} == {"python", *COMMANDS}
    for words in commands:
        if words[0] != "python":
            assert not [word for word in words if word.startswith("-")], words


def test_missing_command_is_answered_by_the_remedy(tmp_path):
    assert command_mistake() is None
    for name in COMMANDS[1:]:
        (tmp_path / name).touch(mode=0o755)
    assert command_mistake(str(tmp_path)) == "sha256sum not found: on macOS brew install coreutils"


def test_memory_of_a_process_is_counted_in_bytes_on_macos(monkeypatch):
    usage = resource.getrusage(resource.RUSAGE_SELF)
    monkeypatch.setattr(resource, "getrusage", lambda who: usage)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert peak_memory_gib() == usage.ru_maxrss / 2**30


def test_system_that_does_not_tell_its_memory(monkeypatch):
    def unknown(name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(os, "sysconf", unknown)
    assert memory_gib() is None


def test_system_without_proc(monkeypatch):
    def missing(path, *_, **__):
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    assert processor_name() == "arm"
    assert _is_running(os.getpid())


def test_processor_of_linux_on_arm(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "processor\t: 0\nCPU part\t: 0xd4f\n")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert processor_name() == "aarch64"


def test_other_c_library(monkeypatch):
    def missing(name):
        raise OSError(f"{name}: no such file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    keep_freed_memory()


def test_file_on_a_full_disk_is_given_up_without_memfd(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "memfd_create")
    with h5py.File(tmp_path / "file.h5", "w", locking=False) as file:
        file["numbers"] = range(1000)
        hdf5._discard(file)
        assert (tmp_path / "file.h5").stat().st_size == 0


def test_latex_of_homebrew(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(typeset_report.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="run brew install --cask mactex-no-gui"):
        typeset_report.typeset([tmp_path / "report.tex"], [tmp_path / "report.pdf"])
    assert typeset_report.INSTALL_ON_MACOS.removeprefix("run ") in (ROOT / "Makefile").read_text()


# Apple's GPU


def test_apples_gpu_is_leased(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(device.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(torch.mps, "is_available", lambda: True)
    caplog.set_level("INFO")
    with leased_device(1) as leased:
        assert leased == torch.device("mps", 0)
        assert product_dtype(leased, "auto") == torch.float32
        assert sum_dtype(leased) == torch.float32
    assert "computing on mps:0" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["semisup-device-mps.lock"]


class NoFloat64(TorchDispatchMode):
    """What Apple's GPU does: an operation that gives float64 fails."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        assert not (torch.is_tensor(out) and out.dtype == torch.float64), func
        return out


def test_kmeans_without_float64(monkeypatch):
    points = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    expected, labels, _ = kmeans.lloyd(points, points[:5].clone(), 10, 0.0, 0, momentum=0.5)
    monkeypatch.setattr(kmeans, "sum_dtype", lambda device: torch.float32)
    with NoFloat64():
        found, found_labels, _ = kmeans.lloyd(points, points[:5].clone(), 10, 0.0, 0, momentum=0.5)
    assert torch.equal(found_labels, labels)
    torch.testing.assert_close(found, expected)


def test_losses_without_float64(monkeypatch):
    for module in (labelled_loss, fixmatch, pseudo_label_loss):
        monkeypatch.setattr(module, "sum_dtype", lambda device: torch.float32)
    same, examples = torch.nn.Identity(), two_classes(8)
    losses = [labelled_loss.LabelledLoss(examples, same, RECIPE)]
    for adaptive in (False, True):
        losses.append(fixmatch.FixMatchLoss(examples.images, 8, 2, 0.5, adaptive, 0.9, None, 1.0, same, same))
    ramp = pseudo_label_loss.Ramp(1.0, 0, 1)
    losses.append(pseudo_label_loss.PseudoLabelLoss(examples.images, 8, ramp, True, same, "float32"))
    with NoFloat64():
        shown = add_gradients(exemplar_network(), losses, [torch.arange(8)] * len(losses), 1, "float32")
    assert {value.dtype for value in shown.values()} == {torch.float32}
