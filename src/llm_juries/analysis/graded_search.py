"""The search of juries of graded, cut and nominal votes, by the headline measure.

Votes of yes and no collapse into few patterns (`jury_patterns`); grades do not. But the headline
measures are formulas on sums over items, so a jury is reduced to its sums a question, and all
resamples are one product of matrices.
"""

from __future__ import annotations

import numpy as np

from ..errors import JuriesError
from ..juries.panel import Panel
from ..juries.rules import Jury, Rule
from ..metrics.arrays import Array, Index, Mask
from ..metrics.bootstrap import Bootstrap, cluster_sums
from ..metrics.intervals import Reweighted, Transform
from ..metrics.measure import Measure, Ratings, combined
from .every_jury import Resampled, Winners, every_jury, first_of, slices
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
        self.kind, self.judges = measure, names
        self.measure, self.rule, self.coverage = measure.name, rule, coverage
        self.place = panel.dataset.name
        self.human = panel.preferences
        self.panel, self.labels = panel, panel.votes.columns(names).labels
        self.human_items = int((~np.isnan(self.human)).sum())
        if not (~np.isnan(self.labels) & ~np.isnan(self.human)[:, None]).any():
            raise JuriesError(
                f"jury search: {self.place} has no item with both a human label and a vote; label "
                "some, or ask the judges first"
            )
        self.juries, self.members = every_jury(names)
        of_one = Ratings(self.labels[:1, :1], self.human[:1], panel.scale, ["one"])
        self.sums = 4 * len(self.human) * measure.statistics(of_one).shape[-1]
        asked = np.asarray(panel.questions)
        self.clusters = len(np.unique(asked))
        self.questions = len(np.unique(asked[~np.isnan(self.human)]))
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
        for row, (name, seated) in enumerate(zip(self.juries, self.members, strict=True)):
            own = panel.decided(Jury(name, tuple(np.array(names)[seated].tolist()), rule)).labels
            self.undecided[row] = self.human_items - self._counts(own)[0]
            members = self.labels[:, [at for at in best_first if seated[at]]]
            columns.append(first_of_members(own, members))
        self.decisions = np.hstack(columns)
        self.n = self._counts(self.decisions)
        self.n_both = self._counts(self.decisions + self.labels[:, [self.best]])

    def _counts(self, votes: Array) -> Index:
        """Return how many labelled items each column has a vote on."""
        both = ~np.isnan(votes) & ~np.isnan(self.human)[:, None]
        return np.asarray(both.sum(axis=0))

    def _sums(self, votes: Array) -> Array:
        """Return the statistics of columns summed over each question."""
        return cluster_sums(self.kind.statistics(self._rated(votes)), self.panel.clusters)

    def _rated(self, votes: Array) -> Ratings:
        return Ratings(votes, self.human, self.panel.scale, self.panel.clusters)

    def _values(self, votes: Array) -> Array:
        """Return the measure of each column."""
        parts = [
            self.kind.formula(self._sums(votes[:, some]).sum(axis=0))
            for some in slices(votes.shape[1], max(1, HELD // self.sums))
        ]
        return np.concatenate(parts)

    def _enough(self, n: Index) -> Mask:
        return np.asarray((n > 0) & (n >= self.coverage * self.human_items))

    def own(self, some: slice) -> dict[str, tuple[Reweighted, Transform]]:
        """Return the measure of some juries."""
        bound = self.kind.over(self._rated(self.decisions[:, some]))
        return {self.measure: (bound, self.kind.transform)}

    def _common(self, some: slice) -> Array:
        """Return juries' votes, each beside the best judge's, on the items both have one on."""
        juries, best = self.decisions[:, some], self.labels[:, [self.best]]
        both = np.where(np.isnan(juries + best), np.nan, 0.0)
        return np.stack([juries + both, best + both], axis=2).reshape(len(best), -1)

    def beside(self, some: slice) -> Reweighted:
        """Return the measure of juries and of the best judge on the items both have a vote on."""
        bound = self.kind.over(self._rated(self._common(some)), jointly=True)
        return combined([bound], lambda values: values[0].reshape(*values[0].shape[:-1], -1, 2))

    def resampled(self, bootstrap: Bootstrap, eligible: Mask) -> Resampled:
        """Choose and measure in all resamples."""

        def gap(totals: Array) -> Array:
            values = self.kind.formula(totals)
            return np.asarray(values[..., ::2] - values[..., 1::2])

        jury, judge = Winners(bootstrap.resamples), Winners(bootstrap.resamples)
        gaps = []
        for some in slices(len(self.juries), max(1, HELD // self.sums)):
            own = bootstrap.draws(self.kind.formula, self._sums(self.decisions[:, some])).T
            jury.see(own, np.arange(some.start, some.stop), eligible)
            gaps.append(bootstrap.draws(gap, self._sums(self._common(some))).T)
        judges = bootstrap.draws(self.kind.formula, self._sums(self.labels)).T
        judge.see(judges, np.arange(len(judges)), self.judge_eligible)
        return Resampled(jury.first, judge.first, np.concatenate(gaps))

    def formula(self, sums: Array) -> Array:
        """Return the headline measure."""
        return self.kind.formula(sums)

    def pairs(self, juries: Index, judges: Index) -> Array:
        """Return each question's statistics of pairs of a jury and a judge."""
        one, other = self.decisions[:, juries], self.labels[:, judges]
        both = np.where(np.isnan(one + other), np.nan, 0.0)
        seen = np.stack([one, other, one + both, other + both], axis=2)
        sums = self._sums(seen.reshape(len(one), -1))
        return sums.reshape(len(sums), len(juries), 4, -1)
