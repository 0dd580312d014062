"""Faults injected into real runs, and how many of them were survived; pytest's summary gives the figures."""

import os

# The arrays of these tests are small: handing them to several threads costs more time than it saves.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import signal
import subprocess
from collections import Counter
from contextlib import contextmanager, suppress
from itertools import chain

import pytest

from fixtures_demo import read_jobs
from fixtures_snakemake import environment


@pytest.fixture
def fault(request):
    """A context for the injection of one fault and all checks after it; it yields a counter, for "bytes lost" too.

    A byte is lost that had been written under its own name, or received, and that the next run has to make again.
    """

    @contextmanager
    def inject(kind):
        counts = Counter(injected=1)
        try:
            yield counts
            counts["survived"] += 1
        finally:  # a plain dictionary, which reaches the summary from any process
            request.node.user_properties.append((f"fault: {kind}", dict(counts)))

    return inject


def pytest_terminal_summary(terminalreporter):
    """Print how many faults of each kind were injected and survived, and the bytes lost where they are counted."""
    kinds: dict[str, Counter] = {}
    for report in chain.from_iterable(terminalreporter.stats.values()):
        for name, counts in getattr(report, "user_properties", ()):
            if name.startswith("fault: ") and report.when == "call":
                kinds.setdefault(name.removeprefix("fault: "), Counter()).update(counts)
    if not kinds:
        return
    in_all = Counter()
    for counts in kinds.values():
        in_all.update(counts)
    terminalreporter.section("faults of tests/faults")
    for kind, counts in [*sorted(kinds.items()), ("in all", in_all)]:
        lost = f", {counts['bytes lost']} bytes lost" if "bytes lost" in counts else ""
        terminalreporter.write_line(f"{kind}: {counts['injected']} injected, {counts['survived']} survived{lost}")


@pytest.fixture
def start():
    """A function that starts a command in a folder, in a process group of its own, as a shell does.

    What it says goes to the end of a log. What is left of the groups is killed at the end of the test.
    """
    leaders = []

    def started(words, folder, log="snakemake.log"):
        with (folder / log).open("a") as file:
            leaders.append(
                subprocess.Popen(
                    words,
                    cwd=folder,
                    env=environment(),
                    stdout=file,
                    stderr=file,
                    start_new_session=True,
                    preexec_fn=_heed_ctrl_c,
                )
            )
        return leaders[-1]

    yield started
    for leader in leaders:
        with suppress(ProcessLookupError):
            os.killpg(leader.pid, signal.SIGKILL)
        leader.wait(timeout=60)


def _heed_ctrl_c():
    """A shell's background jobs ignore SIGINT, and so would all that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def jobs(demo, tmp_path_factory):
    """One job of each program of the demonstration, by program."""
    return read_jobs(demo, tmp_path_factory.mktemp("jobs"))
