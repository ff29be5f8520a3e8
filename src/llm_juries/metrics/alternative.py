"""The alternative annotator test, of whether a judge may take an annotator's place.

Calderon, Reichart and Dror 2025, arXiv 2501.10970. Each annotator in turn is left out, and the
judge and the annotator are compared by how well they agree with those who remain. The annotator,
who costs more, has to be better by more than epsilon; the judge wins against an annotator where
that can be ruled out, and passes where it wins against half of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from .arrays import Array, ratio
from .bootstrap import cluster_sums
from .equivalence import Estimate
from .intervals import additive, jackknifed

FEWEST_CLUSTERS = 30  # with fewer a rank test takes the place of the t test, as in the paper
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
    clusters: Sequence[Any],
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
    from statsmodels.stats.multitest import multipletests

    known, better = [], []
    for at in range(annotations.shape[1]):
        others = np.delete(annotations, at, axis=1)
        own = annotations[:, at]
        rows = ~np.isnan(votes) & ~np.isnan(own) & (~np.isnan(others)).any(axis=1)
        voter, person = (_aligned(one[rows], others[rows], graded) for one in (votes, own))
        wins = (voter >= person - SAME).astype(float)
        known.append(rows)
        better.append((wins, (person >= voter - SAME).astype(float) - wins))
    compared = [number for number, rows in enumerate(known) if rows.any()]
    p = np.full(annotations.shape[1], np.nan)
    labels = np.asarray(clusters)
    for number in compared:
        p[number] = _p_value(better[number][1], labels[known[number]], epsilon)
    tested = np.flatnonzero(~np.isnan(p))
    if tested.size:
        p[tested] = multipletests(p[tested], method="fdr_by")[1]
    return Alternative(
        float(np.mean([better[number][0].mean() for number in compared])) if compared else np.nan,
        float((p[compared] < 1 - level).mean()) if compared else np.nan,
        p,
        int(sum(rows.sum() for rows in known)),
    )


def _aligned(labels: Array, others: Array, graded: bool) -> Array:
    """Return how well each label agrees with the others' on the same item."""
    there = ~np.isnan(others)
    apart = np.where(there, labels[:, None] - np.nan_to_num(others), 0.0)
    if graded:
        return np.asarray(-np.sqrt((apart**2).sum(axis=1) / there.sum(axis=1)))
    same = there & (np.abs(apart) < SAME)
    return np.asarray(same.sum(axis=1) / there.sum(axis=1))


def _p_value(behind: Array, clusters: Any, epsilon: float) -> float:
    """Return the p value that the voter is behind the annotator by less than epsilon."""
    sums = cluster_sums(np.stack([np.ones_like(behind), behind], axis=-1), clusters)
    share = additive(sums, lambda totals: ratio(totals[..., 1], totals[..., 0]))
    found = Estimate.of(jackknifed(share))
    if found.clusters >= FEWEST_CLUSTERS:
        return found.below(epsilon)
    means = sums[:, 1] / sums[:, 0] - epsilon
    if found.clusters < 2 or not np.abs(means).max() > SAME:
        return np.nan
    return float(stats.wilcoxon(means, alternative="less").pvalue)
