"""KILT: questions answered from Wikipedia (Petroni et al., 2021), with all right answers.

TriviaQA's questions are not in it: only their ids are, and the questions are joined by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ...errors import JuriesError
from ...types import Item
from .. import hub
from ..dataset import Dataset

COLUMNS: hub.Columns = {"id": "text", "input": "text", "output": [{"answer": "text"}]}
QUESTION_COLUMNS: hub.Columns = {"question_id": "text", "question": "text"}


@dataclass(frozen=True)
class Questions:
    """Where the questions are that KILT names by id only.

    Parameters
    ----------
    repo, revision : str
    files : sequence of str
        Each is read only where those before it lack an id.
    """

    repo: str
    revision: str
    files: tuple[str, ...]


def load(
    repo: str,
    revision: str,
    files: Sequence[str],
    name: str,
    questions: Questions | None = None,
    labels: str = "",
    note: str = "",
    streaming: bool = False,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load questions without candidates' answers.

    Parameters
    ----------
    repo, revision, files, streaming
        See `hub.table`.
    name : str
        The dataset's name in tables.
    questions : Questions, optional
        Where to look up the questions of rows that have none.
    labels, note : str
        For reports.
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        See `hub.table`; or saying how many rows have no question.
    """
    source = hub.table(repo, revision, files, COLUMNS, streaming)
    rows = islice(source, hub.needed(limit, seed))  # all that a sample may take
    unasked = {row["id"] for row in rows if not row["input"]}
    asked = _looked_up(unasked, name, questions, streaming)

    def make() -> Iterator[Item]:
        for row in source:
            question = row["input"] or asked[row["id"]]
            yield Item(name, row["id"], "", question, references=_answers(row))

    return hub.dataset(name, source, make, labels, note, limit, seed)


def _answers(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return each answer once; entries without one tell a source only."""
    given = ((entry["answer"] or "").strip() for entry in row["output"])
    return tuple(dict.fromkeys(answer for answer in given if answer))


def _looked_up(
    ids: set[str], name: str, questions: Questions | None, streaming: bool
) -> dict[str, str]:
    found: dict[str, str] = {}
    lacking = ids
    for files in questions.files if questions else ():
        if not lacking:
            break
        assert questions is not None  # noqa: S101 - it has files
        table = hub.table(questions.repo, questions.revision, [files], QUESTION_COLUMNS, streaming)
        found |= {row["question_id"]: row["question"] for row in table if row["question_id"] in ids}
        lacking = {id_ for id_ in ids if not found.get(id_)}
    if lacking:
        where = f"{questions.repo} ({', '.join(questions.files)})" if questions else "the data"
        raise JuriesError(
            f"dataset {name}: {len(lacking)} of {len(ids)} ids have no question in {where}, "
            f"{min(lacking)!r} for one; set dataset.questions to files that hold them"
        )
    return found
