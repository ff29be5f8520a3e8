"""Read tables of answers to judge: JSON Lines, JSON, CSV or Parquet.

Columns (others are ignored):

=================  ==========================  ====================================================
column             value                       meaning
=================  ==========================  ====================================================
question           text, required              the question
answer             text, required              the answer to judge
references         list of texts, or one text  the correct answers
item_id            text or whole number        the question's id; the row's number by default
candidate          text                        the model that answered; "candidate" by default
human              0, 1, true, false or empty  the human label; in a pair also a, b, tie or 0.5
human_votes        list of such labels         the labels of annotators 1, 2, 3 ...
opponent           text                        in a pair: the other model
opponent_answer    text                        in a pair: the other answer
cluster            text or whole number        the unit of resampling; item_id by default
subset             text                        the part of the data it is from, for tables by subset
criterion          text                        what it is judged on, for tables by criterion
=================  ==========================  ====================================================

In CSV, a list is written as JSON: ["Mary Shelley", "Shelley"]. The label of a pair says which
answer humans prefer: a (or 1) the candidate's, b (or 0) the opponent's, tie (or 0.5) neither. A
table has pairs or single answers, not both; pairs are shown in both orders, and judges never see a
model's name. The answers of a pair that names neither model are called first and second, and are
not ranked.
"""

from __future__ import annotations

import csv
import itertools
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import JuriesError, nearest
from ..files import bundled
from ..scale import Scale
from ..types import Item, Order
from .dataset import AS_GIVEN, UNNAMED, About, Dataset, Streamed, check_unique

log = logging.getLogger(__name__)
COLUMNS = tuple(f.name for f in fields(Item) if f.name not in ("dataset", "passages", "lengths"))
BESIDES = ("documents", "answering")  # written by the command `answer`, for information
BOTH_WAYS = (Order.ORIGINAL, Order.SWAPPED)


def load(
    path: str,
    name: str | None = None,
    about: About = AS_GIVEN,
    answered: bool = True,
    orders: tuple[Order, ...] = BOTH_WAYS,
    scale: Scale | None = None,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load answers from a .jsonl, .json, .csv or .parquet file.

    Parameters
    ----------
    path : str
        The file; "package:NAME" is a file that comes with this package.
    name : str, optional
        The dataset's name in tables; the file's name without its ending by default.
    about : About
    answered : bool
        False: the file has only questions, one per row, for the command `answer`.
    orders : sequence of Order
        The orders in which a pair is shown; single answers have one.
    scale : Scale, optional
        Of the human labels; by default right or wrong, of pairs a preference.
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file, the row and the field.
    """
    file = located(path)
    table = Table(str(file), lambda: rows(file))
    return read(table, name or file.stem, about, answered, orders, scale).sample(limit, seed)


@dataclass(frozen=True)
class Table:
    """A table in a file or in memory: its name in errors, and its rows, anew on each call.

    A row is its place ("line 3") and its cells by column; an empty cell is None.
    """

    name: str
    rows: Callable[[], Iterator[tuple[str, dict[str, Any]]]]


def read(
    table: Table,
    name: str,
    about: About = AS_GIVEN,
    answered: bool = True,
    orders: tuple[Order, ...] = BOTH_WAYS,
    scale: Scale | None = None,
) -> Dataset:
    """Return the answers of a table as a dataset; see `load`."""
    if (head := next(table.rows(), None)) is not None:
        _check_columns(head[1], table.name, ("question", "answer") if answered else ("question",))
    placed = _Placed(table, name, answered, scale)
    check_unique(placed, table.name)  # it also checks each row
    paired = _paired(placed) if head is not None and "opponent_answer" in head[1] else False
    voted = head is not None and "human_votes" in head[1]
    most = max(len(item.human_votes) for _, item in placed) if voted else 0
    annotators = tuple(str(number) for number in range(1, most + 1))
    items = Streamed(lambda: (item for _, item in placed))
    shown = orders if paired else (Order.ORIGINAL,)
    return Dataset(name, items, about.labels, about.note, shown, annotators=annotators, scale=scale)


@dataclass(frozen=True)
class _Placed:
    """The items of a table, each with its place in it, read anew on each pass."""

    table: Table
    dataset: str
    answered: bool
    scale: Scale | None = None

    def __iter__(self) -> Iterator[tuple[str, Item]]:
        for number, (place, row) in enumerate(self.table.rows(), 1):
            if not self.answered:
                row = {**row, "candidate": "", "answer": ""}
            yield (
                place,
                _item(row, self.dataset, f"{self.table.name}, {place}", str(number), self.scale),
            )


def _paired(placed: Iterable[tuple[str, Item]]) -> bool:
    """Return whether a table has pairs. Raises JuriesError if only some rows are pairs."""
    first: tuple[str, bool] | None = None
    for place, item in placed:
        pair = bool(item.opponent)
        if first is not None and pair != first[1]:
            one, other = ("a pair", "a single answer") if pair else ("a single answer", "a pair")
            raise JuriesError(
                f"{place}, field opponent: makes the row {one}, but {first[0]} is {other}; put "
                "pairs and single answers into separate files"
            )
        first = first or (place, pair)
    return first is not None and first[1]


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
    if not file.is_file():
        near = sorted(p.name for p in file.parent.glob("*")) if file.parent.is_dir() else []
        raise JuriesError(f"{file}: no such file{nearest(file.name, near) if near else ''}")
    return file


def rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each row of a table with its place ("line 3"), its empty cells as None."""
    match file.suffix.lower():
        case ".jsonl":
            yield from _jsonl(file)
        case ".json":
            yield from _json(file)
        case ".csv":
            with file.open(encoding="utf-8-sig", newline="") as stream:
                table = csv.DictReader(stream, strict=True)
                try:
                    _check_header(table.fieldnames or (), file)
                    for row in table:
                        place = f"line {table.line_num}"
                        if None in row or None in row.values():
                            raise JuriesError(
                                f"{file}, {place}: not as many cells as the header; fix the row"
                            )
                        yield place, {key: value or None for key, value in row.items()}
                except (csv.Error, UnicodeDecodeError) as error:
                    raise JuriesError(f"{file}, line {table.line_num + 1}: {error}") from None
        case ".parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            try:
                with pq.ParquetFile(file) as table:
                    batches = (batch.to_pylist() for batch in table.iter_batches(1024))
                    for number, row in enumerate(itertools.chain.from_iterable(batches), 1):
                        yield f"row {number}", row
            except (pa.ArrowException, OSError) as error:
                said = " ".join(str(error).split())
                raise JuriesError(
                    f"{file}: can't be read as Parquet ({said}); check the file"
                ) from None
        case ending:
            raise JuriesError(
                f"{file}: unknown file type {ending!r}; supported are .jsonl, .json, .csv, .parquet"
            )


def _check_header(columns: Sequence[str], file: Path) -> None:
    """Raise JuriesError for a duplicate column: only its last cells would be read."""
    for column in columns:
        if columns.count(column) > 1:
            raise JuriesError(f"{file}, line 1: has column {column!r} twice; rename one")


def _parsed(raw: bytes) -> Any:
    """Parse JSON. A lone surrogate, as in some chat logs, becomes a question mark."""
    found = json.loads(raw)
    text = json.dumps(found, ensure_ascii=False) if b"\\u" in raw else ""
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode(errors="replace"))
    return found


def _jsonl(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
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


def _json(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
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


def field(row: Mapping[str, Any], name: str, place: str) -> Any:
    """Return a required field of a row. Raises JuriesError if it is missing."""
    if name not in row:
        raise JuriesError(f"{place}: has no field {name!r}{nearest(name, row)}")
    return row[name]


def _check_columns(row: Mapping[str, Any], file: str, needs: Sequence[str]) -> None:
    for needed in needs:
        if needed not in row:
            raise JuriesError(f"{file}: has no column {needed!r}{nearest(needed, row)}")
    for column in row:
        if column not in COLUMNS + BESIDES:
            like = nearest(column, set(COLUMNS) - set(row))
            hint = like if "did you mean" in like else ""
            level = logging.WARNING if hint else logging.DEBUG
            log.log(level, "%s: column %r is not used%s", file, column, hint)


def _item(
    row: Mapping[str, Any], dataset: str, place: str, number: str, labels: Scale | None
) -> Item:
    def text(field: str, default: str | None = None) -> str:
        if field == "answer" and field not in row:
            raise JuriesError(
                f"{place}, field answer: is missing; add it, empty if the candidate gave none"
            )
        value = row.get(field)
        if value is None and default is not None:
            return default
        if field in ("item_id", "candidate", "opponent", "cluster") and type(value) is int:
            return str(value)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise JuriesError(f"{place}, field {field}: {value!r} is not a text; set a text")
        return value

    paired = row.get("opponent_answer") is not None
    unnamed = paired and row.get("candidate") is None and row.get("opponent") is None
    places = UNNAMED if unnamed else ("candidate", "opponent" if paired else "")
    opponent = text("opponent", places[1])
    if opponent and "opponent_answer" not in row:
        raise JuriesError(
            f"{place}, field opponent_answer: is missing; the row names an opponent, {opponent!r}"
        )
    scale = labels or (Scale.preference() if opponent else Scale.binary())
    return Item(
        dataset=dataset,
        item_id=text("item_id", number),
        candidate=text("candidate", places[0]),
        question=text("question"),
        # An empty answer means that the candidate failed to answer; it is judged like any other.
        answer=text("answer", ""),
        references=texts(row.get("references"), f"{place}, field references"),
        opponent=opponent,
        opponent_answer=text("opponent_answer", ""),
        human=scale.value_at(row.get("human"), f"{place}, field human"),
        human_votes=_votes(row.get("human_votes"), f"{place}, field human_votes", scale),
        cluster=text("cluster", ""),
        subset=text("subset", ""),
        criterion=text("criterion", ""),
    )


def binary(value: object, place: str) -> str | None:
    """Return a label of right or wrong, None for an empty cell."""
    return Scale.binary().value_at(value, place)


def texts(value: object, place: str) -> tuple[str, ...]:
    """Return a cell of texts: none, one, a list, or a list written as JSON."""
    if value is None:
        return ()
    listed = _listed(value, place) if isinstance(value, str) else value
    if isinstance(listed, str):
        listed = [listed]
    if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
        raise JuriesError(f"{place}: {value!r} is not a text or a list of texts; write it as JSON")
    return tuple(text for text in listed if text.strip())


def _votes(value: object, place: str, scale: Scale) -> tuple[str | None, ...]:
    if value is None:
        return ()
    listed = _listed(value, place) if isinstance(value, str) else value
    if not isinstance(listed, list):
        raise JuriesError(f"{place}: {value!r} is not a list of labels; write it as JSON: [1, 0]")
    return tuple(scale.value_at(vote, place) for vote in listed)


def _listed(text: str, place: str) -> object:
    """Parse a text that is a JSON list; return any other text as it is."""
    if not text.lstrip().startswith("["):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise JuriesError(f"{place}: begins like a JSON list but is not JSON ({error})") from None
