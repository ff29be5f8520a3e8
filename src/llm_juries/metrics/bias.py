"""Bias: how far a voter's picture of each candidate is from the humans'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from .arrays import Array, Index, Labels, ratio
from .bootstrap import cluster_sums
from .intervals import additive, cluster_t, imagined_size

IMAGINED_QUESTIONS = 4.0  # one in each of four cells: with half, one-sided errors cover 90% only


@dataclass(frozen=True)
class Deltas:
    """Accuracy of each candidate under each voter less its accuracy under humans.

    Arrays have the shape (candidates, voters); `n` counts the answers with both labels, over which
    both accuracies are taken, and `questions` theirs. NaN where there are none.
    """

    candidates: tuple[str, ...]
    n: Array
    judged: Array
    human: Array
    questions: Index
    delta: Array
    low: Array
    high: Array


def accuracy_deltas(
    labels: Array,
    human: Array,
    candidates: Sequence[str],
    clusters: Labels,
    level: float = 0.95,
    levels: Sequence[float] = (0.0, 1.0),
) -> Deltas:
    """Measure what Figures 3 and 4 of the PoLL paper show, with cluster-robust t intervals.

    Parameters
    ----------
    labels : array of shape (n, k)
        Votes, 1.0 or 0.0, NaN where missing.
    human : array of shape (n,)
    candidates : sequence of n names
        The model that gave each answer.
    clusters : sequence of n labels
        The question each answer belongs to.
    level : float
        Of the intervals.
    levels : sequence of float
        The values that votes and labels can take, every pair of which is imagined beside the data
        (see `metrics.intervals`); none where they are too many.
    """
    names, index = np.unique(np.asarray(candidates), return_inverse=True)
    known = ~np.isnan(labels) & ~np.isnan(human)[:, None]
    stacked = np.stack(
        [known, np.where(known, labels, 0.0), np.where(known, human[:, None], 0.0)], axis=-1
    ).astype(float)
    own = np.eye(len(names))[index]  # which candidate each row is of
    sums = cluster_sums(own[:, :, None, None] * stacked[:, None], clusters)

    def delta(totals: Array) -> Array:
        return ratio(totals[..., 1] - totals[..., 2], totals[..., 0])

    pairs = np.array([(1.0, *pair) for pair in product(levels, repeat=2)]).reshape(-1, 3)
    cells = imagined_size(sums[..., 0])[..., None] * pairs[:, None, None, :]
    used = sums[..., 0] > 0
    found = cluster_t(
        additive(sums, delta, cells, used), "identity", level, imagined=IMAGINED_QUESTIONS
    )
    total = sums.sum(axis=0)
    return Deltas(
        tuple(str(name) for name in names),
        total[..., 0],
        ratio(total[..., 1], total[..., 0]),
        ratio(total[..., 2], total[..., 0]),
        used.sum(axis=0),
        *found,
    )
