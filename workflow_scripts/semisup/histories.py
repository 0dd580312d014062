"""Tables that a training writes, read with a check of what they hold."""

from collections.abc import Iterable

import pandas as pd

from semisup.cli import UserError
from semisup.tables import read_table


def read_columns(path: str, columns: Iterable[str], expected: str) -> pd.DataFrame:
    """Return the table. Raises UserError if it lacks one of the columns; expected: the table to give instead."""
    table = read_table(path)
    missing = sorted(set(columns) - set(table))
    if missing:
        raise UserError(f"{path} lacks the columns {', '.join(missing)}: give {expected}")
    return table
