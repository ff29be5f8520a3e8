"""How many questions a comparison takes: planned from a pilot, or after "no clear difference".

The standard error of a difference falls with the root of the number of questions. So a pilot of Q0
questions with the standard error s finds a difference d with the power 1 - beta on

    Q = Q0 ((c + z) s / d)^2

questions, where z is the normal's quantile of the power and c the critical value: the normal's for
one jury named beforehand, that of max-T for the best of a search or a whole ranking (Card et al.
2020, arXiv 2010.06595, on how rarely that is done; Miller 2024, arXiv 2411.00640). The pilot's
standard error is itself an estimate: with few questions so is the plan.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from ..errors import JuriesError
from .arrays import Array

POWER = 0.8


def critical_value(level: float = 0.95) -> float:
    """Return the two-sided critical value of one comparison named beforehand."""
    return float(ndtri((1 + level) / 2))


def standard_error(low: Array, high: Array, questions: Array, level: float = 0.95) -> Array:
    """Return the standard error behind a cluster-robust t interval of a difference."""
    return np.asarray((high - low) / 2 / stdtrit(np.maximum(questions - 1, 1), (1 + level) / 2))


def questions_needed(
    difference: Array | float,
    error: Array | float,
    questions: Array | float,
    *,
    power: float = POWER,
    critical: Array | float | None = None,
) -> Array:
    """Return how many questions it takes to find a difference.

    Parameters
    ----------
    difference : array or float
        The true difference that is to be found, of either sign.
    error : array or float
        The standard error of the difference in the pilot.
    questions : array or float
        Of the pilot.
    power : float
        The chance to find it.
    critical : float, optional
        The critical value; by default that of one comparison at the level 95%.

    Returns
    -------
    array
        Whole numbers as floats; infinite where the difference is 0, NaN where there is no error.

    Raises
    ------
    JuriesError
        If the power is not between 0 and 1.
    """
    if not 0 < power < 1:
        raise JuriesError(f"power: is {power}; set a share between 0 and 1, such as 0.8")
    c = critical_value() if critical is None else critical
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (c + ndtri(power)) * np.asarray(error, float) / np.abs(difference)
    return np.asarray(np.ceil(np.asarray(questions, float) * ratio**2))


def detectable_difference(
    error: Array | float,
    questions: Array | float,
    planned: Array | float | None = None,
    *,
    power: float = POWER,
    critical: Array | float | None = None,
) -> Array:
    """Return the smallest difference that `planned` questions find with the power.

    Parameters
    ----------
    error, questions, power, critical
        See `questions_needed`.
    planned : array or float, optional
        As many as the pilot has by default.
    """
    c = critical_value() if critical is None else critical
    share = 1.0 if planned is None else np.asarray(questions, float) / planned
    return np.asarray((c + ndtri(power)) * np.asarray(error, float) * np.sqrt(share))


def power_of(
    difference: Array | float,
    error: Array | float,
    questions: Array | float,
    planned: Array | float,
    *,
    critical: Array | float | None = None,
) -> Array:
    """Return the chance that `planned` questions find a difference, on its own side of zero."""
    c = critical_value() if critical is None else critical
    then = np.asarray(error, float) * np.sqrt(np.asarray(questions, float) / planned)
    return np.asarray(ndtr(np.abs(difference) / then - c))
