"""Juries whose members recuse themselves from answers of their own model family."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from ..errors import JuriesError
from ..metrics.arrays import Mask
from .pooling import Context, check_members, name_seats
from .rules import Jury, Rule, Ties
from .votes import NO_QUORUM, Votes, one_voter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeaveFamilyOut:
    """A jury whose members recuse themselves from answers of their own model family.

    In a pair, from either answer's family. An answer that all members are recused from has no
    decision.

    Parameters
    ----------
    name, members
        See `Jury`. A member's family is that of its yaml or recording, or its vendor where
        candidates are grouped by vendors.
    rule, ties
        See `Jury`: how the other members decide.
    """

    name: str
    members: tuple[str, ...]
    rule: Rule = "majority"
    ties: Ties = "missing"

    def __post_init__(self) -> None:
        name_seats(self, "members")
        check_members(self.name, self.members)

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:
        """Return the jury's decisions as the votes of one voter."""
        seats = votes.columns(self.members)
        recused = self._recused(seats, context)
        labels, scores = np.full(len(recused), np.nan), np.full(len(recused), np.nan)
        outcomes = np.full(len(recused), NO_QUORUM)
        patterns = np.unique(recused, axis=0)
        for out in patterns[~patterns.all(axis=1)]:
            at = (recused == out).all(axis=1)
            left = tuple(m for m, gone in zip(self.members, out, strict=True) if not gone)
            decided = Jury(self.name, left, self.rule, self.ties).decide(seats.rows(at))
            labels[at], outcomes[at] = decided.labels[:, 0], decided.outcomes[:, 0]
            scores[at] = decided.scores[:, 0]
        return one_voter(self.name, self.members, labels, outcomes, scores, votes.scale)

    def _recused(self, seats: Votes, context: Context | None) -> Mask:
        if context is None or not context.candidates:
            raise JuriesError(
                f"jury {self.name}: needs the candidates and their families; set candidate_families"
            )
        known = {**context.candidate_families, "": ""}
        for candidate in sorted({*context.candidates, *context.opponents} - set(known)):
            raise JuriesError(
                f"jury {self.name}: candidate_families: {candidate!r} is missing; give its family, "
                'or "" for none'
            )
        named = set(known.values())
        families = np.array([voter.group(named) for voter in seats.voters])
        recused = np.zeros(seats.labels.shape, bool)
        for side in (context.candidates, context.opponents):
            if side:
                own = np.array([known[one] for one in side])[:, None]
                recused |= (own == families) & (own != "")
        if not recused.any():
            log.info(
                "jury %s: no answer is of a member's family (%s), so no member recuses itself",
                self.name,
                ", ".join(sorted(set(families) - {""})),
            )
        return recused
