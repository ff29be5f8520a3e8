"""The one loop that asks judges: it plans, skips what the store has, asks the rest, keeps replies.

A verdict goes into the store as soon as it is there, so a run that is stopped or killed has lost
nothing but what was in flight, and the next run asks only for the holes. This is the only place
where a request is sent again: clients below it never retry by themselves.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import signal
import sys
import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from .data import Dataset
from .judges.base import Judge, JudgeUnavailableError, TransientError
from .pacing import Gate, Purse, backoff
from .prompts import Prompt
from .store import Store
from .tickets import at_work
from .types import Item, JuriesError, Message, Order, Outcome, Reply, Request, Verdict

SMOKE_ITEMS, SMOKE_ATTEMPTS = 3, 3  # what a judge may reject or miss before the run begins
DRAIN_S = 15.0  # how long a stopped run waits for replies that are under way


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
    """

    again: tuple[Outcome, ...] = (Outcome.FAILED,)
    on_unavailable: Literal["stop", "skip"] = "stop"
    ask_once_more: bool = False
    max_cost_usd: float | None = None
    dry_run: bool = False
    mode: Literal["live", "batch"] = "live"


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


def collect(
    plans: Sequence[Plan],
    store: Store,
    policy: Policy | None = None,
    progress: Progress | None = None,
) -> list[Tally]:
    """Ask for every verdict that the store lacks; return what became of each plan.

    Judges behind APIs are asked all at once, judges that need the machine to themselves in turn.
    On SIGINT or SIGTERM nothing more is sent, replies under way are awaited for a while and stored,
    and the signal takes its course; a second signal does not wait.

    Raises
    ------
    JuriesError
        If a shot of the prompt asks the question of an item, a judge is not available, or a limit
        is set on the cost of a judge without a price.
    """
    policy = policy or Policy()
    for plan in plans:
        plan.prompt.check_disjoint(plan.dataset.items)
        if policy.max_cost_usd is not None and remote(plan.judge) and plan.judge.price is None:
            raise JuriesError(
                f"judge {plan.judge.name}: has no price, so max_cost_usd can't be kept; set "
                f"judges.{plan.judge.name}.price"
            )
    collection = _Collection(plans, store, policy, progress or Silence())
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            if _in_a_loop():  # as in a notebook
                return thread.submit(asyncio.run, collection.run()).result()
            return asyncio.run(collection.run())
    except BaseExceptionGroup as group:
        raise _first(group) from None


def remote(judge: Judge) -> bool:
    """Return whether a judge answers over a network: it may be charged for, and may go silent."""
    return not judge.free and not judge.limits.alone


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first user's mistake among grouped errors, else the first error."""
    mistakes = group.subgroup(JuriesError)
    error: BaseException = mistakes or group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def holes(plan: Plan, store: Store, policy: Policy, tally: Tally) -> dict[str, tuple[Item, Order]]:
    """Return what the store lacks, each key once; count what it has in the tally.

    What a batch is at work on is no hole.
    """
    lacking: dict[str, tuple[Item, Order]] = {}
    pending: frozenset[str] = frozenset() if plan.judge.free else at_work(store)
    for request, stored in look_up(plan, store):
        tally.requests += 1
        if stored is not None and stored.outcome not in policy.again:
            tally.kept += 1
        elif request.key in pending:
            tally.pending += 1
        else:
            lacking.setdefault(request.key, (request.item, request.order))
    return lacking


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


class _Collection:
    """All judges' askings of one run, over one store and one purse."""

    def __init__(
        self, plans: Sequence[Plan], store: Store, policy: Policy, progress: Progress
    ) -> None:
        self.store = store
        self.policy = policy
        self.progress = progress
        self.purse = Purse(policy.max_cost_usd)
        self.signal = 0  # the one that asked for a stop
        self.tallies = [Tally(plan.judge.name, plan.dataset.name) for plan in plans]
        askings: dict[int, _Asking] = {}
        for plan, tally in zip(plans, self.tallies, strict=True):
            asking = askings.setdefault(id(plan.judge), _Asking(self, plan.judge))
            # What a judge is asked for one dataset is not asked again for another.
            taken = {key for work in asking.work for key in work.lacking}
            lacking = holes(plan, store, policy, tally)
            lacking = {key: at for key, at in lacking.items() if key not in taken}
            if lacking:
                asking.work.append(_Work(plan, tally, lacking))
        self.askings = [asking for asking in askings.values() if asking.work]

    async def run(self) -> list[Tally]:
        self._heed_signals()
        try:
            await _all(asking.prepare() for asking in self.askings)
            alone = [asking for asking in self.askings if asking.judge.limits.alone]
            together = [asking for asking in self.askings if not asking.judge.limits.alone]
            await _all([*(asking.run() for asking in together), _in_turn(alone)])
        finally:
            for asking in self.askings:
                await asking.judge.close()
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal:
            sys.exit(128 + self.signal)
        return self.tallies

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def heed(number: int) -> None:
            patience = 0.0 if self.signal else DRAIN_S
            self.signal = number
            for asking in self.askings:
                asking.gate.close()
                loop.call_later(patience, asking.cancel)

        for number in (signal.SIGINT, signal.SIGTERM):
            # Not on Windows, nor in a thread.
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, heed, number)


async def _all(coroutines: Iterable[Coroutine[None, None, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for coroutine in coroutines:
            group.create_task(coroutine)


async def _in_turn(askings: Sequence[_Asking]) -> None:
    for asking in askings:
        await asking.run()


@dataclass
class _Work:
    """What one plan lacks; keys leave `lacking` as their verdicts are stored."""

    plan: Plan
    tally: Tally
    lacking: dict[str, tuple[Item, Order]]
    begun: bool = False

    def batches(self, size: int) -> Iterator[list[tuple[Item, Order]]]:
        waiting = list(self.lacking.values())
        for start in range(0, len(waiting), size):
            yield waiting[start : start + size]

    def requests(self, batch: Sequence[tuple[Item, Order]]) -> list[Request]:
        made = (self.plan.judge.request(item, order, self.plan.prompt) for item, order in batch)
        return [r for r in made if r is not None and r.key in self.lacking]


class _Asking:
    """One judge's part of a collection."""

    def __init__(self, collection: _Collection, judge: Judge) -> None:
        self.collection = collection
        self.judge = judge
        self.work: list[_Work] = []
        self.gate = Gate(judge.limits)
        self.gave_up = ""
        self.dearer = 1.0  # than the most a request should cost: providers add to what is sent
        self.tasks: set[asyncio.Task[None]] = set()

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

    def _begin(self, work: _Work) -> None:
        if not work.begun:
            work.begun = True
            self.collection.progress.begin(work.tally, len(work.lacking))

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
        for batch in list(work.batches(1))[:SMOKE_ITEMS]:
            requests = work.requests(batch)
            _, most = self._estimate(requests)
            if not self.collection.purse.take(most):
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
        raise JudgeUnavailableError(
            f"judge {self.judge.name}: rejects what it is sent: {rejection}"
        )

    async def _dispatch(self, work: _Work, group: asyncio.TaskGroup) -> None:
        """Send all of a plan's requests, as fast as the gate lets them through."""
        purse = self.collection.purse
        for batch in work.batches(self.judge.limits.batch):
            requests = work.requests(batch)
            if not requests:
                continue  # answered by the smoke test
            tokens, most = self._estimate(requests)
            while not purse.take(most):
                if not self.tasks:
                    work.tally.stopped = f"max_cost_usd={purse.dollars:g} might be passed"
                    return
                await self.gate.change()
            if not await self.gate.enter(tokens):
                if self.collection.signal:
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
        if self.collection.purse.dollars is None and not self.judge.limits.tokens_per_minute:
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
        self.collection.purse.settle(most, paid)
        if most and paid > most:
            self.dearer *= paid / most

    async def _ask(self, work: _Work, requests: Sequence[Request], most: float) -> None:
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
        work: _Work,
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
                self.collection.store.append(verdict_of(work.plan, request, reply, attempts))
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

    def _asks_once_more(self, work: _Work, request: Request, reply: Reply) -> bool:
        if not (self.collection.policy.ask_once_more and request.messages):
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
        if not self.collection.purse.take(most):
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
        if self.collection.policy.on_unavailable == "stop":
            raise error
        for work in self.work:
            work.tally.unavailable = str(error)
        self.work = []

    def _record_failed(self) -> None:
        """Store the votes of a judge that was given up on: they failed, and are asked for again."""
        reply = Reply(stop="error", error=f"the judge was given up on: {self.gave_up}")
        for work in self.work:
            work.tally.gave_up = self.gave_up
            for request in work.requests(list(work.lacking.values())):
                self._record(work, request, reply, attempts=0)

    def _record(self, work: _Work, request: Request, reply: Reply, attempts: int) -> None:
        """Store a reply's verdict and count it."""
        verdict = verdict_of(work.plan, request, reply, attempts)
        self.collection.store.append(verdict)
        del work.lacking[request.key]
        count(work.tally, verdict, self.judge)
        self.collection.progress.advance(work.tally, verdict)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
