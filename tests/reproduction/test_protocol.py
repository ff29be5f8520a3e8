"""What a user sets on the command line of an experiment, and mistakes that are named at once."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import DictConfig, OmegaConf

from llm_juries.collect.policy import Policy
from llm_juries.config.composing import composed
from llm_juries.data.annotation_sheets import export_sheet
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.reproduction import materials, stages
from llm_juries.reproduction.answering import Answered
from llm_juries.reproduction.planning import next_steps
from llm_juries.reproduction.protocol import Protocol, protocol_of
from llm_juries.reproduction.stages import Run
from llm_juries.store.store import Store
from llm_juries.types import Item
from reproduction.vendors import fill


@cache
def config() -> DictConfig:
    return composed("reproduce", ["experiment=paper_2026"])


def protocol(folder: Path, *overrides: str) -> Protocol:
    cfg = config().copy()
    OmegaConf.set_struct(cfg, False)
    cfg.merge_with_dotlist(list(overrides))
    return protocol_of(cfg, folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Protocol:
    return protocol(tmp_path_factory.mktemp("whole"))


def test_labels_and_answers_of_your_own_are_named_by_part(tmp_path: Path):
    labels = tmp_path / "nq.csv"
    labels.write_text("item_id,candidate,human\n1,a,1\n")
    found = protocol(tmp_path, f"human={{kilt_nq: {labels}}}", "parts.bamboogle.answers=mine.jsonl")
    assert found.human == {"kilt_nq": str(labels)}
    own = {part.name: part.options.answers for part in found.parts if not part.written}
    assert own == {"bamboogle": "mine.jsonl", "arena_hard_v01": None}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("human={kilt_tqa: nq.csv}", r"human: there is no part 'kilt_tqa'; did you mean kilt_"),
        ("human={kilt_nq: nq.csv}", r"human\.kilt_nq: nq\.csv: (there is )?no such file"),
        ("human=nq.csv", r"human: takes "),
    ],
)
def test_wrong_labels_are_named_before_anything_is_asked(
    override: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JuriesError, match=said):
        protocol(tmp_path, override)


def test_the_stage_of_sheets_says_whose_answers_are_not_there(whole: Protocol, tmp_path: Path):
    with Store(tmp_path / "store") as store:
        lines = list(Run(whole, store, Policy(), lambda *_: iter(())).stages("sheets"))
    assert lines == [
        "to do: run stage=answers first: no answers of kilt_nq, kilt_triviaqa, kilt_hotpotqa, "
        "hotpotqa_multihop, bamboogle"
    ]


def test_keys_are_missing_only_of_those_who_would_be_asked(
    whole: Protocol, monkeypatch: pytest.MonkeyPatch
):
    for key in ("OPENAI", "ANTHROPIC", "MISTRAL", "GEMINI"):
        monkeypatch.delenv(f"{key}_API_KEY", raising=False)
    step = {"calls": 5, "labels": 0, "usd": 1.0}
    judging = pd.DataFrame([
        {"step": "judge", "who": "gpt_6_luna", **step},
        {"step": "judge", "who": "gpt_6_1_sol, prompt paper_zero_shot", **step},
        {"step": "judge", "who": "claude_haiku_5_5", **step, "calls": 0},
    ])  # fmt: skip
    said = next_steps(whole, judging, Policy(), ["labels=public"])
    assert re.findall(r"\(for .*?\)", said) == ["(for gpt_6_1_sol, gpt_6_luna)"]
    answering = pd.DataFrame([{"step": "answers", "who": "7 candidates", **step}])
    said = next_steps(whole, answering, Policy(), [])
    assert "GEMINI_API_KEY (for gemini_3_5_flash_lite)" in said
    assert "gpt_6_luna_decisions" not in said


def answers(*texts: str) -> Dataset:
    items = (Item("kilt_nq", f"q{n}", "m", "Q?", text) for n, text in enumerate(texts))
    return Dataset("kilt_nq", tuple(items))


def test_labels_of_several_sheets_go_to_the_texts_that_they_were_given_to(whole: Protocol):
    part = whole.parts[0]
    assert whole.sheets(part) == []
    for given in (("it is red", "blue"), ("late red",)):
        sheet = whole.next_sheet(part)
        export_sheet(answers(*given), str(sheet))
        fill(sheet)
    assert [path.name for path in whole.sheets(part)] == ["kilt_nq.csv", "kilt_nq_2.csv"]

    def labelled(*texts: str) -> list[bool]:
        found = materials.labelled(whole, part, answers(*texts))
        return [item.human is not None for item in found.items]

    assert labelled("it is red", "blue", "new") == [True, True, False]
    assert labelled("it is red") == [True]
    # Another answer to the same question, of which there was a label before.
    assert labelled("late red", "another") == [True, False]
    assert labelled("another", "blue") == [False, True]
    assert labelled("another") == [False]


def test_a_file_of_labels_of_other_answers_is_refused(tmp_path: Path):
    labels = tmp_path / "nq.csv"
    labels.write_text("item_id,candidate,human\nq9,m,1\n")
    found = protocol(tmp_path, f"human={{kilt_nq: {labels}}}")
    with pytest.raises(
        JuriesError, match=r"nq\.csv: none of its labels is of an answer in .*jsonl"
    ):
        materials.labelled(found, found.parts[0], answers("red"))
    labels.write_text("item_id,candidate,human\nq9,m,1\nq0,m,0\n")
    (item,) = materials.labelled(found, found.parts[0], answers("red")).items
    assert item.human == "0"


def test_labels_of_another_sheet_replace_those_of_the_run_before(tmp_path: Path):
    own = protocol(tmp_path)
    dataset = answers("it is red", "blue")
    export_sheet(dataset, str(own.next_sheet(own.parts[0])))
    fill(own.sheet(own.parts[0]))
    assert all(item.human for item in materials.labelled(own, own.parts[0], dataset).items)
    other = tmp_path / "other.csv"
    export_sheet(answers("it is red"), str(other))
    fill(other)
    named = protocol(tmp_path, f"human={{kilt_nq: {other}}}")
    found = materials.labelled(named, named.parts[0], dataset)
    assert [item.human is not None for item in found.items] == [True, False]


def test_answers_of_another_sample_are_no_answers(tmp_path: Path):
    two, three = (protocol(tmp_path, f"limit={number}") for number in (2, 3))
    part = two.parts[0]
    path = two.answers(part)
    path.parent.mkdir()
    row = {"item_id": "q", "candidate": "m", "question": "Q?", "answer": "red", "references": []}
    path.write_text(json.dumps(row) + "\n")
    made = materials.made_by(two, part)
    facts = materials.Written(made, "long", "bm25", 10, 1, 2, {"m": {"ok": 1}}, {"m": "m"}, {})
    materials.keep(two, part, facts)
    found = materials.dataset_of(two, part)
    assert isinstance(found, Dataset)
    assert len(found.items) == 1
    assert materials.dataset_of(three, three.parts[0]) == "no answers by these settings"
    path.write_text(path.read_text() * 2)  # not the table that was written: made again
    assert materials.written(two, part) is None
    materials.discard(three, three.parts[0])
    assert materials.written(two, part) is None
    assert materials.dataset_of(two, part) == "no answers"


def test_what_a_run_may_spend_is_named_where_answers_are_missing(
    whole: Protocol, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    note = "STOPPED: m on kilt_nq: could exceed max_cost_usd=0.0001"
    monkeypatch.setattr(stages, "answer", lambda *_: Answered("", (note,), incomplete=3))
    monkeypatch.setattr(Run, "_check_asked", lambda *_: None)
    with Store(tmp_path) as store:
        run = Run(whole, store, Policy(max_cost_usd=0.0001), lambda *_: iter(()))
        with pytest.raises(JuriesError, match=r"missing \(could exceed max_cost_usd=0.0001\); run"):
            list(run.stages("answers"))
