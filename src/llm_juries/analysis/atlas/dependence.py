"""How far judges err together, on any scale: partial correlations of votes given the label."""

from __future__ import annotations

import numpy as np

from ...metrics.arrays import Index, ratio
from ...metrics.bootstrap import cluster_sums
from .source import Source


class Moments:
    """Cross products of judges' votes and the label, a cluster and criterion each.

    Parameters
    ----------
    source : Source
    names : tuple of k str
    """

    def __init__(self, source: Source, names: tuple[str, ...]) -> None:
        panel = source.panel
        human = panel.human if panel.sided else panel.preferences
        votes = np.hstack([source.votes_of((name,)) for name in names])
        columns = np.column_stack([np.ones(len(human)), human, votes])
        columns[np.isnan(columns).any(axis=1)] = 0.0
        products = columns[:, :, None] * columns[:, None, :]
        part = [f"{item.subset}/{item.criterion}" for item in panel.dataset.items]
        whole = source.yardstick.name != "pearson"
        _, at = np.unique(np.zeros(len(part)) if whole else part, return_inverse=True)
        split = np.zeros((len(human), at.max() + 1, *products.shape[1:]))
        split[np.arange(len(human)), at] = products
        self.sums = cluster_sums(split, panel.questions)  # (clusters, parts, k + 2, k + 2)

    def mean_correlation(self, rows: Index | None = None) -> float:
        """Return the mean over pairs (and criteria) of the correlation given the label.

        Over the items on which all voted, on some clusters; 0 where judges err independently.
        """
        sums = self.sums.sum(axis=0) if rows is None else self.sums[rows].sum(axis=0)
        n = sums[:, 0, 0]
        sums = sums[n > 0]
        mean = sums[:, 0, :] / sums[:, 0, :1]
        cov = sums / sums[:, :1, :1] - mean[:, :, None] * mean[:, None, :]
        y = cov[:, 1, 1]
        slope = np.where(y[:, None] > 0, cov[:, 1, 2:] / np.where(y > 0, y, 1.0)[:, None], 0.0)
        rest = cov[:, 2:, 2:] - slope[:, :, None] * slope[:, None, :] * y[:, None, None]
        spread = np.sqrt(np.clip(np.diagonal(rest, axis1=1, axis2=2), 0, None))
        one, other = np.triu_indices(rest.shape[-1], 1)
        found = ratio(rest[:, one, other], spread[:, one] * spread[:, other], 1e-12)
        return float(np.nanmean(found)) if not np.isnan(found).all() else np.nan


def effective_votes(k: int, correlation: float) -> float:
    """Return Kish's effective number of votes; see `metrics.dependence.effective_votes`."""
    return float(ratio(np.asarray(float(k)), np.asarray(1 + (k - 1) * correlation)))
