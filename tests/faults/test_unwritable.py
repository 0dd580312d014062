"""Results that cannot be written at all: a read-only disk, and a file where a folder should be."""

import re
from functools import partial
from pathlib import Path

import pytest
from apart import TASKS
from programs import error_line, mounted, run_forked
from test_full_disk import PROGRAMS

from fixtures_demo import left_in, redirected, run_job
from fixtures_machine import needs_latex

ALL = [*sorted({*PROGRAMS, *TASKS} - {"typeset_report"}), pytest.param("typeset_report", marks=needs_latex)]


@pytest.fixture
def task(program, request, tmp_path):
    """A function of the folder for the results: (function without arguments that runs the program, its outputs)."""

    def of_demo(folder):
        job, demo = request.getfixturevalue("jobs")[program], request.getfixturevalue("demo")
        return partial(run_job, job, demo, redirected(job, {}, folder), tmp_path), [folder / it for it in job.outputs]

    def apart(folder):
        main, arguments, outputs = TASKS[program](tmp_path, folder)
        return partial(run_forked, tmp_path, main, arguments), [Path(path) for path in outputs]

    return apart if program in TASKS else of_demo


@pytest.mark.parametrize("program", ALL)
def test_read_only_results(program, task, tmp_path, fault):
    folder = tmp_path / "read-only"
    run, outputs = task(folder)
    for path in outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"of an earlier run")
    with mounted(folder, "--bind", "-o", "ro", folder), fault("unwritable results"):
        line = error_line(*run())
        assert str(folder) in line, line
        assert re.search("Read-only file system|is read-only: name another file to write", line)
        assert left_in(folder) == sorted(outputs)
        assert all(path.read_bytes() == b"of an earlier run" for path in outputs)


@pytest.mark.parametrize("program", ALL)
def test_file_in_place_of_the_results_folder(program, task, tmp_path, fault):
    place = tmp_path / "out"
    place.write_bytes(b"somebody's file")
    run, _ = task(place)
    with fault("unwritable results"):
        line = error_line(*run())
        assert str(place) in line, line
        assert re.search("Not a directory|is no folder: name another file to write", line)
        assert place.read_bytes() == b"somebody's file"
