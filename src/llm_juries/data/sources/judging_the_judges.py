"""Judging the Judges: verdicts of nine LLM judges and two rules on nine models' TriviaQA answers.

Thakur et al., "Judging the Judges: Evaluating Alignment and Vulnerabilities in LLMs-as-Judges"
(arXiv 2406.12624). One table with a row per answer: a column per judge and a human label. The
answers were not published, so the verdicts can be analysed, but no judge can be added.

In the published table five answers of llama2-7b-chat have two rows: one that no judge was asked
about, and one with all verdicts. Two of the five pairs of human labels contradict each other. The
rows without a verdict are left out.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace

from ..dataset import NOTHING_KNOWN, About, Dataset
from ..downloads import PublicFiles
from ..tables import Row, Table, rows
from ..verdicts import Layout, RecordedColumn, Voters, read

log = logging.getLogger(__name__)
COLUMNS = {"item_id": "question", "candidate": "model", "human": "HumanJudgement"}


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
    file = source.find("verdicts")
    kept = _judged(list(rows(file)), tuple(judges), str(file))
    table = Table(str(file), lambda: iter(kept))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    found = read(table, digest, name, Layout(COLUMNS), Voters(judges), about=about)
    dataset = found.dataset.sample(limit, seed)
    # Without the answers there is nothing to ask a model about.
    numbers = tuple(replace(item, question="", references=()) for item in dataset.items)
    return replace(dataset, items=numbers)


def _judged(table: list[Row], judges: tuple[str, ...], file: str) -> list[Row]:
    """Return the rows without those that repeat an answer and have no verdict; count them."""

    def identity(row: Row) -> tuple[object, ...]:
        return tuple(row[1].get(COLUMNS[column]) for column in ("item_id", "candidate"))

    judged = {
        identity(row): row
        for row in table
        if any(row[1].get(judge) is not None for judge in judges)
    }
    repeated = [
        row
        for row in table
        if identity(row) in judged and all(row[1].get(judge) is None for judge in judges)
    ]
    human = COLUMNS["human"]
    contradicting = sum(row[1][human] != judged[identity(row)][1][human] for row in repeated)
    if repeated:
        log.warning(
            "%s: left out %d rows without a verdict (%s to %s) about answers that another row has "
            "verdicts on; the human labels of %d of them contradict that row's",
            file, len(repeated), repeated[0][0], repeated[-1][0], contradicting,
        )  # fmt: skip
    left_out = {id(row) for row in repeated}
    return [row for row in table if id(row) not in left_out]
