"""Rate limiting: how many requests a judge gets at once, and how fast. Retry backoff.

Requests and tokens a minute hold for all runs on a store together: see `Pace`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time

from ..judges.base import Limits
from ..judges.errors import TransientError
from ..store.ledger import Ledger, Line, lives

log = logging.getLogger(__name__)
START = 16  # requests in flight before anything is known about a provider
BACKOFF_S, CEILING_S = 0.5, 20.0
REPORTED_S = 5.0  # shorter waits pass without a message
LONGEST_WAIT_S = 600.0
OLD_S = 3600.0
TURNS = 3
AHEAD_S = 0.5  # a run claims the requests of so long at once, where many are allowed
UNITS = (("days", 86400), ("h", 3600), ("min", 60), ("s", 1))


class Pace:
    """When the requests to a judge may start, by its limits of requests and tokens a minute.

    Parameters
    ----------
    limits : Limits
    ledger : Ledger, optional
        Shared by all runs that the limits hold for; without one they hold for this run alone.
    """

    def __init__(self, limits: Limits, ledger: Ledger | None = None) -> None:
        self.limits = limits
        self.ledger = ledger if limits.requests_per_minute or limits.tokens_per_minute else None
        self._next = Line()
        self._claimed: list[float] = []
        self._turn = asyncio.Lock()
        if self.ledger is not None:
            self.ledger.others()  # a damaged ledger is refused before anything is asked

    async def start(self, tokens: int = 0) -> float:
        """Claim the next free time for a request of so many tokens; return it as Unix time."""
        async with self._turn:
            while self._claimed:
                if (at := self._claimed.pop(0)) >= time.time() - AHEAD_S:
                    return at
            while (claimed := self._claim(tokens)) is None:
                await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - no result depends on it
            return claimed

    def close(self) -> None:
        """Claim nothing more; delete what runs that ended have claimed long ago."""
        if self.ledger is None:
            return
        self.ledger.close()
        for path, line in self.ledger.others():
            if max(line.next_request, line.next_tokens) < time.time() - OLD_S and not lives(path):
                path.unlink(missing_ok=True)

    def _claim(self, tokens: int) -> float | None:
        """Claim a time, or several; None if another run has claimed it in the meantime."""
        at = max(time.time(), self._free(self._next))
        a_request = 60 / self.limits.requests_per_minute if self.limits.requests_per_minute else 0.0
        a_token = 60 / self.limits.tokens_per_minute if self.limits.tokens_per_minute else 0.0
        ahead = self.ledger is not None and a_request and not a_token
        requests = max(1, int(AHEAD_S / a_request)) if ahead else 1
        before, self._next = (
            self._next,
            Line(next_request=at + requests * a_request, next_tokens=at + tokens * a_token),
        )
        if self.ledger is not None:
            self.ledger.write(self._next)
            if self._free(Line()) > at:
                self._next = before
                self.ledger.write(before)
                return None
        self._claimed = [at + number * a_request for number in range(1, requests)]
        return at

    def _free(self, own: Line) -> float:
        """Return when all runs' claims end."""
        lines = [own, *(line for _, line in self.ledger.others())] if self.ledger else [own]
        return max(max(line.next_request, line.next_tokens) for line in lines)


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
    ledger : Ledger, optional
        See `Pace`.
    """

    def __init__(
        self,
        limits: Limits,
        longest_wait_s: float = LONGEST_WAIT_S,
        judge: str = "",
        ledger: Ledger | None = None,
    ) -> None:
        self.limits = limits
        self.pace = Pace(limits, ledger)
        self.longest_wait_s = longest_wait_s
        self.judge = judge
        self.width = float(min(START, limits.in_flight))
        self.in_flight = 0
        self._closed = asyncio.Event()
        self._probing = True
        self._narrowed_at = 0.0
        self._resume_at = 0.0
        self._paused_at = 0.0
        self._turn_s = 0.0
        self._reported_until = 0.0
        self._unanswered_since: float | None = None
        self.last_error = "no response"
        self._changed = asyncio.Event()

    async def acquire(self, tokens: int = 0) -> bool:
        """Wait for a free slot, then until a request of so many tokens may start.

        Returns False, and takes no slot, if the limiter was closed.
        """
        await self.slot()
        if not await self.turn(tokens):
            return False
        self.in_flight += 1
        return True

    async def slot(self) -> None:
        """Wait for a free slot, or until the limiter is closed."""
        while self.in_flight >= int(self.width) and not self._closed.is_set():
            await self.change()

    @property
    def free(self) -> bool:
        """Whether whoever holds a slot may start a further request in it at once."""
        return (
            self.in_flight <= int(self.width)
            and not self._closed.is_set()
            and not (self.limits.requests_per_minute or self.limits.tokens_per_minute)
            and self._resume_at <= time.monotonic()
        )

    async def turn(self, tokens: int = 0) -> bool:
        """Wait until a request of so many tokens may start; False if the limiter was closed."""
        seconds = await self.pace.start(tokens) - time.time()
        self._turn_s = max(seconds, 0.0)
        return await self.wait(seconds)

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
        """Seconds since a request was sent without any reply, not counting pauses and turns.

        A judge that may be asked only now and then gets some turns before it counts as silent.
        """
        if self._unanswered_since is None:
            return 0.0
        silent = time.monotonic() - max(self._unanswered_since, self._resume_at)
        return max(0.0, silent - TURNS * self._turn_s)

    def _notify(self) -> None:
        self._changed.set()
        self._changed.clear()


def _span(seconds: float) -> str:
    """Return a duration in words: "90 s", "33 min", "365 days"."""
    unit, length = next(one for one in UNITS if seconds >= 2 * one[1] or one[1] == 1)
    return f"{seconds / length:.0f} {unit}"


def backoff(attempt: int) -> float:
    """Return the seconds before the next attempt: doubling up to a ceiling, with jitter."""
    ceiling = min(CEILING_S, BACKOFF_S * 2.0 ** (attempt - 1))
    spread: float = random.uniform(0.5, 1.0)  # noqa: S311 - no result depends on it
    return ceiling * spread
