"""The sample of verdicts depends on the seed and on nothing else, and counts all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llm_juries.collect.run import collect
from llm_juries.data.dataset import Streamed
from llm_juries.reporting.verdict_sample import sample
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.types import Item
from studies import as_asked, recorded_plans


@pytest.fixture
def plans() -> list[Plan]:
    return recorded_plans(judges=3, items=41)


@pytest.fixture
def store(tmp_path: Path, plans: list[Plan]) -> Store:
    store = Store(tmp_path / "store")
    collect(plans, store)
    return store


def test_all_verdicts_are_in_a_sample_that_is_large_enough(plans: list[Plan], store: Store):
    drawn = sample(plans, store, 1000, seed=0)
    assert drawn.total == len(drawn.table) == 3 * 40
    assert drawn.costs == {}
    first = drawn.table[(drawn.table["item_id"] == "q7") & (drawn.table["judge"] == "judge_1")]
    (row,) = first.to_dict("records")
    assert (row["question"], row["answer"], row["references"]) == ("Q7", "A7", "R7")
    assert (row["reply"], row["outcome"], row["value"], row["human"]) == ("true", "ok", "1", "1")


def test_what_is_no_vote_is_no_number(plans: list[Plan], store: Store):
    table = sample(plans, store, 1000, seed=0).table
    unread = table[table["outcome"] == "unparsed"]
    assert len(unread) == 3 * 8
    assert unread["value"].isna().all()
    assert np.isnan(table["cost_usd"]).all()


def test_a_sample_is_that_of_its_seed_whatever_the_order(plans: list[Plan], store: Store):
    drawn = sample(plans, store, 10, seed=0)
    assert drawn.total == 120
    assert drawn.table.equals(sample(plans[::-1], store, 10, seed=0).table)
    assert drawn.table.equals(sample(plans, store, 50, seed=0).table.head(10))
    assert not drawn.table.equals(sample(plans, store, 10, seed=1).table)


def test_a_file_of_items_is_not_read_again_for_each_verdict(plans: list[Plan], store: Store):
    items, read = tuple(plans[0].dataset.items), list[int]()

    def streamed() -> Iterator[Item]:
        read.append(1)
        return iter(items)

    dataset = replace(plans[0].dataset, items=Streamed(streamed))
    drawn = sample([replace(plan, dataset=dataset) for plan in plans], store, 1000, seed=0)
    assert drawn.total == 120
    assert len(read) < 10


def test_nothing_stored_is_an_empty_table(plans: list[Plan], tmp_path: Path):
    drawn = sample(as_asked(plans), Store(tmp_path / "none"), 10, seed=0)
    assert drawn.table.empty
    assert drawn.total == 0
