"""Judging the Judges: verdicts of nine LLM judges and two rules on nine models' TriviaQA answers.

Thakur et al., "Judging the Judges: Evaluating Alignment and Vulnerabilities in LLMs-as-Judges"
(arXiv 2406.12624). One table, a row an answer, with a column a judge and a human label. The answers
themselves were not published, so the verdicts can be analysed but nothing can be judged anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..dataset import Dataset
from ..downloads import PublicFile, find
from ..verdicts import RecordedColumn
from ..verdicts import load as load_verdicts


def load(
    name: str,
    home: str,
    file: PublicFile,
    judges: Mapping[str, RecordedColumn],
    folder: str | None = None,
    labels: str = "",
    note: str = "",
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load the recorded verdicts.

    Parameters
    ----------
    name, labels, note : str
        See `Dataset`.
    home, file, folder
        Where the table is; see `public_files.find`.
    judges : mapping of str to RecordedColumn
        The columns with verdicts.
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file, and the row and column where there is one.
    """
    dataset = load_verdicts(
        str(find(file, home, folder)),
        name,
        labels,
        note,
        columns={"item_id": "question", "candidate": "model", "human": "HumanJudgement"},
        judges=judges,
        limit=limit,
        seed=seed,
    )
    # A question without its answer is nothing to ask a model about.
    numbers = tuple(replace(item, question="", references=()) for item in dataset.items)
    return replace(dataset, items=numbers)
