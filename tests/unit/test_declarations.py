"""Declarations: types become schemas, groups build on groups, and a method's facts are no options."""

import argparse
import re
import shlex
from typing import Annotated, Literal

import pytest

from data_sets import declared_data_sets
from data_sets.declare import Data
from declarations.command_line import add_options, argument_type
from declarations.options import (
    Count,
    Options,
    Part,
    Positive,
    Range,
    candidates,
    option_names,
    properties,
    type_schema,
)
from methods import declared_methods
from methods.declare import Method
from planning.config import command_line
from planning.report import facts_of

METHODS, DATA_SETS = declared_methods(), declared_data_sets()
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
        assert method.base is None or set(method.base.of) <= set(METHODS)


def test_smallest_and_validation_sets_are_those_of_the_folds_too():
    data = Data("toy", 96, 3, 10, 10, 100, 600, 200, "all", 500)
    assert data.smallest_training_set(folds=False) == ("toy", 600)
    assert data.smallest_training_set(folds=True) == ("a fold of toy", 100)
    assert data.smallest_training_set(folds=False, label_counts=[600, 300]) == ("a run with 300 labels of toy", 300)
    assert data.smallest_training_set(folds=True, label_counts=[300]) == ("a fold of toy", 100)
    assert data.fewer_labels([600, 300, 20]) == [300, 20]
    assert data.validation_sets(folds=False) == {"toy": 200}
    assert data.validation_sets(folds=True) == {"toy": 200, "a fold of toy": 700}
    assert data.image_size({"image_size": "native"}) == 96
    assert data.image_size({"image_size": 48}) == 48


# On a command line


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (Count, "3", 3),
        (Positive, "1e-3", 0.001),
        (bool, "True", True),
        (bool, "false", False),
        (Literal["a", "b"], "b", "b"),
        (Count | Literal["native"], "native", None),
        (Count | Literal["native"], "32", 32),
        (Annotated[int, ("multipleOf", 3)], "6", 6),
    ],
)
def test_a_text_becomes_the_value_that_the_configuration_has(schema, text, value):
    assert argument_type(type_schema(schema))(text) == value


@pytest.mark.parametrize(
    ("schema", "text", "message"),
    [
        (Count, "0", "0 is not at least 1"),
        (Count, "22.0", "'22.0' is not a whole number"),
        (Positive, "0", "0 is not above 0"),
        (Part, "1", "1 is not below 1"),
        (Positive, "nan", "'nan' is not a finite number"),
        (Positive, "inf", "'inf' is not a finite number"),
        (bool, "yes", "'yes' is neither true nor false"),
        (Literal["a", "b"], "c", "'c' is not one of a, b"),
        (Count | Literal["native"], "large", "'large' is not a whole number"),
        (Annotated[int, ("multipleOf", 3)], "4", "4 is not a multiple of 3"),
    ],
)
def test_a_text_that_the_configuration_would_refuse_is_refused(schema, text, message):
    with pytest.raises(argparse.ArgumentTypeError, match=f"^{re.escape(message)}$"):
        argument_type(type_schema(schema))(text)


def test_options_of_a_command_line_have_the_declared_defaults_and_meanings():
    parser = argparse.ArgumentParser()
    add_options(parser, Second, Third)
    assert vars(parser.parse_args([])) == {"size": None, "rate": 0.2, "names": ["a"], "part": 0.5}
    assert vars(parser.parse_args(["--size", "5", "--names", "b", "a"]))["names"] == ["b", "a"]
    assert "How large, in pixels. Default: native." in " ".join(parser.format_help().split())


def test_options_of_several_experiments_take_a_value_for_each():
    parser = argparse.ArgumentParser()
    add_options(parser, Third, many=True)
    assert parser.parse_args(["--part", "0.1", "0.2"]).part == [0.1, 0.2]
    with pytest.raises(SystemExit):
        parser.parse_args([])


def test_what_the_workflow_writes_is_what_a_program_reads():
    """Every option of every method, as a command line and back."""
    for method in METHODS.values():
        defaults = {name: part.get("default", "text") for name, part in properties(method).items()}
        parser = argparse.ArgumentParser()
        add_options(parser, method)
        words = shlex.split(command_line(defaults, tuple(defaults)))
        assert vars(parser.parse_args(words)) == {
            name: None if value == "native" else value for name, value in defaults.items()
        }


def test_a_method_that_builds_on_another_does_not_have_its_text():
    class Another(METHODS["supervised"]):
        """As supervised."""

        name = "another"

    assert not facts_of(Another)["sections"]
    without = {name for name, method in METHODS.items() if not facts_of(method)["sections"]}
    assert without == {"external", "pixels"}


@pytest.mark.parametrize(
    ("train_images", "fold_validation_images", "expected"),
    [
        (4000, "all", None),
        (4000, 1000, None),
        (4000, 4000, None),
        (4000, 4001, "4001 is more than the 4000 labelled images outside a fold; choose at most that, or all"),
        (4000, 9, "9 cannot have one of each of 10 classes; choose at least 10"),
        (3000, "all", None),
        (3000, 1000, "1000 has no meaning where not all 5000 labelled images are used, as there are no folds; set it"),
    ],
)
def test_what_a_fold_of_stl10_validates_on(train_images, fold_validation_images, expected):
    options = {"train_images": train_images, "validation_images": 1000}
    options["fold_validation_images"] = fold_validation_images
    mistakes = list(DATA_SETS["stl10"].check("stl10", options))
    assert [key for key, _ in mistakes] == (["fold_validation_images"] if expected else [])
    assert all(text.startswith(expected) for _, text in mistakes)
