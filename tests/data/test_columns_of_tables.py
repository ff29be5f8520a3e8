"""A table has the same cells by columns as by rows, whatever it is held in."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm_juries.data.tables import Column, Table, distinct, encoded, table_at

ODD = [1, 1.0, True, "1", None, "", "1", -0.0, 0.0, [1], [1], {"a": 1}, float("nan")]


def cells(table: Table) -> dict[str, list[Any]]:
    """Return the cells of each column, read by columns; "absent" where a row lacks it."""
    found = table.columns(table.head)
    return {
        name: ["absent" if code < 0 else column.values[code] for code in column.codes.tolist()]
        for name, column in found.items()
    }


def by_rows(table: Table) -> dict[str, list[Any]]:
    rows = [row for _, row in table.rows()]
    return {name: [row.get(name, "absent") for row in rows] for name in table.head}


def parquet(path: Path) -> Path:
    columns = {
        "number": [1, None, 1, 2],
        "share": [0.5, float("nan"), float("nan"), None],
        "text": ["a", "b", None, "a"],
        "flag": [True, False, None, True],
        "list": [["a"], ["a"], None, []],
        "object": [{"x": 1}, None, {"x": 1}, {"x": 2}],
        "day": [date(2026, 1, 2)] * 4,
        "money": [Decimal("1.10"), None, Decimal("1.1"), Decimal("2.00")],
        "nothing": pa.nulls(4),
        "a.b": pa.array(["x", "y", "x", None]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


def csv(path: Path) -> Path:
    path.write_text('id;"say ""so""";c\n1;x;\n\n;;\n1.0;"a\nb";y\n ;x;y\n', encoding="utf-8")
    return path


def jsonl(path: Path) -> Path:
    path.write_text("\n".join(map(json.dumps, [{"a": one, "b": 1} for one in ODD] + [{"b": 2}])))
    return path


@pytest.mark.parametrize(
    ("made", "name"), [(parquet, "t.parquet"), (csv, "t.csv"), (csv, "t.tsv"), (jsonl, "t.jsonl")]
)
def test_columns_hold_the_cells_of_the_rows(made: Any, name: str, tmp_path: Path):
    table = table_at(made(tmp_path / name))
    assert repr(cells(table)) == repr(by_rows(table))  # 1 and 1.0, 0.0 and -0.0 differ
    assert table.head == list(dict.fromkeys(key for _, row in table.rows() for key in row))
    places = [place for place, _ in table.rows()]
    assert [table.place(number) for number in range(len(places))] == places


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
def test_a_table_without_rows_has_no_columns(name: str, tmp_path: Path):
    path = tmp_path / name
    if name == "t.csv":
        path.write_text("item_id,human\n\n")
    else:
        pq.write_table(pa.table({"item_id": pa.array([], pa.string())}), path)
    assert table_at(path).head == []


def test_cells_that_differ_in_type_are_different():
    column = encoded(ODD)
    assert len(column.values) == len(ODD) - 2  # one "1" and one list stand twice
    assert column.first.tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12]
    assert column.at(10) == [1]


def test_different_rows_are_numbered_as_they_occur():
    one = Column(np.array([0, 0, 1, -1, 0]), "ab")
    other = Column(np.array([1, 0, 0, 0, 1]), "xy")
    found = distinct([one, other])
    assert (found.codes.tolist(), found.values) == ([0, 1, 2, 3, 0], [0, 1, 2, 3])
    assert distinct([Column(np.zeros(3, int), "a")]).values == [0]
