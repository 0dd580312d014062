"""A run as an RO-Crate: what RO-Crate 1.1 and its profiles for runs of workflows require.

RO-Crate 1.1, sections "Metadata of the RO-Crate" and "Root Data Entity"; Workflow RO-Crate 1.0; Process Run Crate and
Workflow Run Crate 0.5, their tables of requirements.
"""

import json
import re
import subprocess
from datetime import date, datetime
from urllib.parse import unquote

import pytest

import write_crate
from fixtures_kmeans import command_line
from semisup.cli import UserError

PROVENANCE = {"uncommitted_changes": False, "system": "Linux x86_64", "processor": "made up"}
RESULTS = {
    "report/report.pdf": "%PDF",
    "report/supplement.pdf": "%PDF",
    "report/index.html": "<html>",
    "report/provenance.json": "",
    "report/timings.csv": "a\n1\n",
    "photos/comparison.csv": "a\n1\n",
    "photos/model_cards/a kind.md": "A card.",
    "photos/data/images.sha256": "00 images.h5",
    "photos/data/images.h5": "large",
    "photos/kmeans/seed0/model.h5": "large",
}


def git(repository, *words):
    """What a git command prints."""
    return subprocess.run(["git", "-C", str(repository), *words], check=True, capture_output=True, text=True).stdout


def commit(repository):
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgSign=false")
    git(repository, *who, "commit", "--quiet", "--allow-empty", "--message=All of it")


def write_provenance(repository, **changes):
    """Write that the results are of the repository's commit, and return that."""
    head = git(repository, "rev-parse", "HEAD").strip()
    told = PROVENANCE | {"commit": head} | changes
    (repository / "results/report/provenance.json").write_text(json.dumps(told))
    return head


@pytest.fixture
def run(tmp_path):
    """The options of the program for a made-up repository and its results."""
    sources = {
        "Snakefile": "rule all:",
        "README.md": "A study.",
        "LICENSE": "MIT",
        "rules/a.smk": "",
        "not tracked": "",
    }
    contents = {f"clone/{name}": text for name, text in sources.items()}
    contents |= {f"clone/results/{name}": text for name, text in RESULTS.items()} | {"mine.yaml": "seeds: [0]"}
    for name, text in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path / "clone", "init", "--quiet")
    git(tmp_path / "clone", "add", *(name for name in sources if name != "not tracked"))
    commit(tmp_path / "clone")
    write_provenance(tmp_path / "clone")
    folders = {"repository": tmp_path / "clone", "results": tmp_path / "clone/results", "crate": tmp_path / "crate"}
    return folders | {"config": tmp_path / "mine.yaml"}


@pytest.fixture
def crate(run):
    write_crate.main(command_line(**run))
    return run["crate"]


@pytest.fixture
def document(crate):
    return json.loads((crate / "ro-crate-metadata.json").read_text())


@pytest.fixture
def entities(document):
    """The entities by their identifiers."""
    return {entity["@id"]: entity for entity in document["@graph"]}


def types(entity):
    kinds = entity["@type"]
    return set(kinds if isinstance(kinds, list) else [kinds])


def ids(value):
    """The identifiers that a value of a property refers to."""
    return [one["@id"] for one in (value if isinstance(value, list) else [value])]


def test_json_ld_is_flat_and_compacted(document):
    assert document["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    assert len({entity["@id"] for entity in document["@graph"]}) == len(document["@graph"])
    for entity in document["@graph"]:
        assert types(entity)
        for value in entity.values():
            for one in value if isinstance(value, list) else [value]:
                assert isinstance(one, str) or list(one) == ["@id"], (entity["@id"], one)


def test_descriptor(entities):
    descriptor = entities["ro-crate-metadata.json"]
    assert types(descriptor) == {"CreativeWork"}
    assert ids(descriptor["about"]) == ["./"]
    assert "https://w3id.org/ro/crate/1.1" in ids(descriptor["conformsTo"])


def test_root(entities):
    root = entities["./"]
    assert types(root) == {"Dataset"}
    assert root["name"]
    assert root["description"]
    assert date.fromisoformat(root["datePublished"])
    assert entities[root["license"]["@id"]]["name"] == "MIT License"
    assert types(entities[root["author"]["@id"]]) == {"Organization"}


def test_every_reference_within_the_crate_is_described(entities):
    outside = {"https://w3id.org/ro/crate/1.1"}
    outside |= {"https://doi.org/10.1093/bioinformatics/bts480", "https://snakemake.readthedocs.io"}
    for entity in entities.values():
        for value in entity.values():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict):
                    assert one["@id"] in entities.keys() | outside, one


def test_files_are_there_and_the_roots_parts(entities, crate):
    data = {name: entity for name, entity in entities.items() if types(entity) & {"File", "Dataset"}}
    assert data.keys() == {"./", *ids(entities["./"]["hasPart"])}
    for name, entity in data.items():
        assert not re.search(r"[ \\]", name)
        path = crate / unquote(name)
        assert path.is_dir() if "Dataset" in types(entity) else path.is_file(), name
        assert ("Dataset" in types(entity)) == name.endswith("/")
        if "File" in types(entity):
            assert int(entity["contentSize"]) == path.stat().st_size
            assert re.fullmatch(r"\w+/[\w.+-]+", entity["encodingFormat"])


def test_profiles(entities):
    profiles = {"https://w3id.org/ro/wfrun/process/0.5", "https://w3id.org/ro/wfrun/workflow/0.5"}
    profiles |= {"https://w3id.org/workflowhub/workflow-ro-crate/1.0"}
    assert set(ids(entities["./"]["conformsTo"])) == profiles
    assert all(types(entities[url]) == {"CreativeWork"} for url in profiles)


def test_main_workflow(entities, run):
    """Workflow RO-Crate: a file of these three types, with name and language, is the main entity; there is a README."""
    (main,) = ids(entities["./"]["mainEntity"])
    workflow = entities[main]
    assert types(workflow) == {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
    assert workflow["name"]
    assert workflow["version"] == git(run["repository"], "rev-parse", "HEAD").strip()
    (language,) = ids(workflow["programmingLanguage"])
    assert types(entities[language]) == {"ComputerLanguage"}
    assert ids(entities["README.md"]["about"]) == ["./"]


def test_run(entities):
    (identifier,) = ids(entities["./"]["mentions"])
    action = entities[identifier]
    assert types(action) == {"CreateAction"}
    assert ids(action["instrument"]) == ids(entities["./"]["mainEntity"])
    assert action["name"]
    assert action["description"]
    assert datetime.fromisoformat(action["endTime"]).tzinfo
    assert set(ids(action["object"])) == {"results/mine.yaml", "results/photos/data/images.sha256"}
    made = {f"results/{name}" for name in RESULTS if "/data/" not in name and "seed0" not in name}
    assert sorted(unquote(name) for name in ids(action["result"])) == sorted(made)


def test_neither_models_nor_images_nor_other_files_come_along(crate):
    names = {path.relative_to(crate).as_posix() for path in crate.rglob("*") if path.is_file()}
    assert not [name for name in names if name.endswith(".h5")]
    assert "not tracked" not in names
    assert "rules/a.smk" in names


def test_crate_is_replaced_and_nothing_else(run, crate):
    (crate / "left over").touch()
    first = (crate / "ro-crate-metadata.json").read_bytes()
    write_crate.main(command_line(**run))
    assert not (crate / "left over").exists()
    assert (crate / "ro-crate-metadata.json").read_bytes() == first
    with pytest.raises(UserError, match="is there and no crate"):
        write_crate.main(command_line(**run | {"crate": run["results"]}))


@pytest.mark.parametrize("name", ["report/report.pdf", "report/provenance.json"])
def test_unfinished_run_is_refused(run, name):
    (run["results"] / name).unlink()
    with pytest.raises(UserError, match=f"{name} is not there: finish the run first"):
        write_crate.main(command_line(**run))


def test_folder_without_git_is_refused(run, tmp_path):
    with pytest.raises(UserError, match="is no clone of the workflow"):
        write_crate.main(command_line(**run | {"repository": tmp_path}))


def test_sources_of_another_commit_are_refused(run):
    made_by = write_provenance(run["repository"])
    commit(run["repository"])
    with pytest.raises(UserError, match=f"the results were made by {made_by}: give a clone of that one"):
        write_crate.main(command_line(**run))


def test_uncommitted_changes_are_told(run):
    head = write_provenance(run["repository"], uncommitted_changes=True)
    write_crate.main(command_line(**run))
    graph = json.loads((run["crate"] / "ro-crate-metadata.json").read_text())["@graph"]
    (version,) = (entity["version"] for entity in graph if entity["@id"] == "Snakefile")
    assert version == f"{head}, with uncommitted changes"
