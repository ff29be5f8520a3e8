"""Tables of recorded verdicts are read as they are meant, or their mistakes are told."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from llm_juries.config.build import build
from llm_juries.config.named import load_dataset
from llm_juries.data.dataset import Dataset, Seen
from llm_juries.data.verdicts import RecordedColumn, load
from llm_juries.errors import JuriesError
from llm_juries.judges.recorded import RecordedJudge
from llm_juries.scale import Scale
from llm_juries.types import Order, Outcome, Reply
from shared_prompts import ANSWER as PROMPT

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


def test_measurements_and_a_nameless_index_are_no_judges(
    table: Any, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    path = table(
        ",item_id,human,gpt,latency_s,cost_usd,output_tokens,Unnamed: 0,rank,score\n"
        "0,q1,1,1,0,1,0,0,1,0.7\n1,q2,0,0,1,0,1,1,0,1\n"
    )
    assert [recording.judge for recording in load(path).recordings] == ["gpt"]
    assert (
        "t: judges gpt; not used: a column without a name, latency_s, cost_usd, output_tokens, "
        "Unnamed: 0, rank, score (line 2: '0.7')"
    ) in caplog.text
    named = load(path, judges={"fast": RecordedColumn(threshold=0.5, column="latency_s")})
    assert readings(named)["fast"]["q2", "candidate"] == ("ok", "1")


def test_judges_called_like_measurements_must_be_named(table: Any):
    path = table("item_id,human,judge_number_1\nq1,1,1\nq2,0,0\n")
    with pytest.raises(JuriesError, match="judge_number_1 is taken for a measurement"):
        load(path)
    (recording,) = load(path, judges=("judge_number_1",)).recordings
    assert list(recording.cells.values()) == ["1", "0"]


@pytest.mark.parametrize(
    "measured",
    ["latency (s)", "responseTimeMs", "cost-usd", "Duration", "idx", "split", "numTokens"],
)
def test_a_measurement_is_known_by_any_spelling_of_its_name(measured: str, table: Any):
    path = table(f"item_id,human,gpt,{measured}\nq1,1,1,0\nq2,0,0,1\n")
    assert [recording.judge for recording in load(path).recordings] == ["gpt"]


@pytest.mark.parametrize("called", ["gold", "human_label", "annotator_1", "groundTruth"])
def test_a_column_of_human_labels_under_another_name_is_no_judge(called: str, table: Any):
    path = table(f"item_id,{called},gpt\nq1,1,1\nq2,0,1\n")
    with pytest.raises(JuriesError, match=f"'{called}' would be taken for a judge; rename it"):
        load(path)
    (item, _) = load(path, columns={"human": called}).items
    assert item.human == "1"


def test_two_columns_of_one_seat_are_an_error(table: Any):
    path = table("item_id,human,r1,r2\nq1,1,1,0\nq2,0,0,1\n")
    both = {"gpt": RecordedColumn(column="r1"), "gpt:1": RecordedColumn(column="r2")}
    with pytest.raises(JuriesError, match=r"gpt and gpt:1 are one seat, gpt; .* gpt is gpt:2\)"):
        load(path, judges=both)
    long = table("item_id,judge,label,prompt\nq1,gpt,1,short\nq1,gpt@short,0,long\n", "l.csv")
    with pytest.raises(JuriesError, match="gpt and gpt@short are one seat, gpt@short"):
        load(long)


def test_a_threshold_with_all_numbers_on_one_side_is_warned_of(
    table: Any, caplog: pytest.LogCaptureFixture
):
    path = table("item_id,human,gpt\nq1,1,5\nq2,0,2\n")
    load(path, judges={"gpt": RecordedColumn(threshold=0.5)})
    assert "column gpt: all numbers (2 to 5) are on one side of the threshold 0.5" in caplog.text
    caplog.clear()
    load(path, judges={"gpt": RecordedColumn(threshold=5)})
    assert "one side" not in caplog.text
    with pytest.raises(JuriesError, match="threshold: is nan; set a number"):
        load(path, judges={"gpt": RecordedColumn(threshold=float("nan"))})


def test_scores_off_the_scale_need_a_scale_or_a_threshold(table: Any):
    path = table("item_id,human,strict,lenient\nq1,0,1,2\nq2,1,5,5\n")
    with pytest.raises(JuriesError) as caught:
        load(path)
    assert "line 3, column strict: '5' is not on the scale binary (0, 1); set" in str(caught.value)
    assert "(columns of numbers: strict (1 to 5), lenient (2 to 5))" in str(caught.value)
    assert "judges={strict: {threshold: ...}}" in str(caught.value)
    with pytest.raises(JuriesError, match="any column of numbers could be a judge; name the"):
        load(path, scale=Scale.ordinal(1, 5), human_scale=Scale.binary())
    dataset = load(path, judges=("strict",), scale=Scale.ordinal(1, 5), human_scale=Scale.binary())
    assert [value for _, value in readings(dataset)["strict"].values()] == ["1", "5"]
    assert dataset.label_scale == Scale.binary()


def test_a_long_table_names_the_judge_whose_numbers_are_off_the_scale(table: Any):
    path = table("item_id,judge,label\nq1,gpt,1\nq2,gpt,9\nq3,gpt,-1\n")
    with pytest.raises(JuriesError) as caught:
        load(path)
    assert "line 4, column label: '-1' is not on the scale binary" in str(caught.value)
    assert "(those of gpt go from -1 to 9)" in str(caught.value)
    assert "judges={gpt: {threshold: ...}}" in str(caught.value)


def test_labels_are_optional(table: Any):
    for content in ("item_id,gpt\nq1,1\n", "item_id,judge,label\nq1,gpt,1\n"):
        (item,) = load(table(content)).items
        assert item.human is None


def test_an_empty_cell_is_not_asked_unless_it_is_a_reply_without_a_verdict(table: Any):
    for content in ("item_id,gpt\nq1,1\nq2,NA\n", "item_id,judge,label\nq1,gpt,1\nq2,gpt,\n"):
        path = table(content)
        assert readings(load(path))["gpt"] == {("q1", "candidate"): ("ok", "1")}
        found = readings(load(path, empty="unparsed"))["gpt"]
        assert found["q2", "candidate"] == ("unparsed", None)


def test_categories_are_read_as_they_are_written(table: Any):
    scale = Scale.nominal("supported", "refuted", "NA")
    path = table("item_id,human,gpt\nq1,Supported,refuted\nq2,na,NA\n")
    dataset = load(path, scale=scale)
    assert [item.human for item in dataset.items] == ["supported", "NA"]
    assert [value for _, value in readings(dataset)["gpt"].values()] == ["refuted", "NA"]


PAIRS = {
    "long with order": (
        "item_id,candidate,opponent,judge,order,label\n"
        "q1,x,y,gpt,original,1\nq1,x,y,gpt,swapped,0.5\n"
    ),
    "long, named the other way round": (
        "item_id,candidate,opponent,judge,label\nq1,x,y,gpt,a\nq1,y,x,gpt,tie\n"
    ),
    "wide with order": (
        "item_id,candidate,opponent,order,gpt\nq1,x,y,original,a\nq1,x,y,swapped,0.5\n"
    ),
    "wide, named the other way round": ("item_id,candidate,opponent,gpt\nq1,x,y,1\nq1,y,x,0.5\n"),
}


@pytest.mark.parametrize("form", PAIRS)
def test_pairs_in_both_orders_are_one_item_and_a_tie_stays_a_tie(form: str, table: Any):
    dataset = load(table(PAIRS[form]))
    assert [(i.candidate, i.opponent) for i in dataset.items] == [("x", "y")]
    assert dataset.orders == (Order.ORIGINAL, Order.SWAPPED)
    (recording,) = dataset.recordings
    scale = recording.scale
    assert {seen.order: scale.value(cell) for seen, cell in recording.cells.items()} == {
        "original": "a",
        "swapped": "tie",
    }


def test_the_side_of_a_pair_named_the_other_way_round_is_that_of_the_first_naming(table: Any):
    content = "item_id,candidate,opponent,human,gpt\nq1,x,y,a,a\nq1,y,x,b,a\n"
    (recording,) = load(table(content)).recordings
    assert list(recording.cells.values()) == ["a", "b"]
    with pytest.raises(JuriesError, match="has the human label b here and a in line 2"):
        load(table(content.replace("b,a", "a,a")))


def test_the_orders_of_a_pair_may_be_two_columns(table: Any):
    path = table("item_id,candidate,opponent,first,second\nq1,x,y,a,b\n")
    judges = {"gpt": RecordedColumn(column="first", swapped="second")}
    (recording,) = load(path, judges=judges).recordings
    assert {seen.order: cell for seen, cell in recording.cells.items()} == {
        "original": "a",
        "swapped": "b",
    }


def test_a_pair_may_have_its_orders_in_two_rows_beside_one_with_two_columns(table: Any):
    """An empty cell says nothing, whatever the order of its row: two that are full are refused."""
    judges = {"gpt": RecordedColumn(column="first", swapped="second")}
    head = "item_id,candidate,opponent,order,first,second\n"
    rows = "q1,x,y,original,a,b\nq2,x,y,original,a,\nq2,x,y,swapped,b,\n"
    (gpt,) = load(table(head + rows), judges=judges).recordings
    for item_id in ("q1", "q2"):
        orders = {seen.order: cell for seen, cell in gpt.cells.items() if seen.item_id == item_id}
        assert orders == {"original": "a", "swapped": "b"}
    with pytest.raises(JuriesError, match="line 4: a second verdict of 'gpt' on item 'q2'"):
        load(table(head + rows.replace("swapped,b,", "swapped,b,a")), judges=judges)


def test_an_empty_order_counts_as_original_and_is_warned_of(
    table: Any, caplog: pytest.LogCaptureFixture
):
    rows = ["q1,x,y,swapped,a", "q2,x,y,,b", "q3,x,y,,b"]
    (gpt,) = load(table("\n".join(["item_id,candidate,opponent,order,gpt", *rows]))).recordings
    orders = {seen.item_id: seen.order for seen in gpt.cells}
    assert orders == {"q1": "swapped", "q2": "original", "q3": "original"}
    said = "line 3, column order: empty cells (2) count as original beside swapped ones"
    assert said in caplog.text


def test_beside_a_column_order_a_pair_is_named_in_one_way(table: Any):
    content = "item_id,candidate,opponent,order,gpt\nq1,x,y,original,a\nq1,y,x,swapped,a\n"
    with pytest.raises(JuriesError, match="line 3: item 'q1' has 'y' against 'x', and the other"):
        load(table(content))


def test_pairs_and_single_answers_do_not_mix(table: Any):
    content = "item_id,candidate,opponent,gpt\nq1,x,y,1\nq2,x,,1\n"
    with pytest.raises(JuriesError, match="line 3, column opponent: makes the row a single answer"):
        load(table(content))


def test_shares_of_a_win_have_a_tie_at_their_threshold(table: Any):
    path = table("item_id,candidate,opponent,gpt\nq1,x,y,0.9\nq2,x,y,0.5\nq3,x,y,0.1\n")
    dataset = load(path, judges={"gpt": RecordedColumn(threshold=0.5)})
    assert [value for _, value in readings(dataset)["gpt"].values()] == ["a", "tie", "b"]


def test_a_criterion_tells_rows_about_one_answer_apart(table: Any):
    path = table(
        "item_id,candidate,criterion,subset,human,gpt\nq1,m,clear,s,1,1\nq1,m,true,s,0,1\n"
    )
    dataset = load(path)
    assert [(i.criterion, i.subset, i.human) for i in dataset.items] == [
        ("clear", "s", "1"),
        ("true", "s", "0"),
    ]
    assert [seen.criterion for seen in dataset.recordings[0].cells] == ["clear", "true"]


def test_a_nested_cell_is_no_verdict(table: Any):
    row = {"item_id": 1, "judge": "gpt", "label": [{"score": "A>B"}]}
    with pytest.raises(JuriesError, match="is a nested list; a verdict is a word or a number"):
        load(table(json.dumps(row), "t.jsonl"), pairs=True)


def test_annotators_without_a_label_of_the_item_are_combined(
    table: Any, caplog: pytest.LogCaptureFixture
):
    path = table("item_id,human_1,human_2,human_3,gpt\nq1,1,1,0,1\nq2,1,0,,1\n")
    dataset = load(path)
    assert dataset.annotators == ("human_1", "human_2", "human_3")
    assert [item.human for item in dataset.items] == ["1", None]
    assert [item.human_votes for item in dataset.items] == [("1", "1", "0"), ("1", "0", None)]
    assert "t: 1 of 2 items have no label by majority, because annotators are split" in caplog.text


@pytest.mark.parametrize(
    ("name", "items", "scale", "labels", "orders", "judges"),
    [
        ("hanna", 6336, "interval (1 to 5)", "interval (1 to 5)", 1, 5),
        ("prd", 800, "preference (b, tie, a)", "preference (b, tie, a)", 2, 5),
        ("rewardbench2", 7052, "interval (1 to 10)", "binary (0, 1)", 1, 5),
    ],
)
def test_the_recorded_sets_are_read_with_their_yaml_alone(
    name: str, items: int, scale: str, labels: str, orders: int, judges: int
):
    dataset = load_dataset(f"recorded_{name}").loaded()
    assert len(tuple(dataset.items)) == items
    assert all(item.human is not None for item in dataset.items)
    assert str(dataset.label_scale) == labels
    assert len(dataset.orders) == orders
    assert [str(recording.scale) for recording in dataset.recordings] == [scale] * judges
    assert "unknown" not in {recording.family for recording in dataset.recordings}
    assert len({item.drawn_with for item in dataset.items}) == {
        "hanna": 96, "prd": 80, "rewardbench2": 1763,
    }[name]  # fmt: skip
    if name == "prd":
        labels_of = [item.human for item in dataset.items]
        assert (labels_of.count("tie"), labels_of.count("a")) == (115, 294)
    if name == "hanna":
        assert len({item.criterion for item in dataset.items}) == 6
        assert len(dataset.annotators) == 3


def test_a_scale_is_built_from_yaml(table: Any):
    path = table("item_id,human,gpt\nq1,supported,refuted\nq2,not enough info,supported\n")
    node = OmegaConf.create(
        {
            "_target_": "llm_juries.data.verdicts.load",
            "path": path,
            "scale": {"kind": "nominal", "values": ["supported", "refuted", "not enough info"]},
            "judges": ["gpt"],
        }
    )
    dataset = build(node, "dataset")
    assert [item.human for item in dataset.items] == ["supported", "not enough info"]
    node.scale = {"kind": "nominal", "values": ["supported", "refuted"]}
    with pytest.raises(JuriesError, match=r"line 3, column human: 'not enough info' is not on"):
        build(node, "dataset")


def test_of_several_mistakes_the_first_rows_is_told(table: Any):
    rows = [
        "item_id,candidate,human,judge,label",
        "q1,a,1,gpt,1",
        "q1,b,0,gpt,1",
        "q1,b,0,gpt,0",  # a second verdict
        "q1,a,0,haiku,1",  # another label
        ",a,1,gpt,1",  # no id
        "q2,a,7,,1",  # off the scale, and no judge
    ]
    said = ["line 4: a second verdict", "line 4: item 'q1' of 'a' has the human label 0 here and 1"]
    said += ["line 4, column item_id: is empty", "line 4, column human: '7' is not on the scale"]
    for first, words in enumerate(said, 3):
        with pytest.raises(JuriesError, match=words):
            load(table("\n".join([*rows[:3], *rows[first:]])))
