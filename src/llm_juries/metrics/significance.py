"""Many differences at once, from their bootstrap resamples: tests, bounds and orders.

Tests of thousands of juries are not independent: they share judges, items and the judge that they
are compared with. Holm's correction ignores that and finds next to nothing. The maximum of all
studentised differences in each resample (max-T) has the dependence in it (Westfall and Young 1993);
stepping down removes what is found from the maximum of the rest (Romano and Wolf 2005). Both keep
the chance of any false finding at the level.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from .arrays import Array
from .intervals import UNDEFINED, Interval

Numbers = npt.NDArray[Any]  # float32 draws are half the memory
Alternative = Literal["two-sided", "greater"]
NO_CHANGE = 1e-9  # a standard error below this, of single precision too, is rounding


def standard_errors(draws: Numbers) -> Array:
    """Return the bootstrap standard error of each row of draws.

    NaN where the resamples do not vary, or more than one in twenty is NaN.

    Parameters
    ----------
    draws : array of shape (j, b)
    """
    return np.array([_error(row) for row in draws])


def _error(row: Numbers) -> float:
    """Return the standard error of one row of draws, or NaN."""
    total = float(row.sum(dtype=np.float64))
    if np.isnan(total):
        known = row[~np.isnan(row)]
        if len(known) < (1 - UNDEFINED) * len(row):
            return np.nan
        row, total = known, float(known.sum(dtype=np.float64))
    away = row - row.dtype.type(total / max(1, len(row)))
    squares = float(np.dot(away, away))
    error = (squares / max(1, len(row) - 1)) ** 0.5
    return error if error > NO_CHANGE else np.nan


def holm(p: Array) -> Array:
    """Return p values corrected for their number (Holm 1979); NaN is no test and stays."""
    # statsmodels' collects garbage in each call, which takes longer than many an analysis.
    corrected, tested = np.full(len(p), np.nan), np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    each = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(each), 1.0)
    return corrected


class StepDown(NamedTuple):
    """Tests of j values at once.

    Attributes
    ----------
    p : array of shape (j,)
        At least 1 / (b + 1); NaN where there is no standard error, which is no test.
    critical : float
        The quantile over resamples of the largest t of all; NaN where nothing is tested.
    """

    p: Array
    critical: float


def step_down_max_t(
    estimates: Array,
    draws: Numbers,
    alternative: Alternative = "two-sided",
    level: float = 0.95,
) -> StepDown:
    """Test values against zero, with p values corrected for all of them by step-down max-T.

    Algorithm 4.1 of Romano and Wolf (2005), with p values as in Romano and Wolf (2016): the value
    with the k-th largest t is compared with the maximum over itself and those with smaller ones.

    Parameters
    ----------
    estimates : array of shape (j,)
    draws : array of shape (j, b)
        The values in each resample.
    alternative : {"two-sided", "greater"}
        "greater": that the value is above zero.
    level : float
        Of the critical value.
    """
    errors = standard_errors(draws)
    t = _sided(estimates / errors, alternative)
    tested = np.flatnonzero(~np.isnan(t))
    order = tested[np.argsort(t[tested], kind="stable")]
    most = np.full(draws.shape[1], -np.inf)
    found = np.full(len(estimates), np.nan)
    for at in order:  # from the smallest up, so that the maximum grows by one row a step
        np.fmax(most, _studentised(draws[at], estimates[at], errors[at], alternative), out=most)
        found[at] = (1 + np.count_nonzero(most >= t[at])) / (1 + len(most))
    found[order] = np.maximum.accumulate(found[order][::-1])[::-1]
    return StepDown(found, float(np.quantile(most, level)) if len(order) else np.nan)


def max_t_bounds(estimates: Array, draws: Numbers, level: float = 0.95) -> Interval:
    """Return bounds that hold for all values at once: estimates -+ c standard errors.

    c is the quantile over resamples of the largest studentised distance of a draw from its value.

    Parameters
    ----------
    estimates : array of shape (j,)
    draws : array of shape (j, b)
    level : float

    Returns
    -------
    Interval of arrays of shape (j,)
        NaN where there is no standard error.
    """
    reach = max_t_quantile(estimates, draws, level) * standard_errors(draws)
    return Interval(estimates, estimates - reach, estimates + reach)


def max_t_quantile(estimates: Array, draws: Iterable[Numbers], level: float = 0.95) -> float:
    """Return the critical value of max-T, NaN where no value has a standard error.

    Parameters
    ----------
    estimates : array of shape (j,)
    draws : iterable of j arrays of shape (b,)
        They are looked at one after the other, so they need not be in memory together.
    level : float
        See `max_t_bounds`.
    """
    most: Array | None = None
    for own, row in zip(estimates, draws, strict=True):
        error = _error(row)
        if not np.isnan(error):
            away = _studentised(row, own, error, "two-sided")
            most = away if most is None else np.fmax(most, away)
    return np.nan if most is None else float(np.nanquantile(most, level))


def decided_pairs(score: Array, draws: Numbers, level: float = 0.95) -> npt.NDArray[np.int_]:
    """Return which of each two scores is surely the higher, all pairs at once by max-T.

    Parameters
    ----------
    score : array of shape (m,)
    draws : array of shape (b, m)
        The scores in each resample.
    level : float
        The chance that no pair is put in the wrong order.

    Returns
    -------
    array of shape (m, m)
        1 where the row's score is surely above the column's, -1 below, 0 where it is not decided,
        for want of a score too.
    """
    m = len(score)
    first, second = np.triu_indices(m, 1)
    gap = score[first] - score[second]
    errors = np.array([_error(row) for row in _gaps(draws, first, second)])
    reach = max_t_quantile(gap, _gaps(draws, first, second), level) * errors
    with np.errstate(invalid="ignore"):
        sign = np.where(np.abs(gap) > reach, np.sign(gap), 0).astype(int)
    found = np.zeros((m, m), int)
    found[first, second], found[second, first] = sign, -sign
    return found


def _gaps(
    draws: Numbers, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]
) -> Iterator[Numbers]:
    columns = np.ascontiguousarray(draws.T)
    return (columns[one] - columns[other] for one, other in zip(first, second, strict=True))


def _sided(t: Array, alternative: Alternative) -> Array:
    return np.abs(t) if alternative == "two-sided" else t


def _studentised(row: Numbers, value: float, error: float, alternative: Alternative) -> Array:
    """Return how far draws are from their value, in standard errors; NaN where a draw is."""
    return _sided((row - row.dtype.type(value)) * row.dtype.type(1 / error), alternative)
