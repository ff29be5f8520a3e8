"""Bootstrap intervals, clustered by question and vectorised.

The answers of several candidates to one question share its difficulty and its reference, so
resampling single answers would give intervals that are too narrow. Whole questions are drawn
instead (Cameron, Gelbach and Miller 2008, section II), and since every measure here is a function
of sums over items, a resample is a weighting of the questions' sums: one matrix product for all
resamples, voters and cells.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arguments import check_fields
from ..errors import JuriesError
from .arrays import Array, Labels, numbered
from .intervals import Interval, percentile_interval
from .threads import threads

MOST_RESAMPLES = 1_000_000
FEWEST_RESAMPLES = 2  # a spread takes two
HELD_WEIGHTS = 1 << 20  # weights in memory at a time, as numbers to compute with
BLOCK = 1 << 16  # draws at a time
MANY = 1 << 24  # weights from which on all cores compute with them
MOST_HELD = 1 << 28  # bytes of resamples that are kept for the next table


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
        if self.resamples * clusters <= MOST_HELD:
            yield from (part.astype(float) for part in self._parts(clusters))
            return
        rng = np.random.default_rng(self.seed)
        rows = max(1, HELD_WEIGHTS // clusters)
        for start in range(0, self.resamples, rows):
            size = min(rows, self.resamples - start)
            yield _times(rng, size, clusters).astype(float)

    def _parts(self, clusters: int) -> list[npt.NDArray[np.uint8]]:
        """Return the weights in chunks, as small numbers that are kept in memory."""
        rows = max(1, HELD_WEIGHTS // clusters)
        held = _held(self.seed, self.resamples, clusters)
        return np.split(held, range(rows, self.resamples, rows))

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

        def drawn(times: Array) -> Array:
            return statistic((times @ flat).reshape(len(times), *sums.shape[1:]))

        if not MANY < self.resamples * len(sums) <= MOST_HELD:
            return np.concatenate([drawn(times) for times in self.weights(len(sums))])
        parts = self._parts(len(sums))
        with threads() as pool:
            return np.concatenate([*pool.map(lambda part: drawn(part.astype(float)), parts)])

    def interval(self, statistic: Callable[[Array], Array], sums: Array) -> Interval:
        """Return a statistic of the totals of cluster sums, with its percentile interval."""
        return Interval(statistic(sums.sum(axis=0)), *self.ends(self.draws(statistic, sums)))

    def ends(self, draws: Array) -> tuple[Array, Array]:
        """Return the ends of the interval of draws over their first axis."""
        return percentile_interval(draws, self.level)


_HELD: OrderedDict[tuple[int, int, int], npt.NDArray[np.uint8]] = OrderedDict()


def _held(seed: int, resamples: int, clusters: int) -> npt.NDArray[np.uint8]:
    """Return how often each of all resamples draws each cluster; many tables need the same."""
    key = seed, resamples, clusters
    found = _HELD.pop(key, None)
    if found is None:
        found = _times(np.random.default_rng(seed), resamples, clusters)
        while _HELD and sum(one.nbytes for one in _HELD.values()) + found.nbytes > MOST_HELD:
            _HELD.popitem(last=False)  # the one that was last used longest ago
    _HELD[key] = found
    return found


def _times(rng: np.random.Generator, rows: int, clusters: int) -> npt.NDArray[np.uint8]:
    """Return how often each of the next resamples draws each cluster.

    In blocks that fit a core's cache; no cluster is ever drawn 256 times in one of them.
    """
    found = np.empty((rows, clusters), np.uint8)
    size = max(1, BLOCK // clusters)
    for start in range(0, rows, size):
        some = found[start : start + size]
        drawn = rng.integers(clusters, size=some.shape)
        drawn += clusters * np.arange(len(some))[:, None]
        some[:] = np.bincount(drawn.ravel(), minlength=some.size).reshape(some.shape)
    return found


def cluster_sums(values: Array, clusters: Labels) -> Array:
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

    _, index = numbered(clusters)
    number = len(index)
    of_cluster = csr_array((np.ones(number), (index, np.arange(number))))
    sums: Array = of_cluster @ values.reshape(number, -1)
    return sums.reshape(len(sums), *values.shape[1:])
