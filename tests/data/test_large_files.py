"""A large file is downloaded once, continued after a break, and checked."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_juries.data import large_files
from llm_juries.data.large_files import LargeFile, duration, gb
from llm_juries.errors import JuriesError

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Home(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; `breaks` is how many bytes each of the next replies has before it ends."""

    asked: list[str]
    breaks: list[int]
    ranges, tag, status, length = True, '"v1"', 200, 0

    def do_GET(self) -> None:
        span = self.headers.get("Range", "")
        self.asked.append(span)
        wanted = self.headers.get("If-Range", self.tag) == self.tag
        start = int(span[6:-1]) if span and self.ranges and wanted else 0
        if self.status != 200:
            self.send_response(self.status)
            self.send_header("Location", "https://elsewhere.invalid/login?secret")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        total = self.length or len(CONTENT)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.send_header("Content-Length", str(total - start))
        self.send_header("ETag", self.tag)
        self.end_headers()
        most = self.breaks.pop(0) if self.breaks else len(CONTENT)
        self.wfile.write(CONTENT[start : start + most])

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("LLM_JURIES_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(large_files, "PAUSE", 0.0)
    monkeypatch.setattr(large_files, "CHUNK", 1000)
    Home.asked, Home.breaks = [], []
    Home.ranges, Home.tag, Home.status, Home.length = True, '"v1"', 200, 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Home) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/big/file.bin"
        server.shutdown()


def test_a_file_is_downloaded_once_and_checked(home: str):
    file = LargeFile(home, len(CONTENT), SHA256)
    assert file.missing == len(CONTENT)
    assert file.fetch().read_bytes() == CONTENT
    assert file.fetch() == file.path
    assert (file.missing, Home.asked) == (0, [""])


def test_a_broken_download_continues_where_it_was(home: str):
    Home.breaks = [30_000, 30_000]
    assert LargeFile(home, len(CONTENT), SHA256).fetch().read_bytes() == CONTENT
    assert Home.asked == ["", "bytes=30000-", "bytes=60000-"]


def test_a_download_that_was_killed_continues_in_the_next_run(home: str):
    file = LargeFile(home, len(CONTENT), SHA256)
    part = large_files._part(file.path)
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:70_000])
    assert file.missing == len(CONTENT) - 70_000
    assert file.fetch().read_bytes() == CONTENT
    assert Home.asked == ["bytes=70000-"]


@pytest.mark.parametrize("ranges", [True, False])
def test_another_version_or_no_ranges_start_again(home: str, ranges: bool):
    Home.breaks = [30_000] + [0] * large_files.ATTEMPTS
    file = LargeFile(home, len(CONTENT), SHA256)
    with pytest.raises(JuriesError, match=r"stopped at 0\.0 MB of 0\.1 MB .*run again to continue"):
        file.fetch()
    Home.ranges, Home.breaks = ranges, []
    if ranges:
        Home.tag = '"v2"'
    assert file.fetch().read_bytes() == CONTENT


def test_another_file_than_the_published_one_is_not_kept(home: str):
    file = LargeFile(home, len(CONTENT), "0" * 64)
    with pytest.raises(JuriesError, match=r"not the published file \(sha256 .* was deleted"):
        file.fetch()
    assert not file.path.exists()
    assert file.missing == len(CONTENT)


def test_an_unknown_checksum_is_recorded(home: str, caplog: pytest.LogCaptureFixture):
    path = LargeFile(home, len(CONTENT)).fetch()
    assert f"was not checked; it is {SHA256}" in caplog.text
    assert SHA256 in [file.read_text().strip() for file in path.parent.glob("*.sha256")]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            302,
            r"redirects to elsewhere\.invalid, which is not followed; set retrieval\.",
        ),
        (404, r"HTTP 404\); check retrieval\.source\.url, or set retrieval\.path"),
        (403, "HTTP 403"),
        (503, r"download stopped at 0\.0 MB"),
    ],
)
def test_what_a_server_refuses_is_one_clear_line(home: str, status: int, said: str):
    Home.status = status
    with pytest.raises(JuriesError, match=said) as caught:
        LargeFile(home, len(CONTENT), SHA256).fetch()
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_of_another_size_is_refused_before_it_is_downloaded(home: str):
    Home.length = 5_000_000_000
    with pytest.raises(JuriesError, match=r"has 5,000,000,000 bytes, not the published 102,400"):
        LargeFile(home, len(CONTENT), SHA256).fetch()


def test_a_full_disk_is_found_before_downloading(home: str):
    with pytest.raises(JuriesError, match=r"needs 1000000\.0 GB in .* GB free; make room"):
        LargeFile(home, 10**15, SHA256).fetch()
    assert Home.asked == []


def test_an_unreachable_server_is_one_clear_line(home: str):
    with pytest.raises(JuriesError, match=r"download stopped .*ConnectionError.*retrieval\.path"):
        LargeFile("http://127.0.0.1:9/file", 10, SHA256).fetch()


def test_two_processes_do_not_download_one_file_at_a_time(home: str):
    file = LargeFile(home, len(CONTENT), SHA256)
    file.path.parent.mkdir(parents=True)
    with (
        large_files._alone(file.path),
        pytest.raises(JuriesError, match="another process is downloading it"),
    ):
        file.fetch()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "p.tsv", "https://"])
def test_what_is_no_url_is_refused(url: str):
    with pytest.raises(JuriesError, match="is not a URL"):
        LargeFile(url, 1)
    with pytest.raises(JuriesError, match="size: is 0"):
        LargeFile("https://a.b/c", 0)


def test_amounts_are_written_for_people():
    assert [duration(s) for s in (0.2, 45, 600, 7800)] == ["1 s", "1 min", "10 min", "2 h 10 min"]
    assert [gb(size) for size in (4_694_541_059, 23_600_000)] == ["4.7 GB", "23.6 MB"]
