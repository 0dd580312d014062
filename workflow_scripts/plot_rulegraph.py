"""Draw which rules pass files to which, as Snakemake sees the workflow."""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from semisup.cli import UserError, run_program
from semisup.plots import COLORS, TEXT_WIDTH, new_figure, save_figure

Edges = list[tuple[str, str]]

WIDEST = 5  # names that fit side by side


def rule_edges(snakefile: str, config: dict) -> Edges:
    """Ask Snakemake for the rule graph of the default target; return its edges, from producer to consumer."""
    with tempfile.TemporaryDirectory() as folder:
        configfile = Path(folder) / "config.json"
        configfile.write_text(json.dumps(config), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--configfile", str(configfile)]
        # The whole configuration is given; that of the Snakefile may have more studies.
        options = ["--replace-workflow-config", "--directory", folder, "--workflow-profile", "none", "--cores", "1"]
        options += ["--quiet", "--rulegraph"]
        finished = subprocess.run([*command, *options], capture_output=True, text=True, check=False)  # noqa: S603
    if finished.returncode:
        raise UserError(f"snakemake could not draw its rule graph: {finished.stderr.strip().splitlines()[-1]}")
    return parse_dot(finished.stdout)


def parse_dot(text: str) -> Edges:
    """Return the edges of a graph in dot format, by the labels of its nodes, sorted: Snakemake's order is random."""
    labels = dict(re.findall(r'(\d+)\s*\[\s*label\s*=\s*"([^"\\]+)', text))
    return sorted((labels[start], labels[end]) for start, end in re.findall(r"(\d+)\s*->\s*(\d+)", text))


def layers(edges: Edges) -> dict[str, int]:
    """Return each node's layer: the length of the longest path that leads to it.

    What nothing leads to stands just above what needs it first, or the uppermost layer would hold too many.
    """
    depth = dict.fromkeys((node for edge in edges for node in edge), 0)
    for _ in depth:
        for start, end in edges:
            depth[end] = max(depth[end], depth[start] + 1)
    first = {start: min(depth[end] for node, end in edges if node == start) - 1 for start, _ in edges}
    made = {end for _, end in edges}
    return {node: depth[node] if node in made else first[node] for node in depth}


def places(edges: Edges) -> dict[str, tuple[float, float]]:
    """Return (x, y) of each node: layers from top to bottom, nodes below what leads to them.

    In a layer of many nodes every other one is a little lower, so that names do not overlap.
    """
    depth = layers(edges)
    x: dict[str, float] = {}
    y: dict[str, float] = {}
    for layer in range(max(depth.values()) + 1):
        nodes = [node for node in depth if depth[node] == layer]
        wish = {}
        for node in nodes:
            above = [x[start] for start, end in edges if end == node]
            wish[node] = sum(above) / len(above) if above else 0.5
        for position, node in enumerate(sorted(nodes, key=lambda node: (wish[node], node))):
            x[node] = (position + 0.5) / len(nodes)
            y[node] = -layer - (0.2 * (-1) ** position if len(nodes) > WIDEST else 0.0)
    return {node: (x[node], y[node]) for node in depth}


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snakefile", required=True)
    parser.add_argument("--config", required=True, type=json.loads, help="the whole configuration as JSON")
    parser.add_argument("--pdf", required=True)
    parser.add_argument("--png", required=True)
    options = parser.parse_args(arguments)

    edges = [edge for edge in rule_edges(options.snakefile, options.config) if edge[1] != "all"]
    position = places(edges)
    figure = new_figure(TEXT_WIDTH, 0.55 * (1 + max(layers(edges).values())))
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(min(y for _, y in position.values()) - 0.5, 0.5))
    for start, end in edges:
        axes.annotate(
            "",
            xy=position[end],
            xytext=position[start],
            arrowprops={"arrowstyle": "->", "color": "0.6", "shrinkA": 6, "shrinkB": 8, "linewidth": 0.6},
        )
    for node, (x, y) in position.items():
        color = COLORS[3] if node == "evaluate" else COLORS[0]
        box = {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": color, "linewidth": 0.8}
        axes.text(x, y, node, ha="center", va="center", fontsize=6.5, bbox=box)
    save_figure(figure, options.pdf, options.png)


if __name__ == "__main__":
    run_program(main)
