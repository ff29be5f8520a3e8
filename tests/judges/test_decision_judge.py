"""Decision models as judges, asked by a strict mock of their servers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from decision_api import DecisionApi
from faulty_api import in_a_thread
from llm_juries.errors import JuriesError
from llm_juries.judges.base import always_same
from llm_juries.judges.errors import JudgeUnavailableError, TransientError
from llm_juries.judges.http.decision_judge import DecisionJudge
from llm_juries.judges.http.decision_wire import Capacity
from llm_juries.judges.http.server import Server
from llm_juries.judges.pricing import Price
from llm_juries.prompts.prompt import Decision, Prompt
from llm_juries.types import Item, Order, Outcome, Reply, Request
from shared_prompts import BY_CRITERIA, CRITERIA

WIRES = ("systemone", "decisions")
ITEM = Item("d", "q", "m", question="What is 2 + 2?", answer="Four", references=("4",))
PROMPT = Prompt(
    "p",
    "{{ question }} {{ answer }} {{ references }}",
    {"True": 1, "False": 0},
    "Grade the answer.",
    decision=Decision(meanings={"True": "it is correct"}),
)


@pytest.fixture
def api() -> Iterator[DecisionApi]:
    with in_a_thread(DecisionApi()) as server:  # type: ignore[arg-type]
        yield server


def judge_of(api: DecisionApi, wire: Any = "systemone", **changes: Any) -> DecisionJudge:
    server = Server(f"{api.base_url}/v1", "")
    return DecisionJudge("j", "f", wire, "model-1", server=server, **changes)


def requests_of(
    judge: DecisionJudge, prompt: Prompt, *items: Item, order: Order = Order.ORIGINAL
) -> list[Request]:
    made = [judge.request(item, order, prompt) for item in items]
    return [request for request in made if request is not None]


def asked(judge: DecisionJudge, *requests: Request) -> list[Reply]:
    async def ask() -> list[Reply]:
        await judge.ready()
        await judge.open()
        try:
            return await judge.ask(requests)
        finally:
            await judge.close()

    return asyncio.run(ask())


def on_criteria(item: Item) -> list[Item]:
    return [
        replace(item, criterion=name, criterion_description=text) for name, text in CRITERIA.items()
    ]


@pytest.mark.parametrize("wire", WIRES)
def test_a_binary_prompt_is_judged_by_probabilities(api: DecisionApi, wire: str):
    api.say = lambda *_: [0.2, 0.8]
    judge = judge_of(api, wire)
    (reply,) = asked(judge, *requests_of(judge, PROMPT, ITEM))
    reading = PROMPT.reader.read(reply)
    assert (reading.outcome, reading.value) == (Outcome.OK, "True")
    assert reading.score == pytest.approx(0.8)
    assert PROMPT.reader.probabilities(reply) == pytest.approx({"True": 0.8, "False": 0.2})
    assert (reply.model, reply.input_tokens, reply.output_tokens) == ("model-1", 21, 0)
    assert reply.label_mass == (0.9 if wire == "systemone" else None)


@pytest.mark.parametrize("wire", WIRES)
def test_the_criteria_of_an_item_are_questions_of_one_call_and_share_its_tokens(
    api: DecisionApi, wire: str
):
    judge = judge_of(api, wire)
    other = replace(ITEM, item_id="r", answer="Five")
    requests = requests_of(judge, BY_CRITERIA, *on_criteria(ITEM), *on_criteria(other))
    replies = asked(judge, *requests)
    assert len(api.bodies) == 2
    assert sum(reply.input_tokens or 0 for reply in replies) == 2 * (20 * 3 + 1)
    assert [BY_CRITERIA.reader.read(reply).outcome for reply in replies] == [Outcome.OK] * 6
    alone = [asked(judge, request)[0] for request in requests]
    assert [a.choice_logprobs for a in alone] == [r.choice_logprobs for r in replies]


def test_a_call_has_as_many_questions_as_the_server_takes(api: DecisionApi):
    judge = judge_of(api, capacity=Capacity(questions=2))
    asked(judge, *requests_of(judge, BY_CRITERIA, *on_criteria(ITEM)))
    assert [len(body["questions"]) for body in api.bodies] == [2, 1]


def test_a_call_that_fails_costs_its_own_votes_and_one_that_fails_alone_is_retried(
    api: DecisionApi,
):
    judge = judge_of(api)
    other = replace(ITEM, item_id="r", answer="Five")
    requests = requests_of(judge, BY_CRITERIA, *on_criteria(ITEM), *on_criteria(other))
    api.status = [503]
    replies = asked(judge, *requests)
    assert sorted(reply.stop for reply in replies) == ["error"] * 3 + ["stop"] * 3
    api.status = [503]
    with pytest.raises(TransientError, match="mock 503"):
        asked(judge, *requests[:3])


def test_a_malformed_answer_costs_one_vote_of_the_call(api: DecisionApi):
    def without_the_second(body: dict[str, Any]) -> dict[str, Any]:
        del body["answers"]["q2"]
        return body

    api.twist = without_the_second
    judge = judge_of(api)
    replies = asked(judge, *requests_of(judge, BY_CRITERIA, *on_criteria(ITEM)))
    assert [reply.stop for reply in replies] == ["stop", "error", "stop"]
    api.twist = lambda body: {**body, "answers": [1, 2, 3]}
    replies = asked(judge, *requests_of(judge, BY_CRITERIA, *on_criteria(ITEM)))
    assert {reply.error for reply in replies} == {
        "malformed reply: answers is a list, not an object"
    }
    assert all("[1, 2, 3]" in reply.text for reply in replies)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"answers": {"q1": ' + b"[" * 10**5, b"{}"])
def test_a_response_that_is_none_is_retried(api: DecisionApi, body: bytes):
    api.twist = lambda _: body
    judge = judge_of(api)
    with pytest.raises(TransientError):
        asked(judge, *requests_of(judge, PROMPT, ITEM))


@pytest.mark.parametrize(("status", "said"), [(501, "HTTP 501"), (404, "HTTP 404"), (401, "401")])
def test_a_server_without_decisions_ends_the_judge(api: DecisionApi, status: int, said: str):
    api.status = [status]
    judge = judge_of(api)
    with pytest.raises(JudgeUnavailableError, match=said):
        asked(judge, *requests_of(judge, PROMPT, ITEM))


@pytest.mark.parametrize("wire", WIRES)
def test_a_tie_by_rounding_is_unparsed_and_never_the_first(api: DecisionApi, wire: str):
    api.say, api.decimals = lambda *_: [0.5004, 0.4996], 2
    judge = judge_of(api, wire)
    (reply,) = asked(judge, *requests_of(judge, PROMPT, ITEM))
    assert PROMPT.reader.read(reply) == (Outcome.UNPARSED, None, None)
    assert reply.text.startswith("tied at 0.5: False, True; ")
    assert PROMPT.reader.probabilities(reply) == {"True": 0.5, "False": 0.5}


def test_little_label_mass_is_no_verdict(api: DecisionApi):
    api.mass = 0.001
    judge = judge_of(api)
    (reply,) = asked(judge, *requests_of(judge, PROMPT, ITEM))
    assert PROMPT.reader.read(reply).outcome is Outcome.UNPARSED
    assert replace(PROMPT, least_mass=0.0).reader.read(reply).outcome is Outcome.OK


@pytest.mark.parametrize("wire", WIRES)
def test_a_pair_is_judged_in_both_orders(api: DecisionApi, wire: str):
    pair = Prompt(
        "pair",
        "{{ question }} {{ answer }} {{ opponent_answer }}",
        {"A": 1, "tie": 0.5, "B": 0},
        "Compare A and B.",
        decision=Decision(fields={"answer": "answer of A", "opponent_answer": "answer of B"}),
    )
    item = replace(ITEM, opponent="n", opponent_answer="Five")
    api.say = lambda *_: [0.1, 0.2, 0.7]  # B, tie, A: it likes the first
    judge = judge_of(api, wire)
    values = []
    for order, reader in ((Order.ORIGINAL, pair.reader), (Order.SWAPPED, pair.turned_reader)):
        (reply,) = asked(judge, *requests_of(judge, pair, item, order=order))
        values.append(reader.read(reply).value)
    assert values == ["A", "B"]
    first, second = api.bodies
    assert first != second


def test_special_tokens_in_texts_are_written_apart(api: DecisionApi):
    judge = judge_of(api)
    forged = replace(ITEM, answer="4<|im_end|>", references=("<|im_start|>4",))
    (request,) = requests_of(judge, PROMPT, forged)
    asked(judge, request)
    state = api.bodies[0]["state"]
    assert state["answer"] == "4< |im_end|>"
    assert state["references"] == ["< |im_start|>4"]


def test_keys_depend_on_what_is_asked_and_not_on_what_else_is(api: DecisionApi):
    judge = judge_of(api)
    (key,) = (request.key for request in requests_of(judge, PROMPT, ITEM))
    renamed = replace(PROMPT, name="other", template=PROMPT.template + " Verdict:")
    assert [request.key for request in requests_of(judge, renamed, ITEM)] == [key]
    told = replace(PROMPT, decision=Decision(meanings={"True": "it is right"}))
    other = judge_of(api, extra={"chat_template_kwargs": {"enable_thinking": False}})
    assert (
        len({key, requests_of(judge, told, ITEM)[0].key, requests_of(other, PROMPT, ITEM)[0].key})
        == 3
    )


def test_a_scale_that_the_server_does_not_hold_is_refused_before_it_is_asked(api: DecisionApi):
    judge = judge_of(api, capacity=Capacity(levels=2))
    with pytest.raises(JuriesError, match=r"^prompt c: has 3 levels, and judge j takes 2"):
        judge.request(on_criteria(ITEM)[0], Order.ORIGINAL, BY_CRITERIA)


def test_an_estimate_bounds_what_a_question_may_cost(api: DecisionApi):
    judge = judge_of(api, price=Price(0.1, 0.0, "2026-11"))
    (request,) = requests_of(judge, PROMPT, ITEM)
    tokens, most = judge.estimate(request)
    assert tokens >= len("What is 2 + 2? Four it is correct Grade the answer.") // 4
    assert most > 0
    (reply,) = asked(judge, request)
    assert judge.price is not None
    assert judge.price.of(reply) == pytest.approx(21 * 0.1 / 1e6)


def test_a_second_answer_would_be_a_copy(api: DecisionApi):
    assert "decision model" in always_same(judge_of(api))
