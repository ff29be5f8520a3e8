"""A panel: one dataset with the votes of its judges and juries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from ..data.dataset import Dataset
from ..errors import JuriesError, nearest
from ..metrics.arrays import Array
from ..types import Order
from .pooling import Pooling, context_of
from .stored import StoredVotes
from .votes import Votes


@dataclass(frozen=True, repr=False)
class Panel:
    """One dataset's votes, judges first, then juries; a row an item.

    Attributes
    ----------
    dataset : Dataset
    votes : Votes
        Over all orders that a pair was shown in.
    orders : mapping of Order to Votes
        The votes in each order alone, in terms of the item's own candidate: for the bias of
        position. Empty where there is one order only.
    scale : (float, float)
        The lowest and highest label of the prompt, to print scores as the judges gave them.
    stored : StoredVotes, optional
        The verdicts that the judges' votes were pooled from, if they are in a store.
    juries : tuple of juries
        Those that have decided: the voters after the judges.
    candidate_families : mapping of str to str
        The model family of each candidate, for juries whose members recuse themselves.
    """

    dataset: Dataset
    votes: Votes
    orders: Mapping[Order, Votes] = field(default_factory=dict)
    scale: tuple[float, float] = (0.0, 1.0)
    juries: tuple[Pooling, ...] = ()
    candidate_families: Mapping[str, str] = field(default_factory=dict)
    stored: StoredVotes | None = None

    def __repr__(self) -> str:
        """Say what it holds; the votes themselves are in `votes`."""
        items = tuple(self.dataset.items)
        labelled = int((~np.isnan(self.preferences)).sum())
        unit = "pairs of answers" if self.dataset.pairwise else "answers"
        voters = ", ".join(self.votes.names)
        return (
            f"<Panel {self.dataset.name}: {len(items):,} {unit}, {labelled:,} with a human label; "
            f"voters: {voters}>"
        )

    def add(self, jury: Pooling, candidate_families: Mapping[str, str] | None = None) -> Self:
        """Return a new panel with one more voter: the decisions of a jury of its judges.

        Parameters
        ----------
        jury : Jury, or another rule of `juries`
        candidate_families : mapping of str to str, optional
            The model family of each candidate, for a jury whose members recuse themselves from
            answers of their own family.

        Raises
        ------
        JuriesError
            If its name is taken, a member is not a judge of the panel, or the rule cannot decide.
        """
        if jury.name in self.votes.names:
            raise JuriesError(f"jury {jury.name}: the panel has a voter of that name; rename it")
        judges = [voter.name for voter in self.votes.voters if voter.kind != "jury"]
        for member in jury.members:
            if member not in judges:
                raise JuriesError(
                    f"jury {jury.name}: the panel has no judge {member!r}{nearest(member, judges)}"
                )
        families = {**self.candidate_families, **(candidate_families or {})}
        context = context_of(self.dataset.items, families)
        return replace(
            self,
            votes=self.votes.joined(jury.decide(self.votes, context)),
            orders={
                order: votes.joined(jury.decide(votes, context))
                for order, votes in self.orders.items()
            },
            juries=(*self.juries, jury),
            candidate_families=families,
        )

    @property
    def human(self) -> Array:
        """The human labels, NaN where there are none.

        A tie is NaN too: a voter cannot agree with it on a side.
        """
        return np.where(self.preferences == 0.5, np.nan, self.preferences)

    @property
    def preferences(self) -> Array:
        """The human labels with their ties (0.5), NaN where there are none."""
        labels = [np.nan if item.human is None else item.human for item in self.dataset.items]
        return np.array(labels, float)

    @property
    def annotations(self) -> Array:
        """The single annotators' labels, of shape (n, annotators), NaN where one gave none."""
        votes = [item.human_votes for item in self.dataset.items]
        labels = np.full((len(votes), len(self.dataset.annotators)), np.nan)
        for row, given in enumerate(votes):
            labels[row, : len(given)] = [np.nan if vote is None else vote for vote in given]
        return labels

    @property
    def questions(self) -> list[str]:
        """The question (or cluster) of each item: what the bootstrap draws whole."""
        return [item.drawn_with for item in self.dataset.items]
