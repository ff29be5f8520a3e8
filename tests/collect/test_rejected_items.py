"""One item never blocks the rest: what a server rejects, breaks off or hides in a good status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from faulty_api import OPENAI, FaultyApi, in_a_thread, prompt_of
from llm_juries.collect import rate_limit
from llm_juries.collect.policy import Policy
from llm_juries.collect.progress import check_complete, tally_table
from llm_juries.collect.run import collect
from llm_juries.collect.tally import Tally
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.judges.base import Limits
from llm_juries.judges.errors import JudgeUnavailableError
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.store.plan import Plan, look_up
from llm_juries.store.store import Store
from llm_juries.store.verify import verify
from llm_juries.types import Item, Outcome, Verdict
from shared_prompts import QUESTION_AND_ANSWER as PROMPT

OK, FAILED, REFUSED, REJECTED = Outcome.OK, Outcome.FAILED, Outcome.REFUSED, Outcome.REJECTED
LONG = {"error": {"message": "prompt is too long: 9034 tokens > 8192 maximum"}}
FILTER = {"error": {"message": "Blocked by our content policy", "code": "content_filter"}}
BAD = {"error": {"message": "Unsupported parameter: 'seed'"}}


@dataclass
class Scripted(FaultyApi):
    """Answers questions that contain a word of `script` with its status and body."""

    script: dict[str, tuple[int, Any]] = field(default_factory=dict)
    say = staticmethod(lambda _: "True")

    async def _answer(
        self, wire: Any, request: web.Request, body: Any, model: str, arrival: int
    ) -> web.StreamResponse:
        for word, (status, made) in self.script.items():
            if word in prompt_of(body) and model == "model-a":
                made = made(json.loads(self.good(OPENAI, body))) if callable(made) else made
                return web.json_response(made, status=status)
        return await super()._answer(wire, request, body, model, arrival)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    monkeypatch.setattr(rate_limit, "BACKOFF_S", 0.001)
    with in_a_thread(Scripted()) as server:
        yield server


def dataset(*questions: str) -> Dataset:
    return Dataset("d", tuple(Item("d", q, "m", question=q, answer="A") for q in questions))


def judge(api: Scripted, name: str = "a") -> HttpJudge:
    limits = Limits(in_flight=4, attempts=2, patience_s=5.0)
    server = Server(f"{api.base_url}/v1", key_env="", timeout_s=2.0)
    return HttpJudge(name, "f", "openai", f"model-{name}", server=server, limits=limits)


def run(folder: Path, items: Dataset, *judges: HttpJudge, **options: Any) -> dict[str, Tally]:
    with Store(folder) as store:
        plans = [Plan(each, items, PROMPT) for each in judges]
        return {tally.judge: tally for tally in collect(plans, store, Policy(**options))}


def found(folder: Path, items: Dataset, asked: HttpJudge) -> dict[str, Verdict | None]:
    pairs = look_up(Plan(asked, items, PROMPT), Store(folder))
    return {request.item.item_id: verdict for request, verdict in pairs}


REJECTIONS = [
    (400, LONG, REJECTED),
    (413, {}, REJECTED),
    (400, BAD, REJECTED),
    (400, FILTER, REFUSED),
]


@pytest.mark.parametrize(("status", "body", "outcome"), REJECTIONS)
@pytest.mark.parametrize("first", [True, False])
def test_a_request_that_is_rejected_is_an_outcome_and_is_not_asked_again(
    status: int, body: Any, outcome: Outcome, first: bool, api: Scripted, tmp_path: Path
):
    api.script = {"whale": (status, body)}
    items = dataset(*(["a whale"] if first else []), "one", "two", *([] if first else ["a whale"]))
    tallies = run(tmp_path, items, judge(api))
    assert tallies["a"].outcomes == {OK: 2, outcome: 1}
    assert api.arrivals["model-a"] == 3
    verdict = found(tmp_path, items, judge(api))["a whale"]
    assert verdict is not None
    assert verdict.outcome is outcome
    assert (body.get("error") or {}).get("message", "413") in verdict.reply.error

    tallies = run(tmp_path, items, judge(api), judge(api, "b"))
    check_complete(list(tallies.values()))
    assert api.arrivals == {"model-a": 3, "model-b": 3}
    assert tallies["b"].outcomes == {OK: 3}

    api.script = {}
    tallies = run(tmp_path, items, judge(api), again=(outcome,))
    assert tallies["a"].outcomes == {OK: 1}


def test_a_store_in_which_such_items_failed_can_be_resumed(api: Scripted, tmp_path: Path):
    """Earlier versions stored them as failed, so that they are asked for again first."""
    items = dataset("a whale", "one", "two")
    run(tmp_path, dataset("one", "two"), judge(api))
    api.script = {"whale": (400, BAD)}
    tallies = run(tmp_path, items, judge(api), judge(api, "b"))
    assert tallies["a"].outcomes == {REJECTED: 1}
    assert tallies["b"].outcomes == {OK: 3}


@pytest.mark.parametrize("body", [LONG, FILTER])
def test_many_items_that_are_rejected_for_what_they_say_do_not_end_a_judge(
    body: Any, api: Scripted, tmp_path: Path
):
    api.script = {"whale": (400, body)}
    items = dataset(*(f"whale {n}" for n in range(14)), "one")
    tally = run(tmp_path, items, judge(api))["a"]
    assert tally.outcomes[OK] == 1
    assert tally.asked == 15


def test_a_judge_that_rejects_all_alike_is_unavailable_and_nothing_is_recorded(
    api: Scripted, tmp_path: Path
):
    api.script = {"whale": (400, BAD)}
    with pytest.raises(JudgeUnavailableError, match="rejects its requests: HTTP 400: Unsupported"):
        run(tmp_path, dataset(*(f"whale {n}" for n in range(5))), judge(api))
    assert api.arrivals["model-a"] == 3
    assert len(Store(tmp_path)) == 0


def broken_off(text: str) -> Any:
    def change(reply: Any) -> Any:
        reply["choices"][0] |= {"message": {"content": text}, "finish_reason": "error"}
        return reply

    return change


@pytest.mark.parametrize("text", ["True", "False, since the ans", ""])
def test_a_reply_that_the_provider_broke_off_has_failed(text: str, api: Scripted, tmp_path: Path):
    items = dataset("one", "a whale", "two")
    api.script = {"whale": (200, broken_off(text))}
    tally = run(tmp_path, items, judge(api))["a"]
    assert tally.outcomes == {OK: 2, FAILED: 1}
    verdict = found(tmp_path, items, judge(api))["a whale"]
    assert verdict is not None
    assert (verdict.reply.text, verdict.reply.finish_reason) == (text, "error")
    assert api.arrivals["model-a"] == 3  # it may have been paid for
    api.script = {}
    assert run(tmp_path, items, judge(api))["a"].outcomes == {OK: 1}


PARTS = [{"type": "thinking", "thinking": "Au is gold."}, {"type": "text", "text": "True"}]


def test_content_and_reasoning_in_parts_become_text(api: Scripted, tmp_path: Path):
    def change(reply: Any) -> Any:
        reply["choices"][0]["message"] = {"content": PARTS}
        return reply

    def beside(reply: Any) -> Any:
        thought = [{"type": "text", "text": "Au is gold."}]
        reply["choices"][0]["message"] = {"content": "True", "reasoning_content": thought}
        return reply

    api.script = {"in one": (200, change), "beside": (200, beside)}
    items = dataset("in one", "beside")
    assert run(tmp_path, items, judge(api))["a"].outcomes == {OK: 2}
    for verdict in found(tmp_path, items, judge(api)).values():
        assert verdict is not None
        assert (verdict.reply.text, verdict.reply.thinking) == ("True", "Au is gold.")
    assert verify(tmp_path).keys == 2
    assert run(tmp_path, items, judge(api))["a"].asked == 0


def test_an_error_in_a_good_status_keeps_its_words_and_is_retried(api: Scripted, tmp_path: Path):
    busy = {"choices": None, "error": {"message": "Provider is busy", "code": 429}}
    api.script = {"whale": (200, busy)}
    items = dataset("one", "a whale")
    assert run(tmp_path, items, judge(api))["a"].outcomes == {OK: 1, FAILED: 1}
    verdict = found(tmp_path, items, judge(api))["a whale"]
    assert verdict is not None
    assert verdict.reply.error == "error 429: Provider is busy"
    assert verdict.attempts == 2
    assert api.arrivals["model-a"] == 3


@pytest.mark.parametrize("code", [401, 402, "402"])
def test_an_error_in_a_good_status_ends_the_judge_as_the_status_would(
    code: Any, api: Scripted, tmp_path: Path
):
    spent = {"error": {"message": "Insufficient credits", "code": code}}
    api.script = {"whale": (200, spent)}
    items = dataset("one", *(f"whale {n}" for n in range(60)))
    tallies = run(tmp_path, items, judge(api), judge(api, "b"))
    assert f"error {code}: Insufficient credits" in tallies["a"].gave_up
    assert tallies["a"].outcomes == {OK: 1, FAILED: 60}
    assert api.arrivals["model-a"] <= 1 + 2 * 4
    assert tallies["b"].outcomes == {OK: 61}
    with pytest.raises(JuriesError, match=r"^incomplete: a"):
        check_complete(list(tallies.values()))
    with pytest.raises(JudgeUnavailableError, match="Insufficient credits"):
        run(tmp_path / "new", dataset("a whale", "one"), judge(api))
    assert api.arrivals["model-a"] <= 2 + 2 * 4


def test_another_model_than_the_one_asked_for_is_told_once_and_shown(
    api: Scripted, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    items = dataset("one", "two", "a whale")
    api.script = {"whale": (200, lambda reply: reply | {"model": "model-mini"})}
    tallies = list(run(tmp_path, items, judge(api), judge(api, "b")).values())
    assert tally_table(tallies)["answered_as"].tolist() == ["model-a, model-mini", ""]
    (told,) = [record.getMessage() for record in caplog.records if "asked for" in record.message]
    assert told.startswith(
        "judge a: asked for the model model-a; the server answered as model-a (2 verdicts), "
        "model-mini (1 verdicts)"
    )
    api.script = {}
    (tally,) = run(tmp_path, items, judge(api)).values()
    assert tally.models == {"model-a": 2, "model-mini": 1}  # of what is stored
