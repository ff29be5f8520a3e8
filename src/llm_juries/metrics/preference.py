"""Preferences between two answers: agreement with ties, the bias of position, that of length.

A preference is a share from 0 to 1: 1 for the first of the pair, 0 for the second, 0.5 for
neither, NaN where there is none. Measures are functions of sums over pairs, so one call serves the
data or all their bootstrap resamples.
"""

from __future__ import annotations

import numpy as np

from .arrays import Array, ratio

EDGES = np.array([-1.0, -0.5, -0.25, -0.1, 0.0, 0.1, 0.25, 0.5, 1.0])
"""Edges of the bins of length differences; with finer bins some would be empty in typical data."""


def places(shown: Array) -> Array:
    """Return what each pair adds to the sums that position bias is made of.

    Parameters
    ----------
    shown : array of shape (n, k, 2)
        Preferences for the item's own candidate when it was shown first, and when second.

    Returns
    -------
    array of shape (n, k, 5)
        Whether both orders have a preference; whether they point to opposite sides (a flip); to
        different sides at all (one may be neither); the number of preferences read; and how many of
        them went to the answer shown first, half of one where they went to neither.
    """
    both = ~np.isnan(shown).any(axis=2)
    sides = np.sign(shown - 0.5)
    flipped = both & (sides[:, :, 0] * sides[:, :, 1] < 0)
    differ = both & (sides[:, :, 0] != sides[:, :, 1])
    in_place = np.stack([sides[:, :, 0], -sides[:, :, 1]], axis=2)  # 1: the one shown first
    return np.stack(
        [
            both,
            flipped,
            differ,
            (~np.isnan(in_place)).sum(axis=2),
            np.nansum((in_place + 1) / 2, axis=2),
        ],
        axis=-1,
    ).astype(float)


def inconsistency(sums: Array) -> Array:
    """Return the share of pairs, read in both orders, whose orders differ, a tie being a side."""
    return ratio(sums[..., 2], sums[..., 0])


def length_difference(first: Array, second: Array) -> Array:
    """Return how much longer the first is, as a share of both: from -1 to 1.

    The normalisation of Chatbot Arena's style control (Li, Angelopoulos and Chiang 2024, "Does
    Style Matter?"). NaN where both are empty or a length is not known.
    """
    whole = first + second
    return ratio(first - second, whole)


def longer_wins(shares: Array, difference: Array) -> Array:
    """Return what each pair adds to the share of wins of the longer answer.

    Parameters
    ----------
    shares : array of shape (n, k)
        Preferences for the first.
    difference : array of shape (n,)
        As `length_difference` returns.

    Returns
    -------
    array of shape (n, k, 2)
        One for a pair of unlike lengths with a preference, and the longer one's win (0.5 where
        neither was preferred).
    """
    known = ~np.isnan(shares) & ((difference > 0) | (difference < 0))[:, None]
    won = np.where(difference[:, None] > 0, shares, 1 - shares)
    return np.stack([known, np.where(known, won, 0.0)], axis=-1).astype(float)


def by_length(shares: Array, difference: Array) -> Array:
    """Return what each pair adds to the win share of each bin of length difference.

    Returns
    -------
    array of shape (n, k, bins, 2)
        As `longer_wins`, for the first's win, in the bin (of `EDGES`) of the pair's difference. A
        bin holds its lower end; the last one its upper end too.
    """
    bins = len(EDGES) - 1
    at = np.clip(np.searchsorted(EDGES, difference, side="right") - 1, 0, bins - 1)
    own = np.eye(bins)[at] * ~np.isnan(difference)[:, None]
    known = ~np.isnan(shares)
    stacked = np.stack([known, np.where(known, shares, 0.0)], axis=-1)
    cells: Array = own[:, None, :, None] * stacked[:, :, None, :]
    return cells


def win_share(sums: Array) -> Array:
    """Return wins over pairs of sums whose last axis holds (pairs, wins)."""
    return ratio(sums[..., 1], sums[..., 0])
