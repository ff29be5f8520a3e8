"""EVOUNA: answers of five systems to NQ and TriviaQA questions, judged by humans.

Wang et al., "Evaluating Open-QA Evaluation" (NeurIPS 2023). One JSON file a dataset: an object a
question with its golden answers, joined by slashes, and for each system its answer and whether
humans took it for correct.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...types import Item
from ..dataset import Dataset
from ..downloads import PublicFile, find
from ..tables import binary, field, rows

SYSTEMS = ("fid", "gpt35", "chatgpt", "gpt4", "newbing")


def load(
    name: str,
    home: str,
    file: PublicFile,
    folder: str | None = None,
    labels: str = "",
    note: str = "",
    improper: bool = False,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load one of EVOUNA's two files.

    Parameters
    ----------
    name, labels, note : str
        See `Dataset`.
    home, file, folder
        Where the file is; see `public_files.find`.
    improper : bool
        Keep the questions that the authors marked as improper (a question whose answer has changed
        since, or that has none).
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file, and the row and field where there is one.
    """
    path = find(file, home, folder)
    items = tuple(
        item
        for number, (place, row) in enumerate(rows(path))
        for item in _items(row, str(number), name, f"{path}, {place}", improper)
    )
    return Dataset(name, items, labels, note).sample(limit, seed)


def _items(
    row: Mapping[str, Any], item_id: str, dataset: str, place: str, improper: bool
) -> Iterator[Item]:
    if field(row, "improper", place) and not improper:
        return
    references = tuple(filter(None, str(field(row, "golden_answer", place)).split("/")))
    for system in SYSTEMS:
        answer = field(row, f"answer_{system}", place)
        label = field(row, f"judge_{system}", place)
        judged = str(label).casefold() not in ("none", "nan")  # no one judged these
        human = binary(label, f"{place}, field judge_{system}") if judged else None
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
