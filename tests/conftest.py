"""What all tests share: one finished demonstration, and who of several processes runs which file."""

import fcntl
import shutil

import pytest

from fixtures_demo import WHOLE, run_demo
from workflow.clones import clone

# What one process must run alone: commands in the folder of the finished demonstration, which Snakemake locks, and
# Slurm, of which there is one on a machine.
ONE_PROCESS = {
    "demonstration": (
        "test_imports.py",
        "test_demo.py",
        "test_html_report.py",
        "test_page_in_browser.py",
        "test_pdf_report.py",
    ),
    "slurm": ("test_slurm.py", "test_slurm_cluster.py"),
}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items):
    """With several processes (pytest -n), keep the tests of a file together, as they share what is slow to make."""
    for item in items:
        groups = [group for group, files in ONE_PROCESS.items() if item.path.name in files]
        item.add_marker(pytest.mark.xdist_group(groups[0] if groups else item.path.stem))


@pytest.fixture(scope="session")
def demo(tmp_path_factory, worker_id):
    """The folder of a clone, with a space in its path, in which the tiny demonstration was run: once for all processes.

    The PDF is made too where LaTeX is installed. Nothing there may be changed.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    folder, finished = shared / "demo with space", shared / "demo.finished"
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of another process, in which it failed
            run_demo(clone(folder), *WHOLE)
            finished.touch()
    return folder
