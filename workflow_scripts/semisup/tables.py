"""CSV tables with a header row, written whole or not at all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from semisup.files import atomic_path


def write_table(path: str | Path, rows: Sequence[tuple | Mapping], columns: Sequence[str] | None = None) -> None:
    """Write named tuples or mappings as rows. columns: needed only when there may be no rows."""
    table = pd.DataFrame(list(rows), columns=columns)
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read_table(path: str | Path) -> pd.DataFrame:
    """Read what `write_table` wrote."""
    return pd.read_csv(path)
