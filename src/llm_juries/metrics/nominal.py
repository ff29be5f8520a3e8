"""Measures of labels without an order: binary, nominal and preferences.

Numbers stand for values here and their distance means nothing. A kappa needs no cells but what
agreed and the two margins: 2 L + 1 sums for L values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ..scale import Scale
from . import agreement
from .arrays import Array, ratio
from .measure import SAME, Cells, Measure, Ratings, hit_or_miss, mean, with_number


def one_hot(codes: Array, values: Sequence[float]) -> Array:
    """Return which of the values each code is, of shape (..., values); all zero for NaN.

    Raises
    ------
    ValueError
        If a code is none of them: a mean between two levels has no cell.
    """
    found: Array = (np.abs(codes[..., None] - np.array(values)) < SAME).astype(float)
    if (~np.isnan(codes) & (found.sum(axis=-1) == 0)).any():
        raise ValueError(f"a label is none of the values {tuple(values)}; round it first")
    return found


def confusion(ratings: Ratings, values: Sequence[float] | None = None) -> Array:
    """Return the cell of voter and human that each item falls into.

    Returns
    -------
    array of shape (n, k, values, values)
        One-hot; the last axis is the human's value, the one before the voter's, in the scale's
        order. All zero where either label is missing. Sums over items are the confusion counts.
    """
    codes = ratings.scale.codes if values is None else values
    human = one_hot(ratings.human, codes)
    return one_hot(ratings.votes, codes)[..., :, None] * human[:, None, None, :]


def margins(votes: Array, human: Array, values: Sequence[float]) -> Array:
    """Return the statistics of Cohen's kappa.

    Returns
    -------
    array of shape (n, k, 1 + 2 * values)
        Whether both labels are equal, the voter's value and the human's, both one-hot; all zero
        where either is missing.
    """
    voted, true = one_hot(votes, values), one_hot(human, values)[:, None, :]
    both = voted.any(axis=-1, keepdims=True) & true.any(axis=-1, keepdims=True)
    voted, true = voted * both, true * both
    return np.concatenate([(voted * true).sum(-1, keepdims=True), voted, true], axis=-1)


def cohen_kappa(sums: Array) -> Array:
    """Return Cohen's kappa (Cohen 1960) from sums of `margins`.

    NaN where both sides only ever give one value, the same; 0 where only one side does.
    """
    values = sums.shape[-1] // 2
    agreed, voted, true = sums[..., 0], sums[..., 1 : values + 1], sums[..., values + 1 :]
    n = voted.sum(-1)
    by_chance = (voted * true).sum(-1)
    # (p_o - p_e) / (1 - p_e), multiplied by n squared so that whole numbers stay exact
    return ratio(agreed * n - by_chance, n * n - by_chance)


def _outcomes(ratings: Ratings) -> Array:
    for codes in (ratings.votes, ratings.human):
        one_hot(codes, (0.0, 1.0))  # raises for a code that would count for nothing in silence
    return agreement.outcomes(ratings.votes, ratings.human)


def _margins(ratings: Ratings) -> Array:
    return margins(ratings.votes, ratings.human, ratings.scale.codes)


def equal(ratings: Ratings) -> Array:
    """Return whether each vote equals the human label: statistics of a mean."""
    hit = (np.abs(ratings.votes - ratings.human[:, None]) < SAME).astype(float)
    return with_number(np.where(ratings.both, hit, np.nan))


def _positives(scale: Scale) -> Cells:
    return [(code, scale.codes[1]) for code in scale.codes]


def _negatives(scale: Scale) -> Cells:
    return [(code, scale.codes[0]) for code in scale.codes]


BINARY = (
    Measure("kappa", ("binary",), _outcomes, agreement.cohen_kappa, "fisher"),
    Measure("accuracy", ("binary",), _outcomes, agreement.accuracy, "logit"),
    Measure("tpr", ("binary",), _outcomes, agreement.true_positive_rate, "logit", _positives),
    Measure("tnr", ("binary",), _outcomes, agreement.true_negative_rate, "logit", _negatives),
    Measure("balanced_accuracy", ("binary",), _outcomes, agreement.balanced_accuracy, "logit"),
)


def _halves(ratings: Ratings) -> Array:
    return agreement.with_halves(ratings.votes, ratings.human)


KAPPA_HALF = Measure(
    "kappa", ("binary", "preference"), _halves, agreement.cohen_kappa, "fisher", hit_or_miss
)
"""Kappa of two sides in which a vote for neither counts for half, as if a coin decided."""
ACCURACY_HALF = replace(KAPPA_HALF, name="accuracy", formula=agreement.accuracy, transform="logit")
NOMINAL = (
    Measure("kappa", ("nominal",), _margins, cohen_kappa, "fisher"),
    Measure("accuracy", ("nominal",), equal, mean, "logit", hit_or_miss),
)


def class_rates(scale: Scale) -> tuple[Measure, ...]:
    """Return recall and precision of each value of a scale: recall_VALUE and precision_VALUE.

    Recall is the share of the humans' labels of a value that a voter gave too, precision the share
    of a voter's labels of a value that the humans gave too.
    """
    kinds = (scale.kind,)
    return tuple(
        Measure(
            f"{name}_{level}",
            kinds,
            partial(_class, code=code),
            formula,
            "logit",
            partial(cells, code=code),
        )
        for name, formula, cells in (
            ("recall", _recall, _labels_of),
            ("precision", _precision, _votes_for),
        )
        for level, code in zip(scale.levels, scale.codes, strict=True)
    )


def _class(ratings: Ratings, code: float) -> Array:
    voted = ratings.both & (np.abs(ratings.votes - code) < SAME)
    true = ratings.both & (np.abs(ratings.human[:, None] - code) < SAME)
    return np.stack([voted & true, true, voted], axis=-1).astype(float)


def _labels_of(scale: Scale, code: float) -> Cells:
    return [(vote, code) for vote in (code, _other(scale, code))]


def _votes_for(scale: Scale, code: float) -> Cells:
    return [(code, label) for label in (code, _other(scale, code))]


def _other(scale: Scale, code: float) -> float:
    return next(other for other in scale.codes if other != code)


def _recall(sums: Array) -> Array:
    return ratio(sums[..., 0], sums[..., 1])


def _precision(sums: Array) -> Array:
    return ratio(sums[..., 0], sums[..., 2])


def sides(codes: Array) -> Array:
    """Return which side a preference is on: 1 the first answer, 0 the second, 0.5 neither."""
    away = codes - 0.5
    return (np.sign(np.where(np.abs(away) < SAME, 0.0, away)) + 1) / 2


def _sides(ratings: Ratings) -> Array:
    return margins(sides(ratings.votes), sides(ratings.human), (0.0, 0.5, 1.0))


def _credit(ratings: Ratings) -> Array:
    """One for the same side, a half where one of the two is a tie."""
    return with_number(1 - np.abs(sides(ratings.votes) - sides(ratings.human)[:, None]))


def _decided(ratings: Ratings) -> Array:
    human = sides(ratings.human)
    decided = np.where(human == 0.5, np.nan, human)
    return with_number(1 - np.abs(sides(ratings.votes) - decided[:, None]))


WITH_TIES = (
    # Over all pairs, a tie of either side for half
    Measure("accuracy_ties", ("preference",), _credit, mean, "logit", hit_or_miss),
    # Over the pairs that humans decided, a voter's tie for half
    Measure("accuracy_decided", ("preference",), _decided, mean, "logit", hit_or_miss),
)
PREFERENCE = (Measure("kappa", ("preference",), _sides, cohen_kappa, "fisher"), *WITH_TIES)
