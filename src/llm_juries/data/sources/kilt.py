"""KILT: questions answered from Wikipedia, with all correct answers (Petroni et al., 2021).

Of TriviaQA it contains only the ids; the questions are joined by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from ...errors import JuriesError
from ...types import Item
from .. import hub
from ..dataset import NOTHING_KNOWN, About, Dataset

COLUMNS: hub.Columns = {"id": "text", "input": "text", "output": [{"answer": "text"}]}
QUESTION_COLUMNS: hub.Columns = {"question_id": "text", "question": "text"}


def load(
    source: hub.HubFiles,
    name: str,
    questions: hub.HubFiles | None = None,
    about: About = NOTHING_KNOWN,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load the questions, without answers.

    Parameters
    ----------
    source : hub.HubFiles
    name : str
        The dataset's name in tables.
    questions : hub.HubFiles, optional
        Where to look up the questions of rows that have none. Each of its files is read only if
        those before it miss an id.
    about : About
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        See `hub.table`; or saying how many rows have no question.
    """
    table = hub.table(source, COLUMNS)
    rows = islice(table, hub.needed(limit, seed))  # all that a sample may include
    unasked = {row["id"] for row in rows if not row["input"]}
    if questions is not None:
        questions = replace(questions, streaming=source.streaming)
    asked = _looked_up(unasked, name, questions)

    def make() -> Iterator[Item]:
        for row in table:
            question = row["input"] or asked[row["id"]]
            yield Item(name, row["id"], "", question, references=_answers(row))

    return hub.dataset(name, table, make, about, limit, seed)


def _answers(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return each answer once; entries without an answer only name a source."""
    given = ((entry["answer"] or "").strip() for entry in row["output"])
    return tuple(dict.fromkeys(answer for answer in given if answer))


def _looked_up(ids: set[str], name: str, questions: hub.HubFiles | None) -> dict[str, str]:
    found: dict[str, str] = {}
    missing = ids
    parts = [replace(questions, files=(file,)) for file in questions.files] if questions else []
    for part in parts:
        if not missing:
            break
        rows = hub.table(part, QUESTION_COLUMNS)
        found |= {row["question_id"]: row["question"] for row in rows if row["question_id"] in ids}
        missing = {id_ for id_ in ids if not found.get(id_)}
    if missing:
        where = f"{questions.repo} ({', '.join(questions.files)})" if questions else "the data"
        raise JuriesError(
            f"dataset {name}: {len(missing)} of {len(ids)} ids have no question in {where}, "
            f"such as {min(missing)!r}; set dataset.questions to files that hold them"
        )
    return found
