"""CSV tables with a header row, written whole or not at all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from semisup.files import atomic_path


def write_table(path: str | Path, rows: Sequence[tuple | Mapping], columns: Sequence[str] | None = None) -> None:
    """Write named tuples or mappings as rows. columns: needed only when there may be no rows."""
    table = pd.DataFrame(list(rows), columns=columns)
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def without_empty(rows: Sequence[tuple], optional: Sequence[str]) -> list[dict[str, Any]]:
    """Return named tuples as mappings, without those of the optional columns that are None in every row."""
    table = [row._asdict() for row in rows]
    empty = {name for name in optional if all(row[name] is None for row in table)}
    return [{name: value for name, value in row.items() if name not in empty} for row in table]


def read_table(path: str | Path) -> pd.DataFrame:
    """Read what `write_table` wrote."""
    return pd.read_csv(path)
