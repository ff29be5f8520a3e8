"""All juries of some voters, counted on the distinct patterns of votes and human label.

The same votes come back in many items, so items are reduced to their distinct patterns. Each jury
decides each pattern once, and then all counts of all resamples are products of matrices: how often
a resample drew each pattern, times what each jury decided there. What a jury leaves undecided
counts too: a search that left it out would be won by juries that decide the easy items only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import JuriesError
from ..juries.panel import Panel
from ..juries.rules import Jury, Rule
from ..juries.votes import TIE
from ..metrics import agreement
from ..metrics.agreement import accuracy, cohen_kappa
from ..metrics.arrays import Array
from ..metrics.bootstrap import Bootstrap
from .measured import credited
from .undecided import Undecided, filled

Numbers = npt.NDArray[Any]  # float32 where that is exact, else float64
EXACT_FLOAT32 = 1 << 23  # up to here float32 counts halves exactly
HELD_COUNTS = 1 << 26  # counts in memory at a time
CACHED_MEASURES = 1 << 15  # measured at a time, so that temporary arrays stay in the cache
SAME_KAPPA = 1e-9  # two kappas closer than this differ by rounding alone
HALF, NO_VOTE = 2, 3  # codes of a vote beside 0 and 1: for neither side; none


@dataclass(frozen=True)
class Resampled:
    """Measures of j juries in b resamples, each of shape (j, b)."""

    kappa: Numbers
    accuracy: Numbers
    difference: Numbers


class Patterns:
    """All juries of some voters under one rule, on the distinct patterns of votes.

    Parameters
    ----------
    panel : Panel
    names : tuple of k str
        The voters whose juries are searched.
    rule : rule
    undecided : {"best_member", "half", "wrong"}
        See `analysis.jury_search.Criteria`.
    coverage : float
        The share of the labelled items that a judge or jury must have a vote on to be chosen.

    Attributes
    ----------
    juries : tuple of j Jury
        Small ones first, then by name: of equals, the first is chosen.
    decisions : array of shape (j, p)
        1, 0, HALF or NO_VOTE, of each jury on each pattern, undecided items counted.
    alone : array of shape (j,)
        How many labelled items each jury decides by its own rule.
    human, voted : arrays of shape (p,) and (k, p)
        The human label; the judges' own votes, 1, 0, HALF or NO_VOTE.
    best : int
        The best judge of those that vote on enough items.
    counts : sparse array of shape (questions, p)
        How often each pattern comes in each question, in the order of the sorted questions.
    """

    def __init__(
        self,
        panel: Panel,
        names: tuple[str, ...],
        rule: Rule,
        undecided: Undecided,
        coverage: float,
    ) -> None:
        from scipy.sparse import csr_array

        self.dataset, self.names = panel.dataset.name, names
        self.rule, self.coverage = rule, coverage
        self.juries = tuple(
            Jury(" + ".join(members), members, rule)
            for size in range(1, len(names) + 1)
            for members in combinations(names, size)
        )
        self.members = np.array([[n in jury.members for n in names] for jury in self.juries])

        votes = panel.votes.columns(names)
        labelled = np.flatnonzero(~np.isnan(panel.human))
        if not labelled.size or np.isnan(votes.labels[labelled]).all():
            raise JuriesError(
                f"jury search: {self.dataset} has no item with both a human label and a vote; "
                "label some, or ask the judges first"
            )
        seen = np.column_stack([panel.human, votes.labels, credited(votes)])
        if rule not in ("majority", "any"):  # a tied vote's score counts, a missing one's does not
            seen = np.column_stack([seen, votes.scores, votes.outcomes == TIE])
        _, first, pattern = np.unique(
            np.nan_to_num(seen[labelled], nan=-np.inf),  # as a NaN equals nothing
            axis=0,
            return_index=True,
            return_inverse=True,
        )
        patterns = votes.rows(labelled[first])
        human = panel.human[labelled[first]]
        # Questions without a label are drawn too, as for every other interval of the package.
        questions, question = np.unique(np.asarray(panel.questions), return_inverse=True)
        counts = csr_array(
            (np.ones(len(labelled)), (question[labelled], pattern.ravel())),
            shape=(len(questions), len(first)),
        )
        self.human, self.counts = human.astype(int), counts
        own = credited(patterns)
        self.voted = _coded(filled(own, human, undecided).T)
        kappa = self.eligible(self.judge_counts(self.total), self.total)[:, 0]
        self.best = first_best(kappa, self.dataset, coverage)
        order = best_first(kappa, cohen_kappa(self.judge_counts(self.total))[:, 0])
        self.decisions = np.empty((len(self.juries), len(first)), np.int8)
        self.alone = np.empty(len(self.juries), int)
        for row, jury in enumerate(self.juries):
            if len(jury.members) == 1:  # a judge, whatever the rule would make of its scores
                self.alone[row] = self.total[np.isin(own[:, row], (0, 1)), 0].sum()
                self.decisions[row] = self.voted[row]
                continue
            decided = jury.decide(patterns)
            members = own[:, [at for at in order if self.members[row, at]]]
            self.alone[row] = self.total[np.isin(decided.labels[:, 0], (0, 1)), 0].sum()
            self.decisions[row] = _coded(filled(credited(decided), human, undecided, members)[:, 0])

        # Those of one human label and one vote of the best judge side by side, to be summed over
        at = np.lexsort((self.voted[self.best], self.human))
        self.human, self.voted, self.counts = self.human[at], self.voted[:, at], counts[:, at]
        self.decisions = self.decisions[:, at]
        self.blocks = {}
        for true in (0, 1):
            for vote in (0, 1, HALF, NO_VOTE):
                at = np.flatnonzero((self.human == true) & (self.voted[self.best] == vote))
                if at.size:
                    self.blocks[true, vote] = slice(at[0], at[-1] + 1)

    @property
    def total(self) -> Array:
        """How often each pattern comes, of shape (p, 1)."""
        return np.asarray(self.counts.sum(axis=0), float).reshape(-1, 1)

    def judge_counts(self, weights: Array) -> Array:
        """Return each judge's own counts, of shape (k, w, 4), for weights of shape (p, w)."""
        return np.asarray(np.einsum("pkc,pw->kwc", self.judge_cells, weights))

    @property
    def judge_cells(self) -> Array:
        """The counts of the judges' own votes on each pattern, of shape (p, k, 4)."""
        return self._cells_of(self.voted.T)

    def _cells_of(self, codes: Numbers) -> Array:
        """Return the counts of votes of shape (p, k) on each pattern, of shape (p, k, 4)."""
        votes = np.array([0.0, 1.0, 0.5, np.nan])[codes]
        return agreement.with_halves(votes, self.human.astype(float))

    def beside(self, jury: int, judge: int) -> Array:
        """Return each question's counts of a jury and a judge: (questions, 4, 4).

        Of the jury, of the judge, and of both again over the items on which both have a vote.
        """
        cells = self._cells_of(np.stack([self.decisions[jury], self.voted[judge]], axis=1))
        both = cells.sum(axis=2).min(axis=1) > 0
        cells = np.concatenate([cells, cells * np.reshape(both, (-1, 1, 1))], axis=1)
        sums: Array = self.counts @ cells.reshape(len(cells), -1)
        return sums.reshape(-1, 4, 4)

    def eligible(self, counts: Array, weights: Array) -> Array:
        """Return the kappas of those with votes on enough items, NaN for the others.

        Parameters
        ----------
        counts : array of shape (..., w, 4)
        weights : array of shape (p, w)
            That the counts were taken with.
        """
        enough = counts.sum(axis=-1) >= self.coverage * weights.sum(axis=0)
        return np.where(enough, cohen_kappa(counts), np.nan)

    def cells(self, weights: Numbers) -> Numbers:
        """Count items by human label, the best judge's vote, and each jury's decision.

        Parameters
        ----------
        weights : array of shape (p, w)
            How often each pattern comes, in each of w draws.

        Returns
        -------
        array of shape (2, 4, 2, j, w)
            A decision for neither side is a half of either.
        """
        cells = np.zeros((2, 4, 2, len(self.juries), weights.shape[1]), weights.dtype)
        for (true, vote), at in self.blocks.items():
            decided = self.decisions[:, at]
            half = 0.5 * (decided == HALF)
            for label in (0, 1):
                np.matmul(
                    ((decided == label) + half).astype(weights.dtype),
                    weights[at],
                    cells[true, vote, label],
                )
        return cells

    def resampled(self, bootstrap: Bootstrap) -> Resampled:
        """Return the measures in all resamples: those of every other table of the same seed."""
        largest = int(self.counts.sum(axis=1).max())
        exact = np.float32 if self.counts.shape[0] * largest < EXACT_FLOAT32 else np.float64
        by_pattern = self.counts.T.tocsr()
        shape = len(self.juries), bootstrap.resamples
        draws = Resampled(*(np.empty(shape, np.float32) for _ in range(3)))
        rows = max(1, HELD_COUNTS // (16 * len(self.juries) + len(self.human)))
        done = 0
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # numpy computes outside of Python's lock
            for drawn in bootstrap.weights(self.counts.shape[0]):
                for of_drawn in slices(len(drawn), rows):
                    cells = self.cells((by_pattern @ drawn[of_drawn].T).astype(exact))
                    to = slice(done, done + cells.shape[-1])
                    done = to.stop
                    blocks = slices(len(self.juries), max(1, CACHED_MEASURES // cells.shape[-1]))
                    list(pool.map(partial(self._measure, draws, cells, to), blocks))
        return draws

    @staticmethod
    def _measure(draws: Resampled, cells: Numbers, to: slice, some: slice) -> None:
        """Write some juries' measures in some resamples; blocks of juries do not touch."""
        kappa, share, difference = measures(cells[..., some, :])
        draws.kappa[some, to], draws.accuracy[some, to] = kappa, share
        draws.difference[some, to] = difference

    @property
    def shapley(self) -> Array:
        """The matrix of shape (k, j) that makes the judges' Shapley values of the juries' kappas.

        The value of a judge is the mean change of kappa when it joins those before it, over all
        orders in which judges can join (Shapley 1953): each size of jury weighs the same. The
        empty jury has kappa 0, which is chance.
        """
        k, size = len(self.names), self.members.sum(axis=1)
        joined = np.array([1 / (k * comb(k - 1, s - 1)) for s in size])
        without = np.array([1 / (k * comb(k - 1, s)) if s < k else 0.0 for s in size])
        return np.where(self.members.T, joined, -without)


def _coded(votes: Array) -> npt.NDArray[np.int8]:
    """Return votes of 1, 0, 0.5 and NaN as codes."""
    codes = np.select([votes == 1, votes == 0, votes == 0.5], [1, 0, HALF], NO_VOTE)
    return codes.astype(np.int8)


def slices(length: int, step: int) -> Iterator[slice]:
    """Yield slices of at most `step` that cover a length."""
    for start in range(0, length, step):
        yield slice(start, min(length, start + step))


def _table(positive: Numbers, negative: Numbers) -> Array:
    """Return counts as `agreement` takes them, from arrays of shape (2, ...) by human label."""
    cells = np.stack([positive[1], positive[0], negative[1], negative[0]], dtype=float)
    return np.moveaxis(cells, 0, -1)


def own_counts(cells: Numbers) -> Array:
    """Return each jury's counts over the items it has a vote on."""
    decided = cells.sum(axis=1)
    return _table(decided[:, 1], decided[:, 0])


def both_counts(cells: Numbers) -> tuple[Array, Array]:
    """Return the juries' counts, and the best judge's, over the items on which both have a vote."""
    both = cells[:, :NO_VOTE]
    jury, judge = both.sum(axis=1), both.sum(axis=2)
    half = judge[:, HALF] / 2
    return (
        _table(jury[:, 1], jury[:, 0]),
        _table(judge[:, 1] + half, judge[:, 0] + half),
    )


def measures(cells: Numbers) -> tuple[Array, Array, Array]:
    """Return the juries' kappa, accuracy, and kappa less that of the best judge.

    The difference is over the items on which both have a vote.
    """
    jury, judge = both_counts(cells)
    own = own_counts(cells)
    return cohen_kappa(own), accuracy(own), cohen_kappa(jury) - cohen_kappa(judge)


def first_best(kappa: Array, dataset: str, coverage: float) -> int:
    """Return the first of the highest, leaving out those that are NaN."""
    if np.isnan(kappa).all():
        raise JuriesError(
            f"jury search: {dataset}: no judge has a kappa and votes on {coverage:.0%} of the "
            "labelled items; set undecided=half or wrong, lower the coverage (analysis.coverage), "
            "or label items of both kinds"
        )
    return int(np.flatnonzero(kappa >= np.nanmax(kappa) - SAME_KAPPA)[0])


def best_first(eligible: Array, value: Array) -> list[int]:
    """Return the judges' columns from the best to the worst, those that may not be chosen last."""
    low = np.nan_to_num(value, nan=-np.inf)
    rank = np.nan_to_num(eligible, nan=-np.inf)
    return [int(at) for at in np.lexsort((np.arange(len(low)), -low, -rank))]


def intervals(draws: Numbers, bootstrap: Bootstrap) -> tuple[Array, Array]:
    """Return the intervals of draws of shape (j, b)."""
    parts = [  # sorted first, as NumPy's quantiles are three times as fast then
        bootstrap.ends(np.sort(draws[some], axis=1).T) for some in slices(len(draws), 256)
    ]
    low, high = (np.concatenate(side) for side in zip(*parts, strict=True))
    return low, high
