"""A stand-in for the Hugging Face hub on loopback: it serves dataset repositories from a folder.

A repository's revisions are folders, ROOT/OWNER/NAME/REVISION. One named by 40 hex digits is that
commit; another is a branch, whose commit is a hash of what it holds. It answers what the clients
`huggingface_hub` and `datasets` ask of the real one: metadata, trees and files, with commits, ETags
and ranges.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

TOKEN = "hf_a_token_of_the_tests"  # noqa: S105

FILE = re.compile(r"/datasets/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
API = re.compile(
    r"/api/datasets/(?P<repo>[^/]+/[^/]+)"
    r"(/(?P<verb>revision|tree|paths-info)/(?P<revision>[^/]+)(/(?P<path>.*))?)?"
)


class FakeHub(ThreadingHTTPServer):
    """The server. `gated` repositories need the token.

    `asked` lists what it was asked for, `sent` counts the bytes it answered with.
    """

    daemon_threads = True

    def __init__(self, root: Path, gated: Collection[str] = ()) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = root
        self.gated = gated
        self.asked: list[str] = []
        self.sent = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def snapshot(self, repo: str, revision: str) -> tuple[str, Path]:
        """Return the commit and folder of a revision; raise LookupError with the hub's code."""
        folder = self.root / repo
        if not folder.is_dir():
            raise LookupError("RepoNotFound")
        for held in sorted(folder.iterdir()):
            if revision in (held.name, commit_of(held)):
                return commit_of(held), held
        raise LookupError("RevisionNotFound")


@contextmanager
def fake_hub(root: Path, gated: Collection[str] = ()) -> Iterator[FakeHub]:
    """Serve the repositories under a folder while the block runs."""
    with FakeHub(root, gated) as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        yield hub
        hub.shutdown()


def commit_of(revision: Path) -> str:
    if re.fullmatch(r"[0-9a-f]{40}", revision.name):
        return revision.name
    content = hashlib.sha1()  # noqa: S324 - a name, as in git
    for path in files_in(revision):
        content.update(path.encode() + (revision / path).read_bytes())
    return content.hexdigest()


def files_in(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def entry(folder: Path, path: str) -> dict[str, Any]:
    """Describe a file or a folder as the hub's trees do."""
    if (folder / path).is_dir():
        return {"type": "directory", "oid": digest(path.encode()), "size": 0, "path": path}
    content = (folder / path).read_bytes()
    described = {"type": "file", "oid": digest(content), "size": len(content), "path": path}
    if path.endswith((".parquet", ".jsonl")):
        sha256 = hashlib.sha256(content).hexdigest()
        described["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 130}
    return described


def digest(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324


class Handler(BaseHTTPRequestHandler):
    """Answers one request after another."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body would wait 40 ms until its header is acknowledged
    server: FakeHub

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        url = urlparse(self.path)
        self.server.asked.append(f"{self.command} {url.path}")
        try:
            if found := FILE.fullmatch(url.path):
                self.file(**{key: unquote(value) for key, value in found.groupdict().items()})
            elif found := API.fullmatch(url.path):
                repo, verb = found["repo"], found["verb"]
                commit, folder = self.server.snapshot(repo, unquote(found["revision"] or "main"))
                recursive = parse_qs(url.query).get("recursive", ["false"])[0].lower()
                match verb:
                    case "tree":
                        self.tree(folder, unquote(found["path"] or ""), recursive in ("true", "1"))
                    case "paths-info":
                        self.paths_info(folder, body)
                    case _:
                        self.info(repo, commit, folder)
            else:
                self.send(404)
        except LookupError as error:
            self.refuse(str(error.args[0]))

    def info(self, repo: str, commit: str, folder: Path) -> None:
        gated = "auto" if repo in self.server.gated else False
        siblings = [{"rfilename": path} for path in files_in(folder)]
        self.send_json({"id": repo, "sha": commit, "gated": gated, "siblings": siblings})

    def tree(self, folder: Path, within: str, recursive: bool) -> None:
        paths = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))
        if within and within not in paths:
            raise LookupError("EntryNotFound")
        head = f"{within}/" if within else ""
        inside = [path for path in paths if path.startswith(head)]
        if not recursive:
            inside = [path for path in inside if "/" not in path.removeprefix(head)]
        self.send_json([entry(folder, path) for path in inside])

    def paths_info(self, folder: Path, body: bytes) -> None:
        try:
            wanted = json.loads(body)["paths"]
        except ValueError:  # a form
            wanted = parse_qs(body.decode()).get("paths", [])
        held = [path for path in wanted if (folder / path).exists()]
        self.send_json([entry(folder, path) for path in held])

    def file(self, repo: str, revision: str, path: str) -> None:
        if repo in self.server.gated and self.headers.get("authorization") != f"Bearer {TOKEN}":
            raise LookupError("GatedRepo")
        commit, folder = self.server.snapshot(repo, revision)
        if not (folder / path).is_file():
            raise LookupError("EntryNotFound")
        content, described = (folder / path).read_bytes(), entry(folder, path)
        tag = f'"{described.get("lfs", described)["oid"]}"'
        headers = {"ETag": tag, "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        headers |= {"X-Linked-Etag": tag, "X-Linked-Size": str(len(content))}
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range") or ""):
            first = int(wanted[1])
            last = min(int(wanted[2] or len(content)), len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            self.send(206, content[first : last + 1], headers)
        else:
            self.send(200, content, headers)

    def refuse(self, code: str) -> None:
        status = 401 if code in ("GatedRepo", "RepoNotFound") else 404
        self.send(status, headers={"X-Error-Code": code, "X-Error-Message": code})

    def send_json(self, value: Any) -> None:
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.server.sent += len(body)
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass
