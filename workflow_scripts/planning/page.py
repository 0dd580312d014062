"""What the page of the results is told of a configuration."""

from pathlib import Path

from planning.config import Config, data_kind, method_of
from planning.report import report_plan

# The figures in the card of an experiment, in their order: where room is short, the last ones are left out first.
SHOWN = ("filters", "centroids", "mistakes", "surrogates", "augmentations", "tsne")


def shown_figures(figures: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return which experiments have a figure of each kind that the page shows. figures: by kind, as of the report."""
    return {kind: figures[kind] for kind in SHOWN if kind in figures}


def page_plan(config: Config, sources: Path) -> Config:
    """Return all that the page is told. sources: the folder of the report's templates."""
    plan = report_plan(config, sources)
    studies = {}
    for study, told in plan["studies"].items():
        experiments = {
            name: values | {"model": method_of(config, study, name).model}
            for name, values in told["experiments"].items()
        }
        licence = data_kind(config, config["studies"][study]["dataset"]).licence
        own = {"experiments": experiments, "figures": shown_figures(told["figures"]), "licence": licence}
        studies[study] = told | own
    return {
        "studies": studies,
        "confidence": config["evaluation"]["confidence"],
        "derivations": "derivations" in config["theory"]["parts"],
    }
