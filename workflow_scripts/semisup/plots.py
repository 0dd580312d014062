"""One look for all figures: colour-blind-safe, legible in print, the same bytes for the same numbers.

Whatever a user has set for matplotlib (its files, styles, MPLBACKEND) does not count: all programs import it from here.
"""

import argparse
import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from semisup.cli import UserError
from semisup.files import atomic_path

os.environ.pop("MPLBACKEND", None)  # one that is not installed, as notebooks set it, would end the import

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D  # noqa: F401 (for the programs)
from matplotlib.ticker import (  # noqa: F401 (for the programs)
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    ScalarFormatter,
)

TEXT_WIDTH = 6.3  # inches: the width of the report's text
# Okabe and Ito's palette, then grey and brown for the ninth and tenth class.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#000000", "#7F7F7F", "#8C510A")
LINE_COLORS = tuple(color for color in COLORS if color != "#F0E442")  # a thin yellow line does not show on paper


def add_figure_options(parser: argparse.ArgumentParser) -> None:
    """Add the files of the figures; a program draws as many as it is given inputs, to start once for all of them."""
    parser.add_argument("--pdf", nargs="+", required=True, help="files to write, one for each figure")
    parser.add_argument("--png", nargs="+", required=True, help="files to write, one for each figure")


def each_figure(options: argparse.Namespace, *inputs: str) -> Iterator[tuple[Any, ...]]:
    """Return for each figure its value of each of these options, its PDF and its PNG.

    Raises UserError unless all have as many values.
    """
    values = {name: getattr(options, name) for name in (*inputs, "pdf", "png")}
    counts = [f"--{name.replace('_', '-')} has {len(given)}" for name, given in values.items()]
    if len({len(given) for given in values.values()}) > 1:
        raise UserError(f"{', '.join(counts)} values: give one of each for every figure")
    return zip(*values.values(), strict=True)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches, in the style of the report."""
    mpl.rcdefaults()
    mpl.rcParams.update(
        {
            "font.size": 8,
            "axes.titlesize": 8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
            "pdf.fonttype": 42,
            "svg.fonttype": "none",  # letters stay letters: a page can be searched, and the file is small
            "svg.hashsalt": "figure",  # else the names of parts are drawn by lot
            "axes.prop_cycle": mpl.cycler(color=COLORS),
        }
    )
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Figure, pdf: str | Path, png: str | Path, svg: str | Path | None = None) -> None:
    """Write the figure for the printed and for the HTML report, and for pages if asked for.

    No dates, so equal figures are equal files.
    """
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it would log every glyph
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the layout is found; each of the files would look for it again
    # Not by savefig, which draws each file twice.
    with atomic_path(pdf) as path:
        figure.set_dpi(300)
        FigureCanvasPdf(figure).print_pdf(path, metadata={"CreationDate": None})
    with atomic_path(png) as path:
        figure.set_dpi(200)
        FigureCanvasAgg(figure).print_png(path, metadata={"Software": None})
    if svg is not None:
        with atomic_path(svg) as path:
            path.write_text(svg_text(figure), encoding="utf-8")


def svg_text(figure: Figure) -> str:
    """Return the figure as SVG."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def letters(name: str) -> str:
    """Return what matplotlib shows as this name: dollars begin no formula, and legends leave out what begins with _."""
    return f"{' ' if name.startswith('_') else ''}{name}".replace("$", r"\$")


def image_grid(tiles: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Arrange float tiles (n, C, h, w) in 0..1 row by row on white; returns (H, W, 3)."""
    count, channels, height, width = tiles.shape
    rows = -(-count // columns)
    grid = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, 3))
    for index, tile in enumerate(tiles):
        y, x = (index // columns) * (height + gap), (index % columns) * (width + gap)
        grid[y : y + height, x : x + width] = np.broadcast_to(
            tile, (3, height, width) if channels == 1 else tile.shape
        ).transpose(1, 2, 0)
    return grid


def example_grid(first: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Arrange float tiles in 0..1 in n rows: first (n, C, h, w), a gap, others (n, m, C, h, w); returns (H, W, 3)."""
    left = image_grid(first, 1)
    right = image_grid(others.reshape(-1, *others.shape[2:]), others.shape[1])
    gap = np.ones((len(left), max(1, first.shape[3] // 4), 3))
    return np.hstack([left, gap, right])


def signed_tiles(vectors: np.ndarray, channels: int, size: int) -> np.ndarray:
    """Turn signed vectors (n, C * size * size) into tiles (n, C, size, size): 0 is mid-grey, each to its own range."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    return (0.5 + vectors / (2 * np.maximum(largest, 1e-12))).reshape(-1, channels, size, size)


def show_image(figure: Figure, position: tuple[int, int, int], image: np.ndarray, title: str = "") -> None:
    """Put an image (H, W, 3) without axes into a subplot, its pixels sharp."""
    axes = figure.add_subplot(*position)
    axes.imshow(image, interpolation="nearest")
    axes.set_axis_off()
    if title:
        axes.set_title(title)


def draw_band(axes: Axes, x: np.ndarray, values: np.ndarray, label: str, color: str, line: str = "-") -> None:
    """Draw the median of values (seeds, len(x)) over the seeds as a line and their range as a band."""
    axes.plot(x, np.median(values, axis=0), line, color=color, label=label, linewidth=1.2)
    axes.fill_between(x, values.min(axis=0), values.max(axis=0), color=color, alpha=0.2, linewidth=0)


def legend_below(figure: FigureBase, *axes: Axes) -> None:
    """Put one legend below all panels, in a row: what these axes have labels for, in their order."""
    shown = [pair for part in axes for pair in zip(*part.get_legend_handles_labels(), strict=True)]
    handles, labels = zip(*shown, strict=True)
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
