"""The atlas as files: tables, figures, README.md and index.html."""

from .page import write

__all__ = ["write"]
