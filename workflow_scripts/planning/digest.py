"""Digest of a program's code: equal for a touched, commented or re-formatted copy, different after a real change."""

import ast
import hashlib
from functools import cache
from pathlib import Path

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_digest(program: Path) -> str:
    """Return the SHA-256 of the program and of every module that it imports from its own folder tree.

    Comments, docstrings and formatting do not count. Raises FileNotFoundError for a missing program.
    """
    root = program.parent
    digest = hashlib.sha256()
    for module in local_modules(program, root):
        digest.update(str(module.relative_to(root)).encode())
        digest.update(_bare_source(module, module.read_text()).encode())
    return digest.hexdigest()[:16]


def local_modules(program: Path, root: Path) -> list[Path]:
    """Return the program and, found by following its imports, the files under `root` that it runs, sorted."""
    found: set[Path] = set()
    waiting = [program]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            names = _imported_names(path, path.read_text(), root)
            waiting += [file for name in names for file in _module_files(name, root) if file not in found]
    return sorted(found)


# Most modules belong to many programs. With the source as an argument, the cache cannot outlive a change of the file.
@cache
def _imported_names(path: Path, source: str, root: Path) -> list[str]:
    """Return every dotted name that the file may import; `from a import b` gives a and a.b."""
    package = path.relative_to(root).parent.parts
    names = []
    for node in ast.walk(ast.parse(source, str(path))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # One dot is the file's own package, each further one the package above it.
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            names += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return names


def _module_files(name: str, root: Path) -> list[Path]:
    """Return the existing files behind a dotted name: the module and the __init__ of every package above it."""
    parts = name.split(".")
    candidates = [root.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
    candidates.append(root.joinpath(*parts).with_suffix(".py"))
    return [path for path in candidates if path.is_file()]


@cache
def _bare_source(path: Path, source: str) -> str:
    """Return the source without comments, docstrings and formatting."""
    tree = ast.parse(source, str(path))
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.unparse(tree)
