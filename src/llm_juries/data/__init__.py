"""Datasets: one module a source; each returns a Dataset of Items and their human labels.

Add a dataset by adding a yaml to conf/dataset whose `_target_` is a function of this package (or of
yours) that returns a Dataset.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from ..types import Item, JuriesError, Kind, Order


class Seen(NamedTuple):
    """What a judge was shown: the identity of an item and the order of its answers."""

    item_id: str
    candidate: str
    opponent: str
    order: Order


@dataclass(frozen=True)
class Recording:
    """One judge's recorded verdicts, as the cells of the table they came in.

    Parameters
    ----------
    judge, prompt : str
    family : str
    kind : {"judge", "lexical"}
    source : str
        SHA-256 of the file they were read from: it stands for the judge in every key.
    cells : mapping of Seen to str
    threshold : float
        At which a number counts as correct.
    words : mapping of str to float
        What the other cells mean.
    """

    judge: str
    prompt: str
    family: str
    kind: Kind
    source: str
    cells: Mapping[Seen, str]
    threshold: float = 0.5
    words: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """Items to judge, and the recorded judges that came with them.

    Parameters
    ----------
    name : str
    items : tuple of Item
    labels : str
        Who labelled the items, in words for reports.
    note : str
        What else a reader of its numbers must know.
    orders : tuple of Order
        The orders in which a pair is shown; single answers have one.
    recordings : tuple of Recording
        Verdicts that came with the data.
    annotators : tuple of str
        Whose labels an item's `human_votes` are, in that order.
    """

    name: str
    items: tuple[Item, ...]
    labels: str = ""
    note: str = ""
    orders: tuple[Order, ...] = (Order.ORIGINAL,)
    recordings: tuple[Recording, ...] = ()
    annotators: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.items:
            raise JuriesError(f"dataset {self.name}: holds no items")

    @property
    def pairwise(self) -> bool:
        """Whether the items are pairs of answers rather than single ones."""
        return any(item.opponent for item in self.items)

    def sample(self, limit: int | None, seed: int | None) -> Self:
        """Return `limit` of the questions with all their answers, in the dataset's order.

        The first ones without a seed; with one, a random sample that depends on nothing but the
        seed and the questions' ids.
        """
        if limit is None:
            return self
        if limit < 1:
            raise JuriesError(f"dataset {self.name}: limit is {limit}; take 1 or more, or null")
        questions = list(dict.fromkeys(item.item_id for item in self.items))
        if seed is None:
            chosen = set(questions[:limit])
        else:
            questions.sort()
            chosen = set(random.Random(seed).sample(questions, min(limit, len(questions))))  # noqa: S311
        return replace(self, items=tuple(i for i in self.items if i.item_id in chosen))


def check_unique(items: Iterable[Item], places: Iterable[str], path: str) -> None:
    """Raise JuriesError if two rows are about the same answer, naming both."""
    first: dict[tuple[str, str, str], str] = {}
    for item, place in zip(items, places, strict=True):
        identity = (item.item_id, item.candidate, item.opponent)
        if identity in first:
            raise JuriesError(
                f"{path}, {place}: item {item.item_id!r} of candidate {item.candidate!r} stands "
                f"already in {first[identity]}; each answer needs ids of its own"
            )
        first[identity] = place
