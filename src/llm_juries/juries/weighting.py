"""Juries in which votes weigh unequally: weights, given or learnt, and vetoes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..errors import JuriesError, nearest
from ..metrics.arrays import Array, Names
from .folds import Folds
from .pooling import Context, check_members, check_scale, check_weights, name_seats, needed
from .rules import COUNTED_AS, SIDED, majority
from .votes import DECIDED, NO_QUORUM, TIE, Votes, one_voter

TOLERANCE = 1e-12  # two sides that differ by rounding alone are tied


@dataclass(frozen=True)
class Weighted:
    """The side with more than half of the weight of all seats, those with a missing vote included.

    With equal weights this is the majority over seats. Learnt weights are the log-odds of each
    judge's accuracy, which are optimal if judges err independently (Nitzan and Paroush 1982); the
    vote of a judge that is wrong more often than right counts for the other side. Accuracy is
    (right + 1) / (votes + 2) over its votes on items with a human label.

    Parameters
    ----------
    name, members
        See `Jury`.
    weights : mapping of str to float, optional
        A weight of 0 or more for each member; learnt from the human labels by default.
    ties : {"missing", "positive", "negative", "half"}
        See `Jury`.
    folds : Folds
        How weights are learnt.
    """

    name: str
    members: tuple[str, ...]
    weights: Mapping[str, float] | None = None
    ties: Literal["missing", "positive", "negative", "half"] = "missing"
    folds: Folds = field(default_factory=Folds)

    def __post_init__(self) -> None:
        name_seats(self, "members")
        check_members(self.name, self.members)
        if self.weights is not None:
            check_weights(self.name, self.members, self.weights)

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:
        """Return the jury's decisions as the votes of one voter."""
        check_scale(self.name, "a majority by weights", votes.scale, SIDED)
        labels = votes.columns(self.members).labels
        weights = np.empty(labels.shape)
        if self.weights is not None:
            weights[:] = [self.weights[member] for member in self.members]
        else:
            context = needed(context, self.name)
            for learn, apply in self.folds.split(context, self.name):
                weights[apply] = log_odds(labels[learn], context.human[learn])
        decided, outcomes = heavier(labels, weights)
        if self.ties != "missing":
            decided = np.where(outcomes == TIE, COUNTED_AS[self.ties], decided)
            outcomes = np.where(outcomes == TIE, DECIDED, outcomes)
        return one_voter(self.name, self.members, decided, outcomes)


def log_odds(labels: Array, human: Array) -> Array:
    """Return the log-odds of each voter's accuracy, of shape (k,), from n labelled items.

    One right and one wrong vote are added, so that no weight is infinite and a voter without votes
    has weight 0.
    """
    cast = ~np.isnan(labels) & ~np.isnan(human)[:, None]
    right = ((labels == human[:, None]) & cast).sum(axis=0)
    wrong = cast.sum(axis=0) - right
    weights: Array = np.log((right + 1) / (wrong + 1))
    return weights


def heavier(labels: Array, weights: Array) -> tuple[Array, Names]:
    """Return the label with more than half of the weight of all seats, and the outcomes.

    `labels` and `weights` have the shape (n, k); a vote with a negative weight counts for the other
    side.
    """
    size = np.abs(weights)
    sides = np.where(weights < 0, 1 - labels, labels)
    decided = np.full(len(labels), np.nan)
    half = size.sum(axis=1) / 2
    for value in (1.0, 0.0, 0.5):
        own = np.where(sides == value, size, 0.0).sum(axis=1)
        decided[own - half > TOLERANCE * half] = value
    none = np.where(np.isnan(labels).any(axis=1), NO_QUORUM, TIE)
    return decided, np.where(np.isnan(decided), none, DECIDED)


@dataclass(frozen=True)
class Veto:
    """Negative if a judge with a veto votes negative, otherwise the majority of seats.

    For judges that accept too many wrong answers (Jain et al. 2025, arXiv 2510.11822).

    Parameters
    ----------
    name, members
        See `Jury`.
    vetoers : tuple of str
        The members with a veto; all of them by default.
    missing : {"undecided", "passes", "vetoes"}
        How a missing vote of a judge with a veto counts if no other judge vetoes: the jury has no
        decision, the majority decides, or it is a veto.
    """

    name: str
    members: tuple[str, ...]
    vetoers: tuple[str, ...] = ()
    missing: Literal["undecided", "passes", "vetoes"] = "undecided"

    def __post_init__(self) -> None:
        name_seats(self, "members", "vetoers")
        check_members(self.name, self.members)
        for vetoer in self.vetoers:
            if vetoer not in self.members:
                raise JuriesError(
                    f"jury {self.name}: vetoers: {vetoer!r} is not a member"
                    f"{nearest(vetoer, self.members)}"
                )

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:  # noqa: ARG002
        """Return the jury's decisions as the votes of one voter."""
        check_scale(self.name, "a veto", votes.scale, SIDED)
        seats = votes.columns(self.members)
        vetoing = seats.columns(self.vetoers or self.members).labels
        labels, outcomes = majority(seats.labels)
        absent = np.isnan(vetoing).any(axis=1)
        vetoed = (vetoing == 0).any(axis=1)
        if self.missing == "vetoes":
            vetoed |= absent
        elif self.missing == "undecided":
            waiting = absent & (labels != 0)
            labels = np.where(waiting, np.nan, labels)
            outcomes = np.where(waiting, NO_QUORUM, outcomes)
        labels = np.where(vetoed, 0.0, labels)
        return one_voter(self.name, self.members, labels, np.where(vetoed, DECIDED, outcomes))
