"""The alternative annotator test, of whether a judge may take an annotator's place.

Calderon, Reichart and Dror 2025, arXiv 2501.10970. Each annotator in turn is left out, and the
judge and the annotator are compared by how well they agree with those who remain. The annotator,
who costs more, has to be better by more than epsilon; the judge wins against an annotator where
that can be ruled out, and passes where it wins against half of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from .arrays import Array, Labels, ratio
from .bootstrap import cluster_sums
from .equivalence import Estimate
from .intervals import additive, jackknifed

FEWEST_CLUSTERS = 30  # with fewer a rank test takes the place of the t test, as in the paper
MOST_ENUMERATED = 13  # differences whose signs are all tried in a rank test: scipy's bound
SAME = 1e-9


@dataclass(frozen=True)
class Alternative:
    """The outcome of the test.

    Attributes
    ----------
    advantage : float
        The mean over annotators of the share of items on which the judge agrees with the others at
        least as well as the annotator.
    winning_rate : float
        The share of annotators against whom the judge wins.
    p : array of shape (annotators,)
        Of each comparison, adjusted (Benjamini and Yekutieli 2001); NaN where one has no items.
    n : int
        The items compared, over all annotators.
    """

    advantage: float
    winning_rate: float
    p: Array
    n: int

    @property
    def passes(self) -> bool:
        """Whether the judge wins against half of the annotators or more."""
        return self.winning_rate >= 0.5


def alternative_test(
    votes: Array,
    annotations: Array,
    clusters: Labels,
    epsilon: float,
    *,
    graded: bool = False,
    level: float = 0.95,
) -> Alternative:
    """Test whether a voter may take an annotator's place.

    Parameters
    ----------
    votes : array of shape (n,)
        NaN where missing; such items are left out.
    annotations : array of shape (n, annotators)
    clusters : sequence of n labels
        The t test is cluster-robust over these questions; the paper's where each item is one.
    epsilon : float
        What the annotator must be better by, as a share of items: the authors take 0.2 for experts,
        0.15 for skilled annotators and 0.1 for crowd workers.
    graded : bool
        Agreement with the others is the negative root mean square error; else the share of the same
        label.
    level : float
        One less the false discovery rate.
    """
    return Comparisons.of(votes, annotations, clusters, graded=graded).tested(epsilon, level)


@dataclass(frozen=True)
class Comparisons:
    """A voter beside each annotator in turn, to be tested with one epsilon or several.

    Attributes
    ----------
    shares : sequence of float
        Of items on which the voter agrees with the others at least as well as the annotator; NaN
        where the two share none.
    behind : sequence of (Estimate, array of shape (clusters,)) or None
        The share of items on which the annotator agrees better, and that of each question; None
        where the two share none.
    n : int
        The items compared, over all annotators.
    """

    shares: Sequence[float]
    behind: Sequence[tuple[Estimate, Array] | None]
    n: int

    @classmethod
    def of(
        cls,
        votes: Array,
        annotations: Array,
        clusters: Labels,
        *,
        graded: bool = False,
    ) -> Self:
        """Compare a voter with each annotator; see `alternative_test`."""
        shares, behind, n = [], [], 0
        labels = np.asarray(clusters)
        for at in range(annotations.shape[1]):
            others = np.delete(annotations, at, axis=1)
            own = annotations[:, at]
            rows = ~np.isnan(votes) & ~np.isnan(own) & (~np.isnan(others)).any(axis=1)
            voter, person = (_aligned(one[rows], others[rows], graded) for one in (votes, own))
            wins = (voter >= person - SAME).astype(float)
            lost = (person >= voter - SAME).astype(float) - wins
            shares.append(float(wins.mean()) if rows.any() else np.nan)
            behind.append(_share(lost, labels[rows]) if rows.any() else None)
            n += int(rows.sum())
        return cls(shares, behind, n)

    def tested(self, epsilon: float, level: float = 0.95) -> Alternative:
        """Return the outcome of the test with an epsilon; see `alternative_test`."""
        p = np.array([np.nan if one is None else _p_value(*one, epsilon) for one in self.behind])
        known = ~np.isnan(p)
        p[known] = benjamini_yekutieli(p[known])
        compared = [one is not None for one in self.behind]
        if not any(compared):
            return Alternative(np.nan, np.nan, p, self.n)
        advantage = float(np.mean([share for share in self.shares if not np.isnan(share)]))
        return Alternative(advantage, float((p[compared] < 1 - level).mean()), p, self.n)


def benjamini_yekutieli(p: Array) -> Array:
    """Return p values adjusted for the false discovery rate under any dependence.

    Benjamini and Yekutieli 2001. As statsmodels' multipletests(method="fdr_by") has it, which takes
    half a second to import.

    Parameters
    ----------
    p : array of shape (k,)
        Without NaN.
    """
    order = np.argsort(p)
    place = np.arange(1, len(p) + 1)
    share = place / len(p) / np.sum(1.0 / place)
    rising = np.minimum.accumulate((p[order] / share)[::-1])[::-1]
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(rising, 1.0)
    return adjusted


def _aligned(labels: Array, others: Array, graded: bool) -> Array:
    """Return how well each label agrees with the others' on the same item."""
    there = ~np.isnan(others)
    apart = np.where(there, labels[:, None] - np.nan_to_num(others), 0.0)
    if graded:
        return np.asarray(-np.sqrt((apart**2).sum(axis=1) / there.sum(axis=1)))
    same = there & (np.abs(apart) < SAME)
    return np.asarray(same.sum(axis=1) / there.sum(axis=1))


def _share(behind: Array, clusters: Any) -> tuple[Estimate, Array]:
    sums = cluster_sums(np.stack([np.ones_like(behind), behind], axis=-1), clusters)
    share = additive(sums, lambda totals: ratio(totals[..., 1], totals[..., 0]))
    return Estimate.of(jackknifed(share)), sums[:, 1] / sums[:, 0]


def _p_value(found: Estimate, shares: Array, epsilon: float) -> float:
    """Return the p value that the voter is behind the annotator by less than epsilon."""
    if found.clusters >= FEWEST_CLUSTERS:
        return found.below(epsilon)
    means = shares - epsilon
    if found.clusters < 2 or not np.abs(means).max() > SAME:
        return np.nan
    return signed_rank(means)


def signed_rank(differences: Array) -> float:
    """Return the p value of Wilcoxon's signed-rank test that differences lie below zero.

    Of few differences it is exact with ties too: the share of all their signs that give ranks of
    positive ones as small. As scipy's wilcoxon, which takes half a second where there are ties.

    Parameters
    ----------
    differences : array of shape (n,)
        Not all zero; zeros are left out.
    """
    from scipy.stats import rankdata, wilcoxon

    if len(differences) > MOST_ENUMERATED:
        return float(wilcoxon(differences, alternative="less").pvalue)
    signed = differences[differences != 0]
    ranks = rankdata(np.abs(signed))
    sums = np.zeros(1)
    for rank in ranks:
        sums = np.concatenate([sums, sums + rank])
    return float((sums <= ranks[signed > 0].sum()).mean())
