"""One judge's worker: a smoke test, then every missing request, rate-limited and retried.

This is the only place where a request is sent again: clients below it never retry by themselves.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import time
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..judges.base import Judge
from ..judges.errors import JudgeUnavailableError, TransientError
from ..judges.http.judge import HttpJudge
from ..store.leases import code_of, codes_of
from ..store.ledger import Ledger
from ..store.plan import Plan, verdict_of
from ..store.store import Store
from ..types import Message, Outcome, Reply, Request, Verdict
from .budget import Budget
from .claims import Claims
from .policy import Policy, missing
from .rate_limit import REPORTED_S, RateLimiter, backoff
from .tally import Tally, is_remote, keep, unpaid
from .trial import Trial

log = logging.getLogger(__name__)
LONGEST_LOOK_UP = 256  # requests to look up before other tasks run
MOST_OPEN = 2  # calls whose further requests are waited for
SMOKE_ITEMS, SMOKE_ATTEMPTS = 3, 3  # what a judge may reject or fail before the run begins
MOST_DENIED = SMOKE_ITEMS  # requests in a row that a judge denies, before the run gives up on it
LONGEST_SMOKE = 10  # requests in which one may be answered, before the run begins anyway
MOST_HELD = 1 << 24  # characters of requests in memory; beyond it, plans are rendered again
SIZE_AT_LEAST = 1 << 10  # of a request without a text
PROOF = (Outcome.OK, Outcome.UNPARSED, Outcome.TRUNCATED)  # of a judge that takes requests


class Progress(Protocol):
    """Receives the progress of a collection."""

    def begin(self, tally: Tally, missing: int) -> None:
        """Note that a judge is about to be asked for `missing` verdicts."""

    def advance(self, tally: Tally, verdict: Verdict) -> None:
        """Note one more verdict."""


class NoProgress:
    """Ignores progress."""

    def begin(self, tally: Tally, missing: int) -> None:
        """Do nothing."""

    def advance(self, tally: Tally, verdict: Verdict) -> None:
        """Do nothing."""


@dataclass
class RunState:
    """What all judges of a run share. `signal` is the one that asked for a stop, else 0.

    `claims` are what is held while asking; nothing is sent after they have lapsed.
    `mark` separates what this run has stored from what was in the store before. `room` is how many
    characters of requests may be held from the look-up until they are sent.
    """

    store: Store
    policy: Policy
    progress: Progress
    budget: Budget
    signal: int = 0
    claims: Claims | None = None
    room: int = MOST_HELD
    mark: int = field(init=False)

    def __post_init__(self) -> None:
        self.mark = self.store.mark()

    @property
    def halted(self) -> bool:
        """Whether nothing more may be sent: a signal arrived, or the claims have lapsed."""
        return self.signal != 0 or (self.claims is not None and self.claims.lapsed)


@dataclass
class Work:
    """One plan's missing requests; keys are `in_flight` until stored.

    `codes` are the missing keys at first (see `leases.codes_of`), sorted; `elsewhere` those of them
    that another run is asking for, which `other_run` names. `held` are the requests that were
    missing at first, None where they are too many to hold.
    """

    plan: Plan
    tally: Tally
    trial: Trial
    codes: NDArray[np.uint64]
    held: list[Request] | None = None
    elsewhere: frozenset[int] = frozenset()
    other_run: str = ""
    in_flight: set[str] = field(default_factory=set)
    begun: bool = False

    @property
    def missing(self) -> int:
        """How many verdicts this run is to ask for."""
        return len(self.codes) - len(self.elsewhere)

    def batches(
        self, state: RunState, size: int, first: int | None = None
    ) -> Iterator[list[Request]]:
        """Yield missing requests in batches; yield [] periodically so that other tasks can run.

        Requests that are not held are rendered as they are needed. The first batch has `first`
        requests at most. Only requests of one `call` are in one batch; those of both orders of a
        pair take turns, so two calls are held open.
        """
        held: dict[str, list[Request]] = {}
        since_last = 0
        wanted = min(size, first or size)
        found = missing(self.plan, state.store, state.policy, mark=state.mark, requests=self.held)
        for request in found:
            since_last += 1
            if request is not None and not self._taken(request.key):
                self.in_flight.add(request.key)
                held.setdefault(request.call, []).append(request)
                full = next((call for call, batch in held.items() if len(batch) == wanted), None)
                if full is None and len(held) > MOST_OPEN:
                    full = next(iter(held))
                if full is not None:
                    yield held.pop(full)
                    since_last, wanted = 0, size
            if since_last >= LONGEST_LOOK_UP:
                yield []
                since_last = 0
        yield from held.values()

    def leave(self, codes: frozenset[int], other_run: str) -> None:
        """Leave requests to another run, which may have ended since with some of them stored."""
        self.elsewhere = codes.intersection(self.codes.tolist())
        self.other_run = other_run if self.elsewhere else ""

    def _taken(self, key: str) -> bool:
        """Return whether a request is in flight, or left to another run."""
        return key in self.in_flight or (bool(self.elsewhere) and code_of(key) in self.elsewhere)


class JudgeWorker:
    """Asks one judge for everything a run wants of it."""

    def __init__(self, state: RunState, judge: Judge) -> None:
        self.state = state
        self.judge = judge
        self.work: list[Work] = []
        ledger = Ledger(state.store.path, _account(judge))
        self.limiter = RateLimiter(judge.limits, state.policy.longest_wait_s, judge.name, ledger)
        self.unavailable = ""
        self.gave_up = ""
        self.cost_ratio = 1.0  # of actual to estimated cost: providers add to what is sent
        self.tasks: set[asyncio.Task[None]] = set()
        self._denied: list[tuple[Work, Request, Reply]] = []  # since the last good reply
        self._trials: dict[str, Trial] = {}  # by the prompt's name
        self._counted = np.empty(0, np.uint64)  # the codes of all work

    def add(self, plan: Plan, tally: Tally, requests: Iterable[Request]) -> None:
        """Queue a plan whose missing requests are given, if another does not ask for them all.

        A judge is not asked again for one dataset what it is asked for another.
        """
        held: list[Request] = []
        codes = codes_of(self._held(requests, held))
        found = np.setdiff1d(codes, self._counted, assume_unique=True)
        self._counted = np.concatenate([self._counted, found])
        most = None if self.judge.free else self.state.policy.stop_after_unusable
        trial = self._trials.setdefault(plan.prompt.name, Trial(most))
        trial.count(tally.stored)
        if len(found):
            all_held = self.state.room >= 0
            self.work.append(Work(plan, tally, trial, found, held if all_held else None))

    def _held(self, requests: Iterable[Request], held: list[Request]) -> Iterator[str]:
        """Yield the keys of requests, which are held as long as there is room."""
        for request in requests:
            self.state.room -= SIZE_AT_LEAST + sum(len(m.content) for m in request.messages[-1:])
            if self.state.room >= 0:
                held.append(request)
            else:
                held.clear()
            yield request.key

    async def open(self) -> None:
        """Check for what the judge needs; open it, if others can be open too."""
        await self._available(self.judge.ready())
        if not self.judge.limits.alone and not self.unavailable:
            await self._available(self.judge.open())

    async def smoke(self) -> None:
        """Ask a judge that costs money for one verdict, before any judge is asked much."""
        if not self.judge.limits.alone and not self.judge.free:
            await self._available(self._smoke())

    async def run(self) -> None:
        """Ask for everything that is missing."""
        if self.judge.limits.alone and self.work and not self.state.halted:
            await self._available(self.judge.open())
        if not self.work or self.state.halted:
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
        if not (self.gave_up or self.state.halted):
            self._record_denied()
        if self.judge.limits.alone:
            await self.judge.close()
        if self.gave_up and not self.state.halted:
            self._record_failed()

    def _begin(self, work: Work) -> None:
        if not work.begun:
            work.begun = True
            self.state.progress.begin(work.tally, work.missing)

    async def _smoke(self) -> None:
        """Ask for the first verdicts one at a time, until one arrives or too many are rejected.

        So a wrong key, URL, model or parameter ends the run before money is spent. A judge that is
        merely slow or busy passes, and so does one of which the store has verdicts, and one that
        rejects single requests for what they say: what it rejected is stored.
        """
        work = next((work for work in self.work if not work.trial.failed), None)
        if work is None:
            return
        self._begin(work)
        proved = any(work.tally.stored[outcome] for outcome in PROOF)
        rejected: list[tuple[Request, Reply, int]] = []
        batches = filter(None, work.batches(self.state, 1))
        for requests in itertools.islice(batches, LONGEST_SMOKE):
            tokens, most = self._estimate(requests)
            if not await self.limiter.turn(tokens):
                break
            if not await self.state.budget.reserve_in_turn(most):
                break
            paid = 0.0
            try:
                async with asyncio.timeout(self.judge.limits.patience_s):
                    answered = await self._answered(requests, SMOKE_ATTEMPTS)
                    if answered is None:
                        break
                    (reply,), attempts = answered
                    if reply.stop == "rejected" and not (reply.finish_reason or proved):
                        rejected.append((requests[0], reply, attempts))
                    else:
                        paid = await self._keep(work, requests, [reply], attempts, most)
                        proved = proved or not reply.error
            except TimeoutError:
                break
            except TransientError as error:
                if error.unreachable:
                    raise JudgeUnavailableError(f"judge {self.judge.name}: {error}") from None
                break
            except JudgeUnavailableError as error:
                if error.reply is None or not proved:
                    raise
                break  # perhaps only this request is denied: it is sent again in its turn
            finally:
                self._settle(most, paid)
                work.in_flight.clear()
            if len(rejected) == SMOKE_ITEMS:
                raise JudgeUnavailableError(
                    f"judge {self.judge.name}: rejects its requests: {reply.error}"
                )
            if proved:
                break
        for request, reply, attempts in rejected:
            self._record(work, request, reply, attempts)

    async def _dispatch(self, work: Work, group: asyncio.TaskGroup) -> None:
        """Send all of a plan's requests, as fast as the rate limiter allows."""
        budget, trial = self.state.budget, work.trial
        work.tally.stopped = work.other_run
        first = None if trial.passed else trial.most
        batches = work.batches(self.state, self.judge.limits.batch, first)
        while True:
            await self.limiter.slot()  # before a batch is taken, so that tasks take what follows
            requests = next(batches, None)
            if requests is None:
                return
            if not requests:
                await asyncio.sleep(0)  # many are stored: let other tasks run
                continue
            while self.tasks and not trial.room(len(work.in_flight) - len(requests)):
                await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
            if trial.failed:
                work.tally.stopped = trial.failed
                return
            tokens, most = self._estimate(requests)
            if not await budget.reserve_in_turn(most):
                work.tally.stopped = budget.exceeded
                return
            if not await self.limiter.acquire(tokens):
                budget.settle(most, 0.0)
                if self.state.signal:
                    work.tally.stopped = "stopped by a signal"
                return
            task = group.create_task(self._send(work, requests, most, batches))
            self.tasks.add(task)
            task.add_done_callback(self._done)

    async def _send(
        self,
        work: Work,
        requests: list[Request],
        most: float,
        batches: Iterator[list[Request]],
    ) -> None:
        """Ask for a batch, then in its slot for further ones while nothing has to be waited for."""
        while requests:
            requests = await self._ask(work, requests, most, batches)
            if requests:
                most = 0.0
                self.state.budget.reserve(most)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self.limiter.release()

    def _estimate(self, requests: Sequence[Request]) -> tuple[int, float]:
        """Return the tokens of requests and the most they can cost; zeros if no limit needs them.

        No token is shorter than a byte, so a text's bytes bound its tokens.
        """
        if self.state.budget.limit_usd is None and not self.judge.limits.tokens_per_minute:
            return 0, 0.0
        price = self.judge.price
        tokens, most = 0, 0.0
        for request in requests:
            sent, received = self.judge.estimate(request)
            tokens += sent + received
            length = sum(len(message.content.encode()) for message in request.messages)
            most += price.at_most(max(sent, length), received) if price else 0.0
        return tokens, most * self.cost_ratio

    def _cost(self, reply: Reply, most: float) -> float:
        """Return what a reply cost; where that is not known, the most it can have cost."""
        if unpaid(reply):
            return 0.0
        cost = self.judge.price.of(reply) if self.judge.price else None
        return most if cost is None else cost

    def _settle(self, most: float, paid: float) -> None:
        self.state.budget.settle(most, paid)
        if most and paid > most:
            self.cost_ratio *= paid / most

    async def _ask(
        self,
        work: Work,
        requests: Sequence[Request],
        most: float,
        batches: Iterator[list[Request]],
    ) -> list[Request]:
        """Get replies to one batch and store them; return the next batch if it can go at once."""
        paid, following = 0.0, list[Request]()
        try:
            answered = await self._answered(requests, self.judge.limits.attempts)
            if answered is not None:
                paid = await self._keep(work, requests, *answered, most)
                following = self._following(work, batches)
        except TransientError as error:
            failed = Reply(stop="error", error=str(error), text=error.raw)
            for request in requests:
                self._record(work, request, failed, self.judge.limits.attempts)
        except JudgeUnavailableError as error:
            self._deny(work, requests, error)
        finally:
            self._settle(most, paid)
        return following

    def _following(self, work: Work, batches: Iterator[list[Request]]) -> list[Request]:
        """Return a batch that may be sent at once: no limit, budget or second question is in play.

        Only to judges whose replies are waited for: else the event loop would never get its turn.
        """
        at_once = (
            isinstance(self.judge, HttpJudge)
            and work.trial.passed
            and self.state.budget.limit_usd is None
            and not self.state.policy.ask_once_more
            and self.limiter.free
        )
        return next(batches, []) if at_once else []

    def _deny(self, work: Work, requests: Sequence[Request], error: JudgeUnavailableError) -> None:
        """Give up on the judge, unless only this request may be denied: it has answered others.

        What is denied is stored once another request is answered. Several in a row are not about
        what they say.
        """
        proved = any(
            counts[outcome]
            for each in self.work
            for counts in (each.tally.stored, each.tally.outcomes)
            for outcome in PROOF
        )
        if error.reply is None or len(requests) > 1 or not proved:
            self._give_up(str(error))
            return
        self._denied.append((work, requests[0], error.reply))
        if len(self._denied) == MOST_DENIED:
            self._give_up(str(error))

    def _record_denied(self) -> None:
        denied, self._denied = self._denied, []
        for work, request, reply in denied:
            self._record(work, request, reply, attempts=1)

    async def _keep(
        self,
        work: Work,
        requests: Sequence[Request],
        replies: Sequence[Reply],
        attempts: int,
        most: float,
    ) -> float:
        """Store replies, after a second request if the policy says so; return what they cost."""
        paid = 0.0
        for request, reply in zip(requests, replies, strict=True):
            paid += self._cost(reply, most / len(requests))
            if self._needs_second_request(work, request, reply):
                # The first reply is kept even if the second request fails.
                keep(self.state.store, verdict_of(work.plan, request, reply, attempts, time.time()))
                both, more = await self._ask_once_more(request, reply)
                self._record(work, request, both, attempts + more)
            else:
                self._record(work, request, reply, attempts)
        return paid

    async def _answered(
        self, requests: Sequence[Request], attempts: int
    ) -> tuple[list[Reply], int] | None:
        """Ask until replies arrive; return them and the number of attempts.

        None where the run was stopped or suspended meanwhile. Raises the last TransientError after
        all attempts, JudgeUnavailableError at once.
        """
        for attempt in itertools.count(1):
            if attempt > 1 and not await self.limiter.turn(self._estimate(requests)[0]):
                break
            if self.state.halted:
                self.limiter.close()
                break
            sent_at = self.limiter.sent()
            try:
                replies = await self.judge.ask(requests)
            except TransientError as error:
                self.limiter.failed(error, sent_at)
                if self.limiter.overdue:
                    self._close(f"{self.limiter.overdue} ({error})")
                    return None
                if attempt == attempts:
                    raise
                if not await self.limiter.wait(backoff(attempt)):
                    break
            else:
                self.limiter.succeeded()
                if self._denied and not all(reply.error for reply in replies):
                    self._record_denied()
                self.limiter.pause(self.judge.pause_s)
                if self.limiter.overdue:
                    self._close(f"{self.limiter.overdue} (its rate limit is used up)")
                return replies, attempt
        return None

    def _needs_second_request(self, work: Work, request: Request, reply: Reply) -> bool:
        asked_in_words = request.messages and request.question is None
        if not (self.state.policy.ask_once_more and asked_in_words):
            return False
        reader = self.judge.reader(work.plan.prompt, request.order)
        return reader.read(reply).outcome is Outcome.UNPARSED

    async def _ask_once_more(self, request: Request, first: Reply) -> tuple[Reply, int]:
        """Ask for the bare verdict after a reply that could not be parsed.

        Returns both replies as one and the number of attempts; the first reply alone where no
        second arrived or the budget does not allow one.
        """
        words = f"exactly one of these, and nothing else: {', '.join(request.choices)}"
        instruction = f"Reply with {words if request.choices else 'the number and nothing else'}."
        follow_up = (Message("assistant", first.text or "(empty)"), Message("user", instruction))
        again = replace(request, messages=request.messages + follow_up, shared=0)
        tokens, most = self._estimate([again])
        if not (await self.limiter.turn(tokens) and self.state.budget.reserve(most)):
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
            if error.reply is None:
                self._give_up(str(error))
            return first, 0
        finally:
            self._settle(most, paid)
        if second.error:
            return first, 0
        both = replace(
            second,
            earlier=first.text,
            input_tokens=_sum(first.input_tokens, second.input_tokens),
            cached_tokens=_sum(first.cached_tokens, second.cached_tokens),
            cache_write_tokens=_sum(first.cache_write_tokens, second.cache_write_tokens),
            output_tokens=_sum(first.output_tokens, second.output_tokens),
            thinking_tokens=_sum(first.thinking_tokens, second.thinking_tokens),
        )
        return both, attempts

    async def _watch(self) -> None:
        """Give up on a judge that no longer responds, not even with an error; warn halfway."""
        patience, warned = self.judge.limits.patience_s, False
        while is_remote(self.judge) and not self.gave_up:
            silent = self.limiter.silent_s
            if silent > patience:
                self._give_up(f"no valid reply for {patience:g} s ({self.limiter.last_error})")
            elif silent > patience / 2 and silent > REPORTED_S and not warned:
                log.warning(
                    "judge %s: no valid reply for %.0f s (%s); the run gives up on it after %g s "
                    "(limits.patience_s)",
                    *(self.judge.name, silent, self.limiter.last_error, patience),
                )
            warned = silent > patience / 2
            await asyncio.sleep(min(1.0, patience / 10))

    def _close(self, reason: str) -> None:
        """Send nothing more; replies to what is in flight are awaited."""
        self.gave_up = self.gave_up or reason
        self.limiter.close()

    def _give_up(self, reason: str) -> None:
        """Send nothing more, and wait for no reply."""
        self._close(reason)
        current = asyncio.current_task()
        for task in self.tasks - {current}:
            task.cancel()

    async def _available(self, step: Awaitable[None]) -> None:
        """Take a step towards asking; note why the judge is unavailable if that fails."""
        try:
            await step
        except JudgeUnavailableError as error:
            self.unavailable = str(error)
            for work in self.work:
                work.tally.unavailable = self.unavailable
            self.work = []

    def _record_failed(self) -> None:
        """Store the remaining verdicts as failed, so that the next run asks for them again."""
        reply = Reply(stop="error", error=f"gave up on the judge: {self.gave_up}")
        for work in self.work:
            work.tally.gave_up = self.gave_up
            work.in_flight.clear()  # their replies will not arrive
            for requests in work.batches(self.state, 1):
                for request in requests:
                    self._record(work, request, reply, attempts=0)

    def _record(self, work: Work, request: Request, reply: Reply, attempts: int) -> None:
        """Store a reply's verdict and count it."""
        verdict = keep(
            self.state.store, verdict_of(work.plan, request, reply, attempts, time.time())
        )
        work.in_flight.discard(request.key)
        work.tally.count(verdict, self.judge)
        if not work.trial.passed:
            work.trial.count({verdict.outcome: 1})
        self.state.progress.advance(work.tally, verdict)


def _account(judge: Judge) -> str:
    """Return the name of the ledger of what is asked of a model: its server limits all runs."""
    asked = f"{judge.base_url} {judge.model}" if isinstance(judge, HttpJudge) else judge.name
    return f"rate-{hashlib.sha256(asked.encode()).hexdigest()[:12]}"


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
