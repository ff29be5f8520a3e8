"""Three judges behind three APIs, and everything that goes wrong there."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faulty_api import Fault, FaultyApi, failure, in_a_thread
from llm_juries.collect import rate_limit as pacing
from llm_juries.collect.policy import Policy
from llm_juries.collect.run import collect
from llm_juries.collect.tally import Tally
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.judges.base import Limits
from llm_juries.judges.errors import JudgeUnavailableError
from llm_juries.judges.http import reach
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.judges.pricing import Price
from llm_juries.prompts.prompt import Prompt
from llm_juries.store.plan import Plan, look_up
from llm_juries.store.store import Store
from llm_juries.types import Item, Outcome, Verdict

PROMPT = Prompt(
    "p", "Q: {{ question }} A: {{ answer }} True or False?", {"True": 1.0, "False": 0.0}
)
DATASET = Dataset(
    "d", tuple(Item("d", f"q{n}", "m", question=f"Q{n}?", answer=f"A{n}") for n in range(40))
)
WIRES: dict[str, tuple[Any, str]] = {
    "a": ("openai", "/v1"),
    "b": ("anthropic", "/v1"),
    "c": ("cohere", "/v2"),
}
LIMITS = Limits(in_flight=8, patience_s=5.0)
PRICE = Price(2.0, 10.0, "2024-04", cached_input_usd=1.0, cache_write_usd=2.5, batch_factor=0.5)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry after little; give every wire a key."""
    monkeypatch.setattr(pacing, "BACKOFF_S", 0.01)
    monkeypatch.setattr(reach, "PAUSE_S", 0.01)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "CO_API_KEY"):
        monkeypatch.setenv(name, "planted")


def judge(
    api: FaultyApi | str, name: str = "a", timeout_s: float = 1.5, **options: Any
) -> HttpJudge:
    wire, root = WIRES[name]
    url = api if isinstance(api, str) else api.base_url
    server = Server(url + root, timeout_s=timeout_s)
    given: dict[str, Any] = {"server": server, "limits": LIMITS} | options
    return HttpJudge(name, f"f{name}", wire, f"model-{name}", **given)


def run(folder: Path, *judges: HttpJudge, policy: Policy | None = None) -> dict[str, Tally]:
    with Store(folder) as store:
        tallies = collect([Plan(each, DATASET, PROMPT) for each in judges], store, policy)
    return {tally.judge: tally for tally in tallies}


def verdicts(folder: Path, asked: HttpJudge) -> dict[str, Verdict | None]:
    pairs = look_up(Plan(asked, DATASET, PROMPT), Store(folder))
    return {request.item.item_id: verdict for request, verdict in pairs}


def outcomes(folder: Path, asked: HttpJudge) -> dict[str, tuple[Outcome, str | None] | None]:
    found = verdicts(folder, asked).items()
    return {item_id: (v.outcome, v.value) if v else None for item_id, v in found}


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the three judges say where nothing goes wrong."""
    folder = tmp_path_factory.mktemp("calm")
    with pytest.MonkeyPatch.context() as patch, in_a_thread(FaultyApi()) as api:
        for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "CO_API_KEY"):
            patch.setenv(variable, "planted")
        judges = [judge(api, name) for name in WIRES]
        run(folder, *judges)
        return {each.name: outcomes(folder, each) for each in judges}


def test_a_calm_run_has_both_verdicts_of_every_judge(calm: dict[str, dict[str, Any]]):
    for found in calm.values():
        assert {outcome for outcome, _ in found.values()} == {Outcome.OK}
        assert {value for _, value in found.values()} == {"False", "True"}


PASSING = [
    Fault("429", every=4),
    Fault("429", every=4, retry_after=0.05),
    Fault("429", every=4, retry_after_ms=20),
    Fault("429", first=8),
    Fault("500", every=4),
    Fault("503", every=4),
    Fault("529", every=4),
    Fault("html", every=4),
    Fault("not_json", every=4),
    Fault("empty", every=4),
    Fault("dead", every=4),
    Fault("cut", every=4),
    Fault("slow_body", every=4),
    Fault("hang", at=(3, 9)),
    Fault("think", every=4),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda f: f"{f.kind}{f.retry_after or ''}")
@pytest.mark.parametrize("name", WIRES)
def test_what_passes_leaves_no_trace_in_the_verdicts(
    name: str, fault: Fault, calm: dict[str, Any], tmp_path: Path
):
    # A busy machine may take seconds to answer: only what hangs is to run into the time limit.
    timeout_s = 3.0 if fault.kind == "hang" else 60.0
    limits = replace(LIMITS, patience_s=60.0, attempts=50)
    with in_a_thread(FaultyApi(faults=[replace(fault, model=f"model-{name}")])) as api:
        judges = [judge(api, each, timeout_s, limits=limits) for each in WIRES]
        tallies = run(tmp_path, *judges)
        assert {each.name: outcomes(tmp_path, each) for each in judges} == calm
        assert tallies[name].outcomes == {Outcome.OK: len(DATASET.items)}
        # Whoever was answered was not asked again.
        assert max(api.asked.values(), default=1) == 1


STAYING = {
    "prose": Outcome.UNPARSED,
    "wrong_json": Outcome.UNPARSED,
    "length": Outcome.TRUNCATED,
    "refusal": Outcome.REFUSED,
    "400": Outcome.REJECTED,
}


@pytest.mark.parametrize("kind", STAYING)
def test_what_stays_is_an_outcome_and_all_other_votes_stand(
    kind: str, calm: dict[str, Any], tmp_path: Path
):
    fault = Fault(kind, every=4, model="model-a")
    with in_a_thread(FaultyApi(faults=[fault])) as api:
        judges = [judge(api, each) for each in WIRES]
        tallies = run(tmp_path, *judges)
    found = {each.name: outcomes(tmp_path, each) for each in judges}
    odd = {item_id for item_id, vote in found["a"].items() if vote == (STAYING[kind], None)}
    assert len(odd) == 10
    assert tallies["a"].outcomes == {Outcome.OK: 30, STAYING[kind]: 10}
    for item_id in odd:
        del found["a"][item_id]
    assert found == {
        "a": {item_id: vote for item_id, vote in calm["a"].items() if item_id not in odd},
        "b": calm["b"],
        "c": calm["c"],
    }


@pytest.mark.parametrize(
    ("kind", "text"),
    [("prose", "Well, it depends"), ("refusal", "I can't."), ("length", "<think>Let me")],
)
def test_the_raw_text_of_an_odd_reply_is_kept(kind: str, text: str, tmp_path: Path):
    with in_a_thread(FaultyApi(faults=[Fault(kind, always=True)])) as api:
        asked = judge(api)
        run(tmp_path, asked, policy=Policy(stop_after_unusable=None))
    found = verdicts(tmp_path, asked).values()
    assert all(verdict is not None and verdict.reply.text.startswith(text) for verdict in found)


DOWN = [
    Fault("hang", after=10),
    Fault("500", after=10),
    Fault("dead", after=10),
    Fault("429", after=10, retry_after=3600),
]


@pytest.mark.parametrize("fault", DOWN, ids=lambda f: f.kind)
def test_a_judge_that_goes_down_is_given_up_on_and_the_others_finish(
    fault: Fault, calm: dict[str, Any], tmp_path: Path
):
    limits = replace(LIMITS, patience_s=0.5, attempts=1000)
    with in_a_thread(FaultyApi(faults=[replace(fault, model="model-b")])) as api:
        judges = [judge(api, each, limits=limits) for each in WIRES]
        tallies = run(tmp_path, *judges)
    found = {each.name: outcomes(tmp_path, each) for each in judges}
    assert (found["a"], found["c"]) == (calm["a"], calm["c"])
    assert tallies["b"].gave_up
    assert tallies["b"].outcomes == {Outcome.OK: 10, Outcome.FAILED: 30}
    failed = [item_id for item_id, vote in found["b"].items() if vote == (Outcome.FAILED, None)]
    assert len(failed) == 30
    with in_a_thread(FaultyApi()) as api:
        again = judge(api, "b")
        run(tmp_path, again)
        assert api.asked.total() == 30
    assert outcomes(tmp_path, again) == calm["b"]


def test_giving_up_says_what_the_judge_said_last(tmp_path: Path):
    limits = replace(LIMITS, patience_s=0.3, attempts=1000)
    with in_a_thread(FaultyApi(faults=[Fault("503", after=10)])) as api:
        tallies = run(tmp_path, judge(api, limits=limits))
    assert tallies["a"].gave_up == "no valid reply for 0.3 s (HTTP 503: mock 503)"


def test_a_judge_that_hangs_from_the_start_is_given_up_on(calm: dict[str, Any], tmp_path: Path):
    limits = replace(LIMITS, patience_s=0.5)
    with in_a_thread(FaultyApi(faults=[Fault("hang", always=True, model="model-a")])) as api:
        judges = [judge(api, each, limits=limits, timeout_s=30) for each in WIRES]
        tallies = run(tmp_path, *judges)
    assert tallies["a"].outcomes == {Outcome.FAILED: len(DATASET.items)}
    assert outcomes(tmp_path, judges[1]) == calm["b"]
    assert outcomes(tmp_path, judges[2]) == calm["c"]


def test_a_key_that_is_withdrawn_ends_its_judge_alone(calm: dict[str, Any], tmp_path: Path):
    with in_a_thread(FaultyApi(faults=[Fault("401", after=10, model="model-a")])) as api:
        judges = [judge(api, each) for each in WIRES]
        tallies = run(tmp_path, *judges)
        assert api.arrivals["model-a"] <= 10 + 2 * LIMITS.in_flight
    assert "HTTP 401" in tallies["a"].gave_up
    assert tallies["a"].outcomes[Outcome.FAILED] == 30
    assert outcomes(tmp_path, judges[1]) == calm["b"]


@pytest.mark.parametrize("kind", ["403", "404"])
def test_one_request_that_is_denied_costs_its_own_vote(kind: str, tmp_path: Path):
    with in_a_thread(FaultyApi(faults=[Fault(kind, at=(15, 39))])) as api:
        tallies = run(tmp_path, judge(api))
        assert tallies["a"].outcomes == {Outcome.OK: 38, Outcome.REJECTED: 2}
        assert (tallies["a"].gave_up, api.arrivals["model-a"]) == ("", 40)
        assert run(tmp_path, judge(api))["a"].asked == 0


@pytest.mark.parametrize("kind", ["403", "404"])
def test_a_judge_with_stored_verdicts_may_deny_the_first_request(kind: str, tmp_path: Path):
    few = Dataset("d", DATASET.items[:5])
    with in_a_thread(FaultyApi()) as api, Store(tmp_path) as store:
        collect([Plan(judge(api), few, PROMPT)], store)
    with in_a_thread(FaultyApi(faults=[Fault(kind, first=2)])) as api:
        tallies = run(tmp_path, judge(api, limits=replace(LIMITS, in_flight=1)))
    assert tallies["a"].outcomes == {Outcome.OK: 34, Outcome.REJECTED: 1}


@pytest.mark.parametrize("kind", ["403", "404"])
def test_requests_that_are_denied_in_a_row_end_the_judge_and_are_asked_again(
    kind: str, calm: dict[str, Any], tmp_path: Path
):
    with in_a_thread(FaultyApi(faults=[Fault(kind, after=10)])) as api:
        asked = judge(api, limits=replace(LIMITS, in_flight=1))
        tallies = run(tmp_path, asked)
        assert api.arrivals["model-a"] == 13
    assert f"HTTP {kind}" in tallies["a"].gave_up
    assert tallies["a"].outcomes == {Outcome.OK: 10, Outcome.FAILED: 30}
    with in_a_thread(FaultyApi()) as api:
        run(tmp_path, judge(api))
    assert outcomes(tmp_path, asked) == calm["a"]


def wrong_key(api: FaultyApi, patch: pytest.MonkeyPatch) -> HttpJudge:
    patch.setenv("CO_API_KEY", "wrong")
    return judge(api, "c")


def wrong_model(api: FaultyApi, patch: pytest.MonkeyPatch) -> HttpJudge:
    return HttpJudge("c", "f", "cohere", "modell-c", server=Server(f"{api.base_url}/v2"))


def wrong_path(api: FaultyApi, patch: pytest.MonkeyPatch) -> HttpJudge:
    return HttpJudge("c", "f", "cohere", "model-c", server=Server(f"{api.base_url}/v9"))


def nobody_there(api: FaultyApi, patch: pytest.MonkeyPatch) -> HttpJudge:
    return judge("http://127.0.0.1:9", "c")


def no_key(api: FaultyApi, patch: pytest.MonkeyPatch) -> HttpJudge:
    patch.delenv("CO_API_KEY")
    return judge(api, "c")


MISTAKES = [
    (wrong_key, "HTTP 401: Incorrect API key"),
    (wrong_model, "HTTP 404: The model 'modell-c' does not exist"),
    (wrong_path, "HTTP 404"),
    (nobody_there, "can't reach http://127.0.0.1:9"),
    (no_key, "CO_API_KEY holds no key"),
]
Mistake = Callable[[FaultyApi, pytest.MonkeyPatch], HttpJudge]


@pytest.mark.parametrize(("mistake", "said"), MISTAKES)
def test_a_mistake_ends_the_run_before_money_is_spent(
    mistake: Mistake, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    models = ("model-a", "model-b", "model-c")
    with in_a_thread(FaultyApi(api_key="planted", models=models)) as api:
        judges = [judge(api, "a"), judge(api, "b"), mistake(api, monkeypatch)]
        with pytest.raises(JudgeUnavailableError) as told:
            run(tmp_path, *judges)
        assert api.asked.total() <= 2  # one a judge at most, and those are kept
    assert str(told.value).startswith("judge c")
    assert said in str(told.value)
    assert len(Store(tmp_path)) <= 2


@pytest.mark.parametrize("mistake", [mistake for mistake, _ in MISTAKES])
def test_where_wished_the_others_go_on_without_it(
    mistake: Mistake, calm: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    models = ("model-a", "model-b", "model-c")
    with in_a_thread(FaultyApi(api_key="planted", models=models)) as api:
        judges = [judge(api, "a"), judge(api, "b"), mistake(api, monkeypatch)]
        tallies = run(tmp_path, *judges, policy=Policy(on_unavailable="skip"))
    assert tallies["c"].unavailable.startswith("judge c")
    assert tallies["c"].outcomes == {}
    assert [outcomes(tmp_path, each) for each in judges[:2]] == [calm["a"], calm["b"]]


def test_a_judge_that_rejects_what_it_is_sent_ends_the_run(tmp_path: Path):
    with in_a_thread(FaultyApi(faults=[Fault("400", always=True)])) as api:
        with pytest.raises(JudgeUnavailableError, match="rejects its requests: HTTP 400"):
            run(tmp_path, judge(api))
        assert api.arrivals["model-a"] == 3


@pytest.mark.parametrize("kind", ["429", "503", "500", "hang"])
def test_a_judge_that_is_busy_at_first_is_asked_all_the_same(
    kind: str, calm: dict[str, Any], tmp_path: Path
):
    with in_a_thread(FaultyApi(faults=[Fault(kind, first=4)])) as api:
        asked = judge(api, timeout_s=0.2)
        run(tmp_path, asked)
    assert outcomes(tmp_path, asked) == calm["a"]


def test_the_smoke_tests_reply_is_kept_and_not_paid_twice(tmp_path: Path):
    with in_a_thread(FaultyApi()) as api:
        tallies = run(tmp_path, judge(api))
        assert api.arrivals["model-a"] == tallies["a"].asked == len(DATASET.items)


def test_in_flight_stays_within_the_limit(tmp_path: Path):
    with in_a_thread(FaultyApi(latency=0.01)) as api:
        run(tmp_path, judge(api, limits=replace(LIMITS, in_flight=5)))
        assert api.peak == 5


def test_an_overloaded_judge_is_asked_less_at_once(tmp_path: Path):
    """The server takes four at once; the rate limiter adapts."""
    seen: list[int] = []

    class Small(FaultyApi):
        async def _answer(self, wire: Any, request: Any, body: Any, model: str, n: int) -> Any:
            seen.append(self.in_flight)
            if self.in_flight > 4:
                await asyncio.sleep(self.latency)
                return failure(wire, 529, "busy")
            return await super()._answer(wire, request, body, model, n)

    many = Dataset(
        "d", tuple(replace(DATASET.items[0], item_id=f"q{n}", question=f"{n}?") for n in range(300))
    )
    with in_a_thread(Small(latency=0.005)) as api, Store(tmp_path) as store:
        limits = Limits(in_flight=16, attempts=50)
        (tally,) = collect([Plan(judge(api, limits=limits), many, PROMPT)], store)
    assert tally.outcomes == {Outcome.OK: 300}
    assert sum(seen[-100:]) / 100 < sum(seen[:32]) / 32


def test_requests_a_minute_are_kept(tmp_path: Path):
    few = Dataset("d", DATASET.items[:6])
    with in_a_thread(FaultyApi()) as api, Store(tmp_path) as store:
        limits = replace(LIMITS, requests_per_minute=600)
        (tally,) = collect([Plan(judge(api, limits=limits), few, PROMPT)], store)
    assert tally.seconds >= 4 * 0.1  # five after the smoke test, the first at once


def test_tokens_a_minute_are_kept(tmp_path: Path):
    few = Dataset("d", DATASET.items[:6])
    with in_a_thread(FaultyApi()) as api, Store(tmp_path) as store:
        asked = judge(api, limits=replace(LIMITS, tokens_per_minute=18_000))
        request = next(Plan(asked, few, PROMPT).requests())
        tokens = sum(asked.estimate(request))
        (tally,) = collect([Plan(asked, few, PROMPT)], store)
    assert tally.seconds >= 4 * tokens / 18_000 * 60 * 0.9


def test_retry_after_pauses_the_whole_judge(tmp_path: Path):
    arrived: list[float] = []

    class Timed(FaultyApi):
        async def _answer(self, *arguments: Any) -> Any:
            arrived.append(asyncio.get_running_loop().time())
            return await super()._answer(*arguments)

    fault = Fault("429", at=(12,), retry_after=0.4)
    with in_a_thread(Timed(faults=[fault], latency=0.01)) as api:
        run(tmp_path, judge(api, limits=replace(LIMITS, in_flight=2)))
    gaps = [later - sooner for sooner, later in itertools.pairwise(arrived)]
    assert max(gaps) >= 0.35


def test_an_unreadable_reply_is_asked_for_once_more_where_wished(
    calm: dict[str, Any], tmp_path: Path
):
    fault = Fault("prose", at=(5,))
    with in_a_thread(FaultyApi(faults=[fault])) as api:
        asked = judge(api, price=PRICE)
        tallies = run(tmp_path, asked, policy=Policy(ask_once_more=True))
        assert api.arrivals["model-a"] == 41
        (second,) = [body for body in api.bodies if len(body["messages"]) == 3]
    assert tallies["a"].outcomes == {Outcome.OK: 40}
    assert second["messages"][1]["content"].startswith("Well, it depends")
    assert "True, False" in second["messages"][2]["content"]
    (twice,) = [v for v in verdicts(tmp_path, asked).values() if v and v.reply.earlier]
    assert (twice.reply.input_tokens, twice.reply.output_tokens, twice.attempts) == (600, 4, 2)
    assert twice.cost_usd == pytest.approx(PRICE.of(twice.reply))


def test_a_reply_that_stays_unreadable_is_asked_for_only_once_more(tmp_path: Path):
    with in_a_thread(FaultyApi(faults=[Fault("prose", always=True)])) as api:
        policy = Policy(ask_once_more=True, stop_after_unusable=None)
        tallies = run(tmp_path, judge(api), policy=policy)
        assert api.arrivals["model-a"] == 80
    assert tallies["a"].outcomes == {Outcome.UNPARSED: 40}


def test_a_reply_is_kept_where_the_second_question_finds_the_judge_gone(tmp_path: Path):
    faults = [Fault("prose", at=(5,)), Fault("401", after=6)]
    with in_a_thread(FaultyApi(faults=faults)) as api:
        asked = judge(api, limits=replace(LIMITS, in_flight=1))
        tallies = run(tmp_path, asked, policy=Policy(ask_once_more=True))
    assert tallies["a"].outcomes == {Outcome.OK: 5, Outcome.UNPARSED: 1, Outcome.FAILED: 34}
    found = [verdict.outcome for verdict in verdicts(tmp_path, asked).values() if verdict]
    assert found.count(Outcome.UNPARSED) == 1


@pytest.mark.parametrize("name", WIRES)
def test_the_cost_is_that_of_the_usage_the_provider_reports(name: str, tmp_path: Path):
    with in_a_thread(FaultyApi()) as api:
        tallies = run(tmp_path, judge(api, name, price=PRICE))
    dollars = {
        "a": 44 * 2.0 + 256 * 1.0 + 2 * 10.0,
        "b": 44 * 2.0 + 200 * 1.0 + 56 * 2.5 + 2 * 10.0,
        "c": 300 * 2.0 + 2 * 10.0,
    }
    assert tallies[name].cost_usd == pytest.approx(40 * dollars[name] / 1e6)
    assert tallies[name].unpriced == 0


def test_replies_without_usage_are_counted_and_have_no_cost(tmp_path: Path):
    with in_a_thread(FaultyApi(faults=[Fault("no_usage", every=4)])) as api:
        tallies = run(tmp_path, judge(api, price=PRICE))
    assert tallies["a"].unpriced == 10
    assert tallies["a"].cost_usd > 0


def test_a_limit_on_the_cost_is_not_passed_and_the_next_run_goes_on(
    calm: dict[str, Any], tmp_path: Path
):
    limit = 0.02
    with in_a_thread(FaultyApi()) as api:
        judges = [judge(api, name, price=PRICE) for name in WIRES]
        tallies = run(tmp_path, *judges, policy=Policy(max_cost_usd=limit))
        asked = api.arrivals.total()
        assert 0 < asked < 120
        assert sum(tally.cost_usd for tally in tallies.values()) <= limit
        assert any("max_cost_usd=0.02" in tally.stopped for tally in tallies.values())
        run(tmp_path, *judges)
        assert api.arrivals.total() == 120
        assert {each.name: outcomes(tmp_path, each) for each in judges} == calm


def test_a_limit_on_the_cost_is_used_up_by_all_judges_together(tmp_path: Path):
    """A judge without budget left waits for reservations of the others to be settled."""
    with in_a_thread(FaultyApi(latency=0.005)) as api:
        judges = [judge(api, name, price=PRICE) for name in WIRES]
        tallies = run(tmp_path, *judges, policy=Policy(max_cost_usd=0.03))
    spent = sum(tally.cost_usd for tally in tallies.values())
    assert 0.028 < spent <= 0.03
    assert all(tally.asked > 10 for tally in tallies.values())


@pytest.mark.parametrize("kind", ["no_usage", "prose"])
def test_a_limit_on_the_cost_holds_for_replies_that_cost_more_than_foreseen(
    kind: str, tmp_path: Path
):
    """The mock says 300 tokens went in where fewer were sent; or says nothing."""
    with in_a_thread(FaultyApi(faults=[Fault(kind, every=2)])) as api:
        asked = judge(api, price=PRICE)
        policy = Policy(max_cost_usd=0.008, ask_once_more=True)
        (tally,) = run(tmp_path, asked, policy=policy).values()
        assert tally.stopped
        # As many calls as were paid for, at what each of the mock's replies costs.
        dearest = (44 * 2.0 + 256 * 1.0 + 2 * 10.0) / 1e6
        assert 0.004 < api.arrivals["model-a"] * dearest <= 0.008


def test_a_limit_on_the_cost_of_a_judge_without_a_price_is_refused(tmp_path: Path):
    with pytest.raises(JuriesError, match=r"judge a: has no price.*set a price"):
        run(tmp_path, judge("http://unused"), policy=Policy(max_cost_usd=1.0))


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    with in_a_thread(FaultyApi()) as server:
        yield server


def test_two_judges_of_one_model_are_asked_once(api: FaultyApi, tmp_path: Path):
    """They ask the same of the same model, so they share what the store holds in the end."""
    one = judge(api)
    run(tmp_path, one)
    other = judge(api)
    other.name = "renamed"
    run(tmp_path, other)
    assert api.arrivals["model-a"] == 40
