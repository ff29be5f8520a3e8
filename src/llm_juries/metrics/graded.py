"""Measures of ordered labels that are formulas on sums: weighted kappas, Pearson, ICC, errors.

Quadratically weighted kappa, Pearson's r and the intraclass correlation need no cells but the
number of items and five sums: of both labels, their squares and their product.
"""

from __future__ import annotations

import numpy as np

from .arrays import Array, Index, Mask, ratio
from .measure import SAME, Measure, Ratings, groups_of, hit_or_miss, mean, no_cell, with_number
from .nominal import equal, one_hot

N, X, Y, XX, YY, XY = range(6)
FLAT = 1e-12  # a variance below this share of the squared range is rounding


def moments(ratings: Ratings) -> Array:
    """Return one and the five products of vote x and human label y, of shape (n, k, 6).

    In the order n, x, y, x^2, y^2, x y; all zero where either is missing. Labels are shares of the
    scale's range less the humans' mean: no measure here depends on either, and small spreads far
    from zero would lose digits.
    """
    both = ratings.both
    x, y = ratings.scale.unit(ratings.votes), ratings.scale.unit(ratings.human)
    known = ~np.isnan(y)
    middle = y[known].sum() / max(1, known.sum())
    x = np.where(both, x - middle, 0.0)
    y = np.where(both, (y - middle)[:, None], 0.0)
    return np.stack([both.astype(float), x, y, x * x, y * y, x * y], axis=-1)


def _parts(sums: Array) -> tuple[Array, ...]:
    """Return means of x and y, variances of x and y and the covariance, all with divisor n."""
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y, xx, yy, xy = np.moveaxis(sums[..., X:] / sums[..., N, None], -1, 0)
    return x, y, xx - x * x, yy - y * y, xy - x * y


def pearson(sums: Array) -> Array:
    """Return Pearson's correlation from sums of `moments`; NaN where a side is constant."""
    *_, xx, yy, xy = _parts(sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        defined = (xx > FLAT) & (yy > FLAT)
        return np.where(defined, np.clip(xy / np.sqrt(xx * yy), -1, 1), np.nan)


def quadratic_kappa(sums: Array) -> Array:
    """Return kappa with quadratic weights (Cohen 1968) from sums of `moments`.

    The weight of two levels is the squared difference of their numbers, so that named levels
    without equal steps count by theirs. For more than levels it is Lin's concordance correlation.
    NaN where both sides only ever give one value, the same.
    """
    x, y, xx, yy, xy = _parts(sums)
    return ratio(2 * xy, xx + yy + (x - y) ** 2, FLAT)


def icc_agreement(sums: Array) -> Array:
    """Return ICC(A,1) of voter and human from sums of `moments`.

    The intraclass correlation of absolute agreement of single ratings, two-way (McGraw and Wong
    1996, Table 4; ICC(2,1) of Shrout and Fleiss 1979), for two raters. NaN for fewer than two
    items.
    """
    n = sums[..., N]
    x, y, xx, yy, xy = _parts(sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = n * (xx + yy + 2 * xy) / 2 / (n - 1)  # mean squares of items
        columns = n * (x - y) ** 2 / 2  # of raters, one degree of freedom
        error = n * (xx + yy - 2 * xy) / 2 / (n - 1)
        whole = rows + error + 2 / n * (columns - error)
        return np.where((n > 1.5) & (whole > FLAT), (rows - error) / whole, np.nan)


def _distances(ratings: Ratings) -> Array:
    """Return the statistics of linearly weighted kappa, of shape (n, k, 1 + 2 * levels).

    |x - y|, then |x - level| for each level, then the human's level one-hot. The vote may lie
    between two levels.
    """
    levels = ratings.scale.codes
    both = ratings.both[..., None]
    votes, human = ratings.votes[..., None], ratings.human[:, None, None]
    true = np.broadcast_to(
        one_hot(ratings.human, levels)[:, None, :], (*votes.shape[:2], len(levels))
    )
    stacked = np.concatenate(
        [np.abs(votes - human), np.abs(votes - np.array(levels)), true], axis=-1
    )
    return np.where(both, stacked, 0.0)


def linear_kappa(sums: Array) -> Array:
    """Return kappa with linear weights (Cohen 1968): 1 - observed over expected distance."""
    levels = sums.shape[-1] // 2
    observed, far, true = sums[..., 0], sums[..., 1 : levels + 1], sums[..., levels + 1 :]
    expected = (far * true).sum(-1)  # times n
    n = true.sum(-1)
    return ratio(expected - n * observed, expected, SAME)


def _errors(ratings: Ratings) -> Array:
    return with_number(np.abs(ratings.votes - ratings.human[:, None]))


def _within_one(ratings: Ratings) -> Array:
    """Count steps between levels, whatever numbers the levels have."""
    codes = ratings.scale.codes
    steps = np.arange(float(len(codes)))
    votes, human = (np.interp(side, codes, steps) for side in (ratings.votes, ratings.human))
    near = (np.abs(votes - human[:, None]) <= 1 + SAME).astype(float)
    return with_number(np.where(ratings.both, near, np.nan))


def _picks(ratings: Ratings) -> Array:
    """Return the credit of each question, on the first of its rows."""
    rows, starts, best = _labelled(ratings)
    sizes = np.diff(starts, append=len(rows))
    votes = np.round(ratings.votes[rows], 8)
    highest = np.maximum.reduceat(votes, starts)
    top = votes == np.repeat(highest, sizes, axis=0)  # none where a vote is missing
    credit = ratio(_numbers(top & best[:, None], starts), _numbers(top, starts))
    credit[_numbers(best, starts) == sizes] = np.nan  # all alike, or one candidate
    picked = np.full(ratings.votes.shape, np.nan)
    picked[rows[starts]] = credit
    return with_number(picked)


def _labelled(ratings: Ratings) -> tuple[Index, Index, Mask]:
    """Return the rows with a label, question by question, where each begins and which are best."""
    rows = np.flatnonzero(~np.isnan(ratings.human))
    group = groups_of(ratings)[rows]
    order = np.argsort(group, kind="stable")
    rows, starts = rows[order], np.flatnonzero(np.diff(group[order], prepend=-1))
    human = ratings.human[rows]
    highest = np.repeat(np.maximum.reduceat(human, starts), np.diff(starts, append=len(rows)))
    return rows, starts, human > highest - SAME


def _numbers(which: Mask, starts: Index) -> Array:
    """Return how many rows of each question are true."""
    found: Array = np.add.reduceat(which, starts, dtype=float)
    return found


QUADRATIC_KAPPA = Measure(
    "weighted_kappa", ("ordinal",), moments, quadratic_kappa, "fisher", sparing=True
)
PEARSON = Measure("pearson", ("ordinal", "interval"), moments, pearson, "fisher", sparing=True)
MAE = Measure(
    "mae", ("ordinal", "interval"), _errors, mean, "log", sparing=True
)  # in the scale's numbers
ORDINAL = (
    QUADRATIC_KAPPA,
    Measure("linear_kappa", ("ordinal",), _distances, linear_kappa, "fisher", sparing=True),
    Measure("exact", ("ordinal",), equal, mean, "logit", hit_or_miss),
    Measure("within_one", ("ordinal",), _within_one, mean, "logit", hit_or_miss),
    MAE,
)
INTERVAL = (
    PEARSON,
    Measure("icc", ("ordinal", "interval"), moments, icc_agreement, "fisher", sparing=True),
    MAE,
)
PICKS_BEST = Measure(
    "picks_best", ("binary", "ordinal", "interval"), _picks, mean, "logit", no_cell
)
"""How often a voter's highest score of a question's candidates is the humans' best.

A tie of m at the top counts the share of the m that are among the best. Counted are questions with
two labelled candidates or more that humans did not find all alike, and without a missing vote.
"""


def _picks_beside_chance(ratings: Ratings) -> Array:
    """Return one, the credit and the credit of a random pick of each question picked in."""
    picked = _picks(ratings)
    rows, starts, best = _labelled(ratings)
    chance = np.zeros((len(ratings.human), 1))
    chance[rows[starts], 0] = _numbers(best, starts) / np.diff(starts, append=len(rows))
    return np.concatenate([picked, (chance * picked[..., 0])[..., None]], axis=-1)


def _beyond_chance(sums: Array) -> Array:
    n, credit, chance = np.moveaxis(sums, -1, 0)
    return ratio(credit - chance, n - chance, SAME)


PICKS_BEYOND_CHANCE = Measure(
    "picks_best",
    ("binary", "ordinal", "interval"),
    _picks_beside_chance,
    _beyond_chance,
    "identity",
    no_cell,
)
"""How often the best is picked, corrected for chance as kappa is: (share - chance) / (1 - chance).

0 is a random pick, 1 the best every time.
"""
