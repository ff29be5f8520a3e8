"""Why a judge gives no reply: unavailable altogether, or a request worth retrying."""

from __future__ import annotations

from ..errors import JuriesError


class JudgeUnavailableError(JuriesError):
    """A judge can't be asked at all: its model file, package, key or server is not to be had."""


class TransientError(Exception):
    """A reply that did not come, but may if asked for again.

    Parameters
    ----------
    message : str
    overloaded : bool
        Whether the provider asks for less.
    retry_after : float, optional
        Seconds the provider wants to be left alone.
    unreachable : bool
        Whether no connection could be made at all: a wrong URL, or a server that is down.
    """

    def __init__(
        self,
        message: str,
        *,
        overloaded: bool = False,
        retry_after: float | None = None,
        unreachable: bool = False,
    ) -> None:
        super().__init__(message)
        self.overloaded = overloaded
        self.retry_after = retry_after
        self.unreachable = unreachable
