"""Draw the forest plot of a study: every experiment's test accuracy with its interval, a panel for each protocol."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import yaml

from semisup.cli import run_program
from semisup.forest import forest_figure, forest_panels
from semisup.histories import read_columns
from semisup.plans import add_plan
from semisup.plots import TEXT_WIDTH, save_figure
from semisup.published import literature

COMPARISON = ("experiment", "baseline", "seeds_labels", "seeds_test_accuracy_mean")
METRICS = ("experiment", "protocol", "test_accuracy")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparison", required=True, help="table of evaluate (CSV)")
    parser.add_argument("--metrics", required=True, help="table of evaluate (CSV)")
    add_plan(parser, "what is told of the study")
    parser.add_argument("--published", type=Path, required=True, help="published accuracies (YAML)")
    parser.add_argument("--pdf", required=True)
    parser.add_argument("--png", required=True)
    parser.add_argument("--svg", required=True)
    options = parser.parse_args(arguments)

    published = yaml.safe_load(options.published.read_text(encoding="utf-8"))
    panels = forest_panels(
        read_columns(options.comparison, COMPARISON, "the comparison of evaluate"),
        read_columns(options.metrics, METRICS, "the metrics of evaluate"),
        options.plan,
        literature(published, options.plan["data_set"]),
    )
    save_figure(forest_figure(panels, TEXT_WIDTH), options.pdf, options.png, options.svg)


if __name__ == "__main__":
    run_program(main)
