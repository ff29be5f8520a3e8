"""Cohere's format: chat, version 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...types import Reply, Request
from ..decoding import Decoding
from ..errors import TransientError
from .wire import Json, as_int, bearer, field, messages_as_json, verdict_schema


class Cohere:
    """Cohere chat, version 2."""

    path: str = "/chat"
    base_url: str = "https://api.cohere.com/v2"
    key_env: str | None = "CO_API_KEY"
    verdicts: tuple[str, ...] = ("text", "schema")

    def headers(self, key: str | None, decoding: Decoding) -> dict[str, str]:  # noqa: ARG002
        """Return a bearer token."""
        return bearer(key)

    def body(self, model: str, request: Request, decoding: Decoding) -> Json:
        """Return the body of POST /chat."""
        body: Json = {
            "model": model,
            "messages": messages_as_json(request.messages),
            "max_tokens": decoding.max_tokens,
            "stream": False,
        }
        if decoding.temperature is not None:
            body["temperature"] = decoding.temperature
        if decoding.seed is not None:
            body["seed"] = decoding.seed
        if decoding.thinking_tokens is not None:
            body["thinking"] = {"type": "enabled", "token_budget": decoding.thinking_tokens}
        if decoding.verdict_by == "schema":
            schema = verdict_schema(request.choices)
            body["response_format"] = {"type": "json_object", "json_schema": schema}
        return body | dict(decoding.extra)

    def reply(self, body: Any, choices: Sequence[str]) -> Reply:  # noqa: ARG002
        """Read a chat response."""
        message = field(body, "message")
        reason = body.get("finish_reason")
        blocks = message.get("content") or []
        if not blocks or reason in ("ERROR", "TIMEOUT"):
            raise TransientError(f"the response holds no content (finish_reason {reason})")
        thought = [b.get("thinking", "") for b in blocks if b.get("type") == "thinking"]
        usage = body.get("usage") or {}
        tokens = usage.get("billed_units") or usage.get("tokens") or {}
        return Reply(
            text="".join(block.get("text", "") for block in blocks if block.get("type") == "text"),
            stop="length" if reason == "MAX_TOKENS" else "stop",
            thinking="".join(thought),
            input_tokens=as_int(tokens.get("input_tokens")),
            cached_tokens=as_int(usage.get("cached_tokens")),
            output_tokens=as_int(tokens.get("output_tokens")),
        )
