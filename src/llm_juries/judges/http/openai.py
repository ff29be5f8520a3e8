"""OpenAI's wire formats: chat completions and raw completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...types import Reply, Request
from ..base import as_text
from ..decoding import Decoding
from ..word_logprobs import verdict_logprobs
from .wire import (
    Json,
    bearer,
    field,
    first_choice,
    likely_tokens,
    messages_as_json,
    usage,
    verdict_schema,
)


class OpenAI:
    """OpenAI chat completions, also the format of vLLM, Ollama, Gemini, Mistral and more."""

    path: str = "/chat/completions"
    base_url: str = "https://api.openai.com/v1"
    key_env: str | None = "OPENAI_API_KEY"
    verdicts: tuple[str, ...] = ("text", "schema", "choice", "logprobs")

    def headers(self, key: str | None, decoding: Decoding) -> dict[str, str]:  # noqa: ARG002
        """Return a bearer token if there is a key."""
        return bearer(key)

    def body(self, model: str, request: Request, decoding: Decoding) -> Json:
        """Return the body of POST /chat/completions."""
        body: Json = {"model": model, "messages": messages_as_json(request.messages)}
        body[decoding.max_tokens_as] = decoding.max_tokens
        if decoding.temperature is not None:
            body["temperature"] = decoding.temperature
        if decoding.seed is not None:
            body["seed"] = decoding.seed
        if decoding.effort is not None:
            body["reasoning_effort"] = decoding.effort
        match decoding.verdict_by:
            case "logprobs":
                body |= {"logprobs": True, "top_logprobs": decoding.top}
            case "choice":
                body["structured_outputs"] = {"choice": list(request.choices)}
            case "schema":
                body["response_format"] = {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "verdict",
                        "strict": True,
                        "schema": verdict_schema(request.choices),
                    },
                }
        return body | dict(decoding.extra)

    def reply(self, body: Any, choices: Sequence[str]) -> Reply:
        """Parse a chat completion."""
        choice = first_choice(field(body, "choices"))
        message = choice.get("message") or {}
        refusal, reason = message.get("refusal"), choice.get("finish_reason")
        refused = refusal or reason == "content_filter"
        return Reply(
            text=refusal or message.get("content") or "",
            stop="refusal" if refused else "length" if reason == "length" else "stop",
            thinking=message.get("reasoning_content") or message.get("reasoning") or "",
            choice_logprobs=verdict_logprobs(likely_tokens(body), choices),
            **_usage(body),
        )


class OpenAIText(OpenAI):
    """OpenAI completions: the messages as one text to continue, for base and very small models."""

    path: str = "/completions"
    verdicts: tuple[str, ...] = ("text", "choice", "logprobs")

    def body(self, model: str, request: Request, decoding: Decoding) -> Json:
        """Return the body of POST /completions."""
        body = super().body(model, request, decoding)
        del body["messages"]
        body["prompt"] = as_text(request.messages)
        if body.pop("logprobs", None):
            body["logprobs"] = body.pop("top_logprobs")
        return body

    def reply(self, body: Any, choices: Sequence[str]) -> Reply:
        """Parse a completion."""
        choice = first_choice(field(body, "choices"))
        logprobs = choice.get("logprobs") or {}
        # llama.cpp returns them as chat completions do.
        likely = likely_tokens(body) or ((logprobs.get("top_logprobs") or [{}])[0]).items()
        return Reply(
            text=choice.get("text") or "",
            stop="length" if choice.get("finish_reason") == "length" else "stop",
            choice_logprobs=verdict_logprobs(likely, choices),
            **_usage(body),
        )


def _usage(body: Json) -> dict[str, Any]:
    """Return the token counts of a response, as fields of a Reply."""
    return {
        "input_tokens": usage(body, "prompt_tokens"),
        "cached_tokens": usage(body, "prompt_tokens_details", "cached_tokens"),
        "output_tokens": usage(body, "completion_tokens"),
    }
