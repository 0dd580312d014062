"""The kinds of data sets by name. A new file of this folder that declares one is a new kind; nothing lists them."""

import importlib
import pkgutil

from data_sets.declare import DataSet


def declared_data_sets() -> dict[str, type[DataSet]]:
    """Return the kinds of data sets that the modules of this folder declare, by name."""
    modules = [importlib.import_module(f"data_sets.{module.name}") for module in pkgutil.iter_modules(__path__)]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    return {kind.kind: kind for kind in found if issubclass(kind, DataSet) and "kind" in vars(kind)}
