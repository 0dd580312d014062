"""What a declaration is made of: options with their limits and defaults, and what the workflow asks of a method.

Only the standard library: the workflow, the programs and the report all read declarations.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args, get_origin

Schema = dict[str, Any]
Values = dict[str, Any]  # options by name
Mistake = tuple[str, str]  # an option, and what is wrong with its value, with the remedy

# Types of options: what YAML has, and the keywords of JSON schema that limit it.
Count = Annotated[int, ("minimum", 1)]
Natural = Annotated[int, ("minimum", 0)]
AtLeastTwo = Annotated[int, ("minimum", 2)]
Positive = Annotated[float, ("exclusiveMinimum", 0)]
NotNegative = Annotated[float, ("minimum", 0)]
Part = Annotated[float, ("minimum", 0), ("exclusiveMaximum", 1)]
InnerPart = Annotated[float, ("exclusiveMinimum", 0), ("exclusiveMaximum", 1)]
HalfCircle = Annotated[float, ("minimum", 0), ("maximum", 0.5)]
Degrees = Annotated[float, ("minimum", 0), ("maximum", 180)]
Range = Annotated[list[Positive], ("minItems", 2), ("maxItems", 2)]  # lowest and highest

_SCALARS = {int: "integer", float: "number", bool: "boolean", str: "string"}


def candidates(kind: object) -> object:
    """Return the type of a list of candidates: at least one, and none twice."""
    return Annotated[list[kind], ("minItems", 1), ("uniqueItems", True)]


class Options:
    """A group of options, each `name: type = default` with its meaning as a string below.

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
    for name in [*result, *(name for name in kinds if name in vars(group))]:
        owner = next(part for part in group.__mro__ if name in vars(part))
        if owner is group:
            own = type_schema(kinds[name]) if name in kinds else {}
            own |= {"description": meanings[name]} if name in meanings else {}
            result[name] = result.get(name, {}) | own | {"default": vars(group)[name]}
        else:
            result[name] = properties(owner)[name]
    return result


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


class Base(NamedTuple):
    """The other experiment that one builds on.

    of: its method. gives: the options that are taken from it, None for all; weaker than those of the method's section.
    fixed: those that cannot be set beside it. what: what comes from it, for the message that says so. needed: an
    experiment of the method cannot be without.
    """

    of: str
    gives: tuple[type[Options], ...] | None = ()
    fixed: tuple[str, ...] = ()
    what: str = "the centroids come"
    needed: bool = False


class Data(NamedTuple):
    """What a method may ask of the data set of a study.

    size: side of its square images in pixels. fold_images: labelled images that a fold trains on; 0, it has no folds.
    """

    name: str
    size: int
    channels: int
    classes: int
    train_images: int
    validation_images: int
    unlabeled_images: int | Literal["all"]
    fold_images: int

    def image_size(self, options: Values) -> int:
        """Return the side in pixels of the images that an experiment works on."""
        return self.size if options["image_size"] == "native" else options["image_size"]

    def smallest_training_set(self, folds: bool) -> tuple[str, int]:
        """Return the fewest labelled images that a run trains on, and what has them."""
        sets = [(self.train_images, self.name)] + ([(self.fold_images, f"a fold of {self.name}")] if folds else [])
        images, source = min(sets)
        return source, images

    def validation_sets(self, folds: bool) -> dict[str, int]:
        """Return how many images the runs validate on; those of a fold, on all labelled ones outside the fold."""
        outside = max(0, self.train_images + self.validation_images - self.fold_images)
        return {self.name: self.validation_images} | ({f"a fold of {self.name}": outside} if folds else {})


class Method:
    """What the workflow asks of a method. A method is a class of this and of the groups of its options."""

    name: ClassVar[str]
    """In the configuration."""
    network_file: ClassVar[str | None] = None
    """File of a run that holds a network: it has filters, and layers to look at."""
    mapped: ClassVar[str | None] = None
    """File of a run that t-SNE maps are made from: features.h5, layers.h5, or the network itself."""
    training_curves: ClassVar[bool] = False
    """history.csv has a row an epoch: its curve is in the study's figure of training curves."""
    base: ClassVar[Base | None] = None
    tables: ClassVar[tuple[str, ...]] = ()
    """Tables of the run of each seed for the report, beside selection and history."""

    @classmethod
    def figures(cls, options: Values) -> list[str]:
        """Return the kinds of figures that an experiment has of its own, beside the confusion matrix."""
        return ["filters", "layers"] if cls.network_file else []

    @classmethod
    def learned(cls, options: Values) -> list[str]:
        """Return the files of a run that hold what it learned from images, where rounding differs between machines."""
        return [cls.network_file] if cls.network_file else []

    @classmethod
    def check(cls, options: Values, data: Data, base: Values | None) -> Iterator[Mistake]:
        """Yield what a schema cannot say: what must fit together. base: the options of the base, if there is one."""
        yield from ()
