"""Confidence intervals from resamples."""

from __future__ import annotations

import numpy as np

from .bootstrap import Array


def percentile_interval(draws: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Return the percentile interval over the first axis; draws without meaning are left out.

    NaN where more than one draw in twenty has none: such an interval would claim too much.
    """
    undefined = np.isnan(draws).mean(axis=0) > 0.05
    tail = (1 - level) / 2
    filled = np.where(undefined, 0.0, draws)
    low, high = np.nanquantile(filled, [tail, 1 - tail], axis=0)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)
