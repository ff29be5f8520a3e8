"""Ranks, and how far two orders of models agree."""

from __future__ import annotations

import numpy as np

from .arrays import Array, Index

SAME = 8  # decimals: scores that differ by less share a rank


def ranks(scores: Array) -> Array:
    """Return the rank of each score along the last axis, 1 the highest.

    Equal scores share the mean of their ranks. A score that is NaN has no rank and takes none.
    """
    rounded = np.round(scores, SAME)
    above = (rounded[..., None, :] > rounded[..., :, None]).sum(-1)
    level = (rounded[..., None, :] == rounded[..., :, None]).sum(-1)
    return np.where(np.isnan(scores), np.nan, above + (level + 1) / 2)


def correlations(ours: Array, reference: Array) -> dict[str, Array]:
    """Return how far scores order models as a reference does.

    Parameters
    ----------
    ours : array of shape (..., m)
        Scores, or one row of them for each resample.
    reference : array of shape (m,)
        The reference's scores; higher is better in both.

    Returns
    -------
    dict of name to array of shape (...)
        `kendall_tau_b` and `kendall_tau_a` (Kendall 1945; a counts a tie as no agreement and b
        corrects for ties), `spearman` (Pearson's correlation of the ranks, which is what the PoLL
        paper prints as Pearson) and `pearson` (of the scores themselves). NaN where any score is,
        and where there is no correlation: fewer than two models, or all of them tied.
    """
    ours, reference = np.asarray(ours, dtype=float), np.asarray(reference, dtype=float)
    m = len(reference)
    # Less than two models, or two scores of which one is missing, cannot agree or disagree.
    defined = ~(np.isnan(ours).any(-1) | np.isnan(reference).any() | (m < 2))
    upper = np.triu_indices(m, 1)
    signs = [
        np.sign(np.round(side[..., upper[0]] - side[..., upper[1]], SAME))
        for side in (ours, reference)
    ]
    agreed = (signs[0] * signs[1]).sum(-1)
    untied = [np.abs(side).sum(-1) for side in signs]
    pairs = len(upper[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        found = {
            "kendall_tau_b": agreed / np.sqrt(untied[0] * untied[1]),
            "kendall_tau_a": agreed / np.where((untied[0] > 0) & (untied[1] > 0), pairs, np.nan),
            "spearman": _pearson(ranks(ours), ranks(reference)),
            "pearson": _pearson(ours, reference),
        }
    return {name: np.where(defined, value, np.nan) for name, value in found.items()}


def rank_sets(decided: Index, score: Array) -> tuple[Array, Array]:
    """Return the lowest and the highest rank that each score can have, NaN without a score.

    Parameters
    ----------
    decided : array of shape (m, m)
        As `significance.decided_pairs` returns.
    score : array of shape (m,)
    """
    known = ~np.isnan(score)
    low, high = 1 + (decided == -1).sum(axis=1), known.sum() - (decided == 1).sum(axis=1)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def order_bounds(decided: Index, reference: Array) -> dict[str, tuple[Array, Array]]:
    """Return bounds on the correlations of an order with a reference's.

    Kendall's count every pair that is not decided against the reference, and for it. Spearman's are
    the worst and the best order in which every rank is in its set.

    Parameters
    ----------
    decided : array of shape (m, m)
        As `significance.decided_pairs` returns.
    reference : array of shape (m,)

    Returns
    -------
    dict of name to lower and upper bound
        `kendall_tau_b`, `kendall_tau_a` and `spearman`; NaN for fewer than two models, and where
        all of the reference are tied.
    """
    from scipy.optimize import linear_sum_assignment

    m = len(reference)
    names = ("kendall_tau_b", "kendall_tau_a", "spearman")
    upper = np.triu_indices(m, 1)
    theirs = np.sign(np.round(reference[upper[0]] - reference[upper[1]], SAME))
    ours, untied, pairs = decided[upper], float(np.abs(theirs).sum()), len(theirs)
    if not untied:
        return {name: (np.array(np.nan), np.array(np.nan)) for name in names}
    agreed, open_ = float((ours * theirs).sum()), float(np.abs(theirs[ours == 0]).sum())
    ends = np.array([agreed - open_, agreed + open_])

    low, high = rank_sets(decided, np.zeros(m))
    places, wanted = np.arange(1.0, m + 1), ranks(reference)
    outside = (places < low[:, None]) | (places > high[:, None])
    product = np.outer(wanted - wanted.mean(), places - places.mean())
    sizes = ((wanted - wanted.mean()) ** 2).sum(), ((places - places.mean()) ** 2).sum()
    orders = []
    for sign in (1.0, -1.0):
        cost = np.where(outside, 1e9, sign * product)
        orders.append(product[linear_sum_assignment(cost)].sum() / np.sqrt(sizes[0] * sizes[1]))
    return {
        name: (np.array(one[0]), np.array(one[1]))
        for name, one in zip(
            names, (ends / np.sqrt(pairs * untied), ends / pairs, orders), strict=True
        )
    }


def score_bounds(
    score: Array, draws: Array, reference: Array, level: float = 0.95
) -> tuple[Array, Array]:
    """Return bounds on Pearson's correlation of true scores with a reference's.

    Correlations are cosines of angles between centred scores. The true scores lie within a distance
    of the estimated ones that a share `level` of the resamples keeps, so their angle to them is
    known, and the angle to the reference is at most that much larger or smaller.

    Parameters
    ----------
    score, reference : arrays of shape (m,)
    draws : array of shape (b, m)

    Returns
    -------
    lower and upper bound
        NaN for fewer than two models, without resamples and where nothing varies.
    """
    value = correlations(score, reference)["pearson"]
    if np.isnan(value):
        return np.array(np.nan), np.array(np.nan)
    away = draws - score
    away = np.sqrt(((away - away.mean(axis=1, keepdims=True)) ** 2).sum(axis=1))
    if np.isnan(away).all() or not np.nanmax(away) > 0:
        return np.array(np.nan), np.array(np.nan)
    length = np.sqrt(((score - score.mean()) ** 2).sum())
    turned = np.arcsin(min(1.0, float(np.nanquantile(away, level) / length)))
    angle = np.arccos(np.clip(value, -1, 1))
    return np.cos(np.minimum(np.pi, angle + turned)), np.cos(np.maximum(0.0, angle - turned))


def _pearson(ours: Array, reference: Array) -> Array:
    spreads = []
    for side in (ours, reference):
        spread = side - side.sum(-1, keepdims=True) / max(1, side.shape[-1])
        # What rounding leaves of scores that are all equal is no spread.
        flat = np.abs(spread).max(-1, initial=0.0, keepdims=True) < 10.0**-SAME
        spreads.append(np.where(flat, 0.0, spread))
    left, right = spreads
    return np.asarray((left * right).sum(-1) / np.sqrt((left**2).sum(-1) * (right**2).sum(-1)))
