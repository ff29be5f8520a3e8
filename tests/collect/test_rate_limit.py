"""The limiter that paces requests and the budget that bounds what they cost."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_juries.collect import rate_limit as pacing
from llm_juries.collect.budget import Budget
from llm_juries.collect.rate_limit import BACKOFF_S, CEILING_S, START, RateLimiter, backoff
from llm_juries.judges.base import Limits
from llm_juries.judges.errors import TransientError

BUSY = TransientError("HTTP 529", overloaded=True)
BROKEN = TransientError("HTTP 500")


class Clock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    monkeypatch.setattr(pacing.time, "monotonic", turned)
    return turned


def test_a_limiter_begins_narrow_and_widens_by_one_a_reply():
    limiter = RateLimiter(Limits(in_flight=64))
    assert limiter.width == START
    for _ in range(10):
        limiter.succeeded()
    assert limiter.width == START + 10


def test_a_limiter_never_widens_beyond_the_limit():
    limiter = RateLimiter(Limits(in_flight=20))
    for _ in range(100):
        limiter.succeeded()
    assert limiter.width == 20


def test_an_overload_halves_the_limiter_once_for_all_in_flight(clock: Clock):
    limiter = RateLimiter(Limits(in_flight=64))
    sent = [limiter.sent() for _ in range(8)]
    clock.now += 1
    for at in sent:
        limiter.failed(BUSY, at)
    assert limiter.width == START / 2
    later = limiter.sent()
    clock.now += 1
    limiter.failed(BUSY, later)
    assert limiter.width == START / 4


def test_after_an_overload_the_limiter_widens_by_one_a_round():
    limiter = RateLimiter(Limits(in_flight=64))
    limiter.failed(BUSY, limiter.sent())
    for _ in range(int(limiter.width)):
        limiter.succeeded()
    assert START / 2 + 0.9 < limiter.width <= START / 2 + 1


def test_an_error_that_is_no_overload_leaves_the_limiter_as_wide():
    limiter = RateLimiter(Limits(in_flight=64))
    limiter.failed(BROKEN, limiter.sent())
    assert limiter.width == START


@given(st.lists(st.booleans(), max_size=200), st.integers(1, 100))
def test_a_limiter_stays_between_one_and_its_limit(replies: list[bool], in_flight: int):
    limiter = RateLimiter(Limits(in_flight=in_flight))
    for good in replies:
        if good:
            limiter.succeeded()
        else:
            limiter.failed(BUSY, math.inf)
        assert 1 <= limiter.width <= in_flight


def test_a_judge_is_silent_from_the_first_unanswered_request(clock: Clock):
    limiter = RateLimiter(Limits())
    assert limiter.silent_s == 0
    limiter.sent()
    clock.now += 3
    limiter.sent()
    clock.now += 4
    limiter.failed(BROKEN, 0)
    assert limiter.silent_s == 7
    limiter.succeeded()
    assert limiter.silent_s == 0


def test_a_pause_that_was_asked_for_is_not_silence(clock: Clock):
    limiter = RateLimiter(Limits())
    limiter.sent()
    limiter.failed(TransientError("429", retry_after=30), 0)
    clock.now += 30
    assert limiter.silent_s == 0
    clock.now += 5
    assert limiter.silent_s == 5


def test_a_pause_without_end_is_overdue(clock: Clock):
    limiter = RateLimiter(Limits(), longest_wait_s=1800)
    limiter.sent()
    limiter.failed(TransientError("429", retry_after=1000), 0)
    assert limiter.overdue == ""
    clock.now += 1001
    limiter.failed(TransientError("429", retry_after=1000), 0)
    assert limiter.overdue == "asks to wait 33 min, longer than longest_wait_s=1800"


def test_a_pause_that_a_good_reply_asks_for_is_overdue_too(clock: Clock):
    limiter = RateLimiter(Limits(), longest_wait_s=600)
    for wait, said in ((500, ""), (31_536_000, "365 days")):
        limiter.sent()
        limiter.succeeded()
        limiter.pause(wait)
        assert said in limiter.overdue
        assert bool(limiter.overdue) == bool(said)
        clock.now += 500


def test_pauses_that_follow_each_other_without_end_are_overdue(clock: Clock):
    limiter = RateLimiter(Limits())
    waited = 0
    while not limiter.overdue:
        clock.now += 60 if waited else 0
        limiter.sent()
        limiter.failed(TransientError("429", retry_after=60), 0)
        waited += 60
        assert waited < 1200
    assert waited >= 600


def test_a_closed_limiter_lets_nobody_through_and_wakes_who_waits():
    async def act() -> list[bool]:
        limiter = RateLimiter(Limits(in_flight=1))
        assert await limiter.acquire()
        limiter.pause(60)
        waiting = [asyncio.create_task(limiter.acquire()), asyncio.create_task(limiter.wait(60))]
        await asyncio.sleep(0.01)
        limiter.close()
        return await asyncio.wait_for(asyncio.gather(*waiting), 5)

    assert asyncio.run(act()) == [False, False]


def test_a_place_that_is_given_back_is_taken():
    async def act() -> None:
        limiter = RateLimiter(Limits(in_flight=1))
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        limiter.release()
        assert await asyncio.wait_for(waiting, 5)

    asyncio.run(act())


@given(st.integers(1, 60))
def test_waits_grow_to_a_ceiling_and_are_jittered(attempt: int):
    most = min(CEILING_S, BACKOFF_S * 2.0 ** (attempt - 1))
    assert most / 2 <= backoff(attempt) <= most


def test_two_waits_are_hardly_ever_the_same():
    assert len({backoff(3) for _ in range(20)}) > 15


@given(
    st.lists(st.tuples(st.floats(0.001, 1), st.floats(0, 1)), max_size=50),
    st.floats(0.01, 5),
)
def test_a_budget_is_never_overdrawn(requests: list[tuple[float, float]], dollars: float):
    budget = Budget(dollars)

    async def pay(most: float, part: float) -> None:
        if await budget.reserve_in_turn(most):
            await asyncio.sleep(0)
            budget.settle(most, most * part)
        assert budget.spent <= dollars * (1 + 1e-9)

    async def act() -> None:
        await asyncio.gather(*(pay(most, part) for most, part in requests))

    asyncio.run(asyncio.wait_for(act(), 10))


def test_what_is_set_aside_is_waited_for_and_can_not_be_spent_twice():
    async def act() -> None:
        budget = Budget(1.0)
        assert await budget.reserve_in_turn(0.6)
        waiting = asyncio.create_task(budget.reserve_in_turn(0.6))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        assert not budget.reserve(0.6)
        budget.settle(0.6, 0.1)
        assert await asyncio.wait_for(waiting, 5)
        budget.settle(0.6, 0.6)
        assert not await budget.reserve_in_turn(0.6)

    asyncio.run(act())


def test_a_budget_without_a_limit_pays_all():
    async def act() -> None:
        budget = Budget(None)
        assert await budget.reserve_in_turn(1e9)
        budget.settle(1e9, 5.0)
        assert budget.spent == 5.0

    asyncio.run(act())
