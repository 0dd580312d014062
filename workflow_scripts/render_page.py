"""Write the page of the results: one HTML file that needs no other, filled with what rules have made."""

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import jinja2
import yaml

from reporting.facts import embedded_kinds
from reporting.page import picture_files, picture_values, study_page
from reporting.page_text import FILTERS
from reporting.text import Values
from semisup.cli import run_program
from semisup.families import FAMILIES
from semisup.files import atomic_path
from semisup.plans import add_plan

LARGEST = 5_000_000  # bytes that the page should have at most


def read_captions(sources: Path, plan: Values) -> dict[str, str]:
    """Return what every kind of figure in the page shows. sources: the folder of the report's templates."""
    kinds = {kind for study in plan["studies"].values() for kind in study["figures"]}
    files = {kind: sources / f"captions/{kind}.rst" for kind in ("forest", *sorted(kinds))}
    return {kind: file.read_text(encoding="utf-8").strip() for kind, file in files.items()}


def page_values(plan: Values, results: Path, provenance: Path, timings: Path, published: Values, page: Path) -> Values:
    """Return every value of the template, but for texts that lie beside it."""
    studies = [study_page(name, told, results, timings, published, page) for name, told in plan["studies"].items()]
    return {
        "studies": studies,
        "embedded": embedded_kinds(plan["studies"]),
        "confidence": plan["confidence"],
        "derivations": plan["derivations"],
        "families": {family: words for family, (words, *_) in FAMILIES.items()},
        "pictures": picture_values(picture_files(plan["studies"], results), page),
        "provenance": json.loads(provenance.read_text(encoding="utf-8")),
        "compared": {study["name"]: study["compared"] for study in studies},
    }


def template_environment(folder: Path) -> jinja2.Environment:
    """Return an environment that escapes every value. Unknown names are errors."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(FILTERS)
    return environment


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_plan(parser, "studies, options and figures")
    parser.add_argument("--results", type=Path, required=True, help="folder of the studies")
    parser.add_argument("--provenance", type=Path, required=True, help="file of collect_provenance (JSON)")
    parser.add_argument("--timings", type=Path, required=True, help="table of collect_provenance (CSV)")
    parser.add_argument("--sources", type=Path, nargs=2, required=True, help="page.html, published.yaml")
    parser.add_argument("--command", required=True, help="of Snakemake, which makes the files named after it")
    parser.add_argument("--page", type=Path, required=True, help="file to write (HTML)")
    options = parser.parse_args(arguments)

    template, published = options.sources
    values = page_values(
        options.plan,
        options.results,
        options.provenance,
        options.timings,
        yaml.safe_load(published.read_text(encoding="utf-8")),
        options.page,
    )
    values |= {"captions": read_captions(template.parent, options.plan), "command": options.command}
    text = template_environment(template.parent).get_template(template.name).render(values)
    size = len(text.encode())
    if size > LARGEST:
        logging.warning("the page has %.1f MB: leave experiments out to make it smaller", size / 1e6)
    with atomic_path(options.page) as path:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_program(main)
