"""Arena-Hard from a folder: pairs, single answers, and answers of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hub_repositories import arena_hard_answer

from llm_juries.data.dataset import Dataset
from llm_juries.data.hub import HubFiles
from llm_juries.data.sources import arena_hard
from llm_juries.errors import JuriesError
from llm_juries.types import Order


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(
        tmp_path / "question.jsonl",
        *({"uid": uid, "category": "c", "prompt": f"Do {uid}"} for uid in ("u1", "u2")),
    )
    for model in ("base", "other"):
        write(tmp_path / f"{model}.jsonl", *(arena_hard_answer(u, model) for u in ("u1", "u2")))
    return tmp_path


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def own(folder: Path, *uids: str, candidate: str = "mine", name: str = "own.jsonl") -> str:
    rows = ({"item_id": u, "candidate": candidate, "question": "?", "answer": u} for u in uids)
    return str(write(folder / name, *rows))


def loaded(folder: Path, **more: Any) -> Dataset:
    source = HubFiles(str(folder), "", ("question.jsonl",))
    return arena_hard.load(source, "{model}.jsonl", {"c": "base"}, "a", **more)


def pairs(dataset: Dataset) -> list[tuple[str, str, str]]:
    return [(item.item_id, item.candidate, item.opponent) for item in dataset.items]


def test_own_answers_are_paired_with_the_baselines(folder: Path):
    dataset = loaded(folder, own=[own(folder, "u2", "u1")])
    assert pairs(dataset) == [("u1", "mine", "base"), ("u2", "mine", "base")]
    item = next(iter(dataset.items))
    assert (item.question, item.answer, item.opponent_answer) == ("Do u1", "u1", "base does u1")
    assert dataset.orders == (Order.ORIGINAL, Order.SWAPPED)


def test_own_answers_stand_beside_published_ones(folder: Path):
    dataset = loaded(folder, candidates=["other"], own=[own(folder, "u1", "u2")], limit=1)
    assert pairs(dataset) == [("u1", "other", "base"), ("u1", "mine", "base")]


def test_without_opponents_each_answer_stands_alone_the_baselines_too(folder: Path):
    dataset = loaded(folder, candidates=["other"], opponents=False)
    assert pairs(dataset) == [(u, m, "") for u in ("u1", "u2") for m in ("base", "other")]
    assert dataset.orders == (Order.ORIGINAL,)
    assert not dataset.pairwise


def test_an_answer_that_the_table_lacks_is_told(folder: Path):
    with pytest.raises(
        JuriesError, match=r"1 answers are missing, such as that of mine to u2; complete"
    ):
        loaded(folder, own=[own(folder, "u1")])


def test_a_candidate_that_is_published_too_is_told(folder: Path):
    with pytest.raises(JuriesError, match="own has answers of base, and so do the published"):
        loaded(folder, own=[own(folder, "u1", "u2", candidate="base")])


def test_an_answer_in_two_tables_is_told(folder: Path):
    tables = [own(folder, "u1", "u2"), own(folder, "u1", name="more.jsonl")]
    with pytest.raises(JuriesError, match=r"more\.jsonl has an answer of mine to u1"):
        loaded(folder, own=tables)
