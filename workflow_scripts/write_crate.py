"""Pack a finished run as an RO-Crate: its sources, configuration, report and tables, and what made what, in JSON-LD.

By RO-Crate 1.1 with the profiles Workflow RO-Crate 1.0, Process Run Crate 0.5 and Workflow Run Crate 0.5. Models,
images and features stay where they are: they are large, and made again by the same command.
"""

import argparse
import json
import logging
import mimetypes
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parent))  # which PYTHONSAFEPATH leaves out

from semisup.cli import UserError, run_program
from semisup.files import atomic_path, copy_file

METADATA = "ro-crate-metadata.json"
SPECIFICATION = "https://w3id.org/ro/crate/1.1"
CONTEXT = [f"{SPECIFICATION}/context", "https://w3id.org/ro/terms/workflow-run/context"]
WORKFLOW_PROFILE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {  # each with its name and version
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    WORKFLOW_PROFILE: ("Workflow RO-Crate", "1.0"),
}
LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
AUTHORS = "#authors"
LICENSE, LICENSE_NAME = "https://spdx.org/licenses/MIT", "MIT License"
REPORT, PROVENANCE = "report/report.pdf", "report/provenance.json"
RESULTS = (REPORT, "report/supplement.pdf", "report/index.html", PROVENANCE)
RESULTS += ("*/*.csv", "*/model_cards/*.md", "*/predictions/*.csv")
DATA = "*/data/images.sha256"
TYPES = {".md": "text/markdown", ".yaml": "application/yaml", ".sha256": "text/plain", ".csv": "text/csv"}

Entity = dict[str, Any]


class Content(NamedTuple):
    """Paths of the sources; below results/ those of the configuration, of the data's checksums and of the results."""

    sources: list[str]
    configs: list[str]
    data: list[str]
    results: list[str]


def git(repository: Path, *words: str) -> str:
    """Return what a git command prints. Raises UserError where there is no repository with a commit."""
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(repository), *words],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(f"{repository} is no clone of the workflow: git cannot read its files and commit") from error
    return done.stdout


def sources_of_run(repository: Path, provenance: dict[str, Any]) -> list[str]:
    """Return the files of the commit that made the results. Raises UserError where the clone is at another one."""
    commit = git(repository, "rev-parse", "HEAD").strip()
    if commit != provenance["commit"]:
        raise UserError(
            f"{repository} is at the commit {commit}, and the results were made by {provenance['commit']}: give "
            "a clone of that one, or finish the run with this one (make report)"
        )
    return [name for name in git(repository, "ls-files", "-z").split("\0") if name and (repository / name).is_file()]


def read_provenance(results: Path) -> dict[str, Any]:
    """Return what the report says of its run. Raises UserError where there is no finished report."""
    for needed in (REPORT, PROVENANCE):
        if not (results / needed).is_file():
            raise UserError(f"{results / needed} is not there: finish the run first (make report, or snakemake)")
    return json.loads((results / PROVENANCE).read_text(encoding="utf-8"))


def copy_content(repository: Path, sources: list[str], results: Path, configs: Sequence[Path], crate: Path) -> Content:
    """Copy what the crate holds, and return its paths."""
    for name in sources:
        copy_file(repository / name, crate / name)
    for path in configs:
        copy_file(path, crate / "results" / path.name)  # away from the sources' own, which it may be called like
    data, made = (
        [path.relative_to(results).as_posix() for pattern in patterns for path in sorted(results.glob(pattern))]
        for patterns in ((DATA,), RESULTS)
    )
    for name in data + made:
        copy_file(results / name, crate / "results" / name)
    return Content(sources, [path.name for path in configs], data, made)


def crate_graph(content: Content, crate: Path, provenance: dict[str, Any], ended: datetime) -> list[Entity]:
    """Return the entities of the crate. ended: when the last result was made."""
    used, made = (
        [f"results/{name}" for name in names] for names in ((*content.configs, *content.data), content.results)
    )
    paths = [*(name for name in content.sources if "/" not in name), *used, *made]
    files = {path: file_entity(path, crate / path) for path in paths}
    folders = [folder_entity(name) for name in sorted({name.split("/")[0] for name in content.sources if "/" in name})]
    run = uuid.uuid5(uuid.NAMESPACE_URL, f"{provenance['commit']} {ended.isoformat()}").urn
    files["Snakefile"] |= main_workflow(provenance)
    files["README.md"] |= {"about": reference("./")}  # as Workflow RO-Crate has it
    machine = f"{provenance['system']}, {provenance['processor']}"
    action = {
        "@id": run,
        "@type": "CreateAction",
        "name": "The run that made these results",
        "description": f"snakemake --configfile {' '.join(content.configs)}, on {machine}",
        "endTime": ended.isoformat(),
        "instrument": reference("Snakefile"),
        "object": [reference(files[path]["@id"]) for path in used],
        "result": [reference(files[path]["@id"]) for path in made],
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    parts = [*files.values(), *folders]
    return [
        descriptor(),
        root(parts, run, ended),
        *(profile_entity(url, *facts) for url, facts in PROFILES.items()),
        *parts,
        action,
        {"@id": AUTHORS, "@type": "Organization", "name": "The authors of this workflow"},
        {"@id": LICENSE, "@type": "CreativeWork", "name": LICENSE_NAME, "identifier": "MIT"},
        {
            "@id": LANGUAGE,
            "@type": "ComputerLanguage",
            "name": "Snakemake",
            "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
            "url": {"@id": "https://snakemake.readthedocs.io"},
        },
    ]


def descriptor() -> Entity:
    """Return the entity of the metadata's own file."""
    return {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": reference("./"),
        "conformsTo": [reference(SPECIFICATION), reference(WORKFLOW_PROFILE)],
    }


def root(parts: Iterable[Entity], run: str, ended: datetime) -> Entity:
    """Return the entity of the whole crate."""
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": "Semi-supervised image recognition, regenerated: a run",
        "description": "Sources, configuration, report and tables of one run of the workflow.",
        "datePublished": ended.date().isoformat(),
        "author": reference(AUTHORS),
        "license": reference(LICENSE),
        "conformsTo": [reference(url) for url in PROFILES],
        "mainEntity": reference("Snakefile"),
        "mentions": reference(run),
        "hasPart": [reference(part["@id"]) for part in parts],
    }


def main_workflow(provenance: dict[str, Any]) -> Entity:
    """Return what is said of the Snakefile beside what is said of every file."""
    return {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "Semi-supervised image recognition, regenerated",
        "programmingLanguage": reference(LANGUAGE),
        "version": provenance["commit"] + (", with uncommitted changes" if provenance["uncommitted_changes"] else ""),
        "author": reference(AUTHORS),
        "license": reference(LICENSE),
    }


def profile_entity(url: str, name: str, version: str) -> Entity:
    """Return the entity of a profile that the crate keeps to."""
    return {"@id": url, "@type": "CreativeWork", "name": name, "version": version}


def file_entity(path: str, copied: Path) -> Entity:
    """Return the entity of a file; path: relative to the crate."""
    kind = TYPES.get(copied.suffix) or mimetypes.guess_type(copied.name)[0] or "text/plain"
    size = str(copied.stat().st_size)
    return {"@id": quote(path), "@type": "File", "name": path, "encodingFormat": kind, "contentSize": size}


def folder_entity(name: str) -> Entity:
    """Return the entity of a folder of sources."""
    return {"@id": f"{quote(name)}/", "@type": "Dataset", "name": f"{name}: sources"}


def reference(identifier: str) -> Entity:
    """Return a reference to an entity."""
    return {"@id": identifier}


def write_crate(repository: Path, results: Path, configs: Sequence[Path], crate: Path) -> int:
    """Write the crate and return how many results it has."""
    provenance = read_provenance(results)
    content = copy_content(repository, sources_of_run(repository, provenance), results, configs, crate)
    newest = max((results / name).stat().st_mtime for name in content.results)
    graph = crate_graph(content, crate, provenance, datetime.fromtimestamp(int(newest), UTC))
    with atomic_path(crate / METADATA) as path:
        path.write_text(json.dumps({"@context": CONTEXT, "@graph": graph}, indent=1) + "\n", encoding="utf-8")
    return len(content.results)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the crate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, required=True, help="clone of the workflow")
    parser.add_argument("--results", type=Path, required=True, help="folder of the results of a finished run")
    parser.add_argument("--config", type=Path, nargs="+", required=True, help="configuration files of the run (YAML)")
    parser.add_argument("--crate", type=Path, required=True, help="folder to write; what is there is replaced")
    options = parser.parse_args(arguments)

    if options.crate.exists() and not (options.crate / METADATA).is_file():
        raise UserError(f"{options.crate} is there and no crate: name another folder")
    unfinished = options.crate.with_name(f".{options.crate.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        count = write_crate(options.repository, options.results, options.config, unfinished)
        shutil.rmtree(options.crate, ignore_errors=True)
        unfinished.rename(options.crate)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    logging.info("%d files of a run in %s", count, options.crate)


if __name__ == "__main__":
    run_program(main)
