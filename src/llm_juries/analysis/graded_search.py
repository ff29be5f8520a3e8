"""The search of juries on graded and nominal scales, by the headline measure.

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
from ..metrics.significance import holm, normal_p_values
from .found_juries import JurySearch, pareto_front, wins_of
from .jury_validation import deal, often
from .measured import headline

HELD = 1 << 24  # numbers in memory at a time
SAME = 1e-9  # values closer than this differ by rounding alone


class GradedSearch:
    """All juries of some voters under one rule, as sums a question.

    Parameters
    ----------
    panel : Panel
    names : tuple of k str
        The voters whose juries are searched.
    rule : Rule
    coverage : float
        See `jury_search.Criteria`.
    """

    def __init__(self, panel: Panel, names: tuple[str, ...], rule: Rule, coverage: float) -> None:
        measure = headline(panel)
        if not isinstance(measure, Measure):
            raise JuriesError(
                f"jury search: of {panel.scale} votes beside {panel.label_scale} labels only ranks "
                "can be compared; cut the votes with a threshold (analysis.threshold)"
            )
        self.measure, self.names, self.rule, self.coverage = measure, names, rule, coverage
        self.place = panel.dataset.name
        votes = panel.votes.columns(names)
        self.human = panel.preferences
        self.panel, self.labels = panel, votes.labels
        self.labelled = int((~np.isnan(self.human)).sum())
        if not (~np.isnan(votes.labels) & ~np.isnan(self.human)[:, None]).any():
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
        self.decisions = np.stack([jury.decide(votes).labels[:, 0] for jury in self.juries], axis=1)
        self.judge_n = self._counts(self.labels)
        self.n = self._counts(self.decisions)
        self.judge_values = self._values(self.labels)
        self.values = self._values(self.decisions)
        self.best = self._first(self.judge_values, self.judge_n, f"on {self.place}")

    def tables(self, bootstrap: Bootstrap, folds: int, dollars: Array) -> JurySearch:
        """Return all tables, with the intervals of one bootstrap."""
        own, gaps, gap = self._resampled(bootstrap)
        return JurySearch(
            self._juries(own, gaps, gap, bootstrap, dollars),
            self._judges(own, bootstrap, dollars),
            self._chosen(bootstrap, folds),
        )

    def _counts(self, votes: Array, rows: Mask | None = None) -> Index:
        """Return how many labelled items each column decides, of all or of some rows."""
        both = ~np.isnan(votes) & ~np.isnan(self.human)[:, None]
        if rows is not None:
            both &= rows[:, None]
        return np.asarray(both.sum(axis=0))

    def _sums(self, votes: Array) -> Array:
        """Return the statistics of columns summed over each question."""
        rated = Ratings(votes, self.human, self.panel.scale, self.panel.questions)
        return cluster_sums(self.measure.statistics(rated), self.panel.questions)

    def _values(self, votes: Array, rows: Mask | None = None) -> Array:
        """Return the measure of each column, over all or some rows."""
        given = votes if rows is None else np.where(rows[:, None], votes, np.nan)
        parts = [
            self.measure.formula(self._sums(given[:, some]).sum(axis=0)) for some in self._some()
        ]
        return np.concatenate(parts)[: votes.shape[1]]

    def _some(self) -> list[slice]:
        """Return parts of the juries whose statistics fit into memory."""
        size = self.measure.statistics(
            Ratings(self.labels[:1, :1], self.human[:1], self.panel.scale, ["one"])
        ).shape[-1]
        step = max(1, HELD // (4 * max(1, len(self.human)) * size))
        return [slice(at, at + step) for at in range(0, len(self.juries), step)]

    def _enough(self, n: Index, judge_n: Index) -> Mask:
        return np.asarray((n > 0) & (n >= self.coverage * judge_n.max()))

    def _first(self, values: Array, n: Index, where: str, judge_n: Index | None = None) -> int:
        """Return the first of the highest that decides enough items."""
        enough = self._enough(n, self.judge_n if judge_n is None else judge_n)
        able = np.where(enough, values, np.nan)
        if np.isnan(able).all():
            raise JuriesError(
                f"jury search: no judge or jury has a {self.measure.name} {where}: humans and "
                "judges must give more than one value; label more items, or set fewer folds"
            )
        return int(np.flatnonzero(able >= np.nanmax(able) - SAME)[0])

    def _beside(self, some: slice) -> Array:
        """Return the sums of juries and of the best judge over the items that both decided."""
        best = self.labels[:, [self.best]]
        juries = self.decisions[:, some]
        own = np.where(np.isnan(best), np.nan, juries)
        other = np.where(np.isnan(juries), np.nan, best)
        return np.stack([self._sums(own), self._sums(other)], axis=2)  # (c, j, 2, s)

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
        eligible = self._enough(self.n, self.judge_n) & ~np.isnan(self.values)
        usd = np.where(self.members, dollars, 0.0).sum(axis=1)
        low, high = bootstrap.ends(own.T)
        gap_low, gap_high = bootstrap.ends(gaps.T)
        p = normal_p_values(gap, gaps)
        return pd.DataFrame(
            {
                "rule": self.rule,
                "jury": [jury.name for jury in self.juries],
                "seats": self.members.sum(axis=1),
                "n": self.n,
                "missing": self.labelled - self.n,
                self.measure.name: self.values,
                "ci_low": low,
                "ci_high": high,
                "usd_per_item": usd,
                "eligible": eligible,
                "pareto": pareto_front(usd, np.where(eligible, self.values, np.nan)),
                "wins": wins_of(own, eligible),
                "beside": self.names[self.best],
                "difference": gap,
                "difference_low": gap_low,
                "difference_high": gap_high,
                "p": p,
                "p_holm": holm(p),
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

    def _chosen(self, bootstrap: Bootstrap, folds: int) -> pd.DataFrame:
        questions, at = np.unique(np.asarray(self.panel.questions), return_inverse=True)
        labelled = np.unique(at[~np.isnan(self.human)])
        dealt = deal(len(questions), labelled, folds, bootstrap.seed, self.place)[at]  # (n, folds)
        jury = np.full(len(self.human), np.nan)
        judge = np.full(len(self.human), np.nan)
        picked: list[tuple[str, str]] = []
        for fold in range(folds):
            inside = dealt[:, fold] > 0
            judge_n = self._counts(self.labels, ~inside)
            winners = [
                self._first(
                    self._values(votes, ~inside),
                    self._counts(votes, ~inside),
                    "outside of a fold",
                    judge_n,
                )
                for votes in (self.decisions, self.labels)
            ]
            jury[inside] = self.decisions[inside, winners[0]]
            judge[inside] = self.labels[inside, winners[1]]
            picked.append((self.juries[winners[0]].name, self.names[winners[1]]))
        best = self._first(self.values, self.n, "on all items")
        together = ~np.isnan(jury) & ~np.isnan(judge)
        common = [np.where(together, one, np.nan) for one in (jury, judge)]
        sums = self._sums(np.stack([jury, judge, *common], axis=1))

        def compared(totals: Array) -> Array:
            value = self.measure.formula(totals)
            return np.stack([value[..., 0], value[..., 1], value[..., 2] - value[..., 3]], axis=-1)

        value, low, high = bootstrap.interval(compared, sums)
        n, name = int(self._counts(jury[:, None])[0]), self.measure.name
        row = {
            "rule": self.rule,
            "folds": folds,
            "jury": self.juries[best].name,
            f"{name}_seen": self.values[best],
            "n": n,
            "missing": self.labelled - n,
            name: value[0],
            "ci_low": low[0],
            "ci_high": high[0],
            "judge": self.names[self.best],
            "judge_seen": self.judge_values[self.best],
            f"judge_{name}": value[1],
            "judge_low": low[1],
            "judge_high": high[1],
            "difference": value[2],
            "difference_low": low[2],
            "difference_high": high[2],
            "chosen": often(one for one, _ in picked),
            "judge_chosen": often(one for _, one in picked),
        }
        return pd.DataFrame([row])


def shapley(members: Mask) -> Array:
    """Return the matrix of shape (k, j) that makes judges' Shapley values of juries' measures.

    `members` has the shape (j, k). See `jury_patterns.Patterns.shapley`.
    """
    k, size = members.shape[1], members.sum(axis=1)
    joined = np.array([1 / (k * comb(k - 1, s - 1)) for s in size])
    without = np.array([1 / (k * comb(k - 1, s)) if s < k else 0.0 for s in size])
    return np.where(members.T, joined, -without)
