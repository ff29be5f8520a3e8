"""The HTTP client: where requests go, what goes with them, and how much comes back."""

from __future__ import annotations

import asyncio
import base64
import gzip
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from faulty_api import FaultyApi, in_a_thread
from llm_juries.judges.errors import JudgeUnavailableError, TransientError
from llm_juries.judges.http.addresses import proxy_of
from llm_juries.judges.http.client import Client, Response
from llm_juries.judges.http.credentials import Credentials
from llm_juries.judges.http.server import Server
from llm_juries.judges.http.waits import retry_after

MB = 1 << 20
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Recorder(FaultyApi):
    """Answers every request with what `answer` returns, and keeps their URLs and headers."""

    answer: Callable[[], web.Response]

    @property
    def app(self) -> web.Application:
        async def handle(request: web.Request) -> web.Response:
            self.headers.append({"url": str(request.url), **request.headers})
            return self.answer()

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        return app


@pytest.fixture
def server() -> Iterator[Recorder]:
    with in_a_thread(api := Recorder()):
        api.answer = lambda: web.json_response({"ok": True})
        yield api


def sent(base_url: str) -> Response:
    async def send() -> Response:
        credentials = Credentials("j", Server(), base_url, "SOME_KEY")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SOME_KEY", "a-long-key")
            await credentials.read()
        client = Client("j", base_url, credentials=credentials)
        await client.open()
        try:
            return await client.send("POST", "/v1/x", data=b"{}")
        finally:
            await client.close()

    return asyncio.run(send())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304, 300])
def test_a_redirect_is_not_followed(status: int, server: Recorder):
    server.answer = lambda: web.Response(
        status=status, headers={"Location": "/elsewhere?k=a-long-key"}
    )
    with pytest.raises(JudgeUnavailableError) as told:
        sent(server.base_url)
    assert len(server.headers) == 1
    assert f"redirects (HTTP {status}) to /elsewhere?k=[key], which is not followed" in str(
        told.value
    )


def test_a_compressed_bomb_is_not_unpacked(server: Recorder):
    bomb = gzip.compress(bytes(256 * MB))
    server.answer = lambda: web.Response(body=bomb, headers={"Content-Encoding": "gzip"})
    tracemalloc.start()
    try:
        with pytest.raises(TransientError, match="larger than 16 MB"):
            sent(server.base_url)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * MB


def test_neither_the_login_of_netrc_nor_the_key_goes_to_a_proxy(
    server: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", server.base_url)
    sent("http://api.example")
    (headers,) = server.headers
    assert headers["Authorization"] == "Bearer a-long-key"
    assert "Proxy-Authorization" not in headers


def test_the_environments_proxy_is_used_with_its_login(
    server: Recorder, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HTTP_PROXY", server.base_url.replace("//", "//me:pass@"))
    assert sent("http://api.example").ok
    (headers,) = server.headers
    assert headers["url"] == "http://api.example/v1/x"
    login = base64.b64encode(b"me:pass").decode()
    assert headers["Proxy-Authorization"] == f"Basic {login}"
    assert headers["Authorization"] == "Bearer a-long-key"


def test_no_proxy_is_kept_to(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://proxy:1")
    monkeypatch.setenv("all_proxy", "http://any:2")
    monkeypatch.setenv("no_proxy", "internal")
    assert proxy_of("http://api.example/v1") == "http://proxy:1"
    assert proxy_of("https://api.example/v1") == "http://any:2"
    for own in (
        "http://internal/v1",
        "http://127.0.0.1:8000/v1",
        "http://localhost",
        "http://[::1]",
    ):
        assert proxy_of(own) is None


def test_a_proxy_of_another_kind_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(JudgeUnavailableError, match="not an HTTP proxy; name one, or add"):
        sent("http://api.example")


def test_a_date_is_compared_with_the_servers_clock():
    """A server whose clock is a day ahead asks for half a minute, not for a day."""
    ahead = {
        "Date": "Mon, 01 Jan 2035 00:00:00 GMT",
        "Retry-After": "Mon, 01 Jan 2035 00:00:30 GMT",
    }
    assert retry_after(ahead) == 30.0
    assert retry_after({**ahead, "Date": "nonsense"}) != 30.0
    assert retry_after({"Retry-After": "1e300"}) == 366 * 86400.0
