"""HotpotQA: multi-hop questions with their paragraphs (Yang et al., 2018)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from ...types import Item, Passage
from .. import hub
from ..dataset import NOTHING_KNOWN, About, Dataset

COLUMNS: hub.Columns = {
    "id": "text",
    "question": "text",
    "answer": "text",
    "supporting_facts": {"title": ["text"]},
    "context": {"title": ["text"], "sentences": [["text"]]},
}


def load(
    source: hub.HubFiles,
    name: str,
    passages: Literal["gold", "context"] = "gold",
    about: About = NOTHING_KNOWN,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load the questions, without answers; see `hub.HubFiles` and `Dataset.sample`.

    `passages` are the paragraphs with the supporting facts ("gold") or all ten of the question,
    most of them distractors ("context").
    """
    table = hub.table(source, COLUMNS)

    def make() -> Iterator[Item]:
        for row in table:
            yield Item(
                name,
                row["id"],
                "",
                row["question"],
                references=(row["answer"],),
                passages=tuple(_passages(row, passages)),
            )

    return hub.dataset(name, table, make, about, limit, seed)


def _passages(row: Mapping[str, Any], wanted: str) -> Iterator[Passage]:
    gold = set(row["supporting_facts"]["title"])
    context = row["context"]
    for title, sentences in zip(context["title"], context["sentences"], strict=True):
        if wanted == "context" or title in gold:
            yield Passage(title, "".join(sentences).strip())  # sentences include their spaces
