"""What the report says of an experiment of a method without a module of its own."""

from pathlib import Path

from reporting.runs import chosen_settings
from reporting.text import Values, code
from semisup.tables import read_table


def values(plan: Values, folder: Path, size: int, classes: int) -> Values:
    """Return all that the runs of an experiment chose."""
    table = read_table(folder / plan["runs"][0] / "selection.csv")
    tried = [name for name in table if not name.endswith("_accuracy") and name != "chosen"]
    return chosen_settings(folder, plan["runs"], {name: code(name) for name in tried})
