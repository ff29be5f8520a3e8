"""Sheets are blind and shuffled, and their labels come back to the right answers."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_juries.data.annotation_sheets import Task, export_sheet, import_sheet
from llm_juries.data.dataset import Dataset
from llm_juries.data.human_labels import HumanLabels
from llm_juries.errors import JuriesError
from llm_juries.escaping import spreadsheet
from llm_juries.types import Item

SINGLE = Dataset(
    "single",
    tuple(
        Item("single", f"q{at}", model, f"Question {at}?", f"{model[-1]} says {at}", ("R", "S"))
        for at in range(10)
        for model in ("model-x", "model-y")
    ),
)
PAIRS = Dataset(
    "pairs",
    tuple(
        Item("pairs", f"q{at}", "model-x", f"Question {at}?", f"mine {at}", (), "model-y", "other")
        for at in range(40)
    ),
)
Fill = Callable[[dict[str, str]], str]


def read(path: Path | str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def fill(path: Path | str, label: Fill | str) -> None:
    """Write a label into each row, as a person with a spreadsheet would."""
    said = label if callable(label) else lambda _: label
    table = [row | {"label": said(row)} for row in read(path)]
    with Path(path).open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, table[0])
        writer.writeheader()
        writer.writerows(table)


@pytest.fixture
def sheet(tmp_path: Path) -> str:
    return str(tmp_path / "new" / "sheet.csv")


@pytest.fixture
def out(tmp_path: Path) -> str:
    return str(tmp_path / "labels.csv")


def test_a_sheet_shows_each_answer_once_and_nothing_of_who_gave_it(sheet: str):
    assert export_sheet(SINGLE, sheet) == 20
    table = read(sheet)
    assert list(table[0]) == ["row", "question", "reference", "answer", "label"]
    assert sorted(row["answer"] for row in table) == sorted(item.answer for item in SINGLE.items)
    assert {row["reference"] for row in table} == {"R | S"}
    assert {row["label"] for row in table} == {""}
    assert "model" not in Path(sheet).read_text()
    assert Path(sheet).read_bytes().startswith(b"\xef\xbb\xbf")


def test_a_sheet_is_shuffled_by_its_seed_alone(tmp_path: Path):
    def order(dataset: Dataset, seed: int) -> list[str]:
        export_sheet(dataset, str(tmp_path / "sheet.csv"), seed, overwrite=True)
        return [row["answer"] for row in read(tmp_path / "sheet.csv")]

    turned = replace(SINGLE, items=tuple(reversed(list(SINGLE.items))))
    assert order(SINGLE, 0) == order(turned, 0)
    assert order(SINGLE, 0) != order(SINGLE, 1)
    assert order(SINGLE, 0) != [item.answer for item in SINGLE.items]


def test_labels_come_back_to_their_items_in_the_form_that_human_takes(sheet: str, out: str):
    export_sheet(SINGLE, sheet, seed=3)
    fill(sheet, lambda row: {"x": "1", "y": "FALSE"}[row["answer"][0]])
    found = import_sheet(SINGLE, sheet, "ann", out, seed=3)
    assert (found.filled, found.unfilled) == (20, 0)
    joined = HumanLabels(out).join(SINGLE)
    assert {(item.candidate, item.human) for item in joined.items} == {
        ("model-x", "1"),
        ("model-y", "0"),
    }
    assert joined.annotators == ("ann",)


def test_pairs_are_shown_either_way_round_and_turned_back(sheet: str, out: str):
    export_sheet(PAIRS, sheet)
    table = read(sheet)
    assert list(table[0]) == ["row", "question", "reference", "answer_a", "answer_b", "label"]
    first = [row["answer_a"].startswith("mine") for row in table]
    assert 8 <= sum(first) <= 32
    fill(sheet, lambda row: "A" if row["answer_a"].startswith("mine") else "b")
    import_sheet(PAIRS, sheet, "ann", out)
    assert {item.human for item in HumanLabels(out).join(PAIRS).items} == {"a"}
    fill(sheet, lambda row: "A" if row["answer_a"] == "other" else "Tie")
    import_sheet(PAIRS, sheet, "ben", out)
    votes = [item.human_votes for item in HumanLabels(out).join(PAIRS).items]
    assert sorted(set(votes)) == [("a", "b"), ("a", "tie")]
    assert votes.count(("a", "tie")) == sum(first)


def test_a_second_import_replaces_the_annotators_labels_of_that_sheet_only(
    tmp_path: Path, sheet: str, out: str
):
    few = SINGLE.sample(2, None)
    rest = replace(SINGLE, items=tuple(i for i in SINGLE.items if i not in few.items))
    for dataset, name in ((few, sheet), (rest, str(tmp_path / "rest.csv"))):
        export_sheet(dataset, name)
        fill(name, "1")
        for annotator in ("ann", "ben"):
            import_sheet(SINGLE, name, annotator, out)
    before = read(out)
    assert len(before) == 40
    fill(sheet, lambda row: "0" if row["answer"] == "x says 0" else "")
    found = import_sheet(SINGLE, sheet, "ann", out)
    assert (found.filled, found.unfilled) == (1, 3)
    table = read(out)
    assert [row for row in table if row["annotator"] == "ben"] == [
        row for row in before if row["annotator"] == "ben"
    ]
    anns = [row["label"] for row in table if row["annotator"] == "ann"]
    assert (anns.count("1"), anns.count("0")) == (16, 1)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=3, max_size=3))
def test_no_cell_is_a_formula_and_any_text_comes_back(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
):
    folder = tmp_path_factory.mktemp("sheet")
    question, reference, answer = texts
    dataset = Dataset("d", (Item("d", "=q", "@m", question, f"={answer}", (reference,)),))
    export_sheet(dataset, str(folder / "s.csv"))
    (row,) = read(folder / "s.csv")
    assert all(spreadsheet(cell) == cell for cell in row.values())
    assert row["answer"] == f"'={answer}"
    fill(folder / "s.csv", "yes")
    import_sheet(dataset, str(folder / "s.csv"), "ann", str(folder / "l.csv"))
    assert [item.human for item in HumanLabels(str(folder / "l.csv")).join(dataset).items] == ["1"]


def test_a_sheet_with_labels_in_it_is_not_written_over(sheet: str):
    export_sheet(SINGLE, sheet)
    fill(sheet, "1")
    with pytest.raises(JuriesError, match="already exists and may contain labels"):
        export_sheet(SINGLE, sheet)
    assert {row["label"] for row in read(sheet)} == {"1"}
    export_sheet(SINGLE, sheet, overwrite=True)
    assert {row["label"] for row in read(sheet)} == {""}


def test_an_answer_that_was_changed_since_gets_no_label(sheet: str, out: str):
    export_sheet(SINGLE, sheet)
    fill(sheet, "1")
    changed = replace(SINGLE, items=tuple(replace(i, answer="other") for i in SINGLE.items))
    with pytest.raises(JuriesError, match="is not a row of single with seed 0"):
        import_sheet(changed, sheet, "ann", out)


def test_lines_that_a_spreadsheet_left_empty_are_passed_over(sheet: str, out: str):
    export_sheet(SINGLE, sheet)
    fill(sheet, "1")
    with Path(sheet).open("a") as stream:
        stream.write(",,,,\n")
    assert import_sheet(SINGLE, sheet, "ann", out).filled == 20


def damaged(table: list[dict[str, str]], what: str) -> list[dict[str, str]]:
    match what:
        case "odd label":
            table[1]["label"] = "A"
        case "twice":
            table[1]["row"] = table[0]["row"]
        case "stranger":
            table[1]["row"] = "r0"
        case "no column":
            table = [{"rwo": row["row"], "label": "1"} for row in table]
        case "empty":
            table = [row | {"label": ""} for row in table]
    return table


def test_a_sheet_saved_with_semicolons_is_read(sheet: str, out: str):
    export_sheet(SINGLE, sheet)
    fill(sheet, "1")
    table = read(sheet)
    with Path(sheet).open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, table[0], delimiter=";")
        writer.writeheader()
        writer.writerows(table)
    assert import_sheet(SINGLE, sheet, "ann", out).filled == 20


@pytest.mark.parametrize(
    ("what", "seed", "said"),
    [
        ("odd label", 0, ", line 3, field label: 'A' is not on the scale binary (0, 1)"),
        ("twice", 0, "is already in line 2"),
        ("stranger", 0, ", line 3, field row: 'r0' is not a row of single with seed 0"),
        ("no column", 0, ": has no column 'row'; did you mean rwo?"),
        ("empty", 0, ": no row has a label"),
        ("", 1, ", line 2, field row: 'r"),
    ],
)
def test_a_damaged_sheet_is_told_in_one_line_and_nothing_is_written(
    what: str, seed: int, said: str, sheet: str, out: str
):
    export_sheet(SINGLE, sheet)
    fill(sheet, "1")
    table = damaged(read(sheet), what)
    with Path(sheet).open("w", newline="") as stream:
        writer = csv.DictWriter(stream, table[0])
        writer.writeheader()
        writer.writerows(table)
    with pytest.raises(JuriesError) as caught:
        import_sheet(SINGLE, sheet, "ann", out, seed)
    assert str(caught.value).startswith(sheet)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path(out).exists()


def test_labels_are_not_added_to_a_file_of_another_form(sheet: str, out: str):
    export_sheet(SINGLE, sheet)
    fill(sheet, "1")
    for text, said in (("item_id,human\nq1,1\n", "has no column 'candidate'"), (None, "'note'")):
        head = "item_id,candidate,opponent,label,annotator,note\nq1,m,,1,ann,n\n"
        Path(out).write_text(text or head)
        with pytest.raises(JuriesError, match=said):
            import_sheet(SINGLE, sheet, "ann", out)
        assert Path(out).read_text() == (text or head)


def test_numbers_without_texts_can_not_be_labelled(sheet: str):
    with pytest.raises(JuriesError, match="item 'q1' has no text, only recorded"):
        export_sheet(Dataset("d", (Item("d", "q1", "m"),)), sheet)
    assert not Path(sheet).exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"sheet": "sheet.xlsx"},
            "sheet: 'sheet.xlsx' is not a CSV file; set a name that ends in .csv",
        ),
        ({"out": "labels"}, "out: 'labels' is not a CSV file"),
        ({"action": "import"}, "annotator: required"),
        ({"action": "import", "annotator": " "}, "annotator: required"),
    ],
)
def test_a_task_is_checked_before_anything_is_done(values: dict[str, Any], said: str):
    with pytest.raises(JuriesError, match=said):
        Task(**{"action": "export", "sheet": "sheet.csv"} | values)
