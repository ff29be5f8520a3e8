"""Recognise the columns of a table by their names, for answers and for recorded verdicts alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..errors import JuriesError, nearest
from ..scale import Scale
from ..types import Item
from .tables import Column, Columns, Row, Table, as_list, as_text, distinct, is_missing

Given: TypeAlias = "Mapping[str, str | tuple[str, ...]]"
"""The table's own names of known columns: {"item_id": ("subset", "number"), "human": "gold"}."""
TEXTS = ("question", "answer", "opponent_answer", "references", "messages")
KNOWN = (
    "item_id", "cluster", "candidate", "opponent", "order", "criterion", "subset", *TEXTS, "human",
    "human_votes", "judge", "label", "prompt",
)  # fmt: skip
LABELS = ("human", "human_votes", "label")  # their scale says what they hold
JOINED = ("item_id", "cluster")  # several columns make one id, with slashes between them
LISTED = ("references", "human_votes")  # several columns make one list
SYNONYMS = {
    "id": "item_id",
    "model": "candidate",
    "reference": "references",
    "conversation": "messages",
}
ANNOTATOR = re.compile(r"human_\d+")
MEASURED = re.compile(
    r"(^|[\W_])(latency|elapsed|duration|runtime|time|timestamp|date|year|ms|secs?|seconds|minutes|"
    r"hours|costs?|usd|price|tokens?|chars|words|lengths?|len|size|index|idx|ids?|row|seed|split|"
    r"fold|rank|number|count|n|unnamed)([\W_]|$)|^\W*$"
)
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
OF_HUMANS = re.compile(
    r"(^|[\W_])(humans?|gold|truth|annotators?|annotations?|experts?|y_true)([\W_]|$)"
)


def is_measurement(column: str) -> bool:
    """Return whether a column is called latency, cost, id ...: no verdict, unless it is named."""
    return MEASURED.search(CAMEL.sub("_", column).casefold()) is not None


def is_of_humans(column: str) -> bool:
    """Return whether a column is called gold, annotator_1, human_label ...: by its name, labels."""
    return OF_HUMANS.search(CAMEL.sub("_", column).casefold()) is not None


@dataclass(frozen=True)
class Named:
    """A table under the known names of its columns.

    Attributes
    ----------
    table : Table
        Its rows by known names, with all other columns as they are. An empty cell is None; so is
        NA, N/A, NaN or null in a column that has neither texts nor labels.
    own : mapping of str to tuple of str
        The table's own columns behind each known name that it has.
    others : tuple of str
        The columns that stand for nothing known.
    """

    table: Table
    own: Mapping[str, tuple[str, ...]]
    others: tuple[str, ...]

    def called(self, name: str) -> str:
        """Return a known column as the table calls it, for messages."""
        return " and ".join(self.own.get(name, (name,)))

    @property
    def annotators(self) -> tuple[str, ...]:
        """The columns of single annotators' labels: those named, else human_1, human_2 ..."""
        if "human_votes" in self.own:
            parts = self.own["human_votes"]
            return parts if len(parts) > 1 else ()
        return tuple(sorted(filter(ANNOTATOR.fullmatch, self.others), key=lambda c: int(c[6:])))

    def votes(self, row: Mapping[str, Any], place: str, scale: Scale) -> tuple[str | None, ...]:
        """Return the labels of single annotators in a row, in the order of `annotators`.

        Raises
        ------
        JuriesError
            Naming the place and the column of a label that is off the scale.
        """
        where = f"{self.table.name}, {place}, field"
        value = row.get("human_votes")
        if "human_votes" not in self.own:
            return tuple(scale.value_at(row.get(c), f"{where} {c}") for c in self.annotators)
        parts = self.own["human_votes"]
        if len(parts) > 1:
            cells = value or [None] * len(parts)
            pairs = zip(parts, cells, strict=True)
            return tuple(scale.value_at(cell, f"{where} {part}") for part, cell in pairs)
        if value is None:
            return ()
        listed = as_list(value, f"{where} {parts[0]}") if isinstance(value, str) else value
        if not isinstance(listed, list):
            raise JuriesError(
                f"{where} {parts[0]}: {value!r} is not a list of labels; write it as JSON: [1, 0]"
            )
        return tuple(scale.value_at(vote, f"{where} {parts[0]}") for vote in listed)


def annotators_of(found: Named, items: Iterable[Item]) -> tuple[str, ...]:
    """Return the names of a table's annotators; those of a column of lists are numbered."""
    if found.annotators or "human_votes" not in found.own:
        return found.annotators
    most = max((len(item.human_votes) for item in items), default=0)
    return tuple(str(number) for number in range(1, most + 1))


def named(
    table: Table, given: Given | None = None, synonyms: Mapping[str, str] = SYNONYMS
) -> Named:
    """Find the known columns of a table.

    Parameters
    ----------
    table : Table
    given : mapping, optional
        What the table calls known columns; several columns make one id, or one list.
    synonyms : mapping of str to str
        Further names of known columns, taken where the table lacks the known name.

    Raises
    ------
    JuriesError
        For a name that is not known, or a column that the table lacks.
    """
    head = table.head
    own = {name: _parts(name, columns, head, table.name) for name, columns in (given or {}).items()}
    taken = {column for parts in own.values() for column in parts}
    for name in KNOWN:
        if name not in own and name in head and name not in taken:
            own[name] = (name,)
    for synonym, name in synonyms.items():
        if name not in own and synonym in head and synonym not in taken:
            own[name] = (synonym,)
    used = {column for parts in own.values() for column in parts}
    others = tuple(column for column in head if column not in used)

    def rows() -> Iterator[Row]:
        for place, row in table.rows():
            cells = {column: row[column] for column in others if column in row}
            for name, parts in own.items():
                if any(part in row for part in parts):
                    cells[name] = _cell(name, [row.get(part) for part in parts])
            yield place, cells

    def columns(names: Sequence[str]) -> Columns:
        parts = dict.fromkeys(part for name in names for part in own.get(name, (name,)))
        read = table.columns(tuple(parts))
        return {
            name: _column(name, [read[part] for part in own[name]]) if name in own else read[name]
            for name in names
        }

    return Named(Table(table.name, rows, columns_of=columns), own, others)


def _parts(
    name: str, columns: str | Sequence[str], head: Sequence[str], place: str
) -> tuple[str, ...]:
    if name not in KNOWN:
        raise JuriesError(f"columns: {name!r} is not a known column{nearest(name, KNOWN)}")
    if not isinstance(columns, str | Sequence):
        raise JuriesError(f"columns: {name} is {columns!r}; give a column's name")
    parts = (columns,) if isinstance(columns, str) else tuple(columns)
    if len(parts) != 1 and name not in JOINED + LISTED:
        raise JuriesError(
            f"columns: {name} is {len(parts)} columns; only {', '.join(JOINED + LISTED)} may be "
            "made of several"
        )
    for part in parts:
        if part not in head:
            raise JuriesError(f"{place}: has no column {part!r}{nearest(part, head)}")
    return parts


def _column(name: str, parts: Sequence[Column]) -> Column:
    """Return what `_cell` makes of each row's cells; -1 where it has none of them."""
    if len(parts) == 1:
        return Column(parts[0].codes, [_cell(name, [value]) for value in parts[0].values])
    rows = distinct(parts)
    cells = [[part.at(row) for part in parts] for row in rows.values]
    absent = np.all([part.codes < 0 for part in parts], axis=0)
    return Column(np.where(absent, -1, rows.codes), [_cell(name, each) for each in cells])


def _cell(name: str, cells: list[Any]) -> Any:
    if name in TEXTS:
        return cells[0] if len(cells) == 1 else [cell for cell in cells if cell is not None]
    plain = [None if is_missing(cell) and name not in LABELS else cell for cell in cells]
    if name in LISTED and len(cells) > 1:
        return plain
    if len(plain) == 1:
        return plain[0]
    if nested := [cell for cell in plain if isinstance(cell, list | tuple | Mapping)]:
        return nested[0]  # no text, which its reader says
    return None if None in plain else "/".join(map(str, map(as_text, plain)))
