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
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import JuriesError

FEWEST = 2  # resamples that have a spread


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: resamples of whole questions, a seed, and the level."""

    resamples: int = 10_000
    seed: int = 0
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.resamples < FEWEST:
            raise JuriesError(f"resamples: {self.resamples} are too few; set {FEWEST} or more")
        if self.seed < 0:
            raise JuriesError(f"seed: is {self.seed}; set 0 or more")
        if not 0 < self.level < 1:
            raise JuriesError(f"level: is {self.level}; set a share between 0 and 1, such as 0.95")


Array = npt.NDArray[np.float64]
CHUNK = 1 << 24  # weights held at a time


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
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((index.max() + 1, *values.shape[1:]))
    np.add.at(sums, index, values)
    return sums


def draws(clusters: int, number: int, seed: int) -> Iterator[Array]:
    """Yield how many times each resample draws each cluster, in chunks of shape (some, clusters).

    Each resample draws as many clusters as there are, with replacement. The same seed draws the
    same clusters whatever is summed over them, so two calls are paired.
    """
    rng = np.random.default_rng(seed)
    rows = max(1, CHUNK // clusters)
    for start in range(0, number, rows):
        size = min(rows, number - start)
        drawn = rng.integers(clusters, size=(size, clusters)) + clusters * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * clusters)
        yield times.reshape(size, clusters).astype(float)


def resamples(sums: Array, number: int, seed: int) -> Iterator[Array]:
    """Yield bootstrap totals of cluster sums, in chunks of shape (some, ...)."""
    n = len(sums)
    flat = sums.reshape(n, -1)
    for times in draws(n, number, seed):
        yield (times @ flat).reshape(len(times), *sums.shape[1:])


def bootstrap(
    statistic: Callable[[Array], Array], sums: Array, number: int = 10_000, seed: int = 0
) -> Array:
    """Return a statistic of each bootstrap total, of shape (number, ...)."""
    return np.concatenate([statistic(totals) for totals in resamples(sums, number, seed)])
