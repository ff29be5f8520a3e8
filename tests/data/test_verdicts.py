"""Tables of recorded verdicts are read as they are meant, or their mistakes are told."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm_juries.data.dataset import Dataset, Seen
from llm_juries.data.verdicts import RecordedColumn, load
from llm_juries.errors import JuriesError
from llm_juries.judges.recorded import RecordedJudge
from llm_juries.prompts.prompt import Prompt
from llm_juries.types import Order, Outcome, Reply

PROMPT = Prompt("p", "{{ answer }}", {"True": 1.0, "False": 0.0})

WIDE = """item_id,candidate,human,haiku,gpt
q1,a,1,1,0
q1,b,0,0,
q2,a,1,yes,no
q2,b,,True,incorrect
"""
LONG = """item_id,candidate,human,judge,label,prompt,order
q1,a,1,haiku,1,short,original
q1,a,1,gpt,0,short,original
q1,b,0,haiku,0,short,original
q1,b,0,gpt,,short,original
q2,a,1,haiku,yes,short,original
q2,a,1,gpt,no,short,original
q2,b,,haiku,True,short,original
q2,b,,gpt,incorrect,short,original
"""


@pytest.fixture
def table(tmp_path: Path) -> Any:
    def write(content: str, name: str = "t.csv") -> str:
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return str(path)

    return write


Read = dict[str, dict[tuple[str, str], tuple[str, str | None]]]


def readings(dataset: Dataset) -> Read:
    """Return each judge's outcome and value by question and candidate, as its reader reads it."""
    found: Read = {}
    for recording in dataset.recordings:
        reader = RecordedJudge(recording.judge, recording).reader(PROMPT, Order.ORIGINAL)
        found[recording.judge] = {
            (seen.item_id, seen.candidate): (str(reading.outcome), reading.value)
            for seen, cell in recording.cells.items()
            for reading in [reader.read(Reply(cell))]
        }
    return found


EXPECTED: Read = {
    "haiku": {
        ("q1", "a"): ("ok", "1"),
        ("q1", "b"): ("ok", "0"),
        ("q2", "a"): ("ok", "1"),
        ("q2", "b"): ("ok", "1"),
    },
    "gpt": {
        ("q1", "a"): ("ok", "0"),
        ("q2", "a"): ("ok", "0"),
        ("q2", "b"): ("ok", "0"),
    },
}


@pytest.mark.parametrize("content", [WIDE, LONG], ids=["wide", "long"])
def test_a_table_gives_its_judges_verdicts(content: str, table: Any):
    assert readings(load(table(content))) == EXPECTED


@pytest.mark.parametrize("content", [WIDE, LONG], ids=["wide", "long"])
def test_a_table_gives_its_items_once_with_their_labels(content: str, table: Any):
    items = load(table(content)).loaded().items
    assert [(item.item_id, item.candidate, item.human) for item in items] == [
        ("q1", "a", "1"),
        ("q1", "b", "0"),
        ("q2", "a", "1"),
        ("q2", "b", None),
    ]


def test_a_parquet_table_reads_as_the_csv_does(tmp_path: Path):
    path = tmp_path / "t.parquet"
    rows = [
        {"item_id": "q1", "candidate": "a", "human": 1, "haiku": 1.0, "gpt": 0.0},
        {"item_id": "q1", "candidate": "b", "human": 0, "haiku": 0.0, "gpt": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert readings(load(str(path))) == {
        "haiku": {("q1", "a"): ("ok", "1"), ("q1", "b"): ("ok", "0")},
        "gpt": {("q1", "a"): ("ok", "0")},
    }


@pytest.mark.parametrize(
    "rows",
    [
        [{"haiku": 1, "gpt": None}, {"haiku": 0, "gpt": 1}],
        [{"haiku": 1, "gpt": 1}, {"haiku": 0}],
        [{"haiku": 1}, {"haiku": 0, "gpt": 1}],
    ],
    ids=["null", "left out later", "left out first"],
)
def test_a_vote_left_out_of_json_lines_is_missing(rows: list[dict[str, Any]], table: Any):
    shared = {"candidate": "a", "human": 1}
    lines = [json.dumps({"item_id": f"q{n}"} | shared | row) for n, row in enumerate(rows)]
    found = readings(load(table("\n".join(lines), "t.jsonl")))
    votes = [found["gpt"].get((f"q{n}", "a"), ("unparsed", None))[1] for n in range(2)]
    assert votes == [{1: "1"}.get(row.get("gpt")) for row in rows]


def test_a_number_counts_from_its_judges_threshold_on(table: Any):
    path = table("item_id,human,bem,other\nq1,1,0.69,0.69\nq2,1,0.7,0.49\n")
    found = readings(load(path, judges={"bem": RecordedColumn(threshold=0.7)}))
    assert found == {"bem": {("q1", "candidate"): ("ok", "0"), ("q2", "candidate"): ("ok", "1")}}


def test_words_give_cells_a_meaning_of_their_own(table: Any):
    path = table("item_id,human,haiku\nq1,A,B\nq2,B,a\n")
    dataset = load(path, words={"A": 1.0, "B": 0.0})
    assert [item.human for item in dataset.items] == ["1", "0"]
    assert [value for _, value in readings(dataset)["haiku"].values()] == ["0", "1"]


def test_a_family_is_given_by_judge(table: Any):
    families = {r.judge: r.family for r in load(table(WIDE), families={"gpt": "openai"}).recordings}
    assert families == {"haiku": "unknown", "gpt": "openai"}


def test_only_the_judges_described_are_read_where_any_is(table: Any):
    dataset = load(table(WIDE), judges={"haiku": RecordedColumn("anthropic")})
    assert [(r.judge, r.family) for r in dataset.recordings] == [("haiku", "anthropic")]


def test_a_recording_says_whether_it_is_a_string_rule(table: Any):
    dataset = load(table(WIDE), judges={"gpt": RecordedColumn(kind="lexical")})
    assert [recording.kind for recording in dataset.recordings] == ["lexical"]


def test_an_unknown_cell_is_unparsed_and_warned_of(table: Any, caplog: pytest.LogCaptureFixture):
    path = table("item_id,human,haiku\nq1,1,1\nq2,1,perhaps\n")
    with pytest.raises(JuriesError, match=r"there are: haiku \(line 3: 'perhaps'\)"):
        load(path)
    dataset = load(path, judges=("haiku",))
    assert [outcome for outcome, _ in readings(dataset)["haiku"].values()] == ["ok", "unparsed"]
    assert "column haiku: 1 different cells are not verdicts and count as unparsed" in caplog.text
    assert "'perhaps'" in caplog.text


def test_empty_cells_are_not_warned_of(table: Any, caplog: pytest.LogCaptureFixture):
    load(table(WIDE))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_column_of_texts_is_no_judge(table: Any):
    path = table("item_id,human,comment,haiku\nq1,1,good,1\nq2,0,,0\n")
    assert [recording.judge for recording in load(path).recordings] == ["haiku"]
    with pytest.raises(JuriesError) as caught:
        load(path, judges=("comment", "haiku"))
    assert str(caught.value).startswith(f"{path}, column comment: has no verdicts")


def test_texts_of_the_answer_are_no_judges(table: Any):
    path = table("item_id,question,answer,references,human,haiku\nq1,Q,A,R,1,1\n")
    dataset = load(path)
    assert [recording.judge for recording in dataset.recordings] == ["haiku"]
    assert dataset.items[0].question == "Q"


def test_a_list_of_references_in_csv_is_written_as_json(table: Any):
    path = table('item_id,references,human,haiku\nq1,"[""R"", ""S""]",1,1\n')
    assert load(path).loaded().items[0].references == ("R", "S")


def test_annotators_votes_are_kept_and_are_no_judges(table: Any):
    path = table("item_id,human,ann1,ann2,haiku\nq1,1,1,0,1\nq2,1,1,,1\n")
    dataset = load(path, columns={"human_votes": ("ann1", "ann2")})
    assert [item.human_votes for item in dataset.items] == [("1", "0"), ("1", None)]
    assert dataset.annotators == ("ann1", "ann2")
    assert [recording.judge for recording in dataset.recordings] == ["haiku"]


def test_columns_may_be_called_otherwise_and_an_id_be_made_of_several(table: Any):
    path = table("subset,nr,model,gold,haiku\nx,1,m,1,0\n")
    columns = {"item_id": ("subset", "nr"), "candidate": "model", "human": "gold"}
    dataset = load(path, columns=columns)
    assert [(i.item_id, i.candidate, i.human) for i in dataset.items] == [("x/1", "m", "1")]
    assert [recording.judge for recording in dataset.recordings] == ["haiku"]


def test_only_the_prompts_asked_for_are_kept(table: Any):
    content = LONG.replace("q2,a,1,haiku,yes,short", "q2,a,1,haiku,yes,long")
    dataset = load(table(content), prompts=["long"])
    assert [(r.judge, r.prompt, len(r.cells)) for r in dataset.recordings] == [("haiku", "long", 1)]


def test_without_a_choice_each_prompt_is_a_recording_of_its_own(table: Any):
    content = LONG.replace("q2,a,1,haiku,yes,short", "q2,a,1,haiku,yes,long")
    found = {(r.judge, r.prompt): len(r.cells) for r in load(table(content)).recordings}
    assert found == {("haiku", "short"): 3, ("gpt", "short"): 3, ("haiku", "long"): 1}


def test_verdicts_on_both_orders_of_a_pair_are_told_apart(table: Any):
    content = "item_id,human,judge,label,order\nq1,1,haiku,1,original\nq1,1,haiku,0,swapped\n"
    dataset = load(table(content), pairs=True)
    (recording,) = dataset.recordings
    assert dataset.orders == (Order.ORIGINAL, Order.SWAPPED)
    assert dict(recording.cells) == {
        Seen("q1", "first", "second", Order.ORIGINAL): "1",
        Seen("q1", "first", "second", Order.SWAPPED): "0",
    }
    assert dataset.pairwise


def test_single_answers_have_one_order(table: Any):
    assert load(table(LONG)).orders == (Order.ORIGINAL,)


def test_a_changed_file_has_another_source(table: Any):
    sources = [load(table(text)).recordings[0].source for text in (WIDE, WIDE + "q3,a,1,1,1\n")]
    assert sources[0] != sources[1]


def test_a_limit_takes_whole_questions(table: Any):
    items = load(table(WIDE), limit=1).loaded().items
    assert [(item.item_id, item.candidate) for item in items] == [("q1", "a"), ("q1", "b")]


def test_a_label_of_the_recording_is_read_by_its_judge(table: Any):
    (first, _) = load(table(WIDE)).recordings
    reader = RecordedJudge("haiku", first).reader(PROMPT, Order.ORIGINAL)
    assert reader.read(Reply("")).outcome is Outcome.UNPARSED


HEAD = "item_id,candidate,human,judge,label,order\n"


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("item_id,human,haiku\n", {}, ": has no rows"),
        ("item,human,haiku\nq1,1,1\n", {}, ": has no column 'item_id'; did you mean item?"),
        (
            "item_id,humn,haiku\nq1,1,1\n",
            {},
            ": has no column 'human', and 'humn' would be taken for a judge",
        ),
        (WIDE, {"columns": {"human_votes": ("ann1",)}}, ": has no column 'ann1'"),
        (
            WIDE,
            {"columns": {"item_id": "item_no"}},
            ": has no column 'item_no'; did you mean",
        ),
        (
            WIDE,
            {"columns": {"candidate": "candidat"}},
            ": has no column 'candidat'; did you mean",
        ),
        (WIDE, {"judges": {"haikoo": RecordedColumn()}}, ": has no judge 'haikoo'; did you mean"),
        (LONG, {"judges": {"haikoo": RecordedColumn()}}, ": has no judge 'haikoo'; did you mean"),
        (LONG, {"prompts": ["shrt"]}, ": has no prompt 'shrt'; did you mean short?"),
        (LONG.replace("label", "lable"), {}, ": has no column 'label'; did you mean lable?"),
        (
            "item_id,human\nq1,1\n",
            {},
            ": has no column whose every cell is 0, 1 or a word such as true and false",
        ),
        (
            "item_id,human,haiku\nq1,7,1\n",
            {},
            ", line 2, column human: '7' is not on the scale binary (0, 1)",
        ),
        ("item_id,human,haiku\n,1,1\n", {}, ", line 2, column item_id: is empty"),
        ("item_id,human,haiku\nq1,1\n", {}, ", line 2: not as many cells as the header"),
        (
            WIDE + "q1,a,1,1,1\n",
            {},
            ", line 6: item 'q1' of candidate 'a' is already in line 2",
        ),
        (
            HEAD + "q1,a,1,haiku,1,original\nq1,a,0,gpt,1,original\n",
            {},
            ", line 3: item 'q1' of 'a' has the human label 0 here and 1 in line 2",
        ),
        (
            HEAD + "q1,a,1,haiku,1,original\nq1,a,1,haiku,0,original\n",
            {},
            ", line 3: a second verdict of 'haiku' on item 'q1' of 'a'",
        ),
        (
            HEAD + "q1,a,1,haiku,1,swaped\n",
            {},
            ", line 2, column order: unknown order 'swaped'; did you mean swapped?",
        ),
    ],
)
def test_a_wrong_table_is_told_by_file_and_place(
    content: str, options: dict[str, Any], said: str, table: Any
):
    path = table(content)
    with pytest.raises(JuriesError) as caught:
        load(path, **options)
    assert str(caught.value).startswith(f"{path}{said}")
    assert "\n" not in str(caught.value)


def test_a_wrong_vote_of_an_annotator_is_told(table: Any):
    path = table("item_id,human,ann1,ann2,haiku\nq1,1,1,1,1\nq2,1,x,1,1\n")
    with pytest.raises(JuriesError, match=r"line 3, field ann1: 'x' is not on the scale"):
        load(path, columns={"human_votes": ("ann1", "ann2")})
