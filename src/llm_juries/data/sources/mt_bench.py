"""MT-Bench: 80 questions in two turns, pairs of answers judged by experts (Zheng et al., 2023)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from ...types import Item, Order
from .. import hub
from ..dataset import Dataset
from .chatbot_arena import MESSAGES, spoken, vote

COLUMNS: hub.Columns = {
    "question_id": "number",
    "model_a": "text",
    "model_b": "text",
    "winner": "text",
    "judge": "text",
    "conversation_a": MESSAGES,
    "conversation_b": MESSAGES,
    "turn": "number",
}


def load(
    repo: str,
    revision: str,
    files: Sequence[str],
    name: str,
    turn: Literal[1, 2] = 1,
    orders: tuple[Order, ...] = (Order.ORIGINAL, Order.SWAPPED),
    labels: str = "",
    note: str = "",
    streaming: bool = False,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load pairs of answers with the votes of all who judged them.

    The label is the vote given most often; 0.5, a tie, where two were given equally often.

    Parameters
    ----------
    repo, revision, files, streaming
        See `hub.table`.
    name : str
        The dataset's name in tables.
    turn : {1, 2}
        Pairs judged by their first turn, or by both turns.
    orders : sequence of Order
        In which orders a pair is shown.
    labels, note : str
        For reports.
    limit, seed : int, optional
        See `Dataset.sample`.
    """
    source = hub.table(repo, revision, files, COLUMNS, streaming)
    votes: dict[tuple[int, str, str], dict[str, float]] = {}
    texts: dict[tuple[int, str, str], tuple[str, str, str]] = {}
    for row in source:  # some thousands
        if row["turn"] != turn:
            continue
        pair = (row["question_id"], row["model_a"], row["model_b"])
        turned = (row["question_id"], row["model_b"], row["model_a"])
        label = vote(row["winner"], f"dataset {source.place}, question {row['question_id']}")
        if turned in votes:  # the same two answers, the other way round
            pair, label = turned, 1 - label
        else:
            first, second = row["conversation_a"][: 2 * turn], row["conversation_b"][: 2 * turn]
            answers = spoken(first, "assistant"), spoken(second, "assistant")
            texts[pair] = spoken(first, "user"), *answers
        # Who judged a pair twice has one vote: the first.
        votes.setdefault(pair, {}).setdefault(row["judge"], label)
    annotators = tuple(sorted({judge for given in votes.values() for judge in given}))

    def make() -> Iterator[Item]:
        for pair, given in votes.items():
            question, answer, opponent_answer = texts[pair]
            yield Item(
                dataset=name,
                item_id=f"{pair[0]}-{turn}",
                candidate=pair[1],
                question=question,
                answer=answer,
                opponent=pair[2],
                opponent_answer=opponent_answer,
                human=most_given(list(given.values())),
                human_votes=tuple(given.get(annotator) for annotator in annotators),
            )

    return hub.dataset(
        name,
        source,
        make,
        labels,
        note,
        limit,
        seed,
        orders=orders,
        annotators=annotators,
        one_each=False,
    )


def most_given(votes: Sequence[float]) -> float:
    """Return the vote given most often, 0.5 where no single one is."""
    (first, most), *others = Counter(votes).most_common()
    return 0.5 if others and others[0][1] == most else first
