"""Recognise the columns of a table of verdicts: which are judges, which say what was judged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import JuriesError, nearest
from ..types import Order, Scale
from .dataset import Dataset
from .frames import Tabular, called, digest, table_of
from .tables import BINARY, PREFERENCE, Table
from .verdicts import Layout, RecordedColumn, Voters, read

IDENTITY = ("item_id", "cluster", "candidate", "opponent", "order")
TEXTS = ("question", "answer", "opponent_answer", "references")
LONG = ("judge", "label", "prompt")
IGNORED = ("subset",)  # known, but no table is made by it
ANNOTATOR = re.compile(r"human_\d+")
NEVER = re.compile(
    r"(^|_)(latency|costs?|usd|price|tokens?|index|ids?|time|timestamp|seconds|lengths?|seed|rank|"
    r"number|count|n|unnamed)(_|:|$)"
)
"""Columns that are never taken for a judge unless they are named."""
LEVELS = {"a>>b": 1.0, "a>b": 0.75, "a=b": 0.5, "b>a": 0.25, "b>>a": 0.0}
SUPPORTED = ("binary", "preference")


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
) -> Recognised:
    """Read a table of verdicts, wide or long, by the names of its columns.

    See `llm_juries.api.read_verdicts` for the columns and the rules.
    """
    if scale is not None and scale.kind not in SUPPORTED:
        raise JuriesError(
            f"scale: {scale.kind} verdicts are not supported yet; use Scale.binary() or "
            "Scale.preference()"
        )
    table = table_of(data)
    head = list(dict.fromkeys(column for _, row in table.rows() for column in row))
    if "item_id" not in head:
        raise JuriesError(f"{table.name}: has no column 'item_id'{nearest('item_id', head)}")
    _check_criterion(table, head)
    pairs = "opponent" in head or (scale is not None and scale.kind == "preference")
    words = {**PREFERENCE, **LEVELS} if pairs else dict(BINARY)
    annotators = tuple(column for column in head if ANNOTATOR.fullmatch(column))
    known = {*IDENTITY, *TEXTS, "human", *annotators}
    if "judge" in head:
        found = _long_judges(table, head, judges, words)
        used = known | set(LONG)
        rows = _with_human(table)
    else:
        found = _wide_judges(table, [c for c in head if c not in known], judges, words, pairs)
        used = known | {one.column for one in found.values()}
        rows = _wide_rows(table, found, sorted(known & set(head)), long="order" in head)
    layout = Layout(
        human_votes=annotators,
        words={word: value for word, value in words.items() if word not in BINARY},
    )
    voters = Voters({name: one.facts for name, one in found.items()})
    title = name or called(data, "verdicts")
    dataset = read(rows, digest(table), title, layout, voters, pairs=pairs)
    for item in dataset.items:
        if item.human not in (None, 0.0, 0.5, 1.0):
            raise JuriesError(
                f"{table.name}, item {item.item_id!r}, column human: levels such as A>B are not "
                "supported for humans yet; write a, b or tie"
            )
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
    words: Mapping[str, float],
    pairs: bool,
) -> dict[str, _Column]:
    if judges is not None:
        found = _named(judges)
        for one in found.values():
            if one.column not in columns:
                raise JuriesError(
                    f"{table.name}: has no column {one.column!r}{nearest(one.column, columns)}"
                )
            if not one.threshold:
                _check_scale(table, one.column, words, None)
        if not found:
            raise JuriesError("judges: is empty; name a column, or leave it out")
        return found
    fits = {c for c in columns if not NEVER.search(c.casefold())} - set(IGNORED)
    full: set[str] = set()
    for _, row in table.rows():
        filled = {c for c in fits if row.get(c) is not None}
        full |= filled
        fits -= {c for c in filled if _word(row[c]) not in words}
    found = {c: _Column(c) for c in columns if c in fits and c in full}
    if not found:
        what = "a, b or tie" if pairs else "0, 1 or a word such as true and false"
        raise JuriesError(
            f"{table.name}: has no column whose every cell is {what}; name the judges' columns "
            f"with judges=[...]{nearest('', columns) if columns else ''}"
        )
    return found


def _long_judges(
    table: Table,
    head: Sequence[str],
    judges: Sequence[str] | Mapping[str, str | Mapping[str, Any]] | None,
    words: Mapping[str, float],
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
            _check_scale(table, "label", words, name)
    return found


def _check_scale(table: Table, column: str, words: Mapping[str, float], judge: str | None) -> None:
    """Raise JuriesError for a number that is off the scale; other words count as unparsed."""
    for place, row in table.rows():
        if judge is not None and str(row.get("judge")) != judge:
            continue
        word = _word(row.get(column))
        if word is None or word in words:
            continue
        try:
            float(word)
        except ValueError:
            continue
        raise JuriesError(
            f"{table.name}, {place}, column {column}: {row[column]!r} is not 0 or 1; fix it, or "
            f"set the number from which {judge or column} means yes: "
            f"judges={{{(judge or column)!r}: {{'threshold': 0.5}}}}"
        )


def _word(cell: object) -> str | None:
    return None if cell is None else str(cell).strip().casefold()


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
