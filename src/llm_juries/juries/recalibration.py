"""A jury of recalibrated probabilities: each member's mapped to how often it was right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..errors import JuriesError
from ..metrics.arrays import Array
from .folds import Folds
from .pooling import Context, check_members, check_scale, name_seats, needed
from .rules import SIDED, decision
from .votes import Votes, one_voter

LEAST = 1e-6  # log-odds of a probability of exactly 0 or 1 would be infinite


@dataclass(frozen=True)
class Recalibrated:
    """The mean of the members' probabilities, each recalibrated on labels of other questions.

    A judge whose probabilities are too high, or too sure, loses by a mean of raw ones. "platt" fits
    a logistic regression of the label on the log-odds (Platt 1999); "isotonic" the best rising step
    function (Zadrozny and Elkan 2002), which needs some hundreds of labels. Both by scikit-learn,
    cross-fitted by question; platt can turn a judge round that is right less often than chance. A
    jury of one member is that judge, recalibrated.

    Parameters
    ----------
    name, members
        See `Jury`. Each member needs probabilities.
    method : {"platt", "isotonic"}
    quorum : int, optional
        How many votes a decision needs; by default more than half of the seats.
    folds : Folds
        How it learns.
    """

    name: str
    members: tuple[str, ...]
    method: Literal["platt", "isotonic"] = "platt"
    quorum: int | None = None
    folds: Folds = field(default_factory=Folds)

    def __post_init__(self) -> None:
        name_seats(self, "members")
        check_members(self.name, self.members, self.quorum)
        if self.method not in ("platt", "isotonic"):
            raise JuriesError(f"jury {self.name}: method is {self.method!r}; set platt or isotonic")

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:
        """Return the jury's decisions as the votes of one voter; their scores are probabilities."""
        check_scale(self.name, "recalibration", votes.scale, SIDED)
        context = needed(context, self.name)
        raw = votes.columns(self.members).scores
        for at, member in enumerate(self.members):
            if np.isnan(raw[:, at]).all():
                raise JuriesError(
                    f"jury {self.name}: {member} has no probabilities to recalibrate; leave it out"
                )
        calibrated = np.full(raw.shape, np.nan)
        for known, apply in self.folds.split(context, self.name):
            learn = known & np.isin(context.human, (0.0, 1.0))
            for at in range(raw.shape[1]):
                there = ~np.isnan(raw[:, at])
                rows, to = learn & there, apply & there
                calibrated[to, at] = self._fitted(raw[rows, at], context.human[rows], raw[to, at])
        voted = ~np.isnan(calibrated)
        enough = voted.sum(axis=1) >= (self.quorum or len(self.members) // 2 + 1)
        total = np.where(voted, calibrated, 0.0).sum(axis=1)
        scores = np.where(enough, total / np.maximum(voted.sum(axis=1), 1), np.nan)
        return one_voter(self.name, self.members, *decision(scores), scores)

    def _fitted(self, shares: Array, human: Array, new: Array) -> Array:
        """Return new probabilities recalibrated by others with labels."""
        from sklearn.isotonic import IsotonicRegression
        from sklearn.linear_model import LogisticRegression

        if len(np.unique(human)) < 2:
            raise JuriesError(
                f"jury {self.name}: the {len(human)} labels of a fold are all of one kind; label "
                "more questions, or use a rule that needs no labels"
            )
        if not len(new):
            return new
        if self.method == "isotonic":
            steps = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
            return np.asarray(steps.fit(shares, human).predict(new))
        model = LogisticRegression(C=np.inf, max_iter=1000)
        model.fit(_log_odds(shares), human)
        return np.asarray(model.predict_proba(_log_odds(new))[:, 1])


def _log_odds(shares: Array) -> Array:
    inside = np.clip(shares, LEAST, 1 - LEAST)
    return np.asarray(np.log(inside / (1 - inside)))[:, None]
