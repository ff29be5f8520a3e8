"""How log messages are written: one line each, whatever names of others they hold."""

from __future__ import annotations

import logging

from ..escaping import terminal


class OneLine(logging.Formatter):
    """Escapes control characters in a message; a traceback after it keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Return the message without line breaks, terminal codes and changes of direction."""
        return terminal(super().formatMessage(record))
