"""Recorded judges say what stands in their table and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from llm_juries.data.dataset import Dataset, Recording, Seen
from llm_juries.judges.recorded import RecordedJudge, recorded_judges
from llm_juries.scale import Scale
from llm_juries.types import Item, Order, Outcome, Reading
from shared_prompts import ANSWER as PROMPT

SINGLE, PAIR = Item("d", "q1", "a"), Item("d", "q1", "a", opponent="b")
RECORDING = Recording(
    judge="haiku",
    prompt="short",
    family="anthropic",
    kind="judge",
    source="5ea1",
    cells={
        Seen("q1", "a", "", Order.ORIGINAL): "0.7",
        Seen("q1", "a", "b", Order.ORIGINAL): "first",
        Seen("q1", "a", "b", Order.SWAPPED): "second",
        Seen("q2", "a", "", Order.ORIGINAL): "",
    },
    threshold=0.75,
    scale=Scale.binary(words={"first": "1", "second": "0"}),
)
JUDGE = RecordedJudge("haiku", RECORDING)


def reading(item: Item, order: Order = Order.ORIGINAL) -> Reading:
    request = JUDGE.request(item, order, PROMPT)
    assert request is not None
    (reply,) = asyncio.run(JUDGE.ask([request]))
    return JUDGE.reader(PROMPT, Order.ORIGINAL).read(reply)


@pytest.mark.parametrize(
    ("item", "order", "expected"),
    [
        (SINGLE, Order.ORIGINAL, Reading(Outcome.OK, "0", 0.7)),
        (PAIR, Order.ORIGINAL, Reading(Outcome.OK, "1")),
        (PAIR, Order.SWAPPED, Reading(Outcome.OK, "0")),
        (Item("d", "q2", "a"), Order.ORIGINAL, Reading(Outcome.UNPARSED)),
    ],
    ids=["number", "pair", "swapped pair", "empty"],
)
def test_a_recorded_cell_is_read_by_its_own_words_and_threshold(
    item: Item, order: Order, expected: Reading
):
    assert reading(item, order) == expected


@pytest.mark.parametrize(
    ("item", "order"),
    [
        (SINGLE, Order.SWAPPED),
        (Item("d", "q3", "a"), Order.ORIGINAL),
        (Item("d", "q1", "c"), Order.ORIGINAL),
        (Item("d", "q1", "a", opponent="c"), Order.ORIGINAL),
    ],
    ids=["order", "question", "candidate", "opponent"],
)
def test_what_was_not_recorded_cannot_be_asked(item: Item, order: Order):
    assert JUDGE.request(item, order, PROMPT) is None


def test_a_request_carries_the_recordings_prompt():
    request = JUDGE.request(SINGLE, Order.ORIGINAL, PROMPT)
    assert request is not None
    assert request.prompt == "short"


@pytest.mark.parametrize("part", ["source", "judge", "prompt"])
def test_another_recording_has_other_keys(part: str):
    other = RecordedJudge("haiku", replace(RECORDING, **{part: "other"}))
    requests = [judge.request(SINGLE, Order.ORIGINAL, PROMPT) for judge in (JUDGE, other)]
    assert requests[0].key != requests[1].key


def test_the_orders_of_a_pair_have_keys_of_their_own():
    keys = {JUDGE.request(PAIR, order, PROMPT).key for order in Order}
    assert len(keys) == 2


def test_a_recorded_judge_is_free_and_known_by_family_and_kind():
    judge = RecordedJudge("h", replace(RECORDING, kind="lexical"))
    assert (judge.free, judge.family, judge.kind) == (True, "anthropic", "lexical")


@pytest.mark.parametrize(
    ("prompts", "names"),
    [
        ([("haiku", "short"), ("gpt", "short")], ["haiku", "gpt"]),
        ([("haiku", "short"), ("haiku", "long")], ["haiku@short", "haiku@long"]),
        (
            [("haiku", ""), ("haiku@long", ""), ("haiku@long:2", "")],
            ["haiku", "haiku@long", "haiku@long:2"],
        ),
        ([("GPT-4: 0613 (a/b@c:d)", "short"), ("gpt", "")], ["GPT-4: 0613 (a/b@c:d)@short", "gpt"]),
        ([], []),
    ],
    ids=["one prompt", "two prompts", "seats", "odd names", "none"],
)
def test_judges_are_named_with_their_prompt_where_prompts_differ(
    prompts: list[tuple[str, str]], names: list[str]
):
    recordings = tuple(replace(RECORDING, judge=j, prompt=p) for j, p in prompts)
    judges = recorded_judges(Dataset("d", (SINGLE,), recordings=recordings))
    assert [judge.name for judge in judges] == names
