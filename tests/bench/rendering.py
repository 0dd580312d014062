"""The report and the page of studies of many experiments: made-up results and the commands that render them."""

import json
import sys
from copy import deepcopy
from pathlib import Path

from fixtures_page import plan_of_page, write_page_results
from fixtures_report import SOURCES, plan_of
from fixtures_snakemake import ROOT

PAGE_SOURCES = ("page.html", "published.yaml")


def plan_of_many(count: int) -> dict:
    """Return the plan of a study with so many experiments: networks trained on labels, under other names."""
    plan = plan_of("supervised") | plan_of_page("supervised")
    (study,) = plan["studies"].values()
    patterns = list(study["experiments"].values())
    copies = {f"network{i}": deepcopy(patterns[i % len(patterns)]) for i in range(count)}
    for name, told in copies.items():
        told |= {"title": name, "short": name, "baseline": "network0"}
    study |= {"experiments": copies, "baseline": "network0"}
    study["figures"] = {kind: list(copies) for kind, names in study["figures"].items() if names}
    return plan


def write_many(count: int, folder: Path) -> Path:
    """Write the results of that study, and its plan in a file, which is returned."""
    plan = plan_of_many(count)
    write_page_results(folder, plan)
    path = folder / "plan.json"
    path.write_text(json.dumps(plan))
    return path


def command_of(program: str, folder: Path) -> list[str]:
    """Return the command that renders the report or the page of the results in that folder; it reads the plan."""
    report = folder / "report"
    files = {
        "render_report": {"sources": SOURCES, "tex": "report.tex", "supplement": "supplement.tex"},
        "render_page": {"sources": PAGE_SOURCES, "page": "index.html"},
    }[program]
    command = [sys.executable, str(ROOT / f"workflow_scripts/{program}.py"), "--plan", "-", "--results", str(folder)]
    command += ["--provenance", str(report / "provenance.json"), "--timings", str(report / "timings.csv"), "--sources"]
    command += [str(ROOT / "report" / name) for name in files.pop("sources")]
    for option, name in files.items():
        command += [f"--{option}", str(report / name)]
    extra = {"render_report": ["--bibliography", str(report / "references.bib")], "render_page": ["--command", "make"]}
    return command + extra[program]
