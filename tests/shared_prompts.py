"""The prompts of most tests: of an answer, of a question with its answer, and on three criteria."""

from __future__ import annotations

from llm_juries.prompts.prompt import Decision, Prompt
from llm_juries.scale import Scale

WORDS = {"True": 1.0, "False": 0.0}
ANSWER = Prompt("p", "{{ answer }}", WORDS)
QUESTION_AND_ANSWER = Prompt("p", "{{ question }} {{ answer }}", WORDS)
CRITERIA = {"brevity": "no longer than needed", "clarity": "easy to follow", "tone": "polite"}
BY_CRITERIA = Prompt(
    "c",
    "{{ criterion }} {{ criterion_description }} {{ question }} {{ answer }}",
    scale=Scale.ordinal(1, 3),
    instruction="Rate it.",
    decision=Decision(meanings={"1": "poor", "2": "fair", "3": "good"}),
    criteria=CRITERIA,
)
