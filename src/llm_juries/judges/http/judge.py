"""Judges behind HTTP APIs: OpenAI's, Anthropic's or Cohere's formats over one aiohttp session.

A judge sends each request once and reports what happened; `collect` decides when to send and when
to retry.
"""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import msgspec

from ...errors import JuriesError
from ...prompts.special_tokens import apart, looking_special
from ...types import Reply, Request
from ..base import CHARACTERS_A_TOKEN, ESTIMATE, Limits, ModelJudge
from ..decoding import Decoding
from ..errors import JudgeUnavailableError, TransientError
from ..lifetimes import Lifetime
from ..pricing import Price
from .addresses import address_of
from .batch_api import BatchApi, Submission, batch_api_of
from .client import Client, Response
from .credentials import Credentials
from .failures import Failure, excerpt, failure_of, failure_within
from .reach import unreachable
from .server import Server
from .usage import believed
from .waits import pause_asked, retry_after
from .wire import Json, Wire, decoded, reply_of
from .wires import wire_of

AS_JSON = {"Content-Type": "application/json"}
WireName = Literal[
    "openai",
    "openai_text",
    "openai_responses",
    "anthropic",
    "cohere",
    "systemone",
    "decisions",
]
MOST_RAW = 1 << 16  # characters of a malformed response that are kept


class HttpJudge(ModelJudge):
    """A model behind a chat API.

    Parameters
    ----------
    name, family, vendor : str
        See `Judge`.
    wire : {"openai", "openai_text", "openai_responses", "anthropic", "cohere"}
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

    Attributes
    ----------
    address : str
        The server's host and path, for reports: two servers may call different models alike.
    """

    def __init__(
        self,
        name: str,
        family: str,
        wire: WireName,
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
        self.wire = self._wire(wire)
        self.server = server
        self.base_url = (server.base_url or self.wire.base_url).rstrip("/")
        self.address = address_of(self.base_url)
        self.path = server.path_of(self.wire.path, model)
        self.parses_special = server.base_url is not None  # the vendors' own APIs do not
        self.key_env = self.wire.key_env if server.key_env is None else server.key_env
        if server.key_command or not server.key_header:
            self.key_env = ""
        self.credentials = Credentials(name, server, self.base_url, self.key_env)
        known = tokenizer is not None and importlib.util.find_spec("bpe_openai") is not None
        self.counted_by = str(tokenizer) if known else ESTIMATE
        self._client: Client | None = None
        self._count: Callable[[str], int] | None = None

    def _wire(self, name: str) -> Wire:
        return wire_of(name, self.decoding)

    async def ready(self) -> None:
        """Take the key from the environment, or from the command that prints it.

        Raises
        ------
        JudgeUnavailableError
            If there is none.
        """
        await self.credentials.read()

    async def open(self) -> None:
        """Open a session.

        Raises
        ------
        JudgeUnavailableError
            If the server can't be reached, or the environment's proxy can't be used.
        """
        url = self.base_url + self.path
        if why := await unreachable(url):
            said = self.credentials.scrubbed(f"can't reach {url}: {why}; check server.base_url")
            raise JudgeUnavailableError(f"judge {self.name}: {said}")
        self._client = Client(
            self.name,
            self.base_url,
            self.wire.headers(self.decoding),
            self.server.timeout_s,
            self.limits.in_flight,
            self.credentials,
            self.server.query,
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

    async def batch_upload(self, requests: Sequence[Request]) -> str:
        """Upload the requests of a batch; return the file's id, "" where the API has no files."""
        asked = [self.plain(request) for request in requests]
        return await self._batches.upload(self._opened, self.model, asked, self.decoding)

    async def batch_submit(self, requests: Sequence[Request], file: str) -> str:
        """Start a batch of requests that were uploaded; return its id.

        Raises as `batch_api.call` does.
        """
        asked = [self.plain(request) for request in requests]
        return await self._batches.submit(self._opened, self.model, asked, self.decoding, file)

    async def batch_find(self, submission: Submission) -> str:
        """Return the id of a batch that may have been started, "" where none is listed."""
        return await self._batches.find(self._opened, submission)

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

    def read(self, request: Request, response: Response) -> Reply:
        """Return what a response holds: a reply, or the error of a request that failed.

        Raises as `Judge.ask` does, where others would fail too or another attempt may succeed.
        """
        held = self._held(response)
        if not isinstance(held, Reply):
            held = reply_of(self.wire, held, request.choices, raw_of(response))
        return self._checked(request, held)

    def estimate(self, request: Request) -> tuple[int, int]:
        """Count the input tokens (or estimate them); the output may use all that is allowed."""
        texts = [message.content for message in request.messages]
        if self._count is None:
            self._count = _counter(self.counted_by)
        # Each message costs a few tokens of its own.
        return sum(map(self._count, texts)) + 4 * len(texts), self.decoding.most_tokens

    @property
    def _batches(self) -> BatchApi:
        return batch_api_of(self.wire_name, self.wire, self.server.batch)

    @property
    def _opened(self) -> Client:
        if self._client is None:
            raise JuriesError(f"judge {self.name}: asked before it was opened; call open() first")
        return self._client

    def plain(self, request: Request) -> Request:
        """Return a request whose texts hold no special token that a server might read as one."""
        forged = looking_special(*(m.content for m in request.messages)) - set(request.special)
        if not (forged and self.parses_special):
            return request
        messages = tuple(m._replace(content=apart(m.content, forged)) for m in request.messages)
        return replace(request, messages=messages)

    async def _ask(self, request: Request) -> Reply:
        began = time.monotonic()
        decoding = self.decoding.seeded(request.seed)
        body = self.wire.body(self.model, self.plain(request), decoding)
        reply = self.read(request, await self._posted(body))
        return replace(reply, latency_s=time.monotonic() - began)

    async def _posted(self, body: Json) -> Response:
        response = await self._opened.send(
            "POST", self.path, data=msgspec.json.encode(body), headers=AS_JSON
        )
        self.pause_s = pause_asked(response.headers)
        return response

    def _held(self, response: Response) -> Json | Reply:
        """Return what a response holds, or the reply to a request that failed.

        Raises an error where others would fail too, or another attempt may succeed.
        """
        if not response.ok:
            return self._failed(failure_of(response.status, response.body), response)
        try:
            body = decoded(response.body)
        except ValueError as error:
            said = f"the response is {error}: {excerpt(response.body)[:300]}"
            raise TransientError(said, raw=raw_of(response)) from None
        if not isinstance(body, dict):
            said = f"the response is not an object: {excerpt(response.body)[:300]}"
            raise TransientError(said, raw=raw_of(response))
        if failure := failure_within(body):
            return self._failed(failure, response)
        return body

    def _failed(self, failure: Failure, response: Response) -> Reply:
        """Return the reply to a rejected request; raise an error where others would fail too."""
        failure = replace(failure, message=self.credentials.scrubbed(failure.message))
        match failure.effect:
            case "unavailable":
                hints = {
                    401: f"; check {self.credentials.named}",
                    404: "; check model and base_url",
                }
                raise JudgeUnavailableError(
                    f"judge {self.name} ({self.model} at {self.base_url}): {failure}"
                    + hints.get(failure.status, ""),
                    failure.denied,
                )
            case "transient":
                raise TransientError(
                    str(failure),
                    overloaded=failure.overloaded,
                    retry_after=retry_after(response.headers),
                )
        return failure.reply()

    def _checked(self, request: Request, reply: Reply, latency_s: float | None = None) -> Reply:
        """Return a reply without the key, and without a usage that can't be true."""
        texts: dict[str, Any] = {}
        if self.credentials.known:
            texts = {
                name: self.credentials.scrubbed(getattr(reply, name))
                for name in ("text", "error", "thinking", "finish_reason", "model")
            }
        reply = replace(reply, server=self.address, latency_s=latency_s, **texts)
        return believed(self.name, request, self.decoding, reply)


def _check_written_for(model: str, price: Price | None, lifetime: Lifetime | None) -> None:
    """Refuse a price or lifetime that was written for another model than the one to be asked."""
    facts = {"price": price, "lifetime": lifetime}
    for name, fact in facts.items():
        if fact is not None and fact.model not in ("", model):
            raise JuriesError(
                f"{name}: is that of {fact.model}, and the model is {model}; set the {name} of "
                f"this model, with {name}.model={model}, or {name}=null"
            )


def raw_of(response: Response) -> str:
    """Return as much of a response as is kept with a reply that is malformed."""
    return response.body[:MOST_RAW].decode(errors="replace")


def _counter(counted_by: str) -> Callable[[str], int]:
    if counted_by == ESTIMATE:
        return lambda text: len(text) // CHARACTERS_A_TOKEN + 1
    import bpe_openai

    encoding = bpe_openai.get_encoding(f"{counted_by}_base")
    return lambda text: len(encoding.encode(text))
