"""OpenAI's wire format of today: responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    of_top,
    part,
    refused,
    scored,
    usage,
    verdict_schema,
)


class OpenAIResponses:
    """OpenAI responses, without state: nothing is kept at the provider (`store: false`)."""

    path: str = "/responses"
    base_url: str = "https://api.openai.com/v1"
    key_env: str | None = "OPENAI_API_KEY"
    batch_path: str = "/v1/responses"
    verdicts: tuple[str, ...] = ("text", "schema", "logprobs")
    options: tuple[str, ...] = ("effort",)

    def headers(self, decoding: Decoding) -> dict[str, str]:  # noqa: ARG002
        """Return no headers of its own."""
        return {}

    def body(self, model: str, request: Request, decoding: Decoding) -> Json:
        """Return the body of POST /responses."""
        body: Json = {
            "model": model,
            "input": messages_as_json(request.messages),
            "max_output_tokens": decoding.max_tokens,
            "store": False,
        }
        if decoding.temperature is not None:
            body["temperature"] = decoding.temperature
        if decoding.effort is not None:
            body["reasoning"] = {"effort": decoding.effort}
        match decoding.verdict_by:
            case "logprobs":
                body["include"] = ["message.output_text.logprobs"]
                body["top_logprobs"] = decoding.top
            case "schema":
                schema = verdict_schema(request.choices)
                form = {"type": "json_schema", "name": "verdict", "strict": True, "schema": schema}
                body["text"] = {"format": form}
        return body | dict(decoding.extra)

    def reply(self, body: Json, choices: Sequence[str]) -> Reply:
        """Parse a response: its messages are the reply, its reasoning items the thinking."""
        items = [item for item in field(body, "output") if isinstance(item, dict)]
        contents = [item.get("content") for item in items if item.get("type") == "message"]
        said = [content_of(content) for content in contents]
        thoughts = [
            content_of(item.get(name))
            for item in items
            if item.get("type") == "reasoning"
            for name in ("summary", "content")
        ]
        end = ending(part(body, "incomplete_details").get("reason") or body.get("status"))
        if not contents and end["stop"] == "stop":
            raise TransientError(f"the response has no message (status {body.get('status')})")
        if end["stop"] != "error" and any(map(refused, contents)):
            end["stop"] = "refusal"
        return Reply(
            text="".join(text for text, _ in said),
            thinking="".join(thinking for _, thinking in (*thoughts, *said)),
            **end,
            **scored(_likely(contents), choices),
            model=name_of(body),
            input_tokens=usage(body, "input_tokens"),
            cached_tokens=usage(body, "input_tokens_details", "cached_tokens"),
            cache_write_tokens=usage(body, "input_tokens_details", "cache_write_tokens"),
            output_tokens=usage(body, "output_tokens"),
            thinking_tokens=usage(body, "output_tokens_details", "reasoning_tokens"),
        )


def _likely(contents: Sequence[Any]) -> list[tuple[str, float]]:
    """Return a reply's likeliest first tokens and their log-probabilities, where there are any."""
    match contents:
        case [[{"logprobs": [{"top_logprobs": [*top]}, *_]}, *_], *_]:
            return of_top(top)
    return []
