"""Chatbot Arena: conversations with two models at once and the user's vote (Zheng et al., 2023)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...errors import JuriesError, nearest
from ...types import Item, Order
from .. import hub
from ..dataset import Dataset

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
WINNERS = {"model_a": 1.0, "model_b": 0.0, "tie": 0.5, "tie (bothbad)": 0.5}


def load(
    repo: str,
    revision: str,
    files: Sequence[str],
    name: str,
    turns: int | None = 1,
    language: str | None = None,
    orders: tuple[Order, ...] = (Order.ORIGINAL, Order.SWAPPED),
    labels: str = "",
    note: str = "",
    streaming: bool = False,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load a pair for each conversation, with the user's vote as its label; 0.5 is a tie.

    Parameters
    ----------
    repo, revision, files, streaming
        See `hub.table`.
    name : str
        The dataset's name in tables.
    turns : int, optional
        Keep conversations of so many turns; None keeps all, and numbers the turns of longer ones.
    language : str, optional
        Keep conversations in this language: "English". All by default.
    orders : sequence of Order
        In which orders a pair is shown.
    labels, note : str
        For reports.
    limit, seed : int, optional
        See `Dataset.sample`.
    """
    source = hub.table(repo, revision, files, COLUMNS, streaming)

    def make() -> Iterator[Item]:
        for row in source:
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
                human=vote(row["winner"], f"dataset {source.place}, {row['question_id']}"),
            )

    return hub.dataset(name, source, make, labels, note, limit, seed, orders=orders)


def spoken(messages: Sequence[Mapping[str, str]], role: str) -> str:
    """Return what one side said: one turn as it is, several with their numbers."""
    said = [message["content"] or "" for message in messages if message["role"] == role]
    if len(said) == 1:
        return said[0]
    return "\n\n".join(f"[Turn {number}]\n{text}" for number, text in enumerate(said, 1))


def vote(winner: str, place: str) -> float:
    """Return a winner as a label of the first model's: 1.0, 0.0, or 0.5 for a tie."""
    if winner not in WINNERS:
        raise JuriesError(f"{place}: the winner is {winner!r}{nearest(winner, WINNERS)}")
    return WINNERS[winner]
