"""Files as spreadsheets and scripts write them are read, or one line says what to do."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from llm_juries.data.answer_tables import load
from llm_juries.data.tables import as_text, rows
from llm_juries.data.verdicts import load as load_verdicts
from llm_juries.errors import JuriesError
from llm_juries.types import Item

HEAD = "item_id,question,answer,references,human\n"


def written(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def items(path: Path) -> list[Item]:
    return list(load(str(path)).items)


@pytest.mark.parametrize("separator", [";", "\t", ","])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_separates_cells_and_the_mark_of_the_encoding_are_recognised(
    separator: str, encoding: str, tmp_path: Path
):
    text = HEAD.replace(",", separator) + separator.join(["q1", '"É, or; what?"', "É", "É", "1"])
    (item,) = items(written(tmp_path, text.encode(encoding)))
    assert (item.question, item.answer, item.human) == ("É, or; what?", "É", "1")


def test_a_cell_may_be_longer_than_what_the_csv_module_allows(tmp_path: Path):
    long = "x" * 200_000
    (item,) = items(written(tmp_path, f"{HEAD}q1,Q,{long},R,1\n"))
    assert item.answer == long


def test_another_encoding_is_an_error_that_names_the_line(tmp_path: Path):
    path = written(tmp_path, f"{HEAD}q1,Q,A,R,1\nq2,Who wrote Émile?,B,R,1\n".encode("cp1252"))
    with pytest.raises(JuriesError) as caught:
        items(path)
    assert str(caught.value) == f'{path}, line 3: is not UTF-8; in Excel, save it as "CSV UTF-8"'


def test_rows_without_a_filled_cell_are_skipped(tmp_path: Path):
    found = items(written(tmp_path, f"{HEAD}q1,Q,A,R,1\n,,,,\n , ,,,\nq2,Q,B,R,0\n"))
    assert [item.item_id for item in found] == ["q1", "q2"]


@pytest.mark.parametrize("word", ["NA", "N/A", "nan", "NaN", "null", "NULL", ""])
def test_words_for_nothing_are_empty_labels_and_stay_answers(word: str, tmp_path: Path):
    (item,) = items(written(tmp_path, f"{HEAD}q1,Q,{word},R,{word}\n"))
    assert (item.answer, item.human) == (word, None)


def test_numbers_and_booleans_of_json_become_their_text(tmp_path: Path):
    row = '{"id": 7.0, "question": 12, "answer": 42, "reference": [42, 4.5, true], "model": 3}\n'
    (item,) = items(written(tmp_path, row, "t.jsonl"))
    assert (item.item_id, item.question, item.answer) == ("7", "12", "42")
    assert (item.references, item.candidate) == (("42", "4.5", "true"), "3")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.0, "1"),
        ("1", "1"),
        ("1.0", "1.0"),
        ("001", "001"),
        (True, "true"),
        (0.5, "0.5"),
    ],
)
def test_a_number_is_an_id_without_its_fraction_and_a_text_stays(value: object, text: str):
    assert as_text(value) == text


@pytest.mark.parametrize(
    ("content", "name"),
    [("item_id,gpt,gpt\nq,1,0\n", "t.csv"), ('{"gpt": 1, "gpt": 0}\n', "t.jsonl")],
)
def test_two_columns_of_one_name_are_an_error(content: str, name: str, tmp_path: Path):
    with pytest.raises(JuriesError, match="'gpt' twice"):
        list(rows(written(tmp_path, content, name)))


def test_an_excel_file_is_read_by_its_first_sheet(tmp_path: Path):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["item_id", "question", "answer", "human"], [1, "Q", 42, 1], [None] * 4, [2, "P"]):
        sheet.append(row)
    book.create_sheet("notes").append(["nothing"])
    book.save(tmp_path / "t.xlsx")
    found = items(tmp_path / "t.xlsx")
    assert [(i.item_id, i.answer, i.human) for i in found] == [("1", "42", "1"), ("2", "", None)]


def test_a_date_of_excel_is_the_day_alone(tmp_path: Path):
    book = openpyxl.Workbook()
    moment = datetime(2020, 1, 2, 13, 5)
    for row in (["question", "answer"], ["When?", date(2020, 1, 2)], ["And then?", moment]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    assert [item.answer for item in items(tmp_path / "t.xlsx")] == [
        "2020-01-02", "2020-01-02 13:05:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("question,answer\nQ,A\n".encode("utf-16-le"), "line 1: has zero bytes, as UTF-16 without"),
        (b"sep=;\nquestion;answer\nQ;A\n", "line 1: is 'sep=;', for Excel; remove it"),
    ],
)
def test_what_excel_adds_or_leaves_out_is_named(content: bytes, said: str, tmp_path: Path):
    with pytest.raises(JuriesError, match=said):
        items(written(tmp_path, content, "t.csv"))


@pytest.mark.parametrize(
    "name",
    [
        "latency",
        "Cost (USD)",
        "elapsed_ms",
        "len",
        "Unnamed: 0",
        "n",
        "total tokens",
        "fold",
        "Time",
    ],
)
def test_a_measurement_is_no_judge_whatever_its_numbers(name: str, tmp_path: Path):
    text = f"item_id,human,gpt,{name}\na,1,1,1\nb,0,0,1\n"
    assert [r.judge for r in load_verdicts(str(written(tmp_path, text))).recordings] == ["gpt"]


@pytest.mark.parametrize(
    "name", ["rankgpt", "llama-3.1-70b", "wordsmith", "lenny", "sizer", "datey"]
)
def test_a_judge_may_be_called_almost_anything(name: str, tmp_path: Path):
    text = f"item_id,human,{name}\na,1,1\nb,0,0\n"
    assert [r.judge for r in load_verdicts(str(written(tmp_path, text))).recordings] == [name]


def test_a_table_says_what_it_calls_its_columns(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO")
    text = "set,nr,prompt,reply,ref1,ref2,gold,note\nx,1,Q,A,R,S,4,n\n"
    columns = {
        "item_id": ("set", "nr"), "question": "prompt", "answer": "reply", "human": "gold",
        "references": ("ref1", "ref2"),
    }  # fmt: skip
    path = str(written(tmp_path, text.replace(",4,", ",1,")))
    (item,) = load(path, columns=columns).items
    assert (item.item_id, item.question, item.answer) == ("x/1", "Q", "A")
    assert (item.references, item.human) == (("R", "S"), "1")
    assert "columns that are not used: note" in caplog.text


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"itemid": "a"}, "columns: 'itemid' is not a known column; did you mean item_id"),
        ({"question": "prompt"}, "has no column 'prompt'"),
        ({"question": ("question", "answer")}, "columns: question is 2 columns; only item_id"),
    ],
)
def test_a_wrong_name_of_a_column_is_one_line(columns: dict[str, str], said: str, tmp_path: Path):
    with pytest.raises(JuriesError, match=said):
        load(str(written(tmp_path, "question,answer\nQ,A\n")), columns=columns)


def test_a_reference_that_looks_like_several_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = written(tmp_path, f'{HEAD}q1,Q,A,Mary|Shelley,1\nq2,Q,A,"[""a|b"", ""c""]",1\n')
    found = items(path)
    assert [item.references for item in found] == [("Mary|Shelley",), ("a|b", "c")]
    assert "column references: 1 cells are read as one reference each" in caplog.text
    assert 'write several as a JSON list: ["one", "another"]' in caplog.text
