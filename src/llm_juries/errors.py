"""Errors a user sees: one actionable line, naming the nearest valid choice."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_NAMED = 24  # names in one error


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of an error message: the nearest known names, else up to two dozen of them."""
    known = list(known)
    close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    if not known:
        return "; there are none"
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    return f"; there are: {', '.join(known[:MOST_NAMED])}{more}"


class JuriesError(Exception):
    """A user-facing error: one actionable line."""
