"""Live collection: skip the stored verdicts and ask all judges for the missing ones concurrently.

Each verdict is stored as soon as it arrives, so a run that is stopped or killed loses only the
requests in flight, and the next run asks only for what is missing.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np

from ..judges.errors import JudgeUnavailableError
from ..store.leases import LAPSES_S, Cell, Codes
from ..store.plan import Plan
from ..store.store import Store
from . import event_loop
from .budget import Budget
from .claims import cell_of, claimed
from .policy import Policy, missing
from .tally import Tally
from .worker import MOST_HELD, JudgeWorker, Progress, RunState

log = logging.getLogger(__name__)
DRAIN_S = 15.0  # how long a stopped run waits for requests in flight
SAME_STOP_S = 1.0  # some clusters signal a job and its children, and the job passes it on to them
ENDING_S = 1.0  # how long closing may take after a second signal, before the process ends anyway
STOPS = (signal.SIGINT, signal.SIGTERM)


def collect_live(
    plans: Sequence[Plan], store: Store, policy: Policy, progress: Progress, budget: Budget
) -> list[Tally]:
    """Ask for all missing verdicts, and wait for them; return a tally a plan.

    Judges behind APIs are asked concurrently, judges that need the machine to themselves one after
    another. What another run on this store is asking for is left to it. On SIGINT or SIGTERM
    nothing more is sent, replies in flight are awaited for `DRAIN_S` and stored, and the signal
    takes its course; a second signal, `SAME_STOP_S` later or more, does not wait.

    Raises
    ------
    JudgeUnavailableError
        Naming all judges that are unavailable: before any is asked, except for what is found only
        by asking, or when a model is loaded.
    """
    run = _Run(plans, store, policy, progress, budget)
    with run.stopping:
        return event_loop.run(run.run(), run.stopping.interrupt)


class _Run:
    """All judges' workers of one run, over one store and one budget."""

    def __init__(
        self,
        plans: Sequence[Plan],
        store: Store,
        policy: Policy,
        progress: Progress,
        budget: Budget,
    ) -> None:
        self.plans = plans
        self.state = RunState(store, policy, progress, budget)
        self.stopping = _Stopping(self)
        self._look_up()

    def _look_up(self) -> None:
        """See what is missing, and who is to be asked for it."""
        self.tallies = [Tally.of(plan) for plan in self.plans]
        workers: dict[int, JudgeWorker] = {}
        self.state.room = MOST_HELD
        for plan, tally in zip(self.plans, self.tallies, strict=True):
            worker = workers.setdefault(id(plan.judge), JudgeWorker(self.state, plan.judge))
            mark = self.state.mark
            found = missing(plan, self.state.store, self.state.policy, tally=tally, mark=mark)
            worker.add(plan, tally, filter(None, found))
        self.workers = [worker for worker in workers.values() if worker.work]

    async def run(self) -> list[Tally]:
        self.stopping.begin()
        earlier: list[list[Tally]] = []
        try:
            while not await self._asked():
                log.warning(
                    "this run was suspended for longer than its leases last (%.0f s); looking "
                    "again at what is missing, since another run may have asked for it",
                    LAPSES_S,
                )
                earlier.append(self.tallies)
                self.state.store.refresh()
                self._look_up()
        except asyncio.CancelledError:
            if not self.state.signal:
                raise
        if self.state.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.state.signal:
            sys.exit(128 + self.state.signal)
        for before in earlier:
            for tally, part in zip(self.tallies, before, strict=True):
                tally.include(part)
        self._check_available()
        return self.tallies

    async def _asked(self) -> bool:
        """Ask for what is missing and not asked for elsewhere; return False if the claims lapsed.

        Nothing is sent any more once they have.
        """
        async with claimed(self.state.store, self._cells(), self.state.policy) as claims:
            if self.state.store.refresh():  # another run may have ended since the look-up
                self._look_up()
            self.state.claims = claims
            for work in (work for worker in self.workers for work in worker.work):
                if elsewhere := claims.left.get(cell_of(work.plan)):
                    work.leave(elsewhere.codes, elsewhere.reason)
            try:
                with _fewer_collections():
                    await self._ask()
            finally:
                await _all(worker.judge.close() for worker in self.workers)
                for worker in self.workers:
                    worker.limiter.pace.close()
            return self.state.signal != 0 or not claims.lapsed

    def _cells(self) -> dict[Cell, Codes]:
        found: dict[Cell, Codes] = {}
        for worker in self.workers:
            for work in worker.work if not worker.judge.free else ():
                cell = cell_of(work.plan)
                known = found.get(cell)
                found[cell] = work.codes if known is None else np.union1d(known, work.codes)
        return found

    async def _ask(self) -> None:
        for step in (JudgeWorker.open, JudgeWorker.smoke):
            await _all(step(worker) for worker in self.workers)
            self._check_available()
            if self.state.halted:
                return
        alone = [worker for worker in self.workers if worker.judge.limits.alone]
        together = [worker for worker in self.workers if not worker.judge.limits.alone]
        await _all([*(worker.run() for worker in together), _in_turn(alone)])

    def _check_available(self) -> None:
        """Raise JudgeUnavailableError, naming all that are unavailable, unless they are skipped."""
        if self.state.policy.on_unavailable == "stop":
            raise_unavailable([w.unavailable for w in self.workers if w.unavailable])


class _Stopping:
    """What SIGINT, SIGTERM and an interrupt in a notebook do to a run; a context.

    Signals have handlers of their own, not the event loop's: those run even while the loop is
    blocked. A process that does not end is ended, since whatever was stored survives that.
    """

    def __init__(self, run: _Run) -> None:
        self.run = run
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[Any] | None = None
        self._before: dict[int, Any] = {}
        self._stopped_at = -float("inf")
        self._deadline: threading.Timer | None = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread() and not event_loop.in_a_loop():
            self._before = {number: signal.signal(number, self._on_signal) for number in STOPS}

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        if self._deadline is not None:
            self._deadline.cancel()

    def begin(self) -> None:
        """Take note of the loop and the task to stop."""
        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()

    def interrupt(self) -> None:
        """Stop the run as SIGINT does; callable from another thread."""
        self._on_signal(signal.SIGINT, None)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if now < self._stopped_at + SAME_STOP_S:
            return
        self._stopped_at = now
        again = self.run.state.signal != 0
        self.run.state.signal = number
        if self._before:
            self._end_in(ENDING_S if again else DRAIN_S + ENDING_S, 128 + number)
        if self._loop is None or self._main is None:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
        self._loop.call_soon_threadsafe(self._stop, 0.0 if again else DRAIN_S)

    def _end_in(self, seconds: float, code: int) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = threading.Timer(seconds, os._exit, (code,))
        self._deadline.daemon = True
        self._deadline.start()

    def _stop(self, patience: float) -> None:
        assert self._loop is not None  # noqa: S101 - it calls this
        assert self._main is not None  # noqa: S101
        for worker in self.run.workers:
            worker.limiter.close()
        self._loop.call_later(patience, self._main.cancel)


def raise_unavailable(reasons: Sequence[str]) -> None:
    """Raise JudgeUnavailableError if there are reasons, naming all."""
    if len(reasons) == 1:
        raise JudgeUnavailableError(reasons[0])
    if reasons:
        listed = " ".join(f"({n}) {reason}" for n, reason in enumerate(reasons, 1))
        raise JudgeUnavailableError(f"{len(reasons)} judges are unavailable: {listed}")


async def _all(coroutines: Iterable[Coroutine[None, None, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for coroutine in coroutines:
            group.create_task(coroutine)


async def _in_turn(workers: Sequence[JudgeWorker]) -> None:
    for worker in workers:
        await worker.run()


COLLECT_AFTER = 50_000  # new objects; Python's own default of 700 to 2,000 is for small programs


@contextmanager
def _fewer_collections() -> Iterator[None]:
    """Let the garbage collector run less often while a run asks.

    The requests held in memory are looked through at each collection, a fifth of the CPU time of a
    call. Reference counts free nearly all that a call leaves; cycles wait a little longer.
    """
    before = gc.get_threshold()
    if before[0]:  # 0: the user has turned it off
        gc.set_threshold(max(COLLECT_AFTER, before[0]), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
