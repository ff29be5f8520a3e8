"""An experiment as data: its parts, its plan, and what stops it before it spends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from in_process import Ended, ended
from llm_juries.analysis import tables as analysis
from llm_juries.analysis.comparison import against
from llm_juries.analysis.panels import read_panel
from llm_juries.collect.run import collect
from llm_juries.config import named
from llm_juries.config.build import build
from llm_juries.config.composing import composed
from llm_juries.config.seating import Seating
from llm_juries.config.study import study_of
from llm_juries.errors import JuriesError
from llm_juries.juries.panel import Panel
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.metrics.power import standard_error
from llm_juries.reporting.figures.processes import Drawn
from llm_juries.reproduction import power
from llm_juries.reproduction.protocol import Protocol, protocol_of
from llm_juries.store.store import Store

ANSWERS = [
    {"item_id": f"q{n}", "candidate": name, "question": f"{n}?", "answer": answer,
     "references": ["red"], "human": int(answer == "red")}
    for n in range(4)
    for name, answer in (("a", "red"), ("b", "blue" if n % 2 else "red"))
]  # fmt: skip


def protocol(*overrides: str) -> Protocol:
    return protocol_of(composed("reproduce", overrides), Path("out"))


def test_public_labelled_sets_stand_in_the_place_of_parts_that_people_would_label():
    found = protocol("experiment=paper_2026", "labels=public", "limit=7")
    names = [part.name for part in found.parts]
    assert names == [
        "evouna_nq", "openqa_nq301", "recorded_nq301", "evouna_tq", "arena_hard_v01",
    ]  # fmt: skip
    assert not any(part.written for part in found.parts)
    assert {part.questions for part in found.parts} == {7}
    assert [part.options.stands_for for part in found.parts[:4]] == [
        *["kilt_nq"] * 3, "kilt_triviaqa",
    ]  # fmt: skip
    assert [part.options.candidates for part in found.parts] == [5, 5, None, 5, 8]
    assert [len(part.variants) for part in found.parts] == [5, 0, 0, 0, 0]  # Table 3, once
    assert set(found.left_out) == {"kilt_hotpotqa", "hotpotqa_multihop", "bamboogle"}


def test_the_juries_of_pairs_pool_by_the_mean_and_the_others_by_majority():
    for part in protocol("experiment=paper").parts:
        rules = {getattr(jury, "rule", "") for jury in part.juries}
        assert rules == ({"mean"} if part.name == "arena_hard_v01" else {"majority"})


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["parts.kilt_nq.large=nobody"], "parts.kilt_nq.large: there is no judge 'nobody'"),
        (["parts.kilt_nq.prompt=nobody"], "parts.kilt_nq.prompt: there is no prompt 'nobody'"),
        (["retrieval=none"], "parts.kilt_nq: answering=open_book_long: shows documents"),
        (["candidate=[]", "candidates={}"], "parts.kilt_nq: candidate: none is named"),
        (["limit=0"], "limit: is 0; set 1 or more, or null"),
        (["labels=mine"], "labels"),
    ],
)
def test_a_wrong_protocol_ends_in_one_line(overrides: Sequence[str], said: str):
    with pytest.raises(JuriesError) as caught:
        protocol("experiment=paper_2026", *overrides)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def run(folder: Path, *given: str) -> Ended:
    """Run reproduce on a table of answers, judged by string rules and one hosted model."""
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, ANSWERS)))
    others = ("kilt_triviaqa", "kilt_hotpotqa", "hotpotqa_multihop", "bamboogle", "arena_hard_v01")
    done = ended(
        folder,
        "reproduce",
        "experiment=paper",
        "jury=[]",
        "parts.kilt_nq.answers=mine.jsonl",
        "parts.kilt_nq.prompts=[]",
        "analysis.bootstrap.resamples=20",
        *(f"parts.{name}=null" for name in others),
        *given,
    )
    assert not done.bug
    return done


def test_the_papers_models_are_refused_with_their_successors_and_the_page_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("llm_juries.reporting.paper.page.draw", lambda *_: Drawn((), ()))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    done = run(tmp_path)
    assert done.code == 2
    (error,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert "1 model is retired and no longer served: gpt_4_turbo" in error
    assert "use gpt_5_6_sol" in error
    assert "no key in OPENAI_API_KEY (for gpt_4_turbo)" in error
    page = (tmp_path / "outputs/paper/README.md").read_text()
    assert "- nothing was asked: 1 model is retired" in page
    assert "| in EM's place: contains " in page  # own answers have labels, and rules are free
    assert "GPT-4 on kilt_nq: no verdicts" in page
    assert "answers of your own, mine.jsonl" in page

    plan = run(tmp_path, "stage=plan")
    assert plan.code == 0
    assert "1. 1 model is retired and no longer served: gpt_4_turbo" in plan.out
    assert "with models of today: experiment=paper_2026" in plan.out
    assert "set the keys that are missing: OPENAI_API_KEY (for gpt_4_turbo)" in plan.out
    row = next(line for line in plan.out.splitlines() if "| gpt_4_turbo" in line)
    assert [cell.strip() for cell in row.split("|")[3:6]] == ["gpt_4_turbo", "8", "6"]  # two alike


def test_public_sets_need_neither_keys_nor_labels_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("llm_juries.reporting.paper.page.draw", lambda *_: Drawn((), ()))
    row = {"golden_answer": "red/scarlet", "improper": False}
    for at, system in enumerate(("fid", "gpt35", "chatgpt", "gpt4", "newbing")):
        row |= {f"answer_{system}": "It is red." if at % 2 else "Blue", f"judge_{system}": at % 2}
    rows = [row | {"question": f"Which colour has {n}?"} for n in range(3)]
    (tmp_path / "NQ.json").write_text(json.dumps(rows))
    public = f"[{{evouna_nq: {{source: {{folder: {tmp_path}}}}}}},recorded_nq301]"
    done = run(
        tmp_path,
        "labels=public",
        "judge=[contains]",
        f"parts.kilt_nq.public={public}",
        "parts.kilt_nq.answers=null",
        "stand_ins.judges.PoLL=[nq301_trio]",
    )
    assert done.code == 0, done.err
    assert "to do" not in done.out
    page = (tmp_path / "outputs/paper/README.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")] for line in page.splitlines()]
    found = {(cells[4], cells[5]): cells[6] for cells in rows if len(cells) == 12}
    assert found["in EM's place: contains", "evouna_nq"] == "1.000"
    assert float(found["in GPT-4's place: gpt_4", "recorded_nq301"]) > 0.5
    assert "No model with a price was asked here." in page
    assert "by the authors of EVOUNA" in page


def pilot(dataset: str, *juries: str, **options: object) -> Panel:
    node = named.node("dataset", dataset)
    node.update(options)
    study = study_of(
        build(node, dataset),
        named.load_prompt("zero_shot"),
        Seating({}),
        [named.load_jury(name) for name in juries],
    )
    with Store(f"{dataset}-store") as store:
        collect(study.plans, store)
        return read_panel(study, store)


@pytest.mark.slow
def test_the_errors_of_the_pilots_are_those_of_the_recorded_verdicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    few = Bootstrap(resamples=200)

    def error(panel: Panel, first: str, second: str) -> power.Pilot:
        table = against(panel, few, (second,))
        row = table[table["voter"] == first]
        return half(row["ci_low"].iloc[0], row["ci_high"].iloc[0], row["questions"].iloc[0])

    def half(low: float, high: float, questions: float) -> power.Pilot:
        found = standard_error(*(np.array([value]) for value in (low, high, questions)))
        return power.Pilot(float(found[0]), questions)

    nq301 = pilot("recorded_nq301", "nq301_trio")
    llmbar = pilot("recorded_llmbar", prompts=["Metrics_Reference", "Vanilla_NoRules"])
    jury = error(nq301, "nq301_trio", "gpt_4")
    prompts = error(llmbar, "GPT-4@Metrics_Reference", "GPT-4@Vanilla_NoRules")
    spread = analysis.spread(nq301, few).set_index("voter")
    halves = [
        half(*spread.loc[name, ["ci_low", "ci_high"]], 301) for name in ("nq301_trio", "gpt_4")
    ]
    both = sum(one.error**2 for one in halves) ** 0.5
    assert jury == pytest.approx(power.JURY_BESIDE_JUDGE, rel=1e-6)
    assert prompts == pytest.approx(power.TWO_PROMPTS, rel=1e-6)
    assert both == pytest.approx(power.TWO_SPREADS.error, rel=1e-6)


def test_the_questions_needed_stand_beside_those_planned():
    table = power.needed(protocol("experiment=paper"), build(
        composed("reproduce", ["experiment=paper"]).paper, "paper",
    )).set_index(["on", "first", "second"])  # fmt: skip
    row = table.loc[("kilt_nq", "PoLL", "GPT-4")]
    assert (row["difference"], row["planned"]) == (pytest.approx(0.136), 200)
    assert row["questions_needed"] == 37
