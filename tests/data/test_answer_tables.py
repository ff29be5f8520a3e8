"""Tables of answers are read, or their mistakes are told by file, row and field."""

from __future__ import annotations

import csv
import json
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hydra import compose, initialize_config_dir

from conftest import ROOT
from llm_juries.config.build import build
from llm_juries.data.answer_tables import load
from llm_juries.data.tables import located
from llm_juries.errors import JuriesError
from llm_juries.types import Item, Order

ROW = {"question": "Who wrote Frankenstein?", "answer": "Mary Shelley", "human": 1}
FULL = [
    {
        "item_id": "q1",
        "candidate": "gpt",
        "question": "Who wrote Frankenstein?",
        "answer": "Mary, said “Shelley”,\nin 1818",
        "references": ["Mary Shelley", "Shelley"],
        "human": 1,
        "human_votes": [1, 1, 0],
        "opponent": "haiku",
        "opponent_answer": "Byron",
    },
    {
        "item_id": "q1",
        "candidate": "haiku",
        "question": "Who wrote Frankenstein?",
        "answer": "Byron",
        "references": ["Mary Shelley"],
        "human": 0,
        "human_votes": [0],
        "opponent": "gpt",
        "opponent_answer": "Mary",
    },
]


def jsonl(folder: Path, *rows: Any, name: str = "table.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def as_csv(folder: Path, *rows: dict[str, Any], name: str = "table.csv") -> Path:
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(
            {k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()} for row in rows
        )
    return path


def parquet(folder: Path, *rows: dict[str, Any], name: str = "table.parquet") -> Path:
    path = folder / name
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def text(folder: Path, content: str | bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def said(path: Path) -> str:
    with pytest.raises(JuriesError) as caught:
        load(str(path))
    return str(caught.value)


def only(path: Path) -> Item:
    (item,) = load(str(path)).loaded().items
    return item


def test_a_row_becomes_an_item(tmp_path: Path):
    assert load(str(jsonl(tmp_path, *FULL)), name="d").loaded().items[0] == Item(
        dataset="d",
        item_id="q1",
        candidate="gpt",
        question="Who wrote Frankenstein?",
        answer="Mary, said “Shelley”,\nin 1818",
        references=("Mary Shelley", "Shelley"),
        opponent="haiku",
        opponent_answer="Byron",
        human="a",
        human_votes=("a", "a", "b"),
    )


def test_annotators_are_numbered_and_one_without_a_label_keeps_his_place(tmp_path: Path):
    rows = [ROW | {"human_votes": votes} for votes in ([1], [None, 0, ""], [])]
    dataset = load(str(jsonl(tmp_path, *rows)))
    assert dataset.annotators == ("1", "2", "3")
    assert [item.human_votes for item in dataset.items] == [("1",), (None, "0", None), ()]


@pytest.mark.parametrize("write", [as_csv, parquet])
def test_the_same_rows_give_the_same_items_in_every_format(write: Any, tmp_path: Path):
    expected = load(str(jsonl(tmp_path, *FULL))).loaded().items
    assert load(str(write(tmp_path, *FULL))).loaded().items == expected


@pytest.mark.parametrize("write", [jsonl, as_csv, parquet])
def test_the_rows_number_is_the_item_id_by_default(write: Any, tmp_path: Path):
    items = load(str(write(tmp_path, ROW, ROW | {"question": "Q"}))).loaded().items
    assert [item.item_id for item in items] == ["1", "2"]


@pytest.mark.parametrize("write", [jsonl, as_csv, parquet])
def test_a_whole_number_is_an_item_id(write: Any, tmp_path: Path):
    assert only(write(tmp_path, ROW | {"item_id": 7})).item_id == "7"


@pytest.mark.parametrize(
    ("human", "label"),
    [
        (1, "1"),
        (0, "0"),
        (1.0, "1"),
        (True, "1"),
        (False, "0"),
        ("true", "1"),
        ("False", "0"),
        (" yes ", "1"),
        ("incorrect", "0"),
        (None, None),
        ("", None),
        ("  ", None),
    ],
)
def test_a_human_label_is_binary_or_empty(human: object, label: str | None, tmp_path: Path):
    assert only(jsonl(tmp_path, ROW | {"human": human})).human == label


@pytest.mark.parametrize("write", [jsonl, as_csv, parquet])
def test_answers_without_labels_are_allowed(write: Any, tmp_path: Path):
    assert only(write(tmp_path, {"question": "Q", "answer": "A"})).human is None


@pytest.mark.parametrize("write", [jsonl, as_csv, parquet])
def test_an_empty_answer_is_judged_like_any_other(write: Any, tmp_path: Path):
    assert only(write(tmp_path, ROW | {"answer": ""})).answer == ""


@pytest.mark.parametrize(
    ("references", "read"),
    [
        ("Shelley", ("Shelley",)),
        ('["Mary Shelley", "Shelley"]', ("Mary Shelley", "Shelley")),
        (["Shelley", " "], ("Shelley",)),
        ([], ()),
        (None, ()),
        ("", ()),
    ],
)
def test_references_are_a_list_or_one_text(
    references: object, read: tuple[str, ...], tmp_path: Path
):
    assert only(jsonl(tmp_path, ROW | {"references": references})).references == read


@pytest.mark.parametrize("ending", ["jsonl", "json"])
def test_half_a_character_becomes_a_question_mark(ending: str, tmp_path: Path):
    row = r'{"question": "Q \ud83d", "answer": "\ud83d\ude00 \u00e9", "references": ["\udc00"]}'
    item = only(text(tmp_path, row if ending == "jsonl" else f"[{row}]", f"t.{ending}"))
    assert (item.question, item.answer, item.references) == ("Q ?", "😀 é", ("?",))


def test_empty_lines_are_passed_over(tmp_path: Path):
    path = text(tmp_path, f"\n{json.dumps(ROW)}\n\n", "t.jsonl")
    assert len(load(str(path)).loaded().items) == 1


def test_a_byte_order_mark_of_a_spreadsheet_is_passed_over(tmp_path: Path):
    path = text(tmp_path, b"\xef\xbb\xbfquestion,answer\nQ,A\n", "t.csv")
    assert only(path).question == "Q"


def test_the_name_is_the_files_by_default(tmp_path: Path):
    assert load(str(jsonl(tmp_path, ROW, name="mine.jsonl"))).name == "mine"


@pytest.mark.parametrize(
    ("row", "place", "problem"),
    [
        ({"human": "maybe"}, "line 2, field human", "'maybe' is not on the scale binary (0, 1)"),
        ({"human": 2}, "line 2, field human", "'2' is not on the scale"),
        ({"human": 0.5}, "line 2, field human", "'0.5' is not on the scale"),
        ({"human_votes": [1, 3]}, "line 2, field human_votes", "'3' is not on the scale"),
        ({"human_votes": 1}, "line 2, field human_votes", "is not a list of labels"),
        ({"references": ["a", ["b"]]}, "line 2, field references", "['a', ['b']] is not a text or"),
        ({"references": {"a": 1}}, "line 2, field references", "{'a': 1} is not a text or"),
        ({"references": "[Mary"}, "line 2, field references", "begins like a JSON list"),
        ({"question": ""}, "line 2, field question", "'' is not a text; set a text"),
        ({"question": None}, "line 2, field question", "None is not a text"),
        ({"answer": [42]}, "line 2, field answer", "[42] is not a text; set a text"),
        ({"item_id": {"a": 1}}, "line 2, field item_id", "{'a': 1} is not a text"),
        ({"candidate": ["gpt"]}, "line 2, field candidate", "['gpt'] is not a text"),
    ],
)
def test_a_wrong_value_is_told_by_file_row_and_field(
    row: dict[str, Any], place: str, problem: str, tmp_path: Path
):
    path = jsonl(tmp_path, ROW, ROW | row)
    message = said(path)
    assert message.startswith(f"{path}, {place}: ")
    assert problem in message


def test_a_row_without_an_answer_is_told(tmp_path: Path):
    path = jsonl(tmp_path, ROW, {"question": "Q"})
    assert (
        said(path)
        == f"{path}, line 2, field answer: is missing; add it, empty if the candidate gave none"
    )


def test_a_wrong_label_of_a_csv_is_told_by_its_line(tmp_path: Path):
    path = text(tmp_path, "question,answer,human\nQ,A,1\nR,B,perhaps\n", "t.csv")
    assert said(path).startswith(f"{path}, line 3, field human: 'perhaps' is not on the scale")


def test_a_wrong_label_of_a_parquet_file_is_told_by_its_row(tmp_path: Path):
    path = parquet(tmp_path, ROW, ROW | {"human": 5})
    assert said(path).startswith(f"{path}, row 2, field human: '5' is not on the scale")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"question": "Q"', "line 2: not JSON"),
        ("question,answer", "line 2: not JSON"),
        (b'{"question": "\xff"}', "line 2: not JSON"),
        ("[1, 2]", "line 2: is a list; write an object"),
        ("null", "line 2: is a NoneType"),
    ],
)
def test_a_line_that_is_no_object_is_told(line: str | bytes, problem: str, tmp_path: Path):
    raw = line if isinstance(line, bytes) else line.encode()
    path = text(tmp_path, json.dumps(ROW).encode() + b"\n" + raw + b"\n", "t.jsonl")
    assert said(path).startswith(f"{path}, {problem}")


@pytest.mark.parametrize("write", [jsonl, as_csv, parquet])
@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"question": "Q", "anwser": "A"}, "has no column 'answer'; did you mean anwser?"),
        ({"quest": "Q", "answer": "A"}, "has no column 'question'; did you mean quest?"),
        ({"x": "Q", "answer": "A"}, "has no column 'question'; there are: x, answer"),
    ],
)
def test_a_missing_column_is_told_with_the_nearest(
    write: Any, row: dict[str, Any], problem: str, tmp_path: Path
):
    path = write(tmp_path, row)
    assert said(path) == f"{path}: {problem}"


def test_a_column_like_a_known_one_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    load(str(jsonl(tmp_path, ROW | {"refrences": ["A"]})))
    assert "column 'refrences' is not used; did you mean references?" in caplog.text


def test_a_label_that_is_read_as_the_human_one_is_not_called_unused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    row = {"id": 1, "question": "Q", "answer": "A", "label": 1}
    (item,) = load(str(jsonl(tmp_path, row))).items
    assert item.human == "1"
    assert "not used" not in caplog.text
    load(str(jsonl(tmp_path, row | {"human": 0})))
    assert "columns that are not used: label" in caplog.text


def test_other_columns_are_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    load(str(jsonl(tmp_path, ROW | {"zzz": 1})))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_second_row_about_one_answer_is_told_with_the_first(tmp_path: Path):
    row = ROW | {"item_id": "q1", "candidate": "gpt"}
    path = jsonl(tmp_path, row, ROW | {"item_id": "q2"}, row | {"answer": "Byron"})
    assert said(path).startswith(
        f"{path}, line 3: item 'q1' of candidate 'gpt' is already in line 1"
    )


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("question,answer\nQ,A\nR\n", "line 3: not as many cells as the header"),
        ("question,answer\nQ,A,B\n", "line 2: not as many cells as the header"),
        ('question,answer\nQ,"A\n', "line "),
        (b"question,answer\nQ,A\nR,caf\xe9\n", "line "),
    ],
)
def test_a_broken_csv_is_told_by_file_and_line(content: str | bytes, place: str, tmp_path: Path):
    path = text(tmp_path, content, "t.csv")
    assert said(path).startswith(f"{path}, {place}")


def damaged(whole: bytes, how: str) -> bytes:
    match how:
        case "empty":
            return b""
        case "no parquet":
            return b"question,answer\nQ,A\n"
        case "cut":
            return whole[: len(whole) // 2]
        case "pages":
            return whole[:4] + b"\xff" * 60 + whole[64:]
        case _:  # the footer, its length and the magic bytes behind it left whole
            return whole[:-80] + b"\xff" * 72 + whole[-8:]


@pytest.mark.parametrize("how", ["empty", "no parquet", "cut", "pages", "footer"])
def test_a_broken_parquet_file_is_told(how: str, tmp_path: Path):
    path = parquet(tmp_path, *FULL)
    path.write_bytes(damaged(path.read_bytes(), how))
    message = said(path)
    assert message.startswith(f"{path}: can't be read as Parquet")
    assert "\n" not in message


@pytest.mark.parametrize("name", ["t.js", "t.txt", "t", "t.jsonl.gz"])
def test_an_unknown_ending_is_told_with_the_known_ones(name: str, tmp_path: Path):
    path = text(tmp_path, "{}", name)
    assert said(path) == (
        f"{path}: unknown file type {path.suffix!r}; supported are .jsonl, .json, .csv, "
        ".tsv, .xlsx, .parquet"
    )


def test_a_missing_file_is_told_with_the_nearest(tmp_path: Path):
    jsonl(tmp_path, ROW, name="answers.jsonl")
    path = tmp_path / "anwsers.jsonl"
    assert said(path) == f"{path}: no such file; did you mean answers.jsonl?"


def test_a_file_of_a_missing_folder_is_told(tmp_path: Path):
    path = tmp_path / "none" / "t.jsonl"
    assert said(path) == f"{path}: no such file"


def test_a_folder_is_no_file(tmp_path: Path):
    assert said(tmp_path) == f"{tmp_path}: is a folder; name a file in it"


@pytest.mark.parametrize(
    ("name", "content"), [("t.jsonl", ""), ("t.jsonl", "\n\n"), ("t.csv", "question,answer\n")]
)
def test_a_table_without_rows_is_told(name: str, content: str, tmp_path: Path):
    assert "has no items" in said(text(tmp_path, content, name))


def test_a_file_of_the_package_is_found_by_its_name():
    assert located("package:tables.py").name == "tables.py"
    assert located("package:results/paper/table1_kappa.csv").read_text().startswith("judge,")


def test_a_missing_file_of_the_package_is_told_with_the_nearest():
    with pytest.raises(JuriesError, match=r"no such file; did you mean tables\.py"):
        located("package:tabels.py")


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = jsonl(tmp_path, ROW)
    assert located("~/table.jsonl") == path


def test_a_file_of_questions_alone_holds_nothing_to_judge(tmp_path: Path):
    path = jsonl(tmp_path, {"question": "Q?", "references": "R", "candidate": "m"})
    (item,) = load(str(path), answered=False).loaded().items
    assert item == Item("table", "1", "", "Q?", "", ("R",))


PAIR = {
    "item_id": "q1",
    "candidate": "Zebra-7B",
    "question": "Who wrote Frankenstein?",
    "answer": "Mary Shelley",
    "opponent": "Yak-9B",
    "opponent_answer": "Byron",
}


@pytest.mark.parametrize("write", [jsonl, as_csv, parquet])
@pytest.mark.parametrize(
    ("label", "human"),
    [("a", "a"), ("b", "b"), ("Tie", "tie"), ("1", "a"), ("0", "b"), ("0.5", "tie"), ("", None)],
)
def test_a_pairs_label_is_read_in_words_and_in_numbers(
    tmp_path: Path, write: Any, label: str, human: str | None
):
    assert only(write(tmp_path, PAIR | {"human": label})).human == human


def test_numbers_that_are_labels_of_pairs_are_read_from_parquet(tmp_path: Path):
    rows = [PAIR | {"item_id": str(n), "human": value} for n, value in enumerate((1.0, 0.0, 0.5))]
    assert [item.human for item in load(str(parquet(tmp_path, *rows))).items] == ["a", "b", "tie"]


def test_annotators_may_find_a_pair_even(tmp_path: Path):
    row = PAIR | {"human_votes": ["a", "tie", "b"]}
    assert only(jsonl(tmp_path, row)).human_votes == ("a", "tie", "b")


def test_pairs_are_shown_in_both_orders_unless_told_otherwise(tmp_path: Path):
    path = str(jsonl(tmp_path, PAIR))
    assert load(path).orders == (Order.ORIGINAL, Order.SWAPPED)
    assert load(path, orders=(Order.ORIGINAL,)).orders == (Order.ORIGINAL,)
    assert load(str(jsonl(tmp_path, ROW, name="single.jsonl"))).orders == (Order.ORIGINAL,)


def test_a_single_answer_has_no_tie(tmp_path: Path):
    assert "'tie' is not on the scale binary" in said(jsonl(tmp_path, ROW | {"human": "tie"}))


def test_pairs_and_single_answers_do_not_mix(tmp_path: Path):
    single = {key: PAIR[key] for key in ("question", "answer", "candidate")}
    message = said(jsonl(tmp_path, PAIR, single))
    assert "line 2, field opponent: makes the row a single answer" in message
    assert "line 1 is a pair" in message


def test_an_opponent_without_its_answer_is_told(tmp_path: Path):
    row = {key: value for key, value in PAIR.items() if key != "opponent_answer"}
    assert "line 1, field opponent_answer: is missing" in said(jsonl(tmp_path, row))


@pytest.mark.parametrize("order", list(Order))
def test_no_judge_sees_a_models_name(tmp_path: Path, order: Order):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        prompt = build(compose("judge", ["prompt=pairwise", "output_dir=unused"]).prompt, "prompt")
    messages = prompt.render(only(jsonl(tmp_path, PAIR)), order)
    text = "".join(message.content for message in messages)
    assert "Zebra-7B" not in text
    assert "Yak-9B" not in text
    first, second = text.index("Mary Shelley"), text.index("Byron")
    assert (first < second) is (order is Order.ORIGINAL)
