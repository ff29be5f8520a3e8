"""What every jury is: a name, members, and `decide`, from votes and what is known of the items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..data.dataset import Dataset
from ..errors import JuriesError
from ..metrics.arrays import Array
from ..scale import Scale
from .votes import Votes


class Pooling(Protocol):
    """Anything that makes one vote of its members' votes: the rules of this folder, or yours."""

    @property
    def name(self) -> str:
        """The jury's name."""

    @property
    def members(self) -> tuple[str, ...]:
        """The judges' names, a seat each."""

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:
        """Return the jury's decisions as the votes of one voter.

        Parameters
        ----------
        votes : Votes
            Of the members, and of others or not.
        context : Context, optional
            Rules that need no more than votes ignore it.

        Raises
        ------
        JuriesError
            If a member has no votes, or the rule needs to know more of the items.
        """


@dataclass(frozen=True)
class Context:
    """What is known of n units (answers or pairs) besides the votes.

    Attributes
    ----------
    human : array of shape (n,)
        The human labels, 1.0 or 0.0, NaN where there are none: they may be few. Of a tie (0.5)
        stacking learns nothing.
    questions : sequence of n str
        The question of each unit. Units of one question are never fitted and decided apart.
    candidates, opponents : sequence of n str
        Who gave each answer and, in a pair, the other one ("" where there is no pair).
    candidate_families : mapping of str to str
        The family of each candidate, in the words of the judges' families; "" for none.
    """

    human: Array
    questions: Sequence[str]
    candidates: Sequence[str] = ()
    opponents: Sequence[str] = ()
    candidate_families: Mapping[str, str] = field(default_factory=dict)


def context_of(dataset: Dataset, candidate_families: Mapping[str, str] | None = None) -> Context:
    """Return the context of a dataset's items; the families of candidates come from the caller."""
    items = tuple(dataset.items)
    human = [dataset.label_scale.encode(item.human) for item in items]
    pairs = any(item.opponent for item in items)
    return Context(
        np.array(human, float),
        tuple(item.drawn_with for item in items),
        tuple(item.candidate for item in items),
        tuple(item.opponent for item in items) if pairs else (),
        candidate_families or {},
    )


def needed(context: Context | None, jury: str) -> Context:
    """Return the context of a jury that learns from human labels.

    Raises
    ------
    JuriesError
        If there is none.
    """
    if context is None:
        raise JuriesError(f"jury {jury}: learns from human labels; pass decide() a context")
    return context


def check_members(jury: str, members: tuple[str, ...], quorum: int | None = None) -> None:
    """Check the members and the quorum of a jury.

    Raises
    ------
    JuriesError
        If there is no member, one is named twice, or the quorum cannot be reached.
    """
    if isinstance(members, str):
        raise JuriesError(f"jury {jury}: members is a text; give a list of judges' names")
    if not members:
        raise JuriesError(f"jury {jury}: has no members; name some judges")
    if len(set(members)) < len(members):
        raise JuriesError(f"jury {jury}: names a member twice; name each judge once")
    if quorum is not None and not 1 <= quorum <= len(members):
        raise JuriesError(
            f"jury {jury}: a quorum of {quorum} is impossible with {len(members)} members; "
            f"set 1 to {len(members)}"
        )


def sided(scale: Scale) -> bool:
    """Return whether votes are for or against: the codes of such scales are 1, 0 and 0.5."""
    return scale.kind in ("binary", "preference")


def check_sided(jury: str, scale: Scale) -> None:
    """Check that votes are for or against, as most rules need them.

    Raises
    ------
    JuriesError
        If they are graded or categories.
    """
    if not sided(scale):
        raise JuriesError(
            f"jury {jury}: its rule needs verdicts for and against, and these are {scale}; take a "
            f"plain jury by {'majority, mean or median' if scale.graded else 'majority'}"
        )
