"""Mistakes of a configuration that its JSON schema finds, each said in one plain line."""

import difflib
import math
import re
from collections.abc import Iterator
from typing import Any

import yaml
from jsonschema import Draft202012Validator, TypeChecker, validators
from jsonschema.exceptions import ValidationError

Config = dict[str, Any]

LONGEST_SHOWN = 60  # characters of a value in a message
MOST_LISTED = 25  # keys in a message


def schema_mistakes(config: Config, schema: Config, renamed: dict[str, str]) -> list[str]:
    """Return what the schema finds wrong with `config`, place by place; an unknown key before a missing one.

    The missing one may be the unknown one misspelt. renamed: new names by old ones, of keys and values.
    """
    errors = sorted(
        _Validator(schema).iter_errors(config),
        key=lambda error: (list(map(str, error.path)), error.validator == "required"),
    )
    return [message for error in errors for message in _plain_messages(error, schema, renamed)]


def _is_integer(_: TypeChecker, value: object) -> bool:
    """Refuse 22.0, which JSON schema takes for a whole number but the programs' command lines do not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: TypeChecker, value: object) -> bool:
    """Refuse .nan and .inf, which are within any limits that JSON schema can set."""
    return _is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


def _whole_pattern(_: object, pattern: str, value: object, __: Config) -> Iterator[ValidationError]:
    """Refuse a last line break too, which Python's $ lets pass; no pattern of the schema allows line breaks."""
    if isinstance(value, str) and ("\n" in value or not re.search(pattern, value)):
        yield ValidationError(f"does not match {pattern}")


_Validator = validators.extend(
    Draft202012Validator,
    {"pattern": _whole_pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number}),
)


def _plain_messages(error: ValidationError, schema: Config, renamed: dict[str, str]) -> list[str]:
    """Say a schema error in a sentence; empty for an error that only follows from another one."""
    place = ".".join(map(str, error.path)) or "the configuration"
    value = _shown(error.instance)
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        known = _known_keys(error.schema, error.instance, schema)
        return [_unknown_key(place, key, known, renamed) for key in error.instance if key not in known]
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return [f"{place}: the key {missing!r} is missing; add it (docs/configuration.md describes it)"]
    if error.validator == "enum" and renamed.get(str(error.instance)) in error.validator_value:
        return [f"{place}: {value} is called {renamed[error.instance]!r} now; rename it"]
    if error.validator == "enum":
        return [f"{place}: {value} is not known; choose one of {', '.join(map(str, error.validator_value))}"]
    if error.validator == "type" and error.validator_value == "number" and _power_of_ten(error.instance):
        return [f"{place}: {value} is text in YAML; write {_power_of_ten(error.instance)}"]
    if error.validator == "type":
        return [f"{place}: {value} is {_type_name(error.instance)}; expected {_expected(error.validator_value)}"]
    if error.validator == "const":
        return [f"{place}: {value} is not possible here; it must be {_shown(error.validator_value)}"]
    if error.validator == "anyOf":
        return [f"{place}: {value} is not valid; expected {_alternatives(error.validator_value)}"]
    if error.validator == "not":
        return [f"{place}: the name {value} is reserved; choose another"]
    if error.validator == "uniqueItems":
        return [f"{place}: {value} names an entry twice; remove one"]
    if error.validator == "multipleOf":
        step = error.validator_value
        below = math.floor(error.instance / step) * step
        return [f"{place}: {value} is not a multiple of {step}; choose {below} or {below + step}"]
    if error.validator in _LIMITS:
        return [f"{place}: {value} is out of range; {_LIMITS[error.validator]} {error.validator_value}"]
    if error.validator == "pattern":
        return [f"{place}: {value} is not allowed here; expected {_lower_first(error.schema['description'])}"]
    return [f"{place}: {error.message}"]


_LIMITS = {
    "minimum": "it must be at least",
    "maximum": "it must be at most",
    "exclusiveMinimum": "it must be greater than",
    "exclusiveMaximum": "it must be less than",
    "minItems": "the number of entries must be at least",
    "maxItems": "the number of entries must be at most",
    "minLength": "the number of characters must be at least",
    "maxLength": "the number of characters must be at most",
    "minProperties": "the number of keys must be at least",
}


def _unknown_key(place: str, key: str, known: list[str], renamed: dict[str, str]) -> str:
    if renamed.get(key) in known:
        return f"{place}: the key {key!r} is called {renamed[key]!r} now; rename it"
    close = difflib.get_close_matches(str(key), known, n=1)
    if close:
        remedy = f"did you mean {close[0]!r}?"
    elif len(known) <= MOST_LISTED:
        remedy = f"known keys: {', '.join(known)}"
    else:
        remedy = "docs/configuration.md lists the known keys"
    return f"{place}: unknown key {key!r}; {remedy}"


def _known_keys(part: Config, value: object, schema: Config) -> list[str]:
    """Return the property names that `part` of the schema allows in `value`, through references and conditions."""
    keys = list(part.get("properties", {}))
    if "$ref" in part:
        keys += _known_keys(schema["$defs"][part["$ref"].removeprefix("#/$defs/")], value, schema)
    branches = part.get("allOf", [])
    # An experiment without a method, or of none that there is, may have the options of any.
    for branch in [branch for branch in branches if _Validator(branch["if"]).is_valid(value)] or branches:
        keys += _known_keys(branch["then"], value, schema)
    return list(dict.fromkeys(keys))


def _shown(value: object) -> str:
    """Return a value as one would write it in YAML, cut short."""
    text = {"None": "null", "True": "true", "False": "false"}.get(repr(value), repr(value))
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + " ..."


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _type_name(value: object) -> str:
    names = {str: "text", bool: "true or false", int: "a whole number", list: "a list", dict: "a mapping of keys"}
    if isinstance(value, float):
        return "a number with a decimal point" if math.isfinite(value) else "not a finite number"
    return "empty" if value is None else names.get(type(value), "a date or time")


def _power_of_ten(value: object) -> str | None:
    """Return how YAML writes a number like 1e-3 or 1.0e3, which without point and sign is a text; None for all else."""
    if not isinstance(value, str) or not re.fullmatch(r"[-+]?[0-9.]+[eE][-+]?[0-9]+", value.strip()):
        return None
    try:
        return yaml.safe_dump(float(value)).split()[0]
    except ValueError:
        return None


def _expected(types: str | list[str]) -> str:
    words = {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "array": "a list",
        "object": "a mapping of keys",
    }
    return " or ".join(words.get(kind, kind) for kind in ([types] if isinstance(types, str) else types))


def _alternatives(branches: list[Config]) -> str:
    return " or ".join(map(_alternative, branches))


def _alternative(branch: Config) -> str:
    if "const" in branch:
        return branch["const"]
    if branch["type"] == "integer":
        return f"a whole number of at least {branch['minimum']}"
    return f"a number between {branch['exclusiveMinimum']} and {branch['exclusiveMaximum']}"
