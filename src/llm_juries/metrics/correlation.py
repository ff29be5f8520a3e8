"""Ranks, and how far two orders of models agree."""

from __future__ import annotations

import numpy as np

from .arrays import Array

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


def _pearson(ours: Array, reference: Array) -> Array:
    spreads = []
    for side in (ours, reference):
        spread = side - side.sum(-1, keepdims=True) / max(1, side.shape[-1])
        # What rounding leaves of scores that are all equal is no spread.
        flat = np.abs(spread).max(-1, initial=0.0, keepdims=True) < 10.0**-SAME
        spreads.append(np.where(flat, 0.0, spread))
    left, right = spreads
    return np.asarray((left * right).sum(-1) / np.sqrt((left**2).sum(-1) * (right**2).sum(-1)))
