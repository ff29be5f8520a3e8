"""Agreement of annotators among themselves, from counts.

Labels are names to these measures, not numbers: to give 0.5 (neither of a pair) and 1.0 is as far
apart as to give 0.0 and 1.0. Both measures are functions of sums over items, so one call serves
the data or all their bootstrap resamples. A measure without meaning (all labels are the same, or
there are none) is NaN.
"""

from __future__ import annotations

import numpy as np

from .arrays import Array, ratio

VALUES = (0.0, 0.5, 1.0)


def coincidences(votes: Array) -> Array:
    """Return what each item adds to the sums that alpha is made of.

    Parameters
    ----------
    votes : array of shape (n, k)
        Labels of k annotators on n items, 0.0, 0.5 or 1.0, NaN where missing.

    Returns
    -------
    array of shape (n, 4)
        How many annotators gave each of the three values, then the item's disagreement: its ordered
        pairs of unlike labels, divided by its number of labels less one. All zero where an item has
        fewer than two labels: nothing can be paired there.
    """
    given = np.stack([(votes == value).sum(axis=1) for value in VALUES], axis=1).astype(float)
    number = given.sum(axis=1, keepdims=True)
    unlike = number[:, 0] ** 2 - (given**2).sum(axis=1)
    disagreement = unlike[:, None] / np.maximum(number - 1, 1)
    return np.where(number >= 2, np.hstack([given, disagreement]), 0.0)


def krippendorff_alpha(sums: Array) -> Array:
    """Return Krippendorff's alpha for nominal labels, any number of annotators, gaps allowed.

    One less the observed disagreement over that expected by chance (Hayes and Krippendorff 2007;
    Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C).

    Parameters
    ----------
    sums : array of shape (..., 4)
        Sums of `coincidences` over items.

    Returns
    -------
    array of shape (...)
    """
    given, observed = sums[..., :-1], sums[..., -1]
    n = given.sum(axis=-1)
    expected = n**2 - (given**2).sum(axis=-1)  # ordered pairs of unlike labels, over all items
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - (n - 1) * observed / expected, np.nan)


def crossed(one: Array, other: Array) -> Array:
    """Return which cell of the 3 x 3 table of two annotators each item falls into.

    Parameters
    ----------
    one, other : array of shape (n,)
        Their labels, NaN where missing.

    Returns
    -------
    array of shape (n, 3, 3)
        One-hot; all zero where either label is missing.
    """
    values = np.array(VALUES)
    rows, columns = one[:, None] == values, other[:, None] == values
    cells: Array = (rows[:, :, None] & columns[:, None, :]).astype(float)
    return cells


def cohen_kappa(tables: Array) -> Array:
    """Return Cohen's kappa (Cohen 1960) of two annotators.

    Parameters
    ----------
    tables : array of shape (..., 3, 3)
        Sums of `crossed` over items.

    Returns
    -------
    array of shape (...)
    """
    n = tables.sum(axis=(-2, -1))
    agreed = tables.diagonal(axis1=-2, axis2=-1).sum(axis=-1)
    by_chance = (tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1)
    # (p_o - p_e) / (1 - p_e), multiplied by n squared so that whole numbers stay exact
    most = n * n - by_chance
    return ratio(agreed * n - by_chance, most)
