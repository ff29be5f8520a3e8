"""All juries of some judges: their names, and what a search of them must offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..juries.rules import Rule
from ..metrics.arrays import Array, Index, Mask
from ..metrics.bootstrap import Bootstrap
from ..metrics.intervals import Reweighted, Transform

Numbers = npt.NDArray[Any]
SAME = 1e-9  # values closer than this differ by rounding alone


@dataclass(frozen=True)
class Resampled:
    """What b resamples choose, and what they measure.

    Attributes
    ----------
    winners, judge_winners : arrays of shape (b,)
        The jury and the judge with the highest measure of those that may be chosen, the first of
        equals; -1 where none has a value.
    difference : array of shape (j, b)
        The juries' measure above the best judge's, on the items both have a vote on.
    """

    winners: Index
    judge_winners: Index
    difference: Numbers


class Winners:
    """The first of the highest values in each of b resamples, of rows that come in parts.

    Attributes
    ----------
    first : array of shape (b,)
        The row, -1 where no row has a value.
    """

    def __init__(self, resamples: int) -> None:
        self.first = np.full(resamples, -1)
        self._most = np.full(resamples, -np.inf)

    def see(self, values: Numbers, rows: Index, eligible: Mask) -> None:
        """Take in some rows.

        Parameters
        ----------
        values : array of shape (r, b)
            NaN is none.
        rows : array of shape (r,)
            Their numbers, rising.
        eligible : array
            Whether each row of all may be chosen.
        """
        some = np.searchsorted(rows, len(eligible))
        values, rows = values[:some], rows[:some]
        able = eligible[rows]
        if not able.any():
            return
        values, rows = (values, rows) if able.all() else (values[able], rows[able])
        with np.errstate(invalid="ignore"):
            most = np.fmax.reduce(values, axis=0)
            at = np.flatnonzero(most >= self._most)
        first = rows[(values[:, at] == most[at]).argmax(axis=0)]
        better = (most[at] > self._most[at]) | (first < self.first[at])
        self.first[at[better]], self._most[at[better]] = first[better], most[at[better]]


class Search(Protocol):
    """All juries of k judges under one rule on some votes, and how each is measured.

    Attributes
    ----------
    rule, measure : Rule, str
        The measure's name.
    judges, juries : tuples of k and j str
    members : array of shape (j, k)
    human_items, questions, clusters : int
        The labelled items, how many questions they are of, and all questions.
    sums : int
        About how many numbers a jury takes for its intervals.
    n, n_both : arrays of shape (j,)
        The labelled items that a jury has a vote on; those on which the best judge has one, too.
    undecided : array of shape (j,)
        The labelled items that a jury's own rule leaves open.
    judge_n, judge_values, judge_eligible : arrays of shape (k,)
    best : int
        The best judge of those that may be chosen.
    coverage : float
    """

    rule: Rule
    measure: str
    judges: tuple[str, ...]
    juries: tuple[str, ...]
    members: Mask
    human_items: int
    questions: int
    clusters: int
    sums: int
    n: Index
    n_both: Index
    undecided: Index
    judge_n: Index
    judge_values: Array
    judge_eligible: Mask
    best: int
    coverage: float

    def own(self, some: slice) -> Mapping[str, tuple[Reweighted, Transform]]:
        """Return the measures of some juries, the headline first."""

    def beside(self, some: slice) -> Reweighted:
        """Return the headline of juries and of the best judge on the items both have a vote on.

        The values have the shape (..., juries, 2).
        """

    def resampled(self, bootstrap: Bootstrap, eligible: Mask) -> Resampled:
        """Choose and measure in all resamples; `eligible` are the juries that may be chosen."""

    def pairs(self, juries: Index, judges: Index) -> Array:
        """Return each question's sums of m pairs of a jury and a judge: (questions, m, 4, s).

        The four are the jury, the judge, and both on the items that both have a vote on.
        """

    def formula(self, sums: Array) -> Array:
        """Return the headline of sums of shape (..., s)."""


def every_jury(judges: tuple[str, ...]) -> tuple[tuple[str, ...], Mask]:
    """Return the names of all juries of k judges, and their members, of shape (j, k).

    Small ones come first, single judges too, then by name: of equals, the first is chosen.
    """
    rows = [
        members
        for size in range(1, len(judges) + 1)
        for members in combinations(range(len(judges)), size)
    ]
    seated = np.zeros((len(rows), len(judges)), bool)
    for row, members in enumerate(rows):
        seated[row, list(members)] = True
    return tuple(" + ".join([judges[at] for at in members]) for members in rows), seated


def first_of(values: Array, eligible: Mask) -> int:
    """Return the first of the highest that may be chosen."""
    able = np.where(eligible, values, np.nan)
    return int(np.flatnonzero(able >= np.nanmax(able) - SAME)[0])


def slices(length: int, step: int) -> Iterator[slice]:
    """Yield slices of at most `step` that cover a length."""
    for start in range(0, length, step):
        yield slice(start, min(length, start + step))
