"""All juries of some voters, counted on the distinct patterns of votes and human label.

The same votes come back in many items, so items are reduced to their distinct patterns. All juries
decide each pattern once, and then all counts of all resamples are products of matrices: what each
jury decided on each pattern, times how often a resample drew it. What a jury leaves undecided
counts too: a search that left it out would be won by juries that decide the easy items only.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
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
from ..scale import Scale
from .found_juries import Resampled, every_jury, slices
from .measured import credited
from .undecided import Undecided, filled

Numbers = npt.NDArray[Any]  # float32 where that is exact, else float64
EXACT_FLOAT32 = 1 << 23  # up to here float32 counts halves exactly
HELD_COUNTS = 1 << 24  # counts in memory at a time
CACHED_MEASURES = 1 << 16  # measured at a time, so that temporary arrays stay in the cache
SAME_KAPPA = 1e-9  # two kappas closer than this differ by rounding alone
HALF, NO_VOTE = 2, 3  # codes of a vote beside 0 and 1: for neither side; none
POSITIVE = np.array([0.0, 1.0, 0.5, 0.0])  # by code: how much of a vote is for positive
VOTED = np.array([1.0, 1.0, 1.0, 0.0])


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
        See `found_juries.every_jury`.
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
        cells = self._cells(self.voted, self.total)
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

    def _cells(self, codes: Numbers, weights: Array) -> Array:
        """Return counts as `agreement` takes them, of votes of shape (m, p): (m, 4).

        The weights, how often each pattern counts, have the shape (p,) or (m, p).
        """
        positive, voted = POSITIVE[codes] * weights, VOTED[codes] * weights
        tp, true = positive @ self.human, voted @ self.human
        fp, n = positive.sum(axis=1) - tp, voted.sum(axis=1)
        return np.stack([tp, fp, true - tp, n - true - fp], axis=-1)

    def _by_question(self, codes: Numbers) -> Array:
        """Return each question's counts of votes of shape (m, p), of shape (questions, m, 4)."""
        cells = [
            counts @ votes[codes[:, at].T]
            for votes in (POSITIVE, VOTED - POSITIVE)
            for at, counts in self.by_label
        ]
        return np.stack(cells, axis=-1)

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
        sums = np.stack([self._by_question(own), self._by_question(other)], axis=2)
        return KAPPA_HALF.of_sums(sums, sums @ np.ones(4), _imagined(2)[:, None])

    def on_questions(self, juries: Index, judges: Index, weights: Array) -> Array:
        """Return kappas of pairs of a jury and a judge on questions that are weighted anew."""
        drawn = np.asarray(weights @ self.counts)

        def kappas(some: slice) -> Array:
            jury, judge = self.decisions[juries[some]], self.voted[judges[some]]
            both = (jury != NO_VOTE) & (judge != NO_VOTE)
            seen = [jury, judge, np.where(both, jury, NO_VOTE), np.where(both, judge, NO_VOTE)]
            cells = [self._cells(codes, drawn[some]) for codes in seen]
            return cohen_kappa(np.stack(cells, axis=1))

        step = max(1, HELD_COUNTS // (64 * len(self.human)))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            parts = pool.map(kappas, slices(len(drawn), step))
            return np.concatenate([np.zeros((0, 4)), *parts])

    def judges_resampled(self, bootstrap: Bootstrap, draws: Resampled) -> Numbers:  # noqa: ARG002
        """Return the judges' kappas in all resamples: single judges are the first juries."""
        return draws.own[: len(self.judges)]

    def resampled(self, bootstrap: Bootstrap) -> Resampled:
        """Return kappas in all resamples: those of every other table of the same seed."""
        largest = int(self.counts.sum(axis=1).max())
        exact = np.float32 if self.clusters * largest < EXACT_FLOAT32 else np.float64
        counted = _Counted(self, exact)
        shape = len(self.juries), bootstrap.resamples
        draws = Resampled(*(np.empty(shape, np.float32) for _ in range(2)))
        step = max(1, HELD_COUNTS // (3 * len(self.juries) + len(self.human)))
        done = 0
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # numpy computes outside of Python's lock
            for drawn in bootstrap.weights(self.clusters):
                for of_drawn in slices(len(drawn), step):
                    totals = counted.totals(drawn[of_drawn].T.astype(exact))
                    to = slice(done, done := done + len(drawn[of_drawn]))
                    rows = max(1, CACHED_MEASURES // (to.stop - to.start))
                    blocks = slices(len(self.juries), rows)
                    list(pool.map(partial(_measure, draws, totals, counted.order, to), blocks))
        return draws


@dataclass(frozen=True)
class _Totals:
    """Counts of juries in w resamples, by the human label (0 or 1) where they are in pairs.

    Attributes
    ----------
    positive : list of two arrays of shape (j, w)
        Votes for positive.
    beside : list of two arrays of shape (j, w)
        Those on the items on which the best judge has a vote.
    gone, gone_beside, gone_judge : lists of two arrays of shape (i, w)
        Items on which a jury has no vote, of them those on which the judge has one, and the judge's
        votes for positive there; of the last i juries only, as the others have all votes.
    labelled, judged, judge : lists of two arrays of shape (w,)
        All items, those on which the judge has a vote, and its votes for positive.
    """

    positive: list[Numbers]
    beside: list[Numbers]
    gone: list[Numbers]
    gone_beside: list[Numbers]
    gone_judge: list[Numbers]
    labelled: list[Numbers]
    judged: list[Numbers]
    judge: list[Numbers]


class _Counted:
    """What a search counts, as matrices whose products with weights are the counts.

    Columns are patterns, or questions where these are fewer. Juries without a missing vote, mostly
    nearly all of them, come first: `order` is the juries' order here.
    """

    def __init__(self, patterns: Patterns, exact: Any) -> None:
        self.exact = exact
        gone = patterns.decisions == NO_VOTE
        incomplete = gone.any(axis=1)
        self.order = np.argsort(incomplete, kind="stable")
        self.by_pattern = patterns.counts.T.tocsr().astype(exact)
        # A question counts for either human label, a pattern for one
        self.questions = len(patterns.human) > 2 * patterns.clusters
        positive = POSITIVE.astype(exact)[patterns.decisions[self.order]]
        gone = gone[incomplete]
        judge, beside = POSITIVE[patterns.voted[patterns.best]], patterns.beside_best
        self.made = {}
        for true in (0, 1):
            of = patterns.human == true
            self.made[true] = [
                self._product(matrix, at)
                for matrix, at in (
                    (positive, of & ~beside),
                    (positive, of & beside),
                    (gone, of),
                    (gone, of & beside),
                    (gone * judge.astype(exact), of),
                    (np.ones((1, len(of))), of),
                    (np.ones((1, len(of))), of & beside),
                    (judge[None], of),
                )
            ]

    def _product(self, matrix: Numbers, at: Mask) -> tuple[Numbers, Index]:
        """Return the columns of a matrix that are not all zero, and which they are."""
        columns = np.flatnonzero(at & matrix.any(axis=0))
        found = np.ascontiguousarray(matrix[:, columns], self.exact)
        if self.questions:
            found = np.ascontiguousarray((self.by_pattern.T[:, columns] @ found.T).T)
            columns = np.flatnonzero(found.any(axis=0))
            found = np.ascontiguousarray(found[:, columns])
        return found, columns

    def totals(self, drawn: Numbers) -> _Totals:
        """Return the counts in resamples that drew each question so often: (questions, w)."""
        weights = drawn if self.questions else self.by_pattern @ drawn
        sides = [
            [matrix @ weights[columns] for matrix, columns in self.made[true]] for true in (0, 1)
        ]
        alone, beside, gone, gone_beside, gone_judge, labelled, judged, judge = (
            list(pair) for pair in zip(*sides, strict=True)
        )
        for one, other in zip(alone, beside, strict=True):
            one += other
        ones = ([side[0] for side in both] for both in (labelled, judged, judge))
        return _Totals(alone, beside, gone, gone_beside, gone_judge, *ones)


def _measure(draws: Resampled, totals: _Totals, order: Index, to: slice, some: slice) -> None:
    """Write some juries' measures in some resamples; blocks of juries do not touch."""
    complete = len(order) - len(totals.gone[0])
    split = min(max(some.start, complete), some.stop)
    for rows in (slice(some.start, split), slice(split, some.stop)):
        at = slice(rows.start - complete, rows.stop - complete)

        def less(
            sides: list[Numbers], gone: list[Numbers], rows: slice = rows, at: slice = at
        ) -> list[Array]:
            if rows.start < complete:  # nothing is missing
                return sides
            return [side - one[at] for side, one in zip(sides, gone, strict=True)]

        false, true = less(totals.labelled, totals.gone)
        fp, tp = (side[rows] for side in totals.positive)
        draws.own[order[rows], to] = kappa_of(tp, fp, true, false)
        false, true = less(totals.judged, totals.gone_beside)
        fp, tp = (side[rows] for side in totals.beside)
        judge_fp, judge_tp = less(totals.judge, totals.gone_judge)
        judge = kappa_of(judge_tp, judge_fp, true, false)
        draws.difference[order[rows], to] = kappa_of(tp, fp, true, false) - judge


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
    return int(np.flatnonzero(kappa >= np.nanmax(kappa) - SAME_KAPPA)[0])


def best_first(eligible: Array, value: Array) -> list[int]:
    """Return the judges' columns from the best to the worst, those that may not be chosen last."""
    low = np.nan_to_num(value, nan=-np.inf)
    rank = np.nan_to_num(eligible, nan=-np.inf)
    return [int(at) for at in np.lexsort((np.arange(len(low)), -low, -rank))]
