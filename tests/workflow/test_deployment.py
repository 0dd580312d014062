"""The workflow as the catalogue of Snakemake's workflows lists it, and as snakedeploy deploys it.

snakedeploy itself is not installed: what it does is done by hand here, as `snakedeploy/deploy.py` of its version 0.15
does it. The repository is a local one, which git takes for the one on GitHub.
"""

import shutil
import subprocess

import pytest
import yaml
from clones import ROOT, clone, run_python
from snakemake.utils import update_config

from planning import config as planning

# templates/use_module.smk.jinja
DEPLOYED = """from snakemake.utils import min_version


min_version("6.10.0")


configfile: "config/config.yaml"


# declare https://github.com/someone/study as a module
module study:
    snakefile:
        github("someone/study", path="Snakefile", tag="v1")
    config:
        config


# use all rules from https://github.com/someone/study
use rule * from study
"""
IMAGES = "results/photos/data/images.h5"
# Who commits; and that no setting of the user's counts.
GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
GIT |= {f"GIT_{who}_{what}": "somebody" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository with the workflow at the tag v1, and the variables that make git find it in place of GitHub's."""
    folder = clone(tmp_path_factory.mktemp("repository") / "study")
    shutil.copytree(ROOT / "config", folder / "config", symlinks=True)
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE")
    found = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{folder}.insteadOf"}
    found |= {"GIT_CONFIG_VALUE_0": "https://github.com/someone/study"}
    found |= {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "--message=All of it"], ["tag", "v1"]):
        done = run_git(folder, *words)
        assert done.returncode == 0, done.stderr
    return folder, GIT | found


def run_git(folder, *words):
    return subprocess.run(["git", "-C", str(folder), *words], env=GIT, capture_output=True, text=True)


@pytest.fixture
def deployed(repository, tmp_path):
    """A folder in which the workflow is deployed, and the variables to run it with."""
    folder, variables = repository
    for name in ("config", "profiles"):
        shutil.copytree(folder / name, tmp_path / name)
    shutil.copy(folder / "LICENSE", tmp_path)
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow/Snakefile").write_text(DEPLOYED)
    return tmp_path, variables


def snakemake(deployed, *arguments):
    folder, variables = deployed
    process = run_python("-m", "snakemake", *arguments, cwd=folder, environment=variables)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout + process.stderr


def test_whole_study_is_planned_from_the_copied_configuration(deployed, repository):
    folder, _ = deployed
    assert not (folder / "config/config.yaml").is_symlink()
    said = snakemake(deployed, "-n", "-p", "all")
    commit = run_git(repository[0], "rev-parse", "v1").stdout.strip()
    assert f"{folder}/.snakemake/clones/{commit}/workflow_scripts/train_fixmatch.py" in said
    studies = yaml.safe_load((ROOT / "config.yaml").read_text())["studies"]
    assert all(f"results/{study}/comparison.csv" in said for study in studies)


def test_job_runs_with_a_changed_configuration(deployed, repository):
    folder, _ = deployed
    config = planning.read_yaml(folder / "config/config.yaml")
    update_config(config, planning.read_yaml(ROOT / "tests/e2e/config.tiny.yaml"))
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
    for _ in range(2):  # the second time with the clone of the first
        snakemake(deployed, "--cores", "1", "--", IMAGES)
    assert (folder / IMAGES).is_file()
    (made,) = (folder / ".snakemake/clones").iterdir()
    assert run_git(made, "rev-parse", "HEAD").stdout == run_git(repository[0], "rev-parse", "v1").stdout


# The catalogue, as scripts/generate-catalog.py reads a repository


def test_settings_of_the_catalogue():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["report"] is True  # not only below software-stack-deployment, where the guide has it
    assert usage["software-stack-deployment"]["conda"] is True


def test_catalogue_finds_snakefile_rules_and_guide():
    """A folder `workflow` would hide the Snakefile at the root."""
    assert not (ROOT / "workflow").exists()
    assert (ROOT / "Snakefile").is_file()
    assert list((ROOT / "rules").glob("*.smk"))
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme
    assert "workflow" in readme
    assert (ROOT / "config/README.md").read_text()


def test_there_is_one_configuration():
    assert (ROOT / "config/config.yaml").resolve() == ROOT / "config.yaml"
