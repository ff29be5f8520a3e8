"""The list of tables: names are those of functions, and every table says how to read it."""

from __future__ import annotations

import inspect
from collections import Counter

import pytest

from llm_juries.analysis import tables
from llm_juries.analysis.jury_search import JurySearch
from llm_juries.analysis.tables import TABLES, Table


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_is_named_after_what_makes_it(table: Table):
    assert table.name in table.make.__code__.co_names
    if table.name not in JurySearch.__dataclass_fields__:
        made_by = inspect.unwrap(getattr(tables, table.name))
        assert made_by.__name__ == table.name


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_says_what_to_look_for_and_when_it_applies(table: Table):
    assert table.title
    assert table.title[0].isupper()
    assert table.look_for.endswith(".")
    assert table.applies


def test_no_two_tables_share_a_name_or_a_title():
    for names in (Counter(one.name for one in TABLES), Counter(one.title for one in TABLES)):
        assert set(names.values()) == {1}
