"""Tickets for batches that are at work: who was asked for what, so that nobody is asked twice."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..errors import JuriesError
from .store import Store


class Ticket(msgspec.Struct):
    """A batch that was handed in, or was about to be (`batch` is empty then)."""

    judge: str
    model: str
    base_url: str
    keys: list[str]
    written_at: float
    batch: str = ""


def folder(store: Store) -> Path:
    """Return where a store's tickets lie."""
    return store.path / "batches"


def tickets(store: Store) -> dict[Path, Ticket]:
    """Return the tickets of a store by file."""
    found = {}
    for path in sorted(folder(store).glob("*.json")):
        try:
            found[path] = msgspec.json.decode(path.read_bytes(), type=Ticket)
        except msgspec.DecodeError as error:
            raise JuriesError(f"{path}: is no ticket of a batch ({error})") from None
    return found


def at_work(store: Store) -> frozenset[str]:
    """Return the keys that batches are at work on."""
    return frozenset(key for ticket in tickets(store).values() for key in ticket.keys)
