"""Real vLLM's /v1/systemone, with a small Qwen3 of random weights: the protocol, not verdicts."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from real_vllm import random_model, vllm_serve

from llm_juries.config.build import build
from llm_juries.config.composing import composed
from llm_juries.judges.errors import JudgeUnavailableError
from llm_juries.judges.http.decision_judge import DecisionJudge
from llm_juries.judges.http.decision_wire import Capacity
from llm_juries.judges.http.server import Server
from llm_juries.prompts.prompt import Prompt
from llm_juries.types import DECIDED, Item, Order, Outcome, Reply

ITEM = Item("d", "q", "m", question="Which metal is Au?", answer="Gold", references=("gold",))


@pytest.fixture(scope="module")
def address(vllm_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = random_model(vllm_python, "qwen3", tmp_path_factory.mktemp("qwen3"))
    with vllm_serve(vllm_python, folder, "--served-model-name=tiny") as address:
        yield address


def judge_of(address: str, model: str = "tiny", **changes: Any) -> DecisionJudge:
    return DecisionJudge("j", "f", "systemone", model, server=Server(address, ""), **changes)


def asked(judge: DecisionJudge, prompt: Prompt, *items: Item) -> list[Reply]:
    async def ask() -> list[Reply]:
        await judge.ready()
        await judge.open()
        try:
            made = [judge.request(item, Order.ORIGINAL, prompt) for item in items]
            return await judge.ask([request for request in made if request is not None])
        finally:
            await judge.close()

    return asyncio.run(ask())


def prompt_of(name: str) -> Prompt:
    """Return a prompt of conf that takes the little label mass of a random model."""
    prompt = build(composed("judge", [f"prompt={name}"]).prompt, "prompt")
    assert isinstance(prompt, Prompt)
    return replace(prompt, least_mass=0.0)


def on_criteria(prompt: Prompt) -> list[Item]:
    return [
        replace(ITEM, criterion=name, criterion_description=text)
        for name, text in (prompt.criteria or {}).items()
    ]


@pytest.mark.parametrize("name", ["few_shot_standard", "claim_check", "single_point", "pairwise"])
def test_each_kind_of_question_has_a_probability_for_each_of_its_words(address: str, name: str):
    prompt = prompt_of(name)
    item = replace(ITEM, opponent="n", opponent_answer="Silver") if prompt.compares else ITEM
    (reply,) = asked(judge_of(address), prompt, item)
    assert (reply.stop, reply.finish_reason, reply.model) == ("stop", DECIDED, "tiny"), reply
    assert set(reply.choice_logprobs) == set(prompt.choices)
    assert sum(map(math.exp, reply.choice_logprobs.values())) == pytest.approx(1)
    assert reply.label_mass is not None
    assert reply.confidence is not None
    most = math.exp(max(reply.choice_logprobs.values()))
    assert reply.confidence == pytest.approx(most * reply.label_mass)  # as vLLM defines it
    assert prompt.reader.read(reply).outcome is Outcome.OK


def test_criteria_travel_in_one_call_and_are_answered_as_if_alone(address: str):
    prompt = prompt_of("helpful_faithful")
    items = on_criteria(prompt)
    together = asked(judge_of(address), prompt, *items)
    alone = [asked(judge_of(address), prompt, item)[0] for item in items]
    assert len(together) == 2
    for one, other in zip(together, alone, strict=True):
        assert one.choice_logprobs == pytest.approx(dict(other.choice_logprobs), abs=1e-3)
    tokens = [sum(reply.input_tokens or 0 for reply in replies) for replies in (together, alone)]
    assert tokens[0] == tokens[1] > 0


def test_a_random_models_label_mass_is_no_verdict(address: str):
    prompt = replace(prompt_of("few_shot_standard"), least_mass=0.9)
    (reply,) = asked(judge_of(address), prompt, ITEM)
    assert prompt.reader.read(reply).outcome is Outcome.UNPARSED


def test_more_levels_than_vllm_holds_are_its_error_or_ours_before(address: str):
    wide = replace(
        prompt_of("single_point"),
        labels={str(level): level for level in range(12)},
        decision=None,
    )
    meant = {str(level): f"as good as {level}" for level in range(12)}
    decision = prompt_of("single_point").decision
    assert decision is not None
    wide = replace(wide, decision=replace(decision, meanings=meant))
    (reply,) = asked(judge_of(address, capacity=Capacity(levels=12)), wide, ITEM)
    assert reply.stop == "rejected"
    assert "at most 10 options" in reply.error


def test_a_state_that_is_too_long_is_rejected_alone(address: str):
    prompt = prompt_of("few_shot_standard")
    (reply,) = asked(judge_of(address), prompt, replace(ITEM, answer="word " * 6000))
    assert (reply.stop, reply.finish_reason) == ("rejected", "context_length_exceeded")


def test_thinking_is_refused_by_vllm_and_an_unknown_model_ends_the_judge(address: str):
    prompt = prompt_of("few_shot_standard")
    thinking = {"chat_template_kwargs": {"enable_thinking": True}}
    (reply,) = asked(judge_of(address, extra=thinking), prompt, ITEM)
    assert reply.stop == "rejected"
    assert "thinking must be off" in reply.error
    with pytest.raises(JudgeUnavailableError, match="does not exist"):
        asked(judge_of(address, model="other"), prompt, ITEM)


def test_a_model_that_is_no_decision_model_ends_the_judge(
    vllm_python: str, tmp_path_factory: pytest.TempPathFactory
):
    folder = random_model(vllm_python, "mistral", tmp_path_factory.mktemp("mistral"))
    with (
        vllm_serve(vllm_python, folder, "--served-model-name=tiny") as address,
        pytest.raises(JudgeUnavailableError, match="HTTP 501"),
    ):
        asked(judge_of(address), prompt_of("few_shot_standard"), ITEM)
