"""The HTTP client of judges: one request, one response of bounded size.

It follows no redirect (a POST would become a GET of another page), sends no login of .netrc, takes
the environment's proxy, and never retries.
"""

from __future__ import annotations

import ipaddress
import urllib.request
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ...errors import JuriesError
from ...escaping import terminal
from ...redaction import redacted
from ..errors import JudgeUnavailableError, TransientError
from .failures import excerpt

if TYPE_CHECKING:
    import aiohttp

LARGEST = 16 << 20  # bytes of one response, or of one line of a batch's results, decompressed


class Response(NamedTuple):
    """A response with its body, in which the key does not stand."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return 200 <= self.status < 300


class Client:
    """A session with a judge's server.

    Parameters
    ----------
    judge : str
        For messages.
    base_url : str
    headers : mapping of str to str
        Of all requests.
    timeout_s : float
        For one response.
    limit : int
        How many requests at once.
    key : str, optional
        Is taken out of whatever the server sends.
    """

    def __init__(
        self,
        judge: str,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
        limit: int = 100,
        key: str | None = None,
    ) -> None:
        self.judge = judge
        self.base_url = base_url
        self.timeout_s = timeout_s
        self._limit = limit
        self._headers = dict(headers or {})
        self._key = key
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Open the session. Raises JudgeUnavailableError for a proxy that can't be used."""
        import aiohttp

        proxy = proxy_of(self.base_url)
        if proxy is not None and urlsplit(proxy).scheme not in ("http", "https"):
            raise JudgeUnavailableError(
                f"judge {self.judge}: the environment's proxy is not an HTTP proxy; name one, or "
                "add the server's host to NO_PROXY"
            )
        # No headers of the session: aiohttp would send those to a proxy too, the key with them.
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self.timeout_s, sock_connect=10),
            connector=aiohttp.TCPConnector(limit=self._limit),
            proxy=proxy,
        )

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Response:
        """Send a request; return the response, whatever its status.

        Raises
        ------
        JudgeUnavailableError
            If the URL is none, or the server redirects to another.
        TransientError
            If no response arrived, or too large a one.
        """
        url = self.base_url + path
        sent = {**self._headers, **headers} if headers else self._headers
        try:
            async with self._opened.request(
                method, url, headers=sent, allow_redirects=False, **options
            ) as response:
                self._check_direct(response, url)
                chunks, size = [], 0
                while chunk := await response.content.readany():
                    size += len(chunk)
                    if size > LARGEST:
                        response.close()
                        raise TransientError(
                            f"HTTP {response.status}: the response is larger than "
                            f"{LARGEST >> 20} MB"
                        )
                    chunks.append(chunk)
                body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
                return Response(response.status, response.headers, self.scrubbed(body))
        except (OSError, ValueError, _client_error()) as error:
            raise self._failed(error, url) from None

    async def lines(self, path: str) -> AsyncIterator[bytes]:
        """Yield the lines of a large response, one by one.

        Raises as `send`, and JudgeUnavailableError for any status but success.
        """
        url = self.base_url + path
        try:
            async with self._opened.get(
                url, headers=self._headers, allow_redirects=False
            ) as response:
                self._check_direct(response, url)
                if response.status != 200:
                    said = self.scrubbed(await response.content.read(1 << 16))
                    raise JudgeUnavailableError(
                        f"judge {self.judge}: GET {url}: HTTP {response.status}: {excerpt(said)}"
                    )
                rest = b""
                while chunk := await response.content.readany():
                    *whole, rest = (rest + chunk).split(b"\n")
                    if len(rest) > LARGEST:
                        response.close()
                        raise TransientError(f"{url}: a line is larger than {LARGEST >> 20} MB")
                    for line in whole:
                        yield self.scrubbed(line)
                if rest:
                    yield self.scrubbed(rest)
        except (OSError, ValueError, _client_error()) as error:
            raise self._failed(error, url) from None

    def scrubbed(self, body: bytes) -> bytes:
        """Return a response without the key, in case a server has echoed it."""
        if not self._key:
            return body
        text = body.decode(errors="surrogateescape")
        return self.without_key(text).encode(errors="surrogateescape")

    def without_key(self, text: str) -> str:
        """Return a text without the key: what a response says may have held it in parts."""
        return redacted(text, [self._key], "[key]") if self._key else text

    @property
    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise JuriesError(f"judge {self.judge}: asked before it was opened; call open() first")
        return self._session

    def _check_direct(self, response: aiohttp.ClientResponse, url: str) -> None:
        if 300 <= response.status < 400:
            to = response.headers.get("Location", "nowhere")
            to = terminal(self.scrubbed(to.encode(errors="replace")).decode(errors="replace")[:200])
            raise JudgeUnavailableError(
                f"judge {self.judge}: {url} redirects (HTTP {response.status}) to {to}, which is "
                "not followed; set server.base_url to where the API is"
            )

    def _failed(self, error: Exception, url: str) -> Exception:
        """Return the error to raise for a request that got no response."""
        import aiohttp

        if isinstance(error, aiohttp.InvalidURL):
            return JudgeUnavailableError(
                f"judge {self.judge}: {url!r} is not a URL; fix server.base_url"
            )
        if isinstance(error, aiohttp.ClientConnectorError):
            said = f"can't reach {url}: {error.strerror or error}"
            return TransientError(said, overloaded=True, unreachable=True)
        if isinstance(error, TimeoutError):
            return TransientError(f"no reply within {self.timeout_s:g} s")
        said = " ".join(f"{type(error).__name__}: {error}".split())
        said = self.scrubbed(said.encode(errors="replace")).decode()
        if isinstance(error, aiohttp.ClientError | OSError):
            return TransientError(said)
        return JudgeUnavailableError(f"judge {self.judge}: {url}: {said}")


def proxy_of(url: str) -> str | None:
    """Return the proxy that the environment names for a URL; None for this machine's own."""
    scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
    if not host or _is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(scheme) or proxies.get("all")


def is_private(url: str) -> bool:
    """Return whether a server is on this machine or a private network, by its address or name."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost", ".lan"))
    return address.is_private or address.is_loopback or address.is_link_local


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _client_error() -> type[Exception]:
    import aiohttp

    return aiohttp.ClientError
