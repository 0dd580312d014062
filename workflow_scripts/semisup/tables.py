"""CSV tables with a header row, written whole or not at all."""

import csv
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from semisup.files import atomic_path

if TYPE_CHECKING:
    import pandas as pd


def write_table(path: str | Path, rows: Sequence[tuple | Mapping], columns: Sequence[str] | None = None) -> None:
    """Write named tuples or mappings as rows; None and NaN are empty cells. Mappings may lack keys.

    columns: needed only when there may be no rows.
    """
    table = [row if isinstance(row, Mapping) else row._asdict() for row in rows]
    with new_table(path, list(columns or dict.fromkeys(name for row in table for name in row))) as write:
        write(table)


@contextmanager
def new_table(path: str | Path, columns: Sequence[str]) -> Iterator[Callable[[Iterable[Mapping]], None]]:
    """Yield a function that adds rows to a table; it appears under its name when the block ends without an error.

    Names of files that are no UTF-8 are written as they are.
    """
    with (
        atomic_path(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(_Lines(file))
        writer.writerow(columns)
        yield lambda rows: writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)


class _Lines:
    """A file for a csv.writer that ends rows as DOS does, which makes it quote both characters of a line's end."""

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def write(self, row: str) -> None:
        """Write a row that ends as Unix does."""
        self.file.write(row.removesuffix("\r\n") + "\n")


def _cell(value: object) -> object:
    """Return what stands for a value in a table."""
    return None if isinstance(value, float) and math.isnan(value) else value


def without_empty(rows: Sequence[Mapping[str, Any]], kept: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return the rows without the columns that are None or missing in every row; columns to keep stay."""
    filled = {*kept, *(name for row in rows for name, value in row.items() if value is not None)}
    return [{name: value for name, value in row.items() if name in filled} for row in rows]


def read_table(path: str | Path, texts: Sequence[str] = ()) -> "pd.DataFrame":
    """Read what `write_table` wrote. texts: columns that are text whatever they look like, as 001 is as a class."""
    import pandas as pd  # here, as programs that only write start half a second earlier without it

    return pd.read_csv(path, dtype=dict.fromkeys(texts, str))
