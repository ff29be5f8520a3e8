"""The voting rules of a jury: majority, any, mean, median.

How ties and missing votes count is part of a jury, because it changes results: a panel of three
that loses one judge is a panel of two that can tie. A jury that cannot decide gives no label: its
outcome is "tie" or "no_quorum", counted like any other missing vote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ..errors import JuriesError, nearest
from ..metrics.arrays import Array, Names
from ..scale import Scale
from .pooling import Context, check_members, sided
from .votes import DECIDED, NO_QUORUM, TIE, Votes, one_voter

Rule = Literal["majority", "any", "mean", "median", "majority_or_mean"]
Ties = Literal["missing", "positive", "negative", "half"]
COUNTED_AS = {"positive": 1.0, "negative": 0.0, "half": 0.5}


@dataclass(frozen=True)
class Jury:
    """Several judges and the rule by which they decide.

    Parameters
    ----------
    name : str
    members : tuple of str
        The judges' names, a seat each.
    rule : {"majority", "any", "mean", "median", "majority_or_mean"}
        "majority": the label that more than half of all seats voted for, so a missing vote can
        leave a jury undecided but never let a minority decide.
        "any": positive if one vote is, negative if every seat voted negative.
        "mean", "median": of the scores (of the label where a judge gives no score), positive above
        0.5, negative below, a tie at it. The paper pools levels by the mean.
        Of graded votes the mean or median is the label, and so is the level of a majority; "any"
        needs votes for and against. Of categories there is only the majority.
        "majority_or_mean": the score that more than half of all seats gave, else the mean.
    ties : {"missing", "positive", "negative", "half"}
        What a tie counts as. "missing" keeps it out of every measure and counts it. "half" suits
        pairs: neither answer is preferred, each has half a win.
    quorum : int, optional
        How many votes a mean or median needs; by default more than half of the seats.
    """

    name: str
    members: tuple[str, ...]
    rule: Rule = "majority"
    ties: Ties = "missing"
    quorum: int | None = None

    def __post_init__(self) -> None:
        check_members(self.name, self.members, self.quorum)
        object.__setattr__(self, "members", tuple(self.members))  # a list is fine in a notebook
        for key, value, known in (
            ("rule", self.rule, get_args(Rule)),
            ("ties", self.ties, get_args(Ties)),
        ):
            if value not in known:
                raise JuriesError(f"jury {self.name}: no {key} {value!r}{nearest(value, known)}")

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:  # noqa: ARG002
        """Return the jury's decisions as the votes of one voter.

        Their scores are what the rule computes: the mean, the median, the common score. "majority"
        and "any" give labels only.

        Raises
        ------
        JuriesError
            If a member has no votes, or the rule is not one for votes on this scale.
        """
        self._check(votes.scale)
        seats = votes.columns(self.members)
        cast = ~np.isnan(seats.labels) | (seats.outcomes == TIE)  # a middling score is a vote too
        scores = np.where(np.isnan(seats.scores), seats.labels, seats.scores)
        scores = np.where(cast, scores, np.nan)
        quorum = self.quorum or len(self.members) // 2 + 1
        strength = np.full(len(scores), np.nan)
        match self.rule:
            case "majority":
                labels, outcomes = majority(seats.labels, levels(votes.scale))
            case "any":
                labels, outcomes = any_positive(seats.labels)
            case "mean" | "median":
                strength = centre(scores, self.rule, quorum)
                labels, outcomes = decision(strength)
            case "majority_or_mean":
                common = most_common(scores)
                strength = np.where(np.isnan(common), centre(scores, "mean", quorum), common)
                labels, outcomes = decision(strength)
        if votes.scale.graded and self.rule != "majority":
            labels, outcomes = strength, np.where(np.isnan(strength), NO_QUORUM, DECIDED)
        tied = outcomes == TIE
        if self.ties != "missing":
            labels = np.where(tied, COUNTED_AS[self.ties], labels)
            outcomes = np.where(tied, DECIDED, outcomes)
        return one_voter(self.name, self.members, labels, outcomes, strength, votes.scale)

    def _check(self, scale: Scale) -> None:
        rules = get_args(Rule)
        if scale.graded:
            rules = ("mean", "median", "majority", "majority_or_mean")
        elif scale.kind == "nominal":
            rules = ("majority",)
        if self.rule not in rules:
            raise JuriesError(
                f"jury {self.name}: the rule {self.rule} is not one for verdicts that are {scale}; "
                f"take {' or '.join(rules)}"
            )
        if self.ties != "missing" and (scale.graded or scale.kind == "nominal"):
            raise JuriesError(
                f"jury {self.name}: ties={self.ties} is a side, and verdicts that are {scale} have "
                "none; leave ties out"
            )


def levels(scale: Scale) -> tuple[float, ...] | None:
    """Return the codes that a majority can be for, None where any number can be one."""
    return None if scale.kind == "interval" else (1.0, 0.0, 0.5) if sided(scale) else scale.codes


def side(strength: Array) -> Array:
    """Return on which side of the middle a strength in [0, 1] lies: 1.0, 0.0, or 0.5 at it."""
    off = np.where(np.isclose(strength, 0.5, rtol=0, atol=1e-12), 0.0, strength - 0.5)
    return (np.sign(off) + 1) / 2


def majority(labels: Array, codes: Sequence[float] | None = (1.0, 0.0, 0.5)) -> tuple[Array, Names]:
    """Return the label of more than half of the seats, and the outcome of each decision.

    Without a majority it is a tie if every seat voted, and no quorum if a vote is missing.
    """
    seats = labels.shape[1]
    decided = most_common(labels) if codes is None else np.full(len(labels), np.nan)
    for value in codes or ():
        decided[(labels == value).sum(axis=1) * 2 > seats] = value
    missing = np.isnan(labels).any(axis=1)
    none = np.where(missing, NO_QUORUM, TIE)
    return decided, np.where(np.isnan(decided), none, DECIDED)


def any_positive(labels: Array) -> tuple[Array, Names]:
    """Return positive where one vote is, negative where all seats voted negative, and the outcomes.

    Without a positive vote, a vote for neither of a pair makes it a tie.
    """
    positive = (labels == 1).any(axis=1)
    negative = (labels == 0).all(axis=1)
    none = np.where(np.isnan(labels).any(axis=1), NO_QUORUM, TIE)
    return (
        np.where(positive, 1.0, np.where(negative, 0.0, np.nan)),
        np.where(positive | negative, DECIDED, none),
    )


def centre(scores: Array, rule: Literal["mean", "median"], quorum: int) -> Array:
    """Return the mean or median of the scores cast, NaN where fewer than the quorum are."""
    enough = (~np.isnan(scores)).sum(axis=1) >= quorum
    voted = np.where(enough[:, None], scores, 0.0)  # numpy warns of means over nothing
    middle = np.nanmean(voted, axis=1) if rule == "mean" else np.nanmedian(voted, axis=1)
    return np.where(enough, middle, np.nan)


def most_common(scores: Array) -> Array:
    """Return the score that more than half of all seats gave, NaN where there is none.

    Sorted, a score that more than half of the seats gave is always the middle one.
    """
    seats = scores.shape[1]
    middle = np.sort(scores, axis=1)[:, (seats - 1) // 2]  # NaN sorts last
    alike = np.isclose(scores, middle[:, None], rtol=0, atol=1e-12).sum(axis=1)
    return np.where(alike * 2 > seats, middle, np.nan)


def decision(strength: Array) -> tuple[Array, Names]:
    """Return the labels and outcomes of strengths: a tie in the middle, no quorum where NaN."""
    sides = side(strength)
    return (
        np.where(sides == 0.5, np.nan, sides),
        np.where(np.isnan(strength), NO_QUORUM, np.where(sides == 0.5, TIE, DECIDED)),
    )
