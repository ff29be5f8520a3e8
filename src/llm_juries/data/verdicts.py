"""Read tables of recorded verdicts, which are analysed without any model.

Two shapes are read, from .csv, .parquet or .jsonl:

* wide: a row per answer, a column per judge: item_id, candidate, human, judge_1, judge_2 ...
* long: a row per verdict: item_id, candidate, human, judge, label, and optionally prompt, order
  ("original" or "swapped") and opponent.

The columns question, answer, references, opponent_answer, cluster, subset and criterion have the
meaning that they have in `data.tables`. An empty cell is a missing vote. A cell is a word
(true/false, yes/no, correct/incorrect, or those of `Layout.words`) or a number, which counts as
correct from the judge's threshold on. Any other cell is kept as it is and counts as unparsed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ..errors import JuriesError, nearest
from ..prompts.parsers import CellReader
from ..prompts.prompt import scale_of
from ..scale import Scale, is_number
from ..types import Item, Order, Outcome, Reply
from .dataset import AS_GIVEN, UNNAMED, About, Dataset, Recording, Seen, check_unique
from .tables import Table, located, rows, texts
from .tables import field as cell

log = logging.getLogger(__name__)
KNOWN = ("item_id", "candidate", "opponent", "human", "judge", "label", "prompt", "order")
LENGTHS = ("answer_length", "opponent_length")
PARTS = ("cluster", "subset", "criterion")
TEXTS = ("question", "answer", "references", "opponent_answer")


@dataclass(frozen=True)
class RecordedColumn:
    """What is known about a recorded judge.

    Parameters
    ----------
    family : str
    kind : {"judge", "lexical"}
    threshold : float
        From which on a number counts as correct.
    """

    family: str = "unknown"
    kind: Literal["judge", "lexical"] = "judge"
    threshold: float | None = None


@dataclass(frozen=True)
class Layout:
    """What the columns and cells of a table of verdicts mean.

    Parameters
    ----------
    columns : mapping
        The file's names of the known columns: {"item_id": "question_number"}. An item_id may
        consist of several columns, joined by a slash.
    human_votes : sequence of str
        Columns of the single annotators' labels.
    words : mapping of str to float
        Cells with a meaning of their own, as a share from against (0) to for (1): {"1": 1, "2": 0}
        where a number names the winner.
    lengths : str, optional
        For pairs without texts, a table of the answers' lengths in characters: the columns of
        item_id, answer_length and opponent_length. For the length bias.
    """

    columns: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    human_votes: tuple[str, ...] = ()
    words: Mapping[str, float] = field(default_factory=dict)
    lengths: str | None = None

    @property
    def called(self) -> dict[str, str | tuple[str, ...]]:
        """The file's name of each known column."""
        return {column: self.columns.get(column) or column for column in (*KNOWN, *self.columns)}


@dataclass(frozen=True)
class Voters:
    """Which recorded judges to read; see `load`."""

    judges: Mapping[str, RecordedColumn] = field(default_factory=dict)
    families: Mapping[str, str] = field(default_factory=dict)
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scales:
    """What the verdicts and the labels of a table can be; see `load`."""

    pairs: bool = False
    verdicts: Scale | None = None
    labels: Scale | None = None


PLAIN, EVERYONE = Layout(), Voters()


def load(
    path: str,
    name: str | None = None,
    about: About = AS_GIVEN,
    layout: Layout = PLAIN,
    judges: Mapping[str, RecordedColumn] | None = None,
    families: Mapping[str, str] | None = None,
    prompts: Sequence[str] | None = None,
    pairs: bool = False,
    scale: Scale | None = None,
    human_scale: Scale | None = None,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load a table of recorded verdicts, wide or long (long if it has a column `judge`).

    Parameters
    ----------
    path : str
        The file; "package:NAME" is a file that comes with this package.
    name : str, optional
        The dataset's name in tables; the file's name without its ending by default.
    about : About
    layout : Layout
    judges : mapping of str to RecordedColumn, optional
        The judges to read. By default every column that has no other meaning (wide) or every judge
        named (long).
    families : mapping of str to str, optional
        The families of judges not described in `judges`.
    prompts : sequence of str, optional
        Keep only these prompts of a long table; all by default.
    pairs : bool
        Whether a verdict is a preference between two answers: positive for the first of them. If
        the table has no columns candidate and opponent, they are called first and second.
    scale : Scale, optional
        Of the verdicts and labels; by default right or wrong, of pairs a preference.
    human_scale : Scale, optional
        Of the labels, if it is not that of the verdicts.
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file, and the row and column where there is one.
    """
    file = located(path)
    table = Table(str(file), lambda: rows(file))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    voters = Voters(judges or {}, families or {}, tuple(prompts or ()))
    scales = Scales(pairs, scale, human_scale)
    dataset = read(table, digest, name or file.stem, layout, voters, scales, about)
    return dataset.sample(limit, seed)


def read(
    source: Table,
    digest: str,
    name: str,
    layout: Layout = PLAIN,
    voters: Voters = EVERYONE,
    scales: Scales | None = None,
    about: About = AS_GIVEN,
) -> Dataset:
    """Return a table of recorded verdicts as a dataset; see `load`.

    Parameters
    ----------
    source : Table
    digest : str
        SHA-256 of the table's content: it identifies the judges in every key.
    name : str
    layout : Layout
    voters : Voters
    scales : Scales
    about : About
    """
    table, scales = list(source.rows()), scales or Scales()
    if not table:
        raise JuriesError(f"{source.name}: has no rows")
    if layout.lengths is not None and not scales.pairs:
        raise JuriesError(
            f"{source.name}: lengths are for pairs only; set pairs=true or remove lengths"
        )
    scale = scales.verdicts or scale_of_cells(layout.words, pairs=scales.pairs)
    human_scale = scales.labels or scale
    head = list(dict.fromkeys(column for _, row in table for column in row))
    sheet = _Sheet(source.name, name, layout, human_scale, scales.pairs)
    long = layout.called["judge"] in head
    sheet.check_columns(head, long=long)
    for place, row in table:
        sheet.add_item(place, row)
        if long:
            sheet.add_long(place, row, voters.prompts)
    if not long:
        sheet.add_wide(table, list(voters.judges) or sheet.judge_columns(head), head)
    sheet.check_voters(voters, long=long)
    recordings = tuple(sheet.recordings(voters, digest, scale))
    swapped = any(seen.order is Order.SWAPPED for r in recordings for seen in r.cells)
    return Dataset(
        name,
        tuple(sheet.items.values()) if layout.lengths is None else sheet.measured(layout.lengths),
        about.labels,
        about.note,
        (Order.ORIGINAL, Order.SWAPPED) if swapped else (Order.ORIGINAL,),
        recordings,
        tuple(layout.human_votes),
        human_scale,
    )


def scale_of_cells(words: Mapping[str, float], *, pairs: bool = False) -> Scale:
    """Return the scale of cells with a meaning of their own, beside the usual words.

    Parameters
    ----------
    words : mapping of str to float
        Shares from against (0) to for (1).
    pairs : bool
        Whether verdicts are preferences, which have a middle and may have levels.

    Raises
    ------
    JuriesError
        If a share is none that such a scale has.
    """
    plain = Scale.preference() if pairs else Scale.binary()
    for word, share in words.items():
        if not 0 <= share <= 1:
            raise JuriesError(
                f"words: {word!r} counts as {share:g}; a cell counts as 0 (against) to 1 (for), "
                "levels between them as their share of the way: 0.25, 0.5, 0.75"
            )
    if set(words.values()) <= set(plain.codes):
        by_code = {code: plain.decode(code) or "" for code in plain.codes}
        return replace(plain, words={word: by_code[share] for word, share in words.items()})
    if not pairs:
        raise JuriesError(
            f"words: {', '.join(f'{w!r} counts as {s:g}' for w, s in words.items())}; right or "
            "wrong is 1 or 0: set dataset.scale for verdicts with more levels"
        )
    return scale_of(words, compares=True)


@dataclass
class _Sheet:
    """A table of verdicts as it is read, row by row."""

    file: str
    dataset: str
    layout: Layout
    scale: Scale
    pairs: bool
    items: dict[tuple[str, str, str], Item] = field(default_factory=dict)
    cells: dict[tuple[str, str], dict[Seen, str]] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)
    prompts: dict[str, None] = field(default_factory=dict)
    places: dict[tuple[str, str, str], str] = field(default_factory=dict)  # a cell's first

    def __post_init__(self) -> None:
        self.called = self.layout.called

    def check_columns(self, head: Sequence[str], *, long: bool) -> None:
        """Raise JuriesError if the table lacks a column that is needed or named."""
        needed = [self.called["item_id"], self.called["human"], *self.layout.columns.values()]
        needed += [*self.layout.human_votes, *([self.called["label"]] if long else [])]
        for column in [part for name in needed for part in _parts(name)]:
            if column not in head:
                raise JuriesError(f"{self.file}: has no column {column!r}{nearest(column, head)}")

    def check_voters(self, voters: Voters, *, long: bool) -> None:
        """Raise JuriesError if a judge or prompt that is named is not in the table."""
        for judge in sorted({*voters.judges, *voters.families}):
            if judge not in self.names:
                raise JuriesError(
                    f"{self.file}: has no judge {judge!r}{nearest(judge, self.names)}"
                )
        for prompt in voters.prompts if long else ():
            if prompt not in self.prompts:
                raise JuriesError(
                    f"{self.file}: has no prompt {prompt!r}{nearest(prompt, self.prompts)}"
                )

    def recordings(self, voters: Voters, digest: str, scale: Scale) -> Iterator[Recording]:
        """Yield each judge's recorded verdicts."""
        for (judge, prompt), cells in self.cells.items():
            if voters.judges and judge not in voters.judges:
                continue
            unnamed = RecordedColumn(voters.families.get(judge, "unknown"))
            facts = voters.judges.get(judge) or unnamed
            own = scale if facts.threshold is None else Scale.binary()
            recording = Recording(
                judge, prompt, facts.family, facts.kind, digest, cells, own, facts.threshold
            )
            _check_readable(recording, self)
            yield recording

    def measured(self, lengths: str) -> tuple[Item, ...]:
        """Return the items with their answers' lengths."""
        found = _lengths(located(lengths), _parts(self.called["item_id"]))
        return tuple(replace(item, lengths=found.get(item.item_id)) for item in self.items.values())

    def identity(self, place: str, row: Mapping[str, Any]) -> tuple[str, str, str]:
        parts = [row.get(column) for column in _parts(self.called["item_id"])]
        if None in parts or "" in parts:
            raise JuriesError(
                f"{self.file}, {place}, column item_id: is empty; give each row an item_id"
            )
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
        votes = (self._label(row.get(c), f"{place}, column {c}") for c in self.layout.human_votes)
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
            subset=_cell(row.get("subset")),
            criterion=_cell(row.get("criterion")),
        )
        known = self.items.setdefault(identity, item)
        if known.human != human:
            raise JuriesError(
                f"{self.file}, {place}: item {item_id!r} of {candidate!r} has the human label "
                f"{human} here and {known.human} in an earlier row; keep one"
            )

    def add_long(self, place: str, row: Mapping[str, Any], prompts: Sequence[str]) -> None:
        prompt, judge = self._text(row, "prompt", ""), self._text(row, "judge", "")
        self.prompts.setdefault(prompt)
        self.names.setdefault(judge)
        if prompts and prompt not in prompts:
            return
        order = self._text(row, "order", "original")
        if order not in tuple(Order):
            raise JuriesError(
                f"{self.file}, {place}, column order: "
                f"unknown order {order!r}{nearest(order, Order)}"
            )
        cells = self.cells.setdefault((judge, prompt), {})
        seen = Seen(*self.identity(place, row), Order(order))
        if seen in cells:
            raise JuriesError(
                f"{self.file}, {place}: a second verdict of {judge!r} on item {seen.item_id!r} of "
                f"{seen.candidate!r}; distinguish them by a column prompt or order"
            )
        cells[seen] = said = _cell(row.get(_parts(self.called["label"])[0]))
        self.places.setdefault((judge, prompt, said), place)

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
            for place, row in table:
                self.places.setdefault((judge, "", _cell(row.get(judge))), place)

    def judge_columns(self, head: Sequence[str]) -> list[str]:
        taken = {column for called in self.called.values() for column in _parts(called)}
        taken |= {*self.layout.human_votes, *TEXTS, *PARTS}
        judges = [column for column in head if column not in taken]
        if not judges:
            raise JuriesError(
                f"{self.file}: has no judge's column; it has {', '.join(head)}; "
                "add a column per judge"
            )
        return judges

    def _text(self, row: Mapping[str, Any], column: str, default: str) -> str:
        value = row.get(_parts(self.called[column])[0])
        return default if value is None else str(value)

    def _label(self, value: object, place: str) -> str | None:
        return self.scale.value_at(value, f"{self.file}, {place}")


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
                "set whole numbers"
            ) from None
    return found


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _check_readable(recording: Recording, sheet: _Sheet) -> None:
    """Raise JuriesError for a number off the scale, or if none of a judge's cells can be read.

    Words off the scale are what judges say beside verdicts ("I cannot judge this"): they count as
    unparsed, with a warning.
    """
    reader = CellReader(recording.scale, recording.threshold)
    odd = {
        cell
        for cell in recording.cells.values()
        if cell and reader.read(Reply(cell)).outcome is not Outcome.OK
    }
    column = f"{sheet.file}, column {recording.judge}"
    for given in sorted(odd):
        if is_number(given):
            place = sheet.places[recording.judge, recording.prompt, given]
            raise JuriesError(
                f"{sheet.file}, {place}, column {recording.judge}: {given!r} is not on the scale "
                f"{recording.scale}; set scale, or the number from which it counts as positive: "
                f"judges={{{recording.judge}: {{threshold: ...}}}}"
            )
    full = {cell for cell in recording.cells.values() if cell}
    if odd and odd == full:
        raise JuriesError(
            f"{column}: has no verdicts, only cells such as {sorted(odd)[0]!r}; name the judges' "
            "columns with dataset.judges={NAME:{}}"
        )
    if odd:
        log.warning(
            "%s: %d different cells are not verdicts and count as unparsed, such as %r",
            column, len(odd), sorted(odd)[0],
        )  # fmt: skip
