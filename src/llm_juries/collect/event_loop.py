"""Run a collection's event loop, also from inside another one, as in a notebook."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine
from typing import TypeVar

from ..errors import JuriesError

T = TypeVar("T")


def run(main: Coroutine[None, None, T], interrupt: Callable[[], None] | None = None) -> T:
    """Run a coroutine to its end: here, or in a thread where this thread's loop is running already.

    In a thread no signal arrives, so an interrupt of this thread is passed on by calling
    `interrupt`, which has to be thread-safe. Of grouped errors the first user error is raised, else
    the first error.
    """
    try:
        if not in_a_loop():
            return asyncio.run(main)
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            future = thread.submit(asyncio.run, main)
            while True:
                try:
                    return future.result()
                except KeyboardInterrupt:
                    if future.done() or interrupt is None:
                        raise
                    interrupt()
    except BaseExceptionGroup as group:
        raise _first(group) from None


def in_a_loop() -> bool:
    """Return whether this thread's event loop is running."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    users = group.subgroup(JuriesError)
    error: BaseException = users or group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
