"""What a provider's error means: for the judge, for now, or for this request alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_juries.judges.http.failures import Failure, excerpt, failure_of, failure_within
from llm_juries.judges.http.wire import name_of

BALANCE = "Your credit balance is too low to access the Anthropic API."
MEANT: list[tuple[int, Any, str]] = [
    (400, {"error": {"message": "x", "code": "content_filter"}}, "refused"),
    (400, {"error": {"innererror": {"code": "ResponsibleAIPolicyViolation"}}}, "refused"),
    (400, {"type": "error", "error": {"message": "Output blocked by content filtering policy"}},
     "refused"),
    (400, {"error": {"code": "invalid_prompt", "message": "flagged"}}, "refused"),
    (403, {"error": {"code": 403, "message": "openai requires moderation on this model"}},
     "refused"),
    (400, {"error": {"code": "context_length_exceeded", "message": "x"}}, "too_long"),
    (400, {"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}}, "too_long"),
    (400, {"message": "too many tokens: size limit exceeded by 900 tokens"}, "too_long"),
    (400, {"object": "error", "message": "This model's maximum context length is 8192"},
     "too_long"),
    (422, {"error": "`inputs` tokens + `max_new_tokens` must be <= 4096. inputs too long"},
     "too_long"),
    (400, {"error": {"type": "exceed_context_size_error", "message": "exceeds"}}, "too_long"),
    (413, {"error": {"type": "request_too_large", "message": "Request exceeds the size"}},
     "too_long"),
    (413, "<html>413 Request Entity Too Large</html>", "too_long"),
    (400, {"error": {"message": "Unsupported parameter: 'temperature'"}}, "rejected"),
    (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, "rejected"),
    (418, {}, "rejected"),
    (101, "", "transient"),
    (424, {"error": "the model is loading"}, "transient"),
    (499, "", "transient"),
    (400, {"type": "error", "error": {"type": "invalid_request_error", "message": BALANCE}},
     "unavailable"),
    (400, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}],
     "unavailable"),
    (401, {"error": {"message": "x"}}, "unavailable"),
    (404, {"error": {"code": "model_not_found", "message": "x"}}, "unavailable"),
    (405, "", "unavailable"),
    (429, {"error": {"code": "insufficient_quota", "message": "x"}}, "unavailable"),
    (429, {"error": {"message": "You exceeded your current quota", "status": "RESOURCE_EXHAUSTED"}},
     "transient"),
    (429, {"error": {"message": "the prompt is too long"}}, "transient"),
    (500, {"error": {"message": "x"}}, "transient"),
    (529, {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, "transient"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "effect"), MEANT)
def test_an_error_means_what_its_code_or_words_say(status: int, body: Any, effect: str):
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    assert failure_of(status, raw).effect == effect


WITHIN: list[tuple[Any, int, str]] = [
    ({"error": "no money", "code": "402"}, 402, "unavailable"),
    ({"error": {"message": "x", "code": 402.0}}, 402, "unavailable"),
    ({"error": {"error": {"error": {"message": "deep", "code": 402}}}}, 402, "unavailable"),
    ({"error": 503}, 503, "transient"),
    ({"code": 429, "message": "too fast", "data": None}, 429, "transient"),
    ({"detail": "Not authenticated"}, 500, "transient"),
    ({"success": False, "message": "no balance", "code": 20012}, 500, "transient"),
    ({"error": {"message": "Insufficient credits", "code": 402}}, 402, "unavailable"),
    ({"error": {"message": "No auth", "code": "401"}}, 401, "unavailable"),
    ({"error": {"type": "authentication_error", "message": "x"}}, 401, "unavailable"),
    ({"error": {"type": "invalid_request_error", "code": "invalid_api_key", "message": "x"}}, 401,
     "unavailable"),
    ({"choices": None, "error": {"message": "too many requests", "code": 429}}, 429, "transient"),
    ({"type": "error", "error": {"type": "rate_limit_error", "message": "x"}}, 429, "transient"),
    ({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, 529, "transient"),
    ({"success": False, "errors": [{"code": 1001, "message": "no route"}]}, 500, "transient"),
    ({"error": "model is loading", "error_type": "overloaded"}, 500, "transient"),
    ({"choices": [{"error": {"code": 502, "message": "bad gateway"}}]}, 502, "transient"),
    ({"object": "error", "message": "maximum context length is 8192", "code": 400}, 400,
     "too_long"),
    ({"error": {"code": "content_filter", "message": "x"}}, 500, "refused"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "effect"), WITHIN)
def test_an_error_in_a_successful_response_acts_as_its_status_would(
    body: Any, status: int, effect: str
):
    failure = failure_within(body)
    assert failure is not None
    assert (failure.status, failure.effect) == (status, effect)
    assert failure.message
    assert failure.overloaded is (status in (429, 503, 529))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"error": None},
        {"error": {}},
        {"error": "", "errors": []},
        {"error": {"code": None, "message": ""}},
        {"choices": [{"message": {"content": "error"}, "error": None}]},
        {"choices": "error"},
        {"choices": [None]},
    ],
)
def test_no_error_is_made_of_an_empty_one(body: Any):
    assert failure_within(body) is None


def test_the_words_of_a_page_are_kept_without_its_tags():
    page = b"<html><head><style>p{}</style></head><body><h1>Sign in</h1>\n<p>to go on</p></body>"
    assert excerpt(page) == "Sign in to go on"


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"[1]", b'"x"', b"3", b"[" * 9999, b"\xff"])
def test_any_body_of_an_error_is_read(body: bytes):
    assert failure_of(400, body).effect == "rejected"


def test_what_is_wrong_with_one_request_is_told_apart_from_what_may_be_wrong_with_all():
    replies = [Failure(400, words).reply() for words in ("the prompt is too long", "no such field")]
    assert [reply.stop for reply in replies] == ["rejected", "rejected"]
    assert [bool(reply.finish_reason) for reply in replies] == [True, False]


def test_control_characters_of_a_server_never_reach_a_terminal():
    body = {"error": {"message": "\x1b[2J\x1b]0;title\x07 fine\u202e"}, "model": "\x1b[31mm\n|"}
    raw = json.dumps(body).encode()
    said = [str(failure_of(500, raw)), str(failure_within(body)), excerpt(raw), name_of(body)]
    assert all(text.isprintable() for text in said)
    assert "\\x1b[2J" in said[0]
