"""Datasets: items to judge with their human labels, and the recorded verdicts that came with them.

To add a dataset, add a yaml to conf/dataset whose `_target_` is a function of this package (or of
yours) that returns a Dataset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, islice
from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ..errors import JuriesError
from ..scale import Scale
from ..types import Item, Kind, Order

UNNAMED = ("first", "second")
"""Candidate and opponent of a pair whose models are unknown: positions, which are never ranked."""


Size = Literal["small", "large", "unknown"]
"""How large a judge's model is, as far as its source says so."""


class Seen(NamedTuple):
    """What a judge was shown: an item's identity and the order of its answers."""

    item_id: str
    candidate: str
    opponent: str
    order: Order
    criterion: str = ""


Identity = tuple[str, str, str, str]
"""What tells an item from others: item_id, candidate, opponent, criterion."""
SHOWN = tuple(Order)


class Rows(dict[Identity, int]):
    """The row of each item of a table."""

    _last: tuple[tuple[Item, ...], npt.NDArray[np.int64]] | None = None

    def of(self, items: Iterable[Item]) -> npt.NDArray[np.int64]:
        """Return the row of each item, -1 for one that the table does not have.

        Many judges are looked up on the same tuple of items, which is looked up once.
        """
        if self._last is not None and self._last[0] is items:
            return self._last[1]
        found = np.fromiter((self.get(identity_of(item), -1) for item in items), np.int64)
        if isinstance(items, tuple):
            self._last = items, found
        return found


@dataclass(frozen=True, eq=False)
class Cells(Mapping[Seen, str]):
    """One judge's recorded cells by what it was shown, each different text held once.

    Parameters
    ----------
    rows : Rows
        The row of each item; judges of one table share them.
    codes : array of int of shape (rows, 2)
        Which of the texts a judge gave in each `Order`; -1 for none.
    texts : sequence of str
    """

    rows: Rows
    codes: npt.NDArray[np.int32]
    texts: Sequence[str]

    @classmethod
    def of(cls, cells: Mapping[Seen, str]) -> Self:
        """Return cells given as any mapping."""
        rows, texts = Rows(), dict[str, int]()
        for seen, text in cells.items():
            rows.setdefault(identity_of(seen), len(rows))
            texts.setdefault(text, len(texts))
        codes = np.full((len(rows), len(SHOWN)), -1, np.int32)
        for seen, text in cells.items():
            codes[rows[identity_of(seen)], SHOWN.index(seen.order)] = texts[text]
        return cls(rows, codes, tuple(texts))

    def on(self, items: Iterable[Item], orders: Sequence[Order]) -> npt.NDArray[np.int32]:
        """Return the numbers of the texts on some items, a column an order; -1 for none."""
        rows = self.rows.of(items)
        if not len(self.codes):  # a judge of whom nothing is recorded
            return np.full((len(rows), len(orders)), -1, np.int32)
        found = self.codes[rows][:, [SHOWN.index(order) for order in orders]]
        found[rows < 0] = -1
        return found

    @property
    def different(self) -> list[str]:
        """The texts that occur."""
        there = np.unique(self.codes)
        return [self.texts[code] for code in there.tolist() if code >= 0]

    def __getitem__(self, seen: Seen) -> str:
        code = int(self.codes[self.rows[identity_of(seen)], SHOWN.index(seen.order)])
        if code < 0:
            raise KeyError(seen)
        return self.texts[code]

    def __iter__(self) -> Iterator[Seen]:
        for identity, row in self.rows.items():
            for at, order in enumerate(SHOWN):
                if self.codes[row, at] >= 0:
                    yield Seen(*identity[:3], order, identity[3])

    def __len__(self) -> int:
        return int((self.codes >= 0).sum())


def identity_of(one: Seen | Item) -> Identity:
    """Return what tells an item from others."""
    return one.item_id, one.candidate, one.opponent, one.criterion


@dataclass(frozen=True)
class Recording:
    """One judge's recorded verdicts, as the cells of the table they came in.

    Parameters
    ----------
    judge, prompt : str
    family : str
    kind : {"judge", "lexical"}
    source : str
        SHA-256 of the file they were read from: it identifies the judge in every key.
    cells : mapping of Seen to str
        Any mapping; it is held as `Cells`.
    scale : Scale
        Of the cells; with a threshold what they become.
    threshold : float, optional
        From which on a number is positive; without one it must be a value of the scale.
    size : {"small", "large", "unknown"}
    usd_per_question : float, optional
        What the judge's verdicts on one question cost, where it is published.
    repeats_of : str, optional
        The judge whose answers were pooled into these verdicts.
    calls : int
        How many answers make one verdict.
    """

    judge: str
    prompt: str
    family: str
    kind: Kind
    source: str
    cells: Mapping[Seen, str]
    scale: Scale = field(default_factory=Scale.binary)
    threshold: float | None = None
    size: Size = "unknown"
    usd_per_question: float | None = None
    repeats_of: str | None = None
    calls: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.cells, Cells):
            object.__setattr__(self, "cells", Cells.of(self.cells))

    @property
    def held(self) -> Cells:
        """The cells by rows and columns."""
        assert isinstance(self.cells, Cells)  # noqa: S101 - since it was made
        return self.cells


@dataclass(frozen=True)
class Streamed:
    """Items that are created anew on each pass, so that only one is in memory at a time."""

    make: Callable[[], Iterator[Item]]

    def __iter__(self) -> Iterator[Item]:
        return self.make()


@dataclass(frozen=True)
class Shard:
    """One of several disjoint parts of a dataset's questions, to distribute them over jobs.

    Parameters
    ----------
    shard : int, optional
        Which part, from 0; all questions by default.
    shards : int
        The number of parts.
    """

    shard: int | None = None
    shards: int = 1

    def __post_init__(self) -> None:
        if self.shards < 1:
            raise JuriesError(f"shards: {self.shards} is too few; set 1 or more")
        if self.shard is not None and not 0 <= self.shard < self.shards:
            raise JuriesError(
                f"shard: {self.shard} is out of range; with shards={self.shards}, set 0 to "
                f"{self.shards - 1}"
            )

    def holds(self, question: str) -> bool:
        """Return whether a question belongs to this part."""
        number = int.from_bytes(hashlib.sha256(question.encode()).digest()[:8], "big")
        return self.shard is None or number % self.shards == self.shard


@dataclass(frozen=True)
class About:
    """What a reader of a dataset's numbers must know, for reports.

    Parameters
    ----------
    labels : str
        Who labelled the items.
    note : str
        Everything else: the source, what a positive label means.
    licence : str
        Of the verdicts and labels; empty if none is stated.
    citation : str
        What to cite, with the repository and its commit.
    shares : str
        What other sources have in common with this one, such as its questions: those that name the
        same are no independent evidence.
    """

    labels: str = ""
    note: str = ""
    licence: str = ""
    citation: str = ""
    shares: str = ""


NOTHING_KNOWN = About()
AS_GIVEN = About(labels="as given")


@dataclass(frozen=True)
class Dataset:
    """Items to judge, and the recorded judges that came with them.

    Parameters
    ----------
    name : str
    items : iterable of Item
        The same items in the same order on each iteration: a tuple, or `Streamed` where they may
        not fit in memory.
    labels : str
        Who labelled the items, for reports.
    note : str
        What else a reader of the numbers must know.
    orders : tuple of Order
        The orders in which a pair is shown; single answers have one.
    recordings : tuple of Recording
        Verdicts that came with the data.
    annotators : tuple of str
        Who gave an item's `human_votes`, in that order.
    scale : Scale, optional
        Of the human labels; by default preferences of pairs, and right or wrong of single answers.
    overall : iterable of Item
        Where the items are answers on one criterion each, the answers as a whole: they hold what
        humans said of the answer, and are not judged.
    annotated_on : Scale, optional
        The ordinal scale that annotators labelled on, where what their labels were combined to
        falls between its levels and `scale` is therefore an interval.
    about : About
        Where the data come from.
    """

    name: str
    items: Iterable[Item]
    labels: str = ""
    note: str = ""
    orders: tuple[Order, ...] = (Order.ORIGINAL,)
    recordings: tuple[Recording, ...] = ()
    annotators: tuple[str, ...] = ()
    scale: Scale | None = None
    overall: Iterable[Item] = ()
    annotated_on: Scale | None = None
    about: About = NOTHING_KNOWN

    def __post_init__(self) -> None:
        if next(iter(self.items), None) is None:
            raise JuriesError(f"dataset {self.name}: has no items; check its file and filters")

    @cached_property  # items may be read from a file each time
    def pairwise(self) -> bool:
        """Whether the items are pairs of answers rather than single ones."""
        return any(item.opponent for item in self.items)

    @cached_property
    def label_scale(self) -> Scale:
        """The scale of the human labels."""
        return self.scale or (Scale.preference() if self.pairwise else Scale.binary())

    def loaded(self) -> Self:
        """Return the dataset with all of its items in memory."""
        return replace(self, items=tuple(self.items), overall=tuple(self.overall))

    def by_criteria(self, criteria: Mapping[str, str] | None) -> Self:
        """Return the dataset with an item for each criterion, and the criteria's descriptions.

        Of items that name a criterion only descriptions are filled in, where they have none; items
        among them that name none are answers as a whole (`overall`). Where no item names one, each
        becomes an item a criterion, and its human label that of the answer as a whole.

        Parameters
        ----------
        criteria : mapping of str to str, optional
            The description of each criterion; without any, nothing changes.
        """
        if not criteria:
            return self
        items, overall = self.items, self.overall

        def described(item: Item) -> Item:
            text = item.criterion_description or criteria.get(item.criterion, "")
            return replace(item, criterion_description=text)

        if any(item.criterion for item in items):
            named = Streamed(lambda: (described(item) for item in items if item.criterion))
            whole = Streamed(lambda: (i for i in chain(overall, items) if not i.criterion))
            return replace(self, items=named, overall=whole)
        parts = Streamed(
            lambda: (
                described(replace(item, criterion=name, human=None, human_votes=()))
                for item in items
                for name in criteria
            )
        )
        return replace(self, items=parts, overall=items)

    def sample(self, limit: int | None, seed: int | None) -> Self:
        """Return `limit` of the questions with all their answers, in the dataset's order.

        The first ones without a seed; with one, a random sample that depends only on the seed and
        the questions' ids. A larger limit includes all questions of a smaller one, so that their
        verdicts are reused.
        """
        if limit is None:
            return self
        if limit < 1:
            raise JuriesError(f"dataset {self.name}: limit is {limit}; set 1 or more, or null")
        questions: Iterable[str] = dict.fromkeys(item.item_id for item in self.items)
        if seed is not None:
            questions = sorted(questions, key=lambda question: sampling_key(seed, question))
        chosen = frozenset(islice(questions, limit))
        return self._where(lambda item: item.item_id in chosen)

    def _where(self, stays: Callable[[Item], bool]) -> Self:
        items, overall = self.items, self.overall
        return replace(
            self,
            items=Streamed(lambda: filter(stays, items)),
            overall=Streamed(lambda: filter(stays, overall)),
        )

    def shard(self, part: Shard) -> Self:
        """Return one part's questions with all their answers, in the dataset's order.

        A question's text decides, so that no two shards have items with the same prompt, whatever
        the order of the items and their ids.

        Raises
        ------
        JuriesError
            If the shard has no question.
        """
        if part.shard is None:
            return self
        if not any(part.holds(item.question or item.item_id) for item in self.items):
            raise JuriesError(
                f"dataset {self.name}: no question falls into shard {part.shard} of {part.shards}; "
                "set fewer shards"
            )
        return self._where(lambda item: part.holds(item.question or item.item_id))


def sampling_key(seed: int, *about: str) -> bytes:
    """Return the pseudo-random number that a seed gives to what the texts name.

    Sorted by it, things are in a random order that depends on nothing else.
    """
    return hashlib.sha256("/".join([str(seed), *about]).encode("utf-8", "replace")).digest()


def check_unique(placed: Iterable[tuple[str, Item]], path: str) -> None:
    """Raise JuriesError if two rows are about the same answer, naming both.

    `placed` yields each item with its place in the file and is iterated a second time if a
    duplicate is likely; only a hash of 8 bytes per item is kept in memory.
    """
    codes = np.fromiter((hash(identity_of(item)) for _, item in placed), np.int64)
    found, counts = np.unique(codes, return_counts=True)
    twice = set(found[counts > 1].tolist())
    if not twice:
        return
    first: dict[tuple[str, ...], str] = {}
    for place, item in placed:
        identity = identity_of(item)
        if hash(identity) not in twice:
            continue
        if identity in first:
            raise JuriesError(
                f"{path}, {place}: item {item.item_id!r} of candidate {item.candidate!r} is "
                f"already in {first[identity]}; give each answer "
                "an item_id, candidate and criterion of its own"
            )
        first[identity] = place
