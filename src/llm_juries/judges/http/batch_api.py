"""Batch APIs of OpenAI and Anthropic: submit many requests at a lower price, fetch replies later.

OpenAI: a file of requests, a batch over it, files of results and of errors. Anthropic: one call
with all requests, one stream of results. Both return each request's own id, which is its key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import JuriesError
from ...types import Reply, Request
from ..decoding import Decoding
from ..errors import JudgeUnavailableError, TransientError
from .wire import Wire

if TYPE_CHECKING:
    import aiohttp


Results = dict[str, Reply]


class BatchApi(Protocol):
    """One provider's batch API."""

    async def submit(
        self, post: Caller, model: str, requests: Sequence[Request], decoding: Decoding
    ) -> str:
        """Submit requests; return the batch's id."""

    async def results(
        self, post: Caller, batch: str, choices: Mapping[str, Sequence[str]]
    ) -> Results | None:
        """Return the replies by key, a failed one with stop="error"; None while it is running."""


class Caller:
    """Sends requests to a batch API and reads the responses."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, judge: str) -> None:
        self.session = session
        self.base_url = base_url
        self.judge = judge

    async def json(self, method: str, path: str, **options: Any) -> Any:
        """Return a JSON response."""
        return json.loads(await self.raw(method, path, **options))

    async def raw(self, method: str, path: str, **options: Any) -> bytes:
        """Return a response's body.

        Raises
        ------
        JudgeUnavailableError
            With the provider's message, for any status but success.
        TransientError
            If the connection broke: what the provider received is unknown.
        """
        import aiohttp

        url = path if "://" in path else self.base_url + path
        try:
            async with self.session.request(method, url, **options) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransientError(f"{url}: {error!r}") from None
        if response.status >= 300:
            said = body.decode(errors="replace")[:300]
            raise JudgeUnavailableError(
                f"judge {self.judge}: {method} {url}: HTTP {response.status}: {said}"
            )
        return body


class OpenAIBatches:
    """OpenAI's batches, over /v1/chat/completions."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    async def submit(
        self, post: Caller, model: str, requests: Sequence[Request], decoding: Decoding
    ) -> str:
        """Upload the requests as a file and start a batch over it."""
        import aiohttp

        lines = (
            {
                "custom_id": request.key,
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": self.wire.body(model, request, decoding.seeded(request.seed)),
            }
            for request in requests
        )
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        form.add_field(
            "file",
            "\n".join(map(json.dumps, lines)).encode(),
            filename="requests.jsonl",
            content_type="application/jsonl",
        )
        file = await post.json("POST", "/files", data=form)
        batch = await post.json(
            "POST",
            "/batches",
            json={
                "input_file_id": file["id"],
                "endpoint": "/v1/chat/completions",
                "completion_window": "24h",
            },
        )
        return str(batch["id"])

    async def results(
        self, post: Caller, batch: str, choices: Mapping[str, Sequence[str]]
    ) -> Results | None:
        """Return the replies of a batch that has ended, successfully or not."""
        state = await post.json("GET", f"/batches/{batch}")
        if state["status"] not in ("completed", "failed", "expired", "cancelled"):
            return None
        found: Results = {}
        for which in ("output_file_id", "error_file_id"):
            if state.get(which):
                raw = await post.raw("GET", f"/files/{state[which]}/content")
                for line in _lines(raw):
                    key = line["custom_id"]
                    response = line.get("response") or {}
                    if response.get("status_code") == 200:
                        found[key] = _reply(self.wire, response["body"], choices.get(key, ()))
                    else:
                        found[key] = _error(line.get("error") or response.get("body"))
        return found


class AnthropicBatches:
    """Anthropic's message batches."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    async def submit(
        self, post: Caller, model: str, requests: Sequence[Request], decoding: Decoding
    ) -> str:
        """Submit all requests with one call."""
        made = [
            {
                "custom_id": request.key,
                "params": self.wire.body(model, request, decoding.seeded(request.seed)),
            }
            for request in requests
        ]
        batch = await post.json("POST", "/messages/batches", json={"requests": made})
        return str(batch["id"])

    async def results(
        self, post: Caller, batch: str, choices: Mapping[str, Sequence[str]]
    ) -> Results | None:
        """Return the replies of a batch that has ended."""
        state = await post.json("GET", f"/messages/batches/{batch}")
        if state["processing_status"] != "ended":
            return None
        found: Results = {}
        for line in _lines(await post.raw("GET", f"/messages/batches/{batch}/results")):
            key, result = line["custom_id"], line["result"]
            if result["type"] == "succeeded":
                found[key] = _reply(self.wire, result["message"], choices.get(key, ()))
            else:
                found[key] = _error(result.get("error") or result["type"])
        return found


BATCH_APIS: dict[str, Callable[[Wire], BatchApi]] = {
    "openai": OpenAIBatches,
    "anthropic": AnthropicBatches,
}


def batch_api_of(name: str, wire: Wire) -> BatchApi:
    """Return the batch API of a wire format."""
    if name not in BATCH_APIS:
        raise JuriesError(f"{name} has no batch API here; those with one: {', '.join(BATCH_APIS)}")
    return BATCH_APIS[name](wire)


def _lines(raw: bytes) -> Iterator[Any]:
    return (json.loads(line) for line in raw.splitlines() if line.strip())


def _reply(wire: Wire, body: Any, choices: Sequence[str]) -> Reply:
    try:
        return wire.reply(body, choices)
    except (TransientError, AttributeError, KeyError, TypeError, IndexError) as error:
        return Reply(stop="error", error=f"the result has an unexpected form ({error})")


def _error(said: Any) -> Reply:
    return Reply(stop="error", error=f"batch: {json.dumps(said)[:300]}")
