"""Every program with each of its HDF5 and npz files cut short: one line that names the file, and nothing half.

Of a program that makes many files, each from inputs of its own, those before the damaged input may be there.
"""

import os
import shutil
from pathlib import Path

import pytest
from programs import error_line
from results import digest
from test_full_disk import PROGRAMS

from fixtures_demo import left_in, path_of, redirected, run_job

SHARES = (0.0, 0.5, 0.99)
# Programs that know the run of a file by its folder: the other files must stand beside the damaged one.
BY_FOLDER = {"plot_centroids"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_truncated_input(program, demo, jobs, tmp_path, fault):
    job = jobs.get(program)
    named = set(map(path_of, job.arguments)) if job else set()
    cut = [path for path in (job.inputs if job else []) if path.endswith((".h5", ".npz")) and path in named]
    if not cut:
        pytest.skip(f"{program} reads no HDF5 or npz file in the tiny demonstration")
    for number, path in enumerate(dict.fromkeys(cut)):
        # The name of its folder may tell what the file is.
        damaged = tmp_path / "damaged" / path
        damaged.parent.mkdir(parents=True, exist_ok=True)
        content = (demo / path).read_bytes()
        beside = dict.fromkeys(cut, "") if program in BY_FOLDER else {}
        for other in beside:
            beside[other] = str(tmp_path / "damaged" / other)
            Path(beside[other]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(demo / other, beside[other])
        for share in SHARES if number == 0 else SHARES[1:2]:
            damaged.write_bytes(content[: int(share * len(content))])
            with fault("truncated input"):
                arguments = redirected(job, beside | {path: str(damaged)}, tmp_path / "out")
                line = error_line(*run_job(job, demo, arguments, tmp_path))
                assert str(damaged) in line, line
                assert "damaged" in line
                assert number or left_in(tmp_path / "out") == [], "before the first input nothing can be whole"
                left = [it.relative_to(tmp_path / "out/results") for it in left_in(tmp_path / "out")]
                assert [it for it in left if digest(tmp_path / "out", it) != digest(demo, it)] == []
                shutil.rmtree(tmp_path / "out", ignore_errors=True)


def test_truncated_file_behind_a_link(demo, jobs, tmp_path, fault):
    """The rounds read the chosen features through a file of links: whoever deletes only that one mends nothing."""
    job = jobs["train_kmeans_rounds"]
    linking = [path for path in job.inputs if path.endswith("/features.h5") and path in job.arguments]
    linked = [path for path in job.inputs if path.endswith("/features.h5") and path not in job.arguments]
    assert linking, job.inputs
    assert linked, job.inputs
    for path in [*linking, *linked]:  # the links are relative, so their copies lead to copies
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((demo / path).read_bytes())
    arguments = redirected(job, {path: str(tmp_path / path) for path in linking}, tmp_path / "out")
    for path in linked:
        content = (tmp_path / path).read_bytes()
        for share in SHARES:
            (tmp_path / path).write_bytes(content[: int(share * len(content))])
            with fault("truncated input behind a link"):
                line = error_line(*run_job(job, demo, arguments, tmp_path))
                assert str(tmp_path / path) in line, line
                assert "damaged" in line
                assert left_in(tmp_path / "out") == []
        (tmp_path / path).unlink()
        with fault("missing input behind a link"):
            line = error_line(*run_job(job, demo, arguments, tmp_path))
            assert str(tmp_path / path) in line, line
            assert left_in(tmp_path / "out") == []
        (tmp_path / path).write_bytes(content)


def test_truncated_data_set_that_the_report_finds_by_itself(demo, jobs, tmp_path, fault):
    """It is given the folder of all results."""
    job = jobs["render_report"]
    shutil.copytree(demo / "results", tmp_path / "results", copy_function=os.link)
    damaged = tmp_path / "results/photos/data/images.h5"
    content = damaged.read_bytes()
    for share in SHARES:
        damaged.unlink()  # the link, not the file
        damaged.write_bytes(content[: int(share * len(content))])
        with fault("truncated input"):
            arguments = redirected(job, {"results": str(tmp_path / "results")}, tmp_path / "out")
            line = error_line(*run_job(job, demo, arguments, tmp_path))
            assert str(damaged) in line, line
            assert "damaged" in line
            assert left_in(tmp_path / "out") == []
