"""What every jury is: a name, members, and `decide`, from votes and what is known of the items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Protocol

import numpy as np

from ..data.dataset import Dataset
from ..errors import JuriesError, nearest
from ..metrics.arrays import Array
from ..scale import Kind, Scale
from ..seats import members_of
from .votes import Votes

NAMING = ("members", "vetoers", "weights", "large", "fallback")
"""The fields of juries that name seats."""


class ScaleError(JuriesError):
    """A rule has no meaning on the scale of the votes."""


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


def context_of(
    dataset: Dataset,
    candidate_families: Mapping[str, str] | None = None,
    threshold: float | None = None,
) -> Context:
    """Return the context of a dataset's items.

    Parameters
    ----------
    dataset : Dataset
    candidate_families : mapping of str to str, optional
    threshold : float, optional
        From which on a graded human label is positive, where the votes are binary.
    """
    items = tuple(dataset.items)
    scale = dataset.label_scale
    human = np.array([scale.encode(item.human) for item in items], float)
    if threshold is not None and scale.graded:
        human = scale.at_least(human, threshold)
    pairs = any(item.opponent for item in items)
    return Context(
        human,
        tuple(item.drawn_with for item in items),
        tuple(item.candidate for item in items),
        tuple(item.opponent for item in items) if pairs else (),
        candidate_families or {},
    )


def seats_of(jury: Pooling) -> tuple[str, ...]:
    """Return whose votes a jury needs: its members, and a judge that it falls back on."""
    fallback = getattr(jury, "fallback", None)
    return (*jury.members, *(() if fallback is None or fallback in jury.members else (fallback,)))


def renamed(jury: Pooling, voters: Mapping[str, str]) -> Pooling:
    """Return a jury whose seats have the names that their voters have in the run."""
    if not is_dataclass(jury) or all(voters.get(m, m) == m for m in seats_of(jury)):
        return jury
    changed: dict[str, Any] = {}
    for one in fields(jury):
        value = getattr(jury, one.name)
        if one.name not in NAMING or not value:
            continue
        if isinstance(value, str):
            changed[one.name] = voters.get(value, value)
        elif isinstance(value, Mapping):
            changed[one.name] = {voters.get(name, name): weight for name, weight in value.items()}
        else:
            changed[one.name] = tuple(voters.get(name, name) for name in value)
    return replace(jury, **changed)


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


def name_seats(jury: Pooling, *fields: str) -> None:
    """Replace the names in some fields of a new jury by those of the seats they stand for.

    `members: [haiku*3]` becomes haiku, haiku:2 and haiku:3, the names of their votes.
    """
    for field_ in fields:
        given = getattr(jury, field_)
        if not isinstance(given, str):
            object.__setattr__(jury, field_, members_of(given))


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


def check_scale(jury: str, what: str, scale: Scale, kinds: Sequence[Kind]) -> None:
    """Check that a rule has a meaning on the scale of the votes.

    Parameters
    ----------
    jury : str
    what : str
        The rule, in words: "rule any", "a veto".
    scale : Scale
        Of the votes.
    kinds : sequence of Kind
        The scales that the rule is for.

    Raises
    ------
    JuriesError
        If it has none.
    """
    if scale.kind in kinds:
        return
    instead = {
        "nominal": "plurality or majority",
        "ordinal": "mean, median, majority or plurality",
        "interval": "mean or median",
    }.get(scale.kind, "majority or mean")
    raise ScaleError(
        f"jury {jury}: {what} is for {' and '.join(kinds)} scales, the votes are {scale}; use rule "
        f"{instead}" + ", or set a threshold" * (scale.graded and "binary" in kinds)
    )


def check_weights(jury: str, members: tuple[str, ...], weights: Mapping[str, float]) -> None:
    """Check that every member, and nobody else, has a weight of 0 or more.

    Raises
    ------
    JuriesError
        If not, or all weights are 0.
    """
    for member in members:
        if member not in weights:
            raise JuriesError(f"jury {jury}: weights: {member!r} is missing; give it a number")
    for member, weight in weights.items():
        if member not in members:
            known = nearest(member, members)
            raise JuriesError(f"jury {jury}: weights: {member!r} is not a member{known}")
        if not (np.isfinite(weight) and weight >= 0):
            raise JuriesError(f"jury {jury}: weights: {member!r} has {weight}; set 0 or more")
    if not any(weights.values()):
        raise JuriesError(f"jury {jury}: weights: all are 0; give a member more")
