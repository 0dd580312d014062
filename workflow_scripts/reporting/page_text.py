"""How the page writes numbers: the filters of its template, which escapes whatever it sets."""

import re

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


def thousands(value: float) -> str:
    """12345 -> 12,345."""
    return f"{int(value):,}"


def percent(value: float) -> str:
    """0.4532 -> 45.3."""
    return f"{100 * value:.1f}"


def points(value: float) -> str:
    """-0.015 -> −1.5, percentage points with their sign."""
    return f"{100 * value:+.1f}".replace("-", MINUS)


def minutes(seconds: float) -> str:
    """Return minutes, with a decimal where there are few."""
    value = seconds / 60
    return f"{value:.1f}" if value < 10 else thousands(round(value))  # noqa: PLR2004 - two digits are enough


def counted(number: int, noun: str) -> str:
    """1, seed -> 1 seed; 3, seed -> 3 seeds."""
    return f"{thousands(number)} {noun}{'' if number == 1 else 's'}"


def setting(value: object) -> str:
    """Return an option of the configuration as text; a list as its items."""
    if isinstance(value, list):
        return ", ".join(map(setting, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def source(cite: str) -> str:
    """Return the key of a source in the bibliography as text: sohn2020 -> Sohn 2020."""
    return re.sub(r"(\d{4})$", r" \1", cite.capitalize())


FILTERS = {
    "thousands": thousands,
    "percent": percent,
    "points": points,
    "minutes": minutes,
    "counted": counted,
    "setting": setting,
    "source": source,
}
