"""What the report says of one method alone. A module of the method's name is found by it; nothing lists them.

A module may have
    values(plan, folder, size, classes): what the text says of an experiment; needed.
    FURTHER: the options that the appendix names beside those in the method's table; without it, all.
    section_values(experiments, published): what the method's section says of all its experiments together.
"""

import importlib
import pkgutil
from types import ModuleType

from reporting import plain


def module_of(method: str) -> ModuleType:
    """Return the module of a method, or the plain one that serves every method without its own."""
    own = {module.name for module in pkgutil.iter_modules(__path__)}
    return importlib.import_module(f"{__name__}.{method}") if method in own else plain
