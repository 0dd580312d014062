"""Names and titles that a shell, a path or LaTeX would read otherwise than as text."""

import copy
import json
import shlex

import pytest
import yaml
from clones import ROOT, snakemake

from planning import config as planning

SCHEMA = planning.config_schema()
CONFIG = planning.read_yaml(ROOT / "config.yaml")
DEMO = yaml.safe_load((ROOT / "config.demo.yaml").read_text())
HOSTILE = [
    "two words",
    " leading",
    "trailing ",
    "tab\tinside",
    "line\nbreak",
    "line\n",
    "a;touch b",
    "a|b",
    "a&b",
    "$(touch b)",
    "`touch b`",
    "${HOME}",
    "$HOME",
    "a'b",
    'a"b',
    "a\\b",
    "a/b",
    "/etc",
    "..",
    "../up",
    ".",
    ".hidden",
    "~root",
    "-rf",
    "--help",
    "*",
    "a?",
    "a[b]",
    "{a,b}",
    "{wildcard}",
    "a>b",
    "a<b",
    "a#b",
    "a%b",
    "ä",
    "\u202eabc",
    "",
    "x" * 41,
]
TITLE = "50% & $(touch pwned) `touch pwned` '; touch pwned; ' \\input{/etc/passwd} {x} #1"


def renamed(old, new, mapping):
    return {new if name == old else name: value for name, value in mapping.items()}


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
@pytest.mark.parametrize("kind", ["study", "experiment"])
def test_name_is_refused_in_one_line(kind, name):
    config = copy.deepcopy(CONFIG)
    if kind == "study":
        config["studies"] = renamed("mnist", name, config["studies"])
    else:
        experiments = config["studies"]["mnist"]["experiments"]
        config["studies"]["mnist"]["experiments"] = renamed("supervised", name, experiments)
        assert name in config["studies"]["mnist"]["experiments"]
    with pytest.raises(planning.ConfigError) as caught:
        planning.checked_config(config, SCHEMA)
    message = str(caught.value)
    assert message.startswith("studies: " if kind == "study" else "studies.mnist.experiments: ")
    assert len(message.splitlines()) == 1
    assert ("expected lower-case letters, digits and" in message) or ("number of characters" in message)


@pytest.mark.parametrize("name", ["a;touch pwned", "$(touch pwned)", "../pwned"])
def test_snakemake_makes_nothing_of_such_a_name(tmp_path, name):
    study = {"dataset": "photos", "seeds": [0], "baseline": "a", "experiments": {"a": {"method": "kmeans"}}}
    folder = tmp_path / "work"
    folder.mkdir()
    process = snakemake(ROOT, folder, {"studies": {name: study}}, "--cores", "1")
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1].startswith(f"config error: studies: {name!r} is not allowed here")
    assert "Traceback" not in process.stderr
    assert not list(tmp_path.rglob("*pwned*"))
    assert not (folder / "results").exists()


def test_title_reaches_its_program_as_it_is(build_dag):
    """A title may hold anything; it goes to the shell as one quoted word."""
    config = copy.deepcopy(DEMO)
    config["studies"]["photos"]["title"] = TITLE
    jobs = build_dag(config)["jobs"]
    (report,) = [job for job in jobs if job["rule"] == "render_report"]
    words = shlex.split(report["shell"])
    plan = json.loads(words[words.index("<<<") + 1])
    assert plan["studies"]["photos"]["title"] == TITLE
    for job in jobs:  # were it not quoted, it would fall apart into words
        assert not {"touch", "pwned"} & set(shlex.split(job["shell"] or ""))
