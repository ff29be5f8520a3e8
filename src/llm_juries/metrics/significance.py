"""Tests of many differences at once, from their bootstrap resamples."""

from __future__ import annotations

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
