"""A study: a dataset with its judges and juries, and the stored verdicts read for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .data.dataset import Dataset
from .judges.recorded import RecordedJudge
from .juries.pooling import Pooling
from .juries.stored import NOT_ASKED, Distribution, StoredVotes
from .scale import Scale
from .store.plan import Plan, look_up
from .store.store import Store
from .types import Order, Reply


@dataclass(frozen=True)
class Study:
    """One dataset with the judges that can be asked about it and the juries they form."""

    dataset: Dataset
    plans: tuple[Plan, ...]
    juries: tuple[Pooling, ...]


def read(plans: Sequence[Plan], dataset: Dataset, store: Store) -> StoredVotes:
    """Read the stored verdicts of plans, whose dataset is in memory, in one pass over each.

    Recorded verdicts are taken from the recordings, a whole judge at a time.
    """
    shape = len(tuple(dataset.items)), len(plans), len(dataset.orders)
    labels, scores, usd, usd_today = (np.full(shape, np.nan) for _ in range(4))
    tokens = np.full((*shape, 3), np.nan)
    keys, outcomes = np.full(shape, None, object), np.full(shape, NOT_ASKED, "U16")
    distributions: dict[str, Distribution] = {}
    scales = [plan.judge.reader(plan.prompt, Order.ORIGINAL).scale for plan in plans]
    votes = StoredVotes(
        [plan.voter for plan in plans],
        scales, keys, labels, scores, outcomes, usd, usd_today, tokens, distributions,
    )  # fmt: skip
    for column, plan in enumerate(plans):
        if isinstance(plan.judge, RecordedJudge):
            _take(votes, column, plan, plan.judge)
        else:
            _look_up(votes, distributions, column, plan, store)
    return votes


def _take(votes: StoredVotes, column: int, plan: Plan, judge: RecordedJudge) -> None:
    """Fill in a recorded judge's votes: each different cell is read once."""
    scale = votes.scales[column]
    codes = judge.cells.on(plan.dataset.items, plan.dataset.orders)
    reader = judge.reader(plan.prompt, Order.ORIGINAL)
    readings = [reader.read(Reply(text)) for text in judge.cells.texts]
    for into, values in (  # the last of each is that of a cell that is not there: -1
        (votes.outcomes, [*(str(one.outcome) for one in readings), NOT_ASKED]),
        (votes.given_labels, [*(scale.encode(one.value) for one in readings), np.nan]),
        (votes.given_scores, [*(np.nan if r.score is None else r.score for r in readings), np.nan]),
    ):
        into[:, column] = np.array(values)[codes]


def _look_up(
    votes: StoredVotes, found: dict[str, Distribution], column: int, plan: Plan, store: Store
) -> None:
    """Fill in the stored votes of a judge that was asked."""
    row = {id(item): number for number, item in enumerate(plan.dataset.items)}
    orders = {order: at for at, order in enumerate(plan.dataset.orders)}
    scale = votes.scales[column]
    for request, verdict in look_up(plan, store):
        if verdict is None:
            continue
        at = row[id(request.item)], column, orders[request.order]
        votes.keys[at], votes.outcomes[at] = request.key, verdict.outcome
        votes.given_labels[at] = scale.encode(verdict.value)
        votes.given_scores[at] = np.nan if verdict.score is None else verdict.score
        if plan.judge.price is not None and verdict.cost_usd is not None:
            votes.usd[at] = verdict.cost_usd
            votes.usd_today[at] = plan.judge.price.of(verdict.reply)
            votes.tokens[at] = _tokens(verdict.reply)
        if scale.kind == "binary":
            continue  # its score says it all
        chances = plan.judge.reader(plan.prompt, request.order).probabilities(verdict.reply)
        if chances and verdict.value is not None:
            if plan.voter not in found:
                found[plan.voter] = _no_distribution(chances, scale, votes.keys.shape[::2])
            place, mass = (at[0], at[2]), verdict.reply.label_mass
            into = found[plan.voter]
            into.chances[place] = [chances[value] for value in into.values]
            into.label_mass[place] = np.nan if mass is None else mass


def _tokens(reply: Reply) -> tuple[float, float, float]:
    """Return a reply's input, cached and output tokens."""
    sent, received = reply.input_tokens, reply.output_tokens
    if sent is None or received is None:
        return np.nan, np.nan, np.nan
    return sent, reply.cached_tokens or 0, received


def _no_distribution(values: Iterable[str], scale: Scale, shape: tuple[int, int]) -> Distribution:
    """Return a distribution over some values of a scale that holds nothing yet."""
    ordered = tuple(sorted(values, key=scale.encode))
    unordered = scale.kind == "nominal"
    codes = np.array([np.nan if unordered else scale.encode(value) for value in ordered])
    return Distribution(
        ordered, codes, np.full((*shape, len(ordered)), np.nan), np.full(shape, np.nan)
    )
