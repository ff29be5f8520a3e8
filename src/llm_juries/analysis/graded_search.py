"""The search of juries of graded, cut and nominal votes, by the headline measure.

Votes of yes and no collapse into few patterns (`jury_patterns`); grades do not. But the headline
measures are formulas on sums over items, so a jury is reduced to its sums a question, and all
resamples are one product of matrices.
"""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pandas as pd

from ..errors import JuriesError
from ..juries.panel import Panel
from ..juries.rules import Jury, Rule
from ..metrics.arrays import Array, Index, Mask
from ..metrics.bootstrap import Bootstrap, cluster_sums
from ..metrics.measure import Measure, Ratings
from ..metrics.power import questions_needed
from ..metrics.significance import (
    max_t_quantile,
    normal_p_values,
    standard_errors,
    step_down_max_t,
)
from .found_juries import JurySearch, pareto_front, wins_of
from .jury_validation import Candidates, chosen, first_of
from .measured import headline
from .undecided import Undecided, first_of_members

HELD = 1 << 24  # numbers in memory at a time


class GradedSearch:
    """All juries of some voters under one rule, as sums a question.

    Parameters
    ----------
    panel : Panel
    names : tuple of k str
        The voters whose juries are searched.
    rule : Rule
    undecided : {"best_member"}
    coverage : float
        See `jury_search.search_juries`.
    """

    def __init__(
        self,
        panel: Panel,
        names: tuple[str, ...],
        rule: Rule,
        undecided: Undecided,
        coverage: float,
    ) -> None:
        measure = headline(panel)
        if undecided != "best_member":
            raise JuriesError(
                f"undecided: {undecided} is for votes of yes or no and for preferences, and "
                f"{panel.dataset.name} is {(panel.uncut or panel).scale}; use best_member"
            )
        if not isinstance(measure, Measure):
            raise JuriesError(
                f"jury search: of {panel.scale} votes beside {panel.label_scale} labels only ranks "
                "can be compared; cut the votes with a threshold (analysis.threshold)"
            )
        self.measure, self.names, self.rule, self.coverage = measure, names, rule, coverage
        self.place = panel.dataset.name
        self.human = panel.preferences
        self.panel, self.labels = panel, panel.votes.columns(names).labels
        self.labelled = int((~np.isnan(self.human)).sum())
        if not (~np.isnan(self.labels) & ~np.isnan(self.human)[:, None]).any():
            raise JuriesError(
                f"jury search: {self.place} has no item with both a human label and a vote; label "
                "some, or ask the judges first"
            )
        self.juries = tuple(
            Jury(" + ".join(members), members, rule)
            for size in range(1, len(names) + 1)
            for members in combinations(names, size)
        )
        self.members = np.array([[n in jury.members for n in names] for jury in self.juries])
        self.judge_n = self._counts(self.labels)
        self.judge_values = self._values(self.labels)
        self.judge_eligible = self._enough(self.judge_n) & ~np.isnan(self.judge_values)
        if not self.judge_eligible.any():
            raise JuriesError(
                f"jury search: {self.place}: no judge has a {measure.name} and votes on "
                f"{coverage:.0%} of the labelled items; lower the coverage (analysis.coverage), or "
                "label items of several values"
            )
        self.best = first_of(self.judge_values, self.judge_eligible)
        worth = np.nan_to_num(self.judge_values, nan=-np.inf)
        best_first = np.lexsort((-worth, ~self.judge_eligible))
        self.undecided = np.empty(len(self.juries), int)
        columns = []
        for row, jury in enumerate(self.juries):
            own = panel.decided(jury).labels
            self.undecided[row] = self.labelled - self._counts(own)[0]
            members = self.labels[:, [at for at in best_first if self.members[row, at]]]
            columns.append(first_of_members(own, members))
        self.decisions = np.hstack(columns)
        self.n = self._counts(self.decisions)
        self.values = self._values(self.decisions)

    def tables(self, bootstrap: Bootstrap, dollars: Array) -> JurySearch:
        """Return all tables, with the intervals of one bootstrap."""
        own, gaps, gap = self._resampled(bootstrap)
        return JurySearch(
            self._juries(own, gaps, gap, bootstrap, dollars),
            self._judges(own, bootstrap, dollars),
            self._chosen(own, bootstrap),
        )

    def _counts(self, votes: Array) -> Index:
        """Return how many labelled items each column has a vote on."""
        both = ~np.isnan(votes) & ~np.isnan(self.human)[:, None]
        return np.asarray(both.sum(axis=0))

    def _sums(self, votes: Array) -> Array:
        """Return the statistics of columns summed over each question."""
        rated = Ratings(votes, self.human, self.panel.scale, self.panel.questions)
        return cluster_sums(self.measure.statistics(rated), self.panel.questions)

    def _values(self, votes: Array) -> Array:
        """Return the measure of each column."""
        parts = [
            self.measure.formula(self._sums(votes[:, some]).sum(axis=0)) for some in self._some()
        ]
        return np.concatenate(parts)[: votes.shape[1]]

    def _some(self) -> list[slice]:
        """Return parts of the juries whose statistics fit into memory."""
        size = self.measure.statistics(
            Ratings(self.labels[:1, :1], self.human[:1], self.panel.scale, ["one"])
        ).shape[-1]
        step = max(1, HELD // (4 * max(1, len(self.human)) * size))
        return [slice(at, at + step) for at in range(0, len(self.juries), step)]

    def _enough(self, n: Index) -> Mask:
        return np.asarray((n > 0) & (n >= self.coverage * self.labelled))

    def _beside(self, some: slice) -> Array:
        """Return the sums of juries and of the best judge over the items that both decided."""
        best = self.labels[:, [self.best]]
        juries = self.decisions[:, some]
        own = np.where(np.isnan(best), np.nan, juries)
        other = np.where(np.isnan(juries), np.nan, best)
        return np.stack([self._sums(own), self._sums(other)], axis=2)  # (c, j, 2, s)

    def _judge_beside(self) -> Array:
        """Return the best judge's measure on the items that each jury has a vote on, too."""
        parts = [
            self.measure.formula(self._beside(some).sum(axis=0)[:, 1]) for some in self._some()
        ]
        return np.concatenate(parts)

    def _resampled(self, bootstrap: Bootstrap) -> tuple[Array, Array, Array]:
        """Return the measure and its difference to the best judge's: (j, b), (j, b) and (j,)."""

        def difference(totals: Array) -> Array:
            values = self.measure.formula(totals)
            return np.asarray(values[..., 0] - values[..., 1])

        own, gaps, gap = [], [], []
        for some in self._some():
            own.append(bootstrap.draws(self.measure.formula, self._sums(self.decisions[:, some])).T)
            beside = self._beside(some)
            gaps.append(bootstrap.draws(difference, beside).T)
            gap.append(difference(beside.sum(axis=0)))
        return np.concatenate(own), np.concatenate(gaps), np.concatenate(gap)

    def _juries(
        self, own: Array, gaps: Array, gap: Array, bootstrap: Bootstrap, dollars: Array
    ) -> pd.DataFrame:
        eligible = self._enough(self.n) & ~np.isnan(self.values)
        usd = np.where(self.members, dollars, 0.0).sum(axis=1)
        low, high = bootstrap.ends(own.T)
        gap_low, gap_high = bootstrap.ends(gaps.T)
        return pd.DataFrame(
            {
                "rule": self.rule,
                "jury": [jury.name for jury in self.juries],
                "seats": self.members.sum(axis=1),
                "n": self.n,
                "missing": self.labelled - self.n,
                "undecided": self.undecided,
                self.measure.name: self.values,
                "ci_low": low,
                "ci_high": high,
                "usd_per_item": usd,
                "eligible": eligible,
                "pareto": pareto_front(usd, np.where(eligible, self.values, np.nan)),
                "wins": wins_of(own, eligible),
                "beside": self.names[self.best],
                "n_both": self._counts(self.decisions + self.labels[:, [self.best]]),
                f"judge_{self.measure.name}": self._judge_beside(),
                "difference": gap,
                "difference_low": gap_low,
                "difference_high": gap_high,
                "p": normal_p_values(gap, gaps),
                "p_max_t": step_down_max_t(gap, gaps, "greater"),
                "questions_needed": questions_needed(
                    gap,
                    standard_errors(gaps),
                    len(np.unique(np.asarray(self.panel.questions)[~np.isnan(self.human)])),
                    critical=max_t_quantile(gap, gaps, bootstrap.level, "greater"),
                ),
            }
        )

    def _judges(self, own: Array, bootstrap: Bootstrap, dollars: Array) -> pd.DataFrame:
        shares = shapley(self.members)
        low, high = bootstrap.ends((shares @ own).T)
        return pd.DataFrame(
            {
                "rule": self.rule,
                "judge": self.names,
                "n": self.judge_n,
                "missing": self.labelled - self.judge_n,
                self.measure.name: self.judge_values,
                "shapley": shares @ self.values,
                "ci_low": low,
                "ci_high": high,
                "usd_per_item": dollars,
            }
        )

    def _chosen(self, own: Array, bootstrap: Bootstrap) -> pd.DataFrame:
        def beside(jury: int, judge: int) -> Array:
            one, other = self.decisions[:, jury], self.labels[:, judge]
            both = np.where(np.isnan(one + other), np.nan, 0.0)
            return self._sums(np.stack([one, other, one + both, other + both], axis=1))

        eligible = self._enough(self.n) & ~np.isnan(self.values)
        candidates = Candidates(
            self.rule,
            self.measure.name,
            tuple(jury.name for jury in self.juries),
            self.names,
            self.values,
            self.judge_values,
            own,
            bootstrap.draws(self.measure.formula, self._sums(self.labels)).T,
            eligible,
            self.judge_eligible,
            beside,
            self.measure.formula,
        )
        n = int(self.n[first_of(self.values, eligible)])
        return chosen(candidates, bootstrap, n, self.labelled)


def shapley(members: Mask) -> Array:
    """Return the matrix of shape (k, j) that makes judges' Shapley values of juries' measures.

    `members` has the shape (j, k). See `jury_patterns.Patterns.shapley`.
    """
    k, size = members.shape[1], members.sum(axis=1)
    joined = np.array([1 / (k * comb(k - 1, s - 1)) for s in size])
    without = np.array([1 / (k * comb(k - 1, s)) if s < k else 0.0 for s in size])
    return np.where(members.T, joined, -without)
