"""Policies ask no more than they need, and their verdicts are those they promise."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_run import DATASET, Fake
from test_run import PROMPT as ASKED

from llm_juries.analysis.savings import cyclic_means, replay, savings
from llm_juries.collect.policy import Policy
from llm_juries.collect.run import collect
from llm_juries.collect.sequential import collect_in_rounds
from llm_juries.data.dataset import Dataset
from llm_juries.data.verdicts import RecordedColumn, load
from llm_juries.errors import JuriesError
from llm_juries.judges.base import by_price
from llm_juries.judges.lexical import LexicalJudge
from llm_juries.judges.pricing import Price
from llm_juries.judges.recorded import recorded_judges
from llm_juries.juries.policies import Cast, CyclicAssignment, SequentialMajority
from llm_juries.juries.rules import Jury
from llm_juries.juries.votes import Voter, Votes
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.types import Item, Reply
from recorded_votes import TRIO, llmbar, nq301, trio_votes
from shared_prompts import QUESTION_AND_ANSWER as PROMPT
from studies import as_asked

NAN = math.nan
SEATS = ("a", "b", "c", "d", "e")

rows = st.integers(1, 5).flatmap(
    lambda seats: st.lists(st.sampled_from([0.0, 1.0, 0.5, NAN]), min_size=seats, max_size=seats)
)


def votes(labels: Any) -> Votes:
    labels = np.asarray(labels, dtype=float)
    return Votes(
        tuple(Voter(name, "judge") for name in SEATS[: labels.shape[1]]),
        labels,
        np.full(labels.shape, NAN),
        np.where(np.isnan(labels), "unparsed", "ok").astype("U16"),
    )


@given(rows)
@settings(max_examples=300, deadline=None)
def test_a_sequential_majority_is_that_of_the_whole_jury(row: list[float]):
    members = SEATS[: len(row)]
    found = replay(SequentialMajority(members), votes([row]), ["q"]).votes
    whole = Jury("j", members).decide(votes([row]))
    np.testing.assert_array_equal(found.labels, whole.labels)
    assert found.outcomes[0, 0] == whole.outcomes[0, 0]


@given(rows)
@settings(max_examples=200, deadline=None)
def test_a_sequential_majority_stops_as_soon_as_no_vote_matters(row: list[float]):
    members = SEATS[: len(row)]
    asked = replay(SequentialMajority(members), votes([row]), ["q"]).asked[0]
    assert (np.diff(asked.astype(int)) <= 0).all()  # in their order
    whole = Jury("j", members)

    def ends(known: int) -> set[tuple[str, str]]:
        """Return the verdicts that are possible once some votes are known."""
        found = set()
        for filler in (0.0, 1.0, 0.5, NAN):
            decided = whole.decide(votes([row[:known] + [filler] * (len(row) - known)]))
            found.add((str(decided.labels[0, 0]), str(decided.outcomes[0, 0])))
        return found

    assert len(ends(int(asked.sum()) - 1)) > 1  # before its last question
    assert len(ends(int(asked.sum()))) == 1


def test_the_third_of_three_judges_is_asked_where_two_differ_or_one_lacks():
    given_votes = votes([[1, 1, 0], [1, 0, 1], [1, NAN, 0], [NAN, NAN, 1]])
    asked = replay(SequentialMajority(SEATS[:3]), given_votes, list("qrst")).asked
    assert asked.sum(axis=1).tolist() == [2, 3, 3, 2]


def test_savings_on_recorded_votes_are_those_of_a_count():
    table = nq301()
    one = replay(SequentialMajority(TRIO), trio_votes(), table["item"].astype(str).tolist())
    whole = Jury("j", TRIO).decide(trio_votes())
    found = savings([one], whole, dict.fromkeys(TRIO, 0.5)).iloc[0]
    agree = (table["gpt_4"] == table["text_davinci_003"]).sum()
    assert found["calls"] == 3 * len(table) - agree
    assert found["calls_saved"] == pytest.approx(agree / (3 * len(table)))
    assert found["calls_saved"] == pytest.approx(0.304, abs=0.001)  # as in the documentation
    assert found["same"] == 1
    assert found["usd_saved"] == pytest.approx(agree / 2)


def test_savings_on_recorded_pairs_keep_every_verdict():
    table = llmbar()
    names = ("PaLM2", "ChatGPT", "LLaMA2")
    labels = table[list(names)].to_numpy(float)
    given_votes = Votes(
        tuple(Voter(name, "judge") for name in names),
        labels,
        np.full(labels.shape, NAN),
        np.where(np.isnan(labels), "inconsistent", "ok"),
    )
    one = replay(SequentialMajority(names), given_votes, [""] * len(table))
    found = savings([one], Jury("j", names).decide(given_votes), orders=2).iloc[0]
    assert found["same"] == 1
    assert found["calls_of_all"] == 885 * 6
    assert 0 < found["calls_saved"] < 1 / 3
    assert math.isnan(found["usd"])


def test_an_unknown_price_makes_a_sum_unknown_and_an_idle_judge_costs_nothing():
    one = replay(SequentialMajority(SEATS[:3]), votes([[1, 1, 0]]), ["q"])
    whole = Jury("j", SEATS[:3]).decide(votes([[1, 1, 0]]))
    found = savings([one], whole, {"a": 1.0, "b": 2.0, "c": None}).iloc[0]
    assert found["usd"] == 3
    assert math.isnan(found["usd_of_all"])
    assert math.isnan(found["usd_saved"])


def test_a_vote_that_was_never_asked_for_can_t_be_replayed():
    given_votes = votes([[1, NAN, 0]])
    given_votes.outcomes[0, 1] = "not_asked"
    with pytest.raises(JuriesError, match="b was never asked about an item of question 'q'"):
        replay(SequentialMajority(SEATS[:3]), given_votes, ["q"])


def test_judges_go_by_price_and_those_without_one_come_last():
    def judge(name: str, usd: float | None, free: bool = False) -> Any:
        class Priced:
            price = None if usd is None else Price(usd, usd, "2024-04")

        found: Any = Priced()
        found.name, found.free = name, free
        return found

    judges = [judge("x", None), judge("c", 3), judge("b", 1), judge("a", 3), judge("r", None, True)]
    for turn in (1, -1):
        named = {one.name: one for one in judges[::turn]} | {"b:2": judge("b", 1)}
        assert by_price(named) == ("r", "b", "b:2", "a", "c", "x")


def test_questions_are_dealt_evenly_and_whole():
    questions = [f"q{n // 4}" for n in range(40)]
    planner = CyclicAssignment(SEATS[:3], questions)
    assert sorted(np.unique(list(planner.assigned.values()), return_counts=True)[1]) == [3, 3, 4]
    assert planner.assigned == CyclicAssignment(SEATS[:3], questions[::-1]).assigned
    assert planner.assigned != CyclicAssignment(SEATS[:3], questions, 1).assigned
    one = replay(planner, votes(np.ones((40, 3))), questions)
    assert (one.asked.sum(axis=1) == 1).all()
    with pytest.raises(JuriesError, match="unknown question 'z'"):
        planner.next_judge({}, "z")


def test_cyclic_means_are_means_of_the_judges_means():
    rng = np.random.default_rng(0)
    questions, candidates = [f"q{n // 2}" for n in range(60)], ["m", "k"] * 30
    given_votes = votes(rng.choice([0, 1, NAN], p=[0.4, 0.5, 0.1], size=(60, 3)))
    one = replay(CyclicAssignment(SEATS[:3], questions), given_votes, questions)
    found = cyclic_means(one, given_votes, candidates, questions, Bootstrap(200)).set_index(
        "candidate"
    )
    for name in ("k", "m"):
        own = np.array(candidates) == name
        means = [
            np.nanmean(given_votes.labels[own & one.asked[:, judge], judge]) for judge in range(3)
        ]
        assert found.loc[name, "mean"] == pytest.approx(np.mean(means))
        assert found.loc[name, "panel"] == pytest.approx(
            np.nanmean(given_votes.labels[own], axis=0).mean()
        )
        assert found.loc[name, "ci_low"] < found.loc[name, "mean"] < found.loc[name, "ci_high"]


def test_cyclic_means_on_recorded_votes_hold_the_panels():
    table = nq301()
    questions = table["item"].astype(str).tolist()
    one = replay(CyclicAssignment(TRIO, questions), trio_votes(), questions)
    found = cyclic_means(one, trio_votes(), table["model"].tolist(), questions, Bootstrap(2000))
    inside = (found["ci_low"] <= found["panel"]) & (found["panel"] <= found["ci_high"])
    assert len(found) == 12
    assert inside.sum() >= 11
    assert (one.asked.sum(axis=1) == 1).all()


def trio(tmp_path: Path) -> tuple[Dataset, tuple[Plan, ...]]:
    """Return judges that agree on some items and lack votes on others."""
    path = tmp_path / "votes.csv"
    path.write_text(
        "item_id,candidate,human,a,b,c\n"
        "1,m,1,1,1,1\n2,m,0,1,0,0\n3,m,1,,1,1\n4,m,0,0,0,1\n5,m,1,odd,,1\n"
    )
    dataset = load(
        str(path), judges={name: RecordedColumn("f") for name in "abc"}, empty="unparsed"
    )
    return dataset, as_asked(Plan(j, dataset, PROMPT) for j in recorded_judges(dataset))


def stored(store: Store) -> dict[str, list[str]]:
    held: dict[str, list[str]] = {}
    for verdict in store:
        held.setdefault(verdict.judge, []).append(verdict.item_id)
    return {judge: sorted(items) for judge, items in sorted(held.items())}


def test_a_live_collection_stores_no_more_than_it_needs(tmp_path: Path):
    _, plans = trio(tmp_path)
    with Store(tmp_path / "store") as store:
        tallies = collect_in_rounds(plans, SequentialMajority(("a", "b", "c")), store)
        assert [(tally.judge, tally.asked) for tally in tallies] == [("a", 5), ("b", 5), ("c", 2)]
        assert stored(store) == {"a": list("12345"), "b": list("12345"), "c": ["2", "3"]}
        again = collect_in_rounds(plans, SequentialMajority(("a", "b", "c")), store)
        assert sum(tally.asked for tally in again) == 0


def test_a_live_collection_uses_what_the_store_has(tmp_path: Path):
    _, plans = trio(tmp_path)
    with Store(tmp_path / "store") as store:
        collect([plan for plan in plans if plan.judge.name == "c"], store)
        collect_in_rounds(plans, SequentialMajority(("a", "b", "c")), store)
        assert stored(store)["b"] == list("2345")  # a and c agree on 1


def test_a_live_cycle_asks_one_judge_an_item(tmp_path: Path):
    items = tuple(
        Item("d", f"q{n // 2}", f"m{n % 2}", f"Q{n // 2}?", f"A{n}", (f"A{n % 3}",))
        for n in range(12)
    )
    dataset = Dataset("d", items)
    judges = [LexicalJudge("exact", "exact_match"), LexicalJudge("f1", "token_f1")]
    plans: list[Plan] = [Plan(judge, dataset, PROMPT) for judge in judges]
    planner = CyclicAssignment(("exact", "f1"), [item.item_id for item in items])
    with Store(tmp_path / "store") as store:
        collect_in_rounds(plans, planner, store)
        assert len(store) == 12
        assert all(planner.assigned[v.item_id] == v.judge for v in store)


def test_a_judge_that_can_t_be_asked_leaves_its_vote_missing(tmp_path: Path):
    dataset, plans = trio(tmp_path)
    lexical = Plan(LexicalJudge("em", "exact_match"), dataset, PROMPT)  # there are no references
    with Store(tmp_path / "store") as store:
        collect_in_rounds([lexical, *plans], SequentialMajority(("em", "a", "b")), store, Policy())
        assert stored(store) == {"a": list("12345"), "b": ["1", "2", "4"]}


def test_a_vote_that_fails_is_missing_in_this_run_and_asked_for_in_the_next(tmp_path: Path):
    up = False

    def says(request: Any) -> Reply:
        down = not up and request.item.item_id == "q5"
        return Reply(stop="error", error="down") if down else Reply("True")

    def true(request: Any) -> Reply:
        return Reply("True")

    judges = [Fake("a", says), Fake("b", true), Fake("c", true)]
    plans = [Plan(judge, DATASET, ASKED) for judge in judges]
    with Store(tmp_path / "store") as store:
        collect_in_rounds(plans, SequentialMajority(("a", "b", "c")), store)
        assert [len(judge.asked) for judge in judges] == [12, 12, 1]
        up = True
        collect_in_rounds(plans, SequentialMajority(("a", "b", "c")), store)
        assert [len(judge.asked) for judge in judges] == [12, 12, 1]  # b and c are a majority
        collect_in_rounds(plans[:2], SequentialMajority(("a", "b")), store)
        assert [request.item.item_id for request in judges[0].asked[12:]] == ["q5"]


def test_mistakes_are_told(tmp_path: Path):
    _, plans = trio(tmp_path)
    other = Plan(plans[1].judge, Dataset("o", (Item("o", "1", "m"),)), PROMPT)
    with Store(tmp_path / "store") as store:
        with pytest.raises(JuriesError, match="no plan asks judge 'z'"):
            collect_in_rounds(plans, SequentialMajority(("a", "z")), store)
        with pytest.raises(JuriesError, match="different datasets"):
            collect_in_rounds([plans[0], other], SequentialMajority(("a", "b")), store)
    with pytest.raises(JuriesError, match="names a judge twice"):
        SequentialMajority(("a", "a"))
    with pytest.raises(JuriesError, match="names no judge"):
        CyclicAssignment((), [])


def test_a_verdict_without_the_assigned_vote_is_missing():
    planner = CyclicAssignment(("a", "b"), ["q"])
    assert math.isnan(planner.verdict({})[0])
    assert planner.verdict({planner.assigned["q"]: Cast(1.0)}) == (1.0, "ok")
