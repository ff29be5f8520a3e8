"""Arena-Hard: hard user prompts, answers paired with a baseline's (Li et al., 2024)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import JuriesError, nearest
from ...types import Item, Order
from .. import answer_tables, hub
from ..dataset import NOTHING_KNOWN, About, Dataset

QUESTION_COLUMNS: hub.Columns = {"uid": "text", "category": "text", "prompt": "text"}
ANSWER_COLUMNS: hub.Columns = {"uid": "text", "messages": [{"role": "text", "content": None}]}


def load(
    source: hub.HubFiles,
    answers: str,
    baseline: Mapping[str, str],
    name: str,
    candidates: Sequence[str] = (),
    own: Sequence[str] = (),
    opponents: bool = True,
    orders: tuple[Order, ...] = (Order.ORIGINAL, Order.SWAPPED),
    about: About = NOTHING_KNOWN,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load pairs of a candidate's and the baseline's answer, single answers, or questions alone.

    Parameters
    ----------
    source : hub.HubFiles
        The file of the questions.
    answers : str
        The file of a model's answers in the same repository; "{model}" stands for its name.
    baseline : mapping of str to str
        The model that a category's answers are compared with.
    name : str
        The dataset's name in tables.
    candidates : sequence of str
        The models to compare with it. A candidate that is the baseline itself has no pair.
        Without `candidates` and `own`, only the questions, to be answered first.
    own : sequence of str
        Tables of your own answers (see `data.answer_tables`; the command `answer` writes
        them), whose candidates are compared too. `item_id` is a question's uid.
    opponents : bool
        False: single answers instead of pairs, including the baseline's, for prompts that score
        one answer.
    orders : sequence of Order
        The orders in which a pair is shown.
    about : About
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        See `hub.table` and `answer_tables.load`; or naming a category without a baseline, a model
        without answers, a duplicate candidate.
    """
    questions = hub.table(source, QUESTION_COLUMNS)
    asked = list(questions)  # some hundreds
    for row in asked:
        if row["category"] not in baseline:
            raise JuriesError(
                f"dataset {name}: baseline names no model for the category {row['category']!r}"
                f"{nearest(row['category'], baseline)}"
            )
    mine = _own(own, name)
    if twice := [model for model in mine if model in {*candidates, *baseline.values()}]:
        raise JuriesError(
            f"dataset {name}: own has answers of {twice[0]}, and so do the published ones; "
            "rename the candidate in your table, or leave it out of dataset.candidates"
        )
    compared = [*candidates, *mine]
    published = dict.fromkeys([*candidates, *baseline.values()] if compared else ())
    said = mine | {
        model: _answers(
            hub.table(replace(source, files=(answers.format(model=model),)), ANSWER_COLUMNS)
        )
        for model in published
    }

    def shown() -> Iterator[tuple[dict[str, Any], str, str]]:
        for row in asked:
            against = baseline[row["category"]]
            if not opponents and against not in compared:
                yield row, against, ""
            for candidate in compared:
                if not opponents or candidate != against:
                    yield row, candidate, against if opponents else ""

    wanted = [(row["uid"], model) for row, *pair in shown() for model in pair if model]
    if compared and (
        missing := [(uid, model) for uid, model in dict.fromkeys(wanted) if uid not in said[model]]
    ):
        uid, model = missing[0]
        where = "complete your table" if model in mine else "set another revision"
        raise JuriesError(
            f"dataset {name}: {len(missing)} answers are missing, such as that of {model} to "
            f"{uid}; {where} or leave the model out of dataset.candidates and dataset.own"
        )

    def make() -> Iterator[Item]:
        if not compared:
            for row in asked:
                yield Item(name, row["uid"], "", row["prompt"])
            return
        for row, candidate, opponent in shown():
            yield Item(
                name,
                row["uid"],
                candidate,
                row["prompt"],
                said[candidate][row["uid"]],
                opponent=opponent,
                opponent_answer=said[opponent][row["uid"]] if opponent else "",
            )

    return hub.dataset(
        name,
        questions,
        make,
        about,
        limit,
        seed,
        orders=orders if compared and opponents else (Order.ORIGINAL,),
        one_each=not compared,
    )


def _own(paths: Sequence[str], name: str) -> dict[str, dict[str, str]]:
    """Return the answers of the user's tables: a mapping of candidate to uid to answer."""
    found: dict[str, dict[str, str]] = {}
    for path in paths:
        for item in answer_tables.load(path).items:
            if item.item_id in found.setdefault(item.candidate, {}):
                raise JuriesError(
                    f"dataset {name}: {path} has an answer of {item.candidate} to {item.item_id}, "
                    "and an earlier table of dataset.own has one too"
                )
            found[item.candidate][item.item_id] = item.answer
    return found


def _answers(published: hub.Table) -> dict[str, str]:
    """Return the last message of each conversation: a text, or an object that holds it."""
    last = ((row["uid"], row["messages"][-1]["content"]) for row in published)
    return {uid: said["answer"] if isinstance(said, dict) else said for uid, said in last}
