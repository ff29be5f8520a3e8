"""The HTTP client of judges: one request, one response of bounded size.

It follows no redirect (a POST would become a GET of another page), sends no login of .netrc, takes
the environment's proxy, and never retries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ...errors import JuriesError
from ...escaping import terminal
from ..errors import JudgeUnavailableError, RateLimitedError, TransientError
from .addresses import proxy_of
from .credentials import Credentials
from .failures import excerpt
from .waits import retry_after

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
    headers, query : mapping of str to str
        Of all requests.
    timeout_s : float
        For one response.
    limit : int
        How many requests at once.
    credentials : Credentials, optional
        Make further headers, and are taken out of whatever the server sends.
    """

    def __init__(
        self,
        judge: str,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
        limit: int = 100,
        credentials: Credentials | None = None,
        query: Mapping[str, str] | None = None,
    ) -> None:
        self.judge = judge
        self.base_url = base_url
        self.timeout_s = timeout_s
        self._limit = limit
        self._headers = dict(headers or {})
        self._credentials = credentials
        self._query = dict(query or {})
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

        Where the key has expired and there is a new one, the request is sent once more with that.
        `data` may be a function that makes the body, for one that can be sent only once.

        Raises
        ------
        JudgeUnavailableError
            If the URL is none, or the server redirects to another.
        TransientError
            If no response arrived, or too large a one.
        """
        url = self.base_url + path
        try:
            own = {**self._headers, **(headers or {})}
            secret = await self._secret()
            response = await self._answer(method, url, own | secret, options)
            if await self._renewed(response.status, response.body, secret):
                response = await self._answer(method, url, own | await self._secret(), options)
            return response
        except (OSError, ValueError, _client_error()) as error:
            raise self._failed(error, url) from None

    async def lines(self, path: str) -> AsyncIterator[bytes]:
        """Yield the lines of a large response, one by one.

        Raises as `send`, RateLimitedError if too many requests were sent, and JudgeUnavailableError
        for any other status but success.
        """
        url = self.base_url + path
        try:
            for last in (False, True):
                secret = await self._secret()
                sent = {**self._headers, **secret}
                async with self._opened.get(
                    url, headers=sent, params=self._query, allow_redirects=False
                ) as response:
                    self._check_direct(response, url)
                    if response.status == 200:
                        async for line in self._split(response, url):
                            yield line
                        return
                    said = self.scrubbed(await response.content.read(1 << 16))
                    if response.status == 429:
                        raise RateLimitedError(
                            f"GET {path}: HTTP 429: {excerpt(said)}",
                            overloaded=True,
                            retry_after=retry_after(response.headers),
                        )
                if last or not await self._renewed(response.status, said, secret):
                    raise JudgeUnavailableError(
                        f"judge {self.judge}: GET {url}: HTTP {response.status}: {excerpt(said)}"
                    )
        except (OSError, ValueError, _client_error()) as error:
            raise self._failed(error, url) from None

    async def _answer(
        self, method: str, url: str, headers: Mapping[str, str], options: Mapping[str, Any]
    ) -> Response:
        """Send a request once and read its response, up to the size that is allowed."""
        made = {k: v() if k == "data" and callable(v) else v for k, v in options.items()}
        async with self._opened.request(
            method, url, headers=headers, params=self._query, allow_redirects=False, **made
        ) as response:
            self._check_direct(response, url)
            chunks, size = [], 0
            while chunk := await response.content.readany():
                size += len(chunk)
                if size > LARGEST:
                    response.close()
                    raise TransientError(
                        f"HTTP {response.status}: the response is larger than {LARGEST >> 20} MB"
                    )
                chunks.append(chunk)
            body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            return Response(response.status, response.headers, self.scrubbed(body))

    async def _split(self, response: aiohttp.ClientResponse, url: str) -> AsyncIterator[bytes]:
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

    async def _secret(self) -> dict[str, str]:
        return {} if self._credentials is None else await self._credentials.headers()

    async def _renewed(self, status: int, body: bytes, sent: dict[str, str]) -> bool:
        """Return whether a request was refused for an expired key that there is a new one for."""
        expired = status == 401 or (status == 403 and b"expired" in body.lower())
        if self._credentials is None or not expired:
            return False
        return await self._credentials.renewed(sent)

    def scrubbed(self, body: bytes) -> bytes:
        """Return a response without the key, in case a server has echoed it."""
        if self._credentials is None or not self._credentials.known:
            return body
        text = body.decode(errors="surrogateescape")
        return self.without_key(text).encode(errors="surrogateescape")

    def without_key(self, text: str) -> str:
        """Return a text without the secrets: what a response says may have held one in parts."""
        return text if self._credentials is None else self._credentials.scrubbed(text)

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


def _client_error() -> type[Exception]:
    import aiohttp

    return aiohttp.ClientError
