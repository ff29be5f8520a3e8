"""Items and cells of a table of recorded verdicts, read column by column.

Whatever is checked is checked once for each different cell, so that a table of a million verdicts
takes seconds. A mistake is told as a reader row by row would meet it: the first row's, and in a row
the first of what makes an item, then a verdict.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import JuriesError, nearest
from ..scale import Scale
from ..types import Item, Message, Order
from .columns import Named
from .conversations import as_text as conversation_text
from .conversations import messages_of
from .dataset import SHOWN, UNNAMED, Cells, Rows, identity_of
from .tables import Column, Columns, Table, as_text, distinct, is_missing, texts

log = logging.getLogger(__name__)
Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
FIELDS = (
    "item_id", "question", "answer", "messages", "candidate", "references", "opponent",
    "opponent_answer", "human", "human_votes", "cluster", "subset", "criterion",
)  # fmt: skip
"""What makes an item, in the order in which a row is checked."""
# Then the row is compared with the others, and its verdict is read.
TURNED, HUMAN, JUDGE, NO_JUDGE, ORDER, TWICE, NESTED = range(len(FIELDS), len(FIELDS) + 7)


class _Fault(NamedTuple):
    """A mistake in a row; those of a lower step are found first."""

    row: int
    step: int
    error: JuriesError


class Voted(NamedTuple):
    """Some rows' cells of one voter.

    Attributes
    ----------
    rows : array of int
        Of the table.
    orders : array of int of the same shape
        Numbers of `SHOWN`.
    cells : Column
        Of the whole table.
    """

    rows: Numbers
    orders: npt.NDArray[np.int8]
    cells: Column


@dataclass
class Sheet:
    """A table of verdicts as it is read.

    Parameters
    ----------
    found : Named
    table : Table
        As it was given.
    columns : Columns
        Under their known names.
    dataset : str
    scale : Scale
        Of the human labels.
    pairs, unparsed : bool
        Whether rows are pairs, and empty cells replies without a verdict.

    Attributes
    ----------
    items : list of Item
    rows : Rows
        The number of each item.
    item_of : array of int of shape (rows,)
        The number of each row's item.
    turned : array of bool of shape (rows,)
        Whether a row names the two models of its pair the other way round.
    cells : mapping of (judge, prompt) to Cells
    names, prompts : mapping of str to None
        The judges and prompts that the table names, in their order.
    """

    found: Named
    table: Table
    columns: Columns
    dataset: str
    scale: Scale
    pairs: bool
    unparsed: bool
    items: list[Item] = field(default_factory=list)
    rows: Rows = field(default_factory=Rows)
    item_of: Numbers = field(default_factory=lambda: np.empty(0, np.int64))
    turned: Mask = field(default_factory=lambda: np.empty(0, bool))
    cells: dict[tuple[str, str], Cells] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)
    prompts: dict[str, None] = field(default_factory=dict)
    _first: list[int] = field(default_factory=list)  # an item's first row
    _given: dict[tuple[str, str], tuple[Numbers, Numbers]] = field(default_factory=dict)
    _fault: _Fault | None = None

    @property
    def file(self) -> str:
        """The table's name in errors."""
        return self.table.name

    def at(self, row: int, column: str) -> str:
        """Return where a cell stands, for errors."""
        return f"{self.file}, {self.table.place(row)}, column {self.found.called(column)}"

    @property
    def sound(self) -> int:
        """How many rows there are before the first mistake."""
        return len(self.item_of) if self._fault is None else self._fault.row

    def check(self) -> None:
        """Raise the first mistake, if there is one."""
        if self._fault is not None:
            raise self._fault.error

    def fail(self, rows: Mask | Numbers, step: int, error: Callable[[int], JuriesError]) -> None:
        """Note a mistake in the first of some rows: a mask, or numbers in their order."""
        there = np.flatnonzero(rows) if rows.dtype == bool else rows
        if len(there) == 0:
            return
        row = int(there[0])
        if self._fault is None or (row, step) < self._fault[:2]:
            self._fault = _Fault(row, step, error(row))

    def cleaned(
        self,
        name: str,
        clean: Callable[[Any, str], Any],
        step: int,
        among: Mask | None = None,
    ) -> Column:
        """Return a column with its cells read by a function of a cell and its place.

        See `_cleaned`. A row without the column is read as None.
        """
        column = self.columns.get(name) or self._absent
        return self._cleaned(column, clean, step, lambda row: self.at(row, name), among)

    def _cleaned(
        self,
        column: Column,
        clean: Callable[[Any, str], Any],
        step: int,
        where: Callable[[int], str],
        among: Mask | None = None,
    ) -> Column:
        """Return a column with its cells read by a function that raises JuriesError.

        `where` is the place of a row's cell, `among` the rows in which a mistake counts. The last
        of the values is that of -1.
        """
        values, wrong = [], []
        for value in chain(column.values, [None]):
            try:
                values.append(clean(value, ""))
                wrong.append(False)
            except JuriesError:
                values.append(None)
                wrong.append(True)

        def error(row: int) -> JuriesError:
            try:
                clean(column.at(row), where(row))
            except JuriesError as raised:
                return raised
            raise AssertionError(where(row))

        if any(wrong):
            bad: Mask = np.array(wrong)[column.codes]
            self.fail(bad if among is None else bad & among, step, error)
        return Column(column.codes, values)

    @property
    def _absent(self) -> Column:
        size = len(next(iter(self.columns.values())).codes)
        return Column(np.full(size, -1), ())

    def read_items(self) -> None:
        """Make an item of each different row."""
        parts = [self._field(name, step) for step, name in enumerate(FIELDS)]
        different = distinct(parts)
        cells = [
            [part.values[code] for code in part.codes[different.values].tolist()] for part in parts
        ]
        item_of, turned = [], []
        for row, *made in zip(different.values, *cells, strict=True):
            if self._fault is not None and row >= self._fault.row:
                break
            number, is_turned = self._placed(row, self._item(*made))
            item_of.append(number)
            turned.append(is_turned)
        missing = len(different.values) - len(item_of)  # after a mistake
        self.item_of = np.array([*item_of, *[-1] * missing], np.int64)[different.codes]
        self.turned = np.array([*turned, *[False] * missing], bool)[different.codes]

    def _field(self, name: str, step: int) -> Column:
        """Return a field of the items."""
        match name:
            case "item_id":
                return self.cleaned(name, _item_id, step)
            case "messages":
                column = self.columns.get(name) or self._absent
                read = self.cleaned(name, messages_of, step, column.codes >= 0)
                return Column(read.codes, [*read.values[:-1], ()])
            case "references":
                return self.cleaned(name, texts, step)
            case "human":
                return self.cleaned(name, self.scale.value_at, step)
            case "human_votes":
                return self._votes(step)
        candidate, opponent = UNNAMED if self.pairs else ("candidate", "")
        default = {"candidate": candidate, "opponent": opponent}.get(name, "")
        return self.cleaned(name, lambda cell, place: _text(cell, place) or default, step)

    def _votes(self, step: int) -> Column:
        """Return the labels of single annotators."""
        given = ("human_votes", *self.found.annotators)
        parts = {name: self.columns[name] for name in given if name in self.columns}

        def votes(row: int | None, place: str) -> tuple[str | None, ...]:
            cells = {name: part.at(row) for name, part in parts.items()} if row is not None else {}
            return self.found.votes(cells, place, self.scale)

        rows = distinct(list(parts.values())) if parts else self._absent
        return self._cleaned(rows, votes, step, self.table.place)

    def _item(
        self,
        item_id: str,
        question: str,
        answer: str,
        messages: Sequence[Message],
        candidate: str,
        references: tuple[str, ...],
        opponent: str,
        opponent_answer: str,
        human: str | None,
        human_votes: tuple[str | None, ...],
        cluster: str,
        subset: str,
        criterion: str,
    ) -> Item:
        if messages:
            replied = messages[-1].role == "assistant" and not answer
            question = conversation_text(messages[:-1] if replied else messages)
            answer = messages[-1].content if replied else answer
        return Item(
            dataset=self.dataset,
            item_id=item_id,
            candidate=candidate,
            question=question,
            answer=answer,
            references=references,
            opponent=opponent,
            opponent_answer=opponent_answer,
            human=human,
            human_votes=human_votes,
            cluster=cluster,
            subset=subset,
            criterion=criterion,
        )

    def _placed(self, row: int, item: Item) -> tuple[int, bool]:
        """Return an item's number, new or that of an earlier row, and whether it is turned."""
        identity, turned = identity_of(item), False
        if self.pairs and identity not in self.rows:
            turned_identity = item.item_id, item.opponent, item.candidate, item.criterion
            turned = turned_identity in self.rows
            if turned:
                earlier = self.rows[turned_identity]
                if (error := self._unturnable(row, item, earlier)) is not None:
                    self.fail(np.array([row]), TURNED, lambda _: error)
                    return earlier, turned
                identity, item = turned_identity, self._turned(item)
        number = self.rows.setdefault(identity, len(self.items))
        if number == len(self.items):
            self.items.append(item)
            self._first.append(row)
            return number, turned
        known = self.items[number]
        if None not in (known.human, item.human) and known.human != item.human:
            here, there = (self.table.place(one) for one in (row, self._first[number]))
            conflict = JuriesError(
                f"{self.file}, {here}: item {item.item_id!r} of {item.candidate!r} has the human "
                f"label {item.human} here and {known.human} in {there}; keep one"
            )
            self.fail(np.array([row]), HUMAN, lambda _: conflict)
        if known.human is None and item.human is not None:
            self.items[number] = replace(known, human=item.human)
        return number, turned

    def _unturnable(self, row: int, item: Item, earlier: int) -> JuriesError | None:
        """Return why a pair can't be turned round, None if it can."""
        if "order" in self.found.own:
            here, there = (self.table.place(one) for one in (row, self._first[earlier]))
            return JuriesError(
                f"{self.file}, {here}: item {item.item_id!r} has {item.candidate!r} against "
                f"{item.opponent!r}, and the other way round in {there}; "
                "beside a column order, name the pair in one way"
            )
        if self.scale.kind != "preference":
            return JuriesError(
                f"{self.file}: item {item.item_id!r} names {item.candidate!r} and "
                f"{item.opponent!r} in both ways, and its labels are {self.scale}, which can't be "
                "turned round; name each pair in one way, and the order in a column order"
            )
        return None

    def _turned(self, item: Item) -> Item:
        """Return a pair with its two answers in each other's place."""
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

    def orders(self, among: Mask) -> npt.NDArray[np.int8]:
        """Return the order in which each row's pair was shown, as numbers of `SHOWN`.

        An unknown order is a mistake in some of the rows; in the others it is -1. An empty one is
        the original, with a warning where other rows are swapped.
        """
        if "order" not in self.columns:
            return self.turned.astype(np.int8)
        own = among & ~self.turned
        column = self.cleaned("order", _order, ORDER, own)
        numbers = np.array([-1 if order is None else order for order in column.values], np.int8)
        found = numbers[column.codes]
        given = self.columns["order"]
        empty = np.array([not cell for cell in (*given.values, None)])[given.codes] & own
        if empty.any() and (found[own] == SHOWN.index(Order.SWAPPED)).any():
            log.warning(
                "%s: empty cells (%d) count as original beside swapped ones",
                self.at(int(empty.argmax()), "order"),
                empty.sum(),
            )
        return np.where(self.turned, SHOWN.index(Order.SWAPPED), found)

    def twice(self, judge: str, row: int) -> JuriesError:
        """Return the error for a judge's second verdict on a row's item."""
        item = self.items[self.item_of[row]]
        return JuriesError(
            f"{self.file}, {self.table.place(row)}: a second verdict of {judge!r} on item "
            f"{item.item_id!r} of {item.candidate!r}; distinguish them by a column prompt or order"
        )

    def check_plain(
        self, rows: Numbers, cells: Column, judge: str | Callable[[int], str], step: int
    ) -> None:
        """Note a cell that is a list or an object; of a judge, or of the one that a row names."""
        nested = np.array([isinstance(v, Mapping | list | tuple) for v in (*cells.values, None)])
        if not nested.any():
            return
        self.fail(
            rows[nested[cells.codes[rows]]],
            step,
            lambda row: JuriesError(
                f"{self.file}, {self.table.place(row)}, verdict of "
                f"{judge if isinstance(judge, str) else judge(row)}: is a nested "
                f"{'object' if isinstance(cells.at(row), Mapping) else 'list'}; a verdict is a "
                "word or a number. Published judgments of Arena-Hard, MT-Bench, AlpacaEval, "
                "lm-eval and Inspect have readers of their own: dataset=arena_hard_judgments ..."
            ),
        )

    def add(self, judge: str, prompt: str, voted: Sequence[Voted], step: int | None = None) -> None:
        """Keep a judge's cells in terms of the items' own candidates, but for empty ones.

        With a step, two cells for one item and order are a mistake; by default there are none.
        """
        texts: dict[str, int] = {}
        parts = []
        for rows, orders, cells in voted:
            said = [self._said(value) for value in (*cells.values, None)]
            numbers = self._numbers(said, texts)[cells.codes[rows]]
            if (turned := self.turned[rows]).any():
                mirrored = self._numbers([self._mirrored(one) for one in said], texts)
                numbers = np.where(turned, mirrored[cells.codes[rows]], numbers)
            kept = numbers >= 0
            parts.append((rows[kept], orders[kept], numbers[kept]))
        rows, orders, numbers = (np.concatenate(part) for part in zip(*parts, strict=True))
        if step is not None and len(voted) > 1:
            by_row = np.argsort(rows, kind="stable")
            again = repeated(self.item_of[rows[by_row]] * len(SHOWN) + orders[by_row])
            self.fail(rows[by_row][again], step, lambda row: self.twice(judge, row))
        codes = np.full((len(self.items), len(SHOWN)), -1, np.int32)
        codes[self.item_of[rows], orders] = numbers
        self.cells[judge, prompt] = Cells(self.rows, codes, tuple(texts))
        self._given[judge, prompt] = rows, numbers

    def first_row(self, judge: str, prompt: str, text: str) -> int:
        """Return the first row in which a judge's cell has a text."""
        rows, numbers = self._given[judge, prompt]
        return int(rows[numbers == self.cells[judge, prompt].texts.index(text)].min())

    def _said(self, cell: object) -> str | None:
        """Return what a cell says, None if it stands for nothing."""
        return None if cell is None or is_none(cell, self.scale) else str(cell)

    def _mirrored(self, said: str | None) -> str | None:
        """Return what a cell says of the pair in its other order."""
        value = None
        if said is not None and fits(said, self.scale):
            value = self.scale.value(said)
        return said if value is None else self.scale.mirrored(value)

    def _numbers(self, said: Sequence[str | None], texts: dict[str, int]) -> Numbers:
        """Return the numbers of texts, which are added to those known; -1 for one not kept."""
        return np.array(
            [
                texts.setdefault(one or "", len(texts)) if one or self.unparsed else -1
                for one in said
            ],
            np.int64,
        )


def named_cell(cell: object, place: str) -> str:
    """Return a judge's or prompt's cell as text; a list of parts, as FastChat writes, is joined."""
    if isinstance(cell, list | tuple):
        return "/".join(map(str, cell))
    return _text(cell, place)


def is_none(cell: object, scale: Scale) -> bool:
    """Return whether a cell stands for nothing, and is not a value of the scale."""
    return is_missing(cell) and not (fits(cell, scale) and scale.value(cell) is not None)


def fits(cell: object, scale: Scale) -> bool:
    """Return whether a cell is empty or a value of a scale."""
    try:
        scale.value(cell)
    except JuriesError:
        return False
    return True


def merged(column: Column) -> Column:
    """Return a column with equal values as one; the last of its values is that of -1."""
    numbers: dict[Any, int] = {}
    codes = [numbers.setdefault(value, len(numbers)) for value in column.values]
    return Column(np.array(codes)[column.codes], list(numbers))


def repeated(codes: Numbers) -> Mask:
    """Return which of some numbers stand before in their list."""
    import pandas as pd

    return np.asarray(pd.Index(codes).duplicated())


def _item_id(cell: object, place: str) -> str:
    if found := _text(cell, place):
        return found
    row = place.rpartition(", column ")[0]
    raise JuriesError(f"{row}, column item_id: is empty; give each row an item_id")


def _text(cell: object, place: str) -> str:
    try:
        return as_text(cell) or ""
    except TypeError:
        raise JuriesError(f"{place}: {cell!r} is not a text; set a text") from None


def _order(cell: object, place: str) -> int:
    order = str(cell or Order.ORIGINAL)
    if order not in tuple(Order):
        raise JuriesError(f"{place}: unknown order {order!r}{nearest(order, Order)}")
    return SHOWN.index(Order(order))
