"""Tests of many differences at once, from their bootstrap resamples."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .arrays import Array
from .intervals import UNDEFINED


def normal_p_values(value: Array, draws: Array) -> Array:
    """Return two-sided p values of values over their bootstrap standard errors, by the normal.

    A p value counted from B resamples is never below 2 / (B + 1), which a correction for thousands
    of tests would turn into 1.

    Parameters
    ----------
    value : array of shape (j,)
    draws : array of shape (j, b)
        The values in each resample.

    Returns
    -------
    array of shape (j,)
        NaN where the resamples do not vary, or more than one in twenty is NaN.
    """
    from scipy.stats import norm

    defined = ~np.isnan(draws)
    error = np.array(
        [
            np.std(row[known], ddof=1) if known.mean() >= 1 - UNDEFINED else 0.0
            for row, known in zip(draws.astype(float), defined, strict=True)
        ]
    )
    z = np.divide(value, error, out=np.full(len(error), np.nan), where=error > 0)
    return np.asarray(2 * norm.sf(np.abs(z)))


def holm(p: Array) -> Array:
    """Return p values corrected for their number (Holm 1979); NaN is no test and stays."""
    from statsmodels.stats.multitest import multipletests

    corrected, tested = np.full(len(p), np.nan), ~np.isnan(p)
    if tested.any():
        corrected[tested] = multipletests(p[tested], method="holm")[1]
    return corrected


def step_down_max_t(
    estimates: Array, draws: Array, alternative: Literal["two-sided", "greater"] = "two-sided"
) -> Array:
    """Return p values of many estimates being zero at once, from their resamples.

    The step-down max-T of Westfall and Young (1993) in the form of Romano and Wolf (2005): the
    largest t of those that are not yet rejected is compared with the largest that the resamples,
    centred at the estimates, have of these. Estimates that go together hardly count twice, so it
    finds far more than Holm's correction of thousands of tests, at the same family-wise error.

    Parameters
    ----------
    estimates : array of shape (j,)
    draws : array of shape (j, b)
        The estimates in each resample.
    alternative : {"two-sided", "greater"}
        "greater": that an estimate is above zero.

    Returns
    -------
    array of shape (j,)
        At least 1 / (b + 1). NaN is no test: where the resamples do not vary, or more than one in
        twenty is NaN.
    """
    known = ~np.isnan(draws)
    enough = known.mean(axis=1) >= 1 - UNDEFINED
    error = np.full(len(estimates), np.nan)
    for at in np.flatnonzero(enough):
        error[at] = np.std(draws[at][known[at]], ddof=1, dtype=float)
    tested = np.flatnonzero((error > 0) & ~np.isnan(estimates))
    size = np.abs if alternative == "two-sided" else np.positive
    t = size(estimates[tested]) / error[tested]
    order = tested[np.argsort(t, kind="stable")]  # the smallest first
    most = np.full(draws.shape[1], -np.inf, draws.dtype)
    p = np.full(len(estimates), np.nan)
    for at in order:
        centred = size(draws[at] - estimates[at]) / error[at]
        most = np.fmax(most, centred)  # over this one and all with a smaller t
        reached = (most >= size(estimates[at]) / error[at]).sum()
        p[at] = (1 + reached) / (1 + len(most))
    for smaller, larger in zip(order[-2::-1], order[:0:-1], strict=True):
        p[smaller] = max(p[smaller], p[larger])
    return p
