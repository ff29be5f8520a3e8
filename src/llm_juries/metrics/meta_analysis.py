"""A random-effects summary of estimates from several sources.

Sources differ in more than chance, so the mean is one of a distribution of effects: its spread, and
where the effect of a new source would lie, are reported beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc, stdtrit

from .arrays import Array


class Pooled(NamedTuple):
    """A random-effects summary of k independent effects; NaN where k is too small.

    Attributes
    ----------
    k : int
    mean, low, high : float
        The mean effect, with the interval of Hartung and Knapp (2001), by t with k - 1 degrees of
        freedom; never narrower than without their correction.
    tau, tau2 : float
        The standard deviation and variance of true effects (Paule and Mandel 1982).
    i2 : float
        The share of the variance that is not chance (Higgins and Thompson 2002).
    q_p : float
        The p value of all true effects being the same (Cochran's Q).
    new_low, new_high : float
        The prediction interval: where the effect of a new source would lie (Higgins, Thompson and
        Spiegelhalter 2009), by t with k - 2 degrees of freedom.
    """

    k: int
    mean: float
    low: float
    high: float
    tau: float
    tau2: float
    i2: float
    q_p: float
    new_low: float
    new_high: float


STEPS, SAME = 100, 1e-10
NOTHING = Pooled(0, *[np.nan] * 9)


def random_effects(effects: Array, errors: Array, level: float = 0.95) -> Pooled:
    """Summarise independent effects.

    Parameters
    ----------
    effects, errors : arrays of shape (k,)
        With their standard errors, which must be above zero.
    level : float
        Of both intervals.
    """
    k = len(effects)
    if k == 0:
        return NOTHING
    if k == 1:
        return NOTHING._replace(k=1, mean=float(effects[0]))
    variances = np.asarray(errors) ** 2
    _, q, _ = _weighted(effects, variances)
    tau2 = _paule_mandel(effects, variances)
    mean, spread_re, weight = _weighted(effects, variances + tau2)
    error = float(np.sqrt(max(spread_re / (k - 1), 1.0) / weight))
    reach = float(stdtrit(k - 1, (1 + level) / 2)) * error
    spread = np.sqrt(tau2 + error**2)
    ahead = float(stdtrit(k - 2, (1 + level) / 2)) * spread if k > 2 else np.nan
    return Pooled(
        k,
        mean,
        mean - reach,
        mean + reach,
        float(np.sqrt(tau2)),
        tau2,
        max(0.0, 1 - (k - 1) / q) if q > 0 else 0.0,
        float(chdtrc(k - 1, q)),
        mean - ahead,
        mean + ahead,
    )


def _weighted(effects: Array, variances: Array) -> tuple[float, float, float]:
    """Return the mean by inverse variances, the weighted squares around it, and all weights."""
    weights = 1 / variances
    mean = float(weights @ effects / weights.sum())
    return mean, float(weights @ (effects - mean) ** 2), float(weights.sum())


def _paule_mandel(effects: Array, variances: Array) -> float:
    """Return the variance of true effects under which the weighted squares are k - 1, 0 if none.

    By Newton's steps from 0 (DerSimonian and Kacker 2007), which approach the root from below.
    """
    tau2 = 0.0
    for _ in range(STEPS):
        mean, squares, _ = _weighted(effects, variances + tau2)
        excess = squares - (len(effects) - 1)
        if excess <= SAME:
            break
        tau2 += excess / float((variances + tau2) ** -2.0 @ (effects - mean) ** 2)
    return tau2


def within_clusters(
    effects: Array, errors: Array, clusters: Sequence[str]
) -> tuple[Array, Array, list[str]]:
    """Return one effect for each cluster of sources that share data.

    The mean weighted by precision; its error is that of wholly correlated effects, the largest
    there can be.
    """
    names = list(dict.fromkeys(clusters))
    means, spreads = np.empty(len(names)), np.empty(len(names))
    for at, name in enumerate(names):
        rows = np.array([one == name for one in clusters])
        weights = errors[rows] ** -2.0
        weights /= weights.sum()
        means[at], spreads[at] = weights @ effects[rows], weights @ errors[rows]
    return means, spreads, names
