"""Bias: how far a voter's picture of each candidate is from the humans'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import Array
from .bootstrap import Bootstrap, cluster_sums


@dataclass(frozen=True)
class Deltas:
    """Accuracy of each candidate under each voter less its accuracy under humans.

    Arrays have the shape (candidates, voters); `n` counts the answers with both labels, over which
    both accuracies are taken. NaN where there are none.
    """

    candidates: tuple[str, ...]
    n: Array
    judged: Array
    human: Array
    delta: Array
    low: Array
    high: Array


def accuracy_deltas(
    labels: Array,
    human: Array,
    candidates: Sequence[str],
    clusters: Sequence[Any],
    bootstrap: Bootstrap,
) -> Deltas:
    """Measure what Figures 3 and 4 of the PoLL paper show, with intervals clustered by question.

    Parameters
    ----------
    labels : array of shape (n, k)
        Votes, 1.0 or 0.0, NaN where missing.
    human : array of shape (n,)
    candidates : sequence of n names
        The model that gave each answer.
    clusters : sequence of n labels
        The question each answer belongs to.
    bootstrap : Bootstrap
    """
    names, index = np.unique(np.asarray(candidates), return_inverse=True)
    known = ~np.isnan(labels) & ~np.isnan(human)[:, None]
    stacked = np.stack(
        [known, np.where(known, labels, 0.0), np.where(known, human[:, None], 0.0)], axis=-1
    ).astype(float)
    own = np.eye(len(names))[index]  # which candidate each row is of
    sums = cluster_sums(own[:, :, None, None] * stacked[:, None], clusters)

    def delta(totals: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return (totals[..., 1] - totals[..., 2]) / totals[..., 0]

    total = sums.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        judged, true = total[..., 1] / total[..., 0], total[..., 2] / total[..., 0]
    low, high = bootstrap.ends(bootstrap.draws(delta, sums))
    return Deltas(
        tuple(str(name) for name in names), total[..., 0], judged, true, judged - true, low, high
    )
