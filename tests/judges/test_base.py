"""A request's key stands for all that determines its reply, and for nothing else."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_juries.errors import JuriesError
from llm_juries.judges.base import Limits, PromptedJudge, key_of
from llm_juries.judges.decoding import Decoding
from llm_juries.judges.llamacpp import LlamaCppJudge
from llm_juries.judges.model_files import ModelFile
from llm_juries.judges.word_logprobs import verdict_logprobs
from llm_juries.prompts.prompt import Prompt, Shot
from llm_juries.types import Item, Order, Reply, Request
from shared_prompts import QUESTION_AND_ANSWER as PROMPT

ITEM = Item("d", "q1", "m", question="Q", answer="A", references=("R",))

json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)


class Fingerprinted(PromptedJudge):
    decoding = Decoding(verdict_by="text", max_tokens=8)

    def __init__(self, fingerprint: dict[str, Any]) -> None:
        self.fingerprint = fingerprint

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        raise NotImplementedError


def key(item: Item = ITEM, prompt: Prompt = PROMPT, order: Order = Order.ORIGINAL) -> str:
    request = Fingerprinted({"model": "m"}).request(item, order, prompt)
    assert request is not None
    return request.key


def shuffled(value: Any, rnd: random.Random) -> Any:
    if isinstance(value, dict):
        pairs = list(value.items())
        rnd.shuffle(pairs)
        return {name: shuffled(inner, rnd) for name, inner in pairs}
    return [shuffled(inner, rnd) for inner in value] if isinstance(value, list) else value


@given(json_like, json_like, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_a_key_does_not_depend_on_the_order_of_a_dict(judge: Any, subject: Any, rnd: Any):
    assert key_of(judge, subject) == key_of(shuffled(judge, rnd), shuffled(subject, rnd))


@given(json_like, json_like)
@settings(max_examples=100, deadline=None)
def test_what_differs_has_another_key(one: Any, other: Any):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (key_of(one, "x") == key_of(other, "x")) is same
    assert (key_of("x", one) == key_of("x", other)) is same


def test_a_key_is_32_hex_digits():
    assert len(key_of({}, [])) == 32
    assert int(key_of({}, []), 16) > 0


def test_a_key_is_the_same_in_every_version_and_on_every_machine():
    # Stored verdicts are found by it: a change here makes every store of every user worthless.
    content = '[{"a":[true,null,0.5],"b":1},["é"]]'
    key = hashlib.sha256(content.encode()).hexdigest()[:32]
    assert key_of({"b": 1, "a": [True, None, 0.5]}, ["é"]) == key


LLAMA = {
    "file": ModelFile("m.gguf", "aa", 1),
    "prompt_as": "chat",
}


@pytest.mark.parametrize(
    "changed",
    [
        {"file": ModelFile("m.gguf", "bb", 1)},
        {"prompt_as": "text"},
        {"decoding": Decoding(verdict_by="logprobs", max_tokens=1)},
    ],
    ids=["weights", "template", "search"],
)
def test_another_model_or_decoding_is_another_key(changed: dict[str, Any]):
    judges = [LlamaCppJudge("j", "f", **(LLAMA | change)) for change in ({}, changed)]
    requests = [judge.request(ITEM, Order.ORIGINAL, PROMPT) for judge in judges]
    assert requests[0].key != requests[1].key


@pytest.mark.parametrize(
    "changed",
    [{"name": "other"}, {"family": "other"}, {"threads": 3}, {"slots": 2}, {"note": "x"}],
    ids=lambda changed: next(iter(changed)),
)
def test_what_leaves_the_reply_as_it_is_leaves_the_key(changed: dict[str, Any]):
    shared: dict[str, Any] = {"name": "j", "family": "f", **LLAMA}
    judges = [LlamaCppJudge(**(shared | change)) for change in ({}, changed)]
    requests = [judge.request(ITEM, Order.ORIGINAL, PROMPT) for judge in judges]
    assert requests[0].key == requests[1].key


@pytest.mark.parametrize("part", ["model", "revision", "temperature"])
def test_every_part_of_the_fingerprint_is_in_the_key(part: str):
    whole = {"model": "m", "revision": "r", "temperature": 0.0}
    judges = [Fingerprinted(whole), Fingerprinted(whole | {part: "other"})]
    requests = [judge.request(ITEM, Order.ORIGINAL, PROMPT) for judge in judges]
    assert requests[0].key != requests[1].key


@pytest.mark.parametrize(
    "changed",
    [
        {"template": "{{ question }}: {{ answer }}"},
        {"instruction": "Judge."},
        {"shots": (Shot("S", "B", "True"),)},
        {"labels": {"Yes": 1.0, "No": 0.0}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_an_edited_prompt_is_another_key(changed: dict[str, Any]):
    assert key() != key(prompt=replace(PROMPT, **changed))


def test_a_renamed_prompt_is_the_same_key():
    assert key() == key(prompt=replace(PROMPT, name="other"))


@pytest.mark.parametrize("changed", [{"answer": "B"}, {"question": "P"}])
def test_another_text_is_another_key(changed: dict[str, str]):
    assert key() != key(replace(ITEM, **changed))


@pytest.mark.parametrize(
    "changed", [{"item_id": "q2"}, {"candidate": "n"}, {"human": 1.0}, {"dataset": "e"}]
)
def test_what_the_judge_does_not_see_is_not_in_the_key(changed: dict[str, Any]):
    assert key() == key(replace(ITEM, **changed))


def test_the_orders_of_a_pair_have_keys_of_their_own():
    prompt = replace(PROMPT, template="{{ answer }} {{ opponent_answer }}")
    pair = replace(ITEM, opponent="n", opponent_answer="B")
    assert key(pair, prompt) != key(pair, prompt, Order.SWAPPED)


def test_an_item_without_texts_is_not_asked_about():
    item = Item("d", "q1", "m", human="1")
    assert Fingerprinted({}).request(item, Order.ORIGINAL, PROMPT) is None


@pytest.mark.parametrize(
    ("tokens", "found"),
    [
        ([("True", -0.1), ("False", -2.0)], {"True": -0.1, "False": -2.0}),
        ([(" True", math.log(0.5)), ("True\n", math.log(0.25))], {"True": math.log(0.75)}),
        ([("true", math.log(0.25)), (" TRUE", math.log(0.5))], {"True": math.log(0.75)}),
        ([("True.", -0.1), ("Trueish", -0.2), ("**True", -0.3)], {}),
        ([("Tru", -0.1), ("Gold", -0.2), ("", -0.3)], {}),
    ],
)
def test_verdict_words_are_found_among_the_likely_tokens(
    tokens: list[tuple[str, float]], found: dict[str, float]
):
    assert verdict_logprobs(tokens, ("True", "False")) == pytest.approx(found)


def test_a_word_that_no_token_is_is_left_to_the_text():
    tokens = [("Correct", -1.5), ("In", -0.4)]
    assert verdict_logprobs(tokens, ("Correct", "Incorrect")) == {}
    assert verdict_logprobs([("Correct", -0.1), ("In", -9.0)], ("Correct", "Incorrect")) == {
        "Correct": -0.1
    }
    assert verdict_logprobs([(" True", -0.1), ("F", -3.0), ("False", -3.1)], ("True", "False")) == {
        "True": -0.1, "False": -3.1
    }  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"in_flight": 0}, "in_flight: is 0; must be 1 or more"),  # it would wait for ever
        ({"batch": 0}, "batch: is 0"),
        ({"attempts": 0}, "attempts: is 0"),
        ({"requests_per_minute": 0}, "must be 1 or more, or null for none"),
        ({"tokens_per_minute": -1}, "tokens_per_minute: is -1"),
        ({"patience_s": float("nan")}, "patience_s: is nan"),
    ],
)
def test_limits_that_are_none_are_refused(limits: dict[str, Any], problem: str):
    with pytest.raises(JuriesError, match=problem):
        Limits(**limits)
