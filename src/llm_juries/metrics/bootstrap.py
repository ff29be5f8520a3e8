"""Bootstrap intervals, clustered by question and vectorised.

The answers of several candidates to one question share its difficulty and its reference, so
resampling single answers would give intervals that are too narrow. Whole questions are drawn
instead (Cameron, Gelbach and Miller 2008, section II), and since every measure here is a function
of sums over items, a resample is a weighting of the questions' sums: one matrix product for all
resamples, voters and cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..arguments import check_fields
from ..errors import JuriesError
from .arrays import Array
from .intervals import Interval, percentile_interval

MOST_RESAMPLES = 1_000_000
FEWEST_RESAMPLES = 2  # a spread takes two
HELD_WEIGHTS = 1 << 20  # weights in memory at a time
SHARED_WEIGHTS = 1 << 22  # weights that are kept for the next table, at most: 32 MB


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made.

    Parameters
    ----------
    resamples : int
        How many times questions are redrawn.
    seed : int
        The same seed draws the same questions whatever is measured on them, so two voters, or two
        tables, are measured on the same resamples.
    level : float
        The share of resamples that an interval holds.
    """

    resamples: int = 10_000
    seed: int = 0
    level: float = 0.95

    def __post_init__(self) -> None:
        check_fields(self, "bootstrap")
        if self.resamples < FEWEST_RESAMPLES:
            raise JuriesError(
                f"resamples: {self.resamples} are too few; set {FEWEST_RESAMPLES} or more"
            )
        if self.resamples > MOST_RESAMPLES:
            raise JuriesError(
                f"resamples: {self.resamples} would take for ever; set {MOST_RESAMPLES} or fewer"
            )
        if self.seed < 0:
            raise JuriesError(f"seed: is {self.seed}; set 0 or more")
        if not 0 < self.level < 1:
            raise JuriesError(f"level: is {self.level}; set a share between 0 and 1, such as 0.95")

    def weights(self, clusters: int) -> Iterator[Array]:
        """Yield how often each resample draws each cluster, in chunks of shape (some, clusters).

        Each resample draws as many clusters as there are, with replacement.
        """
        if self.resamples * clusters <= SHARED_WEIGHTS:
            yield from _shared(self.seed, self.resamples, clusters)
        else:
            yield from _weights(self.seed, self.resamples, clusters)

    def draws(self, statistic: Callable[[Array], Array], sums: Array) -> Array:
        """Return a statistic of each resample's totals.

        Parameters
        ----------
        statistic : function of an array of shape (b, ...)
            A measure of b totals at once, as all of this package's are.
        sums : array of shape (clusters, ...)
            As `cluster_sums` returns.

        Returns
        -------
        array of shape (resamples, ...)
        """
        flat = sums.reshape(len(sums), -1)
        return np.concatenate(
            [
                statistic((times @ flat).reshape(len(times), *sums.shape[1:]))
                for times in self.weights(len(sums))
            ]
        )

    def interval(self, statistic: Callable[[Array], Array], sums: Array) -> Interval:
        """Return a statistic of the totals of cluster sums, with its percentile interval."""
        return Interval(statistic(sums.sum(axis=0)), *self.ends(self.draws(statistic, sums)))

    def ends(self, draws: Array) -> tuple[Array, Array]:
        """Return the ends of the interval of draws over their first axis."""
        return percentile_interval(draws, self.level)


def _weights(seed: int, resamples: int, clusters: int) -> Iterator[Array]:
    rng = np.random.default_rng(seed)
    rows = max(1, HELD_WEIGHTS // clusters)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = rng.integers(clusters, size=(size, clusters))
        drawn += clusters * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * clusters)
        yield times.reshape(size, clusters).astype(float)


@lru_cache(maxsize=1)
def _shared(seed: int, resamples: int, clusters: int) -> tuple[Array, ...]:
    """Return the weights that several tables of one dataset take."""
    held = tuple(_weights(seed, resamples, clusters))
    for weights in held:
        weights.flags.writeable = False
    return held


def cluster_sums(values: Array, clusters: Sequence[Any]) -> Array:
    """Return the sums of `values` over each cluster.

    Parameters
    ----------
    values : array of shape (n, ...)
    clusters : sequence of n labels
        The question each row belongs to.

    Returns
    -------
    array of shape (c, ...)
        In the order of the sorted labels, so that resamples do not depend on the rows' order.
    """
    from scipy.sparse import csr_array

    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    number = len(index)
    of_cluster = csr_array((np.ones(number), (index, np.arange(number))))
    sums: Array = of_cluster @ values.reshape(number, -1)
    return sums.reshape(len(sums), *values.shape[1:])
