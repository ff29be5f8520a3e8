"""One judge's part of a collection: a smoke test, then all that is lacking, as fast as it bears.

This is the only place where a request is sent again: clients below it never retry by themselves.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from ..judges.base import Judge
from ..judges.errors import JudgeUnavailableError, TransientError
from ..store.plan import Plan, Policy, Tally, count, holes, remote, verdict_of
from ..store.store import Store
from ..types import Message, Outcome, Reply, Request, Verdict
from .budget import Purse
from .rate_limit import Gate, backoff

LONGEST_LOOK = 256  # requests to look up before others have a turn
SMOKE_ITEMS, SMOKE_ATTEMPTS = 3, 3  # what a judge may reject or miss before the run begins


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


@dataclass
class Shared:
    """What all judges of a run share. `signal` is the one that asked for a stop, else 0.

    `mark` tells what the run has stored from what was in the store before.
    """

    store: Store
    policy: Policy
    progress: Progress
    purse: Purse
    signal: int = 0
    mark: int = field(init=False)

    def __post_init__(self) -> None:
        self.mark = self.store.mark()


@dataclass
class Work:
    """What one plan lacks: `holes` of them at first. Keys are `under_way` until they are stored."""

    plan: Plan
    tally: Tally
    holes: int
    under_way: set[str] = field(default_factory=set)
    begun: bool = False

    def parts(self, shared: Shared, size: int) -> Iterator[list[Request]]:
        """Yield what is lacking as one looks, in parts of some size, and an empty part at times.

        Requests are made as they are needed, so no more of them are held than are under way.
        """
        part: list[Request] = []
        since_last = 0
        for request in holes(self.plan, shared.store, shared.policy, mark=shared.mark):
            since_last += 1
            if request is not None and request.key not in self.under_way:
                self.under_way.add(request.key)
                part.append(request)
            if len(part) == size:
                yield part
                part, since_last = [], 0
            elif since_last >= LONGEST_LOOK:
                yield []
                since_last = 0
        if part:
            yield part


class Asking:
    """One judge's part of a collection."""

    def __init__(self, shared: Shared, judge: Judge) -> None:
        self.shared = shared
        self.judge = judge
        self.work: list[Work] = []
        self.gate = Gate(judge.limits)
        self.gave_up = ""
        self.dearer = 1.0  # than the most a request should cost: providers add to what is sent
        self.tasks: set[asyncio.Task[None]] = set()
        self._counted = np.empty(0, np.int64)  # hashes of the keys of all work

    def add(self, plan: Plan, tally: Tally, keys: Iterable[str]) -> None:
        """Give the judge a plan to work on, if it lacks any of these keys.

        What a judge is asked for one dataset is not asked again for another.
        """
        found = np.unique(np.fromiter(map(hash, keys), np.int64))
        found = np.setdiff1d(found, self._counted, assume_unique=True)
        self._counted = np.concatenate([self._counted, found])
        if len(found):
            self.work.append(Work(plan, tally, len(found)))

    async def prepare(self) -> None:
        """Find out whether the judge can be asked, before any judge is asked much."""
        try:
            await self.judge.ready()
            if not self.judge.limits.alone:
                await self.judge.open()
                if not self.judge.free:
                    await self._smoke()
        except JudgeUnavailableError as error:
            self._unavailable(error)

    async def run(self) -> None:
        """Ask for all that is lacking."""
        if not self.work:
            return
        try:
            if self.judge.limits.alone:
                await self.judge.open()
        except JudgeUnavailableError as error:
            self._unavailable(error)
            return
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch())
            for work in self.work:
                self._begin(work)
                began = time.monotonic()
                await self._dispatch(work, group)
                while self.tasks:
                    await asyncio.wait(self.tasks)
                work.tally.seconds = time.monotonic() - began
            watch.cancel()
        if self.judge.limits.alone:
            await self.judge.close()
        if self.gave_up:
            self._record_failed()

    def _begin(self, work: Work) -> None:
        if not work.begun:
            work.begun = True
            self.shared.progress.begin(work.tally, work.holes)

    def cancel(self) -> None:
        """Let no request go on."""
        for task in self.tasks:
            task.cancel()

    async def _smoke(self) -> None:
        """Ask for the first verdicts one at a time, until one comes or too many are rejected.

        So a wrong key, URL, model or parameter ends before money is spent. A judge that is merely
        slow or busy passes.
        """
        work = self.work[0]
        self._begin(work)
        rejection = ""
        parts = filter(None, work.parts(self.shared, 1))
        for requests in itertools.islice(parts, SMOKE_ITEMS):
            _, most = self._estimate(requests)
            if not await self.shared.purse.take_in_turn(most):
                return
            paid = 0.0
            try:
                async with asyncio.timeout(self.judge.limits.patience_s):
                    answered = await self._answered(requests, SMOKE_ATTEMPTS)
                    if answered is None:
                        return
                    replies, attempts = answered
                    if replies[0].stop != "error":
                        paid = await self._keep(work, requests, replies, attempts, most)
                        return
                    rejection = replies[0].error
            except TimeoutError:
                return
            except TransientError as error:
                if error.unreachable:
                    raise JudgeUnavailableError(f"judge {self.judge.name}: {error}") from None
                return
            finally:
                self._settle(most, paid)
                work.under_way.clear()
        raise JudgeUnavailableError(
            f"judge {self.judge.name}: rejects what it is sent: {rejection}"
        )

    async def _dispatch(self, work: Work, group: asyncio.TaskGroup) -> None:
        """Send all of a plan's requests, as fast as the gate lets them through."""
        purse = self.shared.purse
        for requests in work.parts(self.shared, self.judge.limits.batch):
            if not requests:
                await asyncio.sleep(0)  # the store has much of it: let others have a turn
                continue
            tokens, most = self._estimate(requests)
            if not await purse.take_in_turn(most):
                work.tally.stopped = f"max_cost_usd={purse.dollars:g} might be passed"
                return
            if not await self.gate.enter(tokens):
                purse.settle(most, 0.0)
                if self.shared.signal:
                    work.tally.stopped = "stopped by a signal"
                return
            task = group.create_task(self._ask(work, requests, most))
            self.tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self.gate.leave()

    def _estimate(self, requests: Sequence[Request]) -> tuple[int, float]:
        """Return the tokens of requests and the most they can cost, where a limit asks for it.

        No token is shorter than a byte, so the length of a text bounds what it can cost.
        """
        if self.shared.purse.dollars is None and not self.judge.limits.tokens_per_minute:
            return 0, 0.0
        price = self.judge.price
        tokens, most = 0, 0.0
        for request in requests:
            sent, received = self.judge.estimate(request)
            tokens += sent + received
            length = sum(len(message.content.encode()) for message in request.messages)
            most += price.at_most(max(sent, length), received) if price else 0.0
        return tokens, most * self.dearer

    def _cost(self, reply: Reply, most: float) -> float:
        """Return what a reply cost, the most it can have cost where that is not known."""
        if reply.stop == "error":
            return 0.0
        cost = self.judge.price.of(reply) if self.judge.price else None
        return most if cost is None else cost

    def _settle(self, most: float, paid: float) -> None:
        self.shared.purse.settle(most, paid)
        if most and paid > most:
            self.dearer *= paid / most

    async def _ask(self, work: Work, requests: Sequence[Request], most: float) -> None:
        """Get replies to one batch and store them."""
        paid = 0.0
        try:
            answered = await self._answered(requests, self.judge.limits.attempts)
            if answered is not None:
                paid = await self._keep(work, requests, *answered, most)
        except TransientError as error:
            failed = Reply(stop="error", error=str(error))
            for request in requests:
                self._record(work, request, failed, self.judge.limits.attempts)
        except JudgeUnavailableError as error:
            self._give_up(str(error))
        finally:
            self._settle(most, paid)

    async def _keep(
        self,
        work: Work,
        requests: Sequence[Request],
        replies: Sequence[Reply],
        attempts: int,
        most: float,
    ) -> float:
        """Store replies, after asking once more where that is wished; return what they cost."""
        paid = 0.0
        for request, reply in zip(requests, replies, strict=True):
            paid += self._cost(reply, most / len(requests))
            if self._asks_once_more(work, request, reply):
                # Whatever becomes of the second question, the first reply is kept.
                self.shared.store.append(verdict_of(work.plan, request, reply, attempts))
                both, more = await self._once_more(request, reply)
                self._record(work, request, both, attempts + more)
            else:
                self._record(work, request, reply, attempts)
        return paid

    async def _answered(
        self, requests: Sequence[Request], attempts: int
    ) -> tuple[list[Reply], int] | None:
        """Ask until replies come; return them and how often that took.

        None where the gate closed meanwhile. Raises the last TransientError once all attempts are
        spent, JudgeUnavailableError at once.
        """
        for attempt in itertools.count(1):
            sent_at = self.gate.sent()
            try:
                replies = await self.judge.ask(requests)
            except TransientError as error:
                self.gate.trouble(error, sent_at)
                if attempt == attempts:
                    raise
                if not await self.gate.rest(backoff(attempt)):
                    break
            else:
                self.gate.good()
                self.gate.pause(self.judge.pause_s)
                return replies, attempt
        return None

    def _asks_once_more(self, work: Work, request: Request, reply: Reply) -> bool:
        if not (self.shared.policy.ask_once_more and request.messages):
            return False
        reader = self.judge.reader(work.plan.prompt, request.order)
        return reader.read(reply).outcome is Outcome.UNPARSED

    async def _once_more(self, request: Request, first: Reply) -> tuple[Reply, int]:
        """Ask for the bare verdict word after a reply that could not be read.

        Returns both replies as one, and how often was asked; the first where no second came or
        the money does not suffice.
        """
        plea = f"Reply with exactly one of these, and nothing else: {', '.join(request.choices)}."
        talk = (Message("assistant", first.text or "(empty)"), Message("user", plea))
        again = replace(request, messages=request.messages + talk, shared=0)
        _, most = self._estimate([again])
        if not self.shared.purse.take(most):
            return first, 0
        paid = 0.0
        try:
            answered = await self._answered([again], self.judge.limits.attempts)
            if answered is None:
                return first, 0
            (second,), attempts = answered
            paid = self._cost(second, most)
        except TransientError:
            return first, 0
        except JudgeUnavailableError as error:
            self._give_up(str(error))
            return first, 0
        finally:
            self._settle(most, paid)
        if second.stop == "error":
            return first, 0
        both = replace(
            second,
            earlier=first.text,
            input_tokens=_sum(first.input_tokens, second.input_tokens),
            cached_tokens=_sum(first.cached_tokens, second.cached_tokens),
            cache_write_tokens=_sum(first.cache_write_tokens, second.cache_write_tokens),
            output_tokens=_sum(first.output_tokens, second.output_tokens),
        )
        return both, attempts

    async def _watch(self) -> None:
        """Give a judge up that does not reply any more, even by an error."""
        patience = self.judge.limits.patience_s
        while remote(self.judge) and not self.gave_up:
            if self.gate.silent_s > patience:
                self._give_up(f"no good reply for {patience:g} s ({self.gate.said})")
            await asyncio.sleep(min(1.0, patience / 10))

    def _give_up(self, reason: str) -> None:
        self.gave_up = self.gave_up or reason
        self.gate.close()
        current = asyncio.current_task()
        for task in self.tasks - {current}:
            task.cancel()

    def _unavailable(self, error: JudgeUnavailableError) -> None:
        if self.shared.policy.on_unavailable == "stop":
            raise error
        for work in self.work:
            work.tally.unavailable = str(error)
        self.work = []

    def _record_failed(self) -> None:
        """Store the votes of a judge that was given up on: they failed, and are asked for again."""
        reply = Reply(stop="error", error=f"the judge was given up on: {self.gave_up}")
        for work in self.work:
            work.tally.gave_up = self.gave_up
            work.under_way.clear()  # of those that were under way, none will come
            for requests in work.parts(self.shared, 1):
                for request in requests:
                    self._record(work, request, reply, attempts=0)

    def _record(self, work: Work, request: Request, reply: Reply, attempts: int) -> None:
        """Store a reply's verdict and count it."""
        verdict = verdict_of(work.plan, request, reply, attempts)
        self.shared.store.append(verdict)
        work.under_way.discard(request.key)
        count(work.tally, verdict, self.judge)
        self.shared.progress.advance(work.tally, verdict)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
