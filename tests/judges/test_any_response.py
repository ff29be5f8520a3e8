"""Whatever stands at any place of a response, of every format: a storable reply or an error."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from llm_juries.data.dataset import Dataset
from llm_juries.judges.errors import JudgeUnavailableError, TransientError
from llm_juries.judges.http.client import Response
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.wire import decoded
from llm_juries.judges.pricing import Price
from llm_juries.store import segments
from llm_juries.store.plan import Plan, verdict_of
from llm_juries.types import Item, Outcome, Reply
from shared_prompts import QUESTION_AND_ANSWER as PROMPT

TOP = [{"token": "True", "logprob": -0.1}, {"token": "False", "logprob": -2.5}]
GOOD: dict[str, Any] = {
    "openai": {
        "model": "m",
        "choices": [
            {
                "message": {"role": "assistant", "content": "True", "reasoning_content": "Hm."},
                "finish_reason": "stop",
                "logprobs": {"content": [{"token": "True", "top_logprobs": TOP}]},
            }
        ],
        "usage": {
            "prompt_tokens": 40,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 20},
            "completion_tokens_details": {"reasoning_tokens": 1},
        },
    },
    "openai_text": {
        "model": "m",
        "choices": [
            {
                "text": " True",
                "finish_reason": "length",
                "logprobs": {"top_logprobs": [{" True": -0.1, " False": -2.5}]},
            }
        ],
        "usage": {"prompt_tokens": 40, "completion_tokens": 2},
    },
    "anthropic": {
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "Hm."},
            {"type": "text", "text": "True"},
        ],
        "stop_reason": "end_turn",
        "usage": {
            "input_tokens": 20,
            "cache_read_input_tokens": 10,
            "cache_creation_input_tokens": 10,
            "output_tokens": 2,
            "output_tokens_details": {"thinking_tokens": 1},
        },
    },
    "cohere": {
        "message": {
            "content": [
                {"type": "thinking", "thinking": "Hm."},
                {"type": "text", "text": "True"},
            ]
        },
        "finish_reason": "COMPLETE",
        "usage": {
            "billed_units": {"input_tokens": 40, "output_tokens": 2},
            "tokens": {"input_tokens": 41, "output_tokens": 3},
            "cached_tokens": 20,
        },
    },
}
GOOD["openai_responses"] = {
    "model": "m",
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {
            "type": "message",
            "content": [
                {"type": "output_text", "text": "True", "logprobs": [{"top_logprobs": TOP}]}
            ],
        },
    ],
    "usage": {
        "input_tokens": 40,
        "input_tokens_details": {"cached_tokens": 20},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 1},
    },
}
DEEP = json.loads("[" * 90 + "]" * 90)
THOUGHTS: Any = "Hm."
for _ in range(40):
    THOUGHTS = [{"type": "thinking", "thinking": THOUGHTS}]
ODD: list[Any] = [
    None, True, False, 0, -1, 7, 2.5, 1 << 70, -(1 << 70), 1e308, float("nan"), float("inf"),
    float("-inf"), "", "10", "error", "\ud800", "\0", "x" * 100_000, [], [None], [[]], [1], ["x"],
    {}, {"a": None}, {"type": "text"}, {"type": "text", "text": ["x"]}, {"type": None},
    [{"type": "text", "text": {"text": "x"}}], {"error": "x"}, {"code": 400}, DEEP, THOUGHTS,
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for name in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[name], (*path, name))


def put(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    made = copy.copy(value)
    made[path[0]] = put(value[path[0]], path[1:], odd)
    return made


def judge(wire: Any) -> tuple[HttpJudge, Plan]:
    asked = HttpJudge("j", "f", wire, "m", price=Price(2.0, 10.0, "2024-04"))
    item = Item("d", "q", "m", question="Is it?", answer="Yes, it is. " * 20)
    return asked, Plan(asked, Dataset("d", (item,)), PROMPT)


@pytest.mark.parametrize("wire", GOOD)
def test_the_good_response_is_read_whole(wire: str):
    asked, plan = judge(wire)
    (request,) = plan.requests()
    raw = json.dumps(GOOD[wire]).encode()
    reply = asked.read(request, Response(200, {}, raw))
    assert (reply.text.strip(), reply.input_tokens, reply.output_tokens) == ("True", 40, 2)
    assert reply.finish_reason == GOOD[wire].get("stop_reason") or reply.finish_reason
    assert reply.thinking == ("" if wire == "openai_text" else "Hm.")
    assert reply.model == ("" if wire == "cohere" else "m")
    assert reply.thinking_tokens == (
        1 if wire in ("openai", "openai_responses", "anthropic") else None
    )
    assert (reply.label_mass is not None) is wire.startswith("openai")


@pytest.mark.parametrize("wire", GOOD)
def test_nothing_at_any_place_makes_more_than_a_failed_vote(wire: str):
    asked, plan = judge(wire)
    (request,) = plan.requests()
    outcomes = set()
    for path in places(GOOD[wire]):
        for odd in ODD:
            raw = json.dumps(put(GOOD[wire], path, odd)).encode()
            try:
                reply = asked.read(request, Response(200, {}, raw))
            except (TransientError, JudgeUnavailableError):
                continue
            verdict = verdict_of(plan, request, reply, 1, 0.0)
            outcomes.add(verdict.outcome)
            if "logprobs" not in path:  # the word of the text may be missing there
                assert verdict.value in ("True", "1", None), (path, odd)
            assert verdict.cost_usd is None or 0 < verdict.cost_usd < 0.02, (path, odd)
            read = segments.decode(segments.checked(verdict))
            assert read == verdict, (path, odd)
            assert isinstance(reply, Reply)
            if reply.stop == "error":
                assert reply.error, (path, odd)
    assert {Outcome.OK, Outcome.FAILED} <= outcomes


@pytest.mark.parametrize("sign", ["[]", "{}"])
def test_what_is_nested_too_deeply_is_no_response(sign: str):
    """Python's own limit is met while a reply is read, or not, by how deep its caller stands."""
    opening, closing = sign
    named = '"a":' if sign == "{}" else ""

    def nested(times: int) -> bytes:
        return (f"{opening}{named}" * (times - 1) + sign + closing * (times - 1)).encode()

    assert decoded(nested(100))
    for times in (101, 970, 100_000):
        with pytest.raises(ValueError, match="nested too deeply"):
            decoded(nested(times))


@pytest.mark.parametrize("wire", GOOD)
def test_a_field_that_is_missing_is_no_more(wire: str):
    asked, plan = judge(wire)
    (request,) = plan.requests()

    def without(value: Any, path: tuple[Any, ...]) -> Any:
        made = copy.copy(value)
        if len(path) == 1:
            del made[path[0]]
        else:
            made[path[0]] = without(value[path[0]], path[1:])
        return made

    for path in places(GOOD[wire]):
        if path:
            raw = json.dumps(without(GOOD[wire], path)).encode()
            try:
                reply = asked.read(request, Response(200, {}, raw))
            except TransientError:
                continue
            verdict = verdict_of(plan, request, reply, 1, 0.0)
            assert verdict.value in ("True", "1", None) or "logprobs" in path, path
            segments.checked(verdict)
