"""The methods by name. A new file of this folder that declares one is a new method; nothing lists them."""

import importlib
import pkgutil

from methods.declare import Method


def declared_methods() -> dict[str, type[Method]]:
    """Return the methods that the modules of this folder declare, by name."""
    modules = [importlib.import_module(f"methods.{module.name}") for module in pkgutil.iter_modules(__path__)]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    declared = {method.name: method for method in found if issubclass(method, Method) and "name" in vars(method)}
    return dict(sorted(declared.items()))
