"""How long a response asks to wait, by its headers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 366 * 86400.0  # more is the same to everybody, and must fit into a clock


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a response asks to wait, None where it does not say.

    From retry-after-ms, else from Retry-After as a number of seconds or as a date.
    """
    milliseconds, value = headers.get("retry-after-ms"), headers.get("Retry-After", "")
    seconds = _number(value) if not milliseconds else _number(milliseconds, 1000)
    if seconds is None and not milliseconds:
        seconds = _until(value, parsedate_to_datetime, headers)
    return None if seconds is None else min(max(0.0, seconds), LONGEST_S)


def pause_asked(headers: Mapping[str, str]) -> float:
    """Return the seconds until a used-up rate limit is reset, by the provider's own headers.

    OpenAI's x-ratelimit-remaining-* with a duration ("6m0s", "20ms"; Azure's is a number of
    seconds) and Anthropic's anthropic-ratelimit-*-remaining with a time (RFC 3339).
    """
    pause = 0.0
    for what in ("requests", "tokens"):
        if headers.get(f"x-ratelimit-remaining-{what}") == "0":
            pause = max(pause, _duration(headers.get(f"x-ratelimit-reset-{what}", "")))
        if headers.get(f"anthropic-ratelimit-{what}-remaining") == "0":
            reset = headers.get(f"anthropic-ratelimit-{what}-reset", "")
            pause = max(pause, _until(reset, datetime.fromisoformat, headers) or 0.0)
    return min(pause, LONGEST_S)


def _number(text: str, unit: float = 1.0) -> float | None:
    try:
        number = float(text) / unit
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _duration(text: str) -> float:
    if (seconds := _number(text)) is not None:
        return max(0.0, seconds)
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", text)
    return sum(float(number) * units[unit] for number, unit in parts)


def _until(text: str, parse: Callable[[str], datetime], headers: Mapping[str, str]) -> float | None:
    """Return the seconds until a time by the server's clock, None for a text that is no time."""
    try:
        return (parse(text) - _now(headers)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None


def _now(headers: Mapping[str, str]) -> datetime:
    """Return the time by the server's clock where it states it: ours may be minutes off."""
    try:
        now = parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return datetime.now(UTC)
    return now if now.tzinfo else datetime.now(UTC)
