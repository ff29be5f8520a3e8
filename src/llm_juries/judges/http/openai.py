"""OpenAI's wire formats: chat completions and raw completions."""

from __future__ import annotations

from collections.abc import Sequence

from ...types import Reply, Request
from ..base import as_text
from ..decoding import Decoding
from .wire import (
    Json,
    believable,
    content_of,
    ending,
    first_choice,
    likely_tokens,
    messages_as_json,
    name_of,
    part,
    refused,
    scored,
    stated,
    usage,
    verdict_schema,
    words_of,
)


class OpenAI:
    """OpenAI chat completions, also the format of vLLM, Ollama, Gemini, Mistral and more."""

    path: str = "/chat/completions"
    base_url: str = "https://api.openai.com/v1"
    key_env: str | None = "OPENAI_API_KEY"
    batch_path: str = "/v1/chat/completions"
    verdicts: tuple[str, ...] = ("text", "schema", "choice", "logprobs")
    options: tuple[str, ...] = ("seed", "effort", "thinking", "thinking_tokens", "max_tokens_as")

    def headers(self, decoding: Decoding) -> dict[str, str]:  # noqa: ARG002
        """Return no headers of its own."""
        return {}

    def body(self, model: str, request: Request, decoding: Decoding) -> Json:
        """Return the body of POST /chat/completions."""
        body: Json = {"model": model, "messages": messages_as_json(request.messages)}
        body[decoding.max_tokens_as] = decoding.max_tokens
        if decoding.temperature is not None:
            body["temperature"] = decoding.temperature
        if decoding.seed is not None:
            body[decoding.seed_as] = decoding.seed
        if decoding.effort is not None:
            body["reasoning_effort"] = decoding.effort
        if decoding.thinking is not None:  # DeepSeek's
            body["thinking"] = {"type": decoding.thinking}
        if decoding.thinking_tokens is not None:  # vLLM's
            body["thinking_token_budget"] = decoding.thinking_tokens
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

    def reply(self, body: Json, choices: Sequence[str]) -> Reply:
        """Parse a chat completion."""
        choice = first_choice(body)
        message = part(choice, "message")
        end = ending(choice.get("finish_reason"))
        refusal = words_of(message["refusal"]) if message.get("refusal") else ""
        text, thinking = content_of(message.get("content"))
        if end["stop"] != "error" and (refusal or refused(message.get("content"))):
            end["stop"] = "refusal"
        apart = message.get("reasoning_content") or message.get("reasoning")
        return Reply(
            text=refusal or text,
            thinking=words_of(apart) if apart else thinking,
            **end,
            **scored(likely_tokens(body), choices),
            **_about(body),
        )


class OpenAIText(OpenAI):
    """OpenAI completions: the messages as one text to continue, for base and very small models."""

    path: str = "/completions"
    batch_path: str = "/v1/completions"
    verdicts: tuple[str, ...] = ("text", "choice", "logprobs")
    options: tuple[str, ...] = ("seed", "thinking_tokens", "max_tokens_as")

    def body(self, model: str, request: Request, decoding: Decoding) -> Json:
        """Return the body of POST /completions."""
        body = super().body(model, request, decoding)
        del body["messages"]
        body["prompt"] = as_text(request.messages)
        if body.pop("logprobs", None):
            body["logprobs"] = body.pop("top_logprobs")
        return body

    def reply(self, body: Json, choices: Sequence[str]) -> Reply:
        """Parse a completion."""
        choice = first_choice(body)
        text, thinking = content_of(choice.get("text"), "text")
        likely = likely_tokens(body)  # llama.cpp returns them as chat completions do
        if not likely:
            match choice.get("logprobs"):
                case {"top_logprobs": [{**first}, *_]}:
                    likely = believable(list(first.items()))
        return Reply(
            text=text,
            thinking=thinking,
            **ending(choice.get("finish_reason")),
            **scored(likely, choices),
            **_about(body),
        )


def _about(body: Json) -> Json:
    """Return the model's name and the token counts of a response, as fields of a Reply.

    Some servers (xAI, Gemini) leave reasoning out of completion_tokens, though it is paid for as
    output: what the total has beyond both counts is added to the output, as reasoning.
    """
    sent, said = usage(body, "prompt_tokens"), usage(body, "completion_tokens")
    thought = usage(body, "completion_tokens_details", "reasoning_tokens")
    total = usage(body, "total_tokens") if stated(body, "total_tokens") else None
    if sent is not None and said is not None and total is not None and total > sent + said:
        thought, said = max(thought or 0, total - sent - said), total - sent
    return {
        "model": name_of(body),
        "input_tokens": sent,
        "cached_tokens": usage(body, "prompt_tokens_details", "cached_tokens"),
        "cache_write_tokens": usage(body, "prompt_tokens_details", "cache_write_tokens"),
        "output_tokens": said,
        "thinking_tokens": thought,
    }
