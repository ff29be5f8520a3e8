"""Judging the Judges: verdicts of nine LLM judges and two rules on nine models' TriviaQA answers.

Thakur et al., "Judging the Judges: Evaluating Alignment and Vulnerabilities in LLMs-as-Judges"
(arXiv 2406.12624). One table with a row per answer: a column per judge and a human label. The
answers were not published, so the verdicts can be analysed, but no judge can be added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..dataset import NOTHING_KNOWN, About, Dataset
from ..downloads import PublicFiles
from ..verdicts import Layout, RecordedColumn
from ..verdicts import load as load_verdicts


def load(
    source: PublicFiles,
    name: str,
    judges: Mapping[str, RecordedColumn],
    about: About = NOTHING_KNOWN,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load the recorded verdicts.

    Parameters
    ----------
    source : PublicFiles
        With one file, "verdicts".
    name : str
        The dataset's name in tables.
    judges : mapping of str to RecordedColumn
        The columns with verdicts.
    about : About
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file, and the row and column where there is one.
    """
    dataset = load_verdicts(
        str(source.find("verdicts")),
        name,
        about,
        Layout({"item_id": "question", "candidate": "model", "human": "HumanJudgement"}),
        judges=judges,
        limit=limit,
        seed=seed,
    )
    # Without the answers there is nothing to ask a model about.
    numbers = tuple(replace(item, question="", references=()) for item in dataset.items)
    return replace(dataset, items=numbers)
