"""What is wanted of judges, what the store has of it, and what became of the rest.

The pure part of a collection, shared by all that reads or fills a store: `collect` and `batches`
ask for the holes, `forecast` counts them, `analysis` reads what is there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from ..data.dataset import Dataset
from ..errors import JuriesError
from ..judges.base import Judge
from ..prompts.prompt import Askable
from ..types import Outcome, Reply, Request, Verdict
from .pending_batches import at_work
from .store import Store


@dataclass(frozen=True)
class Plan:
    """One judge, one dataset, one prompt: what is to be asked, before looking at the store."""

    judge: Judge
    dataset: Dataset
    prompt: Askable

    def requests(self) -> Iterator[Request]:
        """Yield a request for each item and order the judge can be asked about.

        Made anew on each call: rendered prompts are long, and most are only needed for their key.
        """
        for item in self.dataset.items:
            for order in self.dataset.orders:
                request = self.judge.request(item, order, self.prompt)
                if request is not None:
                    yield request


@dataclass(frozen=True)
class Policy:
    """How to collect.

    Parameters
    ----------
    again : sequence of Outcome
        Stored outcomes that count as holes: by default only votes for which no reply came.
    on_unavailable : {"stop", "skip"}
        What a judge that can't be asked at all does: "stop" raises before any other is asked,
        "skip" notes it in the tally, and its votes stay missing.
    ask_once_more : bool
        Whether a reply that can't be read is answered with a request for the bare verdict word,
        once. Both replies are kept.
    max_cost_usd : float, optional
        Stop before more than this may be spent in this run.
    dry_run : bool
        Ask nothing; see `forecast`.
    mode : {"live", "batch"}
        "batch": hand in batches and take those that have ended; see `batches`.
    asking : {"all", "sequential", "cyclic"}
        Whether all judges are asked about everything, or what a jury needs; see `savings`.
    """

    again: tuple[Outcome, ...] = (Outcome.FAILED,)
    on_unavailable: Literal["stop", "skip"] = "stop"
    ask_once_more: bool = False
    max_cost_usd: float | None = None
    dry_run: bool = False
    mode: Literal["live", "batch"] = "live"
    asking: Literal["all", "sequential", "cyclic"] = "all"

    def __post_init__(self) -> None:
        if self.mode == "batch" and self.asking != "all":
            raise JuriesError(
                f"asking={self.asking}: a batch is handed in whole; set mode=live, or asking=all"
            )


@dataclass
class Tally:
    """What became of one plan.

    `pending` counts what batches were at work on already, `submitted` what was handed in to them.
    `cost_usd` sums the replies whose cost is known, `unpriced` counts the others. `unavailable`
    says why a judge was not asked at all, `gave_up` why it was given up on (its remaining votes are
    stored as failed), `stopped` why it was not asked further (they stay holes).
    """

    judge: str
    dataset: str
    requests: int = 0
    kept: int = 0
    pending: int = 0
    submitted: int = 0
    asked: int = 0
    seconds: float = 0.0
    cost_usd: float = 0.0
    unpriced: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    unavailable: str = ""
    gave_up: str = ""
    stopped: str = ""


def look_up(plan: Plan, store: Store) -> Iterator[tuple[Request, Verdict | None]]:
    """Yield each request of a plan with its stored verdict, None where there is none.

    A verdict is stored under what was asked, so two items with the same text share one: it comes
    back under the identity of the item at hand. A reply read by an older reader is read anew.
    """
    readers = {order: plan.judge.reader(plan.prompt, order) for order in plan.dataset.orders}
    ids = {order: reader.id for order, reader in readers.items()}
    for request in plan.requests():
        stored = store.get(request.key)
        if stored is None:
            yield request, None
            continue
        order, item = request.order, request.item
        outcome, label, score = stored.outcome, stored.label, stored.score
        if stored.reader != ids[order]:
            outcome, label, score = readers[order].read(stored.reply)
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
                label=label,
                score=score,
                reader=ids[order],
            ),
        )


def remote(judge: Judge) -> bool:
    """Return whether a judge answers over a network: it may be charged for, and may go silent."""
    return not judge.free and not judge.limits.alone


def holes(
    plan: Plan,
    store: Store,
    policy: Policy,
    *,
    tally: Tally | None = None,
    mark: int | None = None,
) -> Iterator[Request | None]:
    """Yield the requests that the store has no answer to as one looks, None for each that it has.

    Items with the same text have the same key: each of them is a hole until a verdict is stored.
    What a batch is at work on is no hole.

    Parameters
    ----------
    tally : Tally, optional
        Counts all requests, and those that are no holes.
    mark : int, optional
        What was stored since this mark of the store is no hole, whatever its outcome: a vote that
        fails is not asked for again in the same run.
    """
    pending: frozenset[str] = frozenset() if plan.judge.free else at_work(store)
    for request, stored in look_up(plan, store):
        kept = stored is not None and (
            stored.outcome not in policy.again
            or (mark is not None and store.appended_since(request.key, mark))
        )
        waited_for = not kept and request.key in pending
        if tally is not None:
            tally.requests += 1
            tally.kept += kept
            tally.pending += waited_for
        yield None if kept or waited_for else request


def verdict_of(plan: Plan, request: Request, reply: Reply, attempts: int) -> Verdict:
    """Return a reply as a verdict: read, priced and dated."""
    reader = plan.judge.reader(plan.prompt, request.order)
    outcome, label, score = reader.read(reply)
    item = request.item
    return Verdict(
        key=request.key,
        judge=plan.judge.name,
        prompt=request.prompt,
        dataset=plan.dataset.name,
        item_id=item.item_id,
        candidate=item.candidate,
        opponent=item.opponent,
        order=request.order,
        outcome=outcome,
        label=label,
        score=score,
        reader=reader.id,
        reply=reply,
        cost_usd=plan.judge.price.of(reply) if plan.judge.price else None,
        attempts=attempts,
        asked_at=time.time(),
    )


def count(tally: Tally, verdict: Verdict, judge: Judge) -> None:
    """Count a new verdict in its tally."""
    tally.asked += verdict.attempts > 0
    tally.outcomes[verdict.outcome] += 1
    tally.cost_usd += verdict.cost_usd or 0.0
    replied = verdict.outcome is not Outcome.FAILED
    tally.unpriced += verdict.cost_usd is None and replied and remote(judge)
    tally.input_tokens += verdict.reply.input_tokens or 0
    tally.cached_tokens += verdict.reply.cached_tokens or 0
    tally.output_tokens += verdict.reply.output_tokens or 0
