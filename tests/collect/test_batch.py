"""Batches: handed in once, collected when they have ended, and paid at their own price."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from faulty_api import FaultyApi, in_a_thread
from llm_juries.collect.estimate import forecast, total
from llm_juries.collect.policy import Policy
from llm_juries.collect.run import collect
from llm_juries.collect.tally import Tally
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.judges.errors import JudgeUnavailableError
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.judges.lexical import LexicalJudge
from llm_juries.judges.pricing import Price
from llm_juries.prompts.prompt import Prompt
from llm_juries.store.pending_batches import Ticket, folder, tickets
from llm_juries.store.plan import Plan, look_up
from llm_juries.store.store import Store
from llm_juries.types import Item, Outcome, Verdict
from shared_prompts import QUESTION_AND_ANSWER as PROMPT

OTHER = Prompt("o", "Right? {{ question }} {{ answer }}", {"True": 1.0, "False": 0.0})
DATASET = Dataset(
    "d",
    tuple(
        Item("d", f"q{n}", "m", question=f"Q{n}?", answer=f"A{n}", references=("A1",))
        for n in range(12)
    ),
)
PRICE = Price(2.0, 10.0, "2024-04", cached_input_usd=1.0, batch_factor=0.5)
BATCH = Policy(mode="batch")
WIRES = ("openai", "anthropic")


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "CO_API_KEY"):
        monkeypatch.setenv(name, "planted")


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    with in_a_thread(FaultyApi(api_key="planted")) as server:
        yield server


def judge(api: FaultyApi, wire: Any = "openai", price: Price | None = PRICE) -> HttpJudge:
    server = Server(f"{api.base_url}/v1")
    return HttpJudge("j", "f", wire, "model-1", server=server, price=price)


def plan(asked: HttpJudge, dataset: Dataset = DATASET, prompt: Prompt = PROMPT) -> Plan:
    return Plan(asked, dataset, prompt)


def batched(path: Path, *plans: Plan, policy: Policy = BATCH) -> list[Tally]:
    with Store(path) as store:
        return collect(plans, store, policy)


def live(path: Path, *plans: Plan) -> list[Tally]:
    with Store(path) as store:
        return collect(plans, store)


def found(path: Path, one: Plan) -> list[Verdict | None]:
    return [verdict for _, verdict in look_up(one, Store(path))]


@pytest.mark.parametrize("wire", WIRES)
def test_a_batch_gives_the_verdicts_that_asking_gives(wire: str, api: FaultyApi, tmp_path: Path):
    one = plan(judge(api, wire))
    live(tmp_path / "live", one)
    batched(tmp_path / "batch", one)
    batched(tmp_path / "batch", one)  # the mock's first look finds it at work
    batched(tmp_path / "batch", one)
    labels = [[v and v.value for v in found(tmp_path / how, one)] for how in ("live", "batch")]
    assert labels[0] == labels[1]
    assert {"False", "True"} == set(labels[0])


@pytest.mark.parametrize("wire", WIRES)
def test_a_batch_is_handed_in_once_and_left(wire: str, api: FaultyApi, tmp_path: Path):
    one = plan(judge(api, wire))
    (first,) = batched(tmp_path, one)
    (second,) = batched(tmp_path, one)
    assert (first.submitted, first.pending) == (12, 0)
    assert (second.submitted, second.pending) == (0, 12)
    assert api.asked.total() == 12
    assert len(api.batches) == 1


@pytest.mark.parametrize("wire", WIRES)
def test_a_ticket_goes_once_the_replies_are_stored(wire: str, api: FaultyApi, tmp_path: Path):
    api.polls = 0
    one = plan(judge(api, wire))
    batched(tmp_path, one)
    assert len(tickets(Store(tmp_path))) == 1
    (tally,) = batched(tmp_path, one)
    assert tickets(Store(tmp_path)) == {}
    assert (tally.outcomes, tally.submitted) == ({Outcome.OK: 12}, 0)
    (tally,) = batched(tmp_path, one)
    assert (tally.kept, tally.asked, tally.submitted) == (12, 0, 0)


@pytest.mark.parametrize("wire", WIRES)
def test_what_failed_in_a_batch_is_handed_in_again(wire: str, api: FaultyApi, tmp_path: Path):
    api.polls, api.batch_failures = 0, 3
    one = plan(judge(api, wire))
    batched(tmp_path, one)
    (tally,) = batched(tmp_path, one)
    assert (tally.outcomes, tally.submitted) == ({Outcome.OK: 9}, 3)
    assert sum(verdict is None for verdict in found(tmp_path, one)) == 3
    (tally,) = batched(tmp_path, one)
    assert all(verdict and verdict.outcome is Outcome.OK for verdict in found(tmp_path, one))
    assert max(api.asked.values()) == 1


@pytest.mark.parametrize("wire", WIRES)
def test_a_run_beside_a_batch_asks_for_nothing_that_it_is_at_work_on(
    wire: str, api: FaultyApi, tmp_path: Path
):
    asked = judge(api, wire)
    batched(tmp_path, plan(asked, Dataset("d", DATASET.items[:8])))
    (tally,) = live(tmp_path, plan(asked))
    assert (tally.pending, tally.asked) == (8, 4)
    assert max(api.asked.values()) == 1


def test_batches_of_two_prompts_are_kept_apart(api: FaultyApi, tmp_path: Path):
    api.polls = 0
    asked = judge(api)
    batched(tmp_path, plan(asked))
    batched(tmp_path, plan(asked, prompt=OTHER))
    assert len(tickets(Store(tmp_path))) == 2
    (tally,) = batched(tmp_path, plan(asked, prompt=OTHER))
    assert tally.outcomes == {Outcome.OK: 12}
    assert len(tickets(Store(tmp_path))) == 1


def test_what_a_run_does_not_want_stays_on_the_ticket(api: FaultyApi, tmp_path: Path):
    api.polls = 0
    asked = judge(api)
    batched(tmp_path, plan(asked))
    (tally,) = batched(tmp_path, plan(asked, Dataset("d", DATASET.items[:5])))
    assert tally.outcomes == {Outcome.OK: 5}
    (ticket,) = tickets(Store(tmp_path)).values()
    assert len(ticket.keys) == 7
    (tally,) = batched(tmp_path, plan(asked))
    assert tally.outcomes == {Outcome.OK: 7}
    assert tickets(Store(tmp_path)) == {}


def test_batched_replies_have_the_batch_price(api: FaultyApi, tmp_path: Path):
    api.polls = 0
    one = plan(judge(api))
    batched(tmp_path / "batch", one)
    (cheap,) = batched(tmp_path / "batch", one)
    (dear,) = live(tmp_path / "live", one)
    assert cheap.cost_usd == pytest.approx(dear.cost_usd / 2)
    assert all(verdict and verdict.reply.batched for verdict in found(tmp_path / "batch", one))


def test_a_limit_on_the_cost_shortens_what_is_handed_in(api: FaultyApi, tmp_path: Path):
    one = plan(judge(api))
    table = forecast([one], Store(tmp_path), BATCH)
    half = table["usd_at_most"].sum() / 2
    (tally,) = batched(tmp_path, one, policy=Policy(mode="batch", max_cost_usd=half))
    assert tally.submitted == 6
    assert "max_cost_usd" in tally.stopped


def test_a_crash_while_handing_in_is_not_paid_twice(api: FaultyApi, tmp_path: Path):
    asked = judge(api)
    keys = [request.key for request in plan(asked).requests()]
    open_ticket = Ticket("j", "model-1", asked.base_url, keys, 0.0)
    folder(Store(tmp_path)).mkdir(parents=True)
    path = folder(Store(tmp_path)) / "j-crashed.json"
    path.write_bytes(msgspec.json.encode(open_ticket))
    with pytest.raises(JuriesError, match=r"j-crashed\.json: a run ended while it submitted"):
        batched(tmp_path, plan(asked))
    assert api.batches == {}
    path.unlink()
    batched(tmp_path, plan(asked))
    assert len(api.batches) == 1


@pytest.mark.parametrize("lost", ["502", "html"])
@pytest.mark.parametrize("wire", WIRES)
def test_a_batch_whose_answer_was_lost_is_found_in_the_list(
    wire: str, lost: str, api: FaultyApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    asked = judge(api, wire)
    api.batch_answers = lost
    (tally,) = batched(tmp_path, plan(asked))
    assert (tally.submitted, len(api.batches)) == (12, 1)
    assert f"judge j: found batch {next(iter(api.batches))}, which had been" in caplog.text
    while tickets(Store(tmp_path)):
        batched(tmp_path, plan(asked))
    assert (len(api.batches), max(api.asked.values())) == (1, 1)
    assert all(
        one is not None and one.outcome is Outcome.OK for one in found(tmp_path, plan(asked))
    )


@pytest.mark.parametrize("wire", WIRES)
def test_a_batch_that_may_have_been_started_is_not_submitted_again(
    wire: str, api: FaultyApi, tmp_path: Path
):
    """While the list does not show it; a run finds it once the list does."""
    asked = judge(api, wire)
    api.batch_answers, api.lists_batches = "500", False
    with pytest.raises(JuriesError, match=r"judge j: it is unknown whether a batch was submitted"):
        batched(tmp_path, plan(asked))
    with pytest.raises(JuriesError, match=r"json: a run ended while it submitted this batch"):
        batched(tmp_path, plan(asked))
    api.lists_batches = True
    while tickets(Store(tmp_path)):
        batched(tmp_path, plan(asked))
    assert (len(api.batches), max(api.asked.values())) == (1, 1)


def test_one_of_two_batches_of_one_size_is_not_guessed(api: FaultyApi, tmp_path: Path):
    """Anthropic's list names no requests."""
    asked = judge(api, "anthropic")
    batched(tmp_path / "another store", plan(asked))
    api.batch_answers = "500"
    with pytest.raises(JuriesError, match=r"judge j: it is unknown whether a batch was submitted"):
        batched(tmp_path / "this store", plan(asked))
    assert len(api.batches) == 2


def test_a_failed_upload_leaves_no_ticket(api: FaultyApi, tmp_path: Path):
    api.upload_status = 503
    with pytest.raises(JuriesError, match=r"judge j: POST /files: HTTP 503.*; run again later"):
        batched(tmp_path, plan(judge(api)))
    assert (tickets(Store(tmp_path)), api.batches) == ({}, {})


def test_a_batch_the_provider_refuses_leaves_no_ticket(
    api: FaultyApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    api.batch_status = 403
    with pytest.raises(JudgeUnavailableError, match=r"judge j: POST .*HTTP 403"):
        batched(tmp_path, plan(judge(api)))
    assert tickets(Store(tmp_path)) == {}


def test_a_broken_ticket_is_named(api: FaultyApi, tmp_path: Path):
    folder(Store(tmp_path)).mkdir(parents=True)
    (folder(Store(tmp_path)) / "broken.json").write_text("{")
    with pytest.raises(JuriesError, match=r"broken\.json: not a batch ticket"):
        batched(tmp_path, plan(judge(api)))


def test_a_format_without_batches_is_said_so(api: FaultyApi, tmp_path: Path):
    asked = HttpJudge("j", "f", "cohere", "model-1", server=Server(f"{api.base_url}/v2"))
    with pytest.raises(JuriesError, match="cohere has no batch API here; those with one: openai"):
        batched(tmp_path, plan(asked))


def test_rules_answer_at_once_beside_batches(api: FaultyApi, tmp_path: Path):
    rule = Plan(LexicalJudge("em", "exact_match"), DATASET, PROMPT)
    tallies = batched(tmp_path, plan(judge(api)), rule)
    assert [(t.judge, t.submitted, t.asked) for t in tallies] == [("j", 12, 0), ("em", 0, 12)]
    assert api.arrivals.total() == 0


def test_a_judge_without_an_api_can_not_be_batched(api: FaultyApi, tmp_path: Path):
    class Local(LexicalJudge):
        free = False

    local = Plan(Local("em", "exact_match"), DATASET, PROMPT)
    batchable, other = batched(tmp_path, plan(judge(api)), local)
    assert (batchable.submitted, batchable.stopped) == (12, "")
    assert other.stopped == "judge em is not behind an API; ask it with mode=live"
    assert other.asked == 0
    with pytest.raises(JuriesError, match="mode=batch: judge em is not behind an API; set mode"):
        batched(tmp_path, local)


def test_a_batch_without_a_price_can_not_keep_to_a_budget(api: FaultyApi, tmp_path: Path):
    limited = Policy(mode="batch", max_cost_usd=1.0)
    with pytest.raises(JuriesError, match="judge j: has no price"):
        batched(tmp_path, plan(judge(api, price=None)), policy=limited)
    assert api.batches == {}


@pytest.mark.parametrize("mode", ["live", "batch"])
def test_a_dry_run_asks_nothing_and_counts(mode: Any, api: FaultyApi, tmp_path: Path):
    live(tmp_path, plan(judge(api), Dataset("d", DATASET.items[:5])))
    (tally,) = batched(tmp_path, plan(judge(api)), policy=Policy(mode=mode, dry_run=True))
    assert (tally.requests, tally.kept, tally.asked, tally.submitted) == (12, 5, 0, 0)
    assert api.arrivals.total() == 5
    assert api.batches == {}


def test_the_forecast_counts_what_the_store_and_batches_have(api: FaultyApi, tmp_path: Path):
    asked = judge(api)
    live(tmp_path, plan(asked, Dataset("d", DATASET.items[:5])))
    batched(tmp_path, plan(asked, Dataset("d", DATASET.items[:7])))
    table = forecast([plan(asked)], Store(tmp_path), Policy())
    row = table.iloc[0]
    assert (row["verdicts"], row["stored"], row["calls"]) == (12, 5, 5)
    assert row["usd_at_most"] == pytest.approx(
        row["input_tokens"] * 2.0 / 1e6 + row["output_tokens_at_most"] * 10.0 / 1e6
    )
    assert total(table).startswith("5 calls, at most $")


def test_the_forecast_of_a_judge_without_a_price_is_never_zero_dollars(
    api: FaultyApi, tmp_path: Path
):
    table = forecast([plan(judge(api, price=None))], Store(tmp_path), Policy())
    assert table["usd_at_most"].isna().all()
    assert total(table) == "12 calls; cost of j unknown (no price)"


def test_a_forecast_asks_nothing(api: FaultyApi, tmp_path: Path):
    forecast([plan(judge(api))], Store(tmp_path), Policy())
    assert api.arrivals.total() == 0
