"""One dataset's stored verdicts as arrays, labels scaled to 0 and 1, and a pair's orders pooled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from ..metrics.arrays import Array, Names
from ..types import Outcome
from .rules import side
from .votes import DECIDED, TIE

Inconsistent = Literal["missing", "tie", "mean"]
"""What a pair counts as whose two orders point to different sides (one may be the middle).

"missing": no vote; "tie": a tie; "mean": the side of the mean of the two strengths. Where the sides
are the same, the choice makes no difference: the strength is the mean.
"""
NOT_ASKED, INCONSISTENT = "not_asked", "inconsistent"


@dataclass(frozen=True)
class StoredVotes:
    """The stored verdicts of k judges about n items in each order, read once an analysis.

    Attributes
    ----------
    judges : sequence of str
    scales : array of shape (k, 2)
        The lowest and highest label of each judge's prompt or recording.
    keys : array of str or None of shape (n, k, orders)
        Under which the store has each verdict with its reply; None where it has none.
    given_labels, given_scores : arrays of shape (n, k, orders)
        As the judges gave them, NaN where missing.
    outcomes : array of str of shape (n, k, orders)
    usd : array of shape (n, k, orders)
        The cost of each verdict, NaN where it is not known.
    """

    judges: Sequence[str]
    scales: Array
    keys: npt.NDArray[np.object_]
    given_labels: Array
    given_scores: Array
    outcomes: Names
    usd: Array

    @cached_property
    def labels(self) -> Array:
        """The labels, scaled from each judge's lowest and highest to 0 and 1."""
        return self._scaled(self.given_labels)

    @cached_property
    def scores(self) -> Array:
        """The scores, scaled like the labels; none of a judge with a score off its scale.

        Where such a judge's scores have their middle (a recorded 7 of 10) is not known.
        """
        scores = self._scaled(self.given_scores)
        off_scale = ((scores < 0) | (scores > 1)).any(axis=(0, 2))
        scores[:, off_scale] = np.nan
        return scores

    def usd_a_call(self) -> dict[str, float | None]:
        """Return the mean cost of each judge's stored calls, None where one is not known."""
        found: dict[str, float | None] = {}
        for column, judge in enumerate(self.judges):
            costs = self.usd[:, column][self.keys[:, column] != None]  # noqa: E711 - of an array
            known = len(costs) > 0 and not np.isnan(costs).any()
            found[judge] = sum(costs.tolist()) / len(costs) if known else None
        return found

    def _scaled(self, given: Array) -> Array:
        return to_unit(given, self.scales[:, 0, None], self.scales[:, 1, None])


def to_unit(values: Array, low: ArrayLike, high: ArrayLike) -> Array:
    """Return values on a scale from low to high as values from 0 to 1."""
    scaled: Array = (values - np.asarray(low)) / (np.asarray(high) - np.asarray(low))
    return scaled


def from_unit(values: Array, low: float, high: float) -> Array:
    """Return values from 0 to 1 on a scale from low to high: the inverse of `to_unit`."""
    return low + (high - low) * values


def pool(
    labels: Array,
    scores: Array,
    outcomes: Names,
    inconsistent: Inconsistent,
    *,
    pairs: bool,
) -> tuple[Array, Array, Names]:
    """Make one vote of the orders that a pair was shown in; with an order missing there is none.

    Parameters
    ----------
    labels, scores, outcomes : arrays of shape (n, k, orders)
        Scaled to 0 and 1, NaN where missing. A score is the evidence behind a label; without one,
        the label counts as its own score.
    inconsistent : {"missing", "tie", "mean"}
    pairs : bool
        Whether the middle is a vote (for neither answer).

    Returns
    -------
    labels, scores, outcomes : arrays of shape (n, k)
        Labels are 1, 0 or (of pairs) 0.5.
    """
    sides = side(labels)
    strengths = np.where(np.isnan(scores), labels, scores)
    whole = ~np.isnan(labels).any(axis=2)
    same = (sides == sides[:, :, :1]).all(axis=2)
    mean = strengths.mean(axis=2)
    odd = (outcomes != Outcome.OK).argmax(axis=2)  # the first order without a verdict
    failure = np.take_along_axis(outcomes, odd[:, :, None], axis=2)[:, :, 0]
    pooled, strength = np.where(same, sides[:, :, 0], np.nan), np.where(same, mean, np.nan)
    reason = np.where(same, DECIDED, INCONSISTENT)
    match inconsistent:
        case "missing":
            pass
        case "tie":
            pooled, strength = np.where(same, pooled, 0.5), np.where(same, strength, 0.5)
            reason = np.full_like(reason, DECIDED)
        case "mean":
            pooled, strength = np.where(same, pooled, side(mean)), mean
            reason = np.full_like(reason, DECIDED)
    middle = whole & (pooled == 0.5)
    if not pairs:
        pooled = np.where(middle, np.nan, pooled)
        reason = np.where(middle, TIE, reason)
    return (
        np.where(whole, pooled, np.nan),
        np.where(whole, strength, np.nan),
        np.where(whole, reason, failure),
    )
