"""One dataset's stored verdicts as arrays, labels scaled to 0 and 1, and a pair's orders pooled."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Self

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
Vote = Literal["most_probable", "expected"]
"""What a judge's token probabilities vote for: the most probable level, or the expected one."""
NOT_ASKED, INCONSISTENT, NO_PROBABILITIES = "not_asked", "inconsistent", "no_probabilities"
log = logging.getLogger(__name__)


class Distribution(NamedTuple):
    """One judge's probabilities of all values, where its replies have token probabilities.

    Attributes
    ----------
    values : tuple of str
        Of the judge's scale, in order.
    codes : array of shape (values,)
        Their numbers; NaN on a nominal scale.
    chances : array of shape (n, orders, values)
        They add up to 1; NaN where a verdict has none.
    label_mass : array of shape (n, orders)
        The probability of all verdict words together among all that the judge might have written,
        NaN where it is not known. Little mass means that the judge would have written other things.
    """

    values: tuple[str, ...]
    codes: Array
    chances: Array
    label_mass: Array


@dataclass(frozen=True)
class StoredVotes:
    """The stored verdicts of k judges about n items in each order, read once an analysis.

    Attributes
    ----------
    judges : sequence of str
    scales : sequence of Scale
        Of each judge's prompt or recording.
    keys : array of str or None of shape (n, k, orders)
        Under which the store has each verdict with its reply; None where it has none, and of
        recorded verdicts, which are not in it.
    given_labels, given_scores : arrays of shape (n, k, orders)
        As codes on each judge's own scale, NaN where missing.
    outcomes : array of str of shape (n, k, orders)
    usd, usd_today : arrays of shape (n, k, orders)
        The cost of each verdict at the price of the day of asking, and at the price that the judge
        has now; NaN where it is not known.
    tokens : array of shape (n, k, orders, 3)
        Input tokens, those of them that were read from a cache, and output tokens, NaN where the
        server reported none.
    distributions : mapping of str to Distribution
        Of the judges with token probabilities, by name; not of binary verdicts, whose score is the
        probability of the positive one.
    """

    judges: Sequence[str]
    scales: Sequence[Scale]
    keys: npt.NDArray[np.object_]
    given_labels: Array
    given_scores: Array
    outcomes: Names
    usd: Array
    usd_today: Array
    tokens: Array
    distributions: Mapping[str, Distribution] = field(default_factory=dict)

    def expected(self) -> Self:
        """Return the votes with each judge's expected level in place of its most probable one.

        An expected level is a number between levels, so an ordinal scale becomes the interval with
        the same ends. A verdict without token probabilities is then missing, as "no_probabilities";
        a judge that has none at all keeps its levels, which a warning says.

        Raises
        ------
        JuriesError
            If no judge has an expected level.
        """
        scales, labels, outcomes = list(self.scales), self.given_labels.copy(), self.outcomes.copy()
        others = [name for name in self.judges if name not in self.distributions]
        unordered = [
            f"{name} is {scale}"
            for name, scale in zip(self.judges, self.scales, strict=True)
            if scale.kind == "nominal"
        ]
        if unordered:
            raise JuriesError(f"vote: expected: {unordered[0]}, which has no expected level")
        if not self.distributions:
            raise JuriesError(
                "vote: expected: no judge has the token probabilities of more than two levels; "
                "score tokens (decoding.verdict_by: logprobs), or leave it at most_probable"
            )
        if others:
            log.warning(
                "vote: expected: %s: no token probabilities of levels; their votes stay the levels "
                "they gave", ", ".join(others),
            )  # fmt: skip
        for column, name in enumerate(self.judges):
            if name not in self.distributions:
                continue
            if scales[column].kind == "ordinal":
                scales[column] = Scale.interval(*scales[column].ends)
            given = ~np.isnan(labels[:, column])
            none = given & np.isnan(self.distributions[name].chances).any(axis=2)
            labels[:, column] = np.where(given & ~none, self.given_scores[:, column], np.nan)
            outcomes[:, column] = np.where(none, NO_PROBABILITIES, outcomes[:, column])
        return replace(self, scales=scales, given_labels=labels, outcomes=outcomes)

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

    def chances(self, common: Scale) -> Array | None:
        """Return each judge's probabilities of a nominal scale's values, of shape (n, k, values).

        NaN where there are none; None if no judge has any, or the scale is not nominal.
        """
        if common.kind != "nominal" or not self.distributions:
            return None
        shape = (*self.given_labels.shape[:2], len(common.levels))
        found = np.full(shape, np.nan)
        for column, name in enumerate(self.judges):
            if (one := self.distributions.get(name)) is not None:
                at = [common.levels.index(common.value(value) or "") for value in one.values]
                found[:, column, at] = one.chances[:, 0]
        return found

    def usd_a_call(self) -> dict[str, float | None]:
        """Return the mean cost of each judge's stored calls, None where one is not known."""
        found: dict[str, float | None] = {}
        for column, judge in enumerate(self.judges):
            costs = self.usd[:, column][self.outcomes[:, column] != NOT_ASKED]
            known = len(costs) > 0 and not np.isnan(costs).any()
            found[judge] = sum(costs.tolist()) / len(costs) if known else None
        return found


def nothing_stored(items: int, orders: int) -> StoredVotes:
    """Return the stored verdicts of no judge: of votes that were pooled from others."""
    none = np.full((items, 0, orders), np.nan)
    tokens = np.full((*none.shape, 3), np.nan)
    return StoredVotes(
        [], [], none.astype(object), none, none, none.astype(str), none, none, tokens
    )


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
