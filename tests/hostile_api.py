"""A server whose replies to some requests are malformed, contradictory or lies: one mode a kind.

A mode changes the good reply (`reply`), or answers in its own way (`respond`). Those of `REPLIES`
can stand in the results of a batch too.
"""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from faulty_api import FaultyApi, Wire, prompt_of
from llm_juries.types import Outcome

OK, UNPARSED, REFUSED = Outcome.OK, Outcome.UNPARSED, Outcome.REFUSED
REJECTED, TRUNCATED, FAILED = Outcome.REJECTED, Outcome.TRUNCATED, Outcome.FAILED
Json = Any


@dataclass(frozen=True)
class Mode:
    """One kind of hostility, and what becomes of a vote that meets it.

    Attributes
    ----------
    outcome : Outcome
    change : callable
        Takes the good reply and returns another one, or raw bytes.
    respond : callable
        Takes the request and the good reply's bytes in place of `change`.
    ends : bool
        Whether the judge can't be asked further.
    """

    outcome: Outcome
    change: Callable[[Json], Json] | None = None
    respond: Callable[[web.Request, bytes], Any] | None = None
    ends: bool = False


def put(*path: Any) -> Callable[[Json], Json]:
    """Return a change that sets what lies under a path to its last element."""
    *names, last, value = path

    def change(reply: Json) -> Json:
        inner = reply
        for name in names:
            inner = inner[name]
        inner[last] = value
        return reply

    return change


def message(**fields: Any) -> Callable[[Json], Json]:
    def change(reply: Json) -> Json:
        reply["choices"][0]["message"].update(fields)
        return reply

    return change


def text_of(reply: Json) -> str:
    found: str = reply["choices"][0]["message"]["content"]
    return found


def content(make: Callable[[str], Any]) -> Callable[[Json], Json]:
    return lambda reply: message(content=make(text_of(reply)))(reply)


def finish(reason: Any, text: str | None = None) -> Callable[[Json], Json]:
    def change(reply: Json) -> Json:
        reply["choices"][0]["finish_reason"] = reason
        return reply if text is None else message(content=text)(reply)

    return change


def tokens(count: Any) -> Callable[[Json], Json]:
    return lambda reply: reply | {"usage": {"prompt_tokens": count, "completion_tokens": count}}


def logprobs(value: Any) -> Callable[[Json], Json]:
    """Return a change that gives the words opposite to the reply's text odd probabilities."""

    def change(reply: Json) -> Json:
        word = text_of(reply)
        other = "False" if word == "True" else "True"
        top = [{"token": word, "logprob": value}, {"token": other, "logprob": -0.5}]
        return put("choices", 0, "logprobs", {"content": [{"top_logprobs": top}]})(reply)

    return change


def raw(make: Callable[[str], bytes]) -> Callable[[Json], bytes]:
    return lambda reply: make(json.dumps(reply))


def error(value: Any, **more: Any) -> Callable[[Json], Json]:
    return lambda _: {"error": value, **more}


def nested(opening: str, depth: int = 50_000) -> str:
    return opening * depth


FILTERED = {"message": "The response was filtered", "code": "content_filter"}
LONG = {
    "message": "This model's maximum context length is 8192 tokens.",
    "type": "bad",
    "code": 400,
}

REPLIES: dict[str, Mode] = {
    # Token counts
    "count_float": Mode(OK, tokens(300.0)),
    "count_fraction": Mode(OK, tokens(2.5)),
    "count_text": Mode(OK, tokens("10")),
    "count_negative": Mode(OK, tokens(-5)),
    "count_over_2_63": Mode(OK, tokens(1 << 70)),
    "count_1e308": Mode(OK, tokens(1e308)),
    "count_nan": Mode(OK, tokens(float("nan"))),
    "count_infinite": Mode(OK, tokens(float("inf"))),
    "count_list": Mode(OK, tokens([3])),
    "count_true": Mode(OK, tokens(True)),
    "count_zero": Mode(OK, tokens(0)),
    "count_absurd": Mode(OK, tokens(10**9)),
    "count_5000_digits": Mode(FAILED, raw(lambda t: t.replace("300", "9" * 5000).encode())),
    "more_cached_than_sent": Mode(
        OK, put("usage", "prompt_tokens_details", {"cached_tokens": 10**6})
    ),
    "details_are_a_list": Mode(OK, put("usage", "prompt_tokens_details", [1])),
    "usage_is_a_list": Mode(OK, put("usage", [1, 2])),
    "usage_is_text": Mode(OK, put("usage", "300 tokens")),
    "no_usage": Mode(OK, put("usage", None)),
    # Content
    "parts": Mode(OK, content(lambda t: [{"type": "text", "text": t}])),
    "split_parts": Mode(OK, content(lambda t: [{"type": "text", "text": c} for c in t])),
    "parts_of_text": Mode(OK, content(lambda t: [t])),
    "one_part": Mode(OK, content(lambda t: {"type": "text", "text": t})),
    "thinking_parts": Mode(
        OK,
        content(
            lambda t: [
                {"type": "thinking", "thinking": [{"type": "text", "text": "True? False?"}]},
                {"type": "text", "text": t},
            ]
        ),
    ),
    "part_of_another_kind": Mode(
        OK, content(lambda t: [{"type": "image_url", "image_url": 3}, {"type": "text", "text": t}])
    ),
    "content_number": Mode(FAILED, message(content=1)),
    "content_true": Mode(FAILED, message(content=True)),
    "content_object": Mode(FAILED, message(content={"verdict": "True"})),
    "content_numbers": Mode(FAILED, message(content=[1, 0])),
    "content_nested_lists": Mode(FAILED, message(content=[[["True"]]])),
    "part_without_text": Mode(FAILED, message(content=[{"type": "text", "text": 1}])),
    "part_of_odd_type": Mode(FAILED, message(content=[{"type": 3, "text": "True"}])),
    "content_null": Mode(UNPARSED, message(content=None)),
    "content_empty": Mode(UNPARSED, message(content="")),
    "content_no_parts": Mode(UNPARSED, message(content=[])),
    "a_call_of_a_tool": Mode(
        UNPARSED, message(content=None, tool_calls=[{"function": {"arguments": "True"}}])
    ),
    "message_null": Mode(UNPARSED, put("choices", 0, "message", None)),
    "message_list": Mode(FAILED, put("choices", 0, "message", ["True"])),
    "message_text": Mode(FAILED, put("choices", 0, "message", "True")),
    "prose_of_a_megabyte": Mode(UNPARSED, message(content="well " * 200_000)),
    "nul_and_line_separators": Mode(UNPARSED, message(content="\0\u2028\n{}\r It depends")),
    # Reasoning and refusals
    "reasoning_parts": Mode(OK, message(reasoning_content=[{"type": "text", "text": "Hm."}])),
    "reasoning_number": Mode(OK, message(reasoning_content=7)),
    "reasoning_object": Mode(OK, message(reasoning={"a": [1, None]})),
    "reasoning_deep": Mode(OK, message(reasoning=json.loads("[" * 80 + "]" * 80))),
    "refusal_text": Mode(REFUSED, message(content=None, refusal="No.")),
    "refusal_parts": Mode(REFUSED, message(refusal=[{"type": "refusal", "refusal": "No."}])),
    "refusal_object": Mode(REFUSED, message(refusal={"why": "no"})),
    "refusal_number": Mode(REFUSED, message(refusal=1)),
    "refusal_in_content": Mode(REFUSED, message(content=[{"type": "refusal", "refusal": "True"}])),
    "refusal_false": Mode(OK, message(refusal=False)),
    # Finish reasons
    "finish_error": Mode(FAILED, finish("error")),
    "finish_error_halfway": Mode(FAILED, finish("error", "False, since the ans")),
    "finish_abort": Mode(FAILED, finish("abort")),
    "finish_unknown": Mode(OK, finish("banana")),
    "finish_number": Mode(OK, finish(7)),
    "finish_object": Mode(OK, finish({"reason": "stop"})),
    "finish_null": Mode(OK, finish(None)),
    "finish_upper_case": Mode(TRUNCATED, finish("MAX_TOKENS", "Well, it")),
    "finish_content_filter": Mode(REFUSED, finish("content_filter")),
    "finish_safety": Mode(REFUSED, finish("SAFETY", "")),
    # Log-probabilities: the text decides where they can't be true
    "logprob_nan": Mode(OK, logprobs(float("nan"))),
    "count_of_400_digits": Mode(OK, tokens(10**400)),
    "logprob_of_400_digits": Mode(OK, logprobs(-(10**400))),
    "logprob_infinite": Mode(OK, logprobs(float("inf"))),
    "logprob_positive": Mode(OK, logprobs(3.0)),
    "logprob_text": Mode(OK, logprobs("-0.1")),
    "logprob_null": Mode(OK, logprobs(None)),
    "logprobs_above_1_together": Mode(OK, logprobs(-0.01)),
    "logprobs_a_list": Mode(OK, put("choices", 0, "logprobs", [1])),
    "logprobs_text": Mode(OK, put("choices", 0, "logprobs", {"content": "True"})),
    "logprobs_of_numbers": Mode(
        OK, put("choices", 0, "logprobs", {"content": [{"top_logprobs": [1, None]}]})
    ),
    # Choices
    "choices_null": Mode(FAILED, put("choices", None)),
    "choices_empty": Mode(FAILED, put("choices", [])),
    "choices_object": Mode(FAILED, put("choices", {"0": "True"})),
    "choices_text": Mode(FAILED, put("choices", ["True"])),
    "choices_of_null": Mode(FAILED, put("choices", [None])),
    # JSON
    "twice_the_same_key": Mode(
        OK, raw(lambda t: t.replace("{", '{"model": "model-a",', 1).encode())
    ),
    "two_contents": Mode(
        FAILED, raw(lambda t: t.replace('"content":', '"content": "?", "content":').encode())
    ),
    "two_choices": Mode(FAILED, raw(lambda t: t.replace("{", '{"choices": [],', 1).encode())),
    "lone_surrogate": Mode(UNPARSED, message(content="It depends \ud800")),
    "surrogate_in_the_name": Mode(OK, put("model", "model-\udcff")),
    "name_a_number": Mode(OK, put("model", 4)),
    "name_a_list": Mode(OK, put("model", ["model-a"])),
    "name_of_another": Mode(OK, put("model", "cheap-mini")),
    "name_very_long": Mode(OK, put("model", "m" * 100_000)),
    "deep_beside": Mode(FAILED, raw(lambda t: f'{{"x": {nested("[")}, {t[1:]}'.encode())),
    # Errors in successful responses
    "error_text": Mode(FAILED, error("backend timed out")),
    "error_500": Mode(FAILED, error({"message": "upstream", "code": 500})),
    "error_unknown": Mode(FAILED, error({"message": "?", "code": "E_WHAT"})),
    "error_list": Mode(FAILED, error(None, errors=[{"code": 1001, "message": "no"}])),
    "error_true": Mode(FAILED, error(True, message="it broke")),
    "error_400": Mode(REJECTED, error({"message": "bad field", "code": 400})),
    "error_too_long": Mode(REJECTED, error(LONG)),
    "error_filtered": Mode(REFUSED, error(FILTERED)),
    "error_of_type_error": Mode(
        FAILED, lambda _: {"type": "error", "error": {"type": "api_error", "message": "Internal"}}
    ),
    "error_of_vllm": Mode(REJECTED, lambda _: {"object": "error", **LONG}),
    "error_in_a_choice": Mode(
        FAILED, put("choices", 0, "error", {"code": 502, "message": "Provider down"})
    ),
    "error_null": Mode(OK, put("error", None)),
    "error_empty": Mode(OK, put("error", {})),
    "error_blank": Mode(OK, put("error", {"message": "", "code": None})),
}


def status(number: int, body: Any = None, **headers: str) -> Callable[..., web.Response]:
    body = {"error": {"message": f"mock {number}"}} if body is None else body
    return lambda *_: web.Response(status=number, text=json.dumps(body), headers=headers)


def page(text: str, number: int = 200) -> Callable[..., web.Response]:
    return lambda *_: web.Response(status=number, text=text, content_type="text/html")


def sent(make: Callable[[bytes], bytes], **headers: str) -> Callable[..., web.Response]:
    return lambda _, good: web.Response(body=make(good), headers=headers)


async def hang(*_: Any) -> web.Response:
    await asyncio.sleep(3600)
    return web.Response()


async def close(request: web.Request, _: bytes) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def lie_about_length(request: web.Request, good: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(good) + 1000)})
    await response.prepare(request)
    await response.write(good)
    assert request.transport is not None
    request.transport.close()
    return response


async def garbage(request: web.Request, _: bytes) -> web.Response:
    assert request.transport is not None
    request.transport.write(b"HTTP/9.9 what\r\n\xff\xfe\r\n\r\n")  # type: ignore[attr-defined]
    return await close(request, b"")


BOMB = gzip.compress(bytes(8 << 20))
OVERLOADED = {"error": {"message": "slow down", "code": 429}}
TRANSPORT: dict[str, Mode] = {
    # Rejected for what it says
    "400": Mode(REJECTED, respond=status(400)),
    "400_too_long": Mode(REJECTED, respond=status(400, {"error": LONG})),
    "400_filtered": Mode(REFUSED, respond=status(400, {"error": FILTERED})),
    "400_azure": Mode(
        REFUSED,
        respond=status(
            400, {"error": {"innererror": {"code": "ResponsibleAIPolicyViolation"}, "message": "x"}}
        ),
    ),
    "400_google": Mode(
        REJECTED, respond=status(400, [{"error": {"status": "INVALID_ARGUMENT", "message": "no"}}])
    ),
    "400_html": Mode(REJECTED, respond=page("<h1>Bad request</h1>", 400)),
    "403_flagged": Mode(
        REFUSED, respond=status(403, {"error": {"message": "Your input was flagged", "code": 403}})
    ),
    "413": Mode(REJECTED, respond=status(413)),
    "418": Mode(REJECTED, respond=status(418)),
    "422_detail": Mode(REJECTED, respond=status(422, {"detail": [{"msg": "inputs too long"}]})),
    # May pass
    "204": Mode(FAILED, respond=lambda *_: web.Response(status=204)),
    "500": Mode(FAILED, respond=status(500)),
    "503_html": Mode(FAILED, respond=page("<h1>Down</h1>", 503)),
    "599": Mode(FAILED, respond=status(599)),
    "429_at_once": Mode(FAILED, respond=status(429, **{"Retry-After": "0"})),
    "429_at_a_date": Mode(
        FAILED,
        respond=status(
            429,
            **{
                "Retry-After": "Mon, 01 Jan 2035 00:00:00 GMT",
                "Date": "Mon, 01 Jan 2035 00:00:00 GMT",
            },
        ),
    ),
    "429_in_200": Mode(FAILED, respond=status(200, OVERLOADED)),
    "retry_after_of_nonsense": Mode(
        FAILED, respond=status(503, **{"Retry-After": "9" * 400 + "x"})
    ),
    # No JSON
    "html": Mode(FAILED, respond=page("<html><style>a{}</style><p>Please log in</p></html>")),
    "empty": Mode(FAILED, respond=sent(lambda _: b"")),
    "half": Mode(FAILED, respond=sent(lambda good: good[: len(good) // 2])),
    "behind": Mode(FAILED, respond=sent(lambda good: good + b"\n{}")),
    "events": Mode(FAILED, respond=sent(lambda good: b"data: " + good + b"\n\ndata: [DONE]")),
    "a_list": Mode(FAILED, respond=sent(lambda good: b"[" + good + b"]")),
    "a_text": Mode(FAILED, respond=sent(lambda _: b'"True"')),
    "a_number": Mode(FAILED, respond=sent(lambda _: b"1")),
    "null": Mode(FAILED, respond=sent(lambda _: b"null")),
    "deep": Mode(FAILED, respond=sent(lambda _: nested('{"choices":').encode())),
    "not_utf8": Mode(FAILED, respond=sent(lambda good: good.replace(b"assistant", b"\xff\xfe"))),
    "utf16": Mode(FAILED, respond=sent(lambda good: good.decode().encode("utf-16"))),
    "with_a_mark": Mode(OK, respond=sent(lambda good: b"\xef\xbb\xbf" + good)),
    "as_plain_text": Mode(OK, respond=sent(lambda good: good, **{"Content-Type": "text/plain"})),
    "as_no_type": Mode(OK, respond=sent(lambda good: good, **{"Content-Type": "?;charset=x"})),
    "201": Mode(OK, respond=lambda _, good: web.Response(status=201, body=good)),
    # Broken transport
    "bomb": Mode(FAILED, respond=sent(lambda _: BOMB, **{"Content-Encoding": "gzip"})),
    "no_gzip": Mode(FAILED, respond=sent(lambda good: good, **{"Content-Encoding": "gzip"})),
    "gzipped": Mode(OK, respond=sent(gzip.compress, **{"Content-Encoding": "gzip"})),
    "unknown_encoding": Mode(OK, respond=sent(lambda good: good, **{"Content-Encoding": "x-y"})),
    "too_large": Mode(FAILED, respond=sent(lambda good: good + b" " * (3 << 20))),
    "long_header": Mode(FAILED, respond=sent(lambda good: good, X="x" * 100_000)),
    "shorter_than_said": Mode(FAILED, respond=lie_about_length),
    "closed": Mode(FAILED, respond=close),
    "garbage": Mode(FAILED, respond=garbage),
    "hang": Mode(FAILED, respond=hang),
    "reset_of_nonsense": Mode(
        OK,
        respond=sent(
            lambda good: good,
            **{"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "soon"},
        ),
    ),
    # The judge can't be asked any more
    "301": Mode(FAILED, respond=status(301, Location="/v1/elsewhere"), ends=True),
    "302": Mode(FAILED, respond=status(302, Location="http://127.0.0.1:9/"), ends=True),
    "401_in_200": Mode(
        FAILED, respond=status(200, {"error": {"message": "bad key", "code": 401}}), ends=True
    ),
    "402_in_200": Mode(
        FAILED,
        respond=status(200, {"error": {"message": "Insufficient credits", "code": 402}}),
        ends=True,
    ),
    "402_in_400": Mode(
        FAILED,
        respond=status(400, {"error": {"message": "Your credit balance is too low to access"}}),
        ends=True,
    ),
    "405": Mode(FAILED, respond=status(405), ends=True),
}
MODES = REPLIES | TRANSPORT


@dataclass
class HostileApi(FaultyApi):
    """A mock server that is hostile to every third question, as asked of one model."""

    mode: Mode | None = None
    model: str = "model-a"
    changed: int = field(default=0)

    def hits(self, body: dict[str, Any]) -> bool:
        number = re.search(r"Q(\d+)\?", prompt_of(body))
        if self.mode is None or body["model"] != self.model or number is None:
            return False
        return int(number[1]) % 3 == 2

    def good(self, wire: Wire, body: dict[str, Any], **changes: Any) -> bytes:
        found = super().good(wire, body, **changes)
        if self.mode is None or self.mode.change is None or not self.hits(body):
            return found
        self.changed += 1
        made = self.mode.change(copy.deepcopy(json.loads(found)))
        return made if isinstance(made, bytes) else json.dumps(made).encode()

    async def _answer(
        self, wire: Wire, request: web.Request, body: dict[str, Any], model: str, arrival: int
    ) -> web.StreamResponse:
        if self.mode is None or self.mode.respond is None or not self.hits(body):
            return await super()._answer(wire, request, body, model, arrival)
        self.changed += 1
        made = self.mode.respond(request, super().good(wire, body))
        return await made if asyncio.iscoroutine(made) else made
