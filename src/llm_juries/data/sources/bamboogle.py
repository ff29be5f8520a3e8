"""Bamboogle: 125 two-hop questions that a search engine gets wrong (Press et al., 2023)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ...types import Item
from .. import hub
from ..dataset import NOTHING_KNOWN, About, Dataset

COLUMNS: hub.Columns = {"Question": "text", "Answer": "text"}


def load(
    source: hub.HubFiles,
    name: str,
    about: About = NOTHING_KNOWN,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load the questions, without answers; see `hub.HubFiles` and `Dataset.sample`."""
    table = hub.table(source, COLUMNS)

    def make() -> Iterator[Item]:
        for row in table:
            question = row["Question"]
            # The source has no ids; row numbers would change with the order of the rows.
            item_id = hashlib.sha256(question.encode()).hexdigest()[:12]
            yield Item(name, item_id, "", question, references=(row["Answer"],))

    return hub.dataset(name, table, make, about, limit, seed)
