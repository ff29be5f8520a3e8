"""HotpotQA: questions that take two paragraphs to answer (Yang et al., 2018), with paragraphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from ...types import Item, Passage
from .. import hub
from ..dataset import Dataset

COLUMNS: hub.Columns = {
    "id": "text",
    "question": "text",
    "answer": "text",
    "supporting_facts": {"title": ["text"]},
    "context": {"title": ["text"], "sentences": [["text"]]},
}


def load(
    repo: str,
    revision: str,
    files: Sequence[str],
    name: str,
    passages: Literal["gold", "context"] = "gold",
    labels: str = "",
    note: str = "",
    streaming: bool = False,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load questions without candidates' answers; see `hub.table` and `Dataset.sample`.

    `passages` are the paragraphs that hold the supporting facts ("gold") or all ten of the
    question, most of them there to distract ("context").
    """
    source = hub.table(repo, revision, files, COLUMNS, streaming)

    def make() -> Iterator[Item]:
        for row in source:
            yield Item(
                name,
                row["id"],
                "",
                row["question"],
                references=(row["answer"],),
                passages=tuple(_passages(row, passages)),
            )

    return hub.dataset(name, source, make, labels, note, limit, seed)


def _passages(row: Mapping[str, Any], wanted: str) -> Iterator[Passage]:
    gold = set(row["supporting_facts"]["title"])
    context = row["context"]
    for title, sentences in zip(context["title"], context["sentences"], strict=True):
        if wanted == "context" or title in gold:
            yield Passage(title, "".join(sentences).strip())  # sentences bring their spaces
