"""Judges behind HTTP APIs: OpenAI's, Anthropic's or Cohere's format over one aiohttp session.

A judge sends each request once and reports what happened; `collect` decides when to send and when
to retry.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from ...errors import JuriesError
from ...prompts.special_tokens import apart, looking_special
from ...redaction import SHORTEST, redacted, url_problem
from ...types import Reply, Request
from ..base import CHARACTERS_A_TOKEN, ESTIMATE, Limits, ModelJudge
from ..decoding import Decoding
from ..errors import JudgeUnavailableError, TransientError
from ..lifetimes import Lifetime
from ..pricing import Price
from .batch_api import BatchApi, batch_api_of
from .client import Client, Response, is_private
from .failures import Failure, excerpt, failure_of, failure_within
from .reach import unreachable
from .usage import believed
from .waits import pause_asked, retry_after
from .wire import decoded, reply_of
from .wires import wire_of

AS_JSON = {"Content-Type": "application/json"}
MOST_RAW = 1 << 16  # characters of a malformed response that are kept


@dataclass(frozen=True)
class Server:
    """Where an API is and how to get in.

    Parameters
    ----------
    base_url : str, optional
        The wire's own provider by default.
    key_env : str, optional
        The environment variable that holds the key; the wire's usual one by default, "" for none.
    timeout_s : float
        For one reply.
    """

    base_url: str | None = None
    key_env: str | None = None
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        if problem := url_problem(self.base_url):
            raise JuriesError(f"base_url: {problem}")


class HttpJudge(ModelJudge):
    """A model behind a chat API.

    Parameters
    ----------
    name, family, vendor : str
        See `Judge`.
    wire : {"openai", "openai_text", "anthropic", "cohere"}
        The server's format; "openai_text" is that of /completions, for base models.
    model : str
        The server's name for the model.
    revision : str
        Which weights that name stands for, if the name alone does not say; part of every key.
    server : Server, optional
        The wire's own provider by default.
    decoding : Decoding, optional
    limits : Limits, optional
    tokenizer : {"cl100k", "o200k"}, optional
        To count tokens before asking (extra `api`); an estimate by characters otherwise.
    price : Price, optional
    lifetime : Lifetime, optional
        How long the model is served.
    note : str
        For reports.

    Raises
    ------
    JuriesError
        If the wire can't give the verdict as requested, or price or lifetime are another model's.
    """

    def __init__(
        self,
        name: str,
        family: str,
        wire: Literal["openai", "openai_text", "anthropic", "cohere"],
        model: str,
        revision: str = "",
        server: Server | None = None,
        decoding: Decoding | None = None,
        limits: Limits | None = None,
        tokenizer: Literal["cl100k", "o200k"] | None = None,
        price: Price | None = None,
        lifetime: Lifetime | None = None,
        note: str = "",
        vendor: str = "",
    ) -> None:
        facts = {"wire": wire, "model": model, "revision": revision}
        decoding, limits = decoding or Decoding(), limits or Limits(in_flight=32)
        super().__init__(name, family, decoding, limits, facts, note, vendor)
        server = server or Server()
        _check_written_for(model, price, lifetime)
        self.model = model
        self.price = price
        self.lifetime = lifetime
        self.wire_name = wire
        self.wire = wire_of(wire, self.decoding)
        self.base_url = (server.base_url or self.wire.base_url).rstrip("/")
        self.parses_special = server.base_url is not None  # the vendors' own APIs do not
        self.key_env = self.wire.key_env if server.key_env is None else server.key_env
        self.timeout_s = server.timeout_s
        known = tokenizer is not None and importlib.util.find_spec("bpe_openai") is not None
        self.counted_by = str(tokenizer) if known else ESTIMATE
        self._key: str | None = None
        self._client: Client | None = None
        self._count: Callable[[str], int] | None = None

    async def ready(self) -> None:
        """Take the key from the environment.

        Raises
        ------
        JudgeUnavailableError
            If the environment has none.
        """
        self._key = os.environ.get(self.key_env) if self.key_env else None
        if self.key_env and not self._key:
            raise JudgeUnavailableError(
                f"judge {self.name}: the environment variable {self._named} holds no key; set it, "
                'or server.key_env="" in its config for a server that needs none'
            )
        if self._key and len(self._key) < SHORTEST and not is_private(self.base_url):
            raise JudgeUnavailableError(
                f"judge {self.name}: the key in {self._named} has fewer than {SHORTEST} "
                "characters, too short to be recognised and kept out of files; only servers on "
                "this machine or a private network take such a key"
            )
        if self._key and not (self._key.isascii() and self._key.isprintable()):
            raise JudgeUnavailableError(
                f"judge {self.name}: the key in {self._named} has a line break or another sign "
                "that no key has; export it again"
            )

    @property
    def _named(self) -> str:
        """The variable's name, unless it may be a key that was given in its place."""
        name = str(self.key_env)
        return name if name.isupper() else "that server.key_env names"

    async def open(self) -> None:
        """Open a session.

        Raises
        ------
        JudgeUnavailableError
            If the server can't be reached, or the environment's proxy can't be used.
        """
        url = self.base_url + self.wire.path
        if why := await unreachable(url):
            said = scrubbed(f"can't reach {url}: {why}; check server.base_url", self._key)
            raise JudgeUnavailableError(f"judge {self.name}: {said}")
        self._client = Client(
            self.name,
            self.base_url,
            self.wire.headers(self._key, self.decoding),
            self.timeout_s,
            self.limits.in_flight,
            self._key,
        )
        await self._client.open()

    async def close(self) -> None:
        """Close the session."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Send the requests concurrently; see `Judge.ask` for what is raised."""
        if len(requests) == 1:
            return [await self._ask(requests[0])]
        return list(await asyncio.gather(*map(self._ask, requests)))

    async def batch_submit(self, requests: Sequence[Request]) -> str:
        """Submit requests as a batch; return its id. Raises as `batch_api.call` does."""
        asked = [self._plain(request) for request in requests]
        return await self._batches.submit(self._opened, self.model, asked, self.decoding)

    async def batch_results(
        self, batch: str, requests: Mapping[str, Request]
    ) -> dict[str, Reply] | None:
        """Return the replies to some of a batch's requests by key once it has ended, None before.

        Raises as `batch_api.call` does.
        """
        found = await self._batches.results(self._opened, batch, requests)
        if found is None:
            return None
        return {
            key: replace(self._checked(requests[key], reply), batched=True)
            for key, reply in found.items()
        }

    def estimate(self, request: Request) -> tuple[int, int]:
        """Count the input tokens (or estimate them); the output may use all that is allowed."""
        texts = [message.content for message in request.messages]
        if self._count is None:
            self._count = _counter(self.counted_by)
        # Each message costs a few tokens of its own.
        return sum(map(self._count, texts)) + 4 * len(texts), self.decoding.max_tokens

    @property
    def _batches(self) -> BatchApi:
        return batch_api_of(self.wire_name, self.wire)

    @property
    def _opened(self) -> Client:
        if self._client is None:
            raise JuriesError(f"judge {self.name}: asked before it was opened; call open() first")
        return self._client

    def _plain(self, request: Request) -> Request:
        """Return a request whose texts hold no special token that a server might read as one."""
        forged = looking_special(*(m.content for m in request.messages)) - set(request.special)
        if not (forged and self.parses_special):
            return request
        messages = tuple(m._replace(content=apart(m.content, forged)) for m in request.messages)
        return replace(request, messages=messages)

    async def _ask(self, request: Request) -> Reply:
        began = time.monotonic()
        decoding = self.decoding.seeded(request.seed)
        body = self.wire.body(self.model, self._plain(request), decoding)
        response = await self._opened.send(
            "POST", self.wire.path, data=msgspec.json.encode(body), headers=AS_JSON
        )
        self.pause_s = pause_asked(response.headers)
        if response.ok:
            reply = self._reply(request, response)
        else:
            reply = self._failed(failure_of(response.status, response.body), response)
        return replace(self._checked(request, reply), latency_s=time.monotonic() - began)

    def _reply(self, request: Request, response: Response) -> Reply:
        """Return what a successful response holds: a reply, or an error after all."""
        raw = response.body[:MOST_RAW].decode(errors="replace")
        try:
            body = decoded(response.body)
        except ValueError as error:
            said = f"the response is {error}: {excerpt(response.body)[:300]}"
            raise TransientError(said, raw=raw) from None
        if not isinstance(body, dict):
            said = f"the response is not an object: {excerpt(response.body)[:300]}"
            raise TransientError(said, raw=raw)
        if failure := failure_within(body):
            return self._failed(failure, response)
        return reply_of(self.wire, body, request.choices, raw)

    def _failed(self, failure: Failure, response: Response) -> Reply:
        """Return the reply to a rejected request; raise an error where others would fail too."""
        failure = replace(failure, message=scrubbed(failure.message, self._key))
        match failure.effect:
            case "unavailable":
                key = self.key_env or "server.key_env, which names no variable with a key"
                hints = {401: f"; check {key}", 404: "; check model and base_url"}
                raise JudgeUnavailableError(
                    f"judge {self.name} ({self.model} at {self.base_url}): {failure}"
                    + hints.get(failure.status, "")
                )
            case "transient":
                raise TransientError(
                    str(failure),
                    overloaded=failure.overloaded,
                    retry_after=retry_after(response.headers),
                )
        return failure.reply()

    def _checked(self, request: Request, reply: Reply) -> Reply:
        """Return a reply without the key, and without a usage that can't be true."""
        return believed(self.name, request, self.decoding, scrubbed_reply(reply, self._key))


def _check_written_for(model: str, price: Price | None, lifetime: Lifetime | None) -> None:
    """Refuse a price or lifetime that was written for another model than the one to be asked."""
    facts = {"price": price, "lifetime": lifetime}
    for name, fact in facts.items():
        if fact is not None and fact.model not in ("", model):
            raise JuriesError(
                f"{name}: is that of {fact.model}, and the model is {model}; set the {name} of "
                f"this model, with {name}.model={model}, or {name}=null"
            )


def scrubbed(text: str, key: str | None) -> str:
    """Return a text without the key, in case a server has echoed it."""
    return redacted(text, [key], "[key]") if key else text


def scrubbed_reply(reply: Reply, key: str | None) -> Reply:
    """Return a reply without the key in its texts."""
    if not key:
        return reply
    texts: dict[str, Any] = {
        name: scrubbed(getattr(reply, name), key)
        for name in ("text", "error", "thinking", "finish_reason", "model")
    }
    return replace(reply, **texts)


def _counter(counted_by: str) -> Callable[[str], int]:
    if counted_by == ESTIMATE:
        return lambda text: len(text) // CHARACTERS_A_TOKEN + 1
    import bpe_openai

    encoding = bpe_openai.get_encoding(f"{counted_by}_base")
    return lambda text: len(encoding.encode(text))
