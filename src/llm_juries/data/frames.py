"""Tables given as a path, a DataFrame or a list of dicts, all read as rows."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from ..errors import JuriesError
from .tables import Table, located, rows

if TYPE_CHECKING:
    import pandas as pd

Tabular: TypeAlias = "str | Path | pd.DataFrame | Sequence[Mapping[str, Any]]"
"""A path of a .jsonl, .json, .csv or .parquet file, a DataFrame, or a list of dicts."""


def table_of(data: Tabular) -> Table:
    """Return data as a table of plain cells: NaN, NA and empty cells are None.

    An index with a name is a column too, as after `pivot`.

    Raises
    ------
    JuriesError
        If there is no such file, no row, a column twice, or the data is of another type.
    """
    if isinstance(data, str | Path):
        file = located(str(data))
        table = Table(str(file), lambda: rows(file))
    elif "pandas" in sys.modules and isinstance(data, sys.modules["pandas"].DataFrame):
        table = _of_frame(data)
    elif isinstance(data, Sequence) and not isinstance(data, bytes):
        table = _of_list(data)
    else:
        raise JuriesError(
            f"data: {type(data).__name__} is not a table; give a path, a DataFrame or a list of "
            "dicts"
        )
    if next(table.rows(), None) is None:
        raise JuriesError(f"{table.name}: holds no rows")
    return table


def called(data: Tabular, otherwise: str) -> str:
    """Return a dataset's name: that of the file without its ending, else the other one."""
    return Path(data).stem if isinstance(data, str | Path) else otherwise


def digest(table: Table) -> str:
    """Return the SHA-256 of a table's rows."""
    found = hashlib.sha256()
    for _, row in table.rows():
        found.update(msgspec.json.encode(row, order="deterministic", enc_hook=str))
    return found.hexdigest()


def _of_frame(frame: pd.DataFrame) -> Table:
    named = [name for name in frame.index.names if name is not None]
    flat = frame.reset_index() if named and not set(named) & set(frame.columns) else frame
    columns = [str(column) for column in flat.columns]
    twice = [column for column, times in Counter(columns).items() if times > 1]
    if twice:
        raise JuriesError(f"DataFrame: has column {twice[0]!r} {columns.count(twice[0])} times")

    def made() -> Iterator[tuple[str, dict[str, Any]]]:
        for number, values in enumerate(flat.itertuples(index=False, name=None), 1):
            yield f"row {number}", dict(zip(columns, map(_plain, values), strict=True))

    return Table("DataFrame", made)


def _of_list(listed: Sequence[Any]) -> Table:
    for number, row in enumerate(listed, 1):
        if not isinstance(row, Mapping):
            raise JuriesError(
                f"list, row {number}: is a {type(row).__name__}; give a list of dicts"
            )

    def made() -> Iterator[tuple[str, dict[str, Any]]]:
        for number, row in enumerate(listed, 1):
            yield f"row {number}", {str(key): _plain(value) for key, value in row.items()}

    return Table("list", made)


def _plain(value: Any) -> Any:
    """Return a cell as Python's own type, None for what stands for nothing."""
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    return None if isinstance(value, str) and not value else value
