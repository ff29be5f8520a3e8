"""Whether probabilities are what they say: Brier score, log loss and calibration error.

All are of a probability of the positive label beside a binary one. The calibration error of ten
bins is above zero by chance alone, also for a judge whose probabilities are right; `by_chance` is
how much of it (Bröcker and Smith 2007 draw that as bars of a reliability diagram).
"""

from __future__ import annotations

import numpy as np

from .arrays import Array, Index, ratio
from .measure import Measure, Ratings, mean, no_cell, with_number

BINS = 10
LEAST = 1e-6  # a probability closer to 0 or 1 counts as this in a log loss: it would be infinite


def _shares(ratings: Ratings) -> Array:
    found: Array = np.where(ratings.both, ratings.scale.unit(ratings.votes), np.nan)
    return found


def _brier(ratings: Ratings) -> Array:
    return with_number((_shares(ratings) - ratings.human[:, None]) ** 2)


def _log_loss(ratings: Ratings) -> Array:
    share = np.clip(_shares(ratings), LEAST, 1 - LEAST)
    return with_number(-np.log(np.where(ratings.human[:, None] == 1, share, 1 - share)))


def bins_of(shares: Array) -> Index:
    """Return which of ten bins of equal width each probability is in; a bin holds its lower end."""
    return np.clip((np.nan_to_num(shares) * BINS + 1e-9).astype(np.intp), 0, BINS - 1)


def binned(ratings: Ratings) -> Array:
    """Return what each item adds to the sums of its bin.

    Returns
    -------
    array of shape (n, k, 4 * BINS)
        One, the probability, whether the label is positive, and p (1 - p), in the item's bin.
    """
    shares = _shares(ratings)
    known = ~np.isnan(shares)
    own = np.eye(BINS)[bins_of(shares)] * known[..., None]
    p, positive = np.nan_to_num(shares), np.nan_to_num(ratings.human)[:, None]
    parts = (np.ones_like(p), p, np.broadcast_to(positive, p.shape), p * (1 - p))
    return np.concatenate([own * part[..., None] for part in parts], axis=-1)


def _bins(sums: Array) -> Array:
    return np.moveaxis(sums.reshape(*sums.shape[:-1], 4, BINS), -2, 0)


def calibration_error(sums: Array) -> Array:
    """Return the expected calibration error (Naeini, Cooper and Hauskrecht 2015).

    The mean over items of the distance, within a bin, of the mean probability from the share of
    positive labels.
    """
    number, given, positive, _ = _bins(sums)
    return ratio(np.abs(given - positive).sum(axis=-1), number.sum(axis=-1))


def by_chance(sums: Array) -> Array:
    """Return the calibration error to expect of probabilities that are right.

    By the normal approximation of each bin's number of positive labels, independent items.
    """
    number, _, _, variance = _bins(sums)
    return ratio(np.sqrt(2 / np.pi * variance).sum(axis=-1), number.sum(axis=-1))


BRIER = Measure("brier", ("interval",), _brier, mean, "logit", no_cell)
"""The mean squared distance of a probability from the label: 0 is best, 0.25 is to say one half."""
LOG_LOSS = Measure("log_loss", ("interval",), _log_loss, mean, "log", no_cell)
"""The mean surprise in nats: 0 is best, log 2 is to say one half."""
CALIBRATION_ERROR = Measure("ece", ("interval",), binned, calibration_error, "logit", no_cell)
ECE_BY_CHANCE = Measure("ece_by_chance", ("interval",), binned, by_chance, "logit", no_cell)
CALIBRATION = (BRIER, LOG_LOSS, CALIBRATION_ERROR)
