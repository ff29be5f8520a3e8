"""Confidence intervals from resamples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arrays import Array

UNDEFINED = 0.05  # share of resamples without a value above which there is no interval


class Interval(NamedTuple):
    """A value with the ends of its interval; NaN where it has no meaning."""

    value: Array
    low: Array
    high: Array


def percentile_interval(draws: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Return the ends of the percentile interval over the first axis; NaN draws are left out.

    NaN where more than one draw in twenty is: an interval of the others would claim too much.
    """
    undefined = np.isnan(draws).mean(axis=0) > UNDEFINED
    tail = (1 - level) / 2
    filled = np.where(undefined, 0.0, draws)
    low, high = np.nanquantile(filled, [tail, 1 - tail], axis=0)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)
