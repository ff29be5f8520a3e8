"""The voting rules of a jury: majority, plurality, any, margin, mean, median, log-odds.

How ties and missing votes count is part of a jury, because it changes results: a panel of three
that loses one judge is a panel of two that can tie. A jury that cannot decide gives no label: its
outcome is "tie" or "no_quorum", counted like any other missing vote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..arguments import check_fields
from ..errors import JuriesError, nearest
from ..metrics.arrays import Array, Mask, Names
from ..scale import Kind, Scale
from ..seats import seat_of
from .pooling import Context, ScaleError, check_members, check_scale, check_weights, name_seats
from .votes import DECIDED, NO_QUORUM, TIE, Votes, one_voter

Rule = Literal[
    "majority", "plurality", "any", "margin", "mean", "median", "majority_or_mean", "log_odds"
]
Ties = Literal["missing", "positive", "negative", "half", "first"]
COUNTED_AS = {"positive": 1.0, "negative": 0.0, "half": 0.5}
SIDED: tuple[Kind, ...] = ("binary", "preference")
GRADED: tuple[Kind, ...] = ("ordinal", "interval")
SCALES: dict[Rule, tuple[Kind, ...]] = {
    "majority": ("binary", "nominal", "ordinal", "interval", "preference"),
    "plurality": ("binary", "nominal", "ordinal", "preference"),
    "any": SIDED,
    "margin": SIDED,
    "mean": ("binary", "nominal", "ordinal", "interval", "preference"),
    "median": (*SIDED, *GRADED),
    "majority_or_mean": (*SIDED, *GRADED),
    "log_odds": ("binary", "nominal"),
}
"""The scales on which each rule has a meaning."""
WEIGHTED: tuple[Rule, ...] = ("plurality", "margin", "mean", "log_odds")
SAME = 1e-12  # values and sums of weights that differ by less are equal
SUREST = 1e-3  # probabilities nearer to 0 or 1 count as this far from it in log-odds


@dataclass(frozen=True)
class Jury:
    """Several judges and the rule by which they decide.

    Parameters
    ----------
    name : str
    members : tuple of str
        The judges' names, a seat each.
    rule : Rule
        "majority": the value that more than half of all seats voted for, so a missing vote can
        leave a jury undecided but never let a minority decide.
        "plurality": the value with the most votes; two with as many are a tie.
        "any": positive if one vote is, negative if every seat voted negative.
        "margin": positive (or the first of a pair) if more votes are than negative ones; votes for
        neither of a pair are abstentions.
        "mean", "median": of the scores (of the label where a judge gives no score). On a graded
        scale that number is the decision, between two levels too. On a binary or preference scale
        it is positive above 0.5, negative below, a tie at it. The paper pools levels by the mean.
        Of binary votes one rule holds for a judge and a jury of it alone: at 0.5 exactly the side
        with more votes decides, and a score on the other side of 0.5 than the judge's own vote (its
        threshold was another) counts as 0.5.
        On a nominal scale the mean is over the judges' probabilities of each value, which takes
        judges that score tokens; the likeliest value is the decision.
        "log_odds": as the mean, of log-odds (on a nominal scale of log-probabilities, none below
        0.001, scaled to add up to 1): sure judges count for more.
        "majority_or_mean": the score that more than half of all seats gave, else the mean.
    ties : {"missing", "first", "positive", "negative", "half"}
        What a tie counts as. "missing" keeps it out of every measure and counts it. "first" takes
        the vote of the first member, in the order of `members`, that is for one of the values with
        the most votes. "positive", "negative" and "half" are for binary and preference scales:
        "half" suits pairs, neither answer is preferred, each has half a win.
    quorum : int, optional
        How many votes a decision needs, of rules other than "majority" and "any"; by default more
        than half of the seats.
    weights : mapping of str to float, optional
        A weight of 0 or more for each member; for plurality, margin, mean and log_odds. For weights
        that are learnt from labels see `juries.weighting`.
    fallback : str, optional
        The member or other judge whose vote is the decision where the jury has none.
    criteria : mapping of str to float, optional
        The weight of each criterion that answers are judged on: an analysis then has the answers as
        a whole too, on which the jury's decisions on the criteria are pooled; see
        `juries.criteria`.
    """

    name: str
    members: tuple[str, ...]
    rule: Rule = "majority"
    ties: Ties = "missing"
    quorum: int | None = None
    weights: Mapping[str, float] | None = None
    fallback: str | None = None
    criteria: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        check_fields(self, f"jury {self.name}")
        name_seats(self, "members")
        if self.fallback is not None:
            object.__setattr__(self, "fallback", str(seat_of(self.fallback)))
        check_members(self.name, self.members, self.quorum)
        for key, value, known in (
            ("rule", self.rule, get_args(Rule)),
            ("ties", self.ties, get_args(Ties)),
        ):
            if value not in known:
                raise JuriesError(f"jury {self.name}: no {key} {value!r}{nearest(value, known)}")
        if self.weights is not None:
            if self.rule not in WEIGHTED:
                raise JuriesError(
                    f"jury {self.name}: weights: rule {self.rule} has none; use "
                    f"{', '.join(WEIGHTED)}, or llm_juries.juries.weighting.Weighted"
                )
            check_weights(self.name, self.members, self.weights)

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:  # noqa: ARG002
        """Return the jury's decisions as the votes of one voter.

        Their scores are what the rule computes: the mean, the median, the common score. "majority",
        "plurality" and "any" give labels only; on a graded scale the label is the score. Pooled
        probabilities of nominal values are the votes' `chances`, the highest the score.

        Raises
        ------
        JuriesError
            If the rule, or what it does with ties, has no meaning on the votes' scale.
        """
        scale = votes.scale
        self._check(scale)
        seats = votes.columns(self.members)
        chances = self._chances(seats) if self._pools_chances(scale) else None
        labels, outcomes, strength = self._pooled(seats, scale, chances)
        tied = outcomes == TIE
        if self.ties == "first":
            labels = np.where(tied, first_vote(seats.labels), labels)
            outcomes = np.where(tied & ~np.isnan(labels), DECIDED, outcomes)
        elif self.ties != "missing":
            labels = np.where(tied, COUNTED_AS[self.ties], labels)
            outcomes = np.where(tied, DECIDED, outcomes)
        if scale.graded:
            strength = labels
        if self.fallback is not None:
            one = votes.columns((self.fallback,))
            instead = np.isnan(labels) & ~np.isnan(one.labels[:, 0])
            labels = np.where(instead, one.labels[:, 0], labels)
            strength = np.where(instead, one.scores[:, 0], strength)
            outcomes = np.where(instead, DECIDED, outcomes)
            if chances is not None:
                chances = np.where(instead[:, None], one.probabilities[:, 0], chances)
        return one_voter(self.name, self.members, labels, outcomes, strength, scale, chances)

    def _check(self, scale: Scale) -> None:
        check_scale(self.name, f"rule {self.rule}", scale, SCALES[self.rule])
        if self.ties in COUNTED_AS and scale.kind not in SIDED:
            raise ScaleError(
                f"jury {self.name}: ties {self.ties} is for binary and preference scales, the "
                f"votes are {scale}; use missing or first"
            )

    def _pools_chances(self, scale: Scale) -> bool:
        return scale.kind == "nominal" and self.rule in ("mean", "log_odds")

    @property
    def _weights(self) -> Array:
        given = self.weights or dict.fromkeys(self.members, 1.0)
        return np.array([given[member] for member in self.members], float)

    @property
    def _quorum(self) -> int:
        return self.quorum or len(self.members) // 2 + 1

    def _pooled(
        self, seats: Votes, scale: Scale, chances: Array | None
    ) -> tuple[Array, Names, Array]:
        """Return labels, outcomes and scores, before ties count as anything."""
        if chances is not None:
            return *likeliest(chances, np.array(scale.codes)), chances.max(axis=1)
        quorum, weights = self._quorum, self._weights
        cast = ~np.isnan(seats.labels) | (seats.outcomes == TIE)  # a middling score is a vote too
        scores = np.where(np.isnan(seats.scores), seats.labels, seats.scores)
        scores = np.where(cast, scores, np.nan)
        votes_at_middle = None
        if scale.kind == "binary":
            scores = np.where(side(scores) == 1 - seats.labels, 0.5, scores)
            votes_at_middle = side(weighted_mean(seats.labels, weights, 1))
        none = np.full(len(scores), np.nan)
        match self.rule:
            case "majority":
                decided = majority(seats.labels) if scale.kind in SIDED else common(seats.labels)
                return *decided, none
            case "any":
                return *any_positive(seats.labels), none
            case "plurality":
                return *plurality(seats.labels, weights, quorum), none
            case "margin":
                strength = weighted_mean(seats.labels, weights, quorum)
            case "log_odds":
                from scipy.special import expit, logit  # here: `judge` decides nothing

                self._check_probabilities(seats, (seats.scores >= 0) & (seats.scores <= 1))
                surest = np.clip(scores, SUREST, 1 - SUREST)
                strength = expit(weighted_mean(logit(surest), weights, quorum))
            case "mean":
                strength = weighted_mean(scores, weights, quorum)
            case "median":
                strength = centre(scores, "median", quorum)
            case "majority_or_mean":
                shared = most_common(scores)
                strength = np.where(np.isnan(shared), centre(scores, "mean", quorum), shared)
        if scale.graded:
            return strength, np.where(np.isnan(strength), NO_QUORUM, DECIDED), strength
        return *decision(strength, votes_at_middle), strength

    def _check_probabilities(self, seats: Votes, sound: Any) -> None:
        """Raise where a vote has no probability: its log-odds would be without bound."""
        cast = ~np.isnan(seats.labels)
        for at, voter in enumerate(seats.voters):
            if (cast & ~sound)[:, at].any():
                raise JuriesError(
                    f"jury {self.name}: rule {self.rule} pools probabilities, and {voter.name} "
                    "has votes without one (its backend or its decoding gives no token "
                    "probabilities); use plurality or majority"
                )

    def _chances(self, seats: Votes) -> Array:
        """Return the pooled probability of each value, of shape (n, values), NaN without quorum."""
        given = seats.probabilities
        self._check_probabilities(seats, ~np.isnan(given).any(axis=2))
        given = np.where(np.isnan(seats.labels)[..., None], np.nan, given)
        if self.rule == "log_odds":
            given = np.log(np.clip(given, SUREST, None))
        pooled = np.stack(
            [weighted_mean(one, self._weights, self._quorum) for one in np.moveaxis(given, -1, 0)],
            axis=-1,
        )
        if self.rule == "log_odds":
            pooled = np.exp(pooled)
        shares: Array = pooled / pooled.sum(axis=1, keepdims=True)
        return shares


def side(strength: Array) -> Array:
    """Return on which side of the middle a strength in [0, 1] lies: 1.0, 0.0, or 0.5 at it."""
    off = np.where(np.isclose(strength, 0.5, rtol=0, atol=1e-12), 0.0, strength - 0.5)
    return (np.sign(off) + 1) / 2


def majority(labels: Array) -> tuple[Array, Names]:
    """Return the label of more than half of the seats, and the outcome of each decision.

    Without a majority it is a tie if every seat voted, and no quorum if a vote is missing.
    """
    decided = majorities(labels, every_seat(labels))[:, 0]
    return decided, _outcomes(decided, labels)


def every_seat(labels: Array) -> Mask:
    """Return the jury of all seats, of shape (1, seats)."""
    return np.ones((1, labels.shape[1]), bool)


def majorities(labels: Array, members: Mask) -> Array:
    """Return the label of more than half of the seats of each of j juries, of shape (n, j).

    Parameters
    ----------
    labels : array of shape (n, seats)
    members : array of shape (j, seats)
    """
    decided = np.full((len(labels), len(members)), np.nan)
    for value in (1.0, 0.0, 0.5):
        decided[_voted(labels == value, members) * 2 > members.sum(axis=1)] = value
    return decided


def any_positives(labels: Array, members: Mask) -> Array:
    """Return positive where one vote of a jury is, negative where all are, of shape (n, j)."""
    positive = _voted(labels == 1, members) > 0
    negative = _voted(labels == 0, members) == members.sum(axis=1)
    return np.where(positive, 1.0, np.where(negative, 0.0, np.nan))


def complete(labels: Array, members: Mask) -> Mask:
    """Return where no seat's vote is missing, of shape (n, j)."""
    return np.asarray(_voted(np.isnan(labels), members) == 0)


def _voted(which: Mask, members: Mask) -> Array:
    """Return how many of each jury's seats are which, of shape (n, j)."""
    return np.asarray(which.astype(np.float32) @ members.T.astype(np.float32))


def common(labels: Array) -> tuple[Array, Names]:
    """Return the value of more than half of the seats on any scale; as `majority` else."""
    decided = most_common(labels)
    return decided, _outcomes(decided, labels)


def _outcomes(decided: Array, labels: Array) -> Names:
    none = np.where(np.isnan(labels).any(axis=1), NO_QUORUM, TIE)
    return np.where(np.isnan(decided), none, DECIDED)


def counts(labels: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Return the values that occur, and the weight of the votes for each, of shape (n, values)."""
    values = np.unique(labels[~np.isnan(labels)])
    weights = np.ones(labels.shape[1]) if weights is None else weights
    return values, np.einsum("nkv,k->nv", labels[..., None] == values, weights)


def plurality(labels: Array, weights: Array, quorum: int) -> tuple[Array, Names]:
    """Return the value with the most weight; a tie where two have as much."""
    values, given = counts(labels, weights)
    if not len(values):
        return np.full(len(labels), np.nan), np.full(len(labels), NO_QUORUM)
    enough = (~np.isnan(labels)).sum(axis=1) >= quorum
    best = given >= given.max(axis=1, keepdims=True) - SAME
    alone = best.sum(axis=1) == 1
    decided = np.where(enough & alone, values[best.argmax(axis=1)], np.nan)
    return decided, np.where(enough, np.where(alone, DECIDED, TIE), NO_QUORUM)


def first_vote(labels: Array) -> Array:
    """Return the vote of the first seat that is for one of the values with the most votes."""
    values, given = counts(labels)
    if not len(values):
        return np.full(len(labels), np.nan)
    best = given == given.max(axis=1, keepdims=True)
    among = (labels[..., None] == values) & best[:, None, :]  # (n, k, values)
    voted = among.any(axis=2)
    first = np.take_along_axis(labels, voted.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.where(voted.any(axis=1), first, np.nan)


def likeliest(chances: Array, values: Array) -> tuple[Array, Names]:
    """Return the value with the highest probability, and the outcomes; no quorum where NaN."""
    missing = np.isnan(chances).any(axis=1)
    best = chances >= chances.max(axis=1, keepdims=True) - SAME
    alone = best.sum(axis=1) == 1
    decided = np.where(alone & ~missing, values[best.argmax(axis=1)], np.nan)
    return decided, np.where(missing, NO_QUORUM, np.where(alone, DECIDED, TIE))


def any_positive(labels: Array) -> tuple[Array, Names]:
    """Return positive where one vote is, negative where all seats voted negative, and the outcomes.

    Without a positive vote, a vote for neither of a pair makes it a tie.
    """
    decided = any_positives(labels, every_seat(labels))[:, 0]
    return decided, _outcomes(decided, labels)


def centre(scores: Array, rule: Literal["mean", "median"], quorum: int) -> Array:
    """Return the mean or median of the scores cast, NaN where fewer than the quorum are."""
    enough = (~np.isnan(scores)).sum(axis=1) >= quorum
    voted = np.where(enough[:, None], scores, 0.0)  # numpy warns of means over nothing
    middle = np.nanmean(voted, axis=1) if rule == "mean" else np.nanmedian(voted, axis=1)
    return np.where(enough, middle, np.nan)


def weighted_mean(scores: Array, weights: Array, quorum: int) -> Array:
    """Return the weighted mean of the scores cast, NaN where fewer than the quorum are."""
    if (weights == weights[0]).all():
        return centre(scores, "mean", quorum)
    cast = ~np.isnan(scores)
    weight = cast @ weights
    enough = (cast.sum(axis=1) >= quorum) & (weight > 0)
    total = np.where(cast, scores, 0.0) @ weights
    return np.where(enough, total / np.where(enough, weight, 1.0), np.nan)


def most_common(scores: Array) -> Array:
    """Return the score that more than half of all seats gave, NaN where there is none.

    Sorted, a score that more than half of the seats gave is always the middle one.
    """
    seats = scores.shape[1]
    middle = np.sort(scores, axis=1)[:, (seats - 1) // 2]  # NaN sorts last
    alike = np.isclose(scores, middle[:, None], rtol=0, atol=1e-12).sum(axis=1)
    return np.where(alike * 2 > seats, middle, np.nan)


def decision(strength: Array, at_middle: Array | None = None) -> tuple[Array, Names]:
    """Return the labels and outcomes of strengths: no quorum where NaN.

    In the middle it is a tie, or the side `at_middle` where that is one.
    """
    sides = side(strength)
    if at_middle is not None:
        sides = np.where((sides == 0.5) & ~np.isnan(at_middle), at_middle, sides)
    return (
        np.where(sides == 0.5, np.nan, sides),
        np.where(np.isnan(strength), NO_QUORUM, np.where(sides == 0.5, TIE, DECIDED)),
    )
