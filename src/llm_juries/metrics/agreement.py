"""Agreement of binary labels with a reference, from counts.

All functions take an array of counts of shape (..., 4), the last axis being true positives, false
positives, false negatives, true negatives, and return an array of shape (...): one call serves a
single voter, all voters, or all bootstrap resamples of all voters. A measure without meaning (a
rate over nothing, kappa where both sides only ever say one thing) is NaN.
"""

from __future__ import annotations

import numpy as np

from .arrays import Array, ratio

TP, FP, FN, TN = range(4)


def outcomes(labels: Array, human: Array) -> Array:
    """Return which cell of the 2 x 2 table each vote falls into.

    Parameters
    ----------
    labels : array of shape (n, k)
        Votes of k voters on n items, 1.0 or 0.0, NaN where missing.
    human : array of shape (n,)
        The reference, 1.0 or 0.0, NaN where there is none.

    Returns
    -------
    array of shape (n, k, 4)
        One-hot in the order TP, FP, FN, TN; all zero where either label is missing.
    """
    reference = human[:, None]
    cells = [(1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)]
    return np.stack([(labels == v) & (reference == h) for v, h in cells], axis=-1).astype(float)


def with_halves(labels: Array, human: Array) -> Array:
    """Return the counts of each vote as `outcomes` does, a vote for neither side half on each.

    Parameters
    ----------
    labels : array of shape (n, k)
        1.0, 0.0, or 0.5 where a voter was asked and came down on neither side; NaN where missing.
    human : array of shape (n,)

    Returns
    -------
    array of shape (n, k, 4)
        What to expect if a coin decided: accuracy counts a half for such a vote, and kappa too.
    """
    halves = np.where(labels == 0.5, 0.5, 0.0)[..., None]
    sides: Array = outcomes(labels, human) + halves * (
        outcomes(np.ones_like(labels), human) + outcomes(np.zeros_like(labels), human)
    )
    return sides


def accuracy(counts: Array) -> Array:
    """Return the share of votes that equal the reference."""
    tp, fp, fn, tn = (counts[..., cell] for cell in range(4))
    return ratio(tp + tn, tp + fp + fn + tn)


def true_positive_rate(counts: Array) -> Array:
    """Return the share of the reference's positives that were voted positive (sensitivity)."""
    return ratio(counts[..., TP], counts[..., TP] + counts[..., FN])


def true_negative_rate(counts: Array) -> Array:
    """Return the share of the reference's negatives that were voted negative (specificity)."""
    return ratio(counts[..., TN], counts[..., TN] + counts[..., FP])


def balanced_accuracy(counts: Array) -> Array:
    """Return the mean of the true positive and the true negative rate."""
    return (true_positive_rate(counts) + true_negative_rate(counts)) / 2


def cohen_kappa(counts: Array) -> Array:
    """Return Cohen's kappa (Cohen 1960): agreement beyond what the margins alone would give."""
    tp, fp, fn, tn = (counts[..., cell] for cell in range(4))
    return kappa_of(tp, fp, tp + fn, fp + tn)


def kappa_of(tp: Array, fp: Array, true: Array, false: Array) -> Array:
    """Return Cohen's kappa from the votes for positive and the labels of either side."""
    # (p_o - p_e) / (1 - p_e), multiplied by n squared so that whole numbers stay exact
    beyond_chance = tp * (2 * false) - fp * (2 * true)
    return ratio(beyond_chance, true * (true + false) + (tp + fp) * (false - true))
