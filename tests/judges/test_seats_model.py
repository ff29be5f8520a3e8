"""A real small model asked three times and under three prompts; as a judge it is near chance."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from llm_juries.analysis.panels import read_panel
from llm_juries.collect.run import collect
from llm_juries.config.composing import composed
from llm_juries.config.study import studies
from llm_juries.store.store import Store
from llm_juries.study import Study
from llm_juries.types import Outcome

pytestmark = pytest.mark.model

ITEMS = [
    {"question": "Capital of Peru?", "answer": "Lima", "references": ["Lima"], "human": 1},
    {"question": "Metal Fe?", "answer": "Tin", "references": ["Iron"], "human": 0},
    {"question": "Two and two?", "answer": "4", "references": ["Four"], "human": 1},
    {"question": "Red planet?", "answer": "Venus", "references": ["Mars"], "human": 0},
    {"question": "Who wrote Emma?", "answer": "Jane Austen", "references": ["Austen"], "human": 1},
    {"question": "Capital of Chile?", "answer": "Quito", "references": ["Santiago"], "human": 0},
]
# A line and two examples in place of ten: the model takes seconds to read them.
SHORT = [
    "prompt.instruction=True or False?",
    'prompt.shots=[{question: Metal Au?, answer: Gold, references: [Gold], label: "True"},'
    "{question: Capital of Australia?, answer: Sydney, references: [Canberra],"
    ' label: "False"}]',
]
SAMPLED = [
    "judges.smollm2.decoding.verdict_by=text",
    "judges.smollm2.decoding.max_tokens=2",
    "judges.smollm2.decoding.temperature=1",
    "+judges.smollm2.decoding.seed=1",  # of the first answer; others have their own
    "seats=[smollm2*3]",
]


def asked(folder: Path, items: int, *overrides: str) -> Study:
    """Return a study of the small model on a few items, each of a few words."""
    path = folder / "items.jsonl"
    path.write_text("\n".join(map(json.dumps, ITEMS[:items])))
    what = ["judge=smollm2", "dataset=jsonl", f"dataset.path={path}", *SHORT, *overrides]
    (study,) = studies(composed("judge", what))
    return study


def test_three_answers_of_a_sampled_judge_are_three_calls_and_three_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    items = len(ITEMS)
    study = asked(tmp_path, items, *SAMPLED)
    with Store(tmp_path / "store") as store:
        tallies = collect([study], store)
        panel = read_panel(study, store)
        again = collect([study], store)
    assert [tally.judge for tally in tallies] == ["smollm2", "smollm2:2", "smollm2:3"]
    assert [tally.asked for tally in tallies] == [items] * 3
    assert [tally.asked for tally in again] == [0] * 3
    assert all(tally.outcomes[Outcome.OK] > items / 2 for tally in tallies)
    votes = panel.votes.labels
    pairs = list(itertools.combinations(range(3), 2))
    said = panel.votes.outcomes
    differ = [(votes[:, a] != votes[:, b]) | (said[:, a] != said[:, b]) for a, b in pairs]
    assert all(one.any() for one in differ)
    with capsys.disabled():
        both = [~np.isnan(votes[:, [a, b]]).any(axis=1) for a, b in pairs]
        rates = [
            float((votes[known, a] != votes[known, b]).mean())
            for known, (a, b) in zip(both, pairs, strict=True)
        ]
        print(f"\nsmollm2*3, {items} items: flip rates {[f'{rate:.2f}' for rate in rates]}")


def test_one_model_under_three_prompts_is_a_jury(tmp_path: Path):
    seats = ("smollm2", "smollm2@zero_shot", "smollm2@paper_zero_shot")
    jury = ["jury=embedded", f"juries.embedded.members=[{','.join(seats)}]"]
    study = asked(tmp_path, 2, *jury, "~judges.qwen25_coder")
    with Store(tmp_path / "store") as store:
        collect([plan for plan in study.plans if plan.judge.name == "smollm2"], store)
        panel = read_panel(study, store)
    assert panel.juries[0].members == seats
    scores = panel.votes.columns(seats).scores
    assert not np.isnan(scores).any()
    assert (scores[:, 0] != scores[:, 1]).all()
    assert (scores[:, 1] != scores[:, 2]).all()
