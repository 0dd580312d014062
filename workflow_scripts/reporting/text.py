"""How the report writes words and numbers: the filters of its template."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

Values = dict[str, Any]
SHORTEST = 0.1  # minutes: what is less is not told apart
PAGE_OF_LINES = 40  # rows of one line each that a page has room for, and their headings
SHORT_TABLE = 12  # rows, each of up to three lines; a table of more may go on over pages


def tex(text: object) -> str:
    """Escape LaTeX's special characters, and keep apart marks that it would set as another one, as -- and <<."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    apart = re.sub("([-<>,'`?!])(?=[-<>,'`])", "\\1\0", str(text))
    return "".join(special.get(char, f"\\{char}" if char in "&%$#_{}" else char) for char in apart).replace("\0", "{}")


def code(name: str) -> str:
    """Return a name of the configuration in typewriter letters; lines may break after its underscores."""
    return rf"\texttt{{{tex(name)}}}".replace(r"\_", r"\_\allowbreak ")


def percent(value: float) -> str:
    """0.4532 -> 45.3."""
    return f"{100 * value:.1f}"


def count(value: float) -> str:
    """12345 -> 12,345."""
    return f"{int(value):,}"


def short(value: float) -> str:
    """0.0003 -> 0.0003, 3e-05 -> 3 times a power of ten."""
    mantissa, _, exponent = f"{value:g}".partition("e")
    return rf"${mantissa}\cdot10^{{{int(exponent)}}}$" if exponent else mantissa


def plain(value: object) -> str:
    """Return a value of the configuration as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return short(value) if isinstance(value, float) else tex(value)


def setting(value: object) -> str:
    """Return an option as text; a list as its items."""
    return ", ".join(map(plain, value)) or "none" if isinstance(value, list) else plain(value)


def in_turn(values: Sequence[str]) -> str:
    """Return what the runs have chosen in turn, once if they agree."""
    return ", ".join(values if len(set(values)) > 1 else values[:1])


def spread(value: float | Sequence[float]) -> str:
    """Return a range of parameters: plus or minus a number, or from one to another."""
    return f"$\\pm${value:g}" if isinstance(value, int | float) else f"{value[0]:g} to {value[1]:g}"


def listed(items: Iterable[str], word: str = "and") -> str:
    """Join as in a sentence: a, b and c."""
    *first, last = items
    return f"{', '.join(first)} {word} {last}" if first else last


def points(value: float) -> str:
    """0.015 -> +1.5, percentage points with their sign."""
    return f"${100 * value:+.1f}$"


def emphasized(title: str) -> str:
    """Return the title of an experiment as the text names it."""
    return rf"\emph{{{tex(title)}}}"


def with_points(title: str, value: float) -> str:
    """Return the title of an experiment and by how many points it differs."""
    return f"{emphasized(title)} ({points(value)})"


def interval(summary: Values) -> str:
    """Return a difference with its interval, in percentage points."""
    value, low, high = (points(summary[f"difference{key}"]) for key in ("", "_low", "_high"))
    return f"{value} [{low}, {high}]"


def with_interval(title: str, summary: Values) -> str:
    """Return the title of an experiment and by how many points it differs, with the interval."""
    return f"{emphasized(title)} ({interval(summary)})"


def mean_std(summary: Values) -> str:
    """Mean and standard deviation of the test accuracy in per cent; the mean alone if there was one run."""
    mean = percent(summary["test_accuracy_mean"])
    if "test_accuracy_std" not in summary:
        return mean
    return f"{mean} $\\pm$ {percent(summary['test_accuracy_std'])}"


def difference(summary: Values, mark: str = "") -> str:
    """Return the paired difference with its interval in percentage points, or a dash for the baseline itself.

    mark: a letter that tells to which baseline the difference is, if not to that of the study.
    """
    return f"{interval(summary)}{superscript(mark)}" if "difference" in summary else "--"


def superscript(mark: str) -> str:
    """Return a letter as a note's mark; nothing for none."""
    return rf"\rlap{{$^{{\mathrm{{{mark}}}}}$}}" if mark else ""


FILTERS = {
    "tex": tex,
    "code": code,
    "percent": percent,
    "percent0": lambda value: f"{100 * value:.0f}",
    "count": count,
    "count_in_formula": lambda value: count(value).replace(",", "{,}"),  # a comma there is followed by a space
    "decimals": lambda value: f"{value:.3f}".replace("-", "$-$"),
    "decimals1": lambda value: f"{value:.1f}",
    "minutes": lambda value: "--" if value is None else f"{value:.1f}" if value >= SHORTEST else f"$<{SHORTEST}$",
    "whole": lambda value: "--" if pd.isna(value) else f"{value:.0f}",
    "percent_if_any": lambda value: "--" if pd.isna(value) else percent(value),
    "operations": lambda value: "--" if value is None else f"{value / 1e6:,.1f}",
    "millions": lambda value: f"{value / 1e6:.2f}",
    "number": plain,
    "setting": setting,
    "points": points,
    "in_turn": in_turn,
    "listed": listed,
    "either": lambda values: listed(map(plain, values), "or"),
    "commit": lambda value: value[:12] if value else "unknown",
    "mean_std": mean_std,
    "difference": difference,
    "superscript": superscript,
    # The command of the template that sets a table of so many rows.
    "table": lambda rows: r"\shorttable" if len(rows) <= SHORT_TABLE else r"\longertable",
    "table_of_lines": lambda rows: r"\shorttable" if len(rows) <= PAGE_OF_LINES else r"\longertable",
}
