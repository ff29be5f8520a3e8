"""Prompts as typed questions to decision models."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conftest import ROOT
from llm_juries.config.build import build
from llm_juries.config.composing import composed
from llm_juries.errors import JuriesError
from llm_juries.prompts.prompt import Decision, Prompt, Shot
from llm_juries.prompts.questions import question_of
from llm_juries.scale import Scale
from llm_juries.types import Item, Option, Order

ITEM = Item(
    "d", "q", "m", question="2 + 2?", answer='"4",\nhe said', references=("4",), opponent="n",
    opponent_answer="5",
)  # fmt: skip
ON_BREVITY = replace(ITEM, criterion="brevity", criterion_description="no longer than needed")
BINARY = Prompt(
    "p",
    "{{ question }} {{ references }} {{ answer }}",
    {"Yes": 1, "Right": 1, "No": 0},
    "Grade it.",
)
LEVELS = ("poor", "fair", "good")


def graded(**changes: object) -> Prompt:
    scale = Scale.ordinal(levels=LEVELS)
    told = Decision(meanings={word: f"it is {word}" for word in LEVELS})
    return replace(Prompt("g", "{{ answer }}", scale=scale, decision=told), **changes)


def test_a_binary_scale_is_a_yes_no_question_about_the_texts_that_the_template_shows():
    question = question_of(BINARY, ITEM)
    assert question.kind == "yes_no"
    assert question.state == {"question": "2 + 2?", "references": ["4"], "answer": '"4",\nhe said'}
    assert question.instructions == "Grade it."
    assert question.options == (Option("No"), Option("Yes"))  # the words of one value are one


def test_no_reference_is_no_field():
    assert "references" not in question_of(BINARY, replace(ITEM, references=())).state


def test_categories_are_a_choice_and_levels_a_score_from_the_lowest():
    categories = Prompt("n", "{{ answer }}", scale=Scale.nominal("a", "b", "c"))
    assert question_of(categories, ITEM).kind == "choice"
    assert question_of(categories, ITEM).options == (Option("a"), Option("b"), Option("c"))
    question = question_of(graded(), ITEM)
    assert question.kind == "score"
    assert question.options == tuple(Option(word, f"it is {word}") for word in LEVELS)
    falling = Prompt(
        "f", "{{ answer }}", {"5": 5, "1": 1, "3": 3},
        decision=Decision(meanings={"1": "bad", "3": "fair", "5": "good"}),
    )  # fmt: skip
    assert [option.word for option in question_of(falling, ITEM).options] == ["1", "3", "5"]


def test_a_score_whose_levels_have_no_meaning_is_refused():
    with pytest.raises(JuriesError, match=r"^prompt g: its level 'fair' has no meaning"):
        question_of(graded(decision=Decision(meanings={"poor": "bad"})), ITEM)


def test_a_number_of_an_interval_is_refused():
    prompt = Prompt("i", "{{ answer }}", scale=Scale.interval(0, 100))
    with pytest.raises(JuriesError, match=r"^prompt i: its scale is interval \(0 to 100\)"):
        question_of(prompt, ITEM)


def test_a_pair_needs_the_names_of_its_answers_and_is_shown_in_both_orders():
    pair = Prompt(
        "c", "{{ answer }} {{ opponent_answer }}", {"A": 1, "tie": 0.5, "B": 0}, "Compare A and B."
    )
    with pytest.raises(JuriesError, match=r"^prompt c: compares two answers.*decision\.fields"):
        question_of(pair, ITEM)
    named = replace(pair, decision=Decision(fields={"answer": "A", "opponent_answer": "B"}))
    assert question_of(named, ITEM).state == {"A": '"4",\nhe said', "B": "5"}
    assert question_of(named, ITEM, Order.SWAPPED).state == {"A": "5", "B": '"4",\nhe said'}
    assert question_of(named, ITEM).kind == "choice"


def test_shots_and_the_criterion_are_part_of_the_instructions():
    prompt = Prompt(
        "s",
        "{{ criterion }} {{ criterion_description }} {{ question }} {{ answer }}",
        {"True": 1, "False": 0},
        "Ignored.",
        shots=(Shot("1 + 1?", "2", "True"),),
        system="Be brief.",
        decision=Decision("Is the answer right?", {"True": "it is right"}),
    )
    question = question_of(prompt, ON_BREVITY)
    assert question.instructions.split("\n\n") == [
        "Be brief.",
        "Is the answer right?",
        "Criterion: brevity (no longer than needed)",
        "Examples with their correct answers:",
        '{"question": "1 + 1?", "answer": "2"}\nAnswer: it is right',
    ]
    assert question.options == (Option("False"), Option("True", "it is right"))


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (Decision(meanings={"Yess": "x"}), "'Yess' is not a verdict word of the prompt"),
        (Decision(fields={"anser": "x"}), "'anser' is not a text of the prompt"),
        (Decision(fields={"answer": "question"}), "two texts have one name"),
        (Decision(fields={"answer": ""}), "two texts have one name, or one has none"),
    ],
)
def test_a_wrong_name_is_refused(decision: Decision, said: str):
    with pytest.raises(JuriesError, match=said):
        replace(BINARY, decision=decision)


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in (ROOT / "conf/prompt").glob("*.yaml"))
)
def test_every_prompt_of_conf_is_a_question_except_those_of_a_number(name: str):
    prompt = build(composed("judge", [f"prompt={name}"]).prompt, "prompt")
    item = ON_BREVITY if "criterion" in prompt.template else ITEM
    if name == "single_point_100":
        with pytest.raises(JuriesError, match="chooses among"):
            question_of(prompt, item)
        return
    question = question_of(prompt, item)
    assert len(question.options) == len(set(question.options)) >= 2
    assert "exactly one" not in question.instructions  # how to reply is the server's to say
    assert all(option.meaning for option in question.options)
