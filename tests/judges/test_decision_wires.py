"""The formats of decision models: what is sent, and what is made of anything that comes back."""

from __future__ import annotations

import json
import math
from typing import Any

import openai
import pydantic
import pytest
from openai.types.decision import Decision
from openai.types.decision_create_params import DecisionCreateParams

from llm_juries.errors import JuriesError
from llm_juries.judges.errors import TransientError
from llm_juries.judges.http.decision_wire import Capacity, shared_out
from llm_juries.judges.http.wire import MalformedError
from llm_juries.judges.http.wires import DECISION_WIRES
from llm_juries.types import DECIDED, TIED, Option, Question, Reply

STATE = {"question": "What is 2 + 2?", "references": ["4"], "answer": "Four"}
YES_NO = Question(
    "yes_no", STATE, "Grade the answer.", (Option("0", "it is wrong"), Option("1", "it is correct"))
)
CHOICE = Question(
    "choice",
    STATE,
    "Check the claim.",
    (Option("supported", "the passage says so"), Option("refuted"), Option("not enough info")),
)
SCORE = Question(
    "score",
    STATE,
    "Rate the answer.",
    (Option("1", "it is poor"), Option("2", "it is fair"), Option("3", "it is good")),
)
ALL = (YES_NO, CHOICE, SCORE)
SYSTEMONE, DECISIONS = DECISION_WIRES["systemone"], DECISION_WIRES["decisions"]

# What typesafe-sdk 0.7.5 sends for these questions (Noul, Choice and Score objects).
OF_THE_SDK: dict[str, Any] = {
    "state": STATE,
    "model": "jev-1.14.0",
    "questions": {
        "q1": {
            "type": "noul",
            "instructions": "Grade the answer.",
            "criteria": {"true": "it is correct", "false": "it is wrong"},
        },
        "q2": {
            "type": "choice",
            "instructions": "Check the claim.",
            "criteria": {
                "supported": "the passage says so",
                "refuted": None,
                "not enough info": None,
            },
        },
        "q3": {
            "type": "score",
            "instructions": "Rate the answer.",
            "criteria": ["it is poor", "it is fair", "it is good"],
        },
    },
}


def test_systemone_sends_what_the_vendors_sdk_sends():
    assert SYSTEMONE.body("jev-1.14.0", ALL, {}) == OF_THE_SDK


def test_further_fields_are_sent_as_they_are():
    thinking = {"chat_template_kwargs": {"enable_thinking": False}}
    assert SYSTEMONE.body("m", ALL, thinking).items() >= thinking.items()
    assert DECISIONS.body("m", ALL, {"safety_identifier": "x"})["safety_identifier"] == "x"


def test_decisions_sends_what_openais_sdk_takes():
    body = DECISIONS.body("gpt-6-luna", ALL, {})
    pydantic.TypeAdapter(DecisionCreateParams).validate_python(body, strict=True)
    assert json.loads(body["input"]) == STATE
    predicate, choice, score = body["questions"]
    assert predicate == {
        "type": "predicate",
        "instructions": "Grade the answer.\n\nTrue: it is correct\nFalse: it is wrong",
    }
    assert choice["choices"] == [
        {"value": "supported", "description": "the passage says so"},
        {"value": "refuted"},
        {"value": "not enough info"},
    ]
    assert score["levels"][0] == {"label": "1", "description": "it is poor"}
    assert hasattr(openai.OpenAI(api_key="planted"), "decisions")  # the path is the SDK's own


def systemone(**changed: Any) -> dict[str, Any]:
    """Return vLLM's answers to ALL, some of them changed."""
    answers = {
        "q1": {"type": "noul", "noul": 0.75, "confidence": 0.6},
        "q2": {
            "type": "choice",
            "choice": "refuted",
            "probabilities": {"supported": 0.2, "refuted": 0.7, "not enough info": 0.1},
            "confidence": 0.63,
        },
        "q3": {
            "type": "score",
            "score": 1.1,
            "legend": {"0": "it is poor", "1": "it is fair", "2": "it is good"},
            "probabilities": {"0": 0.2, "1": 0.5, "2": 0.3},
            "confidence": 0.45,
        },
    }
    for name, change in changed.items():
        answers[name] = answers[name] | change if isinstance(change, dict) else change
    return {
        "model": "m",
        "answers": answers,
        "usage": {"input_tokens": 100, "output_tokens": 3},
        "diagnostics": {name: {"label_mass": 0.9, "argmax_is_label": True} for name in answers},
    }


def decisions(**changed: Any) -> dict[str, Any]:
    """Return OpenAI's answers to ALL, some of them changed."""
    answers: list[Any] = [
        {"type": "predicate", "name": None, "probability": 0.75},
        {
            "type": "choice",
            "name": None,
            "choice": "refuted",
            "confidence": 0.5,
            "probabilities": [
                {"value": "refuted", "probability": 0.7},
                {"value": "supported", "probability": 0.2},
                {"value": "not enough info", "probability": 0.1},
            ],
        },
        {
            "type": "score",
            "name": None,
            "score": 1.1,
            "confidence": 0.4,
            "probabilities": [
                {"value": 0, "label": "1", "probability": 0.2},
                {"value": 1, "label": "2", "probability": 0.5},
                {"value": 2, "label": "3", "probability": 0.3},
            ],
        },
    ]
    for name, change in changed.items():
        place = int(name[1:]) - 1
        answers[place] = answers[place] | change if isinstance(change, dict) else change
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 5},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 100,
    }
    return {"model": "gpt-6-luna", "answers": answers, "usage": usage}


def shares(reply: Reply) -> dict[str, float]:
    return {word: math.exp(lp) for word, lp in reply.choice_logprobs.items()}


@pytest.mark.parametrize("answers", [systemone, decisions])
def test_probabilities_go_where_token_probabilities_go(answers: Any):
    wire = SYSTEMONE if answers is systemone else DECISIONS
    yes_no, choice, score = wire.replies(answers(), ALL)
    assert shares(yes_no) == pytest.approx({"0": 0.25, "1": 0.75})
    assert shares(choice) == pytest.approx(
        {"supported": 0.2, "refuted": 0.7, "not enough info": 0.1}
    )
    assert shares(score) == pytest.approx({"1": 0.2, "2": 0.5, "3": 0.3})
    assert {reply.finish_reason for reply in (yes_no, choice, score)} == {DECIDED}
    if answers is systemone:
        assert (choice.confidence, choice.label_mass) == (0.63, 0.9)
        assert json.loads(score.text) == answers()["answers"]["q3"]
    else:
        Decision.model_validate(answers())  # the SDK reads it, too
        assert (yes_no.confidence, choice.confidence, choice.label_mass) == (None, 0.5, None)


def test_a_servers_own_name_for_the_label_mass_is_known():
    body = systemone(q2={"x_label_mass": 0.4})
    assert SYSTEMONE.replies(body, ALL)[1].label_mass == 0.4


def test_a_refusal_is_one_of_its_question_alone():
    replies = DECISIONS.replies(decisions(q2=None) | {"answers": [
        decisions()["answers"][0], {"type": "refusal", "name": None}, decisions()["answers"][2],
    ]}, ALL)  # fmt: skip
    assert [reply.stop for reply in replies] == ["stop", "refusal", "stop"]


@pytest.mark.parametrize(
    ("change", "tied"),
    [
        ({"q1": {"noul": 0.5}}, "tied at 0.5: 0, 1; "),
        (
            {"q3": {"probabilities": {"0": 0.4, "1": 0.2, "2": 0.4}, "score": 1.0}},
            "tied at 0.4: 1, 3; ",
        ),
        (
            {"q2": {"probabilities": {"supported": 0.45, "refuted": 0.45, "not enough info": 0.1}}},
            "tied at 0.45: supported, refuted; ",
        ),
    ],
)
def test_a_tie_says_so_and_keeps_its_probabilities(change: dict[str, Any], tied: str):
    replies = SYSTEMONE.replies(systemone(**change), ALL)
    (reply,) = [reply for reply in replies if reply.finish_reason == TIED]
    assert reply.text.startswith(tied)
    assert reply.choice_logprobs
    assert not reply.error


def test_rounded_probabilities_need_not_add_up_to_one():
    shares_ = {"supported": 0.33, "refuted": 0.34, "not enough info": 0.32}
    reply = SYSTEMONE.replies(systemone(q2={"probabilities": shares_}), ALL)[1]
    assert sum(shares(reply).values()) == pytest.approx(1)


NAN, THIRDS = float("nan"), {"supported": 1 / 3, "refuted": 1 / 3, "not enough info": 1 / 3}
HOSTILE: list[tuple[str, Any, str]] = [
    ("q1", None, "there is no answer to this question"),
    ("q1", [0.5], "the answer is a list, not an object"),
    ("q1", {"type": "choice"}, "the answer's type is 'choice', not 'noul'"),
    ("q1", {"type": {"a": 1}}, "not 'noul'"),
    ("q1", {"noul": None}, "noul is null, not a number"),
    ("q1", {"noul": True}, "noul is true, not a number"),
    ("q1", {"noul": "0.7"}, "noul is a text, not a number"),
    ("q1", {"noul": NAN}, "noul is nan"),
    ("q1", {"noul": 10**400}, "malformed answer"),
    ("q1", {"noul": 1.5}, "a probability is -0.5"),
    ("q2", {"probabilities": None}, "probabilities is null, not an object"),
    ("q2", {"probabilities": [0.2, 0.7, 0.1]}, "probabilities is a list, not an object"),
    ("q2", {"probabilities": {"refuted": 1.0}}, "probabilities has no 'supported'"),
    ("q2", {"probabilities": THIRDS | {"maybe": 0.0}}, "has 'maybe', which was not asked for"),
    ("q2", {"probabilities": THIRDS | {"refuted": 0.9}}, "probabilities add up to 1.56667"),
    ("q2", {"probabilities": dict.fromkeys(THIRDS, 0)}, "probabilities add up to 0"),
    ("q2", {"probabilities": THIRDS | {"refuted": -0.1}}, "a probability is -0.1"),
    ("q2", {"probabilities": THIRDS | {"refuted": math.inf}}, "a probability is inf"),
    ("q2", {"choice": "maybe"}, "the choice is 'maybe', which is not an option"),
    ("q2", {"choice": ["refuted"]}, "which is not an option"),
    ("q2", {"choice": "supported"}, "the choice is 'supported', and 'refuted' is likelier"),
    ("q3", {"score": 2.0}, "the score is 2, and its probabilities give 1.1"),
    ("q3", {"score": None, "probabilities": {"0": 1}}, "probabilities has no '1'"),
    ("q3", {"score": "1.1"}, "score is a text, not a number"),
    ("q3", {"legend": {"0": "it is good", "1": "it is fair", "2": "it is poor"}}, "another order"),
    ("q3", {"legend": None}, "legend is null, not an object"),
]


@pytest.mark.parametrize(("name", "change", "said"), HOSTILE)
def test_a_malformed_answer_costs_its_own_vote(name: str, change: Any, said: str):
    replies = SYSTEMONE.replies(systemone(**{name: change}), ALL)
    place = int(name[1:]) - 1
    assert replies[place].stop == "error"
    assert said in replies[place].error
    assert replies[place].choice_logprobs == {}
    assert [reply.stop for n, reply in enumerate(replies) if n != place] == ["stop", "stop"]


PAIRS = decisions()["answers"][1]["probabilities"]
LEVELS = decisions()["answers"][2]["probabilities"]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("q1", {"probability": NAN}, "probability is nan"),
        ("q2", {"probabilities": PAIRS[:2]}, "other options than were asked for"),
        ("q2", {"probabilities": [*PAIRS, PAIRS[0]]}, "other options than were asked for"),
        ("q2", {"probabilities": [PAIRS[0]] * 3}, "other options than were asked for"),
        ("q2", {"probabilities": {"refuted": 1}}, "is an object, not a list of objects"),
        ("q2", {"probabilities": [1, 2, 3]}, "is a list, not a list of objects"),
        ("q2", {"choice": True}, "the choice is True, which is not an option"),
        ("q3", {"probabilities": [level | {"value": True} for level in LEVELS]}, "other options"),
        ("q3", {"probabilities": [level | {"label": "1"} for level in LEVELS]}, "other labels"),
    ],
)
def test_a_malformed_answer_of_openais_costs_its_own_vote(name: str, change: Any, said: str):
    replies = DECISIONS.replies(decisions(**{name: change}), ALL)
    assert said in replies[int(name[1:]) - 1].error
    assert sum(reply.stop == "error" for reply in replies) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"answers": []}, "answers is a list, not an object"),
        ({"answers": {"q1": {}, "other": {}}}, "answers has 'other', which was not asked for"),
        (systemone() | {"diagnostics": []}, "diagnostics is a list, not an object"),
        (systemone() | {"diagnostics": {"q1": 3}}, "q1 is a number, not an object"),
    ],
)
def test_a_response_of_another_form_is_malformed(body: dict[str, Any], said: str):
    with pytest.raises(MalformedError, match=said):
        SYSTEMONE.replies(body, ALL)


def test_fewer_answers_than_questions_are_malformed_and_none_at_all_is_retried():
    with pytest.raises(MalformedError, match="2 answers to 3 questions"):
        DECISIONS.replies({"answers": [{}, {}]}, ALL)
    for wire in (SYSTEMONE, DECISIONS):
        with pytest.raises(TransientError, match="no field 'answers'"):
            wire.replies({"model": "m"}, ALL)


@pytest.mark.parametrize("value", [NAN, -0.1, 1.2, "high", True])
def test_a_confidence_or_mass_that_can_not_be_one_is_left_out(value: Any):
    reply = SYSTEMONE.replies(systemone(q2={"confidence": value, "x_label_mass": value}), ALL)[1]
    assert (reply.stop, reply.confidence, reply.label_mass) == ("stop", None, None)


def test_tokens_are_shared_out_without_being_counted_twice():
    shared = shared_out([Reply()] * 3, {"input_tokens": 100, "output_tokens": None})
    assert [reply.input_tokens for reply in shared] == [34, 33, 33]
    assert [reply.output_tokens for reply in shared] == [None] * 3
    assert DECISIONS.usage(decisions()) == {
        "input_tokens": 100, "cached_tokens": 10, "cache_write_tokens": 5, "output_tokens": 0,
        "thinking_tokens": 0,
    }  # fmt: skip


def test_what_a_server_does_not_hold_is_refused():
    Capacity(options=3, levels=3).check(CHOICE, "j")
    with pytest.raises(
        JuriesError, match=r"has 3 options, and judge j takes 2; .*capacity\.options"
    ):
        Capacity(options=2).check(CHOICE, "j")
    with pytest.raises(JuriesError, match="has 3 levels, and judge j takes 2"):
        Capacity(levels=2).check(SCORE, "j")
    with pytest.raises(JuriesError, match="levels: must be 2 or more"):
        Capacity(levels=1)
