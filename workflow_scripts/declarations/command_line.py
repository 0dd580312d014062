"""Declared options on a program's command line: types, limits, defaults and meanings are those of the configuration."""

import argparse
import math
from collections.abc import Callable
from typing import Any

from declarations.options import Options, Schema, properties

LIMITS = {
    "minimum": ("at least", lambda value, limit: value >= limit),
    "maximum": ("at most", lambda value, limit: value <= limit),
    "exclusiveMinimum": ("above", lambda value, limit: value > limit),
    "exclusiveMaximum": ("below", lambda value, limit: value < limit),
    "multipleOf": ("a multiple of", lambda value, limit: value % limit == 0),
}


def add_options(parser: argparse.ArgumentParser, *groups: type[Options], many: bool = False) -> None:
    """Add the options of these groups. many: each must be given, and takes several values, one for each experiment."""
    for group in groups:
        for name, part in properties(group).items():
            is_list = part.get("type") == "array"
            fewest, most = part.get("minItems", 0), part.get("maxItems")
            length = most if most == fewest else "+" if fewest else "*"
            parser.add_argument(
                f"--{name.replace('_', '-')}",
                type=argument_type(part["items"] if is_list else part),
                nargs=length if is_list else ("*" if many else None),
                default=None if many else part.get("default"),
                required=many or "default" not in part,
                metavar=_metavar(part["items"] if is_list else part),
                help=_help(part),
            )


def _help(part: Schema) -> str:
    default = f" Default: {part['default']}." if part.get("default", "") != "" else ""
    return f"{part['description']}{default}".replace("%", "%%")


def argument_type(part: Schema) -> Callable[[str], Any]:
    """Return an argument type: the value that a text stands for, refused where the schema refuses it.

    A word beside numbers, as `native` or `all`, gives None.
    """
    branches = part.get("anyOf", [part])

    def convert(text: str) -> Any:  # noqa: ANN401
        if any(branch.get("const") == text for branch in branches):
            return None
        mistakes = []
        for branch in branches:
            try:
                if "const" not in branch:
                    return _converted(text, branch)
            except argparse.ArgumentTypeError as error:
                mistakes.append(str(error))
        raise argparse.ArgumentTypeError(" and ".join(mistakes))

    return convert


def _converted(text: str, part: Schema) -> Any:  # noqa: ANN401
    """Return the value of a text. Raises ArgumentTypeError if the schema refuses it."""
    if "enum" in part:
        values = {str(value): value for value in part["enum"]}
        if text not in values:
            raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(values)}")
        return values[text]
    value = _SCALARS[part["type"]](text)
    for keyword, (words, holds) in LIMITS.items():
        if keyword in part and not holds(value, part[keyword]):
            raise argparse.ArgumentTypeError(f"{text} is not {words} {part[keyword]}")
    return value


def _metavar(part: Schema) -> str:
    if "anyOf" in part:
        return "|".join(dict.fromkeys(branch.get("const", "N") for branch in part["anyOf"]))
    if "enum" in part:
        return "{" + ",".join(map(str, part["enum"])) + "}"
    return {"integer": "N", "boolean": "BOOL", "string": "TEXT"}.get(part["type"], "X")


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


_SCALARS: dict[str, Callable[[str], Any]] = {"integer": _integer, "number": _number, "boolean": _boolean, "string": str}
