"""Judges behind an HTTP API: OpenAI's, Anthropic's or Cohere's format over one aiohttp session.

A judge sends one request and says what became of it; when and how often to send is `collect`'s.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal

from ...errors import JuriesError
from ...types import Kind, Reply, Request
from ..base import CHARACTERS_A_TOKEN, ESTIMATE, Limits, PromptedJudge
from ..decoding import Decoding
from ..errors import JudgeUnavailableError, TransientError
from ..pricing import Price
from .batch_api import BatchApi, Caller, batch_api_of
from .wires import wire_of

if TYPE_CHECKING:
    import aiohttp


RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 524, 529})
OVERLOADED = frozenset({429, 503, 529})
NOT_HERE = frozenset({401, 402, 403, 404})


class HttpJudge(PromptedJudge):
    """A model behind a chat API.

    Parameters
    ----------
    name, family : str
    wire : {"openai", "openai_text", "anthropic", "cohere"}
        The format the server speaks; "openai_text" is that of /completions, for base models.
    model : str
        The server's name for the model.
    revision : str
        Which weights that name stands for, where the name alone does not say; part of every key.
    base_url : str, optional
        The wire's own provider by default.
    key_env : str, optional
        The environment variable that holds the key; the wire's usual one by default, "" for none.
    decoding : Decoding
    limits : Limits
    timeout_s : float
        For one reply.
    tokenizer : {"cl100k", "o200k"}, optional
        To count tokens before asking (extra `api`); an estimate by characters elsewhere.
    price : Price, optional
    note : str
        For reports.

    Raises
    ------
    JuriesError
        If the wire can't give the verdict as asked for.
    """

    kind: Kind = "judge"
    free = False

    def __init__(
        self,
        name: str,
        family: str,
        wire: Literal["openai", "openai_text", "anthropic", "cohere"],
        model: str,
        revision: str = "",
        base_url: str | None = None,
        key_env: str | None = None,
        decoding: Decoding | None = None,
        limits: Limits | None = None,
        timeout_s: float = 60.0,
        tokenizer: Literal["cl100k", "o200k"] | None = None,
        price: Price | None = None,
        note: str = "",
    ) -> None:
        self.name = name
        self.family = family
        self.model = model
        self.decoding = decoding or Decoding()
        self.wire_name = wire
        self.wire = wire_of(wire, self.decoding)
        self.base_url = (base_url or self.wire.base_url).rstrip("/")
        self.key_env = self.wire.key_env if key_env is None else key_env
        self.limits = limits or Limits(in_flight=32)
        self.timeout_s = timeout_s
        self.price = price
        self.note = note
        self.fingerprint = {
            "wire": wire,
            "model": model,
            "revision": revision,
            "decoding": self.decoding.facts,
        }
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
                'or key_env="" in its yaml for a server that wants none'
            )

    async def open(self) -> None:
        """Open a session."""
        import aiohttp

        self._session = aiohttp.ClientSession(
            headers=self.wire.headers(self._key, self.decoding),
            timeout=aiohttp.ClientTimeout(total=self.timeout_s, sock_connect=10),
            connector=aiohttp.TCPConnector(limit=self.limits.in_flight),
            # Costs a look into .netrc a call, so only where there is a proxy to find.
            trust_env=bool(urllib.request.getproxies()),
        )

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Send the requests at once; see `Judge.ask` for what is raised."""
        if len(requests) == 1:
            return [await self._ask(requests[0])]
        return list(await asyncio.gather(*map(self._ask, requests)))

    async def batch_submit(self, requests: Sequence[Request]) -> str:
        """Hand requests in as a batch; return its id. Raises as `batch_api.Caller.raw` does."""
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

    @property
    def _batches(self) -> BatchApi:
        return batch_api_of(self.wire_name, self.wire)

    @property
    def _caller(self) -> Caller:
        if self._session is None:
            raise JuriesError(f"judge {self.name} was asked before it was opened")
        return Caller(self._session, self.base_url, self.name)

    def estimate(self, request: Request) -> tuple[int, int]:
        """Count the input tokens (or estimate them); the output may take all that is allowed."""
        texts = [message.content for message in request.messages]
        if self._count is None:
            self._count = _counter(self.counted_by)
        # Each message costs a few tokens of its own.
        return sum(map(self._count, texts)) + 4 * len(texts), self.decoding.max_tokens

    async def _ask(self, request: Request) -> Reply:
        import aiohttp

        if self._session is None:
            raise JuriesError(f"judge {self.name} was asked before it was opened")
        data = json.dumps(self.wire.body(self.model, request, self.decoding)).encode()
        url = self.base_url + self.wire.path
        began = time.monotonic()
        try:
            async with self._session.post(
                url, data=data, headers={"Content-Type": "application/json"}
            ) as response:
                raw = await response.read()
        except aiohttp.InvalidURL:
            raise JudgeUnavailableError(f"judge {self.name}: {url!r} is no URL") from None
        except aiohttp.ClientConnectorError as error:
            said = self._scrubbed(f"can't reach {url}: {error.strerror or error}")
            raise TransientError(said, overloaded=True, unreachable=True) from None
        except TimeoutError:
            raise TransientError(f"no reply within {self.timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise TransientError(self._scrubbed(f"{type(error).__name__}: {error}")) from None
        self.pause_s = pause_asked(response.headers)
        if response.status != 200:
            return self._failure(response.status, response.headers, raw)
        try:
            body = json.loads(raw)
        except ValueError:
            raise TransientError(f"the response is not JSON: {self._excerpt(raw)}") from None
        try:
            reply = self.wire.reply(body, request.choices)
        except (AttributeError, KeyError, TypeError, IndexError) as error:
            raise TransientError(f"the response has another form ({error!r})") from None
        return scrubbed_reply(reply, self._key, time.monotonic() - began)

    def _failure(self, status: int, headers: Mapping[str, str], raw: bytes) -> Reply:
        said = f"HTTP {status}: {self._excerpt(raw)}"
        broke = status == 429 and b"insufficient_quota" in raw
        if status in NOT_HERE or broke:
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
    """Return a text without the key, should a server have echoed it."""
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
    """Return the seconds a response asks to wait: retry-after-ms, or Retry-After in both forms."""
    if milliseconds := headers.get("retry-after-ms"):
        try:
            return max(0.0, float(milliseconds) / 1000)
        except ValueError:
            return None
    value = headers.get("Retry-After")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def pause_asked(headers: Mapping[str, str]) -> float:
    """Return the seconds until a spent rate limit is renewed, by the provider's own headers.

    OpenAI's x-ratelimit-remaining-* with a duration ("6m0s", "20ms") and Anthropic's
    anthropic-ratelimit-*-remaining with a time (RFC 3339).
    """
    pause = 0.0
    for what in ("requests", "tokens"):
        if headers.get(f"x-ratelimit-remaining-{what}") == "0":
            pause = max(pause, _duration(headers.get(f"x-ratelimit-reset-{what}", "")))
        if headers.get(f"anthropic-ratelimit-{what}-remaining") == "0":
            pause = max(pause, _until(headers.get(f"anthropic-ratelimit-{what}-reset", "")))
    return pause


def _duration(text: str) -> float:
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", text)
    return sum(float(number) * units[unit] for number, unit in parts)


def _until(text: str) -> float:
    try:
        return max(0.0, (datetime.fromisoformat(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _counter(counted_by: str) -> Callable[[str], int]:
    if counted_by == ESTIMATE:
        return lambda text: len(text) // CHARACTERS_A_TOKEN + 1
    import bpe_openai

    encoding = bpe_openai.get_encoding(f"{counted_by}_base")
    return lambda text: len(encoding.encode(text))
