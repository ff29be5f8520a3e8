"""A scan of a store's columns tells what reading its verdicts one by one does."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_compaction import FAILED, VERDICTS, fill
from test_store import verdict

from llm_juries.analysis.agreement import agreement
from llm_juries.analysis.panels import read_panel
from llm_juries.analysis.scanned import panel
from llm_juries.collect.run import collect
from llm_juries.data.dataset import Dataset, Recording, Seen
from llm_juries.errors import JuriesError
from llm_juries.judges.recorded import recorded_judges
from llm_juries.juries.panel import Panel
from llm_juries.juries.votes import Voter
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.prompts.prompt import Prompt
from llm_juries.store.compaction import compact
from llm_juries.store.plan import Plan
from llm_juries.store.scan import Wanted, outcome_counts, parts
from llm_juries.store.store import Store
from llm_juries.study import Study
from llm_juries.types import Item, Order, Outcome, Verdict
from studies import as_asked

PROMPT = Prompt(name="p", template="{{ answer }}", labels={"True": 1.0, "False": 0.0})


@given(st.lists(VERDICTS, max_size=6), st.lists(VERDICTS, max_size=4))
@settings(max_examples=40, deadline=None)
def test_a_scan_counts_what_the_store_holds(before: list[Verdict], after: list[Verdict]):
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), *before)
        compact(Path(folder))
        fill(Path(folder), *after)
        held = list(Store(folder))
        expected = Counter((v.dataset, v.judge, v.prompt, str(v.outcome)) for v in held)
        table = outcome_counts(Path(folder))
        assert table["verdicts"].sum() == len(held)
        found = {
            (row["dataset"], row["judge"], row["prompt"], outcome): row[outcome]
            for row in table.to_dict("records")
            for outcome in map(str, Outcome)
            if row[outcome]
        }
        assert found == expected
        keys = [
            key for part in parts(Path(folder), ["key"]) for key in part.rows["key"].to_pylist()
        ]
        assert sorted(keys) == sorted(one.key for one in held)


def test_a_scan_reads_what_is_wanted_and_no_other_file(tmp_path: Path):
    fill(
        tmp_path,
        verdict("a"), verdict("b", judge="k"), verdict("c", dataset="e"), verdict("d", prompt="q"),
    )  # fmt: skip
    compact(tmp_path)
    (unwanted,) = (tmp_path / "parquet").rglob("dataset=e/*/*.parquet")
    unwanted.write_bytes(b"")
    counts = outcome_counts(tmp_path, Wanted(("d",), ("j",), ("q",)))
    assert counts.iloc[:, :4].to_numpy().tolist() == [["d", "j", "q", 1]]


def study(pairs: bool) -> Study:
    """Return forty answers (or pairs, shown both ways round) that three judges judged."""
    rng = np.random.default_rng(3)
    items = [
        Item("d", f"q{n // 2}", f"m{n % 2}", opponent="o" if pairs else "", human=float(n % 3 > 0))
        for n in range(40)
    ]
    orders = (Order.ORIGINAL, Order.SWAPPED) if pairs else (Order.ORIGINAL,)
    recordings = tuple(
        Recording(
            judge, "", "family", "judge", judge,
            {
                Seen(i.item_id, i.candidate, i.opponent, order): str(rng.choice(list("10 ?")))
                for i in items
                for order in orders
            },
        )
        for judge in "abc"
    )  # fmt: skip
    dataset = Dataset("d", tuple(items), orders=orders, recordings=recordings)
    judges = recorded_judges(dataset)
    return Study(dataset, as_asked(Plan(judge, dataset, PROMPT) for judge in judges), ())


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("pairs", [False, True])
def test_votes_of_a_scan_are_those_of_the_plans(pairs: bool, compacted: bool, tmp_path: Path):
    one = study(pairs)
    with Store(tmp_path) as store:
        collect(one.plans, store)
        asked = read_panel(one, store)
        (prompt,) = {each.prompt for each in store}
    if compacted:
        compact(tmp_path)
    found = panel(tmp_path, one.dataset, prompt, asked.votes.voters)
    assert found.votes.voters == asked.votes.voters
    np.testing.assert_array_equal(found.votes.labels, asked.votes.labels)
    np.testing.assert_array_equal(found.votes.scores, asked.votes.scores)
    np.testing.assert_array_equal(found.votes.outcomes, asked.votes.outcomes)
    measured = [agreement(each, Bootstrap(50)) for each in (found, asked)]
    pd.testing.assert_frame_equal(*measured)


def scanned(store: Path, *voters: str, prompt: str = "p") -> Panel:
    dataset = Dataset("d", (Item("d", "1", "m"), Item("d", "2", "m")))
    return panel(store, dataset, prompt, [Voter(name, "judge") for name in voters] or None)


def test_a_missing_and_a_failed_vote_are_no_label(tmp_path: Path):
    fill(tmp_path, verdict("a"), verdict("b", judge="k", item_id="2", **FAILED))
    votes = scanned(tmp_path).votes
    assert votes.names == ("j", "k")
    np.testing.assert_array_equal(votes.labels, [[1.0, np.nan], [np.nan, np.nan]])
    assert votes.outcomes.tolist() == [["ok", "not_asked"], ["not_asked", "failed"]]


def test_two_verdicts_of_a_judge_on_one_item_are_not_mixed(tmp_path: Path):
    fill(tmp_path, verdict("a"), verdict("of another revision"))
    with pytest.raises(JuriesError, match="two verdicts of judge 'j' on an item of d"):
        scanned(tmp_path)
    compact(tmp_path)
    with pytest.raises(JuriesError, match="its model or decoding has changed"):
        scanned(tmp_path)


def test_names_that_the_store_lacks_are_told(tmp_path: Path):
    fill(tmp_path, verdict("a"))
    with pytest.raises(JuriesError, match="has no verdicts on d"):
        scanned(tmp_path, "jj")
    with pytest.raises(JuriesError, match="has no verdicts of judge 'k' on d under prompt p"):
        scanned(tmp_path, "j", "k")
    with pytest.raises(JuriesError, match=r"nothing under prompt 'pp' on d.*did you mean p"):
        scanned(tmp_path, prompt="pp")
