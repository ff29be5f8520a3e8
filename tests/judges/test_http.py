"""One request over HTTP: what becomes of it, whatever the server does."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import bpe_openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faulty_api import Fault, FaultyApi, in_a_thread
from llm_juries.judges.decoding import Decoding
from llm_juries.judges.errors import JudgeUnavailableError, TransientError
from llm_juries.judges.http.client import Client
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.judges.http.waits import pause_asked, retry_after
from llm_juries.types import Item, Message, Order, Reply, Request
from shared_prompts import QUESTION_AND_ANSWER as PROMPT

KEY = "sk-planted-4242"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def judge_at(
    url: str, key_env: str | None = None, timeout_s: float = 60.0, **options: Any
) -> HttpJudge:
    server = Server(f"{url}/v1", key_env, timeout_s)
    return HttpJudge("j", "f", "openai", "model-1", server=server, **options)


def request_of(judge: HttpJudge, question: str = "Q") -> Request:
    request = judge.request(Item("d", "q", "m", question, "A"), Order.ORIGINAL, PROMPT)
    assert request is not None
    return request


async def ask(judge: HttpJudge, times: int = 1) -> list[Reply]:
    await judge.ready()
    await judge.open()
    try:
        return await judge.ask([request_of(judge, f"Q{n}") for n in range(times)])
    finally:
        await judge.close()


def asked_with(fault: Fault, **options: Any) -> Reply:
    with in_a_thread(FaultyApi(faults=[fault])) as api:
        return asyncio.run(ask(judge_at(api.base_url, **options)))[0]


TRANSIENT = {
    "408": False,
    "429": True,
    "500": False,
    "502": False,
    "503": True,
    "529": True,
    "599": False,
    "html": False,
    "not_json": False,
    "dead": False,
    "cut": False,
    "empty": False,
}


@pytest.mark.parametrize("kind", TRANSIENT)
def test_what_may_pass_is_told_as_such(kind: str):
    with pytest.raises(TransientError) as told:
        asked_with(Fault(kind, always=True))
    assert told.value.overloaded is TRANSIENT[kind]
    assert not told.value.unreachable


@pytest.mark.parametrize("kind", ["hang", "slow_body"])
def test_a_reply_that_takes_too_long_may_come_another_time(kind: str):
    with pytest.raises(TransientError, match=r"no reply within 0\.2 s"):
        asked_with(Fault(kind, always=True), timeout_s=0.2)


def test_a_slow_body_is_waited_for_within_the_time_limit():
    assert asked_with(Fault("slow_body", always=True)).text in PROMPT.choices


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        ("401", "check OPENAI_API_KEY"),
        ("402", ""),
        ("403", ""),
        ("404", "check model and base_url"),
    ],
)
def test_what_no_request_can_mend_names_judge_model_and_url(status: str, hint: str):
    with pytest.raises(JudgeUnavailableError) as told:
        asked_with(Fault(status, always=True))
    said = str(told.value)
    assert said.startswith("judge j (model-1 at http://127.0.0.1:")
    assert f"HTTP {status}: mock {status}" in said
    assert hint in said


@pytest.mark.parametrize("status", ["400", "413", "422"])
def test_a_request_that_is_rejected_for_itself_is_an_outcome_of_its_own(status: str):
    reply = asked_with(Fault(status, always=True))
    assert (reply.stop, reply.error) == ("rejected", f"HTTP {status}: mock {status}")
    assert PROMPT.reader.read(reply).outcome == "rejected"


def test_a_spent_account_is_not_a_rate_limit():
    with pytest.raises(JudgeUnavailableError, match="HTTP 429: no money left"):
        asked_with(Fault("quota", always=True))


def test_a_server_that_is_not_there_is_told_before_it_is_asked():
    with pytest.raises(JudgeUnavailableError, match="can't reach http://127"):
        asyncio.run(ask(judge_at("http://127.0.0.1:9")))


def test_a_server_that_has_gone_is_told_as_unreachable():
    async def sent() -> None:
        client = Client("j", "http://127.0.0.1:9")
        await client.open()
        try:
            await client.send("POST", "/x")
        finally:
            await client.close()

    with pytest.raises(TransientError, match="can't reach http://127") as told:
        asyncio.run(sent())
    assert told.value.unreachable


def test_a_url_that_is_none_is_told():
    with pytest.raises(JudgeUnavailableError, match="is not a URL; fix server"):
        asyncio.run(ask(judge_at("http://")))


@pytest.mark.parametrize("value", ["", None])
def test_a_missing_key_is_told_with_the_name_of_its_variable(
    value: str | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("OPENAI_API_KEY")
    if value is not None:
        monkeypatch.setenv("OPENAI_API_KEY", value)
    with pytest.raises(JudgeUnavailableError, match="OPENAI_API_KEY holds no key"):
        asyncio.run(judge_at("http://unused").ready())


def test_a_server_that_wants_no_key_gets_none():
    with in_a_thread(FaultyApi()) as api:
        asyncio.run(ask(judge_at(api.base_url, key_env="")))
        assert "Authorization" not in api.headers[0]


def test_a_key_that_the_server_echoes_in_an_error_is_taken_out():
    with (
        in_a_thread(FaultyApi(api_key="another")) as api,
        pytest.raises(JudgeUnavailableError) as told,
    ):
        asyncio.run(ask(judge_at(api.base_url)))
    assert KEY not in str(told.value)
    assert "[key]" in str(told.value)


def test_a_key_that_the_model_echoes_is_taken_out():
    reply = asked_with(Fault("echo", always=True))
    assert reply.text == "The key is Bearer [key]; True"


def test_requests_of_one_call_are_under_way_at_once():
    with in_a_thread(FaultyApi(latency=0.05)) as api:
        replies = asyncio.run(ask(judge_at(api.base_url), times=8))
        assert api.peak == 8
    assert len(replies) == 8


def test_a_reply_says_how_long_it_took():
    with in_a_thread(FaultyApi(latency=0.05)) as api:
        (reply,) = asyncio.run(ask(judge_at(api.base_url)))
    assert reply.latency_s is not None
    assert reply.latency_s >= 0.05


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"retry-after-ms": "250", "Retry-After": "9"}, 0.25),
        ({"retry-after-ms": "soon"}, None),
    ],
)
def test_the_wait_a_response_asks_for(headers: dict[str, str], seconds: float | None):
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(30, 30.0), (-30, 0.0)])
def test_the_wait_until_a_date(ahead: int, seconds: float):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    assert retry_after({"Retry-After": date}) == pytest.approx(seconds, abs=1.5)


@given(st.text(max_size=30))
def test_no_header_breaks_the_reading_of_waits(value: str):
    assert retry_after({"Retry-After": value}) is None or retry_after({"Retry-After": value}) >= 0
    for name in ("x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-reset"):
        spent = {"x-ratelimit-remaining-tokens": "0", "anthropic-ratelimit-tokens-remaining": "0"}
        assert pause_asked({**spent, name: value}) >= 0.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "9s"}, 0.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20ms"}, 0.02),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m1.5s"}, 361.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "12"}, 12.0),  # Azure
        (
            {
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "2s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "1h",
            },
            3600.0,
        ),
    ],
)
def test_the_pause_of_a_spent_rate_limit(headers: dict[str, str], seconds: float):
    assert pause_asked(headers) == pytest.approx(seconds)


def test_the_pause_until_a_time():
    reset = (datetime.now(UTC) + timedelta(seconds=20)).isoformat()
    headers = {
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": reset,
    }
    assert pause_asked(headers) == pytest.approx(20, abs=1)


def test_tokens_are_counted_by_the_models_tokeniser_where_it_is_known():
    judge = judge_at("http://unused", tokenizer="o200k", decoding=Decoding(max_tokens=5))
    text = "Wie heißt der höchste Berg der Welt?"
    request = Request("k", Item("d", "q", "m"), Order.ORIGINAL, messages=(Message("user", text),))
    count = len(bpe_openai.get_encoding("o200k_base").encode(text))
    assert judge.counted_by == "o200k"
    assert judge.estimate(request) == (count + 4, 5)


def test_tokens_are_estimated_by_name_elsewhere():
    judge = judge_at("http://unused")
    request = Request(
        "k", Item("d", "q", "m"), Order.ORIGINAL, messages=(Message("user", "x" * 40),)
    )
    assert judge.counted_by.startswith("estimate")
    assert judge.estimate(request)[0] == 40 // 4 + 1 + 4


def test_a_revision_is_part_of_the_key():
    one, other = (judge_at("http://unused", revision=r) for r in ("", "2026-01"))
    assert request_of(one).key != request_of(other).key


def test_the_url_and_the_price_are_not():
    one, other = judge_at("http://here"), judge_at("http://there", timeout_s=3, note="moved")
    assert request_of(one).key == request_of(other).key
