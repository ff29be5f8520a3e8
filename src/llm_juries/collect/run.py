"""The one loop that asks judges: it skips what the store has, asks all judges for the rest at once.

A verdict goes into the store as soon as it is there, so a run that is stopped or killed has lost
nothing but what was in flight, and the next run asks only for the holes.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import math
import signal
import sys
from collections.abc import Coroutine, Iterable, Sequence

from ..errors import JuriesError
from ..store.plan import Plan, Policy, Tally, holes, remote
from ..store.store import Store
from .budget import Purse
from .worker import Asking, Progress, Shared, Silence

DRAIN_S = 15.0  # how long a stopped run waits for replies that are under way
SAME_STOP_S = 1.0  # some clusters signal a job and its children, and the job passes it on to them


def collect(
    plans: Sequence[Plan],
    store: Store,
    policy: Policy | None = None,
    progress: Progress | None = None,
    purse: Purse | None = None,
) -> list[Tally]:
    """Ask for every verdict that the store lacks; return what became of each plan.

    Judges behind APIs are asked all at once, judges that need the machine to themselves in turn.
    On SIGINT or SIGTERM nothing more is sent, replies under way are awaited for a while and stored,
    and the signal takes its course; a second signal, a second later or more, does not wait.
    Collections that are one run to the user share a purse, so that they keep to max_cost_usd
    together.

    Raises
    ------
    JuriesError
        If a shot of the prompt asks the question of an item, a judge is not available, or a limit
        is set on the cost of a judge without a price.
    """
    policy = policy or Policy()
    for prompt, dataset in {
        (id(p.prompt), id(p.dataset)): (p.prompt, p.dataset) for p in plans
    }.values():
        prompt.check_disjoint(dataset.items)
    for plan in plans:
        if policy.max_cost_usd is not None and remote(plan.judge) and plan.judge.price is None:
            raise JuriesError(
                f"judge {plan.judge.name}: has no price, so max_cost_usd can't be kept; give it "
                "a price in its yaml"
            )
    purse = purse or Purse(policy.max_cost_usd)
    collection = _Collection(plans, store, policy, progress or Silence(), purse)
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            if _in_a_loop():  # as in a notebook
                return thread.submit(asyncio.run, collection.run()).result()
            return asyncio.run(collection.run())
    except BaseExceptionGroup as group:
        raise _first(group) from None


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


class _Collection:
    """All judges' askings of one run, over one store and one purse."""

    def __init__(
        self,
        plans: Sequence[Plan],
        store: Store,
        policy: Policy,
        progress: Progress,
        purse: Purse,
    ) -> None:
        self.shared = Shared(store, policy, progress, purse)
        self.tallies = [Tally(plan.judge.name, plan.dataset.name) for plan in plans]
        askings: dict[int, Asking] = {}
        for plan, tally in zip(plans, self.tallies, strict=True):
            asking = askings.setdefault(id(plan.judge), Asking(self.shared, plan.judge))
            found = holes(plan, store, policy, tally=tally)
            asking.add(plan, tally, (request.key for request in found if request is not None))
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
        if self.shared.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.shared.signal:
            sys.exit(128 + self.shared.signal)
        return self.tallies

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()

        stopped_at = -math.inf

        def heed(number: int) -> None:
            nonlocal stopped_at
            if loop.time() < stopped_at + SAME_STOP_S:
                return
            stopped_at = loop.time()
            patience = 0.0 if self.shared.signal else DRAIN_S
            self.shared.signal = number
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


async def _in_turn(askings: Sequence[Asking]) -> None:
    for asking in askings:
        await asking.run()
