"""The public sets with human labels: their true forms are read, other forms are told.

The rows are made up, in the form of the published files; where the published files lie beside the
checkout, they are read too.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from conftest import ROOT
from llm_juries.config.build import build
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.types import Order

SHARED = ROOT.parent / "shared" / "data"


def loaded(name: str, folder: Path, *overrides: str) -> Dataset:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        said = [
            f"dataset={name}",
            f"dataset.source.folder='{folder}'",
            "output_dir=unused",
            *overrides,
        ]
        dataset = build(compose("judge", said).dataset, "dataset")
    assert isinstance(dataset, Dataset)
    return dataset.loaded()


def evouna_row(**changed: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"question": "who is it", "golden_answer": "A B/Bee", "improper": False}
    for system in ("fid", "gpt35", "chatgpt", "gpt4", "newbing"):
        row |= {f"answer_{system}": f"said by {system}", f"judge_{system}": system != "fid"}
    return row | changed


def written(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_evouna_has_an_item_a_system_with_its_label(tmp_path: Path):
    written(tmp_path / "NQ.json", [evouna_row()])
    items = loaded("evouna_nq", tmp_path).items
    assert [(i.item_id, i.candidate, i.human) for i in items] == [
        ("0", "fid", "0"), ("0", "gpt35", "1"), ("0", "chatgpt", "1"), ("0", "gpt4", "1"),
        ("0", "newbing", "1"),
    ]  # fmt: skip
    assert {i.references for i in items} == {("A B", "Bee")}
    assert items[0].answer == "said by fid"


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"judge_fid": None}, ("said by fid", None)),
        ({"judge_fid": float("nan")}, ("said by fid", None)),
        ({"answer_fid": None, "judge_fid": False}, ("", "0")),
        ({"answer_fid": None, "judge_fid": None}, None),
    ],
)
def test_what_evouna_leaves_open_stays_open(
    changed: dict[str, Any], found: tuple[str, float | None] | None, tmp_path: Path
):
    written(tmp_path / "NQ.json", [evouna_row(**changed)])
    items = [i for i in loaded("evouna_nq", tmp_path).items if i.candidate == "fid"]
    assert [(i.answer, i.human) for i in items] == ([found] if found else [])


def test_improper_questions_are_left_out_unless_asked_for(tmp_path: Path):
    written(tmp_path / "NQ.json", [evouna_row(improper=True), evouna_row()])
    assert {i.item_id for i in loaded("evouna_nq", tmp_path).items} == {"1"}
    both = loaded("evouna_nq", tmp_path, "dataset.improper=true")
    assert {i.item_id for i in both.items} == {"0", "1"}


HUMAN = "id\tQuestion\tModel answer\tAcceptable?\tannotator1\tannotator2\tannotator3\n"
GOLD = "id\tQuestion\tGold answers\tModel answer\tAcceptable?\tBEM probs per gold answer\n"


def nq301(folder: Path, human: str = HUMAN, question: str = "who") -> None:
    rows = '1\twho\tsaid one\tYes\tYes\tYes\t\n1\twho\t"said" two\tNo\tYes\tNo\tNo\n'
    written(folder / "NQ301_human.tsv", human + rows)
    golds = (
        f"1\t{question}\tA | B\tsaid one\tYes\t[[0, 1]]\n2\twho\tA | B\tsaid two\tNo\t[[0, 1]]\n"
    )
    written(folder / "NQ301_BEM.tsv", GOLD + golds)


def test_nq301_has_an_item_an_answer_with_its_annotators(tmp_path: Path):
    nq301(tmp_path)
    one, two = loaded("openqa_nq301", tmp_path).items
    assert (one.item_id, one.candidate, one.answer, one.human) == ("1", "answer 1", "said one", "1")
    assert (two.item_id, two.candidate, two.answer, two.human) == (
        "1", "answer 2", '"said" two', "0",
    )  # fmt: skip
    assert one.references == ("A", "B")
    assert (one.human_votes, two.human_votes) == (("1", "1", None), ("1", "0", "0"))


def test_nq301_tables_that_are_not_of_the_same_rows_are_told(tmp_path: Path):
    nq301(tmp_path, question="another")
    with pytest.raises(JuriesError, match=r"NQ301_human\.tsv, row 1: the question differs"):
        loaded("openqa_nq301", tmp_path)


def test_llmbar_has_pairs_in_both_orders(tmp_path: Path):
    row = {"input": "Do it", "output_1": "one", "output_2": "two", "label": 2}
    written(tmp_path / "Dataset/LLMBar/Natural/dataset.json", [row, row | {"label": 1}])
    dataset = loaded("llmbar", tmp_path, "dataset.subsets=[LLMBar/Natural]")
    assert dataset.orders == (Order.ORIGINAL, Order.SWAPPED)
    assert [(i.item_id, i.answer, i.opponent_answer, i.human) for i in dataset.items] == [
        ("LLMBar/Natural/0", "one", "two", "b"),
        ("LLMBar/Natural/1", "one", "two", "a"),
    ]


JUDGES = (
    "model,response,question,references,benchmark,Mistral-7B,Llama-7B,Llama-13B,Llama3-8B,Gemma-2B,"
    "Llama-70B,EM,Llama3-70B,GPT-4,JudgeLM,Contains,HumanJudgement\n"
)


def test_recorded_judges_of_triviaqa_are_no_texts_to_judge(tmp_path: Path):
    rows = (
        'gpt-4t,"the\nprompt","a ""question""?","A\nB",b,True,True,False,False,True,True,False,'
        "True,True,True,True,True\n"
        'mistral-7b,"the\nprompt","a ""question""?","A\nB",b,,True,False,False,True,True,False,'
        "True,False,True,True,False\n"
    )
    written(tmp_path / "TriviaQA_Judges_w_HumanJudgement_V1.csv", JUDGES + rows)
    dataset = loaded("judging_the_judges", tmp_path)
    assert [(i.candidate, i.human, i.question) for i in dataset.items] == [
        ("gpt-4t", "1", ""), ("mistral-7b", "0", ""),
    ]  # fmt: skip
    cells = {r.judge: list(r.cells.values()) for r in dataset.recordings}
    assert len(cells) == 11
    assert cells["GPT-4"] == ["True", "False"]
    assert cells["Mistral-7B"] == ["True"]


def test_repeated_rows_of_triviaqa_without_a_verdict_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    rows = [
        'm,"first prompt",q1,R,b' + ",False" * 11 + ",True\n",
        'm,"second prompt",q2,R,b' + ",True" * 11 + ",True\n",
        'm,"old prompt",q1,R,b' + "," * 11 + ",False\n",
        'm,"old prompt",q2,R,b' + "," * 11 + ",True\n",
    ]
    written(tmp_path / "TriviaQA_Judges_w_HumanJudgement_V1.csv", JUDGES + "".join(rows))
    dataset = loaded("judging_the_judges", tmp_path)
    assert [(item.item_id, item.human) for item in dataset.items] == [("q1", "1"), ("q2", "1")]
    assert (
        "left out 2 rows without a verdict (line 4 to line 5) about answers that another row has "
        "verdicts on; the human labels of 1 of them contradict that row's"
    ) in caplog.text


@pytest.mark.parametrize(
    ("name", "file", "content", "said"),
    [
        ("evouna_nq", "NQ.json", "[", r"NQ\.json: not JSON"),
        ("evouna_nq", "NQ.json", "{}", r"NQ\.json: is a dict; write a list of objects"),
        ("evouna_nq", "NQ.json", "[1]", r"NQ\.json, row 1: is a int; write an object"),
        ("evouna_nq", "NQ.json", [{"improper": False}], r"row 1: has no field 'golden_answer'"),
        (
            "evouna_nq", "NQ.json", [evouna_row(judge_gpt4="maybe")],
            r"row 1, field judge_gpt4: 'maybe' is not on the scale",
        ),
        ("openqa_nq301", "NQ301_human.tsv", HUMAN.replace("Model", "Models"), "'Model answer'"),
        (
            "llmbar", "dataset.json",
            [{"input": "i", "output_1": "1", "output_2": "2", "label": 3}],
            r"row 1, field label: 3 is not 1 or 2",
        ),
        ("judging_the_judges", "TriviaQA_Judges_w_HumanJudgement_V1.csv",
            JUDGES.replace("GPT-4", "GPT4") + "m,p,q" + ",True" * 14 + "\n", r"no judge 'GPT-4'"),
    ],
)  # fmt: skip
def test_another_form_than_the_published_one_is_told_in_one_line(
    name: str, file: str, content: Any, said: str, tmp_path: Path
):
    nq301(tmp_path)
    if isinstance(content, str) and content.startswith("id\t"):
        nq301(tmp_path, human=content)
    else:
        written(tmp_path / file, content)
    with pytest.raises(JuriesError, match=said) as told:
        loaded(name, tmp_path)
    assert "\n" not in str(told.value)


published = pytest.mark.skipif(not SHARED.is_dir(), reason="the published files are not at hand")


@published
def test_the_published_evouna_files_hold_what_the_paper_counts():
    nq, tq = (
        loaded(f"evouna_{name}", SHARED / "evouna", "dataset.improper=true").items
        for name in ("nq", "tq")
    )
    assert (len({i.item_id for i in nq}), len({i.item_id for i in tq})) == (3610, 2000)
    assert Counter(i.candidate for i in tq) == dict.fromkeys(
        ("fid", "gpt35", "chatgpt", "gpt4", "newbing"), 2000
    )
    labelled = [i for i in nq if i.human is not None]
    assert sum(i.human == "1" for i in labelled if i.candidate == "gpt4") == 2385


@published
def test_the_published_nq301_labels_are_those_recorded():
    dataset = loaded("openqa_nq301", SHARED / "openqa_eval")
    assert len(dataset.items) == 1490
    assert sum(item.human == "1" for item in dataset.items) == 816
    assert len({item.item_id for item in dataset.items}) == 301


@published
def test_the_published_llmbar_pairs_have_the_ids_and_labels_of_the_recorded_verdicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for path in (SHARED / "llmbar").glob("*.json"):
        kind, subset = path.stem.split("_", 1)
        subset = subset.replace("Adversarial_", "Adversarial/").replace("LLMEval_2", "LLMEval^2")
        link = tmp_path / "Dataset" / kind / subset / "dataset.json"
        link.parent.mkdir(parents=True)
        link.symlink_to(path)
    monkeypatch.chdir(ROOT)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        recorded = build(
            compose("judge", ["dataset=recorded_llmbar", "output_dir=unused"]).dataset, "dataset"
        )
    pairs = {item.item_id: item.human for item in loaded("llmbar", tmp_path).items}
    assert len(pairs) == 885
    assert pairs == {item.item_id: item.human for item in recorded.items}
