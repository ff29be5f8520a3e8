"""A mock API server that speaks the three wire formats, and fails on schedule.

In a process of its own: `python tests/faulty_api.py --latency 0.05 --faults '[{"kind": "429", "every": 20}]'`
prints its port as JSON and ends when its standard input closes, or after --max-seconds.
"""  # noqa: E501

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

PROSE = "Well, it depends on how one looks at it; there is much to be said for either side."


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and on which arrivals (counted from 0, a count a model)."""

    kind: str
    every: int = 0
    first: int = 0
    after: int | None = None
    at: tuple[int, ...] = ()
    always: bool = False
    model: str | None = None
    retry_after: float | None = None
    retry_after_ms: float | None = None

    def hits(self, model: str, arrival: int) -> bool:
        if self.model not in (None, model):
            return False
        return (
            self.always
            or arrival < self.first
            or arrival in self.at
            or (self.after is not None and arrival >= self.after)
            or (self.every > 0 and arrival % self.every == self.every - 1)
        )


def verdict(prompt: str) -> str:
    """Return the mock's verdict on a prompt: it depends on nothing but the text."""
    return "False" if hashlib.sha256(prompt.encode()).digest()[0] % 2 else "True"


def prompt_of(body: dict[str, Any]) -> str:
    """Return the text of the last message, however it is parted."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


@dataclass
class FaultyApi:
    """The server's state; `app` is the server."""

    latency: float = 0.0
    faults: Sequence[Fault] = ()
    api_key: str | None = None
    models: Sequence[str] | None = None
    polls: int = 1
    batch_failures: int = 0
    batch_status: int = 200
    batch_answers: str = ""  # how the answer to a batch that was started is lost: "502", "html"
    lists_batches: bool = True
    upload_status: int = 200
    say: Callable[[str], str] = verdict
    arrivals: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    in_flight: int = 0
    peak: int = 0
    base_url: str = ""
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    connections: set[int] = field(default_factory=set)
    keep: bool = True

    @property
    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 28)
        for path, wire in (
            ("/v1/chat/completions", OPENAI),
            ("/v1/messages", ANTHROPIC),
            ("/v2/chat", COHERE),
        ):
            app.router.add_post(path, self._handler(wire))
        app.router.add_post("/v1/completions", self._completion)
        app.router.add_get("/stats", self._stats)
        app.router.add_post("/v1/files", self._upload)
        app.router.add_get("/v1/files/{id}/content", self._content)
        app.router.add_post("/v1/batches", self._batch)
        app.router.add_get("/v1/batches", self._listed)
        app.router.add_get("/v1/messages/batches", self._listed)
        app.router.add_get("/v1/batches/{id}", self._batch_state)
        app.router.add_post("/v1/messages/batches", self._message_batch)
        app.router.add_get("/v1/messages/batches/{id}", self._batch_state)
        app.router.add_get("/v1/messages/batches/{id}/results", self._message_results)
        return app

    def _handler(self, wire: Wire) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = json.loads(await request.read())
            model = body["model"]
            arrival = self.arrivals[model]
            self.arrivals[model] += 1
            self.connections.add(id(request.transport))
            if self.keep:
                self.bodies.append(body)
                self.headers.append(dict(request.headers))
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
            try:
                return await self._answer(wire, request, body, model, arrival)
            finally:
                self.in_flight -= 1

        return handle

    async def _answer(
        self, wire: Wire, request: web.Request, body: dict[str, Any], model: str, arrival: int
    ) -> web.StreamResponse:
        sent_key = request.headers.get("Authorization", "")
        if self.api_key is not None and self.api_key not in sent_key:
            return failure(wire, 401, f"Incorrect API key provided: {sent_key.split()[-1:]}")
        if self.models is not None and model not in self.models:
            return failure(wire, 404, f"The model {model!r} does not exist")
        if self.latency:
            await asyncio.sleep(self.latency)
        fault = next((f for f in self.faults if f.hits(model, arrival)), None)
        prompt = prompt_of(body)
        if fault is not None:
            answer = await self._fail(fault, wire, request, body)
            if answer is not None:
                return answer
        self.asked[model + hashlib.sha256(prompt.encode()).hexdigest()] += 1
        return web.Response(body=self.good(wire, body), content_type="application/json")

    def good(self, wire: Wire, body: dict[str, Any], **changes: Any) -> bytes:
        word = self.say(prompt_of(body))
        text = json.dumps({"verdict": word}) if wire.wants_json(body) else word
        return json.dumps(
            wire.reply(body, word, **{"text": text, "stop": "stop", **changes})
        ).encode()

    async def _fail(
        self, fault: Fault, wire: Wire, request: web.Request, body: dict[str, Any]
    ) -> web.StreamResponse | None:
        match fault.kind:
            case kind if kind.isdigit():
                response = failure(wire, int(kind), f"mock {kind}")
                if fault.retry_after is not None:
                    response.headers["Retry-After"] = f"{fault.retry_after:g}"
                if fault.retry_after_ms is not None:
                    response.headers["retry-after-ms"] = f"{fault.retry_after_ms:g}"
                return response
            case "quota":
                error = {"message": "no money left", "code": "insufficient_quota"}
                return web.json_response({"error": error}, status=429)
            case "html":
                return web.Response(status=502, text="<html>Bad gateway</html>")
            case "not_json":
                return web.Response(text="<html>All is well</html>")
            case "hang":
                await asyncio.sleep(3600)
            case "dead":
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            case "cut" | "slow_body":
                return await self._partly(request, self.good(wire, body), fault.kind)
            case "prose":
                return web.json_response(wire.reply(body, "", text=PROSE, stop="stop"))
            case "wrong_json":
                text = '{"verdict": "perhaps"}'
                return web.json_response(wire.reply(body, "", text=text, stop="stop"))
            case "empty":
                return web.json_response(wire.empty)
            case "think":
                word = self.say(prompt_of(body))
                text = f"<think>It could be {'True' if word == 'False' else 'False'}.</think>{word}"
                return web.json_response(wire.reply(body, word, text=text, stop="stop"))
            case "length":
                text = "<think>Let me consider whether it is True or"
                return web.json_response(wire.reply(body, "", text=text, stop="length"))
            case "refusal":
                return web.json_response(wire.reply(body, "", text="I can't.", stop="refusal"))
            case "echo":
                text = f"The key is {request.headers['Authorization']}; True"
                return web.json_response(wire.reply(body, "", text=text, stop="stop"))
            case "no_usage":
                reply = wire.reply(body, self.say(prompt_of(body)), text="True", stop="stop")
                del reply["usage"]
                return web.json_response(reply)
            case kind:
                raise ValueError(kind)
        return None

    async def _partly(self, request: web.Request, body: bytes, kind: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        response.content_type = "application/json"
        await response.prepare(request)
        half = len(body) // 2
        await response.write(body[:half])
        if kind == "cut":
            assert request.transport is not None
            request.transport.close()
            return response
        for byte in body[half:]:
            await asyncio.sleep(0.002)
            await response.write(bytes([byte]))
        return response

    async def _completion(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        word = f" {self.say(body['prompt'])}"
        choice: dict[str, Any] = {"index": 0, "text": word, "finish_reason": "length"}
        if body.get("logprobs"):
            likely = {word: -0.2, " Perhaps": -3.0}
            choice["logprobs"] = {"tokens": [word], "top_logprobs": [likely]}
        usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
        reply = {"id": "c", "object": "text_completion", "created": 1, "model": body["model"]}
        return web.json_response(reply | {"choices": [choice], "usage": usage})

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "arrivals": dict(self.arrivals),
                "answered": self.asked.total(),
                "most_asked": max(self.asked.values(), default=0),
                "peak": self.peak,
                "connections": len(self.connections),
            }
        )

    # Batches

    async def _upload(self, request: web.Request) -> web.Response:
        if self.upload_status != 200:
            return failure(OPENAI, self.upload_status, "mock failure")
        form = await request.post()
        uploaded = form["file"]
        assert isinstance(uploaded, web.FileField)
        name = f"file-{len(self.files)}"
        self.files[name] = uploaded.file.read()
        return web.json_response({"id": name, "object": "file", "purpose": form["purpose"]})

    async def _content(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["id"]])

    async def _batch(self, request: web.Request) -> web.Response:
        if self.batch_status != 200:
            return failure(OPENAI, self.batch_status, "no batches for this account")
        wanted = await request.json()
        lines = [json.loads(line) for line in self.files[wanted["input_file_id"]].splitlines()]
        good, bad = [], []
        for number, line in enumerate(lines):
            key = json.dumps(line["custom_id"]).encode()
            form = b'{"custom_id": %s, "response": {"status_code": %d, "body": %s}, "error": null}'
            if number < self.batch_failures:
                bad.append(form % (key, 500, b'{"error": {"message": "mock failure"}}'))
                continue
            self._count(line["body"])
            good.append(form % (key, 200, self.good(OPENAI, line["body"])))
        name = f"batch-{len(self.batches)}"
        state = {"id": name, "object": "batch", "status": "in_progress", "polls": self.polls}
        state |= {"output_file_id": None, "error_file_id": None}
        for key, results in (("output_file_id", good), ("error_file_id", bad)):
            if results:
                state[key] = f"file-{len(self.files)}"
                self.files[state[key]] = b"\n".join(results)
        self.batches[name] = state | {"input_file_id": wanted["input_file_id"]}
        self.batch_failures = 0
        return self._lost() or web.json_response(
            state | {"output_file_id": None, "error_file_id": None}
        )

    def _lost(self) -> web.Response | None:
        how, self.batch_answers = self.batch_answers, ""
        if how == "html":
            return web.Response(text="<html>All is well</html>")
        return failure(OPENAI, int(how), "mock failure") if how else None

    async def _listed(self, _: web.Request) -> web.Response:
        shown = self.batches.values() if self.lists_batches else ()
        listed = [{k: v for k, v in b.items() if k != "results"} for b in shown]
        return web.json_response({"data": listed[::-1], "has_more": False})

    async def _message_batch(self, request: web.Request) -> web.Response:
        results = []
        for number, wanted in enumerate((await request.json())["requests"]):
            if number < self.batch_failures:
                result: dict[str, Any] = {"type": "errored", "error": {"type": "api_error"}}
            else:
                self._count(wanted["params"])
                message = json.loads(self.good(ANTHROPIC, wanted["params"]))
                result = {"type": "succeeded", "message": message}
            results.append({"custom_id": wanted["custom_id"], "result": result})
        name = f"msgbatch_{len(self.batches)}"
        state = {"id": name, "processing_status": "in_progress", "polls": self.polls}
        state["request_counts"] = {"processing": len(results), "succeeded": 0, "errored": 0}
        state["created_at"] = datetime.now(UTC).isoformat()
        self.batches[name] = state | {"results": results}
        self.batch_failures = 0
        return self._lost() or web.json_response(state)

    def _count(self, body: dict[str, Any]) -> None:
        self.asked[body["model"] + hashlib.sha256(prompt_of(body).encode()).hexdigest()] += 1

    async def _batch_state(self, request: web.Request) -> web.Response:
        state = self.batches[request.match_info["id"]]
        state["polls"] -= 1
        if state["polls"] < 0:
            state["status" if "status" in state else "processing_status"] = (
                "completed" if "status" in state else "ended"
            )
        return web.json_response({key: value for key, value in state.items() if key != "results"})

    async def _message_results(self, request: web.Request) -> web.Response:
        results = self.batches[request.match_info["id"]]["results"]
        return web.Response(text="\n".join(map(json.dumps, results)))


def failure(wire: Wire, status: int, message: str) -> web.Response:
    return web.json_response(wire.error(status, message), status=status)


class Wire:
    """One format's replies."""

    empty: dict[str, Any]

    def wants_json(self, body: dict[str, Any]) -> bool:
        return "response_format" in body

    def error(self, status: int, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": "mock", "code": str(status)}}

    def reply(self, body: dict[str, Any], word: str, *, text: str, stop: str) -> dict[str, Any]:
        raise NotImplementedError


class _OpenAI(Wire):
    empty = {"id": "x", "object": "chat.completion", "choices": []}  # noqa: RUF012

    def reply(self, body: dict[str, Any], word: str, *, text: str, stop: str) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if stop == "refusal":
            message |= {"content": None, "refusal": text}
        choice: dict[str, Any] = {
            "index": 0,
            "message": message,
            "finish_reason": "length" if stop == "length" else "stop",
        }
        if body.get("logprobs"):
            other = "False" if word == "True" else "True"
            top = [(word, -0.1), (f" {other}", -2.5), ("The", -6.0)]
            tokens = [{"token": t, "logprob": p, "bytes": None} for t, p in top]
            choice["logprobs"] = {"content": [tokens[0] | {"top_logprobs": tokens}]}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [choice],
            "usage": {
                "prompt_tokens": 300,
                "completion_tokens": 2,
                "total_tokens": 302,
                "prompt_tokens_details": {"cached_tokens": 256},
            },
        }


class _Anthropic(Wire):
    empty = {"id": "x", "type": "message", "role": "assistant", "content": []}  # noqa: RUF012

    def wants_json(self, body: dict[str, Any]) -> bool:
        return "format" in body.get("output_config", {})

    def error(self, status: int, message: str) -> dict[str, Any]:
        kind = "overloaded_error" if status == 529 else "mock_error"
        return {"type": "error", "error": {"type": kind, "message": message}}

    def reply(self, body: dict[str, Any], word: str, *, text: str, stop: str) -> dict[str, Any]:
        reasons = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [{"type": "text", "text": text}],
            "stop_reason": reasons[stop],
            "stop_sequence": None,
            "usage": {
                "input_tokens": 44,
                "cache_read_input_tokens": 200,
                "cache_creation_input_tokens": 56,
                "output_tokens": 2,
            },
        }


class _Cohere(Wire):
    empty = {"id": "x", "finish_reason": "COMPLETE", "message": {"role": "assistant"}}  # noqa: RUF012

    def error(self, status: int, message: str) -> dict[str, Any]:
        return {"message": message}

    def reply(self, body: dict[str, Any], word: str, *, text: str, stop: str) -> dict[str, Any]:
        return {
            "id": "c1",
            "finish_reason": "MAX_TOKENS" if stop == "length" else "COMPLETE",
            "message": {"role": "assistant", "content": [{"type": "text", "text": text}]},
            "usage": {
                "billed_units": {"input_tokens": 300, "output_tokens": 2},
                "tokens": {"input_tokens": 310, "output_tokens": 3},
            },
        }


OPENAI, ANTHROPIC, COHERE = _OpenAI(), _Anthropic(), _Cohere()


@asynccontextmanager
async def served(api: FaultyApi, port: int = 0) -> AsyncIterator[FaultyApi]:
    """Serve on loopback for as long as the context lasts."""
    runner = web.AppRunner(api.app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    api.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        await runner.cleanup()


@contextmanager
def in_a_thread(api: FaultyApi) -> Iterator[FaultyApi]:
    """Serve from a thread of this process, its state at hand for as long as the context lasts."""
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with served(api):
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield api
    finally:
        done.set()
        thread.join(10)


@dataclass(frozen=True)
class Remote:
    """A server in a process of its own."""

    base_url: str

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.base_url}/stats", timeout=10) as response:  # noqa: S310
            return json.load(response)


@contextmanager
def in_a_process(latency: float = 0.0, faults: Sequence[dict[str, Any]] = ()) -> Iterator[Remote]:
    """Serve from another process, as `main` does."""
    command = [sys.executable, __file__, f"--latency={latency}", f"--faults={json.dumps(faults)}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield Remote(json.loads(server.stdout.readline())["base_url"])
        finally:
            server.stdin.close()
            server.wait(10)


async def main(arguments: argparse.Namespace) -> None:
    faults = [Fault(**fault) for fault in json.loads(arguments.faults)]
    async with served(FaultyApi(arguments.latency, faults, keep=False)) as api:
        print(json.dumps({"base_url": api.base_url}), flush=True)
        closed = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await asyncio.wait_for(closed, arguments.max_seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--faults", default="[]")
    parser.add_argument("--max-seconds", type=float, default=600.0)
    started = time.monotonic()
    asyncio.run(main(parser.parse_args()))
