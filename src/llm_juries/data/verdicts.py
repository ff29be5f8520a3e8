"""Read tables of recorded verdicts, which are analysed without any model.

Two shapes are read, from a file in any of the formats of `data.tables`, a DataFrame or a list:

* wide: a row per answer, a column per judge: item_id, candidate, human, judge_1, judge_2 ...
* long: a row per verdict: item_id, candidate, human, judge, label, and optionally prompt.

A table is long if it has a column `judge`. Known columns are those of `data.answer_tables`, and
`order`: "original" if the candidate's answer was shown first, "swapped" if the opponent's was. A
label is in terms of the row's candidate either way: a, or 1, says that the candidate is better. A
pair whose rows name the two models the other way round is the same pair in its swapped order.

A cell is a value of the scale: without one of its own 0, 1 or a word such as true, of pairs also a,
b, tie and A>>B. A number that is none needs a threshold. An empty cell is a verdict that was never
asked for.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from ..arguments import check_fields
from ..errors import JuriesError, nearest
from ..prompts.parsers import CellReader
from ..prompts.prompt import scale_of
from ..scale import Scale, is_number
from ..seats import Seat, seat_of
from ..types import Item, Order, Outcome, Reply
from .columns import Given, Named, annotators_of, is_measurement, is_of_humans, named
from .dataset import AS_GIVEN, SHOWN, About, Dataset, Recording, Size
from .human_labels import combined
from .tables import Column, Columns, Table, distinct, located, rows, table_at
from .tables import field as cell_of
from .verdict_sheet import (
    JUDGE,
    NESTED,
    NO_JUDGE,
    TWICE,
    Numbers,
    Sheet,
    Voted,
    fits,
    is_none,
    merged,
    named_cell,
    repeated,
)

log = logging.getLogger(__name__)
LENGTHS = ("answer_length", "opponent_length")
LEVELS = Scale.preference(
    "B>>A", "B>A", "A=B", "A>B", "A>>B",
    words={
        "b": "B>>A", "tie": "A=B", "a": "A>>B", "0": "B>>A", "0.5": "A=B", "1": "A>>B",
        "B=A": "A=B", "A<B": "B>A", "A<<B": "B>>A", "B<A": "A>B", "B<<A": "A>>B",
    },
)  # fmt: skip
"""The preferences of a table that has levels: a plain a or b is a clear one."""


@dataclass(frozen=True)
class RecordedColumn:
    """What is known about a recorded judge.

    Parameters
    ----------
    family : str
    kind : {"judge", "lexical"}
    threshold : float, optional
        From which on a number counts as correct. In pairs, a number above it prefers the
        candidate, one below it the opponent, and the number itself is a tie.
    column : str, optional
        Of a wide table; by default the one of the judge's name.
    swapped : str, optional
        The column of the verdicts on pairs in swapped order, where it is another one.
    size : {"small", "large", "unknown"}
        Of its model.
    usd_per_question : float, optional
        What its verdicts on one question (a cluster) cost, where it is published.
    repeats_of : str, optional
        The judge whose answers were pooled into this column.
    calls : int
        How many answers make one verdict.
    """

    family: str = "unknown"
    kind: Literal["judge", "lexical"] = "judge"
    threshold: float | None = None
    column: str | None = None
    swapped: str | None = None
    size: Size = "unknown"
    usd_per_question: float | None = None
    repeats_of: str | None = None
    calls: int = 1


@dataclass(frozen=True)
class Layout:
    """What the columns and cells of a table of verdicts mean; see `load`."""

    columns: Given = field(default_factory=dict)
    words: Mapping[str, float] = field(default_factory=dict)
    lengths: str | None = None
    empty: Literal["missing", "unparsed"] = "missing"


@dataclass(frozen=True)
class Voters:
    """Which recorded judges to read; see `load`."""

    judges: Mapping[str, RecordedColumn] | None = None
    families: Mapping[str, str] = field(default_factory=dict)
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scales:
    """What the verdicts and the labels of a table can be; see `load`."""

    pairs: bool = False
    verdicts: Scale | None = None
    labels: Scale | None = None


@dataclass(frozen=True)
class Recognised:
    """A table's dataset, and what its columns were taken for."""

    dataset: Dataset
    judges: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        """Say in one line which columns are judges and which are not used."""
        unused = f"; not used: {', '.join(self.unused)}" if self.unused else ""
        return f"{self.dataset.name}: judges {', '.join(self.judges)}{unused}"


PLAIN, EVERYONE = Layout(), Voters()


def load(
    path: str,
    name: str | None = None,
    about: About = AS_GIVEN,
    columns: Mapping[str, str | tuple[str, ...]] | None = None,
    words: Mapping[str, float] | None = None,
    judges: Mapping[str, RecordedColumn] | tuple[str, ...] | None = None,
    families: Mapping[str, str] | None = None,
    prompts: Sequence[str] | None = None,
    pairs: bool = False,
    scale: Scale | None = None,
    human_scale: Scale | None = None,
    lengths: str | None = None,
    empty: Literal["missing", "unparsed"] = "missing",
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load a table of recorded verdicts, wide or long.

    Parameters
    ----------
    path : str
        The file; "package:NAME" is a file that comes with this package.
    name : str, optional
        The dataset's name in tables; the file's name without its ending by default.
    about : About
    columns : mapping, optional
        What the file calls known columns: {"item_id": ["subset", "number"], "human": "gold"};
        several columns for human_votes are those of single annotators.
    words : mapping of str to float, optional
        Cells with a meaning of their own, as a share from against (0) to for (1): {"1": 1, "2": 0}
        where a number names the winner. A scale has words of its own.
    judges : mapping of str to RecordedColumn, or list of str, optional
        The judges to read. By default every judge named (long), or every column whose every cell is
        on the scale and that is not called latency, cost ... (wide; `columns.is_measurement`). On a
        graded scale a wide table's judges must be named.
    families : mapping of str to str, optional
        The families of judges not described in `judges`.
    prompts : sequence of str, optional
        Keep only these prompts of a long table; all by default.
    pairs : bool
        Whether a verdict is a preference between two answers, as it is where there is a column
        opponent. If the table does not name the two, they are called first and second.
    scale : Scale, optional
        Of the verdicts and labels; by default right or wrong, of pairs a preference.
    human_scale : Scale, optional
        Of the labels, if it is not that of the verdicts.
    lengths : str, optional
        For pairs without texts, a table of the answers' lengths in characters: the columns of
        item_id, answer_length and opponent_length. For the length bias.
    empty : {"missing", "unparsed"}
        What an empty cell is: a verdict that was not asked for, or a reply without one.
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file, and the row and column where there is one.
    """
    file = located(path)
    table = table_at(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    voters = Voters(described(judges), families or {}, tuple(prompts or ()))
    layout = Layout(columns or {}, words or {}, lengths, empty)
    scales = Scales(pairs, scale, human_scale)
    found = read(table, digest, name or file.stem, layout, voters, scales, about)
    log.info("%s", found)
    return found.dataset.sample(limit, seed)


def described(
    judges: Mapping[str, RecordedColumn | Mapping[str, Any] | str] | Sequence[str] | None,
) -> dict[str, RecordedColumn] | None:
    """Return judges given as names, by their columns' names or as mappings of facts.

    Raises
    ------
    JuriesError
        For a text instead of a list, no judge, or a fact that is not known.
    """
    if judges is None:
        return None
    if isinstance(judges, str):
        raise JuriesError(f"judges: {judges!r} is a text; give a list: judges=[{judges!r}]")
    if not judges:
        raise JuriesError("judges: is empty; name a column, or leave it out")
    if not isinstance(judges, Mapping):
        return {name: RecordedColumn() for name in judges}
    found = {}
    for name, given in judges.items():
        if isinstance(given, RecordedColumn):
            found[name] = given
            continue
        if not isinstance(given, str | Mapping | None):
            raise JuriesError(
                f"judges.{name}: got {given!r}; give the column's name, or a dict such as "
                "{'column': 'bem_score', 'threshold': 0.5}"
            )
        facts = {"column": given} if isinstance(given, str) else dict(given or {})
        for key in facts:
            if key not in RecordedColumn.__dataclass_fields__:
                known = nearest(key, RecordedColumn.__dataclass_fields__)
                raise JuriesError(f"judges.{name}: no such key {key!r}{known}")
        found[name] = RecordedColumn(**facts)
        check_fields(found[name], f"judges.{name}")
    return found


def read(
    table: Table,
    digest: str,
    name: str,
    layout: Layout = PLAIN,
    voters: Voters = EVERYONE,
    scales: Scales | None = None,
    about: About = AS_GIVEN,
) -> Recognised:
    """Return a table of recorded verdicts as a dataset; see `load`.

    Parameters
    ----------
    table : Table
    digest : str
        SHA-256 of the table's content: it identifies the judges in every key.
    name : str
    layout : Layout
    voters : Voters
    scales : Scales
    about : About
    """
    found, scales = named(table, layout.columns), scales or Scales()
    columns = found.table.columns(_needed(found, voters, scales))
    pairs = _check_table(table, found, columns, layout, scales)
    scale = _verdict_scale(found, columns, layout.words, scales, pairs=pairs)
    human_scale = scales.labels or scale
    sheet = Sheet(found, table, columns, name, human_scale, pairs, layout.empty == "unparsed")
    if "judge" in found.own:
        judges = _read_long(sheet, voters)
        unused = found.others
    else:
        listed, unused = _judge_columns(sheet, voters, scale)
        judges = _read_wide(sheet, listed)
    _check_named(table.name, voters, sheet)
    recordings = tuple(_recordings(sheet, judges, voters, digest, scale))
    _check_seats(table.name, recordings)
    items = tuple(sheet.items)
    if layout.lengths is not None:
        items = _measured(items, layout.lengths, found.own["item_id"])
    swapped = any((one.held.codes[:, SHOWN.index(Order.SWAPPED)] >= 0).any() for one in recordings)
    dataset = Dataset(
        name,
        items,
        about.labels,
        about.note,
        (Order.ORIGINAL, Order.SWAPPED) if swapped else (Order.ORIGINAL,),
        recordings,
        annotators_of(found, items),
        human_scale,
        about=about,
    )
    if dataset.annotators and "human" not in found.own:
        dataset = combined(dataset)
    names = tuple(dict.fromkeys(recording.judge for recording in recordings))
    return Recognised(dataset, names, tuple(c for c in unused if c not in found.annotators))


def _needed(found: Named, voters: Voters, scales: Scales) -> tuple[str, ...]:
    """Return the columns that are read: not the texts of a table whose judges are named."""
    if "judge" in found.own:
        return (*found.own, *found.annotators)
    if voters.judges is None or "opponent" in found.own or scales.pairs or scales.verdicts:
        return (*found.own, *found.others)  # any may hold verdicts, or show levels of a preference
    named = {n for j, facts in voters.judges.items() for n in (facts.column or j, facts.swapped)}
    return (*found.own, *(c for c in found.others if c in named or c in found.annotators))


def _check_table(
    table: Table, found: Named, columns: Columns, layout: Layout, scales: Scales
) -> bool:
    """Return whether the rows are pairs.

    Raises
    ------
    JuriesError
        If the table has no rows or no ids, or some rows are pairs and some are not.
    """
    name, head = table.name, [*found.own, *found.others]
    if not head:
        raise JuriesError(f"{name}: has no rows")
    if "item_id" not in found.own:
        raise JuriesError(f"{name}: has no column 'item_id'{nearest('item_id', head)}")
    preferred = scales.verdicts is not None and scales.verdicts.kind == "preference"
    paired = np.zeros(1, bool)
    if "opponent" in columns:
        opponent = columns["opponent"]
        paired = np.array([cell is not None for cell in (*opponent.values, None)])[opponent.codes]
    if paired.any() and not paired.all():
        other = int((paired != paired[0]).argmax())
        what = ("a pair", "a single answer") if paired[other] else ("a single answer", "a pair")
        raise JuriesError(
            f"{name}, {table.place(other)}, column {found.called('opponent')}: makes the row "
            f"{what[0]}, but {table.place(0)} is {what[1]}; put pairs and single answers into "
            "separate files"
        )
    pairs = scales.pairs or preferred or bool(paired[0])
    if layout.lengths is not None and not pairs:
        raise JuriesError(f"{name}: lengths are for pairs only; set pairs=true or remove lengths")
    return pairs


def _verdict_scale(
    found: Named, columns: Columns, words: Mapping[str, float], scales: Scales, *, pairs: bool
) -> Scale:
    if scales.verdicts is not None and (words or scales.verdicts != Scale.preference()):
        if words:
            raise JuriesError("words: a scale is set too; put them into it: scale.words")
        return scales.verdicts
    if words or not pairs:
        return scale_of_cells(words, pairs=pairs)
    signs = ("a>", "b>", "a=b", "a<", "b<", "b=a")
    judged = ["label"] if "judge" in found.own else found.others
    leveled = any(
        isinstance(cell, str) and cell.strip().casefold().startswith(signs)
        for name in ("human", *judged)
        if name in columns
        for cell in columns[name].values
    )
    return LEVELS if leveled else Scale.preference()


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


def _read_long(sheet: Sheet, voters: Voters) -> Mapping[str, RecordedColumn] | None:
    found = sheet.found
    if "label" not in found.own:
        head = [*found.own, *found.others]
        raise JuriesError(f"{sheet.file}: has no column 'label'{nearest('label', head)}")
    for name, facts in (voters.judges or {}).items():
        if facts.column not in (None, name) or facts.swapped:
            raise JuriesError(
                f"judges.{name}: a long table has one column of verdicts, "
                f"{found.called('label')}; leave out column and swapped"
            )
    sheet.read_items()
    number = np.arange(len(sheet.item_of))
    prompt, judge = (
        merged(sheet.cleaned(name, named_cell, JUDGE, number < sheet.sound))
        for name in ("prompt", "judge")
    )
    nobody = np.array([not name for name in judge.values])[judge.codes]
    sheet.fail(
        nobody & (number < sheet.sound),
        NO_JUDGE,
        lambda row: JuriesError(f"{sheet.at(row, 'judge')}: is empty; name the judge"),
    )
    kept = np.array([not voters.prompts or one in voters.prompts for one in prompt.values])
    among = kept[prompt.codes] & (number < sheet.sound)
    orders = sheet.orders(among)
    rows = np.flatnonzero(among & (number < sheet.sound))
    voter = distinct([Column(one.codes[rows], one.values) for one in (judge, prompt)])
    shown = sheet.item_of[rows] * len(SHOWN) + orders[rows]
    again = repeated(voter.codes * (len(sheet.items) * len(SHOWN)) + shown)
    sheet.fail(rows[again], TWICE, lambda row: sheet.twice(judge.at(row), row))
    label = sheet.columns["label"]
    sheet.check_plain(rows, label, judge.at, NESTED)
    sheet.check()
    for names, column in ((sheet.names, judge), (sheet.prompts, prompt)):
        there = np.unique(column.codes, return_index=True)[1]
        names.update(dict.fromkeys(column.at(row) for row in sorted(there)))
    ends = np.cumsum(np.bincount(voter.codes))
    of_voter = np.split(rows[np.argsort(voter.codes, kind="stable")], ends)
    for first, own in zip(voter.values, of_voter, strict=False):  # the last part is empty
        name, under = judge.at(rows[first]), prompt.at(rows[first])
        sheet.add(name, under, [Voted(own, orders[own], label)])
    return voters.judges


def _read_wide(sheet: Sheet, judges: Mapping[str, RecordedColumn]) -> Mapping[str, RecordedColumn]:
    sheet.read_items()
    orders = sheet.orders(np.arange(len(sheet.item_of)) < sheet.sound)
    rows = np.arange(sheet.sound)
    shown = sheet.item_of[rows] * len(SHOWN) + orders[rows]
    sheet.fail(rows[repeated(shown)], TWICE, lambda row: _second(sheet, row, shown))
    rows = rows[: sheet.sound]
    swapped = np.full(len(orders), SHOWN.index(Order.SWAPPED), np.int8)
    for step, (name, facts) in enumerate(judges.items(), NESTED):
        columns = [(orders, facts.column or name)]
        columns += [(swapped, facts.swapped)] if facts.swapped else []
        for _, column in columns:
            sheet.check_plain(rows, sheet.columns[column], name, step)
        voted = [Voted(rows, order[rows], sheet.columns[column]) for order, column in columns]
        sheet.add(name, "", voted, step)
        sheet.names.setdefault(name)
    sheet.check()
    return judges


def _second(sheet: Sheet, row: int, shown: Numbers) -> JuriesError:
    """Return the error for a second row of one item in one order."""
    item = sheet.items[sheet.item_of[row]]
    earlier = sheet.table.place(int((shown == shown[row]).argmax()))
    return JuriesError(
        f"{sheet.file}, {sheet.table.place(row)}: item {item.item_id!r} of candidate "
        f"{item.candidate!r} is already in {earlier}; give each answer an item_id, candidate and "
        "criterion of its own"
    )


def _judge_columns(
    sheet: Sheet, voters: Voters, scale: Scale
) -> tuple[dict[str, RecordedColumn], tuple[str, ...]]:
    """Return a wide table's judges, and the columns that are used for nothing."""
    found, name = sheet.found, sheet.file
    others = [column for column in found.others if column not in found.annotators]
    known = [column for column in ("label", "prompt") if column in found.own]
    if voters.judges is not None:
        columns = dict(voters.judges)
        used = set()
        for judge, facts in columns.items():
            for column in filter(None, (facts.column or judge, facts.swapped)):
                if column not in others:
                    what = "judge" if facts.column is None else "column"
                    raise JuriesError(f"{name}: has no {what} {column!r}{nearest(column, others)}")
                used.add(column)
        return columns, tuple(c for c in (*others, *known) if c not in used)
    if scale.graded:
        raise JuriesError(
            f"{name}: on the scale {scale} any column of numbers could be a judge; name the "
            f"judges' columns with judges=[...] ({', '.join(others)})"
        )
    surveys = {c: _survey(sheet, c, scale) for c in others if not is_measurement(c)}
    fitting = {c: RecordedColumn() for c, s in surveys.items() if s.fits and s.odd is None}
    if not fitting:
        raise JuriesError(_no_judge(name, surveys, others, scale))
    misspelt = [
        *difflib.get_close_matches("human", fitting, n=1, cutoff=0.75),
        *filter(is_of_humans, fitting),
    ]
    if misspelt and not {"human", "human_votes"} & set(found.own):
        raise JuriesError(
            f"{name}: has no column 'human', and {misspelt[0]!r} would be taken for a judge; "
            f"rename it (or set columns={{human: {misspelt[0]}}}), or name the judges with "
            "judges=[...]"
        )
    unused = [_why(c, surveys.get(c)) for c in others if c not in fitting]
    return fitting, (*unused, *known)


class _Survey(NamedTuple):
    """A column's cells: how many are on a scale, the first that is not, and the numbers' range."""

    fits: int
    odd: tuple[str, object] | None
    numbers: tuple[float, float] | None


def _survey(sheet: Sheet, column: str, scale: Scale) -> _Survey:
    cells = sheet.columns[column]
    times = np.bincount(cells.codes[cells.codes >= 0], minlength=len(cells.values))
    fits_in, odd, numbers, words = 0, list[int](), [], 0
    for code, cell in enumerate(cells.values):
        if cell is None or is_none(cell, scale):
            continue
        if is_number(str(cell)):
            numbers.append(float(str(cell)))
        else:
            words += 1
        if fits(cell, scale):
            fits_in += int(times[code])
        else:
            odd.append(int(cells.first[code]))
    ends = (min(numbers), max(numbers)) if numbers and not words else None
    first = (sheet.table.place(min(odd)), cells.at(min(odd))) if odd else None
    return _Survey(fits_in, first, ends)


def _why(column: str, survey: _Survey | None) -> str:
    """Return an unused column with what kept it from being a judge, if it nearly was one."""
    called = column or "a column without a name"
    if survey is None or survey.odd is None or not survey.fits:
        return called
    place, cell = survey.odd
    return f"{called} ({place}: {cell!r})"


def _no_judge(
    name: str, surveys: Mapping[str, _Survey], columns: Sequence[str], scale: Scale
) -> str:
    numeric = {column: s.numbers for column, s in surveys.items() if s.numbers is not None}
    if numeric:
        listed = ", ".join(f"{c} ({low:g} to {high:g})" for c, (low, high) in numeric.items())
        first = next(iter(numeric))
        place, cell = surveys[first].odd or ("", "")
        return (
            f"{name}, {place}, column {first}: {cell!r} is not on the scale {scale}; set the scale "
            "and name the judges, or set the number from which one means yes: "
            f"judges={{{first}: {{threshold: ...}}}} (columns of numbers: {listed})"
        )
    usual = {Scale.binary(): "0, 1 or a word such as true and false"}
    what = usual.get(scale) or f"on the scale {scale}"
    there = ", ".join(_why(column, surveys.get(column)) for column in columns) or "none other"
    measured = [column for column in columns if column and column not in surveys]
    return (
        f"{name}: has no column whose every cell is {what}; name the judges' columns with "
        f"judges=[...]; there are: {there}"
        + (f"; {measured[0]} is taken for a measurement by its name" if measured else "")
    )


def _check_named(file: str, voters: Voters, sheet: Sheet) -> None:
    """Raise JuriesError if a judge or prompt that is named is not in the table."""
    for judge in sorted({*(voters.judges or ()), *voters.families}):
        if judge not in sheet.names:
            raise JuriesError(f"{file}: has no judge {judge!r}{nearest(judge, sheet.names)}")
    for prompt in voters.prompts if sheet.prompts else ():
        if prompt not in sheet.prompts:
            raise JuriesError(f"{file}: has no prompt {prompt!r}{nearest(prompt, sheet.prompts)}")


def _recordings(
    sheet: Sheet,
    judges: Mapping[str, RecordedColumn] | None,
    voters: Voters,
    digest: str,
    scale: Scale,
) -> Iterator[Recording]:
    """Yield each judge's recorded verdicts."""
    for (judge, prompt), cells in sheet.cells.items():
        if judges is not None and judge not in judges:
            continue
        facts = (judges or {}).get(judge) or RecordedColumn()
        if not cells:
            raise JuriesError(
                f"{sheet.file}: judge {judge} has no verdict, every cell is empty; leave it out"
            )
        family = voters.families.get(judge, facts.family)
        own = scale
        if facts.threshold is not None:
            own = Scale.preference() if sheet.pairs else Scale.binary()
        recording = Recording(
            judge,
            prompt,
            family,
            facts.kind,
            digest,
            cells,
            own,
            facts.threshold,
            facts.size,
            facts.usd_per_question,
            facts.repeats_of,
            facts.calls,
        )
        _check_readable(recording, sheet)
        yield recording


def _check_seats(file: str, recordings: Sequence[Recording]) -> None:
    """Raise JuriesError for two recordings of one seat: one would hide the other."""
    taken: dict[Seat, str] = {}
    for recording in recordings:
        seat = seat_of(recording.judge)
        seat = replace(seat, prompt=seat.prompt or recording.prompt)
        other = taken.setdefault(seat, recording.judge)
        if other != recording.judge:
            raise JuriesError(
                f"{file}: judges {other} and {recording.judge} are one seat, {seat}; rename one "
                f"(the second answer of {seat.judge} is {replace(seat, repeat=2)})"
            )


def _measured(items: Sequence[Item], lengths: str, columns: Sequence[str]) -> tuple[Item, ...]:
    """Return the items with their answers' lengths."""
    file, found = located(lengths), {}
    for place, row in rows(file):
        where = f"{file}, {place}"
        item_id = "/".join(str(cell_of(row, column, where)) for column in columns)
        both = [cell_of(row, name, where) for name in LENGTHS]
        try:
            found[item_id] = (int(both[0]), int(both[1]))
        except (TypeError, ValueError):
            raise JuriesError(
                f"{where}: {' and '.join(LENGTHS)} are {both[0]!r} and {both[1]!r}; "
                "set whole numbers"
            ) from None
    return tuple(replace(item, lengths=found.get(item.item_id)) for item in items)


def _check_readable(recording: Recording, sheet: Sheet) -> None:
    """Raise JuriesError for a number off the scale, or if none of a judge's cells can be read.

    Words off the scale are what judges say beside verdicts ("I cannot judge this"): they count as
    unparsed, with a warning.
    """
    reader = CellReader(recording.scale, recording.threshold)
    full = {cell for cell in recording.held.different if cell}
    numbers = [float(cell) for cell in full if is_number(cell)]
    odd = sorted(cell for cell in full if reader.read(Reply(cell)).outcome is not Outcome.OK)
    judge, column = recording.judge, "label" if "judge" in sheet.found.own else recording.judge
    for given in odd:
        if is_number(given):
            row = sheet.first_row(judge, recording.prompt, given)
            raise JuriesError(
                f"{sheet.at(row, column)}: {given!r} is not on the scale {recording.scale}; set "
                f"scale, or the number from which one counts as positive (those of {judge} go from "
                f"{min(numbers):g} to {max(numbers):g}): judges={{{judge}: {{threshold: ...}}}}"
            )
    if odd and len(odd) == len(full):
        raise JuriesError(
            f"{sheet.file}, column {judge}: has no verdicts, only cells such as {odd[0]!r}; name "
            "the judges' columns with dataset.judges={NAME:{}}, or say with words what cells mean"
        )
    if odd:
        log.warning(
            "%s, column %s: %d different cells are not verdicts and count as unparsed, such as %r",
            sheet.file, judge, len(odd), odd[0],
        )  # fmt: skip
    cut = recording.threshold
    if cut is not None and numbers and len({reader.read(Reply(c)).value for c in full}) == 1:
        log.warning(
            "%s, column %s: all numbers (%g to %g) are on one side of the threshold %g",
            sheet.file, judge, min(numbers), max(numbers), cut,
        )  # fmt: skip
