"""Declarations: types become schemas, groups build on groups, and a method's facts are no options."""

from typing import Annotated, Literal

import pytest

from methods import declared_methods
from methods.declare import (
    Count,
    Data,
    Method,
    Options,
    Part,
    Positive,
    Range,
    candidates,
    option_names,
    properties,
    type_schema,
)

METHODS = declared_methods()
FACTS = {name for name in vars(Method) if not name.startswith("_")} | {"name"}


class First(Options):
    """A group."""

    size: Count | Literal["native"] = "native"
    """How large,
    in pixels."""
    rate: Positive = 0.1
    """How fast."""


class Second(First):
    """Another default, another meaning, a new option."""

    rate = 0.2
    """How slow."""
    names: candidates(Literal["a", "b"]) = ["a"]
    """Which."""


class Third(Options):
    """No part of the others."""

    part: Part = 0.5
    """How much."""


class Method1(Second, Third, Method):
    """A method."""

    name = "method1"
    size = 3


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (str, {"type": "string"}),
        (Count, {"type": "integer", "minimum": 1}),
        (Part, {"type": "number", "minimum": 0, "exclusiveMaximum": 1}),
        (Literal["a", "b"], {"enum": ["a", "b"]}),
        (Count | Literal["all"], {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "all"}]}),
        (Range, {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}, "minItems": 2, "maxItems": 2}),
        (candidates(int), {"type": "array", "items": {"type": "integer"}, "minItems": 1, "uniqueItems": True}),
        (Annotated[int, ("multipleOf", 3)], {"type": "integer", "multipleOf": 3}),
    ],
)
def test_types_become_schemas(kind, schema):
    assert type_schema(kind) == schema


def test_a_group_has_the_options_of_those_that_it_builds_on():
    assert option_names(Second) == ("size", "rate", "names")
    assert option_names(Third, Second, First) == ("part", "size", "rate", "names")
    assert properties(Second)["size"] == properties(First)["size"]
    assert properties(First)["size"]["description"] == "How large, in pixels."


def test_another_default_keeps_the_type_and_a_meaning_that_is_not_told_anew():
    assert properties(First)["rate"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "How fast.",
        "default": 0.1,
    }
    assert properties(Second)["rate"] == properties(First)["rate"] | {"description": "How slow.", "default": 0.2}
    assert properties(Method1)["size"] == properties(First)["size"] | {"default": 3}
    assert properties(Method1)["rate"]["default"] == 0.2


def test_facts_of_a_method_are_no_options():
    assert option_names(Method1) == ("size", "rate", "names", "part")
    for method in METHODS.values():
        assert not FACTS & set(option_names(method))
        for part in method.__mro__:
            own = {name for name in vars(part) if not name.startswith("_")} if issubclass(part, Options) else set()
            assert own <= FACTS | set(option_names(method)), part


def test_every_method_has_a_module_and_the_files_of_its_kind():
    assert METHODS
    for name, method in METHODS.items():
        assert method.name == name
        assert method.__doc__
        assert method.mapped in (None, "features.h5", "layers.h5", "model.h5", method.network_file)
        assert method.base is None or method.base.of in METHODS


def test_smallest_and_validation_sets_are_those_of_the_folds_too():
    data = Data("toy", 96, 3, 10, 600, 200, "all", 100)
    assert data.smallest_training_set(folds=False) == ("toy", 600)
    assert data.smallest_training_set(folds=True) == ("a fold of toy", 100)
    assert data.validation_sets(folds=False) == {"toy": 200}
    assert data.validation_sets(folds=True) == {"toy": 200, "a fold of toy": 700}
    assert data.image_size({"image_size": "native"}) == 96
    assert data.image_size({"image_size": 48}) == 48
