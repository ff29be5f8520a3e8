"""The prompts paper_*: the paper's content and numbers of shots, and what each variant changes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import fields
from typing import Any

import pytest
from test_prompt import item, shipped

from llm_juries.prompts.prompt import Prompt
from llm_juries.prompts.questions import question_of
from llm_juries.types import Message

FEW_SHOT = ("paper_few_shot", "paper_few_shot_hotpotqa", "paper_few_shot_multihop")
ITEM = item(
    question="Who wrote Emma?", answer="Jane Austen\n(Document [2])", references=("Austen",)
)
SHOWN = "Question: Who wrote Emma?\nProvided Answer: Jane Austen (Document [2])\n"
SHOWN += "Reference Answer: Austen\nCorrect:"
INSTRUCTION = (
    "Compare the provided answer with the reference answer, and decide whether it answers the "
    "question correctly. Treat other formats of a date, a person's missing middle names and "
    "alternative spellings as the same. Say exactly True if the provided answer is correct, and "
    "exactly False if it is not."
)


def changed(name: str, base: str = "paper_few_shot") -> set[str]:
    """Return the parts in which a prompt differs from another, but for its name."""
    one, other = shipped(name), shipped(base)
    found = {f.name for f in fields(Prompt) if getattr(one, f.name) != getattr(other, f.name)}
    return found - {"name"}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("paper_few_shot_hotpotqa", {"shots"}),
        ("paper_few_shot_multihop", {"shots"}),
        ("paper_zero_shot", {"shots"}),
        ("paper_no_instruction", {"instruction", "decision"}),
        ("paper_moved_instruction", {"instruction_as"}),
        ("paper_chat_shots", {"shots_as"}),
        ("paper_dont_overthink", {"system"}),
    ],
)
def test_a_variant_changes_one_thing(name: str, parts: set[str]):
    assert changed(name) == parts


def test_the_form_of_an_item_is_that_of_the_standard_prompt_and_the_rule_of_our_own_is_gone():
    assert changed("paper_few_shot", "few_shot_standard") == {"instruction", "decision", "shots"}
    assert "only mentions" in shipped("few_shot_standard").instruction
    assert shipped("paper_few_shot").instruction == INSTRUCTION
    decision: Any = shipped("paper_few_shot").decision
    assert INSTRUCTION.startswith(decision.instruction)


def test_zero_shot_is_the_instruction_and_the_item():
    assert shipped("paper_zero_shot").render(ITEM) == (
        Message("user", f"{INSTRUCTION}\n\n{SHOWN}"),
    )


def test_few_shot_is_one_message_of_instruction_shots_and_item():
    (message,) = shipped("paper_few_shot").render(ITEM)
    instruction, *shots, last = message.content.split("\n\n")
    assert instruction == INSTRUCTION
    assert last == SHOWN
    assert shots[0] == (
        "Question: On what date was the Suez Canal opened to shipping?\n"
        "Provided Answer: The Suez Canal was opened on 17 November 1869 after ten years of "
        "construction, according to Document [3]. Document [7] adds that the French empress "
        "Eugénie was among the guests.\n"
        "Reference Answer: November 17, 1869\n"
        "Correct: True"
    )
    assert Counter(shot.rpartition("\nCorrect: ")[2] for shot in shots) == {"True": 5, "False": 5}


def test_variants_move_the_same_texts_into_other_messages():
    (message,) = shipped("paper_few_shot").render(ITEM)
    without = message.content.removeprefix(f"{INSTRUCTION}\n\n")
    assert shipped("paper_no_instruction").render(ITEM) == (Message("user", without),)
    assert shipped("paper_moved_instruction").render(ITEM) == (
        Message("system", INSTRUCTION),
        Message("user", without),
    )
    assert shipped("paper_dont_overthink").render(ITEM) == (
        Message("system", shipped("paper_dont_overthink").system),
        message,
    )
    turns = shipped("paper_chat_shots").render(ITEM)
    assert [turn.role for turn in turns] == ["user", "assistant"] * 10 + ["user"]
    asked, answered = turns[::2], turns[1::2]
    written = [f"{a.content} {b.content}" for a, b in zip(asked[:-1], answered, strict=True)]
    assert "\n\n".join([*written, asked[-1].content]) == message.content


@pytest.mark.parametrize("name", FEW_SHOT)
def test_the_shots_are_long_and_cite_documents_up_to_the_ninth(name: str):
    cited = set()
    for shot in shipped(name).shots:
        numbers = [int(number) for number in re.findall(r"\[(\d+)\]", shot.answer)]
        assert numbers, shot.question
        assert len(shot.answer.split()) >= 3 * len(" ".join(shot.references).split())
        cited |= set(numbers)
    assert max(cited) == 9
    assert min(cited) == 1


@pytest.mark.parametrize("name", FEW_SHOT)
def test_no_shot_is_one_of_our_own_prompts(name: str):
    own = (
        {shot.question for shot in shipped(name.removeprefix("paper_")).shots}
        if (name != "paper_few_shot")
        else {shot.question for shot in shipped("few_shot_standard").shots}
    )
    assert not own & {shot.question for shot in shipped(name).shots}


@pytest.mark.parametrize("name", [*FEW_SHOT, "paper_zero_shot", "paper_no_instruction"])
def test_a_decision_model_is_asked_under_them_too(name: str):
    asked = question_of(shipped(name), ITEM)
    assert asked.kind == "yes_no"
    assert asked.state["provided answer"] == ITEM.answer
    assert ("missing middle names" in asked.instructions) is (name != "paper_no_instruction")
