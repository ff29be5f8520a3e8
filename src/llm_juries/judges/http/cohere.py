"""Cohere's wire format: chat, version 2."""

from __future__ import annotations

from collections.abc import Sequence

from ...types import Reply, Request
from ..decoding import Decoding
from ..errors import TransientError
from .wire import (
    Json,
    content_of,
    ending,
    field,
    messages_as_json,
    name_of,
    part,
    thinking_of,
    usage,
    verdict_schema,
)


class Cohere:
    """Cohere chat, version 2."""

    path: str = "/chat"
    base_url: str = "https://api.cohere.com/v2"
    key_env: str | None = "CO_API_KEY"
    batch_path: str = ""
    verdicts: tuple[str, ...] = ("text", "schema")
    options: tuple[str, ...] = ("seed", "thinking", "thinking_tokens")

    def headers(self, decoding: Decoding) -> dict[str, str]:  # noqa: ARG002
        """Return no headers of its own."""
        return {}

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
        if thinking := thinking_of(decoding, "token_budget"):
            body["thinking"] = thinking
        if decoding.verdict_by == "schema":
            schema = verdict_schema(request.choices)
            body["response_format"] = {"type": "json_object", "json_schema": schema}
        return body | dict(decoding.extra)

    def reply(self, body: Json, choices: Sequence[str]) -> Reply:  # noqa: ARG002
        """Parse a chat response."""
        field(body, "message")
        blocks = part(body, "message").get("content")
        end = ending(body.get("finish_reason"))
        if not blocks and end["stop"] != "error":
            raise TransientError(f"the response has no content (finish_reason {end['stop']})")
        text, thinking = content_of(blocks)
        counts = body.get("usage")
        billed = isinstance(counts, dict) and counts.get("billed_units")
        counted = "billed_units" if billed else "tokens"
        return Reply(
            text=text,
            thinking=thinking,
            **end,
            model=name_of(body),
            input_tokens=usage(body, counted, "input_tokens"),
            cached_tokens=usage(body, "cached_tokens"),
            output_tokens=usage(body, counted, "output_tokens"),
        )
