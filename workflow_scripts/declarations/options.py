"""Options with their types, limits, defaults and meanings, as a declaration has them.

Only the standard library: the workflow, the programs and the report all read declarations.
"""

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

Schema = dict[str, Any]
Values = dict[str, Any]  # options by name
Mistake = tuple[str, str]  # an option, and what is wrong with its value, with the remedy

# Types of options: what YAML has, and the keywords of JSON schema that limit it.
Count = Annotated[int, ("minimum", 1)]
Natural = Annotated[int, ("minimum", 0)]
AtLeastTwo = Annotated[int, ("minimum", 2)]
Positive = Annotated[float, ("exclusiveMinimum", 0)]
Penalty = Annotated[float, ("exclusiveMinimum", 0), ("maximum", 1e6)]  # beyond it float64 rounds too coarsely
NumberAtLeastOne = Annotated[float, ("minimum", 1)]
NotNegative = Annotated[float, ("minimum", 0)]
Part = Annotated[float, ("minimum", 0), ("exclusiveMaximum", 1)]
InnerPart = Annotated[float, ("exclusiveMinimum", 0), ("exclusiveMaximum", 1)]
PartOrAll = Annotated[float, ("exclusiveMinimum", 0), ("maximum", 1)]
HalfCircle = Annotated[float, ("minimum", 0), ("maximum", 0.5)]
Degrees = Annotated[float, ("minimum", 0), ("maximum", 180)]
Range = Annotated[list[Positive], ("minItems", 2), ("maxItems", 2)]  # lowest and highest

_SCALARS = {int: "integer", float: "number", bool: "boolean", str: "string"}


def candidates(kind: object) -> object:
    """Return the type of a list of candidates: at least one, and none twice."""
    return Annotated[list[kind], ("minItems", 1), ("uniqueItems", True)]


class Options:
    """A group of options, each `name: type = default` and its meaning as a string below; one without default is needed.

    A group that builds on others has their options too; `name = default` in it is another default.
    """


@cache
def properties(group: type[Options]) -> dict[str, Schema]:
    """Return the JSON schema of each option of a group by name, those of the groups that it builds on first."""
    result: dict[str, Schema] = {}
    for base in group.__bases__:
        if issubclass(base, Options):
            result |= {name: part for name, part in properties(base).items() if name not in result}
    meanings = _attribute_docstrings(group)
    kinds = inspect.get_annotations(group)
    # What stands here, and what stands at the strongest of several groups.
    for name in [*result, *kinds]:
        owner = declaring_group(group, name)
        if owner is group:
            own = type_schema(kinds[name]) if name in kinds else {}
            own |= {"description": meanings[name]} if name in meanings else {}
            result[name] = result.get(name, {}) | own
            if "description" not in result[name]:
                raise TypeError(f"{group.__name__}.{name} has no meaning: write it as a string below the option")
            if name in vars(group):
                result[name] = _with_default(result[name], vars(group)[name])
        else:
            result[name] = properties(owner)[name]
    return result


def _with_default(part: Schema, default: object) -> Schema:
    """Return the schema of an option with its default; a mapping has the keys of its default, and no others."""
    if not isinstance(default, dict):
        return part | {"default": default}
    kind = part["additionalProperties"]
    entries = {key: kind | {"description": part["description"], "default": value} for key, value in default.items()}
    return part | {"properties": entries, "additionalProperties": False, "default": default}


def declaring_group(group: type[Options], name: str) -> type[Options]:
    """Return the strongest group, of this one and those it builds on, that says something of an option."""
    return next(part for part in group.__mro__ if name in vars(part) or name in inspect.get_annotations(part))


@cache
def required_names(group: type[Options]) -> list[str]:
    """Return the names of the options that have no default."""
    return [name for name, part in properties(group).items() if "default" not in part]


@cache
def option_names(*groups: type[Options]) -> tuple[str, ...]:
    """Return the names of the options of these groups, none twice."""
    return tuple(dict.fromkeys(name for group in groups for name in properties(group)))


def type_schema(kind: object) -> Schema:
    """Return the JSON schema of a type of an option."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return type_schema(parts[0]) | dict(parts[1:])
    if origin is Literal:
        return {"const": parts[0]} if len(parts) == 1 else {"enum": list(parts)}
    if origin is dict:
        return {"type": "object", "additionalProperties": type_schema(parts[1])}
    if origin is list:
        return {"type": "array", "items": type_schema(parts[0])}
    if kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    return {"anyOf": [type_schema(part) for part in parts]}  # int | Literal["native"]


def _attribute_docstrings(group: type) -> dict[str, str]:
    """Return the string below each attribute of a class; Python itself throws it away."""
    body = _class_bodies(group.__module__).get(group.__name__, [])
    meanings = {}
    for first, second in pairwise(body):
        if isinstance(first, ast.AnnAssign | ast.Assign) and isinstance(second, ast.Expr):
            name = first.target if isinstance(first, ast.AnnAssign) else first.targets[0]
            meanings[name.id] = " ".join(ast.literal_eval(second.value).split())
    return meanings


@cache
def _class_bodies(module: str) -> dict[str, list[ast.stmt]]:
    """Return the statements of each class of a module."""
    tree = ast.parse(Path(sys.modules[module].__file__).read_text(encoding="utf-8"))
    return {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}
