"""Krippendorff's alpha: agreement of several voters among themselves, without human labels.

One less the observed disagreement over that expected by chance (Hayes and Krippendorff 2007;
Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"). Any number of voters, missing
votes allowed; an item with fewer than two votes counts for nothing. The voters give one value
together, so the axis of voters has length one.
"""

from __future__ import annotations

import numpy as np

from .arrays import Array, ratio
from .graded import FLAT
from .measure import Measure, Ratings
from .nominal import one_hot


def _given(ratings: Ratings) -> tuple[Array, Array]:
    """Return how many voters gave each value, of shape (n, values), and how many voted."""
    votes = ratings.votes
    values = ratings.scale.codes
    given = one_hot(votes, values).sum(axis=1)
    return given, given.sum(axis=-1, keepdims=True)


def _paired(statistics: Array, number: Array) -> Array:
    return np.where(number >= 2, statistics, 0.0)[:, None, :]


def _nominal(ratings: Ratings) -> Array:
    given, number = _given(ratings)
    unlike = number**2 - (given**2).sum(axis=-1, keepdims=True)
    return _paired(np.hstack([given, unlike / np.maximum(number - 1, 1)]), number)


def _nominal_alpha(sums: Array) -> Array:
    """Return alpha from how often each value was given, and the disagreement, last."""
    given, observed = sums[..., :-1], sums[..., -1]
    n = given.sum(axis=-1)
    expected = n**2 - (given**2).sum(axis=-1)  # ordered pairs of unlike labels, over all items
    return ratio(expected - (n - 1) * observed, expected)


def _coincidences(ratings: Ratings) -> Array:
    """Return each item's coincidence matrix, of shape (n, 1, levels * levels)."""
    given, number = _given(ratings)
    pairs = given[:, :, None] * given[:, None, :] - given[:, :, None] * np.eye(given.shape[1])
    share = pairs.reshape(len(given), -1) / np.maximum(number - 1, 1)
    return _paired(share, number)


def _ordinal_alpha(sums: Array) -> Array:
    """Return alpha for ordered levels, whose distance is the number of votes between them."""
    levels = round(sums.shape[-1] ** 0.5)
    table = sums.reshape(*sums.shape[:-1], levels, levels)
    given = table.sum(-1)
    n = given.sum(-1)
    middle = given.cumsum(-1) - given / 2 - n[..., None] / 2  # sums to 0 over votes
    observed = (table * (middle[..., :, None] - middle[..., None, :]) ** 2).sum((-2, -1))
    expected = 2 * n * (given * middle**2).sum(-1)
    return ratio(expected - (n - 1) * observed, expected)


def _squares(ratings: Ratings) -> Array:
    """Return votes, their sum, that of squares and the disagreement, of shape (n, 1, 4)."""
    votes = ratings.scale.unit(ratings.votes)
    known = ~np.isnan(votes)
    votes = np.where(known, votes - votes[known].sum() / max(1, known.sum()), 0.0)
    number = known.sum(axis=1, keepdims=True).astype(float)
    total = votes.sum(axis=1, keepdims=True)
    squares = (votes**2).sum(axis=1, keepdims=True)
    mean = total / np.maximum(number, 1)
    inner = (np.where(known, votes - mean, 0.0) ** 2).sum(axis=1, keepdims=True)
    unlike = 2 * number * inner / np.maximum(number - 1, 1)
    return _paired(np.hstack([number, total, squares, unlike]), number)


def _interval_alpha(sums: Array) -> Array:
    n, total, squares, observed = np.moveaxis(sums, -1, 0)
    expected = 2 * (n * squares - total**2)
    return ratio(expected - (n - 1) * observed, expected, FLAT * n**2)


ALPHA_NOMINAL = Measure(
    "alpha_nominal",
    ("binary", "nominal", "ordinal", "preference"),
    _nominal,
    _nominal_alpha,
    "fisher",
    pooled=True,
)
ALPHA_ORDINAL = Measure(
    "alpha_ordinal",
    ("ordinal", "preference"),
    _coincidences,
    _ordinal_alpha,
    "fisher",
    pooled=True,
    sparing=True,
)
ALPHA_INTERVAL = Measure(
    "alpha_interval",
    ("ordinal", "interval"),
    _squares,
    _interval_alpha,
    "fisher",
    pooled=True,
    sparing=True,
)
