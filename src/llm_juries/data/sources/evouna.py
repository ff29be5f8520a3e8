"""EVOUNA: answers of five systems to NQ and TriviaQA questions, judged by humans.

Wang et al., "Evaluating Open-QA Evaluation" (NeurIPS 2023). One JSON file per dataset, one object
per question: its golden answers, joined by slashes, and for each system its answer and whether
humans judged it correct.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...scale import Scale
from ...types import Item
from ..dataset import NOTHING_KNOWN, About, Dataset
from ..downloads import PublicFiles
from ..tables import field, rows

SYSTEMS = ("fid", "gpt35", "chatgpt", "gpt4", "newbing")


def load(
    source: PublicFiles,
    name: str,
    about: About = NOTHING_KNOWN,
    improper: bool = False,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load one of EVOUNA's two files.

    Parameters
    ----------
    source : PublicFiles
        With one file, "answers".
    name : str
        The dataset's name in tables.
    improper : bool
        Keep the questions that the authors marked as improper (the answer has changed since, or
        there is none).
    about : About
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file, and the row and field where there is one.
    """
    path = source.find("answers")
    items = tuple(
        item
        for number, (place, row) in enumerate(rows(path))
        for item in _items(row, str(number), name, f"{path}, {place}", improper)
    )
    return Dataset(name, items, about.labels, about.note).sample(limit, seed)


def _items(
    row: Mapping[str, Any], item_id: str, dataset: str, place: str, improper: bool
) -> Iterator[Item]:
    if field(row, "improper", place) and not improper:
        return
    references = tuple(filter(None, str(field(row, "golden_answer", place)).split("/")))
    for system in SYSTEMS:
        answer = field(row, f"answer_{system}", place)
        label = field(row, f"judge_{system}", place)
        judged = str(label).casefold() not in ("none", "nan")  # not judged
        human = Scale.binary().value_at(label, f"{place}, field judge_{system}") if judged else None
        if answer is None and human is None:
            continue  # the system was not asked
        yield Item(
            dataset=dataset,
            item_id=item_id,
            candidate=system,
            question=str(field(row, "question", place)),
            answer=answer or "",
            references=references,
            human=human,
        )
