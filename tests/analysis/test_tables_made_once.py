"""The tables of an analysis are made once, when they are asked for."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from llm_juries.analysis import run
from llm_juries.analysis.tables import Table


def test_a_table_is_made_once_and_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    made = []

    def one(subject: Any) -> pd.DataFrame:
        made.append(subject)
        return pd.DataFrame({"of": [subject]})

    def nothing(_: Any) -> pd.DataFrame:
        return pd.DataFrame()

    kinds = ("one", one, False), ("nothing", nothing, False), ("kept", nothing, True)
    tables = tuple(Table(name, make, "", "", "", kept) for name, make, kept in kinds)
    monkeypatch.setattr(run, "TABLES", tables)
    subjects: Any = ["first", "second"]
    found = run.Tables(subjects, None)
    assert not made
    for _ in range(2):
        assert list(found["one"]["of"]) == ["first", "second"]
        assert list(found) == ["one", "kept"]
    assert made == ["first", "second"]
    assert found.get("nothing") is None
    assert len(found) == 2
