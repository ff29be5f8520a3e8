"""Judges behind HTTP APIs: OpenAI's, Anthropic's or Cohere's format over one aiohttp session.

A judge sends each request once and reports what happened; `collect` decides when to send and when
to retry.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import math
import os
import re
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal

from ...errors import JuriesError
from ...types import Reply, Request
from ..base import CHARACTERS_A_TOKEN, ESTIMATE, Limits, ModelJudge
from ..decoding import Decoding
from ..errors import JudgeUnavailableError, TransientError
from ..pricing import Price
from .batch_api import BatchApi, Caller, batch_api_of
from .reach import unreachable
from .wire import Json
from .wires import wire_of

if TYPE_CHECKING:
    import aiohttp


RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 524, 529})
OVERLOADED = frozenset({429, 503, 529})
UNAVAILABLE = frozenset({401, 402, 403, 404})


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


class HttpJudge(ModelJudge):
    """A model behind a chat API.

    Parameters
    ----------
    name, family : str
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
    note : str
        For reports.

    Raises
    ------
    JuriesError
        If the wire can't give the verdict as requested.
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
        note: str = "",
    ) -> None:
        facts = {"wire": wire, "model": model, "revision": revision}
        super().__init__(
            name, family, decoding or Decoding(), limits or Limits(in_flight=32), facts, note
        )
        server = server or Server()
        self.model = model
        self.price = price
        self.wire_name = wire
        self.wire = wire_of(wire, self.decoding)
        self.base_url = (server.base_url or self.wire.base_url).rstrip("/")
        self.key_env = self.wire.key_env if server.key_env is None else server.key_env
        self.timeout_s = server.timeout_s
        known = tokenizer is not None and importlib.util.find_spec("bpe_openai") is not None
        self.counted_by = str(tokenizer) if known else ESTIMATE
        self._key: str | None = None
        self._session: aiohttp.ClientSession | None = None
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
                f"judge {self.name}: the environment variable {self.key_env} holds no key; set it, "
                f'or set judges.{self.name}.server.key_env="" for a server that needs none'
            )

    async def open(self) -> None:
        """Open a session.

        Raises
        ------
        JudgeUnavailableError
            If the server can't be reached.
        """
        import aiohttp

        url = self.base_url + self.wire.path
        if why := await unreachable(url):
            said = self._scrubbed(f"can't reach {url}: {why}; check server.base_url")
            raise JudgeUnavailableError(f"judge {self.name}: {said}")

        self._session = aiohttp.ClientSession(
            headers=self.wire.headers(self._key, self.decoding),
            timeout=aiohttp.ClientTimeout(total=self.timeout_s, sock_connect=10),
            connector=aiohttp.TCPConnector(limit=self.limits.in_flight),
            # It makes aiohttp read .netrc at each request, so only where a proxy is configured.
            trust_env=bool(urllib.request.getproxies()),
        )

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Send the requests concurrently; see `Judge.ask` for what is raised."""
        if len(requests) == 1:
            return [await self._ask(requests[0])]
        return list(await asyncio.gather(*map(self._ask, requests)))

    async def batch_submit(self, requests: Sequence[Request]) -> str:
        """Submit requests as a batch; return its id. Raises as `batch_api.Caller.raw` does."""
        return await self._batches.submit(self._caller, self.model, requests, self.decoding)

    async def batch_results(
        self, batch: str, choices: Mapping[str, Sequence[str]]
    ) -> dict[str, Reply] | None:
        """Return a batch's replies by key once it has ended, None before.

        `choices` are the verdict words of each key.
        """
        found = await self._batches.results(self._caller, batch, choices)
        if found is None:
            return None
        return {
            key: replace(scrubbed_reply(reply, self._key, None), batched=True)
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
    def _caller(self) -> Caller:
        return Caller(self._opened, self.base_url, self.name)

    @property
    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise JuriesError(f"judge {self.name}: asked before it was opened; call open() first")
        return self._session

    async def _ask(self, request: Request) -> Reply:
        began = time.monotonic()
        decoding = self.decoding.seeded(request.seed)
        body = self.wire.body(self.model, request, decoding)
        status, headers, raw = await self._post(body)
        self.pause_s = pause_asked(headers)
        if status != 200:
            return self._failure(status, headers, raw)
        reply = self._parsed(raw, request.choices)
        return scrubbed_reply(reply, self._key, time.monotonic() - began)

    async def _post(self, body: Json) -> tuple[int, Mapping[str, str], bytes]:
        """Send a request; return the response's status, headers and body."""
        import aiohttp

        url = self.base_url + self.wire.path
        content = {"Content-Type": "application/json"}
        try:
            async with self._opened.post(
                url, data=json.dumps(body).encode(), headers=content
            ) as response:
                return response.status, response.headers, await response.read()
        except aiohttp.InvalidURL:
            raise JudgeUnavailableError(
                f"judge {self.name}: {url!r} is not a URL; fix server.base_url"
            ) from None
        except aiohttp.ClientConnectorError as error:
            said = self._scrubbed(f"can't reach {url}: {error.strerror or error}")
            raise TransientError(said, overloaded=True, unreachable=True) from None
        except TimeoutError:
            raise TransientError(f"no reply within {self.timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise TransientError(self._scrubbed(f"{type(error).__name__}: {error}")) from None

    def _parsed(self, raw: bytes, choices: Sequence[str]) -> Reply:
        """Return the reply that a successful response holds."""
        try:
            body = json.loads(raw)
        except ValueError:
            raise TransientError(f"the response is not JSON: {self._excerpt(raw)}") from None
        try:
            return self.wire.reply(body, choices)
        except (AttributeError, KeyError, TypeError, IndexError) as error:
            raise TransientError(f"the response has an unexpected form ({error!r})") from None

    def _failure(self, status: int, headers: Mapping[str, str], raw: bytes) -> Reply:
        """Return the reply to a rejected request; raise an error where others would fail too."""
        said = f"HTTP {status}: {self._excerpt(raw)}"
        out_of_money = status == 429 and b"insufficient_quota" in raw
        if status in UNAVAILABLE or out_of_money:
            hints = {401: f"; check {self.key_env}", 404: "; check model and base_url"}
            raise JudgeUnavailableError(
                f"judge {self.name} ({self.model} at {self.base_url}): {said}"
                + hints.get(status, "")
            )
        if status in RETRIED or status >= 500:
            raise TransientError(
                said, overloaded=status in OVERLOADED, retry_after=retry_after(headers)
            )
        return Reply(stop="error", error=said)

    def _excerpt(self, raw: bytes) -> str:
        """Return the provider's error message, or the beginning of whatever it sent."""
        text = raw.decode(errors="replace")
        try:
            error = json.loads(text)
            error = error.get("error", error) if isinstance(error, dict) else error
            text = error.get("message", text) if isinstance(error, dict) else str(error)
        except ValueError:
            pass
        return self._scrubbed(" ".join(str(text).split())[:300])

    def _scrubbed(self, text: str) -> str:
        return scrubbed(text, self._key)


def scrubbed(text: str, key: str | None) -> str:
    """Return a text without the key, in case a server has echoed it."""
    return text.replace(key, "[key]") if key else text


def scrubbed_reply(reply: Reply, key: str | None, seconds: float | None) -> Reply:
    """Return a reply without the key in its texts, with its latency."""
    return replace(
        reply,
        text=scrubbed(reply.text, key),
        thinking=scrubbed(reply.thinking, key),
        latency_s=seconds,
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a response asks to wait, None where it does not say.

    From retry-after-ms, else from Retry-After as a number of seconds or as a date.
    """
    milliseconds, value = headers.get("retry-after-ms"), headers.get("Retry-After", "")
    seconds = _number(value) if not milliseconds else _number(milliseconds, 1000)
    if seconds is None and not milliseconds:
        seconds = _until(value, parsedate_to_datetime)
    return None if seconds is None else max(0.0, seconds)


def pause_asked(headers: Mapping[str, str]) -> float:
    """Return the seconds until a used-up rate limit is reset, by the provider's own headers.

    OpenAI's x-ratelimit-remaining-* with a duration ("6m0s", "20ms") and Anthropic's
    anthropic-ratelimit-*-remaining with a time (RFC 3339).
    """
    pause = 0.0
    for what in ("requests", "tokens"):
        if headers.get(f"x-ratelimit-remaining-{what}") == "0":
            pause = max(pause, _duration(headers.get(f"x-ratelimit-reset-{what}", "")))
        if headers.get(f"anthropic-ratelimit-{what}-remaining") == "0":
            reset = headers.get(f"anthropic-ratelimit-{what}-reset", "")
            pause = max(pause, _until(reset, datetime.fromisoformat) or 0.0)
    return pause


def _number(text: str, unit: float = 1.0) -> float | None:
    try:
        number = float(text) / unit
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _duration(text: str) -> float:
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", text)
    return sum(float(number) * units[unit] for number, unit in parts)


def _until(text: str, parse: Callable[[str], datetime]) -> float | None:
    """Return the seconds until a time, None for a text that is no time (with its zone)."""
    try:
        return (parse(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None


def _counter(counted_by: str) -> Callable[[str], int]:
    if counted_by == ESTIMATE:
        return lambda text: len(text) // CHARACTERS_A_TOKEN + 1
    import bpe_openai

    encoding = bpe_openai.get_encoding(f"{counted_by}_base")
    return lambda text: len(encoding.encode(text))
