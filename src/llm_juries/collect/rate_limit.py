"""Rate limiting: how many requests a judge gets at once, and how fast. Retry backoff."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time

from ..judges.base import Limits
from ..judges.errors import TransientError

log = logging.getLogger(__name__)
START = 16  # requests in flight before anything is known about a provider
BACKOFF_S, CEILING_S = 0.5, 20.0
REPORTED_S = 5.0  # shorter waits pass without a message
LONGEST_WAIT_S = 600.0
UNITS = (("days", 86400), ("h", 3600), ("min", 60), ("s", 1))


class RateLimiter:
    """Limits the requests to one judge: how many are in flight, and how many start a minute.

    The width, how many may be in flight, begins small and grows by one with each reply (so it
    doubles each round trip) until the provider first reports an overload; then it is halved, and
    from there grows by one a round trip: additive increase and multiplicative decrease as in TCP
    (Jacobson 1988).

    Parameters
    ----------
    limits : Limits
    longest_wait_s : float
        How long the provider may make the run wait, without a good reply in between.
    judge : str
        The judge's name, for messages.
    """

    def __init__(
        self, limits: Limits, longest_wait_s: float = LONGEST_WAIT_S, judge: str = ""
    ) -> None:
        self.limits = limits
        self.longest_wait_s = longest_wait_s
        self.judge = judge
        self.width = float(min(START, limits.in_flight))
        self.in_flight = 0
        self._closed = asyncio.Event()
        self._probing = True
        self._narrowed_at = 0.0
        self._resume_at = 0.0
        self._paused_at = 0.0
        self._reported_until = 0.0
        self._unanswered_since: float | None = None
        self.last_error = "no response"
        self._next_request = 0.0
        self._next_tokens = 0.0
        self._changed = asyncio.Event()

    async def acquire(self, tokens: int = 0) -> bool:
        """Wait for a free slot, then until a request of so many tokens may start.

        Returns False, and takes no slot, if the limiter was closed.
        """
        while self.in_flight >= int(self.width) and not self._closed.is_set():
            await self.change()
        now = time.monotonic()
        at = max(now, self._next_request, self._next_tokens)
        if self.limits.requests_per_minute:
            self._next_request = at + 60 / self.limits.requests_per_minute
        if self.limits.tokens_per_minute:
            self._next_tokens = at + 60 * tokens / self.limits.tokens_per_minute
        if not await self.wait(at - now):
            return False
        self.in_flight += 1
        return True

    async def wait(self, seconds: float) -> bool:
        """Wait, longer if the provider asked for a pause; False if the limiter was closed."""
        until = time.monotonic() + seconds
        while not self._closed.is_set():
            left = max(until, self._resume_at) - time.monotonic()
            if left <= 0:
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), left)
        return False

    def release(self) -> None:
        """Free a slot."""
        self.in_flight -= 1
        self._notify()

    async def change(self) -> None:
        """Wait until a slot is freed, the limiter widens, or it is closed."""
        await self._changed.wait()

    def close(self) -> None:
        """Start no more requests."""
        self._closed.set()
        self._notify()

    def sent(self) -> float:
        """Note that a request is being sent; return the time."""
        now = time.monotonic()
        if self._unanswered_since is None:
            self._unanswered_since = now
        return now

    def succeeded(self) -> None:
        """Note a reply: the judge responds, so the limiter widens."""
        self._unanswered_since = None if self.in_flight <= 1 else time.monotonic()
        if self.width < self.limits.in_flight:
            self.width += 1 if self._probing else 1 / self.width
            self.width = min(self.width, float(self.limits.in_flight))
            self._notify()

    def failed(self, error: TransientError, sent_at: float) -> None:
        """Note a failed request; an overload halves the width, once for all requests in flight."""
        self.last_error = str(error)
        if error.overloaded and sent_at >= self._narrowed_at:
            self._narrowed_at = time.monotonic()
            self._probing = False
            self.width = max(1.0, self.width / 2)
        self.pause(error.retry_after or 0.0, self.last_error)

    def pause(self, seconds: float, why: str = "its rate limit is used up") -> None:
        """Start no request for a while, as the provider asked; a long wait is reported."""
        if seconds <= 0:
            return
        now = time.monotonic()
        if now >= self._resume_at:
            self._paused_at = now
        self._resume_at = max(self._resume_at, now + seconds)
        # All requests in flight may ask for the same wait: it is reported once.
        if (
            seconds < REPORTED_S
            or self._resume_at < self._reported_until + REPORTED_S
            or self.overdue
        ):
            return
        self._reported_until = self._resume_at
        log.warning(
            "judge %s: asks to wait %s (%s); waiting until %s, at most %s in a row "
            "(longest_wait_s)",
            self.judge,
            _span(seconds),
            why,
            time.strftime("%H:%M:%S", time.localtime(time.time() + seconds)),
            _span(self.longest_wait_s),
        )

    @property
    def overdue(self) -> str:
        """Why the requested wait is too long to wait for; "" if it is not."""
        began = self._paused_at if self._unanswered_since is None else self._unanswered_since
        wait = self._resume_at - began
        if self._resume_at <= time.monotonic() or wait <= self.longest_wait_s:
            return ""
        return f"asks to wait {_span(wait)}, longer than longest_wait_s={self.longest_wait_s:g}"

    @property
    def silent_s(self) -> float:
        """Seconds since a request was sent without any reply, not counting requested pauses."""
        if self._unanswered_since is None:
            return 0.0
        return time.monotonic() - max(self._unanswered_since, self._resume_at)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _span(seconds: float) -> str:
    """Return a duration in words: "90 s", "33 min", "365 days"."""
    unit, length = next(one for one in UNITS if seconds >= 2 * one[1] or one[1] == 1)
    return f"{seconds / length:.0f} {unit}"


def backoff(attempt: int) -> float:
    """Return the seconds before the next attempt: doubling up to a ceiling, with jitter."""
    ceiling = min(CEILING_S, BACKOFF_S * 2.0 ** (attempt - 1))
    spread: float = random.uniform(0.5, 1.0)  # noqa: S311 - no result depends on it
    return ceiling * spread
