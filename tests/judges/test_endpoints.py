"""The yamls of docs/endpoints.md, taken from the page, beside what the vendors' own clients send.

Groq, Together, Mistral and OpenRouter: requests recorded from groq 1.7.0, together 3.1.1, mistralai
2.10.1 and openrouter 1.3.84 for the same question, without `stream: false`, the default. The others
are compared with the openai and anthropic packages that are installed.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from aiohttp import web

from conftest import ROOT
from faulty_api import FaultyApi, in_a_thread
from in_process import ended
from llm_juries.config.named import load_judge
from llm_juries.errors import JuriesError
from llm_juries.judges.errors import JudgeUnavailableError, TransientError
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.prompts.prompt import Prompt
from llm_juries.types import Item, Order, Reply, Request

PAGE = (ROOT / "docs" / "endpoints.md").read_text()
YAMLS = {
    found[1]: found[0]
    for found in re.findall(r"```yaml\n(# @package judges\.(\w+)\n.*?)```", PAGE, re.DOTALL)
}
ITEM = Item("d", "q", "m", question="2+2?", answer="4", references=("4",))
PROMPT = Prompt(
    "p",
    "{{ question }}",
    {"True": 1.0, "False": 0.0},
    instruction="Grade.",
    instruction_as="system",
)
CHAT: Any = [{"role": "system", "content": "Grade."}, {"role": "user", "content": "2+2?"}]
KEY, TOKEN = "planted-key", "planted-token-1"


class Endpoint(FaultyApi):
    """Records each request, and answers what `answer` makes of it, by default a verdict."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], web.Response] = lambda sent: said(sent["path"])

    @property
    def app(self) -> web.Application:
        async def handle(request: web.Request) -> web.Response:
            raw = await request.read()
            form = request.content_type.startswith("multipart/")
            sent = {
                "method": request.method,
                "path": request.path,
                "query": dict(request.query),
                "headers": {name.lower(): value for name, value in request.headers.items()},
                "body": raw.decode() if form or not raw else json.loads(raw),
            }
            self.requests.append(sent)
            return self.answer(sent)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        return app


@pytest.fixture
def api() -> Iterator[Endpoint]:
    with in_a_thread(api := Endpoint()):
        yield api


@pytest.fixture(autouse=True)
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put programs on the path that print a token, a new one each time; return its count's file."""
    count = tmp_path / "count"
    script = f'#!/bin/sh\necho x >> {count}\necho planted-token-$(wc -l < {count} | tr -d " ")\n'
    for name in ("az", "gcloud"):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return count


def said(path: str, content: Any = "True", **usage: int) -> web.Response:
    """Return a verdict in the form of the path's API."""
    counts = usage or {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    if path.endswith("/messages"):
        counts = {"input_tokens": 9, "output_tokens": 1}
        text = [{"type": "text", "text": content}]
        return web.json_response(
            {"type": "message", "role": "assistant", "content": text, "usage": counts}
            | {"id": "m", "model": "m", "stop_reason": "end_turn", "stop_sequence": None}
        )
    if path.endswith("/responses"):
        counts = {"input_tokens": 9, "output_tokens": 40, "total_tokens": 49}
        counts |= {"input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0}}
        counts |= {"output_tokens_details": {"reasoning_tokens": 32}}
        thought = {"type": "summary_text", "text": "two and two"}
        part = {"type": "output_text", "text": content, "annotations": [], "logprobs": []}
        message = {"type": "message", "id": "i", "role": "assistant", "status": "completed"}
        output = [
            {"type": "reasoning", "id": "r", "summary": [thought]},
            message | {"content": [part]},
        ]
        body = {"id": "r", "object": "response", "created_at": 1, "model": "m", "error": None}
        body |= {"status": "completed", "output": output, "usage": counts}
        return web.json_response(body | {"incomplete_details": None})
    choice = {"index": 0, "finish_reason": "stop"}
    choice |= {"message": {"role": "assistant", "content": content}}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    return web.json_response(body | {"choices": [choice], "usage": counts})


def judge_at(name: str, api: Endpoint, folder: Path) -> HttpJudge:
    """Return the judge of a yaml of the page, its host replaced by the mock's."""
    text, hosts = re.subn(r"(base_url: )https?://[^/\s]+", rf"\1{api.base_url}", YAMLS[name])
    assert hosts == 1
    (folder / f"{name}.yaml").write_text(text)
    judge = load_judge(folder / f"{name}.yaml")
    assert isinstance(judge, HttpJudge)
    return judge


def asked(judge: HttpJudge, times: int = 1) -> list[Reply]:
    """Ask about the item, with a key in the variable that the yaml names."""

    async def ask() -> list[Reply]:
        await judge.ready()
        await judge.open()
        try:
            return [(await judge.ask([request_of(judge)]))[0] for _ in range(times)]
        finally:
            await judge.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(judge.key_env or "UNUSED", KEY)
        return asyncio.run(ask())


def request_of(judge: HttpJudge) -> Request:
    request = judge.request(ITEM, Order.ORIGINAL, PROMPT)
    assert request is not None
    return request


def openai_at(url: str, path: str) -> openai.OpenAI:
    return openai.OpenAI(api_key=KEY, base_url=url + path, max_retries=0)


def chat(path: str, model: str, **options: Any) -> Callable[[str], object]:
    return lambda url: openai_at(url, path).chat.completions.create(
        model=model, messages=CHAT, **options
    )


def azure_deployment(url: str) -> object:
    client = openai.AzureOpenAI(
        azure_endpoint=url, azure_ad_token=TOKEN, api_version="2024-10-21", max_retries=0
    )
    return client.chat.completions.create(
        model="my-deployment", messages=CHAT, max_tokens=16, temperature=0, seed=7
    )


def bedrock_claude(url: str) -> object:
    client = anthropic.AnthropicBedrockMantle(
        api_key=KEY, base_url=f"{url}/anthropic", max_retries=0
    )
    return client.messages.create(
        model="anthropic.claude-haiku-5-5",
        messages=CHAT[1:],
        system=[{"type": "text", "text": "Grade.", "cache_control": {"type": "ephemeral"}}],
        max_tokens=16,
        thinking={"type": "disabled"},
    )


def responses(url: str) -> object:
    return openai_at(url, "/v1").responses.create(
        model="gpt-6-luna",
        input=CHAT,
        max_output_tokens=2048,
        reasoning={"effort": "low"},
        store=False,
    )


VERTEX = "/v1/projects/my-project/locations/global/endpoints/openapi"
LIKELY = {"logprobs": True, "top_logprobs": 20}
MINIMAL = {"max_tokens": 2048, "reasoning_effort": "minimal"}
CLIENTS: dict[str, Callable[[str], object]] = {
    "azure": chat("/openai/v1", "my-deployment", max_completion_tokens=16, reasoning_effort="none"),
    "azure_deployment": azure_deployment,
    "bedrock": chat(
        "/v1", "openai.gpt-oss-20b", max_tokens=2048, temperature=0, reasoning_effort="low"
    ),
    "bedrock_claude": bedrock_claude,
    "vertex": chat(VERTEX, "google/gemini-3.5-flash-lite", **MINIMAL),
    "gemini": chat("/v1beta/openai", "gemini-3.5-flash-lite", **MINIMAL),
    "deepseek": chat(
        "",
        "deepseek-v4-flash",
        max_tokens=16,
        temperature=0,
        extra_body={"thinking": {"type": "disabled"}},
    ),
    "responses": responses,
    "ollama": chat(
        "/v1", "qwen3.5:4b", max_tokens=16, temperature=0, seed=7, reasoning_effort="none"
    ),
    "llama_server": chat("/v1", "my-model", max_tokens=1, temperature=0, **LIKELY),
}
RECORDED: dict[str, tuple[str, dict[str, Any]]] = {
    "groq": (
        "/openai/v1/chat/completions",
        {
            "messages": CHAT,
            "model": "openai/gpt-oss-20b",
            "max_completion_tokens": 2048,
            "reasoning_effort": "low",
            "seed": 7,
            "temperature": 0,
        },
    ),
    "together": (
        "/v1/chat/completions",
        {
            "messages": CHAT,
            "model": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "max_tokens": 16,
            "seed": 7,
            "temperature": 0,
        },
    ),
    "mistral": (
        "/v1/chat/completions",
        {
            "model": "mistral-small-2603",
            "messages": CHAT,
            "temperature": 0.0,
            "max_tokens": 16,
            "random_seed": 7,
            "reasoning_effort": "none",
        },
    ),
    "openrouter": (
        "/api/v1/chat/completions",
        {
            "messages": CHAT,
            "max_tokens": 16,
            "model": "mistralai/ministral-8b-2512",
            "provider": {"allow_fallbacks": False, "only": ["mistral"]},
            "seed": 7,
            "temperature": 0.0,
        },
    ),
}
SENT = {  # where a key is not sent as a bearer token
    "azure": {"api-key": KEY},
    "azure_deployment": {"authorization": f"Bearer {TOKEN}"},
    "vertex": {"authorization": f"Bearer {TOKEN}"},
    "ollama": {},
    "llama_server": {},
}


def secrets_of(sent: dict[str, Any]) -> dict[str, str]:
    named = ("authorization", "api-key", "x-api-key", "x-goog-api-key", "cookie")
    return {name: value for name, value in sent["headers"].items() if name in named}


def test_every_yaml_of_the_page_is_compared():
    assert set(YAMLS) == set(CLIENTS) | set(RECORDED)


@pytest.mark.parametrize("name", sorted(YAMLS))
def test_a_yaml_of_the_page_asks_as_the_vendors_client_does(
    name: str, api: Endpoint, tmp_path: Path
):
    (reply,) = asked(judge_at(name, api, tmp_path))
    (sent,) = api.requests
    assert PROMPT.reader.read(reply).value == "True"
    assert sent["method"] == "POST"
    assert sent["headers"]["content-type"] == "application/json"
    assert secrets_of(sent) == SENT.get(name, {"authorization": f"Bearer {KEY}"})
    if name in RECORDED:
        path, body = RECORDED[name]
        assert (sent["path"], sent["query"], sent["body"]) == (path, {}, body)
        return
    CLIENTS[name](api.base_url)
    theirs = api.requests[1]
    for part in ("path", "query", "body"):
        assert sent[part] == theirs[part]


BATCHES = {  # paths, fields of the upload, a line without its body, the job; then its end
    "azure": (
        "/openai/v1/files",
        {"purpose": "batch"},
        {"method": "POST", "url": "/chat/completions"},
        "/openai/v1/batches",
        {"endpoint": "/chat/completions", "completion_window": "24h", "input_file_id": "f"},
        {"status": "completed", "output_file_id": "o"},
    ),
    "azure_deployment": (
        "/openai/files",
        {"purpose": "batch"},
        {"method": "POST", "url": "/chat/completions"},
        "/openai/batches",
        {"endpoint": "/chat/completions", "completion_window": "24h", "input_file_id": "f"},
        {"status": "completed", "output_file_id": "o"},
    ),
    "groq": (
        "/openai/v1/files",
        {"purpose": "batch"},
        {"method": "POST", "url": "/v1/chat/completions"},
        "/openai/v1/batches",
        {"endpoint": "/v1/chat/completions", "completion_window": "24h", "input_file_id": "f"},
        {"status": "completed", "output_file_id": "o"},
    ),
    "together": (
        "/v1/files/upload",
        {"purpose": "batch-api", "file_name": "requests.jsonl", "file_type": "jsonl"},
        {},
        "/v1/batches",
        {"endpoint": "/v1/chat/completions", "input_file_id": "f"},
        {"status": "COMPLETED", "output_file_id": "o"},
    ),
    "mistral": (
        "/v1/files",
        {"purpose": "batch", "visibility": "workspace"},
        {},
        "/v1/batch/jobs",
        {
            "endpoint": "/v1/chat/completions",
            "input_files": ["f"],
            "model": "mistral-small-2603",
            "timeout_hours": 24,
        },
        {"status": "SUCCESS", "output_file": "o"},
    ),
    "responses": (
        "/v1/files",
        {"purpose": "batch"},
        {"method": "POST", "url": "/v1/responses"},
        "/v1/batches",
        {"endpoint": "/v1/responses", "completion_window": "24h", "input_file_id": "f"},
        {"status": "completed", "output_file_id": "o"},
    ),
}


def fields_of(form: str) -> dict[str, str]:
    """Return the fields of a multipart form by name; that of the file has its content."""
    parts = re.findall(r'name="(\w+)".*?\r\n\r\n(.*?)\r\n--', form, re.DOTALL)
    return dict(parts)


@pytest.mark.parametrize("name", sorted(BATCHES))
def test_a_batch_has_the_form_of_its_server(name: str, api: Endpoint, tmp_path: Path):
    files, fields, line, jobs, job, end = BATCHES[name]
    judge = judge_at(name, api, tmp_path)
    request = request_of(judge)
    live = judge.wire.body(judge.model, request, judge.decoding)

    def answer(sent: dict[str, Any]) -> web.Response:
        match sent["method"], sent["path"]:
            case "POST", path if path == files:
                return web.json_response({"id": "f", "object": "file"})
            case "POST", path if path == jobs:
                started = {"id": "b", "status": "IN_PROGRESS"}
                return web.json_response({"job": started} if name == "together" else started)
            case "GET", path if path == f"{jobs}/b":
                return web.json_response({"id": "b", **end})
            case "GET", path if path == f"{files.removesuffix('/upload')}/o/content":
                inner = json.loads(said(judge.path).body)  # type: ignore[arg-type]
                done = {"custom_id": request.key, "error": None}
                done |= {"response": {"status_code": 200, "body": inner}}
                return web.Response(body=json.dumps(done).encode() + b"\n")
        return web.json_response({"error": {"message": f"no {sent['path']}"}}, status=404)

    api.answer = answer

    async def batch() -> dict[str, Reply] | None:
        await judge.ready()
        await judge.open()
        try:
            number = await judge.batch_submit([request], await judge.batch_upload([request]))
            return await judge.batch_results(number, {request.key: request})
        finally:
            await judge.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(judge.key_env or "UNUSED", KEY)
        found = asyncio.run(batch())
    assert found is not None
    assert found[request.key].text == "True"
    assert found[request.key].batched
    upload, started, *_ = api.requests
    sent_fields = fields_of(upload["body"])
    sent_line = json.loads(sent_fields.pop("file"))
    assert sent_fields == fields
    wanted = {k: v for k, v in live.items() if not (name == "mistral" and k == "model")}
    assert sent_line == {"custom_id": request.key, "body": wanted, **line}
    assert started["body"] == job
    for sent in api.requests:
        assert sent["query"] == dict(judge.server.query)
        assert secrets_of(sent) == SENT.get(name, {"authorization": f"Bearer {KEY}"})


def test_a_key_command_runs_again_when_the_key_is_refused(
    api: Endpoint, tmp_path: Path, commands: Path
):
    """Once, however many requests were refused with the old key."""
    judge = judge_at("vertex", api, tmp_path)

    def answer(sent: dict[str, Any]) -> web.Response:
        if sent["headers"]["authorization"] == f"Bearer {TOKEN}":
            return web.json_response({"error": {"code": 401, "message": "expired"}}, status=401)
        return said(sent["path"])

    api.answer = answer

    async def ask() -> list[Reply]:
        await judge.ready()
        await judge.open()
        try:
            return await judge.ask([request_of(judge)] * 5)
        finally:
            await judge.close()

    replies = asyncio.run(ask())
    assert [reply.text for reply in replies] == ["True"] * 5
    assert commands.read_text() == "x\n" * 2


def test_a_key_command_runs_again_after_the_keys_lifetime(
    api: Endpoint, tmp_path: Path, commands: Path, monkeypatch: pytest.MonkeyPatch
):
    judge = judge_at("vertex", api, tmp_path)
    clock = iter(range(0, 1_000_000, 2000))
    monkeypatch.setattr("llm_juries.judges.http.credentials.monotonic", lambda: next(clock))
    asked(judge, times=3)
    keys = [sent["headers"]["authorization"] for sent in api.requests]
    assert keys[0] == f"Bearer {TOKEN}"
    assert keys[-1] != keys[0]
    assert 2 <= len(commands.read_text().split()) <= 3


def test_a_key_that_is_refused_for_good_ends_the_judge(
    api: Endpoint, tmp_path: Path, commands: Path
):
    judge = judge_at("vertex", api, tmp_path)
    api.answer = lambda _: web.json_response({"error": {"message": "no"}}, status=401)
    with pytest.raises(JudgeUnavailableError, match=r"check server\.key_command \(gcloud\)"):
        asked(judge)
    assert len(api.requests) == 2
    assert commands.read_text() == "x\n" * 2


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("exit 3", "ended with exit code 3"),
        ("echo old opaqueKey1234567890abcdef >&2; exit 3", r"3: old \[key\];"),
        ("echo", "printed no key"),
        ("echo a-key-of-one-line; echo another", "it must print the key and nothing else"),
    ],
)
def test_a_key_command_that_fails_is_one_line(
    script: str, problem: str, api: Endpoint, tmp_path: Path
):
    (tmp_path / "gcloud").write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(JudgeUnavailableError, match=problem) as stopped:
        asked(judge_at("vertex", api, tmp_path))
    assert "\n" not in str(stopped.value)


def test_a_key_command_that_is_not_installed_is_one_line():
    server = Server("http://localhost:1", key_command=["no-such-program-here"])
    with pytest.raises(JudgeUnavailableError, match=r"no-such-program-here\): can't be run"):
        asked(HttpJudge("j", "f", "openai", "m", server=server))


def test_neither_token_of_a_command_comes_back_in_a_reply(api: Endpoint, tmp_path: Path):
    judge = judge_at("vertex", api, tmp_path)
    api.answer = lambda sent: said(sent["path"], f"{sent['headers']['authorization']}: True")
    (reply,) = asked(judge)
    assert TOKEN not in reply.text
    assert "[key]" in reply.text


def test_openrouters_error_inside_a_success_counts_as_its_code_says(api: Endpoint, tmp_path: Path):
    judge = judge_at("openrouter", api, tmp_path)
    api.answer = lambda _: web.json_response(
        {"error": {"code": 429, "message": "Provider returned error"}, "user_id": "u"}
    )
    with pytest.raises(TransientError, match="error 429") as failed:
        asked(judge)
    assert failed.value.overloaded
    api.answer = lambda _: web.json_response({"error": {"code": 402, "message": "no credits"}})
    with pytest.raises(JudgeUnavailableError, match="no credits"):
        asked(judge)


def test_thinking_that_stands_in_the_total_alone_is_counted_as_output(
    api: Endpoint, tmp_path: Path
):
    judge = judge_at("gemini", api, tmp_path)
    api.answer = lambda sent: said(
        sent["path"], prompt_tokens=9, completion_tokens=1, total_tokens=60
    )
    (reply,) = asked(judge)
    assert (reply.input_tokens, reply.output_tokens, reply.thinking_tokens) == (9, 51, 50)


def test_mistrals_thinking_is_kept_apart_and_not_read_for_a_verdict(api: Endpoint, tmp_path: Path):
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "So it is False."}]}
    api.answer = lambda sent: said(sent["path"], [thought, {"type": "text", "text": "True"}])
    (reply,) = asked(judge_at("mistral", api, tmp_path))
    assert (reply.thinking, reply.text) == ("So it is False.", "True")
    assert PROMPT.reader.read(reply).value == "True"


def test_a_responses_reasoning_is_kept_apart_and_counted(api: Endpoint, tmp_path: Path):
    (reply,) = asked(judge_at("responses", api, tmp_path))
    assert (reply.text, reply.thinking) == ("True", "two and two")
    counts = (reply.input_tokens, reply.cached_tokens, reply.output_tokens, reply.thinking_tokens)
    assert counts == (9, 2, 40, 32)


@pytest.mark.parametrize(
    ("changes", "stop"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "refusal"),
        ({"status": "cancelled"}, "error"),
    ],
)
def test_a_response_that_is_not_whole_says_why(
    changes: dict[str, Any], stop: str, api: Endpoint, tmp_path: Path
):
    whole = json.loads(said("/responses").body)  # type: ignore[arg-type]
    api.answer = lambda _: web.json_response(whole | {"output": []} | changes)
    (reply,) = asked(judge_at("responses", api, tmp_path))
    assert reply.stop == stop


def test_a_responses_refusal_and_probabilities_are_read(api: Endpoint, tmp_path: Path):
    whole = json.loads(said("/responses").body)  # type: ignore[arg-type]
    part = whole["output"][1]["content"][0]
    top = [{"token": "True", "logprob": -0.1}, {"token": "False", "logprob": -2.5}]
    part["logprobs"] = [{"token": "True", "logprob": -0.1, "top_logprobs": top}]
    api.answer = lambda _: web.json_response(whole)
    (reply,) = asked(judge_at("responses", api, tmp_path))
    assert reply.choice_logprobs == pytest.approx({"True": -0.1, "False": -2.5})
    whole["output"][1]["content"] = [{"type": "refusal", "refusal": "I won't."}]
    (reply,) = asked(judge_at("responses", api, tmp_path))
    assert (reply.stop, reply.text) == ("refusal", "I won't.")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"auth": "basic"}, r"^auth: there is no 'basic'; there are: bearer, none, header NAME"),
        ({"auth": "header"}, r"^auth: there is no 'header'"),
        ({"headers": {"api-key": "abc"}}, r"^headers\.api-key: holds a secret"),
        ({"headers": {"Authorization": "x"}}, r"^headers\.Authorization: holds a secret"),
        ({"headers": {"X-Note": "sk-" + "a" * 20}}, r"^headers\.X-Note: holds a secret"),
        ({"headers": {"X-Note": "a\nb"}}, r"^headers\.X-Note: .* can't be sent"),
        ({"headers": {"Content-Type": "text/plain"}}, r"^headers: 'Content-Type' can't be set"),
        ({"headers_env": {"X-Key": "not a name"}}, r"^headers_env\.X-Key: takes the name"),
        ({"headers": {"X-A": "1"}, "headers_env": {"x-a": "NAME"}}, r"^headers: x-a is set twice"),
        ({"query": {"key": "abc"}}, r"^query\.key: a key would stand in the address"),
        ({"path": "chat"}, r"^path: 'chat' is not a path"),
        ({"path": "/chat?x=1"}, r"^path: '/chat\?x=1' is not a path"),
        ({"auth": "none", "key_env": "NAME"}, r"^auth: is none, so the key"),
        ({"key_env": "NAME", "key_command": ["x"]}, r"^key_command: key_env names a key too"),
        ({"key_lifetime_s": 60}, r"^key_lifetime_s: is for the key of a key_command"),
        ({"key_lifetime_s": 0, "key_command": ["x"]}, r"^key_lifetime_s: is 0; must be more"),
    ],
)
def test_a_wrong_server_is_one_clear_line(options: dict[str, Any], problem: str):
    with pytest.raises(JuriesError, match=problem) as wrong:
        Server("http://localhost:1/v1", **options)
    assert "\n" not in str(wrong.value)
    assert "sk-" not in str(wrong.value)


def test_headers_of_variables_are_sent_and_a_missing_variable_is_one_line(
    api: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    server = Server(
        f"{api.base_url}/v1",
        auth="none",
        headers={"X-Title": "a study"},
        headers_env={"X-Gateway": "GATEWAY_KEY"},
        query={"version": "2"},
    )
    judge = HttpJudge("j", "f", "openai", "m", server=server)
    with pytest.raises(JudgeUnavailableError, match="variable GATEWAY_KEY holds no key; set it"):
        asked(judge)
    monkeypatch.setenv("GATEWAY_KEY", "gateway-secret")
    api.answer = lambda sent: said(sent["path"], f"True {sent['headers']['x-gateway']}")
    (reply,) = asked(judge)
    (sent,) = api.requests
    assert sent["headers"]["x-gateway"] == "gateway-secret"
    assert sent["headers"]["x-title"] == "a study"
    assert sent["query"] == {"version": "2"}
    assert "gateway-secret" not in reply.text


def test_a_yaml_of_the_page_runs_by_command_and_no_file_holds_its_key(
    api: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    conf, work = tmp_path / "conf" / "judge", tmp_path / "work"
    conf.mkdir(parents=True)
    work.mkdir()
    judge_at("azure", api, conf)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "a-planted-key-of-azure")
    done = ended(
        work, "judge", "--config-dir", str(tmp_path / "conf"), "judge=azure", "dataset.limit=2"
    )
    assert done.code == 0, done.err
    assert {sent["path"] for sent in api.requests} == {"/openai/v1/chat/completions"}
    for path in work.rglob("*"):
        assert not path.is_file() or b"a-planted-key-of-azure" not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("+judges.azure.server.headers={api-key: abc-def}", "headers_env: {api-key: NAME}"),
        ("+judges.azure.server.headers={X-Access-Token: abc}", "headers_env: {X-Access-Token:"),
        ("judges.azure.server.auth=basic", "judges.azure.server: auth: there is no 'basic'"),
        ("judges.azure.decoding.effort=high", "max_tokens: 16 leaves no room for a verdict"),
        ("+judges.azure.server.pfad=x", "judges.azure.server.pfad: no such key"),
    ],
)
def test_a_wrong_yaml_is_one_line_and_leaves_no_file(
    override: str, problem: str, api: Endpoint, tmp_path: Path
):
    conf, work = tmp_path / "conf" / "judge", tmp_path / "work"
    conf.mkdir(parents=True)
    work.mkdir()
    judge_at("azure", api, conf)
    done = ended(work, "judge", "--config-dir", str(tmp_path / "conf"), "judge=azure", override)
    assert done.code == 2, done.bug
    assert problem in done.err
    assert len(done.err.splitlines()) == 1
    assert not api.requests
    assert not any(b"abc" in path.read_bytes() for path in work.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"base_url": ""}, "base_url: '' is not an address"),
        ({"base_url": "localhost:8000/v1"}, "base_url: 'localhost:8000/v1' is not an address"),
        ({"base_url": "ftp://host"}, "base_url: 'ftp://host' is not an address"),
        ({"timeout_s": 0.0}, "timeout_s: is 0.0; must be more than 0"),  # would be none at all
        ({"timeout_s": -1.0}, "timeout_s: is -1.0"),
        ({"timeout_s": float("nan")}, "timeout_s: is nan"),
        ({"key_command": ("a",), "key_lifetime_s": float("nan")}, "key_lifetime_s: is nan"),
    ],
)
def test_an_address_and_times_that_are_none_are_refused(options: dict[str, Any], problem: str):
    with pytest.raises(JuriesError, match=problem):
        Server(**options)


def test_a_bearer_key_is_one_however_it_is_spaced():
    assert Server(auth="bearer ").key_headers("k") == {"Authorization": "Bearer k"}
