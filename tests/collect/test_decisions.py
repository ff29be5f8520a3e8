"""Runs of decision models: the questions of one item in one call, failures, budgets, seats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from decision_api import DecisionApi
from faulty_api import in_a_thread
from llm_juries.collect import rate_limit
from llm_juries.collect.check import check_judges
from llm_juries.collect.estimate import forecast
from llm_juries.collect.policy import Policy
from llm_juries.collect.run import collect
from llm_juries.collect.tally import Tally
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.judges.base import Limits
from llm_juries.judges.http.decision_judge import DecisionJudge
from llm_juries.judges.http.decision_wire import Capacity
from llm_juries.judges.http.server import Server
from llm_juries.judges.pricing import Price
from llm_juries.prompts.prompt import Decision, Prompt
from llm_juries.store.plan import Plan, look_up
from llm_juries.store.store import Store
from llm_juries.types import Item, Order, Outcome, Verdict
from shared_prompts import BY_CRITERIA, CRITERIA

PAIRS = Prompt(
    "pairs",
    BY_CRITERIA.template + " {{ opponent_answer }}",
    {"A": 1, "B": 0},
    "Compare them.",
    decision=Decision(fields={"answer": "A", "opponent_answer": "B"}),
    criteria=CRITERIA,
)
ITEMS = tuple(Item("d", f"q{n}", "m", question=f"Q{n}?", answer=f"A{n}") for n in range(4))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[DecisionApi]:
    monkeypatch.setattr(rate_limit, "BACKOFF_S", 0.001)
    with in_a_thread(DecisionApi()) as server:  # type: ignore[arg-type]
        yield server


def judge_of(api: DecisionApi, **changes: Any) -> DecisionJudge:
    given = {
        "server": Server(f"{api.base_url}/v1", ""),
        "limits": Limits(in_flight=1, batch=8, attempts=2),
        "price": Price(1.0, 0.0, "2026-11"),
    }
    return DecisionJudge("j", "f", "systemone", "model-1", **(given | changes))


def run(
    folder: Path, judge: DecisionJudge, prompt: Prompt = BY_CRITERIA, **changes: Any
) -> tuple[Tally, list[Verdict]]:
    dataset = Dataset("d", ITEMS)
    if prompt.compares:
        pairs = tuple(replace(item, opponent="n", opponent_answer="B") for item in ITEMS)
        dataset = Dataset("d", pairs, orders=(Order.ORIGINAL, Order.SWAPPED))
    plan = Plan(judge, dataset.by_criteria(CRITERIA), prompt)
    with Store(folder) as store:
        (tally,) = collect([plan], store, Policy(**changes))
    return tally, [verdict for _, verdict in look_up(plan, Store(folder)) if verdict is not None]


def test_the_criteria_of_an_item_travel_in_one_call(api: DecisionApi, tmp_path: Path):
    tally, verdicts = run(tmp_path, judge_of(api))
    assert [verdict.outcome for verdict in verdicts] == [Outcome.OK] * 12
    assert sorted(len(body["questions"]) for body in api.bodies) == [1, 2, 3, 3, 3]  # one first
    tokens = sum(20 * len(body["questions"]) + 1 for body in api.bodies)
    assert tally.input_tokens == tokens
    assert tally.cost_usd == pytest.approx(tokens / 1e6)
    before = len(api.bodies)
    again, _ = run(tmp_path, judge_of(api))
    assert (again.kept, len(api.bodies)) == (12, before)


@pytest.mark.parametrize(("batch", "calls"), [(8, 5), (2, 8), (1, 12)])
def test_a_dry_run_counts_the_calls_that_a_run_makes(
    batch: int, calls: int, api: DecisionApi, tmp_path: Path
):
    judge = judge_of(api, limits=Limits(in_flight=1, batch=batch))
    plan = Plan(judge, Dataset("d", ITEMS).by_criteria(CRITERIA), BY_CRITERIA)
    table = forecast([plan], Store(tmp_path), Policy(dry_run=True))
    assert table[["verdicts", "calls"]].to_numpy().tolist() == [[12, calls]]
    run(tmp_path, judge)
    assert len(api.bodies) == calls


def test_both_orders_of_a_pair_are_calls_of_their_own(api: DecisionApi, tmp_path: Path):
    _, verdicts = run(tmp_path, judge_of(api), PAIRS)
    assert len(verdicts) == 24
    assert max(len(body["questions"]) for body in api.bodies) == 3
    assert sum(len(body["questions"]) for body in api.bodies) == 24
    assert len(api.bodies) == 9  # one question first, then two calls an item


def test_a_call_that_fails_for_good_costs_its_own_votes_and_the_next_run_asks_again(
    api: DecisionApi, tmp_path: Path
):
    calls = iter(range(100))

    def second_call_fails(body: dict[str, Any]) -> Any:
        return b"{}" if next(calls) in (2, 3) else body  # both attempts of one call

    api.twist = second_call_fails
    _, verdicts = run(tmp_path, judge_of(api))
    outcomes = [verdict.outcome for verdict in verdicts]
    assert outcomes.count(Outcome.FAILED) == 3
    assert outcomes.count(Outcome.OK) == 9
    api.twist = None
    api.bodies.clear()
    _, verdicts = run(tmp_path, judge_of(api))
    assert [len(body["questions"]) for body in api.bodies] == [1, 2]
    assert {verdict.outcome for verdict in verdicts} == {Outcome.OK}


def test_a_tie_is_not_asked_about_once_more(api: DecisionApi, tmp_path: Path):
    api.say, api.decimals = lambda *_: [0.4, 0.4, 0.2], 2
    _, verdicts = run(tmp_path, judge_of(api), ask_once_more=True)
    assert {verdict.outcome for verdict in verdicts} == {Outcome.UNPARSED}
    assert sum(len(body["questions"]) for body in api.bodies) == 12


def test_a_budget_reserves_what_a_call_may_cost(api: DecisionApi, tmp_path: Path):
    tally, verdicts = run(tmp_path, judge_of(api), max_cost_usd=3e-4)
    assert tally.stopped
    assert 0 < len(verdicts) < 12
    assert tally.cost_usd <= 3e-4


@pytest.mark.parametrize(
    ("changes", "policy", "said"),
    [
        ({"capacity": Capacity(levels=2)}, {}, "has 3 levels, and judge j takes 2"),
        ({}, {"mode": "batch"}, "systemone"),
    ],
)
def test_what_can_not_be_asked_is_refused_before_anything_is(
    api: DecisionApi, tmp_path: Path, changes: Any, policy: Any, said: str
):
    with pytest.raises(JuriesError, match=said):
        run(tmp_path, judge_of(api, **changes), **policy)
    assert api.bodies == []


def test_a_second_answer_is_refused_as_a_copy(api: DecisionApi):
    said = "is a decision model, which answers with probabilities; name it once"
    with pytest.raises(JuriesError, match=said):
        Plan(judge_of(api), Dataset("d", ITEMS), BY_CRITERIA, repeat=2)


def test_check_asks_a_decision_model_too(api: DecisionApi):
    api.say = lambda *_: [0.1, 0.9]
    (row,) = check_judges([judge_of(api)]).to_dict("records")
    assert (row["problem"], row["answer"], row["probabilities"]) == (
        "",
        "True",
        "yes, 0.900 of the mass",
    )
