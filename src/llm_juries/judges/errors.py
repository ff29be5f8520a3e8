"""Errors of judges: unavailable for good, or transient and worth a retry."""

from __future__ import annotations

from ..errors import JuriesError
from ..types import Reply


class JudgeUnavailableError(JuriesError):
    """A judge can't be asked at all: its model file, package, key or server is missing.

    Parameters
    ----------
    message : str
    reply : Reply, optional
        That of the request at hand, if the judge answers others: some servers deny single requests
        with the status of a wrong key or model.
    """

    def __init__(self, message: str, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.reply = reply


class TransientError(Exception):
    """A request failed in a way that a retry may fix.

    Parameters
    ----------
    message : str
    overloaded : bool
        Whether the provider asks for fewer requests.
    retry_after : float, optional
        Seconds to wait, as the provider asks.
    unreachable : bool
        Whether no connection could be made at all: a wrong URL, or a server that is down.
    raw : str
        The response as it came, where one came that holds no reply.
    """

    def __init__(
        self,
        message: str,
        *,
        overloaded: bool = False,
        retry_after: float | None = None,
        unreachable: bool = False,
        raw: str = "",
    ) -> None:
        super().__init__(message)
        self.overloaded = overloaded
        self.retry_after = retry_after
        self.unreachable = unreachable
        self.raw = raw


class RateLimitedError(TransientError):
    """A request that the provider did not take, since too many were sent; it may be sent again."""
