"""The whole demonstration twice, in two clones at different places: the same numbers to the last byte."""

import subprocess
from pathlib import Path

import pytest
from results import digests

from fixtures_demo import REPORT, TINY, run_demo
from fixtures_machine import lacking
from workflow.clones import clone


@pytest.fixture(scope="module")
def second(demo, tmp_path_factory):
    """Another clone, at a longer path with spaces, in which the same was run, and that without any network."""
    alone = ["unshare", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        lacking("a process without a network cannot be started here: run the tests as root")
    folder = clone(tmp_path_factory.mktemp("clones") / "the second one" / "with a longer path")
    run_demo(folder, "--", REPORT, before=alone)
    return folder


def test_two_clones_give_the_same_bytes(demo, second):
    first, again = digests(demo), digests(second)
    assert first.keys() == again.keys()
    assert [str(path) for path in first if first[path] != again[path]] == []


def test_tables_and_data_of_figures_were_among_them(demo, second):
    """Byte for byte, nothing left out of the tables that the study's claims stand on."""
    results = demo / "results"
    (study,) = TINY["studies"].keys() - {"stl10", "mnist"}
    paths = [results / study / f"{name}.csv" for name in ("comparison", "metrics", "per_class", "confusion")]
    paths += [results / study / f"{name}.csv" for name in ("label_curve", "solver_iterations", "test_sample")]
    paths += [results / study / "tsne.csv", results / study / "clustering.csv"]
    paths += (results / study / "predictions").glob("*.csv")
    paths += (results / "theory").glob("*.csv")
    names = [path.relative_to(demo) for path in paths]
    assert {"coates", "fixmatch", "momentum"} <= {name.stem for name in names}
    assert len(names) > 20
    for name in names:
        assert (demo / name).read_bytes() == (second / name).read_bytes(), name


def test_no_path_of_this_machine_is_in_the_report(demo):
    text = (demo / REPORT).read_text()
    assert str(demo) not in text
    assert str(Path.home()) + "/" not in text
