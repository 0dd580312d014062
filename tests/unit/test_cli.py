import argparse
import logging
import resource
import sys

import numpy as np
import pytest

from semisup import cli
from semisup.cli import UserError, peak_memory_gib, progress, run_program, seldom


@pytest.fixture
def in_a_log(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)


def test_short_loop_leaves_nothing_in_a_log(in_a_log, capsys):
    assert list(progress(iter(range(4)), 4, "blocks", "images")) == [0, 1, 2, 3]
    assert capsys.readouterr().err == ""


def test_long_loop_leaves_a_few_lines(in_a_log, capsys, monkeypatch):
    monkeypatch.setattr(cli, "LOG_SECONDS", 0.0)
    list(progress(iter(range(4)), 4, "blocks", "images"))
    shown = capsys.readouterr().err
    assert "images: 100%" in shown
    assert "4/4" in shown
    assert ".00/" not in shown


def test_bars_and_other_lines_do_not_mix_in_a_log(in_a_log, capsys, monkeypatch):
    monkeypatch.setattr(cli, "LOG_SECONDS", 0.0)
    for number in progress(iter(range(3)), 3, "blocks", "images"):
        sys.stderr.write(f"line {number}\n")
    shown = capsys.readouterr().err
    lines = shown.splitlines()
    assert shown.endswith("\n")
    assert "\r" not in shown
    assert [line for line in lines if line.startswith("line ")] == ["line 0", "line 1", "line 2"]
    assert len([line for line in lines if line.startswith("images: ")]) == len(lines) - 3 > 3


def test_bars_of_a_terminal_stay_in_their_line(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    list(progress(iter(range(3)), 3, "blocks", "images"))
    shown = capsys.readouterr().err
    assert shown.count("\r") > 1
    assert shown.count("\n") == 1


def test_seldom(monkeypatch):
    times = iter([100.0, 101.0, 109.9, 110.0, 119.0, 130.0])
    monkeypatch.setattr(cli.time, "perf_counter", lambda: next(times))
    is_due = seldom(10.0)
    assert [is_due() for _ in range(6)] == [True, False, False, True, False, True]


def test_large_counts_can_be_shortened(in_a_log, capsys, monkeypatch):
    monkeypatch.setattr(cli, "LOG_SECONDS", 0.0)
    list(progress(iter(range(2000)), 2000, "steps", "solver", unit_scale=True))
    assert "2.00k/2.00k" in capsys.readouterr().err


def test_peak_memory():
    before = peak_memory_gib()
    block = np.ones(2**25)  # a quarter of a GiB
    assert 0.01 < before < 100
    assert peak_memory_gib() >= block.nbytes / 2**30
    assert peak_memory_gib() * 2**20 == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (cli.positive_int, {"1": 1, "50": 50}, ["0", "-1", "1.5", "nan", "one", ""]),
        (cli.natural_int, {"0": 0, "3": 3}, ["-1", "0.5", "nan"]),
        (cli.seed_number, {"0": 0, "4294967295": 4294967295}, ["-1", "4294967296", "nan"]),
        (cli.positive_number, {"1e-3": 0.001, "2": 2.0}, ["0", "-0.1", "nan", "inf", "x"]),
        (cli.fraction, {"0": 0.0, "0.95": 0.95}, ["1", "-0.1", "nan", "inf"]),
    ],
)
def test_argument_types(kind, good, bad, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--option", type=kind)
    for text, value in good.items():
        assert parser.parse_args([f"--option={text}"]).option == value
    for text in bad:
        with pytest.raises(SystemExit) as caught:
            parser.parse_args([f"--option={text}"])
        assert caught.value.code == 2
        assert "error: argument --option" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("the thing is wrong: mend it"), "error: the thing is wrong: mend it"),
        (UserError("a\nb.png is wrong: mend it"), r"error: a\nb.png is wrong: mend it"),
        (FileNotFoundError(2, "No such file", "a\nb.png"), r"error: a\nb.png: No such file"),
        (FileNotFoundError(2, "No such file or directory", "absent"), "error: absent: No such file or directory"),
        (OSError("short"), "error: short"),
        (KeyboardInterrupt(), 130),
    ],
)
def test_program_ends_with_one_line(error, message):
    def main():
        raise error

    with pytest.raises(SystemExit) as caught:
        run_program(main)
    assert caught.value.code == message


def test_mistakes_of_ours_keep_their_traceback():
    def main():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        run_program(main)


def test_program_that_works():
    run_program(lambda: logging.info("done"))
