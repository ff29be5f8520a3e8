"""Arena-Hard: hard prompts of users, answers in pairs with a baseline's (Li et al., 2024)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..prompts import nearest
from ..types import Item, JuriesError, Order
from . import Dataset, hub

QUESTION_COLUMNS: hub.Columns = {"uid": "text", "category": "text", "prompt": "text"}
ANSWER_COLUMNS: hub.Columns = {"uid": "text", "messages": [{"role": "text", "content": None}]}


def load(
    repo: str,
    revision: str,
    questions: str,
    answers: str,
    baseline: Mapping[str, str],
    name: str,
    candidates: Sequence[str] = (),
    orders: tuple[Order, ...] = (Order.ORIGINAL, Order.SWAPPED),
    labels: str = "",
    note: str = "",
    streaming: bool = False,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load pairs of a candidate's and the baseline's answer, or questions alone.

    Parameters
    ----------
    repo, revision, streaming
        See `hub.table`.
    questions : str
        The file of the questions.
    answers : str
        The file of a model's answers; "{model}" stands for its name.
    baseline : mapping of str to str
        The model that a category's answers are compared with.
    name : str
        The dataset's name in tables.
    candidates : sequence of str
        The models to compare with it; none for questions that are yet to be answered. A candidate
        has no pair where it is the baseline itself.
    orders : sequence of Order
        In which orders a pair is shown.
    labels, note : str
        For reports.
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        See `hub.table`; or naming a category without a baseline, a model without its answers.
    """
    source = hub.table(repo, revision, [questions], QUESTION_COLUMNS, streaming)
    asked = list(source)  # some hundreds
    for row in asked:
        if row["category"] not in baseline:
            raise JuriesError(
                f"dataset {name}: baseline names no model for the category {row['category']!r}"
                f"{nearest(row['category'], baseline)}"
            )
    models = dict.fromkeys([*candidates, *baseline.values()] if candidates else ())
    said = {
        model: _answers(
            hub.table(repo, revision, [answers.format(model=model)], ANSWER_COLUMNS, streaming)
        )
        for model in models
    }

    def pairs() -> Iterator[tuple[dict[str, Any], str, str]]:
        for row in asked:
            for candidate in candidates:
                if candidate != baseline[row["category"]]:
                    yield row, candidate, baseline[row["category"]]

    wanted = [(row["uid"], model) for row, *pair in pairs() for model in pair]
    if lacking := [(uid, model) for uid, model in dict.fromkeys(wanted) if uid not in said[model]]:
        uid, model = lacking[0]
        raise JuriesError(
            f"dataset {name}: {len(lacking)} answers are missing, that of {model} to {uid} for "
            "one; take another revision or leave the model out of dataset.candidates"
        )

    def make() -> Iterator[Item]:
        if not candidates:
            for row in asked:
                yield Item(name, row["uid"], "", row["prompt"])
        for row, candidate, opponent in pairs():
            yield Item(
                name,
                row["uid"],
                candidate,
                row["prompt"],
                said[candidate][row["uid"]],
                opponent=opponent,
                opponent_answer=said[opponent][row["uid"]],
            )

    return hub.dataset(
        name,
        source,
        make,
        labels,
        note,
        limit,
        seed,
        orders=orders if candidates else (Order.ORIGINAL,),
        one_each=not candidates,
    )


def _answers(table: hub.Table) -> dict[str, str]:
    """Return the last message of each conversation: a text, or an object that holds it."""
    last = ((row["uid"], row["messages"][-1]["content"]) for row in table)
    return {uid: said["answer"] if isinstance(said, dict) else said for uid, said in last}
