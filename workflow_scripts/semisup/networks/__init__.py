"""The networks by name. A function with `@network` in a file of this folder is a new network; nothing lists them.

Its name is the network's, its docstring says what it is, and it makes a `Network` from a `Shape` (semisup.network).
"""

import ast
import importlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from semisup.network import Network, Shape


class Declared(NamedTuple):
    """What a network declares: its file's name, what `network` was told, and its docstring."""

    module: str
    smallest: int
    of_patches: bool
    resizable: int
    about: str


def network(smallest: int, of_patches: bool = False, resizable: int = 0) -> Callable[[Callable], Callable]:
    """Mark a function that makes a network.

    smallest: side in pixels of the smallest images that its layers leave anything of. of_patches: it can learn from
    patches, because its fully connected layer takes a patch of `Shape.field` pixels and slides over larger images.
    resizable: side in pixels of the smallest images that it takes beside those that it is made for; 0, no others.
    """

    def mark(build: Callable) -> Callable:
        build.smallest, build.of_patches, build.resizable = smallest, of_patches, resizable
        return build

    return mark


@cache
def declared_networks() -> dict[str, Declared]:
    """Return what the networks declare, by name.

    It is read from the source, so that the workflow need not wait for PyTorch.
    """
    found = {}
    for file in sorted(Path(__file__).parent.glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            for mark in getattr(node, "decorator_list", ()):
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == network.__name__:
                    told = {word.arg: ast.literal_eval(word.value) for word in mark.keywords}
                    facts = inspect.signature(network).bind(**told)
                    facts.apply_defaults()
                    about = " ".join((ast.get_docstring(node) or "").split())
                    if node.name in found or not about:
                        raise ValueError(
                            f"{file}: the network {node.name} has no docstring, or is declared elsewhere too"
                        )
                    found[node.name] = Declared(file.stem, about=about, **facts.arguments)
    return found


def network_file(name: str) -> Path:
    """Return the file that makes the network of this name."""
    return Path(__file__).with_name(f"{declared_networks()[name].module}.py")


def network_builder(name: str) -> "Callable[[Shape], Network]":
    """Return the function that makes a network of this name."""
    return getattr(importlib.import_module(f"{__name__}.{declared_networks()[name].module}"), name)
