"""The three wire formats of chat APIs: what is sent, and what comes back.

Pure functions from requests to JSON bodies and from JSON bodies to replies; `http` does the
sending. The tests send the same requests through the vendors' own SDKs and compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol

from ..types import JuriesError, Message, Reply, Request
from .base import TransientError, as_text, verdict_logprobs
from .words import begin_alike

Json = dict[str, Any]


@dataclass(frozen=True)
class Decoding:
    """How a model decodes; all of it is part of every key.

    Parameters
    ----------
    verdict_by : {"text", "schema", "choice", "logprobs", "words"}
        "text": the reply is read as text. "schema": structured output, a JSON object whose field
        `verdict` is one of the verdict words. "choice": the server lets only the verdict words
        through (vLLM). "logprobs": by the probabilities of the verdict words at the first token
        (OpenAI's format only). "words": by those of whole verdict words, however many tokens they
        have (llama.cpp). Where words begin alike, "logprobs" gives way to another (see `suited`).
    max_tokens : int
        Of the reply, reasoning included.
    max_tokens_as : {"max_tokens", "max_completion_tokens"}
        What OpenAI's format calls it: its reasoning models take only the latter.
    temperature : float, optional
        None sends none, for models that take none.
    top : int
        How many tokens' probabilities to ask for.
    seed : int, optional
        Where the format has one.
    effort : str, optional
        Of reasoning models: low, medium, high.
    thinking_tokens : int, optional
        Budget of reasoning models (Anthropic, Cohere).
    extra : mapping
        Further fields of the body, sent as they are.
    """

    verdict_by: Literal["text", "schema", "choice", "logprobs", "words"] = "text"
    max_tokens: int = 16
    max_tokens_as: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: float | None = 0.0
    top: int = 20
    seed: int | None = None
    effort: str | None = None
    thinking_tokens: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> Json:
        """What is decoded differently from the defaults: new options leave old keys as they are."""
        return {k: v for k, v in asdict(self).items() if v != asdict(Decoding())[k]}

    def suited(
        self, choices: Sequence[str], instead: Literal["words", "choice", ""] = ""
    ) -> Decoding:
        """Return this decoding, but not by one token where that can't tell the choices apart.

        Parameters
        ----------
        choices : sequence of str
            The verdict words.
        instead : {"words", "choice", ""}
            What the judge has for words of several tokens; "" for nothing.

        Raises
        ------
        JuriesError
            If it has nothing.
        """
        if self.verdict_by != "logprobs" or not begin_alike(choices):
            return self
        if not instead:
            raise JuriesError(
                f"decoding.verdict_by: is 'logprobs', but no single token tells the verdict words "
                f"{', '.join(choices)} apart; set it to text, with max_tokens for a whole word"
            )
        room = max(len(word.encode()) for word in choices) + 1  # no token is shorter than a byte
        tokens = max(self.max_tokens, room) if instead == "choice" else self.max_tokens
        return replace(self, verdict_by=instead, max_tokens=tokens)


class Wire(Protocol):
    """One provider's format."""

    path: str
    base_url: str
    key_env: str | None
    verdicts: tuple[str, ...]

    def headers(self, key: str | None, decoding: Decoding) -> dict[str, str]:
        """Return the headers of a request."""

    def body(self, model: str, request: Request, decoding: Decoding) -> Json:
        """Return the body of a request."""

    def reply(self, body: Any, choices: Sequence[str]) -> Reply:
        """Return what a good response says. Raises TransientError where it says nothing."""


class OpenAI:
    """OpenAI chat completions, spoken by vLLM, llama.cpp, Ollama, Gemini, Mistral and more."""

    path: str = "/chat/completions"
    base_url: str = "https://api.openai.com/v1"
    key_env: str | None = "OPENAI_API_KEY"
    verdicts: tuple[str, ...] = ("text", "schema", "choice", "logprobs")

    def headers(self, key: str | None, decoding: Decoding) -> dict[str, str]:  # noqa: ARG002
        """Return a bearer token where there is a key."""
        return bearer(key)

    def body(self, model: str, request: Request, decoding: Decoding) -> Json:
        """Return the body of POST /chat/completions."""
        body: Json = {"model": model, "messages": _messages(request.messages)}
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
        """Read a chat completion."""
        choice = _first(_field(body, "choices"))
        message = choice.get("message") or {}
        refusal = message.get("refusal")
        stop: Literal["stop", "length", "refusal", "error"] = "stop"
        if refusal or choice.get("finish_reason") == "content_filter":
            stop = "refusal"
        elif choice.get("finish_reason") == "length":
            stop = "length"
        likely = likely_tokens(body)
        usage = body.get("usage") or {}
        return Reply(
            text=refusal or message.get("content") or "",
            stop=stop,
            thinking=message.get("reasoning_content") or message.get("reasoning") or "",
            choice_logprobs=verdict_logprobs(likely, choices),
            input_tokens=usage.get("prompt_tokens"),
            cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
            output_tokens=usage.get("completion_tokens"),
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
        """Read a completion."""
        choice = _first(_field(body, "choices"))
        logprobs = choice.get("logprobs") or {}
        # llama.cpp gives them as chat completions do.
        likely = likely_tokens(body) or ((logprobs.get("top_logprobs") or [{}])[0]).items()
        usage = body.get("usage") or {}
        return Reply(
            text=choice.get("text") or "",
            stop="length" if choice.get("finish_reason") == "length" else "stop",
            choice_logprobs=verdict_logprobs(likely, choices),
            input_tokens=usage.get("prompt_tokens"),
            cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
            output_tokens=usage.get("completion_tokens"),
        )


class Anthropic:
    """Anthropic messages. The prefix that all items share is marked for its prompt cache."""

    path: str = "/messages"
    base_url: str = "https://api.anthropic.com/v1"
    key_env: str | None = "ANTHROPIC_API_KEY"
    verdicts: tuple[str, ...] = ("text", "schema")
    cache = {"type": "ephemeral"}  # noqa: RUF012 - never changed

    def headers(self, key: str | None, decoding: Decoding) -> dict[str, str]:
        """Return a bearer token and the version of the API: the last that takes what is sent.

        Version 2026-10-21 rejects sampling parameters even at their defaults, and 2023-06-01 goes
        on for those who need them (platform.claude.com/docs/en/api/versioning).
        """
        sampling = {"top_p", "top_k", "temperature"} & decoding.extra.keys()
        old = decoding.temperature is not None or sampling
        return bearer(key) | {"anthropic-version": "2023-06-01" if old else "2026-10-21"}

    def body(self, model: str, request: Request, decoding: Decoding) -> Json:
        """Return the body of POST /messages."""
        system = [message.content for message in request.messages if message.role == "system"]
        chat = [message for message in request.messages if message.role != "system"]
        *shots, last = chat
        messages: list[Json] = _messages(shots)
        if request.shared:
            messages.append({"role": "user", "content": self._parted(last.content, request.shared)})
        else:
            if messages:
                messages[-1]["content"] = [self._text(messages[-1]["content"], cached=True)]
            messages += _messages([last])
        body: Json = {"model": model, "max_tokens": decoding.max_tokens, "messages": messages}
        if system:
            only = not shots and not request.shared
            body["system"] = [self._text("\n\n".join(system), cached=only)]
        if decoding.temperature is not None:
            body["temperature"] = decoding.temperature
        if decoding.thinking_tokens is not None:
            body["thinking"] = {"type": "enabled", "budget_tokens": decoding.thinking_tokens}
        output: Json = {}
        if decoding.effort is not None:
            output["effort"] = decoding.effort
        if decoding.verdict_by == "schema":
            schema = verdict_schema(request.choices)
            output["format"] = {"type": "json_schema", "schema": schema}
        if output:
            body["output_config"] = output
        return body | dict(decoding.extra)

    def _parted(self, content: str, shared: int) -> list[Json]:
        parts = [self._text(content[:shared], cached=True)]
        return [*parts, self._text(content[shared:])] if content[shared:] else parts

    def _text(self, text: str, *, cached: bool = False) -> Json:
        block = {"type": "text", "text": text}
        return {**block, "cache_control": self.cache} if cached else block

    def reply(self, body: Any, choices: Sequence[str]) -> Reply:  # noqa: ARG002
        """Read a message."""
        blocks = _field(body, "content")
        text = "".join(block.get("text", "") for block in blocks if block.get("type") == "text")
        thought = [b.get("thinking", "") for b in blocks if b.get("type") == "thinking"]
        reason = body.get("stop_reason")
        if not blocks and reason != "refusal":
            raise TransientError("the response holds no content")
        usage = body.get("usage") or {}
        read = usage.get("cache_read_input_tokens") or 0
        written = usage.get("cache_creation_input_tokens") or 0
        fresh = usage.get("input_tokens")
        cut = ("max_tokens", "model_context_window_exceeded")
        return Reply(
            text=text,
            stop="refusal" if reason == "refusal" else "length" if reason in cut else "stop",
            thinking="".join(thought),
            # Anthropic counts what its cache read and wrote apart from the other input.
            input_tokens=None if fresh is None else fresh + read + written,
            cached_tokens=read,
            cache_write_tokens=written,
            output_tokens=usage.get("output_tokens"),
        )


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
            "messages": _messages(request.messages),
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
        message = _field(body, "message")
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
            input_tokens=_whole(tokens.get("input_tokens")),
            cached_tokens=_whole(usage.get("cached_tokens")),
            output_tokens=_whole(tokens.get("output_tokens")),
        )


WIRES: dict[str, Wire] = {
    "openai": OpenAI(),
    "openai_text": OpenAIText(),
    "anthropic": Anthropic(),
    "cohere": Cohere(),
}


def wire_of(name: str, decoding: Decoding) -> Wire:
    """Return a wire format, after checking that it can give the verdict as asked for."""
    wire = WIRES[name]
    if decoding.verdict_by not in wire.verdicts:
        raise JuriesError(
            f"decoding.verdict_by: {name} has no {decoding.verdict_by!r}; "
            f"there are: {', '.join(wire.verdicts)}"
        )
    return wire


def bearer(key: str | None) -> dict[str, str]:
    """Return the header that carries a key, none where there is no key."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def verdict_schema(choices: Sequence[str]) -> Json:
    """Return the JSON schema of an object with one field, the verdict word."""
    return {
        "type": "object",
        "properties": {"verdict": {"type": "string", "enum": list(choices)}},
        "required": ["verdict"],
        "additionalProperties": False,
    }


def _messages(messages: Sequence[Message]) -> list[Json]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _field(body: Any, name: str) -> Any:
    value = body.get(name) if isinstance(body, dict) else None
    if value is None:
        raise TransientError(f"the response has no field {name!r}")
    return value


def likely_tokens(body: Any) -> list[tuple[str, float]]:
    """Return the likeliest first tokens of a reply and their log-probabilities, none without any.

    As chat completions give them; llama.cpp's completions do so too.
    """
    logprobs = _first(_field(body, "choices")).get("logprobs") or {}
    content = (logprobs.get("content") or [{}])[0]
    return [(token["token"], token["logprob"]) for token in content.get("top_logprobs") or ()]


def _first(choices: Any) -> Json:
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise TransientError("the response holds no choices")
    return choices[0]


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
