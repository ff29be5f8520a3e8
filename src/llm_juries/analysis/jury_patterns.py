"""All juries of some voters, counted on the distinct patterns of votes and human label.

The same votes come back in many items, so items are reduced to their distinct patterns. All juries
decide each pattern once, and then all counts of all resamples are products of matrices: what each
jury decided on each pattern, times how often a resample drew it. What a jury leaves undecided
counts too: a search that left it out would be won by juries that decide the easy items only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import JuriesError
from ..juries.panel import Panel
from ..juries.rules import Jury, Rule, any_positives, complete, majorities
from ..juries.votes import TIE, Votes
from ..metrics import agreement
from ..metrics.agreement import cohen_kappa, kappa_of
from ..metrics.arrays import Array, Index, Mask
from ..metrics.bootstrap import Bootstrap
from ..metrics.intervals import Reweighted, Transform
from ..metrics.nominal import ACCURACY_HALF, KAPPA_HALF
from ..metrics.threads import threads
from ..scale import Scale
from .every_jury import SAME, Numbers, Resampled, Winners, every_jury, slices
from .measured import credited
from .undecided import Undecided, filled

EXACT_FLOAT32 = 1 << 23  # up to here float32 counts halves exactly
HELD_COUNTS = 1 << 24  # counts in memory at a time
BLOCK = 512  # juries, and resamples, that are counted at a time
AHEAD = 16  # blocks of resamples that wait to be counted
HALF, NO_VOTE = 2, 3  # codes of a vote beside 0 and 1: for neither side; none
POSITIVE = np.array([0.0, 1.0, 0.5, 0.0])  # by code: how much of a vote is for positive
NEGATIVE = np.array([1.0, 0.0, 0.5, 0.0])
SIDES = (agreement.TP, agreement.FN), (agreement.FP, agreement.TN)  # by the label, 1 and 0


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
    juries, members : tuple of j str, array of shape (j, k)
        See `every_jury.every_jury`.
    decisions : array of shape (j, p)
        1, 0, HALF or NO_VOTE, of each jury on each pattern, undecided items counted.
    undecided : array of shape (j,)
        How many labelled items each jury leaves open by its own rule.
    human, voted : arrays of shape (p,) and (k, p)
        The human label; the judges' own votes, 1, 0, HALF or NO_VOTE.
    best : int
        The best judge of those that vote on enough items.
    counts : sparse array of shape (questions, p)
        How often each pattern comes in each question, in the order of the sorted questions.
    by_label : pairs of arrays
        Which patterns have the human label 1, then 0, and their `counts`.
    total : array of shape (p,)
        How often each pattern comes at all.
    """

    measure = "kappa"

    def __init__(
        self,
        panel: Panel,
        names: tuple[str, ...],
        rule: Rule,
        undecided: Undecided,
        coverage: float,
    ) -> None:
        from scipy.sparse import csr_array

        self.dataset, self.judges = panel.dataset.name, names
        self.rule, self.coverage = rule, coverage
        self.juries, self.members = every_jury(names)

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
        # Questions without a label are drawn too, as for every other interval of the package.
        questions, question = np.unique(np.asarray(panel.questions), return_inverse=True)
        self.counts = csr_array(
            (np.ones(len(labelled)), (question[labelled], pattern.ravel())),
            shape=(len(questions), len(first)),
        )
        self.total = np.asarray(self.counts.sum(axis=0), float).ravel()
        self.human_items, self.clusters = len(labelled), len(questions)
        self.questions = len(np.unique(question[labelled]))
        patterns = votes.rows(labelled[first])
        self.human = panel.human[labelled[first]]
        labels = (np.flatnonzero(self.human == true) for true in (1, 0))
        self.by_label = [(at, self.counts[:, at]) for at in labels]
        own = credited(patterns)
        self.voted = _coded(filled(own, self.human, undecided).T)
        cells = self._by_question(self.voted).sum(axis=0)
        self.judge_n, self.judge_values = cells.sum(axis=-1).astype(int), cohen_kappa(cells)
        enough = self.judge_n >= coverage * self.human_items
        self.judge_eligible = enough & ~np.isnan(self.judge_values)
        eligible = np.where(self.judge_eligible, self.judge_values, np.nan)
        self.best = first_best(eligible, self.dataset, coverage)
        order = best_first(eligible, self.judge_values)
        self.decisions = np.empty((len(self.juries), len(first)), np.int8)
        self.undecided = np.empty(len(self.juries), int)
        step = max(1, HELD_COUNTS // (8 * len(first)))
        for some in slices(len(self.juries), step):
            members = self.members[some]
            decided = self._pooled(patterns, own, some)
            sided = (decided == 0) | (decided == 1)
            self.undecided[some] = self.human_items - self.total @ sided
            fallback = [(own[:, at], members[:, at]) for at in order]
            self.decisions[some] = _coded(filled(decided, self.human, undecided, fallback)).T
        self.beside_best = self.voted[self.best] != NO_VOTE
        there = self.decisions != NO_VOTE
        self.n = (there @ self.total).astype(int)
        self.n_both = (there @ (self.total * self.beside_best)).astype(int)
        self.sums = 12 * self.clusters

    def _pooled(self, patterns: Votes, own: Array, some: slice) -> Array:
        """Return what juries decide by their own rule, ties a half, of shape (p, juries)."""
        labels, members = patterns.labels, self.members[some]
        if self.rule in ("majority", "any"):
            decided = (majorities if self.rule == "majority" else any_positives)(labels, members)
            tied = np.isnan(decided) & complete(labels, members)
            pooled = np.where(tied, 0.5, decided)
        else:
            pooled = np.hstack(
                [
                    credited(
                        Jury(name, tuple(np.array(self.judges)[at].tolist()), self.rule).decide(
                            patterns
                        )
                    )
                    for name, at in zip(self.juries[some], members, strict=True)
                ]
            )
        for row, at in enumerate(members):
            if at.sum() == 1:  # a judge, whatever the rule would make of its scores
                pooled[:, row] = own[:, at][:, 0]
        return pooled

    def _by_question(self, codes: Numbers) -> Array:
        """Return each question's counts of votes of shape (m, p), of shape (questions, m, 4)."""
        cells = np.empty((self.clusters, len(codes), 4))
        for (at, counts), (positive, negative) in zip(self.by_label, SIDES, strict=True):
            seen = codes[:, at].T
            found = counts @ np.hstack([POSITIVE[seen], NEGATIVE[seen]])
            cells[..., positive], cells[..., negative] = np.hsplit(found, 2)
        return cells

    def own(self, some: slice) -> dict[str, tuple[Reweighted, Transform]]:
        """Return kappa and accuracy of some juries."""
        sums = self._by_question(self.decisions[some])
        items, cells = sums @ np.ones(4), _imagined(1)
        return {
            measure.name: (measure.of_sums(sums, items, cells), measure.transform)
            for measure in (KAPPA_HALF, ACCURACY_HALF)
        }

    def beside(self, some: slice) -> Reweighted:
        """Return kappa of juries and of the best judge on the items both have a vote on."""
        juries, judge = self.decisions[some], self.voted[self.best]
        own = np.where(self.beside_best, juries, NO_VOTE)
        other = np.where(juries != NO_VOTE, judge, NO_VOTE)
        if (juries != NO_VOTE).all():  # mostly
            other = judge[None]
        both = np.broadcast_arrays(self._by_question(own), self._by_question(other))
        sums = np.stack(both, axis=2)
        return KAPPA_HALF.of_sums(sums, sums @ np.ones(4), _imagined(2)[:, None])

    def pairs(self, juries: Index, judges: Index) -> Array:
        """Return each question's counts of pairs of a jury and a judge: (questions, m, 4, 4)."""
        jury, judge = self.decisions[juries], self.voted[judges]
        both = (jury != NO_VOTE) & (judge != NO_VOTE)
        seen = [jury, judge, np.where(both, jury, NO_VOTE), np.where(both, judge, NO_VOTE)]
        return (
            self._by_question(np.concatenate(seen)).reshape(self.clusters, 4, -1, 4).swapaxes(1, 2)
        )

    def formula(self, sums: Array) -> Array:
        """Return kappa."""
        return cohen_kappa(sums)

    def resampled(self, bootstrap: Bootstrap, eligible: Mask) -> Resampled:
        """Choose by kappa in all resamples: those of every other table of the same seed."""
        largest = int(self.counts.sum(axis=1).max())
        exact = np.float32 if self.clusters * largest < EXACT_FLOAT32 else np.float64
        counted = _Counted(self, exact)
        winners, judge_winners = (np.empty(bootstrap.resamples, np.intp) for _ in range(2))
        difference = np.empty((len(self.juries), bootstrap.resamples), np.float32)

        def measured(drawn: Array, to: slice) -> None:
            jury, judge = Winners(len(drawn)), Winners(len(drawn))
            for at, own, gap in counted.kappas(drawn):
                difference[at, to] = gap
                jury.see(own, at, eligible)
                judge.see(own, at, self.judge_eligible)
            winners[to], judge_winners[to] = jury.first, judge.first

        done = 0
        with threads() as pool:
            running: deque[Future[None]] = deque()
            for drawn in bootstrap.weights(self.clusters):
                for some in slices(len(drawn), BLOCK):
                    to = slice(done, done := done + some.stop - some.start)
                    running.append(pool.submit(measured, drawn[some], to))
                while len(running) > AHEAD:
                    running.popleft().result()
            for one in running:
                one.result()
        return Resampled(winners, judge_winners, difference)


@dataclass(frozen=True)
class _Matrix:
    """Counts of votes of shape (juries, c), in the columns where there are any."""

    counts: Numbers
    columns: Index

    def weighted(self, weights: Numbers) -> Numbers:
        """Return the weights of its columns, of shape (c, w)."""
        return weights if len(self.columns) == len(weights) else weights[self.columns]


_Sides = list[_Matrix]  # by the human label, 0 and 1


class _Counted:
    """What a search counts, as matrices whose products with weights are the counts in resamples.

    Columns are patterns, or questions where these are fewer. Most juries have a vote on each item;
    of the others it is counted what they miss.
    """

    def __init__(self, patterns: Patterns, exact: Any) -> None:
        self.exact = exact
        self.by_pattern = patterns.counts.T.tocsr().astype(exact)
        # A question counts for either human label, a pattern for one
        self.questions = len(patterns.human) > 2 * patterns.clusters
        self.sides = [patterns.human == true for true in (0, 1)]
        beside, every = patterns.beside_best, np.ones((1, len(patterns.human)), exact)
        alone = ~beside
        judge = POSITIVE[patterns.voted[patterns.best]]
        self.judge = [
            self._matrices(every),
            self._matrices(every, beside),
            self._matrices(judge[None]),
        ]
        gone = patterns.decisions == NO_VOTE
        incomplete = gone.any(axis=1)
        self.groups: list[tuple[Index, list[_Sides]]] = []
        for juries in (np.flatnonzero(~incomplete), np.flatnonzero(incomplete)):
            votes, missing = POSITIVE.astype(exact)[patterns.decisions[juries]], gone[juries]
            made = [self._matrices(votes, alone), self._matrices(votes, beside)]
            if missing.any():
                made += [self._matrices(missing), self._matrices(missing, beside)]
                made += [self._matrices(missing * judge)]
            self.groups.append((juries, made))

    def _matrices(self, votes: Numbers, at: Mask | bool = True) -> _Sides:
        """Return the counts of votes of shape (juries, patterns) on some patterns."""
        return [self._matrix(votes, side & at) for side in self.sides]

    def _matrix(self, votes: Numbers, at: Mask) -> _Matrix:
        columns = np.flatnonzero(at & votes.any(axis=0))
        counts = votes[:, columns].astype(self.exact)
        if self.questions:
            counts = (self.by_pattern.T[:, columns] @ counts.T).T
            columns = np.flatnonzero(counts.any(axis=0))
            counts = counts[:, columns]
        return _Matrix(np.ascontiguousarray(counts), columns)

    def kappas(self, drawn: Array) -> Iterator[tuple[Index, Numbers, Numbers]]:
        """Yield some juries, their kappas and by how much they are above the best judge's.

        Parameters
        ----------
        drawn : array of shape (w, questions)
            How often each resample drew each question.

        Yields
        ------
        arrays of shape (some,), (some, w) and (some, w)
        """
        weights = np.ascontiguousarray(drawn.T, self.exact)
        if not self.questions:
            weights = self.by_pattern @ weights

        def weighted(sides: _Sides) -> list[tuple[Numbers, Numbers]]:
            return [(one.counts, one.weighted(weights)) for one in sides]

        labels, judged, judge = (
            [(counts @ times)[0] for counts, times in weighted(sides)] for sides in self.judge
        )
        for juries, matrices in self.groups:
            products = [weighted(sides) for sides in matrices]
            for rows in slices(len(juries), BLOCK):
                alone, beside, *gone = (
                    [counts[rows] @ times for counts, times in sides] for sides in products
                )
                own, common, other = labels, judged, judge
                if gone:
                    own, common, other = (
                        [all_ - less for all_, less in zip(one, lost, strict=True)]
                        for one, lost in zip((labels, judged, judge), gone, strict=True)
                    )
                fp, tp = (one + more for one, more in zip(alone, beside, strict=True))
                gap = kappa_of(beside[1], beside[0], common[1], common[0])
                gap -= kappa_of(other[1], other[0], common[1], common[0])
                yield juries[rows], kappa_of(tp, fp, own[1], own[0]), gap


@cache
def _imagined(voters: int) -> Array:
    """Return the counts of imagined votes of a jury, or of a jury and a judge: (cells, k, 4)."""
    made = KAPPA_HALF.imagined(Scale.binary(), voters, jointly=voters > 1)
    return agreement.with_halves(made[:, :-1], made[:, -1])


def _coded(votes: Array) -> npt.NDArray[np.int8]:
    """Return votes of 1, 0, 0.5 and NaN as codes."""
    codes = np.select([votes == 1, votes == 0, votes == 0.5], [1, 0, HALF], NO_VOTE)
    return codes.astype(np.int8)


def first_best(kappa: Array, dataset: str, coverage: float) -> int:
    """Return the first of the highest, leaving out those that are NaN."""
    if np.isnan(kappa).all():
        raise JuriesError(
            f"jury search: {dataset}: no judge has a kappa and votes on {coverage:.0%} of the "
            "labelled items; set undecided=half or wrong, lower the coverage (analysis.coverage), "
            "or label items of both kinds"
        )
    return int(np.flatnonzero(kappa >= np.nanmax(kappa) - SAME)[0])


def best_first(eligible: Array, value: Array) -> list[int]:
    """Return the judges' columns from the best to the worst, those that may not be chosen last."""
    low = np.nan_to_num(value, nan=-np.inf)
    rank = np.nan_to_num(eligible, nan=-np.inf)
    return [int(at) for at in np.lexsort((np.arange(len(low)), -low, -rank))]
