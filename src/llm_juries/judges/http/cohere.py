"""Cohere's wire format: chat, version 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...types import Reply, Request
from ..decoding import Decoding
from ..errors import TransientError
from .wire import Json, bearer, blocks_of, field, messages_as_json, usage, verdict_schema


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
        """Parse a chat response."""
        message = field(body, "message")
        reason = body.get("finish_reason")
        blocks = message.get("content") or []
        if not blocks or reason in ("ERROR", "TIMEOUT"):
            raise TransientError(f"the response has no content (finish_reason {reason})")
        counted = "billed_units" if (body.get("usage") or {}).get("billed_units") else "tokens"
        return Reply(
            text=blocks_of(blocks, "text", "text"),
            stop="length" if reason == "MAX_TOKENS" else "stop",
            thinking=blocks_of(blocks, "thinking", "thinking"),
            input_tokens=usage(body, counted, "input_tokens"),
            cached_tokens=usage(body, "cached_tokens"),
            output_tokens=usage(body, counted, "output_tokens"),
        )
