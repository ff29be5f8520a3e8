"""Read tables from files: JSON Lines, JSON, CSV, Excel and Parquet, as rows of cells by column.

CSV may be separated by commas, semicolons or tabs, and is UTF-8, or UTF-16 with the mark that Excel
writes. Any other encoding is an error that names the line: a guess would change letters in silence.
Rows without a single filled cell are skipped. Two columns of one name are an error.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import json
import logging
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import JuriesError, nearest
from ..files import bundled
from ..scale import MISSING

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

log = logging.getLogger(__name__)
Row = tuple[str, dict[str, Any]]
"""A row's place ("line 3") and its cells by column; an empty cell is None."""
SEPARATORS = (",", ";", "\t")
LONGEST_CELL = 1 << 30  # characters: traces and documents are longer than csv's own 131,072


@dataclass(frozen=True)
class Column:
    """The cells of a column: each different one once, and which of them each row has.

    Attributes
    ----------
    codes : array of int of shape (rows,)
        Numbers of `values`; -1 in a row that lacks the column.
    values : sequence
        The different cells: 1, 1.0, "1" and true differ.
    """

    codes: npt.NDArray[np.int64]
    values: Sequence[Any]

    @cached_property
    def first(self) -> npt.NDArray[np.int64]:
        """The first row of each value."""
        found = np.zeros(len(self.values) + 1, np.int64)  # the last one is for -1
        found[self.codes[::-1]] = np.arange(len(self.codes))[::-1]
        return found[:-1]

    def at(self, row: int) -> Any:
        """Return the cell of a row, None where it lacks the column."""
        code = self.codes[row]
        return self.values[code] if code >= 0 else None


Columns: TypeAlias = "Mapping[str, Column]"


@dataclass(frozen=True)
class Table:
    """A table in a file or in memory: its name in errors, and its rows, anew on each call.

    Where it is held by columns, `head_of` and `columns_of` give its columns' names, and some of its
    columns, without making its rows.
    """

    name: str
    rows: Callable[[], Iterator[Row]]
    head_of: Callable[[], list[str]] | None = None
    columns_of: Callable[[Sequence[str]], Columns] | None = None

    @property
    def head(self) -> list[str]:
        """All columns, in the order in which they first occur."""
        if self.head_of is not None:
            return self.head_of()
        return list(dict.fromkeys(column for _, row in self.rows() for column in row))

    def columns(self, names: Sequence[str]) -> Columns:
        """Return some of the columns, with all of their cells in memory."""
        if self.columns_of is not None:
            return self.columns_of(names)
        found = {name: _Encoding() for name in names}
        encodings = tuple(found.items())
        for _, row in self.rows():
            for name, encoding in encodings:
                encoding.add(row[name]) if name in row else encoding.codes.append(-1)
        return {name: encoding.column for name, encoding in found.items()}

    def place(self, number: int) -> str:
        """Return the place of a row ("line 3") by its number, from 0."""
        return next(place for place, _ in itertools.islice(self.rows(), number, None))


class _Encoding:
    """A column as it grows cell by cell."""

    def __init__(self) -> None:
        self.codes = array("q")
        self.values: list[Any] = []
        self._known: dict[Any, int] = {}

    def add(self, cell: Any) -> None:
        key = cell if isinstance(cell, str) else (type(cell), repr(cell))
        code = self._known.setdefault(key, len(self.values))
        if code == len(self.values):
            self.values.append(cell)
        self.codes.append(code)

    @property
    def column(self) -> Column:
        return Column(np.frombuffer(self.codes, np.int64), self.values)


def distinct(columns: Sequence[Column]) -> Column:
    """Return the different rows of some columns, each as the number of its first row."""
    import pandas as pd

    codes = np.zeros(len(columns[0].codes), np.int64)
    for column in columns:
        if len(codes) and column.codes.min() != column.codes.max():
            codes, _ = pd.factorize(codes * (len(column.values) + 1) + column.codes + 1)
    numbered = Column(codes, range(int(codes.max(initial=-1)) + 1))
    return Column(codes, numbered.first.tolist())


def encoded(cells: Iterable[Any]) -> Column:
    """Return cells as a column."""
    encoding = _Encoding()
    for cell in cells:
        encoding.add(cell)
    return encoding.column


def located(path: str) -> Path:
    """Return the path of a data file.

    "package:NAME" is a file that comes with this project (package:results/recorded/nq301_qa.csv),
    found from any working directory; see `files.bundled`.

    Raises
    ------
    JuriesError
        If the file does not exist.
    """
    package, _, inside = path.rpartition("package:")
    file = Path(path).expanduser()
    if not package and inside != path:
        file = bundled(inside)
    if file.is_dir():
        raise JuriesError(f"{file}: is a folder; name a file in it")
    if file.exists() and not file.is_file():
        raise JuriesError(f"{file}: is a pipe or a device; name a regular file")
    if not file.is_file():
        if not package and inside != path and not file.parent.is_dir():
            raise JuriesError(
                f"{file}: does not come with an installed package; use a checkout of the project"
            )
        near = sorted(p.name for p in file.parent.glob("*")) if file.parent.is_dir() else []
        raise JuriesError(f"{file}: no such file{nearest(file.name, near) if near else ''}")
    return file


def table_at(file: Path) -> Table:
    """Return the table in a file; nothing is read yet."""
    by_row = partial(rows, file)
    match file.suffix.lower():
        case ".parquet":
            head, columns = partial(_parquet_head, file), partial(_parquet_columns, file)
            return Table(str(file), by_row, head, columns)
        case ".csv" | ".tsv":
            return Table(str(file), by_row, partial(_csv_head, file), partial(_csv_columns, file))
    return Table(str(file), by_row)


def rows(file: Path) -> Iterator[Row]:
    """Yield each row of a table with its place ("line 3"), its empty cells as None.

    Raises
    ------
    JuriesError
        In one line, naming the file, and the line where there is one.
    """
    match file.suffix.lower():
        case ".jsonl":
            yield from _jsonl(file)
        case ".json":
            yield from _json(file)
        case ".csv" | ".tsv":
            yield from _csv(file)
        case ".xlsx":
            yield from _xlsx(file)
        case ".parquet":
            yield from _parquet(file)
        case ending:
            raise JuriesError(
                f"{file}: unknown file type {ending!r}; supported are .jsonl, .json, .csv, .tsv, "
                ".xlsx, .parquet"
            )


def field(row: Mapping[str, Any], name: str, place: str) -> Any:
    """Return a required field of a row. Raises JuriesError if it is missing."""
    if name not in row:
        raise JuriesError(f"{place}: has no field {name!r}{nearest(name, row)}")
    return row[name]


def texts(value: object, place: str) -> tuple[str, ...]:
    """Return a cell of texts: none, one, a list, or a list written as JSON."""
    if value is None:
        return ()
    listed = as_list(value, place) if isinstance(value, str) else value
    if not isinstance(listed, list):
        listed = [listed]
    try:
        found = [as_text(one) for one in listed]
    except TypeError:
        raise JuriesError(
            f"{place}: {value!r} is not a text or a list of texts; write it as JSON"
        ) from None
    return tuple(text for text in found if text is not None and text.strip())


def as_list(text: str, place: str) -> object:
    """Parse a text that is a JSON list; return any other text as it is."""
    if not text.lstrip().startswith("["):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise JuriesError(f"{place}: begins like a JSON list but is not JSON ({error})") from None


def as_text(value: object) -> str | None:
    """Return a cell as text: a whole number without a fraction, true and false in lower case.

    A text stays as it is, so "1.0" and "001" are not "1". Raises TypeError for lists and objects.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return None if value != value else str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not a text")


def is_missing(value: object) -> bool:
    """Return whether a cell that is no text stands for nothing: empty, NA, N/A, NaN or null."""
    if isinstance(value, str):
        return value.strip().casefold() in MISSING
    return value is None or (isinstance(value, float) and value != value)


def _csv(file: Path) -> Iterator[Row]:
    lines = _csv_lines(file)
    _, header = next(lines)
    for number, cells in lines:
        found = {key: cell or None for key, cell in zip(header, cells, strict=True)}
        yield f"line {number}", found


def _csv_head(file: Path) -> list[str]:
    lines = _csv_lines(file)
    _, header = next(lines)
    return list(dict.fromkeys(header)) if next(lines, None) is not None else []


def _csv_columns(file: Path, names: Sequence[str]) -> Columns:
    lines = _csv_lines(file)
    _, header = next(lines)
    at = {name: number for number, name in enumerate(header)}  # the last one of a name
    wanted = [(at[name], dict[str, int](), array("q")) for name in names]
    for _, cells in lines:
        for number, known, codes in wanted:
            codes.append(known.setdefault(cells[number], len(known)))
    return {
        name: Column(np.frombuffer(codes, np.int64), [cell or None for cell in known])
        for name, (_, known, codes) in zip(names, wanted, strict=True)
    }


def _csv_lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line, the header first, without empty ones."""
    csv.field_size_limit(LONGEST_CELL)
    encoding = _encoding(file)
    with file.open(encoding=encoding, newline="") as stream:
        try:
            first = stream.readline()
            if "\0" in first:
                raise JuriesError(
                    f"{file}, line 1: has zero bytes, as UTF-16 without its mark has; in Excel, "
                    'save it as "CSV UTF-8"'
                )
            if first.startswith("sep="):
                raise JuriesError(f"{file}, line 1: is {first.strip()!r}, for Excel; remove it")
            separator = _separator(first)
            stream.seek(0)
            table = csv.reader(stream, strict=True, delimiter=separator)
            header = next(table, [])
            _check_header(header, f"{file}, line 1")
            yield 1, header
            for cells in table:
                if not any(cell.strip() for cell in cells):
                    continue  # spreadsheets add empty rows
                if len(cells) != len(header):
                    raise JuriesError(
                        f"{file}, line {table.line_num}: not as many cells as the header "
                        f"({len(cells)} and {len(header)}); fix the row"
                    )
                yield table.line_num, cells
        except csv.Error as error:
            raise JuriesError(f"{file}, line {table.line_num + 1}: {error}") from None
        except UnicodeError:
            raise JuriesError(
                f"{file}, line {_undecodable(file, encoding)}: is not UTF-8; in Excel, save it as "
                '"CSV UTF-8"'
            ) from None


def _encoding(file: Path) -> str:
    with file.open("rb") as stream:
        start = stream.read(4)
    return "utf-16" if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _separator(line: str) -> str:
    """Return what separates the cells of a header: what occurs most outside of quotes."""
    outside = "".join(line.split('"')[::2])
    return max(SEPARATORS, key=outside.count)


def _undecodable(file: Path, encoding: str) -> int:
    """Return the number of the first line that is not in an encoding."""
    if encoding == "utf-16":
        return 1
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode()
            except UnicodeError:
                return number
    return 1


def _check_header(columns: Sequence[str], place: str) -> None:
    """Raise JuriesError for a column that stands twice: only its last cells would be read."""
    for column, times in Counter(columns).items():
        if times > 1 and column:
            raise JuriesError(f"{place}: has column {column!r} twice; rename one")


def _xlsx(file: Path) -> Iterator[Row]:
    from openpyxl import load_workbook

    try:
        book = load_workbook(file, read_only=True, data_only=True)
    except Exception as error:  # zipfile, XML and openpyxl's own
        raise JuriesError(f"{file}: can't be read as Excel ({error}); check the file") from None
    try:
        sheet = book.worksheets[0]
        if len(book.worksheets) > 1:
            log.info(
                "%s: the first of %d sheets is read, %s", file, len(book.worksheets), sheet.title
            )
        cells = sheet.iter_rows(values_only=True)
        header = ["" if one is None else str(one) for one in next(cells, ())]
        _check_header(header, f"{file}, row 1")
        for number, row in enumerate(cells, 2):
            if all(is_missing(cell) for cell in row):
                continue
            plain = (_calendar(cell) for cell in row)
            yield f"row {number}", dict(zip(header, plain, strict=False))
    finally:
        book.close()


def _calendar(cell: object) -> object:
    """Return a date as text, an empty text as None, and any other cell as it is."""
    if cell is None or isinstance(cell, str | bool | int | float):
        return None if cell == "" else cell
    if isinstance(cell, datetime) and cell.time() == time():
        return str(cell.date())  # Excel has no dates without a time
    return str(cell)


@contextmanager
def _opened_parquet(file: Path) -> Iterator[pq.ParquetFile]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as table:
            _check_header(table.schema_arrow.names, str(file))
            yield table
    except (pa.ArrowException, OSError) as error:
        said = " ".join(str(error).split())
        raise JuriesError(f"{file}: can't be read as Parquet ({said}); check the file") from None


def _parquet(file: Path) -> Iterator[Row]:
    with _opened_parquet(file) as table:
        batches = (batch.to_pylist() for batch in table.iter_batches(1024))
        for number, row in enumerate(itertools.chain.from_iterable(batches), 1):
            yield f"row {number}", row


def _parquet_head(file: Path) -> list[str]:
    with _opened_parquet(file) as table:
        return list(table.schema_arrow.names) if table.metadata.num_rows else []


def _parquet_columns(file: Path, names: Sequence[str]) -> Columns:
    with _opened_parquet(file) as table:
        read = table.read(columns=list(names))
        return {name: arrow_column(read.column(name)) for name in names}


def arrow_column(cells: pa.ChunkedArray) -> Column:
    """Return a column of Arrow, whose cells become Python's own types."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        if pa.types.is_dictionary(cells.type):
            cells = cells.cast(cells.type.value_type)
        whole = cells.dictionary_encode().unify_dictionaries()
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError):  # lists and objects
        return encoded(cells.to_pylist())
    values = whole.chunk(0).dictionary.to_pylist() if whole.num_chunks else []
    missing = pa.scalar(len(values), pa.int64())
    codes = [
        pc.fill_null(pc.cast(chunk.indices, pa.int64()), missing).to_numpy()
        for chunk in whole.chunks
    ]
    if cells.null_count:
        values.append(None)
    return Column(np.concatenate(codes) if codes else np.empty(0, np.int64), values)


def _parsed(raw: bytes) -> Any:
    """Parse JSON. A lone surrogate, as in some chat logs, becomes a question mark."""
    try:
        found = json.loads(raw, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    text = json.dumps(found, ensure_ascii=False) if b"\\u" in raw else ""
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode(errors="replace"))
    return found


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"field {key!r} twice")
        found[key] = value
    return found


def _jsonl(file: Path) -> Iterator[Row]:
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = _parsed(line)
            except ValueError as error:
                raise JuriesError(f"{file}, line {number}: not JSON ({error})") from None
            if not isinstance(row, dict):
                raise JuriesError(
                    f"{file}, line {number}: is a {type(row).__name__}; write an object, "
                    '{"question": ..., "answer": ...}'
                )
            yield f"line {number}", row


def _json(file: Path) -> Iterator[Row]:
    try:
        listed = _parsed(file.read_bytes())
    except ValueError as error:
        raise JuriesError(f"{file}: not JSON ({error})") from None
    if not isinstance(listed, list):
        raise JuriesError(f"{file}: is a {type(listed).__name__}; write a list of objects")
    for number, row in enumerate(listed, 1):
        if not isinstance(row, dict):
            raise JuriesError(f"{file}, row {number}: is a {type(row).__name__}; write an object")
        yield f"row {number}", row
