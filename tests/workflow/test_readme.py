"""Every command of the README runs: as a plan where it takes hours, and otherwise as it stands there."""

import re
import shlex
import shutil
import subprocess

import pandas as pd
import pytest
from clones import ROOT, clone, run_python, run_snakemake
from PIL import Image

from fixtures_kmeans import train_striped_run, write_striped_dataset

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = {"python": "workflow_scripts/planning/status.py", ".venv/bin/python": "workflow_scripts/predict.py"}
PICTURES = 180  # as many as config.folder.yaml needs


def commands():
    """The commands of the README, each as a list of words."""
    lines = "\n".join(re.findall(r"^ {4}(.*)$", re.sub(r"^```(?s:.*?)^```", "", README, flags=re.M), re.M))
    return [shlex.split(line, comments=True) for line in lines.replace("\\\n", "").splitlines()]


def commands_of(program):
    """Those that begin with this program, as parameters of a test."""
    return [pytest.param(words, id=" ".join(words)) for words in commands() if words[0] == program]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A clone with the files that the README shows, and pictures where these say."""
    folder = clone(tmp_path_factory.mktemp("readme") / "clone")
    for name in ("config.cpu.yaml", "config.folder.yaml"):
        shutil.copyfile(ROOT / name, folder / name)
    for name, text in re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", README, re.M | re.S):
        (folder / name).write_text(text.replace("/data/pets", str(folder / "pets")))
    for number in range(PICTURES):
        path = folder / f"pets/{('cat', 'dog')[number % 2]}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    return folder


def test_no_command_is_of_a_kind_that_is_not_tested():
    assert {words[0] for words in commands()} == {"make", "export", "snakemake", *PROGRAMS}
    assert all(words[1] == PROGRAMS.get(words[0], words[1]) for words in commands())


@pytest.mark.parametrize("words", commands_of("make"))
def test_make_knows_the_target(words, folder):
    process = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert process.returncode == 0, process.stderr
    for configs in [word.removeprefix("CONFIG=").split() for word in words if word.startswith("CONFIG=")]:
        assert " ".join(configs) in process.stdout
        plan = ("-n", "--cores", 2, "--workflow-profile", "profiles/demo", "--configfile", *configs)
        process = run_snakemake("-m", "snakemake", *plan, cwd=folder)
        assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("words", commands_of("snakemake"))
def test_snakemake_has_a_plan(words, folder):
    process = run_snakemake("-m", "snakemake", "-n", *words[1:], cwd=folder)
    assert process.returncode == 0, process.stderr
    rules = {"comparison.csv": "\nevaluate "}.get(words[-1].rpartition("/")[2], "\ntypeset_report ")
    assert rules in process.stdout


@pytest.mark.parametrize("words", commands_of("python"))
def test_the_status_is_told(words, folder):
    process = run_python(*words[1:], cwd=folder)
    assert process.returncode == 0, process.stderr
    assert re.search(r"\d+ jobs for \d+ runs lie ahead", process.stdout)


@pytest.mark.parametrize("words", commands_of(".venv/bin/python"))
def test_pictures_are_classified(words, folder):
    """With another model in the place of the demonstration's."""
    model = folder / words[words.index("--model") + 1]
    images, _, _ = write_striped_dataset(folder)
    train_striped_run(images, model.parent)
    shutil.copytree(folder / "pets", folder / words[words.index("--images") + 1])
    process = run_python(*words[1:], cwd=folder)
    assert process.returncode == 0, process.stderr
    table = pd.read_csv(folder / "out.csv")
    assert len(table) == PICTURES
    assert {"class", "confidence", "second"} < set(table.columns)
    assert "<html" in (folder / "out.html").read_text(encoding="utf-8")
