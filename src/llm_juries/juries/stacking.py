"""Juries by a regression of the human labels on the members' votes (stacking)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import JuriesError
from ..metrics.arrays import Array, Mask
from .folds import Folds
from .pooling import Context, check_members, check_scale, name_seats, needed
from .rules import SIDED, decision
from .votes import TIE, Votes, one_voter


@dataclass(frozen=True)
class Stacking:
    """A logistic regression of the human label on the members' votes (stacking, Wolpert 1992).

    Its inputs are each member's score (its label without one) and whether its vote is missing, so
    that a missing vote differs from one in the middle. Minimising log loss calibrates it, so its
    probability of the positive label is the decision's score. scikit-learn, with an L2 penalty.

    Parameters
    ----------
    name, members
        See `Jury`.
    quorum : int, optional
        How many votes a decision needs; by default more than half of the seats.
    strength : float
        The inverse of the penalty (scikit-learn's C).
    folds : Folds
        How it learns.
    """

    name: str
    members: tuple[str, ...]
    quorum: int | None = None
    strength: float = 1.0
    folds: Folds = field(default_factory=Folds)

    def __post_init__(self) -> None:
        name_seats(self, "members")
        check_members(self.name, self.members, self.quorum)
        if not self.strength > 0:
            raise JuriesError(f"jury {self.name}: strength is {self.strength}; set it above 0")

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:
        """Return the jury's decisions as the votes of one voter."""
        from sklearn.linear_model import LogisticRegression

        check_scale(self.name, "stacking", votes.scale, SIDED)
        context = needed(context, self.name)
        seats = votes.columns(tuple(sorted(self.members)))
        inputs = features(seats)
        scores = np.full(len(inputs), np.nan)
        for known, apply in self.folds.split(context, self.name):
            learn = known & np.isin(context.human, (0.0, 1.0))
            # Equal rows as one with a weight: faster, and the rows' order changes no digit.
            rows, counts = np.unique(
                np.column_stack([inputs[learn], context.human[learn]]), axis=0, return_counts=True
            )
            if len(np.unique(rows[:, -1])) < 2:
                raise JuriesError(
                    f"jury {self.name}: the {int(counts.sum())} labels of a fold are all of one "
                    "kind; label more questions, or use a rule that needs no labels"
                )
            model = LogisticRegression(C=self.strength, max_iter=1000)
            model.fit(rows[:, :-1], rows[:, -1], sample_weight=counts)
            scores[apply] = model.predict_proba(inputs[apply])[:, 1]
        enough = cast(seats).sum(axis=1) >= (self.quorum or len(self.members) // 2 + 1)
        scores = np.where(enough, scores, np.nan)
        return one_voter(self.name, self.members, *decision(scores), scores)


def cast(seats: Votes) -> Mask:
    """Return where there is a vote: a label, or a score exactly in the middle."""
    tied: Mask = np.asarray(seats.outcomes == TIE)
    return ~np.isnan(seats.labels) | tied


def features(seats: Votes) -> Array:
    """Return the inputs, of shape (n, 2k): evidence centred at 0, then which votes are missing."""
    missing = ~cast(seats)
    evidence = np.where(np.isnan(seats.scores), seats.labels, seats.scores)
    return np.column_stack([np.where(missing, 0.0, evidence - 0.5), missing])
