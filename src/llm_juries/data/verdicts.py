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

from ..arguments import check_fields
from ..errors import JuriesError, nearest
from ..prompts.parsers import CellReader
from ..prompts.prompt import scale_of
from ..scale import Scale, is_number
from ..seats import Seat, seat_of
from ..types import Item, Order, Outcome, Reply
from .columns import Given, Named, annotators_of, is_measurement, is_of_humans, named
from .conversations import as_text as conversation_text
from .conversations import messages_of
from .dataset import AS_GIVEN, UNNAMED, About, Dataset, Recording, Seen, Size
from .human_labels import combined
from .tables import Table, as_text, is_missing, located, rows, texts
from .tables import field as cell_of

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
    table = Table(str(file), lambda: rows(file))
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
    pairs = _check_table(found, layout, scales)
    scale = _verdict_scale(found, layout.words, scales, pairs=pairs)
    human_scale = scales.labels or scale
    sheet = _Sheet(found, name, human_scale, pairs, layout.empty == "unparsed")
    if "judge" in found.own:
        judges = _read_long(sheet, voters)
        unused = found.others
    else:
        columns, unused = _judge_columns(found, voters, scale)
        judges = _read_wide(sheet, columns)
    _check_named(found.table.name, voters, sheet)
    recordings = tuple(_recordings(sheet, judges, voters, digest, scale))
    _check_seats(found.table.name, recordings)
    items = tuple(sheet.items.values())
    if layout.lengths is not None:
        items = _measured(items, layout.lengths, found.own["item_id"])
    swapped = any(seen.order is Order.SWAPPED for r in recordings for seen in r.cells)
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


def _check_table(found: Named, layout: Layout, scales: Scales) -> bool:
    """Return whether the rows are pairs.

    Raises
    ------
    JuriesError
        If the table has no rows or no ids, or some rows are pairs and some are not.
    """
    name, head = found.table.name, [*found.own, *found.others]
    if next(found.table.rows(), None) is None:
        raise JuriesError(f"{name}: has no rows")
    if "item_id" not in found.own:
        raise JuriesError(f"{name}: has no column 'item_id'{nearest('item_id', head)}")
    preferred = scales.verdicts is not None and scales.verdicts.kind == "preference"
    with_opponent = [
        (place, row.get("opponent") is not None) for place, row in found.table.rows()
    ] if "opponent" in found.own else []  # fmt: skip
    first = with_opponent[0] if with_opponent else ("", False)
    for place, paired in with_opponent:
        if paired != first[1]:
            what = ("a pair", "a single answer") if paired else ("a single answer", "a pair")
            raise JuriesError(
                f"{name}, {place}, column {found.called('opponent')}: makes the row {what[0]}, but "
                f"{first[0]} is {what[1]}; put pairs and single answers into separate files"
            )
    pairs = scales.pairs or preferred or first[1]
    if layout.lengths is not None and not pairs:
        raise JuriesError(f"{name}: lengths are for pairs only; set pairs=true or remove lengths")
    return pairs


def _verdict_scale(
    found: Named, words: Mapping[str, float], scales: Scales, *, pairs: bool
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
        for _, row in found.table.rows()
        for cell in (row.get("human"), *map(row.get, judged))
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


class _Place(NamedTuple):
    """An item of a row, and whether the row names its two models the other way round."""

    item: Item
    turned: bool


@dataclass
class _Sheet:
    """A table of verdicts as it is read, row by row."""

    found: Named
    dataset: str
    scale: Scale
    pairs: bool
    unparsed: bool
    items: dict[tuple[str, ...], Item] = field(default_factory=dict)
    cells: dict[tuple[str, str], dict[Seen, str]] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)
    prompts: dict[str, None] = field(default_factory=dict)
    places: dict[tuple[str, str, str], str] = field(default_factory=dict)  # a cell's first
    first: dict[tuple[str, ...], str] = field(default_factory=dict)  # an item's first row

    @property
    def file(self) -> str:
        """The table's name in errors."""
        return self.found.table.name

    def at(self, place: str, column: str) -> str:
        """Return where a cell stands, for errors."""
        return f"{self.file}, {place}, column {self.found.called(column)}"

    def item(self, place: str, row: Mapping[str, Any]) -> _Place:
        """Return the item of a row, which is new or the one of an earlier row."""
        item = self._item(place, row)
        identity = item.item_id, item.candidate, item.opponent, item.criterion
        turned_identity = item.item_id, item.opponent, item.candidate, item.criterion
        turned = self.pairs and turned_identity in self.items and identity not in self.items
        if turned:
            if "order" in self.found.own:
                raise JuriesError(
                    f"{self.file}, {place}: item {item.item_id!r} has {item.candidate!r} against "
                    f"{item.opponent!r}, and the other way round in {self.first[turned_identity]}; "
                    "beside a column order, name the pair in one way"
                )
            identity, item = turned_identity, self._turned(item)
        known = self.items.setdefault(identity, item)
        self.first.setdefault(identity, place)
        if None not in (known.human, item.human) and known.human != item.human:
            raise JuriesError(
                f"{self.file}, {place}: item {item.item_id!r} of {item.candidate!r} has the human "
                f"label {item.human} here and {known.human} in {self.first[identity]}; keep one"
            )
        if known.human is None and item.human is not None:
            known = self.items[identity] = replace(known, human=item.human)
        return _Place(known, turned)

    def _turned(self, item: Item) -> Item:
        """Return a pair with its two answers in each other's place."""
        if self.scale.kind != "preference":
            raise JuriesError(
                f"{self.file}: item {item.item_id!r} names {item.candidate!r} and "
                f"{item.opponent!r} in both ways, and its labels are {self.scale}, which can't be "
                "turned round; name each pair in one way, and the order in a column order"
            )
        human, *votes = (
            None if label is None else self.scale.mirrored(str(label))
            for label in (item.human, *item.human_votes)
        )
        return replace(
            item,
            candidate=item.opponent,
            opponent=item.candidate,
            answer=item.opponent_answer,
            opponent_answer=item.answer,
            human=human,
            human_votes=tuple(votes),
        )

    def _item(self, place: str, row: Mapping[str, Any]) -> Item:
        def text(column: str, default: str = "") -> str:
            try:
                return as_text(row.get(column)) or default
            except TypeError:
                raise JuriesError(
                    f"{self.at(place, column)}: {row[column]!r} is not a text; set a text"
                ) from None

        item_id = text("item_id")
        if not item_id:
            raise JuriesError(
                f"{self.file}, {place}, column item_id: is empty; give each row an item_id"
            )
        question, answer = text("question"), text("answer")
        if "messages" in row:
            messages = messages_of(row["messages"], self.at(place, "messages"))
            replied = messages[-1].role == "assistant" and not answer
            question = conversation_text(messages[:-1] if replied else messages)
            answer = messages[-1].content if replied else answer
        candidate, opponent = UNNAMED if self.pairs else ("candidate", "")
        return Item(
            dataset=self.dataset,
            item_id=item_id,
            candidate=text("candidate", candidate),
            question=question,
            answer=answer,
            references=texts(row.get("references"), self.at(place, "references")),
            opponent=text("opponent", opponent),
            opponent_answer=text("opponent_answer"),
            human=self.scale.value_at(row.get("human"), self.at(place, "human")),
            human_votes=self.found.votes(row, place, self.scale),
            cluster=text("cluster"),
            subset=text("subset"),
            criterion=text("criterion"),
        )

    def order(self, place: str, row: Mapping[str, Any]) -> Order:
        """Return the order in which a row's pair was shown."""
        order = str(row.get("order") or Order.ORIGINAL)
        if order not in tuple(Order):
            raise JuriesError(
                f"{self.at(place, 'order')}: unknown order {order!r}{nearest(order, Order)}"
            )
        return Order(order)

    def add(self, judge: str, prompt: str, seen: Seen, given: object, place: str) -> None:
        """Keep a judge's cell, unless it is empty."""
        cells = self.cells.setdefault((judge, prompt), {})
        if seen in cells:
            raise JuriesError(
                f"{self.file}, {place}: a second verdict of {judge!r} on item {seen.item_id!r} of "
                f"{seen.candidate!r}; distinguish them by a column prompt or order"
            )
        said = "" if given is None else str(given)
        if said or self.unparsed:
            cells[seen] = said
            self.places.setdefault((judge, prompt, said), place)


def _seen(item: Item, order: Order) -> Seen:
    return Seen(item.item_id, item.candidate, item.opponent, order, item.criterion)


def _read_long(sheet: _Sheet, voters: Voters) -> Mapping[str, RecordedColumn] | None:
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
    given: set[tuple[str, str, Seen]] = set()
    for place, row in found.table.rows():
        item, turned = sheet.item(place, row)
        prompt, judge = (_name(row.get(column)) for column in ("prompt", "judge"))
        if not judge:
            raise JuriesError(f"{sheet.at(place, 'judge')}: is empty; name the judge")
        sheet.names.setdefault(judge)
        sheet.prompts.setdefault(prompt)
        if voters.prompts and prompt not in voters.prompts:
            continue
        order = Order.SWAPPED if turned else sheet.order(place, row)
        seen = _seen(item, order)
        if (judge, prompt, seen) in given:
            raise JuriesError(
                f"{sheet.file}, {place}: a second verdict of {judge!r} on item {seen.item_id!r} of "
                f"{seen.candidate!r}; distinguish them by a column prompt or order"
            )
        given.add((judge, prompt, seen))
        _add(sheet, (judge, prompt), seen, row.get("label"), place, turned=turned)
    return voters.judges


def _read_wide(sheet: _Sheet, judges: Mapping[str, RecordedColumn]) -> Mapping[str, RecordedColumn]:
    shown: dict[Seen, str] = {}
    for place, row in sheet.found.table.rows():
        item, turned = sheet.item(place, row)
        order = Order.SWAPPED if turned else sheet.order(place, row)
        seen = _seen(item, order)
        if seen in shown:
            raise JuriesError(
                f"{sheet.file}, {place}: item {item.item_id!r} of candidate {item.candidate!r} is "
                f"already in {shown[seen]}; give each answer an item_id, candidate and criterion "
                "of its own"
            )
        shown[seen] = place
        for name, facts in judges.items():
            cell = row.get(facts.column or name)
            _add(sheet, (name, ""), seen, cell, place, turned=turned)
            if facts.swapped:
                other = seen._replace(order=Order.SWAPPED)
                _add(sheet, (name, ""), other, row.get(facts.swapped), place, turned=turned)
    for name in judges:
        sheet.names.setdefault(name)
        sheet.cells.setdefault((name, ""), {})
    return judges


def _add(
    sheet: _Sheet, voter: tuple[str, str], seen: Seen, cell: object, place: str, *, turned: bool
) -> None:
    """Add a cell in terms of the item's own candidate."""
    if isinstance(cell, Mapping | list | tuple):
        raise JuriesError(
            f"{sheet.file}, {place}, verdict of {voter[0]}: is a nested "
            f"{'list' if isinstance(cell, list | tuple) else 'object'}; a verdict is a word or a "
            "number. Published judgments of Arena-Hard, MT-Bench, AlpacaEval, lm-eval and Inspect "
            "have readers of their own: dataset=arena_hard_judgments ..."
        )
    missing = cell is None or _is_none(cell, sheet.scale)
    given: object = None if missing else cell
    if turned and given is not None:
        try:
            value = sheet.scale.value(given)
        except JuriesError:
            value = None
        given = given if value is None else sheet.scale.mirrored(value)
    sheet.add(*voter, seen, given, place)


def _is_none(cell: object, scale: Scale) -> bool:
    """Return whether a cell stands for nothing, and is not a value of the scale."""
    return is_missing(cell) and not (_fits(cell, scale) and scale.value(cell) is not None)


def _name(cell: object) -> str:
    """Return a judge's or prompt's cell as text; a list of parts, as FastChat writes, is joined."""
    if isinstance(cell, list | tuple):
        return "/".join(map(str, cell))
    return as_text(cell) or ""


def _judge_columns(
    found: Named, voters: Voters, scale: Scale
) -> tuple[dict[str, RecordedColumn], tuple[str, ...]]:
    """Return a wide table's judges, and the columns that are used for nothing."""
    name = found.table.name
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
    surveys = {c: _survey(found, c, scale) for c in others if not is_measurement(c)}
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


def _survey(found: Named, column: str, scale: Scale) -> _Survey:
    fits, odd, numbers, words = 0, None, [], 0
    for place, row in found.table.rows():
        cell = row.get(column)
        if cell is None or _is_none(cell, scale):
            continue
        if is_number(str(cell)):
            numbers.append(float(str(cell)))
        else:
            words += 1
        if _fits(cell, scale):
            fits += 1
        else:
            odd = odd or (place, cell)
    ends = (min(numbers), max(numbers)) if numbers and not words else None
    return _Survey(fits, odd, ends)


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
    return (
        f"{name}: has no column whose every cell is {what}; name the judges' columns with "
        f"judges=[...]; there are: {there}"
    )


def _fits(cell: object, scale: Scale) -> bool:
    """Return whether a cell is empty or a value of a scale."""
    try:
        scale.value(cell)
    except JuriesError:
        return False
    return True


def _check_named(file: str, voters: Voters, sheet: _Sheet) -> None:
    """Raise JuriesError if a judge or prompt that is named is not in the table."""
    for judge in sorted({*(voters.judges or ()), *voters.families}):
        if judge not in sheet.names:
            raise JuriesError(f"{file}: has no judge {judge!r}{nearest(judge, sheet.names)}")
    for prompt in voters.prompts if sheet.prompts else ():
        if prompt not in sheet.prompts:
            raise JuriesError(f"{file}: has no prompt {prompt!r}{nearest(prompt, sheet.prompts)}")


def _recordings(
    sheet: _Sheet,
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


def _check_readable(recording: Recording, sheet: _Sheet) -> None:
    """Raise JuriesError for a number off the scale, or if none of a judge's cells can be read.

    Words off the scale are what judges say beside verdicts ("I cannot judge this"): they count as
    unparsed, with a warning.
    """
    reader = CellReader(recording.scale, recording.threshold)
    full = {cell for cell in recording.cells.values() if cell}
    numbers = [float(cell) for cell in full if is_number(cell)]
    odd = sorted(cell for cell in full if reader.read(Reply(cell)).outcome is not Outcome.OK)
    judge, column = recording.judge, "label" if "judge" in sheet.found.own else recording.judge
    for given in odd:
        if is_number(given):
            place = sheet.places[judge, recording.prompt, given]
            raise JuriesError(
                f"{sheet.at(place, column)}: {given!r} is not on the scale {recording.scale}; set "
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
