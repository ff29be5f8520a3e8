"""A judge that gives no verdicts, or makes the run wait, costs little and holds up nobody."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from faulty_api import Fault, FaultyApi, in_a_thread
from llm_juries.collect import rate_limit
from llm_juries.collect.policy import Policy
from llm_juries.collect.progress import check_complete
from llm_juries.collect.run import collect
from llm_juries.collect.tally import Tally
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.judges.base import Limits
from llm_juries.judges.errors import JudgeUnavailableError
from llm_juries.judges.http import reach
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.types import Item, Outcome
from shared_prompts import QUESTION_AND_ANSWER as PROMPT

DATASET = Dataset(
    "d", tuple(Item("d", f"q{n}", "m", question=f"Q{n}?", answer=f"A{n}") for n in range(60))
)
NAMES = ("a", "b", "c")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry after little; give the wire a key."""
    monkeypatch.setattr(rate_limit, "BACKOFF_S", 0.01)
    monkeypatch.setattr(reach, "PAUSE_S", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", "planted")


class Api(FaultyApi):
    """A server that can say that its limits are used up, beside a good reply."""

    used_up: Any = None

    async def _answer(self, wire: Any, request: Any, body: Any, model: str, n: int) -> Any:
        response = await super()._answer(wire, request, body, model, n)
        if self.used_up and model == "a" and n >= 5 and isinstance(response, web.Response):
            response.headers.update(self.used_up)
        return response


@pytest.fixture
def api() -> Iterator[Api]:
    with in_a_thread(Api()) as server:
        yield server


def judge(api: FaultyApi | str, name: str = "a", **options: Any) -> HttpJudge:
    url = api if isinstance(api, str) else api.base_url
    given: dict[str, Any] = {"limits": Limits(in_flight=8), **options}
    return HttpJudge(name, name, "openai", name, server=Server(f"{url}/v1"), **given)


def run(
    folder: Path, *judges: HttpJudge, policy: Policy | None = None, repeats: int = 1
) -> dict[str, Tally]:
    plans = [Plan(one, DATASET, PROMPT, n + 1) for one in judges for n in range(repeats)]
    with Store(folder) as store:
        tallies = collect(plans, store, policy)
    return {tally.judge: tally for tally in tallies}


@pytest.mark.parametrize(("kind", "said"), [("length", "truncated"), ("prose", "unparsed")])
def test_a_judge_without_verdicts_is_stopped_after_its_first_replies(
    kind: str, said: str, api: Api, tmp_path: Path
):
    api.faults = [Fault(kind, always=True, model="a")]
    tallies = run(tmp_path, *(judge(api, name) for name in NAMES))
    assert api.arrivals["a"] == 20
    assert tallies["a"].outcomes == {Outcome(said): 20}
    assert tallies["a"].stopped.startswith(f"its first 20 replies hold no verdict (20 {said}); ")
    assert all(tallies[name].outcomes == {Outcome.OK: 60} for name in "bc")
    with pytest.raises(JuriesError, match=r"^incomplete: a \(its first 20 replies"):
        check_complete(list(tallies.values()))
    # The next run is told the same at once, and pays for nothing.
    again = run(tmp_path, judge(api))
    assert (api.arrivals["a"], again["a"].stopped) == (20, tallies["a"].stopped)
    on = run(tmp_path, judge(api), policy=Policy(stop_after_unusable=None))
    assert (api.arrivals["a"], on["a"].stopped) == (60, "")
    with pytest.raises(JuriesError, match=rf"^a on d: no usable verdict \(60 {said}\); "):
        check_complete(list(on.values()))


def test_one_verdict_among_the_first_replies_is_enough(api: Api, tmp_path: Path):
    api.faults = [Fault("length", first=19, model="a"), Fault("length", after=20, model="a")]
    tallies = run(tmp_path, judge(api))
    assert tallies["a"].outcomes == {Outcome.TRUNCATED: 59, Outcome.OK: 1}
    check_complete(list(tallies.values()))


def test_a_judge_that_had_verdicts_before_goes_on(api: Api, tmp_path: Path):
    few = Dataset("d", DATASET.items[:3])
    with Store(tmp_path) as store:
        collect([Plan(judge(api), few, PROMPT)], store)
    api.faults = [Fault("length", always=True)]
    assert run(tmp_path, judge(api))["a"].outcomes == {Outcome.TRUNCATED: 57}


def test_repeats_are_stopped_together(api: Api, tmp_path: Path):
    from llm_juries.judges.decoding import Decoding

    api.faults = [Fault("length", always=True)]
    sampled = judge(api, decoding=Decoding(temperature=1.0))
    tallies = run(tmp_path, sampled, repeats=3)
    assert api.arrivals["a"] == 20
    assert all("hold no verdict" in tally.stopped for tally in tallies.values())


def test_a_batch_without_verdicts_is_the_last(api: Api, tmp_path: Path):
    api.say = lambda _: "Well."
    api.polls = 0
    batch = Policy(mode="batch")
    few = Dataset("d", DATASET.items[:30])
    with Store(tmp_path) as store:
        collect([Plan(judge(api), few, PROMPT)], store, batch)
    (tally,) = run(tmp_path, judge(api), policy=batch).values()
    assert (tally.outcomes, len(api.batches)) == ({Outcome.UNPARSED: 30}, 1)
    assert tally.stopped.startswith("its first 30 replies hold no verdict (30 unparsed)")
    tallies = run(tmp_path, judge(api), policy=replace(batch, stop_after_unusable=None))
    assert tallies["a"].submitted == 30


WAITS = {
    "a quota that is reset in a year": (
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "8760h"},
        "asks to wait 365 days, longer than longest_wait_s=600",
    ),
    "a daily limit": (
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7h12m"},
        "asks to wait 7 h, longer than longest_wait_s=600",
    ),
}


@pytest.mark.parametrize("case", WAITS)
def test_a_limit_that_is_used_up_is_told_and_the_others_finish(case: str, api: Api, tmp_path: Path):
    api.used_up, said = WAITS[case]
    tallies = run(tmp_path, *(judge(api, name) for name in NAMES))
    assert tallies["a"].gave_up == f"{said} (its rate limit is used up)"
    paid = api.asked.total() - 120  # what was in flight is kept
    assert 6 <= paid <= 6 + 8
    assert tallies["a"].outcomes == {Outcome.OK: paid, Outcome.FAILED: 60 - paid}
    assert all(tallies[name].outcomes == {Outcome.OK: 60} for name in "bc")
    api.used_up = None
    assert run(tmp_path, judge(api))["a"].outcomes == {Outcome.OK: 60 - paid}


@pytest.mark.parametrize("first", [0, 10])
def test_a_retry_after_beyond_patience_ends_its_judge_alone(first: int, api: Api, tmp_path: Path):
    api.faults = [Fault("429", after=first, model="a", retry_after=300)]
    policy = Policy(longest_wait_s=120)
    began = time.monotonic()
    tallies = run(tmp_path, *(judge(api, name) for name in NAMES), policy=policy)
    assert time.monotonic() - began < 60
    said = "asks to wait 5 min, longer than longest_wait_s=120 (HTTP 429: mock 429)"
    assert tallies["a"].gave_up == said
    assert tallies["a"].outcomes[Outcome.FAILED] == 60 - first
    assert all(tallies[name].outcomes == {Outcome.OK: 60} for name in "bc")
    with pytest.raises(JuriesError, match=r"incomplete: a \(asks to wait 5 min"):
        check_complete(list(tallies.values()))


def test_a_wait_within_patience_is_told(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(rate_limit, "REPORTED_S", 0.2)
    api.faults = [Fault("429", at=tuple(range(20, 28)), model="a", retry_after=0.5)]
    with caplog.at_level(logging.WARNING, "llm_juries.collect.rate_limit"):
        tallies = run(tmp_path, judge(api))
    assert tallies["a"].outcomes == {Outcome.OK: 60}
    # Eight requests in flight were told to wait, some of them again; each wait is one line.
    assert 1 <= len(caplog.messages) < 8
    for line in caplog.messages:
        assert line.startswith("judge a: asks to wait 0 s (HTTP 429: mock 429); waiting until ")


def test_all_unavailable_judges_are_named_at_once_before_any_is_asked(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("THEIRS", "planted-too")
    no_key = HttpJudge("k", "f", "openai", "k", server=Server(f"{api.base_url}/v1", "ABSENT_KEY"))
    no_key_either = HttpJudge("l", "f", "anthropic", "l", server=Server(api.base_url, "NO_KEY"))
    gone = HttpJudge("g", "f", "openai", "g", server=Server("http://127.0.0.1:9/v1", "THEIRS"))
    for policy in (Policy(), Policy(mode="batch")):
        with pytest.raises(JudgeUnavailableError) as told:
            run(tmp_path, judge(api), no_key, no_key_either, gone, policy=policy)
        text = str(told.value)
        assert text.startswith("3 judges are unavailable: (1) judge ")
        assert "ABSENT_KEY holds no key" in text
        assert "NO_KEY holds no key" in text
        assert "judge g: can't reach http://127.0.0.1:9/v1/" in text
        assert api.arrivals.total() == 0
    skipping = Policy(on_unavailable="skip")
    tallies = run(tmp_path, judge(api), no_key, gone, policy=skipping)
    assert tallies["a"].outcomes == {Outcome.OK: 60}
    check_complete(list(tallies.values()))
    with pytest.raises(JuriesError, match="no judge could be asked"):
        check_complete(list(run(tmp_path / "none", no_key, gone, policy=skipping).values()))


def test_a_batch_of_one_judge_is_submitted_though_anothers_is_rejected(api: Api, tmp_path: Path):
    api.models = ("b",)
    api.batch_status = 200
    other = FaultyApi(batch_status=429)
    with in_a_thread(other):
        with pytest.raises(JuriesError, match=r"judge a: POST .*HTTP 429"):
            run(tmp_path, judge(other, "a"), judge(api, "b"), policy=Policy(mode="batch"))
        assert len(api.batches) == 1
