"""Tables are written whole, escaped, and with nothing where nothing is known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from llm_juries import escaping
from llm_juries.files import write_text
from llm_juries.markdown import markdown
from llm_juries.reporting.tables import latex, write


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def first_row(table: pd.DataFrame) -> list[str]:
    return cells(markdown(table).splitlines()[2])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.12345, "0.123"),
        (1.0, "1.000"),
        (-0.0001, "0.000"),
        (-0.25, "-0.250"),
        (math.nan, ""),
        (12, "12"),
        (None, ""),
        ("007", "007"),
        ("1e5", "1e5"),
        (True, "True"),
    ],
)
def test_a_cell_of_markdown_shows_its_value(value: Any, shown: str):
    assert first_row(pd.DataFrame({"a": ["x"], "b": [value]})) == ["x", shown]


def test_an_undefined_value_among_texts_is_shown_empty():
    table = pd.DataFrame({"a": ["x", math.nan], "b": [1, 2]})
    assert cells(markdown(table).splitlines()[3]) == ["", "2"]


def test_markdown_escapes_the_pipe():
    assert r"a\|b" in markdown(pd.DataFrame({"voter": ["a|b"]}))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", "a b"),
        ("a\r\n| b | c |", r"a \| b \| c \|"),
        ("<img src=x onerror=alert(1)>", r"\<img src=x onerror=alert(1)>"),
        ("[x](javascript:y)", r"[x]\(javascript:y)"),
        ("A>>B", "A>>B"),
        ("$0.03", "$0.03"),
        (r"$\sqrt{2}$ or $$x$$", r"\$\sqrt{2}\$ or \$\$x\$\$"),
        ("[0.5, 0.6]", "[0.5, 0.6]"),
    ],
)
def test_markdown_keeps_a_cell_to_one_line_and_one_column(name: str, shown: str):
    assert escaping.markdown(name) == shown
    lines = markdown(pd.DataFrame({name: [name], "n": [1]})).splitlines()
    assert len(lines) == 3
    assert shown in lines[0]
    assert shown in lines[2]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "＝", "＠"])
def test_a_text_is_no_formula_of_a_spreadsheet(sign: str, tmp_path: Path):
    formula = f"{sign}cmd|' /C calc'!A0"
    write(pd.DataFrame({formula: [formula], "n": [-0.5], "text": ["-1.5e3"]}), tmp_path, "t")
    read = pd.read_csv(tmp_path / "t.csv")
    shown = "'" + formula.replace("\r", "\n")
    assert list(read.columns) == [shown, "n", "text"]
    assert read.iloc[0].tolist() == [shown, -0.5, -1500.0]


def test_markdown_aligns_numbers_to_the_right():
    rule = cells(markdown(pd.DataFrame({"voter": ["a"], "n": [1], "kappa": [0.5]})).splitlines()[1])
    assert [(cell[0], cell[-1]) for cell in rule] == [(":", "-"), ("-", ":"), ("-", ":")]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("gpt_4", r"gpt\_4"),
        ("50% & more", r"50\% \& more"),
        ("$5 #1 {x}", r"\$5 \#1 \{x\}"),
        ("a\\b", r"a\textbackslash{}b"),
        ("~x^2", r"\textasciitilde{}x\textasciicircum{}2"),
    ],
)
@pytest.mark.parametrize("place", ["cell", "header"])
def test_latex_escapes_its_signs(text: str, escaped: str, place: str):
    table = pd.DataFrame({"a": [text]} if place == "cell" else {text: ["a"]})
    assert any(line.startswith(f"{escaped} \\\\") for line in latex(table).splitlines())


def test_latex_shows_an_undefined_value_as_nothing():
    assert "x &  \\\\" in latex(pd.DataFrame({"a": ["x"], "b": [math.nan]}))


def test_latex_aligns_numbers_to_the_right():
    shown = latex(pd.DataFrame({"a": ["x"], "n": [1], "k": [0.5], "m": [-12.25]}))
    assert r"\begin{tabular}{lrD{.}{.}{1.3}D{.}{.}{3.3}}" in shown


def test_the_best_of_each_dataset_is_bold_under_its_display_name():
    rows = {"dataset": ["d", "d", "e", "e"], "voter": list("abab"), "kappa": [0.5, 0.7, 0.9, 0.1]}
    lines = latex(pd.DataFrame(rows), {"b": "Judge B", "d": "NQ-301"}).splitlines()
    bold = [line for line in lines if "boldmath" in line]
    assert bold[0].startswith(
        r"NQ-301 & Judge B & \multicolumn{1}{>{\boldmath}D{.}{.}{1.3}}{0.700}"
    )
    assert len(bold) == 2
    assert "boldmath" not in latex(pd.DataFrame({"voter": ["a"], "kappa": [0.5]}))


@pytest.mark.parametrize("shown", [markdown, latex])
def test_a_table_without_rows_says_so(shown: Any):
    assert "(no rows)" in shown(pd.DataFrame())


def test_a_table_is_written_in_three_formats_and_csv_keeps_all_digits(tmp_path: Path):
    write(pd.DataFrame({"kappa": [1 / 3]}), tmp_path / "tables", "t")
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {"t.csv", "t.md", "t.tex"}
    assert pd.read_csv(tmp_path / "tables" / "t.csv").loc[0, "kappa"] == 1 / 3


def test_writing_again_replaces_the_file(tmp_path: Path):
    path = tmp_path / "t.md"
    for text in ("first, which is longer", "second"):
        write_text(path, text)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["second"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "t.md"
    write_text(path, "whole")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half" * 100_000 + "\ud800")
    assert path.read_text() == "whole"


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path):
    path = tmp_path / "t.md"
    write_text(path, "old")
    with path.open() as reader:
        write_text(path, "new")
        assert (reader.read(), path.read_text()) == ("old", "new")
