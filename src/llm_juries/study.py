"""A study: a dataset, the judges asked about it, the juries they form, their stored votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .data.dataset import Dataset
from .juries.aggregation import Pooling
from .juries.panel import NOT_ASKED
from .juries.rules import Jury
from .juries.votes import Array
from .store.plan import Plan, look_up
from .store.store import Store
from .types import Order


@dataclass(frozen=True)
class Study:
    """One dataset with the judges that can be asked about it and the juries they can seat."""

    dataset: Dataset
    plans: tuple[Plan, ...]
    juries: tuple[Jury | Pooling, ...]


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
