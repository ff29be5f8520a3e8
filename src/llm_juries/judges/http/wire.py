"""What every wire format has to provide, and helpers they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ...types import Message, Reply, Request
from ..decoding import Decoding
from ..errors import TransientError

Json = dict[str, Any]


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


def messages_as_json(messages: Sequence[Message]) -> list[Json]:
    """Return messages as OpenAI's and Cohere's formats list them."""
    return [{"role": message.role, "content": message.content} for message in messages]


def field(body: Any, name: str) -> Any:
    """Return a field of a response; raise TransientError if it is missing."""
    value = body.get(name) if isinstance(body, dict) else None
    if value is None:
        raise TransientError(f"the response has no field {name!r}")
    return value


def likely_tokens(body: Any) -> list[tuple[str, float]]:
    """Return the likeliest first tokens of a reply and their log-probabilities, none without any.

    As chat completions give them; llama.cpp's completions do so too.
    """
    logprobs = first_choice(field(body, "choices")).get("logprobs") or {}
    content = (logprobs.get("content") or [{}])[0]
    return [(token["token"], token["logprob"]) for token in content.get("top_logprobs") or ()]


def first_choice(choices: Any) -> Json:
    """Return the first choice of a response; raise TransientError if there is none."""
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise TransientError("the response holds no choices")
    return choices[0]


def as_int(number: float | None) -> int | None:
    """Return a count that a vendor may write as a float."""
    return None if number is None else int(number)
