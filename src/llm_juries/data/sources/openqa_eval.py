"""NQ-301: the distinct answers of 12 systems to 301 NQ-open questions, judged by humans.

Kamalloo et al., "Evaluating Open-Domain Question Answering in the Era of Large Language Models"
(ACL 2023). Two tab-separated tables with a row per answer, in the same order: one with the labels
of two annotators, and of a third where they differ, one with the gold answers. The tables do not
say which systems gave an answer, so an answer's candidate is its number within its question;
verdicts per system are in results/recorded.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Literal

from ...errors import JuriesError
from ...scale import Scale
from ...types import Item
from ..dataset import NOTHING_KNOWN, About, Dataset
from ..downloads import PublicFiles
from ..tables import field

ANNOTATORS = ("annotator1", "annotator2", "annotator3")


def load(
    source: PublicFiles,
    name: str,
    about: About = NOTHING_KNOWN,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load the labelled answers.

    Parameters
    ----------
    source : PublicFiles
        With two files, "human" and "gold".
    name : str
        The dataset's name in tables.
    about : About
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file, and the line and column where there is one.
    """
    path, gold, met = source.find("human"), source.find("gold"), Counter[str]()
    answers = _rows(path, csv.QUOTE_NONE)  # quotation marks belong to the answers
    references = _rows(gold, csv.QUOTE_MINIMAL)
    if len(answers) != len(references):
        raise JuriesError(
            f"{path}: the number of rows differs from {gold}; use the published files"
        )
    items = []
    for number, (row, golds) in enumerate(zip(answers, references, strict=True), 1):
        place = f"{path}, row {number}"
        item_id, question = field(row, "id", place), field(row, "Question", place)
        if field(golds, "Question", f"{gold}, row {number}") != question:
            raise JuriesError(
                f"{place}: the question differs from that row of {gold}; use the published files"
            )
        met[item_id] += 1
        items.append(
            Item(
                dataset=name,
                item_id=item_id,
                candidate=f"answer {met[item_id]}",
                question=question,
                answer=field(row, "Model answer", place) or "",
                references=tuple(field(golds, "Gold answers", place).split(" | ")),
                human=Scale.binary().value_at(
                    field(row, "Acceptable?", place), f"{place}, column Acceptable?"
                ),
                human_votes=tuple(
                    Scale.binary().value_at(field(row, column, place), f"{place}, column {column}")
                    for column in ANNOTATORS
                ),
            )
        )
    return Dataset(name, tuple(items), about.labels, about.note, annotators=ANNOTATORS).sample(
        limit, seed
    )


def _rows(path: Path, quoting: Literal[0, 3]) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=quoting))
