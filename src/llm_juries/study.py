"""A study: a dataset with its judges and juries, and the stored verdicts read for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .data.dataset import Dataset
from .juries.pooling import Pooling
from .juries.stored import NOT_ASKED, StoredVotes
from .store.plan import Plan, look_up
from .store.store import Store
from .types import Order


@dataclass(frozen=True)
class Study:
    """One dataset with the judges that can be asked about it and the juries they form."""

    dataset: Dataset
    plans: tuple[Plan, ...]
    juries: tuple[Pooling, ...]


def read(plans: Sequence[Plan], dataset: Dataset, store: Store) -> StoredVotes:
    """Read the stored verdicts of plans, whose dataset is in memory, in one pass over each."""
    row = {id(item): number for number, item in enumerate(dataset.items)}
    orders = {order: at for at, order in enumerate(dataset.orders)}
    shape = len(row), len(plans), len(orders)
    labels, scores, usd = (np.full(shape, np.nan) for _ in range(3))
    keys, outcomes = np.full(shape, None, object), np.full(shape, NOT_ASKED, "U16")
    scales = [plan.judge.reader(plan.prompt, Order.ORIGINAL).scale for plan in plans]
    for column, plan in enumerate(plans):
        for request, verdict in look_up(plan, store):
            if verdict is None:
                continue
            at = row[id(request.item)], column, orders[request.order]
            keys[at], outcomes[at] = request.key, verdict.outcome
            labels[at] = scales[column].encode(verdict.value)
            scores[at] = np.nan if verdict.score is None else verdict.score
            if plan.judge.price is not None and verdict.cost_usd is not None:
                usd[at] = verdict.cost_usd
    names = [plan.voter for plan in plans]
    return StoredVotes(names, scales, keys, labels, scores, outcomes, usd)
