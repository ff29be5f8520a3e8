"""Pool an answer's votes on several criteria into votes on the answer as a whole.

The same for judges, juries and humans, by weights of the criteria. An answer on which a voter has
no vote on some criterion with a weight has no vote of that voter: the weights of the others are
never scaled up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import NamedTuple, Self

import numpy as np

from ..errors import JuriesError, nearest
from ..metrics.arrays import Array, Index, Names
from ..scale import Scale
from ..types import Item
from .rules import decision, plurality, weighted_mean
from .votes import DECIDED, NO_QUORUM, Votes

CRITERION_MISSING = "criterion_missing"
"""The outcome of a vote on an answer as a whole if a criterion has none."""


def check_criteria(place: str, weights: Mapping[str, float], criteria: Collection[str]) -> None:
    """Check that every criterion of a dataset, and no other, has a weight of 0 or more.

    Raises
    ------
    JuriesError
        If not, or all weights are 0.
    """
    if not set(criteria) - {""}:
        raise JuriesError(
            f"{place}: there are no criteria; take a prompt that has some, such as "
            "prompt=helpful_faithful, or a dataset with a column criterion"
        )
    for criterion in sorted(set(criteria) - {""}):
        if criterion not in weights:
            raise JuriesError(
                f"{place}: {criterion!r} is missing; give it a weight, 0 to leave it out"
            )
    for criterion, weight in weights.items():
        if criterion not in criteria:
            known = nearest(criterion, criteria)
            raise JuriesError(f"{place}: there is no criterion {criterion!r}{known}")
        if not isinstance(weight, Real) or not (np.isfinite(weight) and weight >= 0):
            raise JuriesError(f"{place}: {criterion!r} has {weight!r}; set a number, 0 or more")
    if not any(weights.values()):
        raise JuriesError(f"{place}: all are 0; give a criterion more")


class ByAnswer(NamedTuple):
    """Where the votes on each criterion of each answer are.

    Attributes
    ----------
    answers : tuple of n Item
        The answers as a whole, in the order in which they first occur.
    rows : array of shape (n, criteria)
        The row of each item among the votes; -1 where an answer has no such item.
    weights : array of shape (criteria,)
        Of those above 0.
    """

    answers: tuple[Item, ...]
    rows: Index
    weights: Array

    @classmethod
    def of(cls, items: Sequence[Item], weights: Mapping[str, float]) -> Self:
        """Find the answers among items; those without a criterion are not used."""
        names = [name for name, weight in weights.items() if weight > 0]
        answers: dict[tuple[str, ...], int] = {}
        whole: list[Item] = []
        found: list[list[int]] = []
        for row, item in enumerate(items):
            if not item.criterion:
                continue
            at = answers.setdefault(answer_of(item), len(answers))
            if at == len(whole):
                bare = {"criterion": "", "criterion_description": "", "human": None}
                whole.append(replace(item, **bare, human_votes=()))  # type: ignore[arg-type]
                found.append([-1] * len(names))
            if item.criterion in names:
                found[at][names.index(item.criterion)] = row
        rows = np.array(found, np.intp).reshape(len(whole), len(names))
        return cls(tuple(whole), rows, np.array([weights[name] for name in names], float))

    def pool(self, votes: Votes) -> Votes:
        """Return votes on the criteria as votes on the answers; see `over_criteria`."""
        columns = [self.values(votes.labels[:, at]) for at in range(len(votes.voters))]
        pooled = [over_criteria(column, self.weights, votes.scale) for column in columns]
        labels, outcomes, strength = (
            np.stack(parts, axis=1) for parts in zip(*pooled, strict=True)
        )
        scale = overall_scale(votes.scale)
        return Votes(votes.voters, labels, strength, outcomes, scale)

    def values(self, codes: Array) -> Array:
        """Return codes of items as an array of shape (n, criteria), NaN where there is no item."""
        return np.where(self.rows < 0, np.nan, codes[self.rows])


def answer_of(item: Item) -> tuple[str, ...]:
    """Return what identifies an answer, whatever it is judged on."""
    return item.item_id, item.candidate, item.opponent


def overall_scale(scale: Scale) -> Scale:
    """Return the scale of answers as a whole: a weighted mean of levels lies between levels."""
    return Scale.interval(*scale.ends) if scale.kind == "ordinal" else scale


def over_criteria(codes: Array, weights: Array, scale: Scale) -> tuple[Array, Names, Array]:
    """Pool one voter's votes on the criteria of n answers.

    Graded votes have their weighted mean; of yes or no and of preferences the side with more
    weight is the vote, and of categories the one with most, with a tie where two have as much.

    Parameters
    ----------
    codes : array of shape (n, criteria)
    weights : array of shape (criteria,)
    scale : Scale

    Returns
    -------
    labels, outcomes, strength : arrays of shape (n,)
    """
    every = len(weights)
    if scale.kind == "nominal":
        labels, outcomes = plurality(codes, weights, every)
        strength = np.full(len(labels), np.nan)
    else:
        strength = weighted_mean(codes, weights, every)
        labels, outcomes = strength, np.where(np.isnan(strength), NO_QUORUM, DECIDED)
        if not scale.graded:
            labels, outcomes = decision(strength)
    return labels, np.where(outcomes == NO_QUORUM, CRITERION_MISSING, outcomes), strength


def said(weights: Mapping[str, float]) -> str:
    """Return weights in words: "helpfulness 2, faithfulness 1"."""
    return ", ".join(f"{name} {weight:g}" for name, weight in weights.items())


def weightings(juries: Iterable[object]) -> dict[str, Mapping[str, float]]:
    """Return the different weightings that juries pool criteria by, each under a jury's name."""
    found: dict[str, Mapping[str, float]] = {}
    for jury in juries:
        weights = getattr(jury, "criteria", None)
        if weights and dict(weights) not in map(dict, found.values()):
            found[str(getattr(jury, "name", ""))] = weights
    return found
