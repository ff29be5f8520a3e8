"""Recorded scores of passages, with TREC's relevance labels, which are fetched beside them.

The labels come as TREC's qrels: a line a passage, of query, 0, passage and label. Items of the
table of scores are called query/passage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from ...errors import JuriesError
from ...scale import Scale
from ..dataset import NOTHING_KNOWN, About, Dataset
from ..downloads import PublicFiles
from ..tables import Row, Table, located, rows
from ..verdicts import Layout, RecordedColumn, Scales, Voters, read


def load(
    source: PublicFiles,
    scores: str,
    name: str,
    judges: Mapping[str, RecordedColumn],
    scale: Scale,
    about: About = NOTHING_KNOWN,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load the recorded scores beside the labels.

    Parameters
    ----------
    source : PublicFiles
        With one file, "labels".
    scores : str
        A table with the columns item, cluster and a column a judge; "package:NAME" is a file that
        comes with this package.
    name : str
        The dataset's name in tables.
    judges : mapping of str to RecordedColumn
    scale : Scale
        Of scores and labels.
    about : About
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file and the line; also where a scored passage has no label.
    """
    table, qrels = located(scores), source.find("labels")
    labels = labels_of(qrels)
    joined = [_with_label(row, labels, str(table), str(qrels)) for row in rows(table)]
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    found = read(
        Table(str(table), lambda: iter(joined)),
        digest,
        name,
        Layout({"item_id": "item"}, empty="unparsed"),
        Voters(judges),
        Scales(verdicts=scale),
        about,
    )
    return found.dataset.sample(limit, seed)


def labels_of(file: Path) -> dict[str, str]:
    """Return the label of each query/passage."""
    found: dict[str, str] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        parts = line.split()
        if len(parts) != 4:
            raise JuriesError(
                f"{file}, line {number}: has {len(parts)} columns instead of 4 (query, 0, passage, "
                "label); use the published file"
            )
        query, _, passage, label = parts
        if found.setdefault(f"{query}/{passage}", label) != label:
            raise JuriesError(f"{file}, line {number}: a second label of {query}/{passage}")
    return found


def _with_label(row: Row, labels: Mapping[str, str], table: str, qrels: str) -> Row:
    place, cells = row
    item = str(cells.get("item"))
    if item not in labels:
        raise JuriesError(f"{table}, {place}: {item} has no label in {qrels}; use its pinned file")
    return place, {**cells, "human": labels[item]}
