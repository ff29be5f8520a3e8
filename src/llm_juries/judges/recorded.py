"""Recorded judges: verdicts looked up in the table that they came in, and never stored again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from ..data.dataset import Cells, Dataset, Recording, Seen
from ..prompts.parsers import CellReader, Reader
from ..prompts.prompt import Askable
from ..seats import seat_of
from ..types import Item, Order, Reply, Request
from .base import FreeJudge, Limits, key_of


class RecordedJudge(FreeJudge):
    """A recording as a judge. It can't be asked about an item without a recorded verdict."""

    note = "recorded elsewhere, not asked here"
    limits = Limits(batch=4096)

    def __init__(self, name: str, recording: Recording) -> None:
        self.name = name
        self.family = recording.family
        self.kind = recording.kind
        self._recording = recording
        self._fingerprint = [recording.source, recording.judge, recording.prompt]

    def request(self, item: Item, order: Order, prompt: Askable) -> Request | None:  # noqa: ARG002
        """Key by the recording's file and the item's identity; None where nothing was recorded."""
        seen = _seen(item, order)
        if seen not in self._recording.cells:
            return None
        # Without a criterion the key is that of before criteria were known.
        shown = seen if seen.criterion else seen[:4]
        return Request(key_of(self._fingerprint, shown), item, order, self._recording.prompt)

    @property
    def cells(self) -> Cells:
        """The recorded cells by rows and columns."""
        return self._recording.held

    def reply(self, request: Request) -> Reply:
        """Return the recorded cell as the reply to a request."""
        return Reply(self._recording.cells[_seen(request.item, request.order)])

    def replies(self, items: Sequence[Item], orders: Sequence[Order]) -> list[list[Reply | None]]:
        """Return the reply on each item, None where nothing was recorded, in each of the orders."""
        replies = [*map(Reply, self.cells.texts), None]
        codes = self.cells.on(items, orders)
        return [[replies[code] for code in column] for column in codes.T.tolist()]

    def reader(self, prompt: Askable, order: Order) -> Reader:  # noqa: ARG002
        """Return the reader of the recording's own scale and threshold."""
        return self._reader

    @cached_property
    def _reader(self) -> Reader:
        return CellReader(self._recording.scale, self._recording.threshold)

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Return the recorded cells."""
        return [self.reply(request) for request in requests]


def recorded_judges(dataset: Dataset) -> list[RecordedJudge]:
    """Return a dataset's recordings as judges, named by their seats.

    Where the recordings' prompts differ, a name has the prompt: judge@prompt. A column that is
    called so has it as its prompt.
    """
    several = len({recording.prompt for recording in dataset.recordings}) > 1
    found = []
    for recording in dataset.recordings:
        seat = seat_of(recording.judge)
        if seat.prompt and not recording.prompt:
            recording = replace(recording, prompt=seat.prompt)
        elif several and not seat.prompt:
            seat = replace(seat, prompt=recording.prompt)
        found.append(RecordedJudge(str(seat), recording))
    return found


def _seen(item: Item, order: Order) -> Seen:
    return Seen(item.item_id, item.candidate, item.opponent, order, item.criterion)
