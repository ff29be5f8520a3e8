"""Anthropic's wire format: messages."""

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
    stated,
    thinking_of,
    usage,
    verdict_schema,
)


class Anthropic:
    """Anthropic messages. The prefix that all items share is marked for its prompt cache."""

    path: str = "/messages"
    base_url: str = "https://api.anthropic.com/v1"
    key_env: str | None = "ANTHROPIC_API_KEY"
    batch_path: str = "/v1/messages"
    verdicts: tuple[str, ...] = ("text", "schema")
    options: tuple[str, ...] = ("effort", "thinking", "thinking_tokens")
    cache = {"type": "ephemeral"}  # noqa: RUF012 - never changed

    def headers(self, decoding: Decoding) -> dict[str, str]:
        """Return the latest API version that accepts the request.

        Version 2026-10-21 rejects sampling parameters even at their defaults; 2023-06-01 remains
        available to requests that need them (platform.claude.com/docs/en/api/versioning).
        """
        sampling = {"top_p", "top_k", "temperature"} & decoding.extra.keys()
        old = decoding.temperature is not None or sampling
        return {"anthropic-version": "2023-06-01" if old else "2026-10-21"}

    def body(self, model: str, request: Request, decoding: Decoding) -> Json:
        """Return the body of POST /messages."""
        system = [message.content for message in request.messages if message.role == "system"]
        chat = [message for message in request.messages if message.role != "system"]
        *shots, last = chat
        messages: list[Json] = messages_as_json(shots)
        if request.shared:
            messages.append({"role": "user", "content": self._split(last.content, request.shared)})
        else:
            if messages:
                messages[-1]["content"] = [self._text(messages[-1]["content"], cached=True)]
            messages += messages_as_json([last])
        body: Json = {"model": model, "max_tokens": decoding.max_tokens, "messages": messages}
        if system:
            only = not shots and not request.shared
            body["system"] = [self._text("\n\n".join(system), cached=only)]
        if decoding.temperature is not None:
            body["temperature"] = decoding.temperature
        if thinking := thinking_of(decoding, "budget_tokens"):
            body["thinking"] = thinking
        output: Json = {}
        if decoding.effort is not None:
            output["effort"] = decoding.effort
        if decoding.verdict_by == "schema":
            schema = verdict_schema(request.choices)
            output["format"] = {"type": "json_schema", "schema": schema}
        if output:
            body["output_config"] = output
        return body | dict(decoding.extra)

    def _split(self, content: str, shared: int) -> list[Json]:
        parts = [self._text(content[:shared], cached=True)]
        return [*parts, self._text(content[shared:])] if content[shared:] else parts

    def _text(self, text: str, *, cached: bool = False) -> Json:
        block = {"type": "text", "text": text}
        return {**block, "cache_control": self.cache} if cached else block

    def reply(self, body: Json, choices: Sequence[str]) -> Reply:  # noqa: ARG002
        """Parse a message."""
        blocks = field(body, "content")
        end = ending(body.get("stop_reason"))
        if not blocks and end["stop"] not in ("refusal", "error"):
            raise TransientError("the response has no content")
        text, thinking = content_of(blocks)
        # Anthropic counts tokens read from and written to its cache apart from other input.
        apart = ("cache_read_input_tokens", "cache_creation_input_tokens")
        read, written = (usage(body, name) if stated(body, name) else 0 for name in apart)
        fresh = usage(body, "input_tokens")
        known = None not in (fresh, read, written)
        return Reply(
            text=text,
            thinking=thinking,
            **end,
            model=name_of(body),
            input_tokens=(fresh or 0) + (read or 0) + (written or 0) if known else None,
            cached_tokens=read,
            cache_write_tokens=written,
            output_tokens=usage(body, "output_tokens"),
            thinking_tokens=usage(body, "output_tokens_details", "thinking_tokens"),
        )
