"""MT-Bench: pairs of answers to 80 two-turn questions, judged by experts (Zheng et al., 2023)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from ...scale import Scale
from ...types import Item, Order
from .. import hub
from ..conversations import spoken
from ..dataset import NOTHING_KNOWN, About, Dataset
from .chatbot_arena import MESSAGES, vote

PREFERENCE = Scale.preference()
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
    source: hub.HubFiles,
    name: str,
    turn: Literal[1, 2] = 1,
    orders: tuple[Order, ...] = (Order.ORIGINAL, Order.SWAPPED),
    about: About = NOTHING_KNOWN,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load pairs of answers with the votes of all annotators.

    The label is the vote given most often, a tie where two were given equally often.

    Parameters
    ----------
    source : hub.HubFiles
    name : str
        The dataset's name in tables.
    turn : {1, 2}
        Pairs judged by their first turn, or by both turns.
    orders : sequence of Order
        The orders in which a pair is shown.
    about : About
    limit, seed : int, optional
        See `Dataset.sample`.
    """
    table = hub.table(source, COLUMNS)
    votes: dict[tuple[int, str, str], dict[str, str]] = {}
    texts: dict[tuple[int, str, str], tuple[str, str, str]] = {}
    for row in table:  # some thousands
        if row["turn"] != turn:
            continue
        pair = (row["question_id"], row["model_a"], row["model_b"])
        turned = (row["question_id"], row["model_b"], row["model_a"])
        label = vote(row["winner"], f"dataset {table.place}, question {row['question_id']}")
        if turned in votes:  # the same two answers, the other way round
            pair, label = turned, PREFERENCE.mirrored(label)
        else:
            first, second = row["conversation_a"][: 2 * turn], row["conversation_b"][: 2 * turn]
            answers = spoken(first, "assistant"), spoken(second, "assistant")
            texts[pair] = spoken(first, "user"), *answers
        # The first vote counts of an annotator who judged a pair twice.
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
        table,
        make,
        about,
        limit,
        seed,
        orders=orders,
        annotators=annotators,
        one_each=False,
    )


def most_given(votes: Sequence[str]) -> str:
    """Return the vote given most often, a tie if there are several."""
    (first, most), *others = Counter(votes).most_common()
    return "tie" if others and others[0][1] == most else first
