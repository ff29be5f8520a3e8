"""Keys that a user may plant, and a server sends back, are in nothing that is written."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest
import yaml

from in_process import Ended, ended
from llm_juries.redaction import redacted, spellings

pytestmark = pytest.mark.slow

KEY = "planted/key+of=the~user-1234567890"
LOGIN = "planted-login-987"
ITEMS = 3
ECHOES = ("content", "thinking", "base64", "escaped", "long", "bad_request", "denied", "busy",
          "html", "within", "model", "parts", "wrapped", "wide", "moved")  # fmt: skip


class Echo(BaseHTTPRequestHandler):
    """A server that sends the key back wherever the judge's model says."""

    def do_GET(self) -> None:
        key = self.headers["Authorization"].removeprefix("Bearer ")
        if self.path.endswith("/content"):
            lines = [self.result(request, key) for request in BATCHED]
            self.send(200, "\n".join(lines).encode())
        else:
            self.reply(200, {"id": f"b-{key[:0]}1", "status": "completed", "output_file_id": "f"})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Authorization"].removeprefix("Bearer ")
        if self.path.endswith("/files"):
            body = raw.split(b"\r\n\r\n")[2].partition(b"\r\n--")[0]
            BATCHED[:] = [json.loads(line)["custom_id"] for line in body.splitlines()]
            return self.reply(200, {"id": "f"})
        if self.path.endswith("/batches"):
            return self.reply(200, {"id": "b1"})
        return self.chat(json.loads(raw)["model"], key)

    def chat(self, model: str, key: str) -> None:
        coded = base64.b64encode(f"user:{key}".encode()).decode()
        match model:
            case "bad_request":
                self.reply(400, {"error": {"message": f"{'x' * 290}{key}", "code": key}})
            case "denied":
                self.reply(
                    401, {"error": {"message": f"no such key {key} ({quote(key, safe='')})"}}
                )
            case "busy":
                self.reply(500, {"error": key, "auth": coded})
            case "parts":
                halves = [{"text": key[:15]}, {"text": key[15:]}]
                self.reply(400, {"error": {"message": halves}})
            case "wrapped":
                self.reply(500, {"error": f"Basic {coded[:30]}\r\n {coded[30:]}"})
            case "wide":
                wide = "".join(chr(ord(sign) + 0xFEE0) for sign in key)
                self.reply(500, {"error": wide, "hex": key.encode().hex().upper()})
            case "moved":
                self.send(302, b"", location="http://127.0.0.1:1/" + quote(coded, safe=""))
            case "html":
                self.send(502, f"<html>{key} Basic {coded}</html>".encode())
            case "within":
                self.reply(200, {"error": {"code": 400, "message": coded}})
            case "model":
                self.reply(200, answer("True", model=key))
            case "thinking":
                self.reply(200, answer("True", reasoning=f"my key is {key}"))
            case "base64":
                self.reply(200, answer(f"True {coded}"))
            case "escaped":
                text = json.dumps(answer(f"True {key}")).replace("planted", "\\u0070lanted")
                self.send(200, text.encode())
            case "long":
                self.reply(200, answer(f"{'so ' * 200}{key} True"))
            case _:
                self.reply(200, answer(f"True {key}"))

    def result(self, request: str, key: str) -> str:
        body = answer(f"True {key}")
        return json.dumps(
            {"custom_id": request, "response": {"status_code": 200, "body": body}, "error": None}
        )

    def reply(self, status: int, body: object) -> None:
        self.send(status, json.dumps(body).encode())

    def send(self, status: int, body: bytes, location: str = "") -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


BATCHED: list[str] = []


def answer(text: str, reasoning: str = "", model: str = "m") -> dict[str, object]:
    message = {"role": "assistant", "content": text, "reasoning_content": reasoning}
    return {
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2},
    }


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLANTED_KEY", KEY)
    monkeypatch.setenv("PLANTED_URL", f"http://me:{LOGIN}@127.0.0.1:1/v1")
    monkeypatch.setenv("PLANTED_SETTING", LOGIN)
    rows = [
        {"question": f"q{n}?", "answer": f"A{n}", "references": ["A"], "human": n % 2}
        for n in range(ITEMS)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    questions = [{"question": row["question"], "references": ["A"]} for row in rows]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, questions)))
    for group in ("judge", "candidate"):
        (tmp_path / "conf" / group).mkdir(parents=True)
        for name in ECHOES:
            text = yaml.safe_dump(node(name, url))
            (tmp_path / "conf" / group / f"{name}.yaml").write_text(text)
    return tmp_path


def node(name: str, url: str) -> dict[str, object]:
    return {
        "_target_": "llm_juries.judges.http.judge.HttpJudge",
        "name": name,
        "family": "f",
        "wire": "openai",
        "model": name,
        "server": {"base_url": url, "key_env": "PLANTED_KEY"},
        "decoding": {"verdict_by": "text", "max_tokens": 64},
        "limits": {"attempts": 1, "in_flight": 2},
    }


def written(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield all that is below a folder, but for the user's own yamls, as text."""
    for path in folder.rglob("*"):
        if not path.is_file() or path.name.startswith("mine"):
            continue
        if path.suffix == ".parquet":
            yield path, str(pq.read_table(path).to_pylist())
        yield path, path.read_bytes().decode(errors="replace")


def check(folder: Path, *runs: Ended) -> None:
    """Check that no planted key is in what runs wrote and said, and that none was a bug."""
    texts = [("said", f"{run.out}{run.err}{run.bug}") for run in runs]
    texts += [(str(path), text) for path, text in written(folder)]
    for place, text in texts:
        assert LOGIN not in text, place
        for form in spellings(KEY):
            assert form not in text, (place, form)
        assert redacted(text, [KEY]) == text, place
        for part in (KEY[:20], KEY[-20:]):  # one that was cut
            assert part not in text, place
    assert not any(run.bug for run in runs), runs


USUAL = ("--config-dir=conf", "dataset=jsonl", "dataset.path=a.jsonl")


@pytest.mark.parametrize("name", ECHOES)
def test_what_a_server_sends_back(name: str, folder: Path):
    """A live run, W&B, a report and its page, Parquet and an export, for each place of an echo."""
    wandb = name in ("content", "bad_request")
    more = ["wandb=offline"] if wandb else []
    asked = ended(folder, "judge", *USUAL, f"judge={name}", *more)
    runs = [asked, ended(folder, "store", "compact")]
    if any((folder / "outputs" / "store").rglob("*.parquet")):
        runs.append(ended(folder, "store", "export", "out=exported"))
    if name in ("content", "thinking"):
        drawn = "all" if wandb else "none"
        given = (f"judge={name}", f"figures.draw={drawn}")
        runs.append(ended(folder, "analyze", *USUAL, *given, *more))
        assert runs[-1].code == 0, runs[-1]
    check(folder, *runs)


def test_batches_and_their_results(folder: Path):
    runs = [ended(folder, "judge", *USUAL, "judge=content", "mode=batch") for _ in range(2)]
    assert f"{ITEMS}" in runs[1].out
    check(folder, *runs)


def test_answers_and_sweeps_and_dry_runs(folder: Path):
    questions = ("--config-dir=conf", "dataset=questions", "dataset.path=q.jsonl")
    check(
        folder,
        ended(folder, "answer", *questions, "candidate=content"),
        ended(folder, "judge", *USUAL, "judge=content", "dry_run=true"),
        ended(folder, "judge", "-m", *USUAL, "judge=content,base64"),
        ended(folder, "submit", *USUAL, "judge=content,long", "cluster=local", "dry_run=true"),
        ended(folder, "status", *USUAL, "judge=content", "wandb=offline"),
    )


PLANTED = {
    "a login in a URL": ["judges.content.server.base_url=http://me:LOGIN@127.0.0.1:1/v1"],
    "a key in a URL": ["judges.content.server.base_url='http://127.0.0.1:1/v1?key=LOGIN'"],
    "a key for a variable's name": ["judges.content.server.key_env='PLANTED'"],
    "a key of its own": ["+judges.content.api_key=LOGIN"],
    "a key in a note": ["judges.content.note='PLANTED'"],
    "a header": ["+judges.content.decoding.extra.headers.Authorization='Bearer LOGIN'"],
    "Hydra's environment": ["+hydra.job.env_set.OPENAI_API_KEY=LOGIN"],
    "vLLM's environment": ["judge=smollm2_vllm",
                           "+judges.smollm2_vllm.runtime.environment.HF_TOKEN=LOGIN"],
    "a sweep": ["-m", "judges.content.note=x,'PLANTED'"],
    "a name that can't be read": ["judges.content.note=[PLANTED"],
    "a path": ["dataset.path='https://me:LOGIN@127.0.0.1:1/a.jsonl'"],
    "W&B's project": ["wandb.project='PLANTED'"],
}  # fmt: skip


@pytest.mark.parametrize("how", PLANTED)
@pytest.mark.parametrize("command", ["judge", "submit"])
def test_a_secret_on_the_command_line_is_refused(how: str, command: str, folder: Path):
    given = [one.replace("LOGIN", LOGIN).replace("PLANTED", KEY) for one in PLANTED[how]]
    replaced = {one.partition("=")[0] for one in given}
    usual = [one for one in USUAL if one.partition("=")[0] not in replaced]
    judge = [] if any(one.startswith("judge=") for one in given) else ["judge=content"]
    if command == "submit":
        given = [one for one in given if one != "-m"]
    done = ended(folder, command, *usual, *judge, *given)
    assert done.code == 2, done
    assert not (folder / "outputs").exists()  # before Hydra writes the folder of the run
    check(folder, done)


@pytest.mark.parametrize(
    "changed",
    [
        {"server": {"base_url": f"http://me:{LOGIN}@127.0.0.1:1/v1", "key_env": ""}},
        {"server": {"base_url": f"http://127.0.0.1:1/v1?token={LOGIN}", "key_env": ""}},
        {"note": f"it is {KEY}"},
        {"api_key": LOGIN},
    ],
)
def test_a_secret_in_a_yaml_is_refused(changed: dict[str, object], folder: Path, url: str):
    mine = folder / "conf" / "judge" / "mine.yaml"
    mine.write_text(yaml.safe_dump(node("mine", url) | changed))
    done = ended(folder, "judge", *USUAL, "judge=mine")
    assert done.code == 2, done
    assert not (folder / "outputs").exists()
    check(folder, done)


@pytest.mark.parametrize(
    "changed",
    [
        {"server": {"base_url": "${oc.env:PLANTED_URL}", "key_env": ""}},
        {"note": "${oc.env:PLANTED_SETTING}"},
        {"family": "x ${oc.env:PLANTED_KEY}"},
        {"limits": {"in_flight": "${oc.env:PLANTED_SETTING}"}},
        {"wire": "${oc.env:PLANTED_SETTING}"},
    ],
)
def test_what_a_variable_holds_is_not_written(changed: dict[str, object], folder: Path, url: str):
    mine = folder / "conf" / "judge" / "mine.yaml"
    mine.write_text(yaml.safe_dump(node("mine", url) | changed))
    runs = [ended(folder, "judge", *USUAL, "judge=mine", "wandb=offline", "dataset.limit=1")]
    given = ("judge=mine", "dataset.limit=1", "figures.draw=none")
    runs.append(ended(folder, "analyze", *USUAL, *given))
    check(folder, *runs)


def test_a_traceback_holds_no_key(folder: Path, monkeypatch: pytest.MonkeyPatch):
    for module in ("mistakes", "hydra_app"):
        monkeypatch.setattr(f"llm_juries.commands.{module}.TRACEBACKS", True)
    done = ended(folder, "judge", *USUAL, "judge=denied", tracebacks=True)
    assert "Traceback" in done.bug
    check(folder, done._replace(bug=""), Ended(0, done.bug, "", ""))
