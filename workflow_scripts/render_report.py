"""Write the LaTeX of the report: fill the template with numbers that rules have made, and with nothing else."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import jinja2
import pandas as pd
import yaml

from reporting import theory
from reporting.claims import claims
from reporting.copies import copies_rows
from reporting.facts import embedded_kinds
from reporting.questions import over_studies
from reporting.rounds import wilson_interval
from reporting.sections import method_values, under_headings
from reporting.source import source_values
from reporting.studies import study_values
from reporting.text import FILTERS, Values
from semisup.cli import run_program
from semisup.files import atomic_path, copy_file
from semisup.near_copies import THUMBNAIL
from semisup.plans import add_plan
from semisup.tables import read_table


def rule_timings(timings: pd.DataFrame) -> list[Values]:
    """Return one row for each study and rule, of the rows for each experiment that collect_provenance wrote."""
    columns = {"jobs": "sum", "seconds": "sum", "longest_seconds": "max", "peak_mb": "max"}
    return timings.groupby(["study", "rule"]).agg(columns).reset_index().to_dict("records")


def add_minutes(studies: list[Values], timings: pd.DataFrame) -> None:
    """Give each experiment the minutes of all its benchmarked jobs for each of its runs; None where none is known."""
    seconds = timings.groupby(["study", "experiment"])["seconds"].sum()
    for study in studies:
        for row in study["experiments"]:
            total = seconds.get((study["name"], row["name"]))
            row["minutes"] = None if total is None else total / 60 / len(row["runs"])


def report_values(plan: Values, results: Path, provenance: Path, timings: Path, published: Values) -> Values:
    """Return every value of the templates."""
    studies = [study_values(name, content, results, published) for name, content in plan["studies"].items()]
    made_by = json.loads(provenance.read_text(encoding="utf-8"))
    times = read_table(timings)
    add_minutes(studies, times)
    of_theory = theory.theory_values(plan, results / "theory")
    of_source = source_values(published, studies)
    return {
        "studies": studies,
        "questions": over_studies(studies),
        "names": under_headings(studies, lambda row: True),
        "copies": copies_rows(studies),
        "thumbnail": THUMBNAIL,
        "sections": plan["sections"],
        "networks": plan["networks"],
        "methods": method_values(plan["methods"], studies, published),
        "embedded": embedded_kinds(plan["studies"]),
        "confidence": plan["evaluation"]["confidence"],
        "bootstrap_samples": plan["evaluation"]["bootstrap_samples"],
        "neighbors": plan["figures"]["neighbors"],
        "most_centroids": plan["figures"]["centroids"],
        "published": published,
        **of_source,
        "claims": claims(studies, of_source["source_table"], of_source["seed_setting"], of_theory),
        "provenance": made_by,
        "packages": [f"{name} {version}" for name, version in made_by["packages"].items()],
        "timings": rule_timings(times),
        "hours": times["seconds"].sum() / 3600,
        "theory": of_theory,
    }


def template_environment(folder: Path) -> jinja2.Environment:
    r"""Return an environment whose marks suit LaTeX: \VAR{value}, \BLOCK{statement}. Unknown names are errors."""
    environment = jinja2.Environment(  # noqa: S701 - this is LaTeX; `tex` escapes it
        loader=jinja2.FileSystemLoader(folder),
        block_start_string=r"\BLOCK{",
        block_end_string="}",
        variable_start_string=r"\VAR{",
        variable_end_string="}",
        comment_start_string=r"\REMARK{",
        comment_end_string="}",
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(FILTERS | theory.FILTERS | {"wilson": wilson_interval})
    return environment


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the text and its bibliography."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_plan(parser, "studies, options and figures")
    parser.add_argument("--results", type=Path, required=True, help="folder of the studies")
    parser.add_argument("--provenance", type=Path, required=True, help="file of collect_provenance (JSON)")
    parser.add_argument("--timings", type=Path, required=True, help="table of collect_provenance (CSV)")
    parser.add_argument(
        "--sources",
        type=Path,
        nargs=4,
        required=True,
        help="report.tex, supplement.tex, references.bib, published.yaml",
    )
    parser.add_argument("--tex", required=True, help="file to write: the paper")
    parser.add_argument("--supplement", required=True, help="file to write")
    parser.add_argument("--bibliography", required=True, help="file to write")
    options = parser.parse_args(arguments)

    paper, supplement, bibliography, published = options.sources
    values = report_values(
        options.plan,
        options.results,
        options.provenance,
        options.timings,
        yaml.safe_load(published.read_text(encoding="utf-8")),
    )
    environment = template_environment(paper.parent)
    for study in values["studies"]:
        study["text"] = environment.get_template(study["text"]).module
    for template, output in ((paper, options.tex), (supplement, options.supplement)):
        text = environment.get_template(template.name).render(values | {"paper": template is paper})
        with atomic_path(output) as path:
            path.write_text(text, encoding="utf-8")
    copy_file(bibliography, options.bibliography)


if __name__ == "__main__":
    run_program(main)
