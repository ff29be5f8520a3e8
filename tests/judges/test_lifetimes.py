"""Retired models are refused, all in one message; what is retired soon, or old, is warned of."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from llm_juries.errors import JuriesError
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.lifetimes import Lifetime, check_served, today, warnings
from llm_juries.judges.pricing import LongContext, Price
from llm_juries.types import Reply

DAY = datetime.date(2026, 11, 26)
PRICE = Price(1.0, 4.0, "2026-11", model="m-1", cached_input_usd=0.1, batch_factor=0.5)


def judge(name: str, until: str | None = None, successor: str = "", as_of: str = "2026-11"):
    day = None if until is None else datetime.date.fromisoformat(until)
    return HttpJudge(
        name,
        "f",
        "openai",
        "m-1",
        price=replace(PRICE, as_of=as_of),
        lifetime=Lifetime("m-1", day, successor),
    )


def test_all_retired_models_are_refused_in_one_message_with_their_successors():
    judges = [
        judge("alive"),
        judge("later", "2026-11-27"),
        judge("gone", "2026-10-23", "newer"),
        judge("today", "2026-11-26"),
    ]
    with pytest.raises(JuriesError) as caught:
        check_served(judges, DAY)
    assert str(caught.value) == (
        "2 models are retired and no longer served: gone (m-1, until 2026-10-23): use newer; "
        "today (m-1, until 2026-11-26): no successor is known; if you have access elsewhere, set "
        "allow_retired=true (in Python, policy=Policy(allow_retired=True))"
    )
    check_served(judges[:2], DAY)


def test_what_is_retired_soon_and_prices_that_are_old_are_warned_of_once_a_judge():
    judges = [
        judge("soon", "2026-12-11", "newer"),
        judge("late", "2027-06-01"),
        judge("old", as_of="2026-05-01"),
        judge("gone", "2026-10-23", as_of="2024-04"),  # its last price stays its price
    ]
    assert list(warnings([*judges, *judges], DAY)) == [
        "judge soon: m-1 is retired on 2026-12-11, in 15 days; its successor is newer",
        "judge old: its price is of 2026-05-01, 209 days old; check it, and set price and as_of in "
        "its yaml",
    ]


def test_the_day_is_kept_in_the_repository_for_tests(monkeypatch: pytest.MonkeyPatch):
    assert today() == DAY
    monkeypatch.setenv("LLM_JURIES_TODAY", "tomorrow")
    with pytest.raises(JuriesError, match=r"^LLM_JURIES_TODAY: is 'tomorrow'; write a day as "):
        today()
    monkeypatch.delenv("LLM_JURIES_TODAY")
    assert abs((today() - datetime.date.today()).days) <= 1


@pytest.mark.parametrize("fact", [{"price": PRICE}, {"lifetime": Lifetime("m-1")}])
def test_a_price_and_a_lifetime_belong_to_the_model_they_were_written_for(fact: dict[str, object]):
    HttpJudge("j", "f", "openai", "m-1", **fact)  # type: ignore[arg-type]
    (name,) = fact
    with pytest.raises(JuriesError, match=rf"^{name}: is that of m-1, and the model is m-2; set "):
        HttpJudge("j", "f", "openai", "m-2", **fact)  # type: ignore[arg-type]


def test_a_price_without_a_model_is_that_of_whatever_is_asked():
    assert HttpJudge("j", "f", "openai", "m-2", price=Price(1, 1, "2026-11")).price


@pytest.mark.parametrize("as_of", ["", "May 2024", "2026-13", "2026-11-31"])
def test_a_price_is_dated(as_of: str):
    with pytest.raises(JuriesError, match=r"^as_of: is .*; write the month or day of the price"):
        Price(1, 1, as_of)


def test_a_long_request_costs_more_in_a_batch_too():
    price = replace(PRICE, long_context=LongContext(1000, 2.0, 1.5))
    short = Reply(input_tokens=1000, cached_tokens=500, output_tokens=10)
    assert price.of(short) == pytest.approx((500 * 1.0 + 500 * 0.1 + 10 * 4.0) / 1e6)
    long = replace(short, input_tokens=1001, batched=True)
    assert price.of(long) == pytest.approx(
        0.5 * (2 * (501 * 1.0 + 500 * 0.1) + 1.5 * 10 * 4.0) / 1e6
    )
    assert price.at_most(1001, 10, batched=True) == pytest.approx(
        0.5 * (2 * 1001 * 1.0 + 1.5 * 10 * 4.0) / 1e6
    )


@pytest.mark.parametrize(
    ("field", "amount"),
    [
        ("input_usd", -1.0),
        ("output_usd", float("nan")),
        ("input_usd", float("inf")),
        ("cached_input_usd", -0.1),
        ("batch_factor", 50.0),
        ("batch_factor", -0.5),
    ],
)
def test_a_price_that_can_be_none_is_refused(field: str, amount: float):
    with pytest.raises(JuriesError, match=rf"^{field}: is "):
        replace(PRICE, **{field: amount})
    with pytest.raises(JuriesError, match=r"^input_factor: is -2; must be 0 or more"):
        LongContext(1000, -2, 1)


def test_a_price_of_a_day_to_come_is_warned_of():
    assert list(warnings([judge("next", as_of="2030-01-01")], DAY)) == [
        "judge next: its price is of 2030-01-01, which is after today, 2026-11-26; set as_of in "
        "its yaml to the day on which it was read"
    ]
