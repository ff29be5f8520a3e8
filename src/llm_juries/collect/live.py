"""Live collection: skip the stored verdicts and ask all judges for the missing ones concurrently.

Each verdict is stored as soon as it arrives, so a run that is stopped or killed loses only the
requests in flight, and the next run asks only for what is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import sys
from collections.abc import Coroutine, Iterable, Sequence

from ..store.plan import Plan
from ..store.store import Store
from . import event_loop
from .budget import Budget
from .policy import Policy, missing
from .tally import Tally
from .worker import JudgeWorker, Progress, RunState

DRAIN_S = 15.0  # how long a stopped run waits for requests in flight
SAME_STOP_S = 1.0  # some clusters signal a job and its children, and the job passes it on to them


def collect_live(
    plans: Sequence[Plan], store: Store, policy: Policy, progress: Progress, budget: Budget
) -> list[Tally]:
    """Ask for all missing verdicts, and wait for them; return a tally a plan.

    Judges behind APIs are asked concurrently, judges that need the machine to themselves one after
    another. On SIGINT or SIGTERM nothing more is sent, replies in flight are awaited for `DRAIN_S`
    and stored, and the signal takes its course; a second signal, `SAME_STOP_S` later or more, does
    not wait.
    """
    run = _Run(plans, RunState(store, policy, progress, budget))
    return event_loop.run(run.run(), run.interrupt)


class _Run:
    """All judges' workers of one run, over one store and one budget."""

    def __init__(self, plans: Sequence[Plan], state: RunState) -> None:
        self.state = state
        self.tallies = [Tally(plan.voter, plan.dataset.name) for plan in plans]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped_at = -math.inf
        workers: dict[int, JudgeWorker] = {}
        for plan, tally in zip(plans, self.tallies, strict=True):
            worker = workers.setdefault(id(plan.judge), JudgeWorker(state, plan.judge))
            found = missing(plan, state.store, state.policy, tally=tally)
            worker.add(plan, tally, (request.key for request in found if request is not None))
        self.workers = [worker for worker in workers.values() if worker.work]

    async def run(self) -> list[Tally]:
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            # Not on Windows, nor in a thread.
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                self._loop.add_signal_handler(number, self._stop, number)
        try:
            await _all(worker.prepare() for worker in self.workers)
            alone = [worker for worker in self.workers if worker.judge.limits.alone]
            together = [worker for worker in self.workers if not worker.judge.limits.alone]
            await _all([*(worker.run() for worker in together), _in_turn(alone)])
        finally:
            for worker in self.workers:
                await worker.judge.close()
        if self.state.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.state.signal:
            sys.exit(128 + self.state.signal)
        return self.tallies

    def interrupt(self) -> None:
        """Stop the run as SIGINT does; callable from another thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop, signal.SIGINT)

    def _stop(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._stopped_at + SAME_STOP_S:
            return
        self._stopped_at = loop.time()
        patience = 0.0 if self.state.signal else DRAIN_S
        self.state.signal = number
        for worker in self.workers:
            worker.limiter.close()
            loop.call_later(patience, worker.cancel)


async def _all(coroutines: Iterable[Coroutine[None, None, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for coroutine in coroutines:
            group.create_task(coroutine)


async def _in_turn(workers: Sequence[JudgeWorker]) -> None:
    for worker in workers:
        await worker.run()
