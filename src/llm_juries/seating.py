"""From stored verdicts to votes: judges take their seats and juries decide. Asks no model.

Prompts have scales of their own (true or false, one to five, A>>B to B>>A), so labels are brought
to the way from the lowest to the highest: 0 to 1. Above the middle is a vote for the answer (or the
first of a pair), below it one against; the middle itself is no side: of a pair it is a tie (0.5),
of a single answer no vote.

A pair is one unit, however many orders it was shown in, so that no battle counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from .aggregation import context_of, decide
from .data import Dataset
from .experiment import Study
from .juries import DECIDED, TIE, Voter, Votes, side
from .plans import Plan, look_up
from .store import Store
from .types import Order, Outcome

Array = npt.NDArray[np.float64]

Inconsistent = Literal["missing", "tie", "mean"]
"""What becomes of a pair whose two orders point to different sides (one may be the middle).

"missing": no vote, an abstention; "tie": a tie; "mean": the side on which the mean of the orders'
strengths lies. Where the sides are the same, all three are: the strength is the orders' mean.
"""

NOT_ASKED, INCONSISTENT = "not_asked", "inconsistent"


@dataclass(frozen=True)
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
    """

    dataset: Dataset
    votes: Votes
    orders: Mapping[Order, Votes] = field(default_factory=dict)
    scale: tuple[float, float] = (0.0, 1.0)

    @property
    def human(self) -> Array:
        """The human labels, NaN where there are none.

        A tie has none either: it is no side that a voter could agree with.
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
        """The question of each item: the clusters of the bootstrap."""
        return [item.item_id for item in self.dataset.items]


def seat(
    study: Study,
    store: Store,
    inconsistent: Inconsistent = "missing",
    candidate_families: Mapping[str, str] | None = None,
) -> Panel:
    """Read a study's votes from the store and let its juries decide.

    Parameters
    ----------
    study, store
    inconsistent : {"missing", "tie", "mean"}
        What a pair counts as whose two orders point to different sides.
    candidate_families : mapping of str to str, optional
        Of the models that answered, for juries whose members leave their seats for their own kin.
    """
    dataset = study.dataset.loaded()
    context = context_of(dataset.items, candidate_families)
    plans = [replace(plan, dataset=dataset) for plan in study.plans]
    labels, scores, outcomes = read(plans, dataset, store)
    voters = tuple(Voter(p.judge.name, p.judge.kind, p.judge.family) for p in plans)

    def decided(votes: Votes) -> Votes:
        return votes.joined(*(decide(jury, votes, context) for jury in study.juries))

    pairs = dataset.pairwise
    pooled = pool(labels, scores, outcomes, inconsistent, pairs=pairs)
    single: dict[Order, Votes] = {}
    if len(dataset.orders) > 1:
        for at, order in enumerate(dataset.orders):
            part = np.s_[:, :, at : at + 1]
            alone = pool(labels[part], scores[part], outcomes[part], inconsistent, pairs=pairs)
            single[order] = decided(Votes(voters, *alone))
    return Panel(dataset, decided(Votes(voters, *pooled)), single, _scale(plans))


def read(
    plans: Sequence[Plan], dataset: Dataset, store: Store
) -> tuple[Array, Array, npt.NDArray[np.str_]]:
    """Return labels and scores on the way from 0 to 1, and outcomes, of shape (n, k, orders).

    A judge that has given scores off the scale (a recorded 7 of 10) has labels only: where its
    scores have their middle is not known.
    """
    row = {id(item): number for number, item in enumerate(dataset.items)}
    n, orders = len(row), {order: at for at, order in enumerate(dataset.orders)}
    labels = np.full((n, len(plans), len(orders)), np.nan)
    scores = labels.copy()
    outcomes = np.full(labels.shape, NOT_ASKED, dtype="U16")
    for column, plan in enumerate(plans):
        low, high = plan.judge.reader(plan.prompt, Order.ORIGINAL).scale
        for request, verdict in look_up(plan, store):
            if verdict is None:
                continue
            at = row[id(request.item)], column, orders[request.order]
            outcomes[at] = verdict.outcome
            if verdict.label is not None:
                labels[at] = (verdict.label - low) / (high - low)
            if verdict.score is not None:
                scores[at] = (verdict.score - low) / (high - low)
        if ((scores[:, column] < 0) | (scores[:, column] > 1)).any():
            scores[:, column] = np.nan
    return labels, scores, outcomes


def usd_a_call(plans: Sequence[Plan], store: Store) -> dict[str, float | None]:
    """Return what a stored call of each judge cost on average, None where that is not known."""
    found: dict[str, float | None] = {}
    for plan in plans:
        found[plan.judge.name] = None
        if plan.judge.price is not None:
            costs = [v.cost_usd for _, v in look_up(plan, store) if v is not None]
            known = [cost for cost in costs if cost is not None]
            if known and len(known) == len(costs):
                found[plan.judge.name] = sum(known) / len(known)
    return found


def _scale(plans: Sequence[Plan]) -> tuple[float, float]:
    """Return the prompt's scale where a model was asked under it."""
    asked = [plan for plan in plans if not plan.judge.free]
    return asked[0].prompt.reader.scale if asked else (0.0, 1.0)


def pool(
    labels: Array,
    scores: Array,
    outcomes: npt.NDArray[np.str_],
    inconsistent: Inconsistent,
    *,
    pairs: bool,
) -> tuple[Array, Array, npt.NDArray[np.str_]]:
    """Make one vote of the orders that a pair was shown in; a vote that lacks one of them is none.

    Parameters
    ----------
    labels, scores, outcomes : arrays of shape (n, k, orders)
        On the way from 0 to 1, NaN where missing. A score is the evidence behind a label that is
        more than the label; where there is none, the label's own strength stands for it.
    inconsistent : {"missing", "tie", "mean"}
    pairs : bool
        Whether the middle is a vote, for neither.

    Returns
    -------
    labels, scores, outcomes : arrays of shape (n, k)
        Labels are 1, 0 or (of pairs) 0.5.
    """
    sides = side(labels)
    strengths = np.where(np.isnan(scores), labels, scores)
    whole = ~np.isnan(labels).any(axis=2)
    same = (sides == sides[:, :, :1]).all(axis=2)
    mean = strengths.mean(axis=2)
    odd = (outcomes != Outcome.OK).argmax(axis=2)  # the first order with something amiss
    amiss = np.take_along_axis(outcomes, odd[:, :, None], axis=2)[:, :, 0]
    pooled, strength = np.where(same, sides[:, :, 0], np.nan), np.where(same, mean, np.nan)
    reason = np.where(same, DECIDED, INCONSISTENT)
    match inconsistent:
        case "missing":
            pass
        case "tie":
            pooled, strength = np.where(same, pooled, 0.5), np.where(same, strength, 0.5)
            reason = np.full_like(reason, DECIDED)
        case "mean":
            pooled, strength = np.where(same, pooled, side(mean)), mean
            reason = np.full_like(reason, DECIDED)
    middle = whole & (pooled == 0.5)
    if not pairs:
        pooled = np.where(middle, np.nan, pooled)
        reason = np.where(middle, TIE, reason)
    return (
        np.where(whole, pooled, np.nan),
        np.where(whole, strength, np.nan),
        np.where(whole, reason, amiss),
    )
