"""Recorded verdicts: a table of what judges have said before, analysed with no model at all.

Two shapes are read, from .csv, .parquet or .jsonl:

* wide: a row an answer, a column a judge: item_id, candidate, human, judge_1, judge_2 ...
* long: a row a verdict: item_id, candidate, human, judge, label, and optionally prompt, order
  ("original" or "swapped") and opponent.

An empty cell is a missing vote. A cell is a word (true/false, yes/no, correct/incorrect, or those
named in `words`) or a number, which counts as correct from the judge's threshold on; a judge with
numbers outside 0 to 1 has no strengths beside. A cell that is neither is kept as it is and counted
as unparsed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ..errors import JuriesError, nearest
from ..prompts.parsers import CellReader
from ..types import Item, Order, Outcome, Reply
from .dataset import UNNAMED, Dataset, Recording, Seen, check_unique
from .tables import BINARY, Table, located, rows, texts
from .tables import field as cell

log = logging.getLogger(__name__)
KNOWN = ("item_id", "candidate", "opponent", "human", "judge", "label", "prompt", "order")
LENGTHS = ("answer_length", "opponent_length")
TEXTS = ("question", "answer", "references", "opponent_answer")


@dataclass(frozen=True)
class RecordedColumn:
    """What is known of a recorded judge."""

    family: str = "unknown"
    kind: Literal["judge", "lexical"] = "judge"
    threshold: float = 0.5


def load(
    path: str,
    name: str | None = None,
    labels: str = "as given in the file",
    note: str = "",
    columns: Mapping[str, str | tuple[str, ...]] | None = None,
    human_votes: Sequence[str] = (),
    judges: Mapping[str, RecordedColumn] | None = None,
    families: Mapping[str, str] | None = None,
    prompts: Sequence[str] | None = None,
    words: Mapping[str, float] | None = None,
    pairs: bool = False,
    lengths: str | None = None,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load a table of recorded verdicts, wide or long (it is long where it has a column `judge`).

    Parameters
    ----------
    path : str
        The file; "package:NAME" is a file that ships with this package.
    name : str, optional
        The dataset's name in tables; the file's name without its ending by default.
    labels, note : str
        Who labelled the answers and what else is to be known of them, for reports.
    columns : mapping, optional
        What a column is called in this file: {"item_id": "question_number"}. An item_id may be
        made of several columns, joined by a slash.
    human_votes : sequence of str
        Columns of the single annotators' labels.
    judges : mapping of str to RecordedColumn, optional
        The judges to read and what is known of them. By default every column that is no other
        (wide) or every judge named (long).
    families : mapping of str to str, optional
        The family of judges not described in `judges`.
    prompts : sequence of str, optional
        Keep only these prompts of a long table; all by default.
    words : mapping of str to float, optional
        Cells with a meaning of their own: {"1": 1, "2": 0} where a winner is named by number.
    pairs : bool
        Whether a verdict is a preference between two answers: positive for the first of them. Where
        the table has no columns candidate and opponent, they are called first and second.
    lengths : str, optional
        A table of the answers' lengths in characters, for pairs whose texts are not in this one:
        the columns of item_id, answer_length and opponent_length. For the bias of length.
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file, and the row and column where there is one.
    """
    file = located(path)
    layout = Layout(columns, human_votes, judges, families, prompts, words, pairs, lengths)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    table = Table(str(file), lambda: rows(file))
    return read(table, digest, name or file.stem, layout, labels, note).sample(limit, seed)


@dataclass(frozen=True)
class Layout:
    """Which columns of a table of verdicts mean what; see `load`."""

    columns: Mapping[str, str | tuple[str, ...]] | None = None
    human_votes: Sequence[str] = ()
    judges: Mapping[str, RecordedColumn] | None = None
    families: Mapping[str, str] | None = None
    prompts: Sequence[str] | None = None
    words: Mapping[str, float] | None = None
    pairs: bool = False
    lengths: str | None = None


def read(
    source: Table,
    digest: str,
    name: str,
    layout: Layout,
    labels: str = "as given",
    note: str = "",
) -> Dataset:
    """Return a table of recorded verdicts as a dataset; see `load`.

    Parameters
    ----------
    source : Table
    digest : str
        SHA-256 of the table's content: it stands for the judges in every key.
    name : str
    layout : Layout
    labels, note : str
    """
    file, table = source.name, list(source.rows())
    columns, human_votes, judges = layout.columns, layout.human_votes, layout.judges
    families, prompts, words = layout.families, layout.prompts, layout.words
    pairs, lengths = layout.pairs, layout.lengths
    if not table:
        raise JuriesError(f"{file}: holds no rows")
    if lengths is not None and not pairs:
        raise JuriesError(f"{file}: lengths are of pairs; set pairs=true or leave them out")
    called: dict[str, str | tuple[str, ...]] = {**dict.fromkeys(KNOWN, ""), **(columns or {})}
    called = {column: name or column for column, name in called.items()}
    meaning = {**BINARY, **{word.casefold(): value for word, value in (words or {}).items()}}
    head = list(dict.fromkeys(column for _, row in table for column in row))
    long = called["judge"] in head
    needed = [called["item_id"], called["human"], *(columns or {}).values(), *human_votes]
    for column in [part for name in [*needed, *[called["label"]] * long] for part in _parts(name)]:
        if column not in head:
            raise JuriesError(f"{file}: has no column {column!r}{nearest(column, head)}")
    sheet = _Sheet(file, name, called, tuple(human_votes), meaning, pairs)
    for place, row in table:
        sheet.add_item(place, row)
        if long:
            sheet.add_long(place, row, prompts)
    if not long:
        sheet.add_wide(table, list(judges or ()) or sheet.judge_columns(head), head)
    known = judges or {}
    for judge in sorted(set(known) | set(families or {})):
        if judge not in sheet.names:
            raise JuriesError(f"{file}: has no judge {judge!r}{nearest(judge, sheet.names)}")
    for prompt in prompts or () if long else ():
        if prompt not in sheet.prompts:
            raise JuriesError(f"{file}: has no prompt {prompt!r}{nearest(prompt, sheet.prompts)}")
    recordings = []
    for (judge, prompt), cells in sheet.cells.items():
        if known and judge not in known:
            continue
        facts = known.get(judge) or RecordedColumn((families or {}).get(judge, "unknown"))
        said = meaning
        if not 0 < facts.threshold <= 1:  # of a scale on which a 1 is a number and no "yes"
            digits = {word for word in BINARY if word[0].isdigit()} - set(words or {})
            said = {word: value for word, value in meaning.items() if word not in digits}
        recording = Recording(
            judge, prompt, facts.family, facts.kind, digest, cells, facts.threshold, said
        )
        _check_readable(recording, file)
        recordings.append(recording)
    items = tuple(sheet.items.values())
    if lengths is not None:
        measured = _lengths(located(lengths), _parts(called["item_id"]))
        items = tuple(replace(item, lengths=measured.get(item.item_id)) for item in items)
    swapped = any(seen.order is Order.SWAPPED for r in recordings for seen in r.cells)
    return Dataset(
        name,
        items,
        labels,
        note,
        (Order.ORIGINAL, Order.SWAPPED) if swapped else (Order.ORIGINAL,),
        tuple(recordings),
        tuple(human_votes),
    )


@dataclass
class _Sheet:
    """A table of verdicts as it is read, row by row."""

    file: str
    dataset: str
    called: Mapping[str, str | tuple[str, ...]]
    human_votes: tuple[str, ...]
    words: Mapping[str, float]
    pairs: bool
    items: dict[tuple[str, str, str], Item] = field(default_factory=dict)
    cells: dict[tuple[str, str], dict[Seen, str]] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)
    prompts: dict[str, None] = field(default_factory=dict)

    def identity(self, place: str, row: Mapping[str, Any]) -> tuple[str, str, str]:
        parts = [row.get(column) for column in _parts(self.called["item_id"])]
        if None in parts or "" in parts:
            raise JuriesError(f"{self.file}, {place}, column item_id: is empty")
        item_id = "/".join(map(str, parts))
        candidate, opponent = UNNAMED if self.pairs else ("candidate", "")
        return (
            item_id,
            self._text(row, "candidate", candidate),
            self._text(row, "opponent", opponent),
        )

    def add_item(self, place: str, row: Mapping[str, Any]) -> None:
        item_id, candidate, opponent = identity = self.identity(place, row)
        human = self._label(row.get(_parts(self.called["human"])[0]), f"{place}, column human")
        votes = (self._label(row.get(c), f"{place}, column {c}") for c in self.human_votes)
        item = Item(
            dataset=self.dataset,
            item_id=item_id,
            candidate=candidate,
            question=str(row.get("question") or ""),
            answer=str(row.get("answer") or ""),
            references=texts(row.get("references"), f"{self.file}, {place}, column references"),
            opponent=opponent,
            opponent_answer=str(row.get("opponent_answer") or ""),
            human=human,
            human_votes=tuple(votes),
            cluster=str(row.get("cluster") or ""),
        )
        known = self.items.setdefault(identity, item)
        if known.human != human:
            raise JuriesError(
                f"{self.file}, {place}: item {item_id!r} of {candidate!r} has the human label "
                f"{human} here and {known.human} before"
            )

    def add_long(self, place: str, row: Mapping[str, Any], prompts: Sequence[str] | None) -> None:
        prompt, judge = self._text(row, "prompt", ""), self._text(row, "judge", "")
        self.prompts.setdefault(prompt)
        self.names.setdefault(judge)
        if prompts and prompt not in prompts:
            return
        order = self._text(row, "order", "original")
        if order not in tuple(Order):
            raise JuriesError(
                f"{self.file}, {place}, column order: is {order!r}{nearest(order, Order)}"
            )
        cells = self.cells.setdefault((judge, prompt), {})
        seen = Seen(*self.identity(place, row), Order(order))
        if seen in cells:
            raise JuriesError(
                f"{self.file}, {place}: a second verdict of {judge!r} on item {seen.item_id!r} of "
                f"{seen.candidate!r}; tell them apart by columns prompt or order"
            )
        cells[seen] = _cell(row.get(_parts(self.called["label"])[0]))

    def add_wide(
        self,
        table: Sequence[tuple[str, dict[str, Any]]],
        judges: Sequence[str],
        head: Sequence[str],
    ) -> None:
        identities = [self.identity(place, row) for place, row in table]
        placed = zip((p for p, _ in table), map(self.items.__getitem__, identities), strict=True)
        check_unique(tuple(placed), self.file)
        for judge in judges:
            if judge not in head:
                raise JuriesError(f"{self.file}: has no judge {judge!r}{nearest(judge, head)}")
            self.names.setdefault(judge)
            self.cells[judge, ""] = {
                Seen(*identity, Order.ORIGINAL): _cell(row.get(judge))
                for identity, (_, row) in zip(identities, table, strict=True)
            }

    def judge_columns(self, head: Sequence[str]) -> list[str]:
        taken = {column for called in self.called.values() for column in _parts(called)}
        taken |= {*self.human_votes, *TEXTS, "cluster"}
        judges = [column for column in head if column not in taken]
        if not judges:
            raise JuriesError(f"{self.file}: has no column of a judge; it has {', '.join(head)}")
        return judges

    def _text(self, row: Mapping[str, Any], column: str, default: str) -> str:
        value = row.get(_parts(self.called[column])[0])
        return default if value is None else str(value)

    def _label(self, value: object, place: str) -> float | None:
        if value is None or value == "":
            return None
        label = self.words.get(str(value).strip().casefold())
        if label is None:
            raise JuriesError(
                f"{self.file}, {place}: is {value!r}; a label is one of {', '.join(self.words)}, "
                "or empty"
            )
        return label


def _parts(called: str | tuple[str, ...]) -> tuple[str, ...]:
    return (called,) if isinstance(called, str) else tuple(called)


def _lengths(file: Path, columns: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Return the lengths of each pair's answers by item id."""
    found = {}
    for place, row in rows(file):
        item_id = "/".join(str(cell(row, column, f"{file}, {place}")) for column in columns)
        both = [cell(row, name, f"{file}, {place}") for name in LENGTHS]
        try:
            found[item_id] = (int(both[0]), int(both[1]))
        except (TypeError, ValueError):
            raise JuriesError(
                f"{file}, {place}: {' and '.join(LENGTHS)} are {both[0]!r} and {both[1]!r}; "
                "whole numbers are needed"
            ) from None
    return found


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _check_readable(recording: Recording, file: str) -> None:
    """Raise JuriesError if no cell of a judge can be read: it is no column of verdicts."""
    reader = CellReader(recording.threshold, recording.words)
    odd = {
        cell
        for cell in recording.cells.values()
        if cell and reader.read(Reply(cell)).outcome is not Outcome.OK
    }
    full = {cell for cell in recording.cells.values() if cell}
    if odd and odd == full:
        raise JuriesError(
            f"{file}, column {recording.judge}: holds no verdicts (such as {sorted(odd)[0]!r}); "
            "name the judges' columns with dataset.judges={NAME:{}}"
        )
    if odd:
        log.warning(
            "%s: %d kinds of cells of %s hold no verdict and count as unparsed, such as %r",
            file, len(odd), recording.judge, sorted(odd)[0],
        )  # fmt: skip
