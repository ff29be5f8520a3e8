"""Decoding: room for reasoning, options that a format lacks, and keys that stay as they were."""

from __future__ import annotations

from typing import Any

import pytest

from llm_juries.errors import JuriesError
from llm_juries.judges.decoding import Decoding
from llm_juries.judges.http.judge import HttpJudge


@pytest.mark.parametrize(
    ("options", "room"),
    [
        ({}, 16),
        ({"max_tokens": 5}, 5),
        ({"effort": "medium"}, 8192),
        ({"thinking": "adaptive"}, 8192),
        ({"thinking_tokens": 2000}, 10192),
        ({"reasons": True}, 8192),
        ({"reasons": True, "effort": "none"}, 16),
        ({"reasons": True, "thinking": "disabled"}, 16),
        ({"thinking_tokens": 0}, 16),
    ],
)
def test_a_model_that_reasons_has_room_by_default(options: dict[str, Any], room: int):
    assert Decoding(**options).max_tokens == room


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"effort": "high"}, "effort high"),
        ({"thinking": "enabled"}, "thinking enabled"),
        ({"thinking_tokens": 1024}, "thinking_tokens 1024"),
        ({"reasons": True}, "reasons: true"),
    ],
)
def test_a_reasoning_judge_with_sixteen_tokens_is_refused_with_the_reason(
    options: dict[str, Any], reason: str
):
    with pytest.raises(JuriesError, match=rf"^max_tokens: 16 leaves no room .*\({reason}") as said:
        Decoding(max_tokens=16, **options)
    assert "\n" not in str(said.value)
    assert "effort: none" in str(said.value)


def test_a_budget_must_leave_tokens_for_the_verdict():
    with pytest.raises(JuriesError, match="set it to 2049 or more"):
        Decoding(thinking_tokens=2048, max_tokens=2048)
    assert Decoding(thinking_tokens=2048, max_tokens=2100).max_tokens == 2100


def test_the_limit_that_extra_sends_counts():
    assert Decoding(effort="low", max_tokens=16, extra={"max_completion_tokens": 4096})
    with pytest.raises(JuriesError, match=r"^extra: 10 leaves no room for a verdict, since the"):
        Decoding(reasons=True, extra={"max_completion_tokens": 10})


def test_a_model_that_reasons_is_not_read_at_its_first_token():
    with pytest.raises(JuriesError, match=r"^verdict_by: 'logprobs' scores the first token"):
        Decoding(verdict_by="logprobs", effort="low")
    assert Decoding(verdict_by="logprobs", effort="none", reasons=True).max_tokens == 16


def test_whether_a_model_reasons_is_no_part_of_a_key():
    assert Decoding(reasons=True, effort="none").facts == {"effort": "none"}
    assert Decoding(max_tokens=16).facts == Decoding().facts == {}
    assert Decoding(seed_as="random_seed").facts == {}
    assert Decoding(seed_as="random_seed", seed=1).facts == {"seed_as": "random_seed", "seed": 1}


@pytest.mark.parametrize(
    ("wire", "options", "wrong"),
    [
        ("anthropic", {"seed": 1}, "seed"),
        ("openai_responses", {"seed": 1}, "seed"),
        ("openai_responses", {"thinking": "adaptive"}, "thinking"),
        ("openai_responses", {"thinking_tokens": 1024}, "thinking_tokens"),
        ("openai_text", {"effort": "low"}, "effort"),
        ("cohere", {"effort": "low"}, "effort"),
        ("openai_responses", {"max_tokens_as": "max_completion_tokens"}, "max_tokens_as"),
        ("anthropic", {"max_tokens_as": "max_completion_tokens"}, "max_tokens_as"),
    ],
)
def test_an_option_that_would_not_be_sent_is_refused(
    wire: Any, options: dict[str, Any], wrong: str
):
    with pytest.raises(JuriesError, match=rf"^decoding\.{wrong}: wire {wire} has no such option"):
        HttpJudge("j", "f", wire, "m", decoding=Decoding(**options))


def test_a_further_answer_has_a_seed_under_the_vendors_name():
    assert Decoding(seed_as="random_seed").seeded(3).seed == 3
    assert Decoding(seed_as="random_seed", extra={"random_seed": 1}).seeded(3).extra == {
        "random_seed": 3
    }


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"extra": {"model": "another"}}, r"extra\.model: would replace"),
        ({"extra": {"messages": []}}, r"extra\.messages: would replace"),
        ({"temperature": float("nan")}, "temperature: is nan"),
        ({"temperature": -1.0}, "temperature: is -1"),
        ({"thinking_tokens": -5}, "thinking_tokens: is -5"),
        ({"thinking": "disabled", "thinking_tokens": 1024}, "thinking is disabled"),
        ({"effort": ""}, "effort: is empty"),
        ({"effort": "hihg"}, r"effort: there is no 'hihg'.*; did you mean high or xhigh\?"),
        ({"effort": "none", "thinking": "enabled"}, "thinking: is enabled, and effort: none"),
        ({"effort": "none", "thinking_tokens": 512}, "thinking_tokens: is 512, and effort: none"),
    ],
)
def test_options_that_would_ask_something_else_are_refused(options: dict[str, Any], problem: str):
    with pytest.raises(JuriesError, match=f"{problem}"):
        Decoding(**options)
