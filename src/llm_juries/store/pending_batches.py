"""Tickets of pending batches: the keys each was submitted for, so that no run asks them again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from ..errors import JuriesError
from ..files import read_data
from .store import Store


class Ticket(msgspec.Struct):
    """A batch that was submitted, or was about to be (`batch` is empty then).

    `file` is the id of the file that was uploaded for it, if any.
    """

    judge: str
    model: str
    base_url: str
    keys: list[str]
    written_at: float
    batch: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]*\Z")] = ""
    file: str = ""


def folder(store: Store) -> Path:
    """Return the folder of a store's tickets."""
    return store.path / "batches"


def tickets(store: Store) -> dict[Path, Ticket]:
    """Return the tickets of a store by file."""
    found = {}
    for path in sorted(folder(store).glob("*.json")):
        try:
            found[path] = msgspec.json.decode(read_data(path, store.path), type=Ticket)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise JuriesError(
                f"{path}: not a batch ticket ({error}); restore it, or delete it to "
                f"submit the batch again"
            ) from None
    return found


def pending_keys(store: Store) -> frozenset[str]:
    """Return the keys of the requests in pending batches."""
    return frozenset(key for ticket in tickets(store).values() for key in ticket.keys)
