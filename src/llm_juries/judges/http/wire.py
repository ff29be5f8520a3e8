"""The interface of a wire format, and the helpers that the formats share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ...types import Message, Reply, Request
from ..decoding import Decoding
from ..errors import TransientError

Json = dict[str, Any]


class Wire(Protocol):
    """One provider's request and response format.

    Attributes
    ----------
    path, base_url : str
        Where requests are sent by default.
    key_env : str or None
        The environment variable that usually holds the key.
    verdicts : tuple of str
        The values of `Decoding.verdict_by` that the format supports.
    """

    path: str
    base_url: str
    key_env: str | None
    verdicts: tuple[str, ...]

    def headers(self, key: str | None, decoding: Decoding) -> dict[str, str]:
        """Return the headers of a request."""

    def body(self, model: str, request: Request, decoding: Decoding) -> Json:
        """Return the body of a request."""

    def reply(self, body: Any, choices: Sequence[str]) -> Reply:
        """Parse a successful response. Raises TransientError if it holds no reply."""


def bearer(key: str | None) -> dict[str, str]:
    """Return the authorization header, none without a key."""
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


def blocks_of(blocks: Sequence[Json], kind: str, name: str) -> str:
    """Return the joined texts of a message's content blocks of one type."""
    return "".join(block.get(name, "") for block in blocks if block.get("type") == kind)


def usage(body: Json, *path: str) -> int | None:
    """Return a token count of a response's usage, None where the provider sent none.

    Parameters
    ----------
    body : dict
        The response.
    path : str
        The names of nested fields, from `usage` on. Some vendors write counts as floats.
    """
    found: Any = body.get("usage")
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    number = isinstance(found, int | float) and not isinstance(found, bool)
    return int(found) if number and math.isfinite(found) else None


def likely_tokens(body: Any) -> list[tuple[str, float]]:
    """Return a reply's likeliest first tokens and their log-probabilities, where there are any.

    As chat completions return them, and llama.cpp's completions too.
    """
    logprobs = first_choice(field(body, "choices")).get("logprobs") or {}
    content = (logprobs.get("content") or [{}])[0]
    return [(token["token"], token["logprob"]) for token in content.get("top_logprobs") or ()]


def first_choice(choices: Any) -> Json:
    """Return the first choice of a response; raise TransientError if there is none."""
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise TransientError("the response has no choices")
    return choices[0]
