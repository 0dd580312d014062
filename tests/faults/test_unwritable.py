"""Results that cannot be written at all: a read-only disk, and a file where a folder should be."""

import pytest
from demo import left_in, redirected, run_job
from programs import error_line, mounted
from test_full_disk import PROGRAMS


@pytest.mark.parametrize("program", PROGRAMS)
def test_read_only_results(program, demo, jobs, tmp_path, fault):
    if program not in jobs:
        pytest.skip(f"{program} is not among the programs of the tiny demonstration")
    job, folder = jobs[program], tmp_path / "read-only"
    before = {path: folder / path for path in job.outputs}
    for path in before.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"of an earlier run")
    with mounted(folder, "--bind", "-o", "ro", folder), fault("unwritable results"):
        line = error_line(*run_job(job, demo, redirected(job, {}, folder), tmp_path))
        assert str(folder) in line, line
        assert "Read-only file system" in line
        assert left_in(folder) == sorted(before.values())
        assert all(path.read_bytes() == b"of an earlier run" for path in before.values())


@pytest.mark.parametrize("program", PROGRAMS)
def test_file_in_place_of_the_results_folder(program, demo, jobs, tmp_path, fault):
    if program not in jobs:
        pytest.skip(f"{program} is not among the programs of the tiny demonstration")
    job, place = jobs[program], tmp_path / "out"
    place.write_bytes(b"somebody's file")
    with fault("unwritable results"):
        line = error_line(*run_job(job, demo, redirected(job, {}, place), tmp_path))
        assert str(place) in line, line
        assert "Not a directory" in line
        assert place.read_bytes() == b"somebody's file"
