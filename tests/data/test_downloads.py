"""Public files are fetched once, checked, and read from a user's own folder."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_juries.data.downloads import PublicFile, PublicFiles
from llm_juries.errors import JuriesError

CONTENT = b"some data\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = PublicFile("A folder/x^2.json", SHA256)


def find(file: PublicFile, home: str, folder: str | None) -> Path:
    return PublicFiles(home, {"it": file}, folder).find("it")


class Home(http.server.BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        there = self.path == "/repo/commit/A%20folder/x%5E2.json"
        self.send_response(200 if there else 404)
        self.send_header("Content-Length", str(len(CONTENT) if there else 0))
        self.end_headers()
        if there:
            self.wfile.write(CONTENT)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("LLM_JURIES_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Home.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Home) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/repo/commit"
        server.shutdown()


def test_a_file_is_fetched_once_and_checked(home: str):
    first, again = find(FILE, home, None), find(FILE, home, None)
    assert first == again
    assert first.read_bytes() == CONTENT
    assert Home.asked == ["/repo/commit/A%20folder/x%5E2.json"]


def test_another_file_than_the_pinned_one_is_not_kept(home: str, tmp_path: Path):
    other = PublicFile(FILE.path, "0" * 64)
    with pytest.raises(JuriesError, match=r"not the pinned file .* dataset\.source\.folder="):
        find(other, home, None)
    assert not any(path.is_file() for path in (tmp_path / "cache").rglob("*"))


def test_a_file_without_a_stated_checksum_tells_it(home: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level("INFO"):
        find(PublicFile(FILE.path), home, None)
    assert SHA256 in caplog.text


@pytest.mark.parametrize("there", [True, False])
def test_a_file_that_is_not_to_be_had_is_told_in_one_line(home: str, there: bool):
    where = f"{home}/gone" if there else "http://127.0.0.1:9/repo"
    with pytest.raises(
        JuriesError, match=r"download failed .*set dataset\.source\.folder=FOLDER"
    ) as told:
        find(FILE, where, None)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("path", ["A folder/x^2.json", "x^2.json"])
def test_a_folder_of_ones_own_is_a_clone_or_holds_the_file(path: str, tmp_path: Path):
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_bytes(CONTENT)
    assert find(FILE, "unused", str(tmp_path)) == tmp_path / path


def test_a_changed_file_of_ones_own_is_taken_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "x^2.json").write_bytes(b"changed")
    assert find(FILE, "unused", str(tmp_path)).read_bytes() == b"changed"
    assert "not the published file" in caplog.text


def test_a_folder_without_the_file_is_told(tmp_path: Path):
    with pytest.raises(JuriesError, match=r"has neither A folder/x\^2\.json nor x\^2\.json"):
        find(FILE, "unused", str(tmp_path))
