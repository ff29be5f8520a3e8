"""What every judge is, and how a request gets its key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from ..prompts import Prompt
from ..readers import Reader
from ..types import Item, JuriesError, Kind, Message, Order, Price, Reply, Request


class JudgeUnavailableError(JuriesError):
    """A judge can't be asked at all here: its model file, package or server is not to be had."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be asked of a judge at once.

    Parameters
    ----------
    in_flight : int
        How many calls of `ask` run at the same time.
    batch : int
        How many requests one call of `ask` is given.
    alone : bool
        Whether the judge needs the machine to itself (it holds a model in memory): such judges
        run one after the other, the others all at once.
    """

    in_flight: int = 1
    batch: int = 1
    alone: bool = False


class Judge(Protocol):
    """Anything that answers requests. Judges know nothing of juries, stores or other judges.

    Attributes
    ----------
    name, family : str
        The family is the maker's line of models: a judge may favour its own.
    kind : {"judge", "lexical"}
        What the judge is, for tables.
    free : bool
        Whether its replies cost nothing and need no model (rules, recordings), so that an analysis
        may ask it on the spot.
    limits : Limits
        How `collect` may call `ask`.
    note : str
        What a reader of its numbers must know, for reports.
    price : Price or None
        None where it is not known or does not apply: a cost is then unknown, never 0.
    """

    name: str
    family: str
    kind: Kind
    free: bool
    limits: Limits
    note: str
    price: Price | None

    def request(self, item: Item, order: Order, prompt: Prompt) -> Request | None:
        """Return what this judge would be asked about an item, None where it can't be asked."""

    def reader(self, prompt: Prompt) -> Reader:
        """Return what reads this judge's replies."""

    async def open(self) -> None:
        """Make ready: load the model, open the session. Raises JudgeUnavailableError."""

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Answer requests, in their order. A reply that did not come has stop="error"."""

    async def close(self) -> None:
        """Free what `open` took."""


def key_of(judge: object, subject: object) -> str:
    """Return the key of a request: 32 hex digits of the SHA-256 of all that determines its reply.

    Parameters
    ----------
    judge : JSON-like
        The backend, the model and its revision or checksum, the decoding parameters; not the
        judge's name, which may change freely.
    subject : JSON-like
        What the judge sees of the item.
    """
    content = msgspec.json.encode([judge, subject], order="deterministic")
    return hashlib.sha256(content).hexdigest()[:32]


class PromptedJudge:
    """The part that all judges which read a prompt share: rendering, keys and reading."""

    fingerprint: dict[str, Any]

    def request(self, item: Item, order: Order, prompt: Prompt) -> Request:
        """Render the item under the prompt."""
        messages: tuple[Message, ...] = prompt.render(item, order)
        key = key_of(self.fingerprint, [messages, prompt.choices])
        return Request(key, item, order, prompt.name, messages, prompt.choices)

    def reader(self, prompt: Prompt) -> Reader:
        """Return the prompt's own reader."""
        return prompt.reader
