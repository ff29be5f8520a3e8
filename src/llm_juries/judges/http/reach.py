"""Whether a server can be reached, found out without asking it anything."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from .addresses import proxy_of

ATTEMPTS, PAUSE_S = 3, 0.5
PATIENCE_S = 10.0


async def unreachable(url: str) -> str:
    """Return why no connection to a URL's host can be made, "" if one can.

    A server that is merely slow, one behind a proxy and what is no URL count as reachable: asking
    tells.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (KeyError, ValueError):
        return ""
    if not parts.hostname or proxy_of(url):
        return ""
    why = ""
    for attempt in range(ATTEMPTS):
        await asyncio.sleep(attempt * PAUSE_S)
        try:
            async with asyncio.timeout(PATIENCE_S):
                _, writer = await asyncio.open_connection(parts.hostname, port)
        except TimeoutError:
            return ""
        except OSError as error:
            why = error.strerror or str(error)
        else:
            writer.close()
            return ""
    return why
