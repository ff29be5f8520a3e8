"""Requested and stored verdicts: what a judge is asked about a dataset, and what the store has.

Shared by everything that reads or fills a store: `collect` asks for what is missing, `estimate`
counts it, `analysis` reads what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..data.dataset import Dataset
from ..judges.base import Judge
from ..prompts.prompt import Askable
from ..types import Request, Verdict
from .store import Store


@dataclass(frozen=True)
class Plan:
    """One judge, one dataset, one prompt: every verdict wanted, stored or not."""

    judge: Judge
    dataset: Dataset
    prompt: Askable

    def requests(self) -> Iterator[Request]:
        """Yield a request for each item and order the judge can be asked about.

        Requests are rendered again on each call: prompts are long, and most are only needed for
        their key.
        """
        for item in self.dataset.items:
            for order in self.dataset.orders:
                request = self.judge.request(item, order, self.prompt)
                if request is not None:
                    yield request


def look_up(plan: Plan, store: Store) -> Iterator[tuple[Request, Verdict | None]]:
    """Yield each request of a plan with its stored verdict, None where there is none.

    A verdict is keyed by what was asked, so two items with the same text share one; it is returned
    with the identity of the item at hand. A reply that an older parser read is parsed again.
    """
    readers = {order: plan.judge.reader(plan.prompt, order) for order in plan.dataset.orders}
    ids = {order: reader.id for order, reader in readers.items()}
    for request in plan.requests():
        stored = store.get(request.key)
        if stored is None:
            yield request, None
            continue
        order, item = request.order, request.item
        outcome, value, score = stored.outcome, stored.value, stored.score
        if stored.reader != ids[order]:
            outcome, value, score = readers[order].read(stored.reply)
        yield (
            request,
            replace(
                stored,
                judge=plan.judge.name,
                prompt=request.prompt,
                dataset=plan.dataset.name,
                item_id=item.item_id,
                candidate=item.candidate,
                opponent=item.opponent,
                order=order,
                outcome=outcome,
                value=value,
                score=score,
                reader=ids[order],
            ),
        )
