"""Batch APIs: submit many requests at a lower price, fetch replies later.

OpenAI: a file of requests, a batch over it, files of results and of errors; Azure, Together and
Mistral differ from it in names. Anthropic: one call with all requests, one stream of results. All
return each request's own id, which is its key.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from ...errors import JuriesError
from ...types import Reply, Request
from ..decoding import Decoding
from ..errors import JudgeUnavailableError, RateLimitedError, TransientError
from .client import Client
from .failures import excerpt, failure_of, failure_within, innermost
from .server import BatchForm
from .waits import retry_after
from .wire import Json, Wire, decoded, plain, reply_of

log = logging.getLogger(__name__)
Results = dict[str, Reply]
FILE = "requests.jsonl"
MOST_ID = 200  # characters of a batch's or a file's id
CLOCKS_S = 120.0  # by which the clocks of two machines may differ


class Submission(NamedTuple):
    """What is known of a batch that may have been started: its file, its size, and since when.

    `known` are the ids of other batches, which it is not.
    """

    file: str
    requests: int
    since: float
    known: frozenset[str]


class BatchApi(Protocol):
    """One provider's batch API.

    A batch is started by one call, whose response may be lost: `find` looks for it then.
    """

    async def upload(
        self, client: Client, model: str, requests: Sequence[Request], decoding: Decoding
    ) -> str:
        """Upload requests, which starts and costs nothing; return the file's id, "" for none."""

    async def submit(
        self,
        client: Client,
        model: str,
        requests: Sequence[Request],
        decoding: Decoding,
        file: str,
    ) -> str:
        """Start a batch; return its id. Raises TransientError where it may have been started."""

    async def find(self, client: Client, submission: Submission) -> str:
        """Return the id of a batch that may have been started, "" where none is listed."""

    async def results(
        self, client: Client, batch: str, requests: Mapping[str, Request]
    ) -> Results | None:
        """Return the replies to some of its requests by key; None while it is running.

        A request that failed has a reply with stop="error", or "rejected" if it would fail again.
        """


async def call(
    client: Client, method: str, path: str, *, starts: bool = False, **options: Any
) -> Json:
    """Return the JSON object that a batch API sends.

    Raises
    ------
    JudgeUnavailableError
        With the provider's message, if it rejects the request, and for what is not an object.
    RateLimitedError
        If the provider did not take the request as too many were sent.
    TransientError
        If the connection broke or the server failed, and where a request that `starts` a batch has
        an answer that can't be read: whether the provider has taken it is unknown.
    """
    response = await client.send(method, path, **options)
    where = f"judge {client.judge}: {method} {client.base_url}{path}"
    if response.status == 429 and failure_of(429, response.body).effect == "transient":
        raise RateLimitedError(
            f"{method} {path}: {failure_of(429, response.body)}",
            overloaded=True,
            retry_after=retry_after(response.headers),
        )
    if not response.ok:
        said = client.without_key(str(failure_of(response.status, response.body)))
        if response.status >= 500:
            raise TransientError(f"{method} {path}: {said}")
        raise JudgeUnavailableError(f"{where}: {said}")
    unreadable = TransientError if starts else JudgeUnavailableError
    try:
        body = decoded(response.body)
    except ValueError as error:
        said = excerpt(response.body)[:300]
        raise unreadable(f"{where}: the response is {error}: {said}") from None
    if not isinstance(body, dict):
        raise unreadable(f"{where}: the response is not an object")
    if failure := failure_within(body):
        raise JudgeUnavailableError(f"{where}: {client.without_key(str(failure))}")
    return body


@dataclass(frozen=True)
class Form:
    """What a server calls the parts of OpenAI's batches.

    Parameters
    ----------
    upload, jobs : str
        The paths of files and of batches.
    fields : mapping of str to str
        Of the upload, beside the file.
    root : str
        What stands before the path of the requests, "/v1" in OpenAI's own.
    addressed : bool
        Whether each request names that path.
    window : mapping of str to str
        How long the batch may take, as it says it.
    model_of_job : bool
        Whether the batch names the model, and its requests do not.
    output, errors : str
        The fields with the ids of the files of results and of errors.
    recent : str
        What is added to the path of batches to list recent ones; "" where no list is documented.
    """

    upload: str = "/files"
    jobs: str = "/batches"
    fields: Mapping[str, str] = field(default_factory=lambda: {"purpose": "batch"})
    root: str = "/v1"
    addressed: bool = True
    window: Mapping[str, str] = field(default_factory=lambda: {"completion_window": "24h"})
    model_of_job: bool = False
    output: str = "output_file_id"
    errors: str = "error_file_id"
    recent: str = "?limit=100"

    def job(self, model: str, file: str, path: str) -> Json:
        """Return the body that starts a batch over a file."""
        if self.model_of_job:
            return {"model": model, "input_files": [file], "endpoint": path, "timeout_hours": 24}
        return {"input_file_id": file, "endpoint": path, **self.window}


FORMS: dict[BatchForm, Form] = {
    "openai": Form(),
    # learn.microsoft.com/azure/ai-services/openai/how-to/batch: paths without /v1
    "azure": Form(root=""),
    # docs.together.ai/docs/inference/batch/tutorial, /reference/upload-file
    "together": Form(
        upload="/files/upload",
        fields={"purpose": "batch-api", "file_name": FILE, "file_type": "jsonl"},
        addressed=False,
        window={},
        recent="",
    ),
    # mistralai's client: batch.jobs.create
    "mistral": Form(
        jobs="/batch/jobs",
        fields={"purpose": "batch", "visibility": "workspace"},
        addressed=False,
        model_of_job=True,
        output="output_file",
        errors="error_file",
        recent="?page_size=100",
    ),
}
_ENDED = {
    "completed": "completed",
    "success": "completed",
    "failed": "failed",
    "expired": "expired",
    "timeout_exceeded": "expired",
    "cancelled": "cancelled",
}


class OpenAIBatches:
    """OpenAI's batches, and those of servers that call their parts otherwise."""

    def __init__(self, wire: Wire, form: Form | None = None) -> None:
        self.wire = wire
        self.form = form or Form()
        self.path = self.form.root + wire.batch_path.removeprefix("/v1")

    async def upload(
        self, client: Client, model: str, requests: Sequence[Request], decoding: Decoding
    ) -> str:
        """Upload the requests as a file."""
        lines = "\n".join(json.dumps(self._line(model, r, decoding)) for r in requests).encode()
        file = await call(client, "POST", self.form.upload, data=partial(self._upload, lines))
        return _id(client, file.get("id"))

    async def submit(
        self,
        client: Client,
        model: str,
        requests: Sequence[Request],  # noqa: ARG002 - they are in the file
        decoding: Decoding,  # noqa: ARG002
        file: str,
    ) -> str:
        """Start a batch over a file."""
        wanted = self.form.job(model, file, self.path)
        started = await call(client, "POST", self.form.jobs, starts=True, json=wanted)
        return _started(client, _job(started).get("id"))

    async def find(self, client: Client, submission: Submission) -> str:
        """Return the id of the batch over a file."""
        if not (self.form.recent and submission.file):
            return ""
        listed = await call(client, "GET", f"{self.form.jobs}{self.form.recent}")
        for one in _objects(listed.get("data")):
            files = one.get("input_files")
            if submission.file in (
                files if isinstance(files, list) else [one.get("input_file_id")]
            ):
                return _id(client, one.get("id"))
        return ""

    async def results(
        self, client: Client, batch: str, requests: Mapping[str, Request]
    ) -> Results | None:
        """Return the replies of a batch that has ended, successfully or not."""
        state = _job(await call(client, "GET", f"{self.form.jobs}/{quote(batch, safe='')}"))
        ended = _ENDED.get(str(state.get("status")).lower())
        if ended is None:
            _check_running(client, batch, state.get("status"))
            return None
        if ended != "completed":
            errors = json.dumps(state.get("errors") or state.get("error"))
            said = client.without_key(errors)[:300]
            log.warning("judge %s: batch %s %s: %s", client.judge, batch, ended, said)
        found: Results = {}
        for which in (self.form.output, self.form.errors):
            if state.get(which):
                path = f"/files/{quote(_id(client, state[which]), safe='')}/content"
                await _gather(client.lines(path), requests, self._result, found)
        return _complete(client, batch, requests, found)

    def _line(self, model: str, request: Request, decoding: Decoding) -> Json:
        body = self.wire.body(model, request, decoding.seeded(request.seed))
        if self.form.model_of_job:
            del body["model"]
        line = {"custom_id": request.key}
        if self.form.addressed:
            line |= {"method": "POST", "url": self.path}
        return line | {"body": body}

    def _upload(self, lines: bytes) -> Any:
        import aiohttp

        form = aiohttp.FormData(dict(self.form.fields))
        form.add_field("file", lines, filename=FILE, content_type="application/jsonl")
        return form

    def _result(self, line: Json, request: Request, raw: str) -> Reply:
        response = line.get("response")
        response = response if isinstance(response, dict) else {}
        status, body = response.get("status_code"), response.get("body")
        number = status if isinstance(status, int) and 400 <= status < 600 else 0
        if not number and isinstance(body, dict):  # whatever its status is written as
            return _reply(self.wire, body, request, raw)
        if not number and body is not None:
            return Reply(stop="error", error="the result's body is not an object", text=plain(raw))
        stated = body if isinstance(body, dict) and not line.get("error") else line
        return failure_of(number or 500, json.dumps(stated).encode()).reply()


class AnthropicBatches:
    """Anthropic's message batches."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    async def upload(self, *_: object) -> str:
        """Upload nothing: the call that starts a batch holds its requests."""
        return ""

    async def submit(
        self,
        client: Client,
        model: str,
        requests: Sequence[Request],
        decoding: Decoding,
        file: str,  # noqa: ARG002 - there is none
    ) -> str:
        """Submit all requests with one call."""
        made = [
            {
                "custom_id": request.key,
                "params": self.wire.body(model, request, decoding.seeded(request.seed)),
            }
            for request in requests
        ]
        batch = await call(
            client, "POST", "/messages/batches", starts=True, json={"requests": made}
        )
        return _started(client, batch.get("id"))

    async def find(self, client: Client, submission: Submission) -> str:
        """Return the id of the one batch of that size since then; a list names no requests."""
        listed = await call(client, "GET", "/messages/batches?limit=100")
        found = []
        for one in _objects(listed.get("data")):
            counts = one.get("request_counts")
            numbers = counts.values() if isinstance(counts, dict) else ()
            size = sum(n for n in numbers if isinstance(n, int))
            recent = _seconds(one.get("created_at")) >= submission.since - CLOCKS_S
            if recent and size == submission.requests and one.get("id") not in submission.known:
                found.append(_id(client, one.get("id")))
        return found[0] if len(found) == 1 else ""

    async def results(
        self, client: Client, batch: str, requests: Mapping[str, Request]
    ) -> Results | None:
        """Return the replies of a batch that has ended."""
        path = f"/messages/batches/{quote(batch, safe='')}"
        state = await call(client, "GET", path)
        if state.get("processing_status") != "ended":
            _check_running(client, batch, state.get("processing_status"))
            return None
        found: Results = {}
        await _gather(client.lines(f"{path}/results"), requests, self._result, found)
        return _complete(client, batch, requests, found)

    def _result(self, line: Json, request: Request, raw: str) -> Reply:
        result = line.get("result")
        result = result if isinstance(result, dict) else {}
        message = result.get("message")
        if result.get("type") == "succeeded" and isinstance(message, dict):
            return _reply(self.wire, message, request, raw)
        error = result.get("error") or {"message": str(result.get("type"))}
        return (failure_within({"error": innermost(error)}) or failure_of(500, b"")).reply()


def batch_api_of(name: str, wire: Wire, form: BatchForm | None = None) -> BatchApi:
    """Return the batch API of a wire format, in the form that the server speaks.

    Raises
    ------
    JuriesError
        If it has none here.
    """
    if not wire.batch_path:
        raise JuriesError(f"{name} has no batch API here; those with one: openai, anthropic")
    if name == "anthropic":
        if form is not None:
            raise JuriesError(f"server.batch: {form} is not Anthropic's form; leave it out")
        return AnthropicBatches(wire)
    return OpenAIBatches(wire, FORMS[form or "openai"])


def _job(body: Json) -> Json:
    """Return the batch that a response describes: Together wraps a new one."""
    inner = body.get("job")
    return inner if isinstance(inner, dict) else body


def _id(client: Client, found: Any) -> str:
    if isinstance(found, str) and 0 < len(found) <= MOST_ID:
        return plain(found)
    raise JudgeUnavailableError(
        f"judge {client.judge}: {client.base_url} answers {str(found)[:60]!r} where its batch API "
        "has an id; check server.base_url"
    )


def _started(client: Client, found: Any) -> str:
    try:
        return _id(client, found)
    except JudgeUnavailableError as error:
        raise TransientError(str(error)) from None


def _objects(listed: Any) -> list[Json]:
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _seconds(written: Any) -> float:
    """Return the Unix time of an RFC 3339 date, 0.0 for what is none."""
    try:
        return datetime.fromisoformat(written).timestamp()
    except (TypeError, ValueError, OverflowError, OSError):
        return 0.0


def _check_running(client: Client, batch: str, status: Any) -> None:
    if not isinstance(status, str):
        raise JudgeUnavailableError(
            f"judge {client.judge}: batch {batch} has no status; check server.base_url"
        )


async def _gather(
    lines: AsyncIterator[bytes],
    requests: Mapping[str, Request],
    result: Callable[[Json, Request, str], Reply],
    found: Results,
) -> None:
    """Add the results of some requests, one a line; a line that can't be read counts as missing."""
    async for raw in lines:
        if not raw.strip():
            continue
        try:
            line = decoded(raw)
        except ValueError as error:
            log.warning("a line of a batch's results is %s: %s", error, excerpt(raw)[:100])
            continue
        key = line.get("custom_id") if isinstance(line, dict) else None
        if not isinstance(key, str) or key not in requests:
            continue
        reply = result(line, requests[key], raw.decode(errors="replace"))
        if found.setdefault(key, reply) != reply:
            said = "the batch holds two results of this request, and they differ"
            found[key] = Reply(stop="error", error=said, text=plain(raw.decode(errors="replace")))


def _complete(
    client: Client, batch: str, requests: Mapping[str, Request], found: Results
) -> Results:
    if missing := len(requests.keys() - found.keys()):
        log.warning(
            "judge %s: batch %s has ended without a result for %d of %d requests",
            client.judge, batch, missing, len(requests),
        )  # fmt: skip
    return found


def _reply(wire: Wire, body: Json, request: Request, raw: str) -> Reply:
    if failure := failure_within(body):
        return failure.reply()
    try:
        return reply_of(wire, body, request.choices, raw)
    except TransientError as error:
        return Reply(stop="error", error=f"the result has an unexpected form ({error})", text=raw)
