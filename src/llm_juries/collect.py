"""The one loop that asks judges: it plans, skips what the store has, asks the rest, keeps replies.

A verdict goes into the store as soon as it is there, so a run that is stopped or killed has lost
nothing but what was in flight, and the next run asks only for the holes.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from .data import Dataset
from .judges.base import Judge, JudgeUnavailableError
from .prompts import Prompt
from .store import Store
from .types import Item, JuriesError, Order, Outcome, Reply, Request, Verdict


@dataclass(frozen=True)
class Plan:
    """One judge, one dataset, one prompt: what is to be asked, before looking at the store."""

    judge: Judge
    dataset: Dataset
    prompt: Prompt

    def requests(self) -> Iterator[Request]:
        """Yield a request for each item and order the judge can be asked about.

        Made anew on each call: rendered prompts are long, and most are only needed for their key.
        """
        for item in self.dataset.items:
            for order in self.dataset.orders:
                request = self.judge.request(item, order, self.prompt)
                if request is not None:
                    yield request


@dataclass
class Tally:
    """What became of one plan. `cost_usd` sums the replies with a known cost; `unpriced` counts
    the others.
    """  # noqa: D205

    judge: str
    dataset: str
    requests: int = 0
    kept: int = 0
    asked: int = 0
    seconds: float = 0.0
    cost_usd: float = 0.0
    unpriced: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    unavailable: str = ""


class Progress(Protocol):
    """What is told of a collection as it goes."""

    def begin(self, tally: Tally, holes: int) -> None:
        """Tell that a judge is about to be asked for `holes` verdicts."""

    def advance(self, tally: Tally, verdict: Verdict) -> None:
        """Tell of one more verdict."""


class Silence:
    """No progress."""

    def begin(self, tally: Tally, holes: int) -> None:
        """Tell nothing."""

    def advance(self, tally: Tally, verdict: Verdict) -> None:
        """Tell nothing."""


def look_up(plan: Plan, store: Store) -> Iterator[tuple[Request, Verdict | None]]:
    """Yield each request of a plan with its stored verdict, None where there is none.

    A verdict is stored under what was asked, so two items with the same text share one: it comes
    back under the identity of the item at hand. A reply read by an older reader is read anew.
    """
    reader = plan.judge.reader(plan.prompt)
    for request in plan.requests():
        stored = store.get(request.key)
        if stored is None:
            yield request, None
            continue
        if stored.reader == reader.id:
            outcome, label, score = stored.outcome, stored.label, stored.score
        else:
            outcome, label, score = reader.read(stored.reply)
        yield (
            request,
            replace(
                stored,
                judge=plan.judge.name,
                prompt=request.prompt,
                dataset=plan.dataset.name,
                item_id=request.item.item_id,
                candidate=request.item.candidate,
                opponent=request.item.opponent,
                order=request.order,
                outcome=outcome,
                label=label,
                score=score,
                reader=reader.id,
            ),
        )


def collect(
    plans: Sequence[Plan],
    store: Store,
    *,
    again: Sequence[Outcome] = (Outcome.FAILED,),
    on_unavailable: Literal["stop", "skip"] = "stop",
    progress: Progress | None = None,
) -> list[Tally]:
    """Ask for every verdict that the store lacks; return what became of each plan.

    Parameters
    ----------
    plans : sequence of Plan
    store : Store
    again : sequence of Outcome
        Stored outcomes that count as holes: by default only votes for which no reply came.
    on_unavailable : {"stop", "skip"}
        What a judge that can't be asked at all does: "stop" raises, before any judge is asked more;
        "skip" notes it in the tally, and its votes stay missing.
    progress : Progress, optional

    Raises
    ------
    JuriesError
        If a shot of the prompt asks the question of an item, or a judge is not available.
    """
    for plan in plans:
        plan.prompt.check_disjoint(plan.dataset.items)
    loop = _Loop(store, frozenset(again), on_unavailable, progress or Silence())
    return asyncio.run(loop.run(plans))


class _Loop:
    def __init__(
        self,
        store: Store,
        again: frozenset[Outcome],
        on_unavailable: Literal["stop", "skip"],
        progress: Progress,
    ) -> None:
        self.store = store
        self.again = again
        self.on_unavailable = on_unavailable
        self.progress = progress

    async def run(self, plans: Sequence[Plan]) -> list[Tally]:
        """Ask judges that need the machine to themselves in turn, the others all at once."""
        main = asyncio.current_task()
        assert main is not None  # noqa: S101 - asyncio.run gives every coroutine a task
        with contextlib.suppress(NotImplementedError, RuntimeError):  # not on Windows, in a thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel, "SIGTERM")
        tallies = {id(plan): Tally(plan.judge.name, plan.dataset.name) for plan in plans}
        together = [plan for plan in plans if not plan.judge.limits.alone]
        async with asyncio.TaskGroup() as group:
            for plan in together:
                group.create_task(self._run_plan(plan, tallies[id(plan)]))
        for plan in plans:
            if plan.judge.limits.alone:
                await self._run_plan(plan, tallies[id(plan)])
        return [tallies[id(plan)] for plan in plans]

    async def _run_plan(self, plan: Plan, tally: Tally) -> None:
        holes = self._holes(plan, tally)
        if not holes:
            return
        judge = plan.judge
        try:
            await judge.open()
        except JudgeUnavailableError as error:
            if self.on_unavailable == "stop":
                raise
            tally.unavailable = str(error)
            return
        self.progress.begin(tally, len(holes))
        began = time.monotonic()
        # One iterator for all workers: each takes the next batch when it has answered its last.
        size = judge.limits.batch
        batches = iter([holes[start : start + size] for start in range(0, len(holes), size)])
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(judge.limits.in_flight):
                    group.create_task(self._work(plan, tally, batches))
        finally:
            tally.seconds = time.monotonic() - began
            await judge.close()

    def _holes(self, plan: Plan, tally: Tally) -> list[tuple[Item, Order]]:
        """Return what the store lacks, each key once."""
        holes: dict[str, tuple[Item, Order]] = {}
        for request in plan.requests():
            tally.requests += 1
            stored = self.store.get(request.key)
            if stored is not None and stored.outcome not in self.again:
                tally.kept += 1
            else:
                holes.setdefault(request.key, (request.item, request.order))
        return list(holes.values())

    async def _work(
        self, plan: Plan, tally: Tally, batches: Iterator[list[tuple[Item, Order]]]
    ) -> None:
        reader = plan.judge.reader(plan.prompt)
        for batch in batches:
            made = (plan.judge.request(item, order, plan.prompt) for item, order in batch)
            requests = [request for request in made if request is not None]
            replies = await plan.judge.ask(requests)
            for request, reply in zip(requests, replies, strict=True):
                verdict = self._verdict(plan, request, reply, reader.read(reply), reader.id)
                self.store.append(verdict)
                tally.asked += 1
                tally.outcomes[verdict.outcome] += 1
                if verdict.cost_usd is None:
                    tally.unpriced += 1
                else:
                    tally.cost_usd += verdict.cost_usd
                self.progress.advance(tally, verdict)

    def _verdict(
        self,
        plan: Plan,
        request: Request,
        reply: Reply,
        reading: tuple[Outcome, float | None, float | None],
        reader: str,
    ) -> Verdict:
        outcome, label, score = reading
        price = plan.judge.price
        return Verdict(
            key=request.key,
            judge=plan.judge.name,
            prompt=request.prompt,
            dataset=plan.dataset.name,
            item_id=request.item.item_id,
            candidate=request.item.candidate,
            opponent=request.item.opponent,
            order=request.order,
            outcome=outcome,
            label=label,
            score=score,
            reader=reader,
            reply=reply,
            cost_usd=price.of(reply) if price else None,
            attempts=1,
            asked_at=time.time(),
        )


__all__ = ["JuriesError", "Plan", "Progress", "Silence", "Tally", "collect", "look_up"]
