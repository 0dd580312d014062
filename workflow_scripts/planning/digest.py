"""Digests of a program's code, equal for a touched, commented or re-formatted copy, and of the texts of the report."""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

DECLARING = ("methods", "data_sets")  # folders of declarations
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # fields of a statement that hold statements


class _Module(NamedTuple):
    """Every dotted name that a file may import, and its source without comments, docstrings and formatting."""

    imports: list[str]
    code: str


def code_digest(program: Path, by_name: Iterable[str | Path] = ()) -> str:
    """Return the SHA-256 of the program and of every module that it imports from its own folder tree.

    by_name: what it imports by name, as paths below the program's folder: modules, or folders of modules. Comments,
    docstrings and formatting do not count, nor do declarations: what they say reaches a program as its command line,
    which is a param of its rule. Raises FileNotFoundError for a missing program, module or folder.
    """
    root = program.parent
    digest = hashlib.sha256()
    for path in local_modules(program, root, by_name):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(_read(path, root).code.encode())
    return digest.hexdigest()[:16]


def content_digest(files: Iterable[Path]) -> str:
    """Return the SHA-256 of the names and the bytes of some files, wherever the folder with all of them lies."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def local_modules(program: Path, root: Path, by_name: Iterable[str | Path] = ()) -> list[Path]:
    """Return the program and, found by following its imports, the files under `root` that it runs, sorted.

    by_name: modules, or folders of modules, below `root` that count too, with what they import.
    """
    there = {file.relative_to(root).as_posix() for file in root.rglob("*.py")} - _declarations(root)
    found: set[str] = set()
    named = [file for name in by_name for file in _modules(root / name)]
    waiting = [file.relative_to(root).as_posix() for file in (program, *named)]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += [other for name in _read(root / file, root).imports for other in _files(name) if other in there]
    return sorted(root / file for file in found)


def _modules(path: Path) -> list[Path]:
    """Return the path itself, or the modules of a folder."""
    return [path] if path.suffix == ".py" else [file for file in path.iterdir() if file.suffix == ".py"]


def _declarations(root: Path) -> set[str]:
    """Return the modules that declare, and compute nothing that a program does not get as its command line."""
    return {file.relative_to(root).as_posix() for folder in DECLARING for file in (root / folder).glob("*.py")}


def _read(path: Path, root: Path) -> _Module:
    """Read a file below `root`."""
    return _parse(path.relative_to(root).parent.parts, path.read_text(encoding="utf-8"))


# Most modules belong to many programs. With the source as an argument, the cache cannot outlive a change of the file.
@cache
def _parse(package: tuple[str, ...], source: str) -> _Module:
    """Parse a file of a package; `from a import b` gives a and a.b."""
    tree = ast.parse(source)
    imports = []
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # One dot is the file's own package, each further one the package above it.
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            imports += [module, *(f"{module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return _Module(imports, ast.unparse(tree))


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the node and every statement in it, however deep; expressions hold no statements."""
    yield node
    for field in _BLOCKS:
        for part in getattr(node, field, ()):
            yield from _statements(part)


def _files(name: str) -> list[str]:
    """Return where the code of a dotted name may lie: the module and the __init__ of every package above it."""
    parts = name.split(".")
    packages = ["/".join([*parts[:depth], "__init__.py"]) for depth in range(1, len(parts) + 1)]
    return [*packages, "/".join(parts) + ".py"]
