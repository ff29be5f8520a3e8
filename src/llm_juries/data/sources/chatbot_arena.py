"""Chatbot Arena: conversations with two models at once and the user's vote (Zheng et al., 2023)."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import JuriesError, nearest
from ...types import Item, Order
from .. import hub
from ..conversations import spoken
from ..dataset import NOTHING_KNOWN, About, Dataset

MESSAGES = [{"role": "text", "content": "text"}]
COLUMNS: hub.Columns = {
    "question_id": "text",
    "model_a": "text",
    "model_b": "text",
    "winner": "text",
    "conversation_a": MESSAGES,
    "conversation_b": MESSAGES,
    "turn": "number",
    "language": "text",
}
WINNERS = {"model_a": "a", "model_b": "b", "tie": "tie", "tie (bothbad)": "tie"}


def load(
    source: hub.HubFiles,
    name: str,
    turns: int | None = 1,
    language: str | None = None,
    orders: tuple[Order, ...] = (Order.ORIGINAL, Order.SWAPPED),
    about: About = NOTHING_KNOWN,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load a pair for each conversation, labelled with the user's vote.

    Parameters
    ----------
    source : hub.HubFiles
    name : str
        The dataset's name in tables.
    turns : int, optional
        Keep conversations of this many turns; None keeps all. Several turns are numbered.
    language : str, optional
        Keep conversations in this language ("English"); all by default.
    orders : sequence of Order
        The orders in which a pair is shown.
    about : About
    limit, seed : int, optional
        See `Dataset.sample`.
    """
    table = hub.table(source, COLUMNS)

    def make() -> Iterator[Item]:
        for row in table:
            if turns not in (None, row["turn"]) or language not in (None, row["language"]):
                continue
            yield Item(
                dataset=name,
                item_id=row["question_id"],
                candidate=row["model_a"],
                question=spoken(row["conversation_a"], "user"),
                answer=spoken(row["conversation_a"], "assistant"),
                opponent=row["model_b"],
                opponent_answer=spoken(row["conversation_b"], "assistant"),
                human=vote(row["winner"], f"dataset {table.place}, {row['question_id']}"),
            )

    return hub.dataset(name, table, make, about, limit, seed, orders=orders)


def vote(winner: str, place: str) -> str:
    """Return a winner as a preference: "a" (the first model), "b" or "tie"."""
    if winner not in WINNERS:
        raise JuriesError(f"{place}: unknown winner {winner!r}{nearest(winner, WINNERS)}")
    return WINNERS[winner]
