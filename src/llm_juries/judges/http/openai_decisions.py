"""OpenAI's Decisions API (beta), also the format of vLLM 0.33, Fireworks and others.

Read from openai-python 3.54 and vLLM 0.33. OpenAI rounds probabilities to two decimals, so they may
tie, and may not add up to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...prompts.questions import as_json
from ...types import Question, Reply
from ..decoding import Decoding
from .decision_wire import Answer, Capacity, answered, number, object_of, place_of
from .failures import CONTENT_FILTER
from .wire import Json, MalformedError, a_kind, field, name_of, usage

TYPES = {"yes_no": "predicate", "choice": "choice", "score": "score"}


class OpenAIDecisions:
    """Questions and answers in order."""

    path: str = "/decisions"
    base_url: str = "https://api.openai.com/v1"
    key_env: str | None = "OPENAI_API_KEY"
    batch_path: str = ""
    capacity: Capacity = Capacity(questions=200, options=255, levels=10)

    def headers(self, decoding: Decoding) -> dict[str, str]:  # noqa: ARG002
        """Return no headers of its own."""
        return {}

    def body(self, model: str, questions: Sequence[Question], extra: Mapping[str, Any]) -> Json:
        """Return the body of POST /v1/decisions."""
        return {
            "model": model,
            "input": as_json(questions[0].state),
            "questions": [_asked(question) for question in questions],
            **extra,
        }

    def replies(self, body: Json, questions: Sequence[Question]) -> list[Reply]:
        """Parse the answers, each of which may be a refusal."""
        answers = field(body, "answers")
        if not isinstance(answers, list):
            raise MalformedError(f"answers is {a_kind(answers)}, not a list")
        if len(answers) != len(questions):
            raise MalformedError(f"{len(answers)} answers to {len(questions)} questions")
        return [
            Reply(stop="refusal", finish_reason=CONTENT_FILTER, model=name_of(body))
            if isinstance(given, dict) and given.get("type") == "refusal"
            else answered(question, given, _answer, body)
            for question, given in zip(questions, answers, strict=True)
        ]

    def usage(self, body: Json) -> Json:
        """Return the call's token counts."""
        return {
            "input_tokens": usage(body, "input_tokens"),
            "cached_tokens": usage(body, "input_tokens_details", "cached_tokens"),
            "cache_write_tokens": usage(body, "input_tokens_details", "cache_write_tokens"),
            "output_tokens": usage(body, "output_tokens"),
            "thinking_tokens": usage(body, "output_tokens_details", "reasoning_tokens"),
        }


def _asked(question: Question) -> Json:
    options = question.options
    asked: Json = {"type": TYPES[question.kind], "instructions": question.instructions}
    match question.kind:
        case "yes_no":  # its outcomes can be described nowhere else
            no, yes = options
            outcomes = f"True: {yes.meaning or yes.word}\nFalse: {no.meaning or no.word}"
            asked["instructions"] = f"{question.instructions}\n\n{outcomes}".lstrip()
        case "choice":
            asked["choices"] = [
                {"value": option.word} | _described(option.meaning) for option in options
            ]
        case "score":
            asked["levels"] = [
                {"label": option.word} | _described(option.meaning) for option in options
            ]
    return asked


def _described(meaning: str) -> Json:
    return {"description": meaning} if meaning else {}


def _answer(question: Question, given: Any) -> Answer:
    answer = object_of(given, TYPES[question.kind])
    confidence, words = answer.get("confidence"), [option.word for option in question.options]
    match question.kind:
        case "yes_no":
            yes = number(answer.get("probability"), "probability")
            return Answer([1 - yes, yes])
        case "choice":
            shares = [one.get("probability") for one in _in_order(answer, words)]
            return Answer(shares, place_of(answer.get("choice"), words), confidence)
    levels = _in_order(answer, range(len(words)))
    if [level.get("label") for level in levels] != words:
        raise MalformedError("its levels have other labels than were asked for, or another order")
    shares = [level.get("probability") for level in levels]
    return Answer(shares, None, confidence, score=answer.get("score"))


def _in_order(answer: Json, values: Sequence[Any]) -> list[Json]:
    """Return the listed options in the order of their values. Raises MalformedError for others."""
    listed = answer.get("probabilities")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise MalformedError(f"probabilities is {a_kind(listed)}, not a list of objects")
    found = {repr(one.get("value")): one for one in listed}  # true is no text "True", nor 1
    if len(listed) != len(values) or found.keys() != set(map(repr, values)):
        raise MalformedError("probabilities has other options than were asked for")
    return [found[repr(value)] for value in values]
