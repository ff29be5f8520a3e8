"""One dataset's stored verdicts as arrays, labels scaled to 0 and 1, and a pair's orders pooled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import JuriesError
from ..metrics.arrays import Array, Names
from ..scale import Scale, fits, recode
from ..types import Outcome
from .rules import side
from .votes import DECIDED

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
    scales : sequence of Scale
        Of each judge's prompt or recording.
    keys : array of str or None of shape (n, k, orders)
        Under which the store has each verdict with its reply; None where it has none.
    given_labels, given_scores : arrays of shape (n, k, orders)
        As codes on each judge's own scale, NaN where missing.
    outcomes : array of str of shape (n, k, orders)
    usd : array of shape (n, k, orders)
        The cost of each verdict, NaN where it is not known.
    """

    judges: Sequence[str]
    scales: Sequence[Scale]
    keys: npt.NDArray[np.object_]
    given_labels: Array
    given_scores: Array
    outcomes: Names
    usd: Array

    def on(self, common: Scale, threshold: float | None = None) -> tuple[Array, Array]:
        """Return labels and scores as codes of a scale that all judges' scales fit.

        Raises JuriesError where one does not.

        Parameters
        ----------
        common : Scale
        threshold : float, optional
            On a binary panel, from which on a graded judge's value is positive. Its scores are then
            dropped: their middle is not the threshold.
        """
        labels, scores = self.given_labels.copy(), self.given_scores.copy()
        for column, own in enumerate(self.scales):
            if threshold is not None and own.graded and not common.graded:
                labels[:, column] = own.at_least(labels[:, column], threshold)
                scores[:, column] = np.nan
            elif not fits(own, common):
                raise JuriesError(
                    f"judge {self.judges[column]}: its verdicts are {own}, and {common} is "
                    "needed here"
                )
            else:
                labels[:, column] = recode(labels[:, column], own, common)
        return labels, scores

    def usd_a_call(self) -> dict[str, float | None]:
        """Return the mean cost of each judge's stored calls, None where one is not known."""
        found: dict[str, float | None] = {}
        for column, judge in enumerate(self.judges):
            costs = self.usd[:, column][self.keys[:, column] != None]  # noqa: E711 - of an array
            known = len(costs) > 0 and not np.isnan(costs).any()
            found[judge] = sum(costs.tolist()) / len(costs) if known else None
        return found


def pool(
    labels: Array,
    scores: Array,
    outcomes: Names,
    inconsistent: Inconsistent,
    scale: Scale,
) -> tuple[Array, Array, Names]:
    """Make one vote of the orders that a pair was shown in; with an order missing there is none.

    Values of single answers stay as they are; a score that is more than the value stays beside it.

    Parameters
    ----------
    labels, scores, outcomes : arrays of shape (n, k, orders)
        Codes of the scale, NaN where missing. A score is the evidence behind a label that is
        more than the label; where there is none, the label's own strength stands for it.
    inconsistent : {"missing", "tie", "mean"}
    scale : Scale
        Of the votes.

    Returns
    -------
    labels, scores, outcomes : arrays of shape (n, k)
        Labels are codes of the scale; of a preference 1, 0 or 0.5, its side.

    Raises
    ------
    JuriesError
        If values that are no preferences were given in two orders.
    """
    if scale.kind not in ("binary", "preference"):
        if labels.shape[2] != 1:
            raise JuriesError(
                f"orders: votes on the scale {scale} were given in two orders; only preferences "
                "have a second one"
            )
        strength = np.where(np.isnan(scores), labels, scores) if scale.graded else scores
        reason = np.where(outcomes == Outcome.OK, DECIDED, outcomes)
        return labels[:, :, 0], strength[:, :, 0], reason[:, :, 0]
    sides = side(labels)
    strengths = np.where(np.isnan(scores), labels, scores)
    whole = ~np.isnan(labels).any(axis=2)
    same = (sides == sides[:, :, :1]).all(axis=2)
    mean = strengths.mean(axis=2)
    odd = (outcomes != Outcome.OK).argmax(axis=2)  # the first order with no verdict
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
    return (
        np.where(whole, pooled, np.nan),
        np.where(whole, strength, np.nan),
        np.where(whole, reason, failure),
    )
