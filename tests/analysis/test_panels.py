"""Stored verdicts become votes: scales, both orders of a pair, and what is no vote stays none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_juries.analysis.panels import read_panel
from llm_juries.collect.run import collect
from llm_juries.data.dataset import Dataset
from llm_juries.data.verdicts import RecordedColumn, load
from llm_juries.judges.base import Limits, PromptedJudge
from llm_juries.judges.decoding import Decoding
from llm_juries.judges.recorded import recorded_judges
from llm_juries.juries.panel import Panel
from llm_juries.juries.rules import Jury
from llm_juries.juries.stored import pool
from llm_juries.prompts.prompt import Prompt
from llm_juries.scale import Scale
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.study import Study
from llm_juries.types import Item, Order, Reply, Request

NAN = math.nan
FIVE = Scale.preference("B>>A", "B>A", "A=B", "A>B", "A>>B")
LEVELS = {"A>>B": 5.0, "A>B": 4.0, "A=B": 3.0, "B>A": 2.0, "B>>A": 1.0}
PAIRWISE = Prompt("pairwise", "{{ question }}|{{ answer }}|{{ opponent_answer }}", LEVELS)
DIGITS = Prompt("point", "{{ question }}|{{ answer }}", {str(n): float(n) for n in range(1, 6)})


class Scripted(PromptedJudge):
    """Says what its script holds for a question, an order each."""

    kind: Any = "judge"
    free = False
    price = None
    note = ""
    decoding = Decoding(verdict_by="text", max_tokens=8)

    def __init__(self, name: str, script: dict[str, Sequence[str]]) -> None:
        self.name, self.family, self.script = name, "f", script
        self.limits = Limits()
        self.fingerprint = {"name": name}

    async def ready(self) -> None: ...
    async def open(self) -> None: ...
    async def close(self) -> None: ...

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        orders = list(Order)
        return [Reply(self.script[r.item.item_id][orders.index(r.order)]) for r in requests]


def pairs(*ids: str, human: float | None = None) -> Dataset:
    items = tuple(Item("d", i, "m", i, "first", human=human, opponent="n", opponent_answer="second")
                  for i in ids)  # fmt: skip
    return Dataset("d", items, orders=tuple(Order))


def panel_of(
    dataset: Dataset,
    prompt: Prompt,
    folder: Path,
    *judges: Scripted,
    juries: Any = (),
    **options: Any,
) -> Panel:
    plans = tuple(Plan(judge, dataset, prompt) for judge in judges)
    with Store(folder) as store:
        collect(plans, store)
        return read_panel(Study(dataset, plans, tuple(juries)), store, **options)


SCRIPT = {
    "same side": ("A>>B", "B>A"),
    "both tie": ("A=B", "A=B"),
    "flip": ("A>>B", "A>B"),
    "half": ("A>B", "A=B"),
    "unread": ("A>B", "who knows"),
}


@pytest.mark.parametrize(
    ("inconsistent", "flip", "half"),
    [
        ("missing", (NAN, NAN, "inconsistent"), (NAN, NAN, "inconsistent")),
        ("tie", (0.5, 0.5, "ok"), (0.5, 0.5, "ok")),
        ("mean", (1.0, 0.625, "ok"), (1.0, 0.625, "ok")),
    ],
)
def test_an_inconsistent_pair_is_what_the_config_says(
    inconsistent: str, flip: Any, half: Any, tmp_path: Path
):
    panel = panel_of(
        pairs(*SCRIPT), PAIRWISE, tmp_path, Scripted("j", SCRIPT), inconsistent=inconsistent
    )
    votes = panel.votes
    found = [
        (votes.labels[at, 0], votes.scores[at, 0], str(votes.outcomes[at, 0]))
        for at in range(len(SCRIPT))
    ]
    expected = [
        (1.0, 0.875, "ok"),  # much better, then slightly better when shown second
        (0.5, 0.5, "ok"),
        flip,
        half,
        (NAN, NAN, "unparsed"),  # a pair that lacks an order has no vote, under any policy
    ]
    np.testing.assert_equal(found, expected)
    assert panel.scale.levels == ("B>>A", "B>A", "A=B", "A>B", "A>>B")


def test_a_recorded_number_off_the_scale_has_a_label_and_no_strength(tmp_path: Path):
    table = tmp_path / "scores.csv"
    table.write_text("item_id,human,a,b,c\n1,1,8,7,2\n2,0,9,3,4\n3,1,0.4,1,6\n")
    ten = {name: RecordedColumn(threshold=5) for name in "abc"}
    dataset = load(str(table), judges=ten, pairs=True)
    plans = tuple(Plan(judge, dataset, PAIRWISE) for judge in recorded_judges(dataset))
    with Store(tmp_path / "store") as store:
        collect(plans, store)
        votes = read_panel(
            Study(dataset, plans, (Jury("j", ("a", "b", "c"), "mean"),)), store
        ).votes
    np.testing.assert_equal(votes.labels[:, :3], [[1, 1, 0], [1, 0, 0], [0, 0, 1]])  # a 1 of 10
    np.testing.assert_equal(votes.labels[:, 3], [1, 0, 0])  # the mean of 8, 7 and 2 is no 1
    assert votes.scores[0, 0] == 1.0


def test_each_order_alone_is_in_terms_of_the_items_own_candidate(tmp_path: Path):
    panel = panel_of(pairs(*SCRIPT), PAIRWISE, tmp_path, Scripted("j", SCRIPT))
    shown = [panel.orders[order].labels[:, 0].tolist() for order in Order]
    np.testing.assert_equal(shown, [[1, 0.5, 1, 1, 1], [1, 0.5, 0, 0.5, NAN]])


def test_levels_are_pooled_by_the_mean_as_in_the_paper(tmp_path: Path):
    both = [{"q": ("A>>B", "B>>A")}, {"q": ("B>A", "A>B")}, {"q": ("A=B", "A=B")}]
    judges = [Scripted(f"j{at}", script) for at, script in enumerate(both)]
    names = tuple(judge.name for judge in judges)
    rules: tuple[Any, ...] = ("mean", "median", "majority", "majority_or_mean")
    juries = [Jury(rule, names, rule) for rule in rules]
    panel = panel_of(pairs("q"), PAIRWISE, tmp_path, *judges, juries=juries)
    labels, outcomes = panel.votes.labels[0, 3:], panel.votes.outcomes[0, 3:]
    # Levels 5, 2, 3 are 1, 0.25, 0.5 of the way; no level and no side has two of three votes.
    np.testing.assert_equal(labels, [1.0, NAN, NAN, 1.0])
    assert outcomes.tolist() == ["ok", "tie", "tie", "ok"]
    np.testing.assert_allclose(panel.votes.scores[0, 3:], [1.75 / 3, 0.5, NAN, 1.75 / 3])
    half = Jury("half", names, "median", ties="half").decide(panel.votes)
    assert (half.labels[0, 0], half.outcomes[0, 0]) == (0.5, "ok")


def test_the_common_level_of_most_seats_beats_the_mean(tmp_path: Path):
    both = [{"q": ("A>B", "B>A")}, {"q": ("A>B", "B>A")}, {"q": ("B>>A", "A>>B")}]
    judges = [Scripted(f"j{at}", script) for at, script in enumerate(both)]
    names = tuple(judge.name for judge in judges)
    juries = [Jury("common", names, "majority_or_mean"), Jury("mean", names, "mean")]
    panel = panel_of(pairs("q"), PAIRWISE, tmp_path, *judges, juries=juries)
    assert panel.votes.scores[0, 3:].tolist() == [0.75, 0.5]
    np.testing.assert_equal(panel.votes.labels[0, 3:], [1.0, NAN])


def test_levels_of_one_answer_stay_levels_and_a_mean_is_one_too(tmp_path: Path):
    items = tuple(Item("d", i, "m", i, "text") for i in ("q1", "q2"))
    scripts = [{"q1": ("3",), "q2": ("5",)}, {"q1": ("4",), "q2": ("none",)}]
    judges = [Scripted(f"j{at}", script) for at, script in enumerate(scripts)]
    juries = [Jury("mean", ("j0", "j1"), "mean", quorum=1)]
    panel = panel_of(Dataset("d", items), DIGITS, tmp_path, *judges, juries=juries)
    np.testing.assert_equal(panel.votes.labels, [[3, 4, 3.5], [5, NAN, 5]])
    np.testing.assert_equal(panel.votes.scores, [[3, 4, 3.5], [5, NAN, 5]])
    assert panel.votes.outcomes.tolist() == [["ok", "ok", "ok"], ["ok", "unparsed", "ok"]]
    assert not panel.orders


@given(st.lists(st.sampled_from([0, 0.25, 0.5, 0.75, 1, NAN]), min_size=2, max_size=2))
def test_the_three_ways_differ_only_where_the_sides_do(levels: list[float]):
    labels = np.array(levels, float)[None, None]
    outcomes = np.where(np.isnan(labels), "failed", "ok").astype("U16")
    ways: tuple[Any, ...] = ("missing", "tie", "mean")
    found = [pool(labels, np.full_like(labels, NAN), outcomes, way, FIVE) for way in ways]
    sides = np.sign(labels - 0.5)[0, 0]
    if np.isnan(labels).any() or sides[0] == sides[1]:
        for other in found[1:]:
            for one, two in zip(found[0], other, strict=True):
                np.testing.assert_equal(one, two)
    else:
        assert np.isnan(found[0][0]).all()
        assert found[1][0][0, 0] == 0.5
    mirrored = [pool(1 - labels, np.full_like(labels, NAN), outcomes, w, FIVE) for w in ways]
    for one, two in zip(found, mirrored, strict=True):
        np.testing.assert_allclose(one[0], 1 - two[0])
        np.testing.assert_equal(one[2], two[2])
