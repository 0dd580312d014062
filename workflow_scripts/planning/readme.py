"""Write the results in the README, tables and the forest plot, from docs/results; --keep takes those of a finished run.

With --check only say whether both are up to date.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

import pandas as pd  # noqa: E402 (as the modules below, which are not found before)
from snakemake.utils import update_config  # noqa: E402

from planning.config import Config, checked_config, config_schema, read_yaml  # noqa: E402
from planning.report import forest_plan  # noqa: E402
from semisup.forest import Panel, difference_text, forest_figure, forest_panels  # noqa: E402
from semisup.plots import svg_text  # noqa: E402
from semisup.published import literature  # noqa: E402

README, RESULTS, FIGURE = "README.md", "docs/results", "docs/images/results.svg"
CONFIG = "config.cpu.yaml"  # of the run whose results are kept
COMMAND = "make readme"
BEGIN, END = "<!-- results:begin -->\n", "<!-- results:end -->\n"
OF_STUDY = ("comparison", "metrics", "per_class", "label_curve")
OF_RUN = ("timings.csv", "provenance.json")
WIDTH = 7.0  # inches: of the figure
COLUMNS = (
    "",
    "",
    "test accuracy (%)",
    "95 % interval",
    "difference in points, with its interval",
    "minutes a run",
    "published (%)",
)


class Kept(NamedTuple):
    """What is shown of a study: its panels, titles and minutes of experiments by their short names."""

    panels: list[Panel]
    titles: Mapping[str, str]
    minutes: Mapping[str, float]


def kept_study(config: Config, study: str, folder: Path, published: Mapping[str, Any]) -> Kept:
    """Read a study from the folder of kept results. published: the content of report/published.yaml."""
    plan = forest_plan(config, study)
    metrics = pd.read_csv(folder / study / "metrics.csv")
    comparison = pd.read_csv(folder / study / "comparison.csv")
    panels = forest_panels(comparison, metrics, plan, literature(published, plan["data_set"]))
    timings = pd.read_csv(folder / OF_RUN[0], keep_default_na=False).query("study == @study")
    minutes = timings.groupby("experiment")["seconds"].sum() / metrics.groupby("experiment").size() / 60
    experiments = config["studies"][study]["experiments"]
    shorts = {name: told["short"] for name, told in plan["experiments"].items()}
    titles = {short: experiments[name].get("title", name) for name, short in shorts.items()}
    return Kept(panels, titles, {short: minutes[name] for name, short in shorts.items()})


def table(panel: Panel, kept: Kept) -> Iterator[str]:
    """Yield the lines of a panel's table in Markdown. A difference that can be claimed is bold."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|{'---|' * len(COLUMNS)}"
    for row in panel.rows:
        difference = f"**{difference_text(row)}**" if row.claimed else difference_text(row)
        edges = f"{100 * row.low:.1f} to {100 * row.high:.1f}"
        known = ", ".join(f"{cross.accuracy:g} with {cross.labels:,} labels" for cross in row.published)
        numbers = (f"{100 * row.accuracy:.1f}", edges, difference, f"{kept.minutes[row.name]:.1f}", known)
        yield f"| {' | '.join((row.name, kept.titles[row.name], *numbers))} |"


def results_text(studies: Sequence[Kept], made_by: Mapping[str, Any]) -> str:
    """Return what stands between the marks of the README. made_by: the content of provenance.json."""
    lines = [f"![Test accuracy of every experiment with its 95 % interval]({FIGURE})", ""]
    for kept in studies:
        for panel in kept.panels:
            lines += [f"**{panel.title}**", "", *table(panel, kept), ""]
    lines += [
        f"`{CONFIG}` made these numbers at commit {made_by['commit'][:7]} ({made_by['date']}) on {made_by['cores']}"
        f" cores of {made_by['processor']}. All tables are in [docs/results](docs/results). Published values have other"
        " networks, pools and budgets: the report's table of the literature lists them.",
        "",
    ]
    return "\n".join(lines)


def with_results(page: str, text: str) -> str:
    """Return the README with this text between its marks."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + text + END + rest.split(END)[1]


def keep(results: Path, studies: Sequence[str], folder: Path) -> None:
    """Copy the tables of a finished run to the folder of kept results."""
    shutil.rmtree(folder, ignore_errors=True)
    for study in studies:
        (folder / study).mkdir(parents=True)
        for name in OF_STUDY:
            shutil.copyfile(results / study / f"{name}.csv", folder / study / f"{name}.csv")
    for name in OF_RUN:
        shutil.copyfile(results / "report" / name, folder / name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, then write or check the README's results and their figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder of results whose tables docs/results has from now on")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the README is out of date")
    options = parser.parse_args(arguments)
    config = read_yaml(ROOT / "config.yaml")
    update_config(config, read_yaml(ROOT / CONFIG))
    config = checked_config(config, config_schema())
    folder = ROOT / RESULTS
    if options.keep:
        keep(options.keep, list(config["studies"]), folder)
    if not folder.is_dir():
        sys.exit(f"{RESULTS} is missing: `{COMMAND} KEEP=results` takes the tables of a finished run of {CONFIG}")
    published = read_yaml(ROOT / "report/published.yaml")
    studies = [kept_study(config, study, folder, published) for study in config["studies"]]
    made_by = json.loads((folder / OF_RUN[1]).read_text())
    panels = [panel for kept in studies for panel in kept.panels]
    page = with_results((ROOT / README).read_text(), results_text(studies, made_by))
    for name, text in ((README, page), (FIGURE, svg_text(forest_figure(panels, WIDTH)))):
        path = ROOT / name
        if not options.check:
            path.write_text(text)
        elif not path.is_file() or path.read_text() != text:
            sys.exit(f"{name} is out of date: run `{COMMAND}`")


if __name__ == "__main__":
    main()
