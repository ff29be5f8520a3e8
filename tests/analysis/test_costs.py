"""What voters cost, from stored tokens, at the prices of two days."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llm_juries.analysis.agreement import agreement
from llm_juries.analysis.costs import costs, dollars
from llm_juries.analysis.panels import read_panel
from llm_juries.data.dataset import Dataset
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.lexical import LexicalJudge
from llm_juries.judges.pricing import Price
from llm_juries.juries.panel import Panel
from llm_juries.juries.rules import Jury
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.prompts.prompt import Prompt
from llm_juries.store.plan import Plan, verdict_of
from llm_juries.store.store import Store
from llm_juries.study import Study
from llm_juries.types import Item, Reply

PROMPT = Prompt("p", "Q: {{ question }} A: {{ answer }}", {"True": 1.0, "False": 0.0})
ITEMS = 10
DATASET = Dataset(
    "d",
    tuple(
        Item("d", f"q{n}", "m", question=f"Q{n}", answer="A", references=("A",), human=str(n % 2))
        for n in range(ITEMS)
    ),
)
SMALL = [("a", 0.5, 1.5), ("b", 0.25, 1.25), ("c", 0.5, 1.5)]


def judge(name: str, price: Price | None) -> HttpJudge:
    return HttpJudge(name, f"f{name}", "openai", name, price=price)


def panel_of(
    folder: Path, paid: Sequence[HttpJudge], now: Sequence[HttpJudge], reply: Reply
) -> tuple[Panel, list[Plan]]:
    """Return the panel of what judges said at one price, read at another, with a jury of three."""
    with Store(folder) as store:
        for one in paid:
            plan = Plan(one, DATASET, PROMPT)
            for request in plan.requests():
                store.append(verdict_of(plan, request, reply, 1, 0.0))
    plans = [Plan(one, DATASET, PROMPT) for one in now]
    plans.append(Plan(LexicalJudge("contains", "contains"), DATASET, PROMPT))
    juries = (Jury("poll", ("a", "b", "c")), Jury("mixed", ("a", "contains")))
    with Store(folder) as store:
        return read_panel(Study(DATASET, tuple(plans), juries), store), plans


def judges(at: str = "2024-04", times: float = 1.0) -> list[HttpJudge]:
    prices = [*SMALL, ("large", 10.0, 30.0)]
    return [judge(n, Price(i * times, o * times, at, batch_factor=0.5)) for n, i, o in prices]


def test_the_papers_ratio_is_recomputed_from_tokens(tmp_path: Path):
    reply = Reply("True", input_tokens=400, output_tokens=2)
    panel, plans = panel_of(tmp_path, judges(), judges("2026-11", 0.5), reply)
    table = costs(panel, plans, "large").set_index("voter")
    assert list(table.index) == ["a", "b", "c", "large", "contains", "poll", "mixed"]
    jury = 1000 * (400 * 1.25 + 2 * 4.25) / 1e6
    assert table.loc["poll", "usd_per_1000"] == pytest.approx(jury)
    assert table.loc["large", "usd_per_1000"] == pytest.approx(1000 * (4000 + 60) / 1e6)
    assert table.loc["poll", "times_cheaper"] == pytest.approx(4.06 / jury)  # 8 times
    assert table.loc["poll", "usd_per_1000_today"] == pytest.approx(jury / 2)
    assert table.loc["poll", "input_tokens"] == 1200
    assert table.loc["poll", ["calls", "priced"]].tolist() == [3 * ITEMS, 3 * ITEMS]
    assert table.loc["poll", "prices_of"] == "2026-11"
    assert table.loc["contains", "usd_per_1000"] == 0  # a string rule
    assert table.loc["mixed", "usd_per_1000"] == table.loc["a", "usd_per_1000"]
    assert np.isnan(table.loc["contains", "times_cheaper"])


def test_cached_and_batched_replies_cost_less_on_both_days(tmp_path: Path):
    reply = Reply("True", input_tokens=400, cached_tokens=300, output_tokens=2, batched=True)
    cached = [
        judge("a", Price(1.0, 4.0, day, cached_input_usd=read, batch_factor=0.5))
        for day, read in (("2024-04", 0.1), ("2026-11", 0.2))
    ]
    panel, _ = panel_of(tmp_path, cached[:1], [*cached[1:], *judges()[1:]], reply)
    paid, today = dollars(panel)["a"]
    assert paid == pytest.approx(1000 * 0.5 * (100 + 30 + 8) / 1e6)
    assert today == pytest.approx(1000 * 0.5 * (100 + 60 + 8) / 1e6)
    assert np.isnan(dollars(panel)["poll"]).all()  # b was not asked


def test_costs_that_are_not_known_are_never_0(tmp_path: Path):
    silent = Reply("True")  # no usage
    panel, plans = panel_of(tmp_path / "silent", judges(), judges(), silent)
    assert costs(panel, plans).empty
    assert "usd_per_1000" not in agreement(panel, Bootstrap(50))
    reply = Reply("True", input_tokens=400, output_tokens=2)
    free = [*judges()[:2], judge("c", None), judges()[3]]
    panel, plans = panel_of(tmp_path / "free", free, free, reply)
    table = costs(panel, plans).set_index("voter")
    assert table.loc[["c", "poll"], "usd_per_1000"].isna().all()
    assert table["times_cheaper"].isna().all()  # no large judge is named
    assert table.loc["poll", ["calls", "priced"]].tolist() == [3 * ITEMS, 2 * ITEMS]


def test_agreement_shows_the_dollars_beside_each_voter(tmp_path: Path):
    reply = Reply("True", input_tokens=400, output_tokens=2)
    panel, plans = panel_of(tmp_path, judges(), judges(), reply)
    beside = agreement(panel, Bootstrap(50)).set_index("voter")["usd_per_1000"]
    expected = costs(panel, plans).set_index("voter")["usd_per_1000"]
    pd.testing.assert_series_equal(beside.sort_index(), expected.sort_index())


def test_a_failed_call_leaves_the_cost_of_the_others_known(tmp_path: Path):
    plan = Plan(judges()[0], DATASET, PROMPT)
    with Store(tmp_path) as store:
        for number, request in enumerate(plan.requests()):
            reply = Reply("True", input_tokens=400, output_tokens=2)
            reply = reply if number else Reply(stop="error", error="down")
            store.append(verdict_of(plan, request, reply, 1, 0.0))
        panel = read_panel(Study(DATASET, (plan,), ()), store)
    table = costs(panel, [plan]).set_index("voter")
    assert table.loc["a", "usd_per_1000"] == pytest.approx(1000 * (200 + 3) / 1e6)
    assert table.loc["a", ["calls", "priced"]].tolist() == [ITEMS, ITEMS - 1]
