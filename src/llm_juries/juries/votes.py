"""Votes: the labels, scores and outcomes of several voters on the same units."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from ..errors import JuriesError, nearest
from ..metrics.arrays import Array, Index, Mask, Names
from ..scale import Scale
from ..types import Kind

DECIDED, TIE, NO_QUORUM = "ok", "tie", "no_quorum"


@dataclass(frozen=True)
class Voter:
    """A column of votes."""

    name: str
    kind: Kind
    family: str = ""
    members: tuple[str, ...] = ()
    vendor: str = ""

    def group(self, named: Collection[str]) -> str:
        """Return the voter's vendor where that is among those named, else its family.

        Candidates are grouped by families or by vendors, as their user likes: a judge may favour
        the answers of its own base model, and of its vendor's other models.
        """
        return self.vendor if self.vendor and self.vendor in named else self.family


@dataclass(frozen=True)
class Votes:
    """The votes of k voters on n units (an answer, or a pair of answers).

    Attributes
    ----------
    voters : tuple of k Voter
    labels : array of shape (n, k)
        Codes of the scale, NaN where there is no vote; of a pair the side: 1.0, 0.0 or 0.5
        (neither).
    scores : array of shape (n, k)
        The evidence behind each label as a number of the scale (a probability, an expected level;
        of a preference 0.75 for a slightly better answer), NaN where there is none.
    outcomes : array of str of shape (n, k)
        What became of each vote: an `Outcome`, "not_asked", "inconsistent" (a pair judged
        differently in its two orders), or a jury's "tie" or "no_quorum".
    scale : Scale
        Of all labels.
    chances : array of shape (n, k, values), optional
        On a nominal scale the probability of each value, NaN where a vote has none; None where no
        vote has any.
    """

    voters: tuple[Voter, ...]
    labels: Array
    scores: Array
    outcomes: Names
    scale: Scale = field(default_factory=Scale.binary)
    chances: Array | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The voters' names."""
        return tuple(voter.name for voter in self.voters)

    def columns(self, names: tuple[str, ...]) -> Self:
        """Return the votes of some voters, in the order named."""
        for name in names:
            if name not in self.names:
                raise JuriesError(f"there is no judge {name!r}{nearest(name, self.names)}")
        at = [self.names.index(name) for name in names]
        return replace(
            self,
            voters=tuple(self.voters[i] for i in at),
            labels=self.labels[:, at],
            scores=self.scores[:, at],
            outcomes=self.outcomes[:, at],
            chances=None if self.chances is None else self.chances[:, at],
        )

    def rows(self, at: Index | Mask) -> Self:
        """Return the votes on some units."""
        return replace(
            self,
            labels=self.labels[at],
            scores=self.scores[at],
            outcomes=self.outcomes[at],
            chances=None if self.chances is None else self.chances[at],
        )

    @property
    def probabilities(self) -> Array:
        """The probability of each value of the scale, of shape (n, k, values), NaN for none."""
        if self.chances is not None:
            return self.chances
        return np.full((*self.labels.shape, len(self.scale.levels)), np.nan)

    def joined(self, *others: Votes) -> Self:
        """Return these votes with those of further voters on the same units."""
        parts: tuple[Votes, ...] = (self, *others)
        return replace(
            self,
            voters=tuple(voter for part in parts for voter in part.voters),
            labels=np.hstack([part.labels for part in parts]),
            scores=np.hstack([part.scores for part in parts]),
            outcomes=np.hstack([part.outcomes for part in parts]),
            chances=None
            if all(part.chances is None for part in parts)
            else np.concatenate([part.probabilities for part in parts], axis=1),
        )


def one_voter(
    jury: str,
    members: tuple[str, ...],
    labels: Array,
    outcomes: Names,
    scores: Array | None = None,
    scale: Scale | None = None,
    chances: Array | None = None,
) -> Votes:
    """Return a jury's decisions, arrays of shape (n,), as the votes of one voter.

    The scale is that of right or wrong by default; `chances` has the shape (n, values).
    """
    return Votes(
        (Voter(jury, "jury", members=members),),
        labels[:, None],
        (np.full(len(labels), np.nan) if scores is None else scores)[:, None],
        outcomes[:, None],
        scale or Scale.binary(),
        None if chances is None else chances[:, None],
    )
