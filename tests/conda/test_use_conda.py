"""The whole way of `--sdm conda`, without a network: environments solved, linked and used, each by its own rules.

`conda` is a stand-in over py-rattler (stand_in.py), and the channels hold what is installed here (make_channel.py). So
this shows that the environments can be solved and are enough for their programs; that conda-forge has these versions
it cannot show.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fixtures_machine import HAS_LATEX, lacking
from workflow.clones import ROOT, clone, run_python, snakemake

HERE = Path(__file__).resolve().parent
TINY = yaml.safe_load((ROOT / "tests/e2e/config.tiny.yaml").read_text())
KEPT = ("coates", "supervised")  # the shortest experiments that use every environment
TARGET = "results/report/report.pdf" if HAS_LATEX else "results/report/report.tex"


def tiny_config():
    """The tiny study with one seed, no folds, and the parts of the theory that take seconds."""
    study = TINY["studies"]["photos"]
    experiments = {name: study["experiments"][name] | {"folds": False, "label_counts": []} for name in KEPT}
    experiments["supervised"]["epochs"] = 1
    photos = study | {"seeds": [0], "experiments": experiments}
    theory = {"parts": ["derivations", "momentum"], "points": 2, "seeds": [0, 1]}
    return TINY | {"studies": TINY["studies"] | {"photos": photos}, "theory": theory}


@pytest.fixture(scope="module")
def conda(tmp_path_factory):
    """Variables with which `conda` is the stand-in and its channels are those of this machine; no network."""
    if sys.version_info[:2] != (3, 11):
        lacking("Python 3.11: the environments pin it, and the channels have the Python that runs")
    folder = tmp_path_factory.mktemp("conda")
    process = run_python(HERE / "make_channel.py", folder / "channels")
    assert process.returncode == 0, process.stderr
    path = [str(HERE / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    alias = (folder / "channels").as_uri()
    variables = {"CONDA_CHANNEL_ALIAS": alias, "CONDA_PKGS_DIRS": str(folder / "packages")}
    return {"PATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"} | variables | nowhere


def run(root, folder, environment, *arguments):
    options = ("--sdm", "conda", "--cores", "2", "--workflow-profile", root / "profiles/demo")
    return snakemake(root, folder, tiny_config(), *options, *arguments, environment=environment)


@pytest.fixture(scope="module")
def finished(conda, tmp_path_factory):
    """A folder in which the tiny study has been run with `--sdm conda`, and what Snakemake said."""
    folder = tmp_path_factory.mktemp("use conda")  # the space is part of the test
    process = run(ROOT, folder, conda, "--", TARGET)
    assert process.returncode == 0, process.stdout + process.stderr
    return folder, process.stdout + process.stderr


def environments(folder):
    """The environments of a folder: its YAML file as text, to the place where it lies."""
    return {path.read_text(): path.with_suffix("") for path in (folder / ".snakemake/conda").glob("*.yaml")}


def installed(environment):
    """The packages of an environment, by conda's own records: name to version."""
    records = [json.loads(path.read_text()) for path in (environment / "conda-meta").glob("*.json")]
    return {record["name"]: record["version"] for record in records}


def test_every_rule_ran_in_the_environment_that_it_names(finished):
    folder, said = finished
    made = environments(folder)
    wanted = {name: (ROOT / f"envs/{name}.yaml").read_text() for name in ("data", "train", "report", "latex")}
    if not TARGET.endswith(".pdf"):
        del wanted["latex"]
    assert set(made) == set(wanted.values())
    activated = re.findall(r"Activating conda environment: \.snakemake/conda/(\w+)", said)
    assert set(activated) == {path.name for path in made.values()}


def test_environments_hold_the_versions_asked_for(finished):
    for text, environment in environments(finished[0]).items():
        packages = installed(environment)
        for dependency in yaml.safe_load(text)["dependencies"]:
            name, pin = dependency.split()
            assert f"{packages[name]}.".startswith(f"{pin.removeprefix('=')}."), dependency


def test_environments_hold_nothing_else(finished):
    """What one has and another lacks: no package comes along from the Python that runs Snakemake."""
    folder = finished[0]
    made = environments(folder)
    data, train, report = (made[(ROOT / f"envs/{name}.yaml").read_text()] for name in ("data", "train", "report"))
    for environment, module in ((data, "torch"), (train, "matplotlib"), (train, "snakemake"), (report, "skimage")):
        process = run_in(environment, "-c", f"import {module}")
        assert process.returncode == 1
        assert f"No module named '{module}'" in process.stderr
    for environment, module in ((data, "skimage"), (train, "torch"), (report, "matplotlib")):
        process = run_in(environment, "-c", f"import {module}; print({module}.__file__)")
        assert process.stdout.startswith(str(environment)), process.stderr


def run_in(environment, *arguments):
    """Run an environment's own Python, as a job does."""
    return subprocess.run([environment / "bin/python", *arguments], capture_output=True, text=True, check=False)


def test_results_are_those_without_conda(finished, conda, tmp_path):
    scores = "results/photos/coates/seed0/scores.npz"
    process = snakemake(
        ROOT, tmp_path, tiny_config(), "--cores", "2", "--workflow-profile", ROOT / "profiles/demo", "--", scores
    )
    assert process.returncode == 0, process.stderr
    assert (tmp_path / scores).read_bytes() == (finished[0] / scores).read_bytes()


def test_a_program_fails_in_an_environment_without_its_package(conda, tmp_path):
    """And without conda the same clone works: so it is the environment that matters."""
    root = clone(tmp_path / "clone")
    rules = root / "rules/methods/kmeans.smk"
    before = rules.read_text()
    after = re.sub(r'(rule sample_patches:.*?environment\(")train', r"\1data", before, count=1, flags=re.DOTALL)
    assert after != before
    rules.write_text(after)
    patches = "results/photos/coates/seed0/patches.h5"
    options = ("--conda-prefix", tmp_path / "environments", "--", patches)

    process = run(root, tmp_path, conda, *options)

    assert process.returncode == 1
    log = (tmp_path / "results/logs/photos/coates/seed0/sample_patches.log").read_text()
    assert "No module named 'torch'" in log
    assert not (tmp_path / patches).exists()
    plain = ("--cores", "2", "--workflow-profile", root / "profiles/demo", "--", patches)
    assert snakemake(root, tmp_path, tiny_config(), *plain).returncode == 0


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "envs").glob("*.yaml")))
def test_environment_can_be_solved(name, conda, tmp_path):
    """With the packages that are installed here; train-gpu asks for a build that is not."""
    process = create(ROOT / f"envs/{name}.yaml", tmp_path / "environment", conda)
    if name == "train-gpu":
        assert process.returncode == 1
        assert "pytorch-gpu" in process.stderr
    else:
        assert process.returncode == 0, process.stderr


@pytest.mark.parametrize(
    ("pin", "channel", "complaint"),
    [
        ("numpy =1.0", "conda-forge", "numpy"),  # another version than the channel's
        ("nosuchpackage =1.0", "conda-forge", "nosuchpackage"),
        ("snakemake-minimal =9.27", "conda-forge", "snakemake-minimal"),  # which is in bioconda
    ],
)
def test_environment_that_cannot_be_solved_is_refused(pin, channel, complaint, conda, tmp_path):
    file = tmp_path / "environment.yaml"
    file.write_text(yaml.safe_dump({"channels": [channel, "nodefaults"], "dependencies": ["python =3.11", pin]}))
    process = create(file, tmp_path / "environment", conda)
    assert process.returncode == 1
    assert complaint in process.stderr
    assert not (tmp_path / "environment").exists()


def create(file, prefix, environment):
    """Call the stand-in as Snakemake does."""
    command = ("env", "create", "--quiet", "--no-default-packages", "--file", file, "--prefix", prefix)
    return run_python(HERE / "stand_in.py", *command, environment=environment)
