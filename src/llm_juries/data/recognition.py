"""Recognise the columns of a table of verdicts: which are judges, which say what was judged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import JuriesError, nearest
from ..scale import Scale, is_number
from ..types import Order
from .dataset import Dataset
from .frames import Tabular, called, digest, table_of
from .tables import Table
from .verdicts import Layout, RecordedColumn, Scales, Voters, read

IDENTITY = ("item_id", "cluster", "candidate", "opponent", "order")
TEXTS = ("question", "answer", "opponent_answer", "references")
LONG = ("judge", "label", "prompt")
PARTS = ("subset", "criterion")
ANNOTATOR = re.compile(r"human_\d+")
NEVER = re.compile(
    r"(^|_)(latency|costs?|usd|price|tokens?|index|ids?|time|timestamp|seconds|lengths?|seed|rank|"
    r"number|count|n|unnamed)(_|:|$)"
)
"""Columns that are never taken for a judge unless they are named."""
LEVELS = Scale.preference(
    "B>>A", "B>A", "A=B", "A>B", "A>>B",
    words={"b": "B>>A", "tie": "A=B", "a": "A>>B", "0": "B>>A", "0.5": "A=B", "1": "A>>B"},
)  # fmt: skip
"""The preferences of a table that has levels: a plain a or b is a clear one."""


@dataclass(frozen=True)
class Recognised:
    """What the columns of a table were taken for."""

    dataset: Dataset
    judges: tuple[str, ...]
    unused: tuple[str, ...]


@dataclass(frozen=True)
class _Column:
    """Where a judge's verdicts are, and what is known of the judge."""

    column: str
    facts: RecordedColumn = field(default_factory=RecordedColumn)
    threshold: bool = False  # whether numbers are compared with one


def recognise(
    data: Tabular,
    judges: Sequence[str] | Mapping[str, str | Mapping[str, Any]] | None = None,
    scale: Scale | None = None,
    name: str | None = None,
    human_scale: Scale | None = None,
) -> Recognised:
    """Read a table of verdicts, wide or long, by the names of its columns.

    See `llm_juries.api.read_verdicts` for the columns and the rules.
    """
    table = table_of(data)
    head = list(dict.fromkeys(column for _, row in table.rows() for column in row))
    if "item_id" not in head:
        raise JuriesError(f"{table.name}: has no column 'item_id'{nearest('item_id', head)}")
    _check_criterion(table, head)
    pairs = "opponent" in head or (scale is not None and scale.kind == "preference")
    if scale is None or scale == Scale.preference():
        scale = _usual_scale(table, pairs=pairs)
    if judges is None and scale.graded and "judge" not in head:
        raise JuriesError(
            f"{table.name}: on the scale {scale} any column of numbers could be a judge; name the "
            f"judges' columns with judges=[...] ({', '.join(head)})"
        )
    annotators = tuple(column for column in head if ANNOTATOR.fullmatch(column))
    known = {*IDENTITY, *PARTS, *TEXTS, "human", *annotators}
    if "judge" in head:
        found = _long_judges(table, head, judges, scale)
        used = known | set(LONG)
        rows = _with_human(table)
    else:
        found = _wide_judges(table, [c for c in head if c not in known], judges, scale)
        used = known | {one.column for one in found.values()}
        rows = _wide_rows(table, found, sorted(known & set(head)), long="order" in head)
    layout = Layout(
        human_votes=annotators,
    )
    voters = Voters({name: one.facts for name, one in found.items()})
    title = name or called(data, "verdicts")
    dataset = read(rows, digest(table), title, layout, voters, Scales(pairs, scale, human_scale))
    return Recognised(dataset, tuple(found), tuple(c for c in head if c not in used))


def _check_criterion(table: Table, head: Sequence[str]) -> None:
    if "criterion" in head:
        criteria = sorted({str(row.get("criterion")) for _, row in table.rows()})
        if len(criteria) > 1:
            raise JuriesError(
                f"{table.name}, column criterion: has {len(criteria)} criteria "
                f"({', '.join(criteria[:4])}); read one at a time"
            )


def _named(
    judges: Sequence[str] | Mapping[str, str | Mapping[str, Any]],
) -> dict[str, _Column]:
    """Return the judges that a caller names, with their columns."""
    if isinstance(judges, str):
        raise JuriesError(f"judges: {judges!r} is a text; give a list: judges=[{judges!r}]")
    if not isinstance(judges, Mapping):
        return {name: _Column(name) for name in judges}
    found = {}
    for name, given in judges.items():
        facts = {"column": given} if isinstance(given, str) else dict(given or {})
        column, threshold = facts.pop("column", name), "threshold" in facts
        for key in facts:
            if key not in RecordedColumn.__dataclass_fields__:
                known = ("column", *RecordedColumn.__dataclass_fields__)
                raise JuriesError(f"judges.{name}: no such key {key!r}{nearest(key, known)}")
        found[name] = _Column(column, RecordedColumn(**facts), threshold)
    return found


def _wide_judges(
    table: Table,
    columns: Sequence[str],
    judges: Sequence[str] | Mapping[str, str | Mapping[str, Any]] | None,
    scale: Scale,
) -> dict[str, _Column]:
    if judges is not None:
        found = _named(judges)
        for one in found.values():
            if one.column not in columns:
                raise JuriesError(
                    f"{table.name}: has no column {one.column!r}{nearest(one.column, columns)}"
                )
            if not one.threshold:
                _check_scale(table, one.column, scale, None)
        if not found:
            raise JuriesError("judges: is empty; name a column, or leave it out")
        return found
    fits = {c for c in columns if not NEVER.search(c.casefold())}
    full: set[str] = set()
    for _, row in table.rows():
        filled = {c for c in fits if row.get(c) is not None}
        full |= filled
        fits -= {c for c in filled if not _fits(row[c], scale)}
    found = {c: _Column(c) for c in columns if c in fits and c in full}
    if not found:
        usual = {Scale.binary(): "0, 1 or a word such as true and false"}
        what = usual.get(scale) or f"on the scale {scale}"
        raise JuriesError(
            f"{table.name}: has no column whose every cell is {what}; name the judges' columns "
            f"with judges=[...]{nearest('', columns) if columns else ''}"
        )
    return found


def _long_judges(
    table: Table,
    head: Sequence[str],
    judges: Sequence[str] | Mapping[str, str | Mapping[str, Any]] | None,
    scale: Scale,
) -> dict[str, _Column]:
    if "label" not in head:
        raise JuriesError(f"{table.name}: has no column 'label'{nearest('label', head)}")
    there = dict.fromkeys(str(row.get("judge") or "") for _, row in table.rows())
    if "" in there:
        raise JuriesError(f"{table.name}, column judge: has an empty cell; name the judge")
    found = _named(there if judges is None else judges)  # type: ignore[arg-type]
    for name, one in found.items():
        if one.column != name:
            raise JuriesError(
                f"judges.{name}: a long table has one column of verdicts, label; leave out column"
            )
        if name not in there:
            raise JuriesError(f"{table.name}: has no judge {name!r}{nearest(name, there)}")
        if not one.threshold:
            _check_scale(table, "label", scale, name)
    return found


def _check_scale(table: Table, column: str, scale: Scale, judge: str | None) -> None:
    """Raise JuriesError for a number that is off the scale; other words count as unparsed."""
    for place, row in table.rows():
        if judge is not None and str(row.get("judge")) != judge:
            continue
        cell = row.get(column)
        if _fits(cell, scale) or not is_number(str(cell)):
            continue
        raise JuriesError(
            f"{table.name}, {place}, column {column}: {cell!r} is not on the scale {scale}; fix "
            f"it, set the scale, or set the number from which {judge or column} means yes: "
            f"judges={{{(judge or column)!r}: {{'threshold': 0.5}}}}"
        )


def _fits(cell: object, scale: Scale) -> bool:
    """Return whether a cell is empty or a value of a scale."""
    try:
        scale.value(cell)
    except JuriesError:
        return False
    return True


def _usual_scale(table: Table, *, pairs: bool) -> Scale:
    """Return the scale of a table that names none: right or wrong, of pairs a preference."""
    if not pairs:
        return Scale.binary()
    marks = ("a>", "b>", "a=b")
    leveled = any(
        str(cell).strip().casefold().startswith(marks)
        for _, row in table.rows()
        for column, cell in row.items()
        if column not in (*IDENTITY, *TEXTS) and cell is not None
    )
    return LEVELS if leveled else Scale.preference()


def _with_human(table: Table) -> Table:
    """Return the table with an empty column human where there is none."""

    def made() -> Iterator[tuple[str, dict[str, Any]]]:
        for place, row in table.rows():
            yield place, {"human": None, **row}

    return replace(table, rows=made)


def _wide_rows(
    table: Table, judges: Mapping[str, _Column], known: Sequence[str], *, long: bool
) -> Table:
    """Return the columns in use, a judge's under its name; long where rows tell orders apart."""

    def made() -> Iterator[tuple[str, dict[str, Any]]]:
        for place, row in table.rows():
            base = {"human": None, **{column: row.get(column) for column in known}}
            cells = {name: row.get(one.column) for name, one in judges.items()}
            if not long:
                yield place, base | cells
                continue
            base["order"] = base["order"] or str(Order.ORIGINAL)
            for name, cell in cells.items():
                yield place, base | {"judge": name, "label": cell}

    return replace(table, rows=made)
