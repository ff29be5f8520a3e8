"""System One: the format of /v1/systemone, of vLLM, llama.cpp, Ollama, TypeSafe and others.

Read from typesafe-sdk 0.7.5, vLLM 0.32 and 0.33, llama.cpp's and Ollama's documentation. They
differ in what confidence means, and in whether a yes/no answer has one: docs/decision_models.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ...types import Question, Reply
from ..decoding import Decoding
from .decision_wire import Answer, Capacity, answered, by_name, number, object_of, place_of
from .wire import Json, MalformedError, a_kind, field, part, usage

TYPES = {"yes_no": "noul", "choice": "choice", "score": "score"}


class SystemOne:
    """Questions and answers by names: q1, q2 ..."""

    path: str = "/systemone"
    base_url: str = "https://api.typesafe.ai/v1"
    key_env: str | None = "TYPESAFE_API_KEY"
    batch_path: str = ""
    capacity: Capacity = Capacity(questions=64, options=26, levels=10)

    def headers(self, decoding: Decoding) -> dict[str, str]:  # noqa: ARG002
        """Return no headers of its own."""
        return {}

    def body(self, model: str, questions: Sequence[Question], extra: Mapping[str, Any]) -> Json:
        """Return the body of POST /v1/systemone."""
        return {
            "model": model,
            "state": dict(questions[0].state),
            "questions": dict(zip(_ids(questions), map(_asked, questions), strict=True)),
            **extra,
        }

    def replies(self, body: Json, questions: Sequence[Question]) -> list[Reply]:
        """Parse the answers."""
        answers, ids = field(body, "answers"), _ids(questions)
        if not isinstance(answers, dict):
            raise MalformedError(f"answers is {a_kind(answers)}, not an object")
        if unknown := [name for name in answers if name not in ids]:
            raise MalformedError(f"answers has {unknown[0][:80]!r}, which was not asked for")
        diagnostics = part(body, "diagnostics")
        return [
            answered(
                question,
                answers.get(name),
                partial(_answer, diagnostics=part(diagnostics, name)),
                body,
            )
            for name, question in zip(ids, questions, strict=True)
        ]

    def usage(self, body: Json) -> Json:
        """Return the call's token counts."""
        return {
            "input_tokens": usage(body, "input_tokens"),
            "output_tokens": usage(body, "output_tokens"),
        }


def _ids(questions: Sequence[Question]) -> list[str]:
    return [f"q{place}" for place in range(1, len(questions) + 1)]


def _asked(question: Question) -> Json:
    options = question.options
    criteria: Any
    match question.kind:
        case "yes_no":
            no, yes = options
            criteria = {"true": yes.meaning or yes.word, "false": no.meaning or no.word}
        case "choice":
            criteria = {option.word: option.meaning or None for option in options}
        case "score":
            criteria = [option.meaning for option in options]
    asked = {"type": TYPES[question.kind], "criteria": criteria}
    return asked | ({"instructions": question.instructions} if question.instructions else {})


def _answer(question: Question, given: Any, diagnostics: Json) -> Answer:
    answer = object_of(given, TYPES[question.kind])
    mass = answer.get("x_label_mass", diagnostics.get("label_mass"))  # SGLang's, vLLM's
    confidence, options = answer.get("confidence"), question.options
    match question.kind:
        case "yes_no":
            yes = number(answer.get("noul"), "noul")
            return Answer([1 - yes, yes], None, confidence, mass)
        case "choice":
            words = [option.word for option in options]
            shares = by_name(answer.get("probabilities"), words)
            return Answer(shares, place_of(answer.get("choice"), words), confidence, mass)
    levels = [str(level) for level in range(len(options))]
    if by_name(answer.get("legend"), levels, "legend") != [option.meaning for option in options]:
        raise MalformedError("its legend has other levels than were asked for, or another order")
    shares = by_name(answer.get("probabilities"), levels)
    return Answer(shares, None, confidence, mass, answer.get("score"))
