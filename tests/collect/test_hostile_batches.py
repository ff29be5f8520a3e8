"""Batch APIs that answer out of form: the other judge is served, and a later run finishes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from faulty_api import FaultyApi, in_a_thread
from llm_juries.collect import rate_limit
from llm_juries.collect.policy import Policy
from llm_juries.collect.run import collect
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.judges.http import client
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.store.pending_batches import tickets
from llm_juries.store.plan import Plan, look_up
from llm_juries.store.store import Store
from llm_juries.store.verify import verify
from llm_juries.types import Item, Outcome
from shared_prompts import QUESTION_AND_ANSWER as PROMPT

DATASET = Dataset(
    "d", tuple(Item("d", f"q{n}", "m", question=f"Q{n}?", answer=f"A{n}") for n in range(6))
)
BATCH = Policy(mode="batch")
Change = Callable[[bytes], bytes | web.Response]


@dataclass
class HostileBatches(FaultyApi):
    """Changes what comes from one path, for as long as it has a `change`."""

    at: str = ""
    change: Change | None = None

    @property
    def app(self) -> web.Application:
        app = super().app

        @web.middleware
        async def changing(request: web.Request, handler: Any) -> web.StreamResponse:
            response = await handler(request)
            where = f"{request.method} {request.path}"
            if self.change is None or not where.startswith(self.at):
                return response
            made = self.change(response.body)
            return web.Response(body=made) if isinstance(made, bytes) else made

        app.middlewares.append(changing)
        return app


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileBatches]:
    monkeypatch.setattr(client, "LARGEST", 1 << 20)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "planted-key")
    with in_a_thread(HostileBatches(polls=0)) as server:
        yield server


def judges(api: HostileBatches) -> list[HttpJudge]:
    return [
        HttpJudge(name, "f", wire, f"model-{name}", server=Server(f"{api.base_url}/v1"))
        for name, wire in (("a", "openai"), ("b", "anthropic"))  # type: ignore[arg-type]
    ]


def run(folder: Path, asked: list[HttpJudge]) -> str:
    """Run once in batch mode; return the error, or what the tallies say about it."""
    with Store(folder) as store:
        try:
            tallies = collect([Plan(one, DATASET, PROMPT) for one in asked], store, BATCH)
        except JuriesError as error:
            return str(error)
    return "; ".join(tally.stopped or tally.unavailable for tally in tallies)


def votes(folder: Path, asked: HttpJudge) -> list[Outcome | None]:
    with Store(folder) as store:
        return [v and v.outcome for _, v in look_up(Plan(asked, DATASET, PROMPT), store)]


def put(**fields: Any) -> Change:
    return lambda body: json.dumps({**json.loads(body), **fields}).encode()


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Change:
    return lambda body: b"\n".join(change(body.splitlines()))


def first(change: Callable[[Any], Any]) -> Change:
    def changed(found: list[bytes]) -> list[bytes]:
        return [json.dumps(change(json.loads(found[0]))).encode(), *found[1:]]

    return lines(changed)


def response(**fields: Any) -> Change:
    return first(lambda line: line | {"response": line["response"] | fields})


def refused(status: int, **options: Any) -> Change:
    return lambda _: web.Response(status=status, **options)


SUBMITTING: dict[str, tuple[str, Change]] = {
    "no_file_id": ("POST /v1/files", put(id=None)),
    "file_id_a_number": ("POST /v1/files", put(id=7)),
    "html": ("POST /v1/files", lambda _: b"<html>Sign in</html>"),
    "a_list": ("POST /v1/files", lambda body: b"[" + body + b"]"),
    "redirected": ("POST /v1/files", refused(302, headers={"Location": "/"})),
    "too_large": ("POST /v1/files", lambda body: body + b" " * (2 << 20)),
    "error_in_200": ("POST /v1/batches", lambda _: b'{"error": {"message": "no", "code": 402}}'),
    "payment": ("POST /v1/batches", refused(402, text='{"error": {"message": "pay first"}}')),
}


@pytest.mark.parametrize("name", SUBMITTING)
def test_a_batch_that_is_not_taken_is_one_line_and_the_other_is_submitted(
    name: str, api: HostileBatches, tmp_path: Path
):
    api.at, api.change = SUBMITTING[name]
    asked = judges(api)
    said = run(tmp_path, asked)
    assert said.startswith("judge a: ")
    assert "\n" not in said
    assert "planted-key" not in said
    assert [ticket.judge for ticket in tickets(Store(tmp_path)).values()] == ["b"]
    api.change = None
    finish(tmp_path, asked)


STARTED: dict[str, Change] = {
    "no_batch_id": put(id=""),
    "batch_id_an_object": put(id={"a": 1}),
    "batch_id_very_long": put(id="x" * 10_000),
    "html": lambda _: b"<html>Sign in</html>",
    "too_large": lambda body: body + b" " * (2 << 20),
    "failed": refused(503, text="down"),
}


@pytest.mark.parametrize("name", STARTED)
def test_a_batch_that_was_started_is_found_whatever_the_server_says(
    name: str, api: HostileBatches, tmp_path: Path
):
    api.at, api.change = "POST /v1/batches", STARTED[name]
    asked = judges(api)
    assert run(tmp_path, asked) == "; "
    assert [ticket.judge for ticket in tickets(Store(tmp_path)).values()] == ["a", "b"]
    api.change = None
    finish(tmp_path, asked)
    assert max(api.asked.values()) == 1


def finish(folder: Path, asked: list[HttpJudge]) -> None:
    for _ in range(3):
        run(folder, asked)
    assert [votes(folder, one) for one in asked] == [[Outcome.OK] * 6] * 2
    assert verify(folder).keys == 12
    assert tickets(Store(folder)) == {}


STATE, RESULTS = "GET /v1/batches/", "GET /v1/files/"
WAITING: dict[str, tuple[str, Change]] = {
    "status_missing": (STATE, put(status=None)),
    "status_a_number": (STATE, put(status=5)),
    "state_html": (STATE, lambda _: b"<h1>Bad gateway</h1>"),
    "state_deep": (STATE, lambda _: b"[" * 50_000),
    "state_500": (STATE, refused(500, text="down")),
    "state_redirected": (STATE, refused(307, headers={"Location": "http://127.0.0.1:9/"})),
    "output_an_object": (STATE, put(output_file_id={"id": "file-0"})),
    "output_elsewhere": (STATE, put(output_file_id="../../v1/models")),
    "output_a_url": (STATE, put(output_file_id="http://127.0.0.1:9/x")),
    "results_500": (RESULTS, refused(500, text="down")),
    "results_redirected": (RESULTS, refused(302, headers={"Location": "/stats"})),
    "results_no_gzip": (
        RESULTS,
        lambda b: web.Response(body=b, headers={"Content-Encoding": "gzip"}),
    ),
    "a_line_too_long": (RESULTS, lambda body: b'{"x": "' + b"x" * (2 << 20) + b'"}\n' + body),
    "a_bomb": (
        RESULTS,
        lambda _: web.Response(
            body=gzip.compress(bytes(32 << 20)), headers={"Content-Encoding": "gzip"}
        ),
    ),
}


@pytest.mark.parametrize("name", WAITING)
def test_results_that_do_not_come_are_waited_for(name: str, api: HostileBatches, tmp_path: Path):
    asked = judges(api)
    run(tmp_path, asked)
    api.at, api.change = WAITING[name]
    said = run(tmp_path, asked)
    assert "judge a: " in said
    assert "\n" not in said
    assert votes(tmp_path, asked[1]) == [Outcome.OK] * 6
    assert [ticket.judge for ticket in tickets(Store(tmp_path)).values()] == ["a"]
    api.change = None
    finish(tmp_path, asked)
    assert max(api.asked.values()) == 1  # nothing was paid twice


LINES: dict[str, tuple[Change, Outcome | None]] = {
    "not_json": (lines(lambda found: [b"{", *found[1:]]), None),
    "not_utf8": (lines(lambda found: [b"\xff\xfe", *found[1:]]), None),
    "deep": (lines(lambda found: [b"[" * 50_000, *found[1:]]), None),
    "a_number": (lines(lambda found: [b"3", *found[1:]]), None),
    "missing": (lines(lambda found: found[1:]), None),
    "id_missing": (first(lambda line: line | {"custom_id": None}), None),
    "id_a_list": (first(lambda line: line | {"custom_id": ["x"]}), None),
    "id_unknown": (first(lambda line: line | {"custom_id": "f" * 32}), None),
    "response_null": (first(lambda line: line | {"response": None}), None),
    "response_text": (first(lambda line: line | {"response": "True"}), None),
    "expired": (
        first(lambda line: {**line, "response": None, "error": {"code": "batch_expired"}}),
        None,
    ),
    "status_500": (response(status_code=500, body={"error": {"message": "x"}}), None),
    "status_text": (response(status_code="200 OK"), Outcome.OK),
    "no_status": (response(status_code=None), Outcome.OK),
    "body_text": (response(body="True"), Outcome.REJECTED),
    "body_null": (response(body=None), None),
    "no_choices": (response(body={"choices": []}), Outcome.REJECTED),
    "error_in_200": (response(body={"error": {"message": "x", "code": 500}}), None),
    "too_long": (
        response(status_code=400, body={"error": {"code": "context_length_exceeded"}}),
        Outcome.REJECTED,
    ),
    "filtered": (
        response(status_code=400, body={"error": {"code": "content_filter"}}),
        Outcome.REFUSED,
    ),
    "twice_alike": (lines(lambda found: [found[0], *found]), Outcome.OK),
    "twice_unlike": (
        lines(lambda found: [*found, found[0].replace(b"True", b"?").replace(b"False", b"!")]),
        Outcome.REJECTED,
    ),
    "empty_lines": (lines(lambda found: [b"", b"  ", *found, b""]), Outcome.OK),
    "dos_lines": (lambda body: body.replace(b"\n", b"\r\n"), Outcome.OK),
}


@pytest.mark.parametrize("name", LINES)
def test_a_result_out_of_form_costs_its_own_vote(name: str, api: HostileBatches, tmp_path: Path):
    asked = judges(api)
    run(tmp_path, asked)
    change, outcome = LINES[name]
    api.at, api.change = RESULTS, change
    run(tmp_path, asked)
    found = votes(tmp_path, asked[0])
    assert found[1:] == [Outcome.OK] * 5
    assert found[0] is outcome
    assert votes(tmp_path, asked[1]) == [Outcome.OK] * 6
    verify(tmp_path)
    api.change = None
    for _ in range(2):
        run(tmp_path, asked)
    kept = outcome if outcome in (Outcome.REJECTED, Outcome.REFUSED) else Outcome.OK
    assert votes(tmp_path, asked[0]) == [kept, *[Outcome.OK] * 5]
    assert tickets(Store(tmp_path)) == {}
    assert len(api.batches) == 2 + (outcome is None)  # what was paid for is not submitted again


@pytest.mark.parametrize(
    "at", ["POST /v1/files", "POST /v1/batches", "POST /v1/messages/batches", STATE, RESULTS]
)
def test_a_rate_limit_is_waited_for_and_nothing_is_submitted_twice(
    at: str, api: HostileBatches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rate_limit, "BACKOFF_S", 0.01)
    asked = judges(api)
    changed: list[bytes] = []

    def once(body: bytes) -> Any:
        changed.append(body)
        return body if len(changed) > 1 else web.Response(status=429, headers={"Retry-After": "0"})

    if at.startswith("GET"):
        run(tmp_path, asked)
    api.at, api.change = at, once
    assert run(tmp_path, asked) == "; "
    assert len(changed) > 1
    api.change = None
    finish(tmp_path, asked)
    if not at.endswith("/batches"):  # the mock makes a batch before its answer is changed
        assert max(api.asked.values()) == 1


def test_a_rate_limit_that_asks_for_too_long_a_wait_is_one_line(
    api: HostileBatches, tmp_path: Path
):
    asked = judges(api)
    api.at, api.change = "POST /v1/files", refused(429, headers={"Retry-After": "86400"})
    said = run(tmp_path, asked)
    assert said.startswith("judge a: asks to wait 24 h, longer than longest_wait_s=600")
    assert [ticket.judge for ticket in tickets(Store(tmp_path)).values()] == ["b"]


def test_a_batch_that_failed_keeps_the_providers_words(
    api: HostileBatches, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    asked = judges(api)
    run(tmp_path, asked)
    errors = {"data": [{"message": "Enqueued token limit reached"}]}
    api.at, api.change = STATE, put(status="failed", output_file_id=None, errors=errors)
    run(tmp_path, asked)
    assert "Enqueued token limit reached" in caplog.text
    api.change = None
    finish(tmp_path, asked)


def test_a_batch_without_a_single_reply_is_told_and_not_submitted_again_at_once(
    api: HostileBatches, tmp_path: Path
):
    asked = judges(api)
    run(tmp_path, asked)
    unpaid = {"status_code": 402, "body": {"error": {"message": "No credits"}}}
    api.at = RESULTS
    api.change = lambda body: b"\n".join(
        json.dumps({**json.loads(line), "response": unpaid}).encode() for line in body.splitlines()
    )
    assert "ended without a reply: HTTP 402: No credits" in run(tmp_path, asked)
    assert tickets(Store(tmp_path)) == {}
    api.change = None
    finish(tmp_path, asked)


def test_the_line_about_a_batch_that_is_gone_says_how_to_submit_it_again(
    api: HostileBatches, tmp_path: Path
):
    asked = judges(api)
    run(tmp_path, asked)
    api.at, api.change = RESULTS, refused(404)
    said = run(tmp_path, asked)
    (ticket,) = tickets(Store(tmp_path))
    assert f"if the batch is gone, delete {ticket}" in said
    ticket.unlink()
    api.change = None
    finish(tmp_path, asked)


def test_a_server_that_has_gone_while_a_batch_is_pending_is_one_line(
    api: HostileBatches, tmp_path: Path
):
    asked = judges(api)
    run(tmp_path, asked)
    gone = HttpJudge("a", "f", "openai", "model-a", server=Server("http://127.0.0.1:9/v1"))
    said = run(tmp_path, [gone, asked[1]])
    assert said.startswith("judge a: can't reach http://127.0.0.1:9")
    finish(tmp_path, asked)
