"""The one home of confidence intervals: cluster-robust t, and percentiles of resamples.

The questions are the independent units; answers to one question share its difficulty. So the
standard error is the jackknife's over whole questions (clusters), and the quantile is Student's t
with one degree of freedom less than the questions (Cameron, Gelbach and Miller 2008; Bell and
McCaffrey 2002). Near the ends of a scale that is still too narrow, and a perfect judge would get an
interval without width. So two imagined questions are added to the data of every interval, spread
evenly over what a vote and a label (or two votes and a label) can be: for binary labels half a
count in each of the four cells (Agresti and Min 2005; for a proportion, Agresti and Coull 1998).
Each counts for as many answers as lie between one and a whole question: the square root of the mean
number of answers a question. The value itself is of the data alone, and its interval holds it.

Of graded votes there are too many cells for that. Correlations, weighted kappas and mean errors
have the t interval of the data alone, symmetric in Fisher's z, logits or logs, and imagined
questions only where that is none: at perfect agreement.

Percentiles of resampled questions remain where they cover and no cells can be imagined: scores of
models, spreads, and what a search of juries resamples anyway. `docs/intervals.md` has the coverage
of each, which `benchmarks/coverage.py` recomputes.

No interval has a width of zero: where nothing varies, it is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.special import expit, logit, stdtr, stdtrit

from .arrays import Array, Index, Mask

UNDEFINED = 0.05  # share of resamples without a value above which there is no interval
IMAGINED = 2.0  # questions added to the data of an interval
FEW_CLUSTERS = 20  # below so many questions no interval is to be trusted
NO_SPREAD = 1e-13  # a standard error below this is rounding
CHUNK = 1 << 22  # numbers held at a time

Transform = Literal["identity", "fisher", "logit", "log"]
"""Where a statistic lies; without imagined cells also where its interval is symmetric."""

Contrast = Callable[[Array], Array]
"""From values of shape (..., k) to what is estimated, such as differences, of shape (..., m)."""


class Interval(NamedTuple):
    """A value with the ends of its interval; NaN where it has no meaning."""

    value: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Reweighted:
    """A statistic of given data: its value at any weights of the clusters.

    Attributes
    ----------
    at : callable
        From weights of shape (b, clusters + cells), how often each cluster and each imagined cell
        counts, to values of shape (b, ...). Clusters are in the order of their sorted labels.
    used : array of shape (clusters, ...)
        Whether a cluster has anything for a value.
    cells : int
        How many imagined cells there are.
    leave : callable, optional
        From weights of shape (clusters + cells,) to the values without each of them in turn, where
        there is a quicker way than by `at`.
    sparing : bool
        Whether cells are imagined only where the data alone give no interval.
    """

    at: Callable[[Array], Array]
    used: Mask
    cells: int = 0
    leave: Callable[[Array], Array] | None = None
    sparing: bool = False

    def weights(self, imagined: float = 0.0) -> Array:
        """Return weights of one for each cluster and an even share of `imagined` for each cell."""
        cells = np.full(self.cells, imagined / max(1, self.cells))
        return np.concatenate([np.ones(len(self.used)), cells])

    def values(self, weights: Array) -> Array:
        """Return the values at weights of shape (b, clusters), with nothing imagined."""
        return self.at(np.hstack([weights, np.zeros((len(weights), self.cells))]))

    @property
    def point(self) -> Array:
        """The value over all items."""
        value: Array = self.at(self.weights()[None])[0]
        return value

    def without_each(self, weights: Array) -> Array:
        """Return the values without each cluster and each cell: (clusters + cells, ...)."""
        if self.leave is not None:
            return self.leave(weights)
        number = len(weights)
        rows = max(1, CHUNK // max(1, number))
        parts = [self.at(np.zeros((0, number)))]
        for start in range(0, number, rows):
            at = np.arange(start, min(start + rows, number))
            left = np.tile(weights, (len(at), 1))
            left[np.arange(len(at)), at] = 0.0
            parts.append(self.at(left))
        return np.concatenate(parts)


def additive(
    sums: Array,
    formula: Callable[[Array], Array],
    cells: Array | None = None,
    used: Mask | None = None,
    *,
    sparing: bool = False,
) -> Reweighted:
    """Return a formula on sums over clusters as a function of the clusters' weights.

    Parameters
    ----------
    sums : array of shape (clusters, ...)
        As `bootstrap.cluster_sums` returns.
    formula : callable
        From sums of shape (b, ...) to values of shape (b, ...).
    cells : array of shape (cells, ...), optional
        What each imagined cell adds to the sums.
    used : array of shape (clusters, ...), optional
        See `Reweighted`; by default where the last axis holds anything.
    sparing : bool
        See `Reweighted`.
    """
    number = 0 if cells is None else len(cells)
    every = sums if cells is None else np.concatenate([sums, cells])
    flat = every.reshape(len(every), math.prod(sums.shape[1:]))
    rows = max(1, CHUNK // max(1, flat.shape[1]))

    def measured(totals: Array) -> Array:
        return formula(totals.reshape(len(totals), *sums.shape[1:]))

    def at(weights: Array) -> Array:
        starts = range(0, max(1, len(weights)), rows)
        return np.concatenate([measured(weights[some : some + rows] @ flat) for some in starts])

    def leave(weights: Array) -> Array:
        total, starts = weights @ flat, range(0, max(1, len(flat)), rows)
        own = (slice(some, some + rows) for some in starts)
        return np.concatenate([measured(total - weights[a, None] * flat[a]) for a in own])

    there = (sums != 0).any(axis=-1) if used is None else used
    return Reweighted(at, there, number, leave, sparing)


def cluster_t(
    bound: Reweighted,
    transform: Transform = "identity",
    level: float = 0.95,
    contrast: Contrast | None = None,
    imagined: float = IMAGINED,
) -> Interval:
    """Return a statistic with its cluster-robust t interval.

    With imagined cells the interval is symmetric about the value of data and cells together (of a
    ratio, in logs), and cut off where the statistic cannot lie; without, about the value, in the
    transform. NaN where fewer than two clusters have anything for it, where a value loses its
    meaning without one of them, at the ends of a transform, where nothing varies, and for kappas
    and correlations that no cluster moves, since one side is constant.

    Parameters
    ----------
    bound : Reweighted
    transform : {"identity", "fisher", "logit", "log"}
    level : float
    contrast : callable, optional
        Estimate this of the values instead, on the identity scale; its clusters are those that any
        value has.
    imagined : float
        How many questions the imagined cells count for together.
    """
    transform = "identity" if contrast else transform

    def found(size: float) -> Interval:
        jack = jackknifed(bound, size)
        return (jack if contrast is None else jack.seen(contrast)).interval(transform, level)

    if not bound.sparing or not bound.cells:
        return found(imagined)
    alone = found(0.0)
    if not (np.isnan(alone.low) & ~np.isnan(alone.value)).any():
        return alone
    missing, other = np.isnan(alone.low), found(imagined)
    ends = zip(alone[1:], other[1:], strict=True)
    return Interval(alone.value, *(np.where(missing, new, own) for own, new in ends))


@dataclass(frozen=True)
class Jackknifed:
    """A statistic over all clusters, and without each of them.

    Attributes
    ----------
    value : array of shape (...)
        Of the data alone.
    centre : array of shape (...)
        Of the data and the imagined cells: what the interval is about.
    left : array of shape (clusters, ...)
        Without each cluster, beside the imagined cells.
    cells : array of shape (cells, ...)
        Without each imagined cell.
    used : array of shape (clusters, ...)
        Whether a cluster has anything for it.
    imagined : float
        How many questions the cells count for together.
    fixed : array of shape (...), optional
        Where the value is zero without any cluster too: the kappa of a voter that never varies.
    """

    value: Array
    centre: Array
    left: Array
    cells: Array
    used: Mask
    imagined: float
    fixed: Mask | None = None

    def seen(self, contrast: Contrast) -> Jackknifed:
        """Return an estimate of the values; its clusters are those that any value has."""
        made = (contrast(one) for one in (self.value, self.centre, self.left, self.cells))
        value, centre, left, cells = made
        used = self.used.any(axis=-1, keepdims=left.ndim == self.left.ndim)
        used = np.broadcast_to(used, left.shape)
        return Jackknifed(value, centre, left, cells, used, self.imagined)

    def plus(self, other: Jackknifed) -> Jackknifed:
        """Return the sum of two statistics of the same clusters."""
        return Jackknifed(
            self.value + other.value,
            self.centre + other.centre,
            self.left + other.left,
            self.cells + other.cells,
            self.used | other.used,
            self.imagined,
        )

    @property
    def clusters(self) -> Index:
        """How many clusters it stands on."""
        number: Index = self.used.sum(axis=0)
        return number

    @property
    def error(self) -> Array:
        """The standard error, of shape (...), NaN with fewer than two clusters."""
        number = self.clusters
        with np.errstate(divide="ignore", invalid="ignore"):
            middle = np.where(self.used, self.left, 0.0).sum(axis=0) / number
            squares = np.where(self.used, (self.left - middle) ** 2, 0.0).sum(axis=0)
            variance = squares * (number - 1) / number
            if len(self.cells):
                of_cells = ((self.cells - self.centre) ** 2).sum(axis=0)
                variance = variance + of_cells * len(self.cells) / self.imagined
            return np.where(number >= 2, np.sqrt(variance), np.nan)

    def interval(self, transform: Transform = "identity", level: float = 0.95) -> Interval:
        """Return the t interval: see `cluster_t`."""
        error, number = self.error, self.clusters
        with np.errstate(invalid="ignore"):
            error = np.where(error > NO_SPREAD, error, np.nan)
        if transform == "fisher" and self.fixed is not None:
            error = np.where(self.fixed, np.nan, error)
        within = transform if transform == "log" or not len(self.cells) else "identity"
        there, back, slope, _ = _TRANSFORMS[within]
        least, most = _TRANSFORMS[transform][-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            at = np.where(np.isfinite(there(self.centre)), there(self.centre), np.nan)
            reach = stdtrit(np.maximum(number - 1, 1), (1 + level) / 2) * error
            away = reach * slope(self.centre)
            low = np.minimum(back(at - away), self.value)
            high = np.maximum(back(at + away), self.value)
        return Interval(self.value, np.clip(low, least, most), np.clip(high, least, most))


def jackknifed(bound: Reweighted, imagined: float | None = None) -> Jackknifed:
    """Return a statistic over all clusters and without each.

    `imagined` is how many questions its imagined cells count for together: by default `IMAGINED`,
    none of a sparing statistic.
    """
    number, value = len(bound.used), bound.point
    size = (0.0 if bound.sparing else IMAGINED) if imagined is None else imagined
    size = size if bound.cells else 0.0
    weights = bound.weights(size)
    left = bound.without_each(weights)
    if not size:
        return Jackknifed(value, value, left[:number], left[:0], bound.used, size)
    centre, fixed = bound.at(weights[None])[0], value == 0
    if fixed.any():
        plain = bound.without_each(bound.weights())[:number]
        fixed = fixed & (np.abs(plain).max(axis=0, initial=0.0) <= NO_SPREAD)
    return Jackknifed(value, centre, left[:number], left[number:], bound.used, size, fixed)


_TRANSFORMS: dict[Transform, tuple[Any, Any, Any, tuple[float, float]]] = {
    "identity": (np.array, np.array, np.ones_like, (-np.inf, np.inf)),
    "fisher": (np.arctanh, np.tanh, lambda r: 1 / (1 - r**2), (-1.0, 1.0)),
    "logit": (logit, expit, lambda p: 1 / (p * (1 - p)), (0.0, 1.0)),
    "log": (np.log, np.exp, lambda x: 1 / x, (0.0, np.inf)),
}
"""Each with its inverse, its derivative, and where the statistic lies."""


def imagined_size(items: Array) -> Array:
    """Return for how many answers an imagined question counts.

    That is the square root of a question's mean number of answers, as if these were neither
    independent nor all alike. `items`, of shape (clusters, ...), counts the answers.
    """
    with np.errstate(invalid="ignore"):
        size: Array = np.nan_to_num(items.sum(axis=0) / (items > 0).sum(axis=0))
    return np.sqrt(size)


SHARE_CELLS = np.array([[1.0, 0.0], [1.0, 1.0]])
"""A number and a hit, of a miss and of a hit."""


def share_t(sums: Array, formula: Callable[[Array], Array], level: float = 0.95) -> Interval:
    """Return a share of sums of shape (clusters, ..., 2), a number and the hits, as `cluster_t`."""
    cells = (
        SHARE_CELLS.reshape(2, *[1] * (sums.ndim - 2), 2) * imagined_size(sums[..., 0])[..., None]
    )
    return cluster_t(additive(sums, formula, cells, sums[..., 0] > 0), "logit", level)


def percentile_interval(draws: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Return the ends of the percentile interval over the first axis; NaN draws are left out.

    NaN where more than one draw in twenty is, as an interval of the others would claim too much,
    and where all draws are the same: that many resamples without a change show no certainty.
    """
    undefined = np.isnan(draws).mean(axis=0) > UNDEFINED
    tail = (1 - level) / 2
    filled = np.where(undefined, 0.0, draws)
    low, high = np.nanquantile(filled, [tail, 1 - tail], axis=0)
    undefined = undefined | (low == high)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def p_values(found: Interval, questions: Index, level: float = 0.95) -> Array:
    """Return two-sided p values of zero by cluster-robust t intervals of differences.

    An interval holds zero where p is above one less its level. NaN where there is no interval.

    Parameters
    ----------
    found : Interval of arrays of shape (j,)
    questions : array of shape (j,)
        How many questions each stands on.
    level : float
        Of the intervals.
    """
    free = np.maximum(questions - 1, 1)
    error = (found.high - found.low) / 2 / stdtrit(free, (1 + level) / 2)
    return np.asarray(2 * stdtr(free, -np.abs(found.high + found.low) / 2 / error))


def caution(questions: int, found: Interval, few: int = FEW_CLUSTERS) -> str:
    """Return why an interval is missing or cannot be trusted, "ok" where it can.

    Parameters
    ----------
    questions : int
        How many questions the value stands on.
    found : Interval
        Of one value.
    few : int
        With fewer questions no interval is to be trusted.
    """
    if np.isnan(found.value):
        return "undefined: no labelled votes, or all of one kind"
    if questions < 2:
        return "no interval: one question"
    if np.isnan(found.low) or np.isnan(found.high):
        return "no interval: nothing varies between questions"
    if questions < few:
        return f"few questions: {questions}"
    return "no upper bound" if np.isinf(found.high) else "ok"


def cautions(questions: Index, found: Interval) -> list[str]:
    """Return `caution` of each of k values."""
    return [
        caution(int(number), Interval(*one)) for number, *one in zip(questions, *found, strict=True)
    ]
