"""Curves as SVG of a few kilobytes: the lines of a history, in the colours of the page, light or dark."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import pandas as pd

WIDTH, HEIGHT = 480, 250  # of a chart, in units of its own
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 42  # margins
TICKS = 5  # about so many on an axis
FEW = 12  # points of a line that are marked
MOST = 150  # points of a line that are drawn
X_COLUMNS = ("epoch", "round", "iteration")
ACCURACIES = {"validation_accuracy": "validation", "train_accuracy": "training"}


class Line(NamedTuple):
    """A line of a chart: its kind, which is a class of the style sheet, and its points, x and y."""

    kind: str
    points: list[tuple[float, float]]


class Chart(NamedTuple):
    """Lines, and the names of the axes."""

    lines: list[Line]
    x_name: str
    y_name: str

    @property
    def kinds(self) -> list[str]:
        """The different kinds of lines, in their order."""
        return list(dict.fromkeys(line.kind for line in self.lines))

    @property
    def words(self) -> str:
        """Where the first line begins and ends, for those who do not see it."""
        ends = dict.fromkeys([self.lines[0].points[0], self.lines[0].points[-1]])
        places = ", ".join(f"{y:.4g} at {self.x_name} {x:g}" for x, y in ends)
        kind = "" if self.lines[0].kind == self.y_name else f"{self.lines[0].kind} "
        return f"Curve of {kind}{self.y_name}: {places}."


def history_chart(histories: Sequence[pd.DataFrame]) -> Chart | None:
    """Return the curves of a training over its epochs or rounds, or of a solver over its iterations.

    histories: one table for each run. None where they lack the columns for it, or have no numbers in them.
    """
    columns = set.intersection(*(set(table) for table in histories)) if histories else set()
    x_name = next((name for name in X_COLUMNS if name in columns), None)
    accuracies = {name: kind for name, kind in ACCURACIES.items() if name in columns}
    shown = accuracies or ({"objective": "objective"} if "objective" in columns else {})
    if x_name is None:
        return None
    scale = 100 if accuracies else 1
    lines = [Line(kind, _points(table, x_name, name, scale)) for table in histories for name, kind in shown.items()]
    lines = [line for line in lines if line.points]
    return Chart(lines, x_name, "accuracy (%)" if accuracies else "objective") if lines else None


def _points(table: pd.DataFrame, x_name: str, y_name: str, scale: float) -> list[tuple[float, float]]:
    """Return the points of a line, not more than MOST, first and last among them."""
    points = [(float(x), scale * float(y)) for x, y in table[[x_name, y_name]].dropna().to_numpy()]
    if len(points) <= MOST:
        return points
    return [points[round(number * (len(points) - 1) / (MOST - 1))] for number in range(MOST)]


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers, about TICKS of them, from `low` or below to `high` or above."""
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / TICKS))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power * TICKS >= span)
    first = math.floor(low / step)
    last = max(math.ceil(high / step), first + 1)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


class Scale(NamedTuple):
    """Where numbers lie: from `low` to `high`, at the places `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """Return the place of a number; the middle where there is but one."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + share * (self.end - self.start)


def chart_svg(chart: Chart) -> str:
    """Return the chart as an SVG element, for HTML."""
    xs, ys = ([point[axis] for line in chart.lines for point in line.points] for axis in (0, 1))
    rows = ticks(min(ys), max(ys))
    across = Scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    up = Scale(rows[0], rows[-1], HEIGHT - BOTTOM, TOP)
    whole = [tick for tick in ticks(min(xs), max(xs)) if tick == int(tick) and min(xs) <= tick <= max(xs)]
    head = f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(chart.words)}">'
    parts = [head, *_axes(chart, across, up, whole or [min(xs)], rows)]
    for line in chart.lines:
        parts += _line(line, across, up)
    return "".join([*parts, "</svg>"])


def _axes(chart: Chart, across: Scale, up: Scale, columns: list[float], rows: list[float]) -> list[str]:
    """Return the grid with its numbers, and the names of the axes. columns, rows: the numbers on the axes."""
    parts = []
    for tick in rows:
        y = up.place(tick)
        parts.append(f'<path class="rule" d="M{across.start:g} {y:.1f}H{across.end:g}"/>')
        parts.append(_text(across.start - 6, y + 4, f"{tick:g}", "end"))
    parts += [_text(across.place(tick), up.start + 18, f"{tick:g}") for tick in columns]
    parts.append(_text((across.start + across.end) / 2, HEIGHT - 6, chart.x_name))
    middle = (up.start + up.end) / 2
    parts.append(_text(12, middle, chart.y_name, turned=f' transform="rotate(-90 12 {middle:g})"'))
    return parts


def _text(x: float, y: float, words: str, anchor: str = "middle", turned: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turned}>{escape(words)}</text>'


def _line(line: Line, across: Scale, up: Scale) -> list[str]:
    """Return a line, and marks at its points if they are few."""
    places = [(across.place(x), up.place(y)) for x, y in line.points]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    marks = [f'<circle class="{line.kind}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in places]
    return [f'<path class="line {line.kind}" d="M{path}"/>', *(marks if len(places) <= FEW else [])]
