"""How fast a judge is asked, and how much may be spent: the gate and the purse of a collection."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time

from ..judges.base import Limits
from ..judges.errors import TransientError

START = 16  # requests in flight before anything is known of a provider
BACKOFF_S, CEILING_S = 0.5, 20.0
PAUSES_S = 600.0  # a judge that asks to be left alone for longer is as good as down


class Gate:
    """Lets requests to one judge through: as many at once as it bears, no faster than allowed.

    The width begins small, grows by one with each reply (so it doubles each round trip) until the
    provider first complains, is halved then, and from there grows by one a round trip: the additive
    increase and multiplicative decrease of TCP (Jacobson 1988).
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.width = float(min(START, limits.in_flight))
        self.flying = 0
        self._closed = asyncio.Event()
        self._probing = True
        self._narrowed_at = 0.0
        self._resume_at = 0.0
        self._unanswered_since: float | None = None
        self.said = "it said nothing"  # when it last failed to reply
        self._next_request = 0.0
        self._next_tokens = 0.0
        self._changed = asyncio.Event()

    async def enter(self, tokens: int = 0) -> bool:
        """Wait for a free place, then for the turn of a request of so many tokens.

        Returns False, and takes no place, if the gate was closed.
        """
        while self.flying >= int(self.width) and not self._closed.is_set():
            await self.change()
        now = time.monotonic()
        at = max(now, self._next_request, self._next_tokens)
        if self.limits.requests_per_minute:
            self._next_request = at + 60 / self.limits.requests_per_minute
        if self.limits.tokens_per_minute:
            self._next_tokens = at + 60 * tokens / self.limits.tokens_per_minute
        if not await self.rest(at - now):
            return False
        self.flying += 1
        return True

    async def rest(self, seconds: float) -> bool:
        """Wait, and longer if the provider asks for a pause; False if the gate was closed."""
        until = time.monotonic() + seconds
        while not self._closed.is_set():
            wait = max(until, self._resume_at) - time.monotonic()
            if wait <= 0:
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), wait)
        return False

    def leave(self) -> None:
        """Give a place back."""
        self.flying -= 1
        self._tell()

    async def change(self) -> None:
        """Wait until a place is given back, the gate widens or is closed."""
        await self._changed.wait()

    def close(self) -> None:
        """Let nothing more through."""
        self._closed.set()
        self._tell()

    def sent(self) -> float:
        """Note that a request is sent; return the time."""
        now = time.monotonic()
        if self._unanswered_since is None:
            self._unanswered_since = now
        return now

    def good(self) -> None:
        """Note a reply: the judge is alive and may be asked more."""
        self._unanswered_since = None if self.flying <= 1 else time.monotonic()
        if self.width < self.limits.in_flight:
            self.width += 1 if self._probing else 1 / self.width
            self.width = min(self.width, float(self.limits.in_flight))
            self._tell()

    def trouble(self, error: TransientError, sent_at: float) -> None:
        """Note a request that failed; an overload narrows the gate, once for all then in flight."""
        self.said = str(error)
        if error.overloaded and sent_at >= self._narrowed_at:
            self._narrowed_at = time.monotonic()
            self._probing = False
            self.width = max(1.0, self.width / 2)
        self.pause(error.retry_after or 0.0)

    def pause(self, seconds: float) -> None:
        """Let nothing through for a while, as the provider asked."""
        if seconds > 0:
            self._resume_at = max(self._resume_at, time.monotonic() + seconds)

    @property
    def silent_s(self) -> float:
        """Seconds since a request was sent and nothing was answered, asked-for pauses apart.

        Infinite where those pauses are too long.
        """
        if self._unanswered_since is None:
            return 0.0
        if self._resume_at - self._unanswered_since > PAUSES_S:
            return math.inf
        return time.monotonic() - max(self._unanswered_since, self._resume_at)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def backoff(attempt: int) -> float:
    """Return the seconds before the next attempt: doubling, between half and all of it, capped."""
    ceiling = min(CEILING_S, BACKOFF_S * 2.0 ** (attempt - 1))
    spread: float = random.uniform(0.5, 1.0)  # noqa: S311 - it decides no result
    return ceiling * spread
