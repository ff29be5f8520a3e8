"""The prompts of most tests: of an answer, and of a question with its answer, in two words."""

from __future__ import annotations

from llm_juries.prompts.prompt import Prompt

WORDS = {"True": 1.0, "False": 0.0}
ANSWER = Prompt("p", "{{ answer }}", WORDS)
QUESTION_AND_ANSWER = Prompt("p", "{{ question }} {{ answer }}", WORDS)
