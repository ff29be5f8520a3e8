"""Bamboogle: 125 two-hop questions that a search engine gets wrong (Press et al., 2023)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from ...types import Item
from .. import hub
from ..dataset import Dataset

COLUMNS: hub.Columns = {"Question": "text", "Answer": "text"}


def load(
    repo: str,
    revision: str,
    files: Sequence[str],
    name: str,
    labels: str = "",
    note: str = "",
    streaming: bool = False,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load questions without candidates' answers; see `hub.table` and `Dataset.sample`."""
    source = hub.table(repo, revision, files, COLUMNS, streaming)

    def make() -> Iterator[Item]:
        for row in source:
            question = row["Question"]
            # The source has no ids; a row's number would change with the order of the rows.
            item_id = hashlib.sha256(question.encode()).hexdigest()[:12]
            yield Item(name, item_id, "", question, references=(row["Answer"],))

    return hub.dataset(name, source, make, labels, note, limit, seed)
