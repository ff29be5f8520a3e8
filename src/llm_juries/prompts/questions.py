"""Prompts as typed questions to decision models, which write no text.

The item's texts become the state, the prompt's instruction and shots the instructions, the verdict
words and their meanings the options. A binary scale is a yes/no question, a nominal one and a
preference a choice, an ordinal one a score; a number of an interval can't be asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ..errors import JuriesError
from ..types import Item, Option, Order, Question
from .prompt import Decision, Prompt, Shot

State = Mapping[str, str | Sequence[str]]


def question_of(prompt: Prompt, item: Item, order: Order = Order.ORIGINAL) -> Question:
    """Return the question about one item; SWAPPED exchanges a pair's answers.

    Raises
    ------
    JuriesError
        If the prompt's scale is no typed question, or it does not say what a model must know: the
        meanings of a score's levels, what a pair's answers are called.
    """
    decision = prompt.decision or Decision()
    scale = prompt.parser_scale
    if not prompt.choices:
        raise JuriesError(
            f"prompt {prompt.name}: its scale is {scale}, and a decision model chooses among "
            "verdict words; take a prompt with labels"
        )
    if prompt.compares and not {"answer", "opponent_answer"} <= set(decision.fields):
        raise JuriesError(
            f"prompt {prompt.name}: compares two answers, and a decision model does not see its "
            "template; set prompt.decision.fields={answer: NAME, opponent_answer: NAME} to what "
            "the instruction calls them"
        )
    options = options_of(prompt)
    if scale.kind == "ordinal":
        for word, meaning in options:
            if not meaning:
                raise JuriesError(
                    f"prompt {prompt.name}: its level {word!r} has no meaning, and a decision "
                    "model is shown the meanings of a score; set prompt.decision.meanings"
                )
    answer, opponent_answer = item.answer, item.opponent_answer
    if order is Order.SWAPPED:
        answer, opponent_answer = opponent_answer, answer
    kind = {"binary": "yes_no", "ordinal": "score"}.get(scale.kind, "choice")
    return Question(
        kind,  # type: ignore[arg-type]
        _state(prompt, decision, item.question, answer, item.references, opponent_answer),
        _instructions(prompt, decision, options, prompt.criterion_of(item)),
        options,
    )


def options_of(prompt: Prompt) -> tuple[Option, ...]:
    """Return the values that a prompt's words stand for, the lowest first, by their first word."""
    meanings = prompt.decision.meanings if prompt.decision else {}
    words: dict[str, list[str]] = {}
    for word in prompt.choices:
        value = prompt.parser_scale.value(word)
        words.setdefault(str(value), []).append(word)
    return tuple(
        Option(words[value][0], next((meanings[w] for w in words[value] if w in meanings), ""))
        for value in prompt.parser_scale.levels
        if value in words
    )


def _state(
    prompt: Prompt,
    decision: Decision,
    question: str,
    answer: str,
    references: Sequence[str],
    opponent_answer: str,
) -> State:
    """Return the texts that the prompt shows, by the names that it gives them."""
    texts: dict[str, str | Sequence[str]] = {
        "question": question,
        "references": list(references),
        "answer": answer,
        "opponent_answer": opponent_answer,
    }
    return {
        decision.fields.get(name, name): texts[name]
        for name in prompt.texts
        if texts[name] or name != "references"
    }


def _instructions(
    prompt: Prompt, decision: Decision, options: Sequence[Option], criterion: Mapping[str, str]
) -> str:
    task = prompt.instruction if decision.instruction is None else decision.instruction
    parts = [prompt.system, task]
    if criterion:
        described = criterion["criterion_description"]
        parts.append(f"Criterion: {criterion['criterion']}" + f" ({described})" * bool(described))
    if prompt.shots:
        shown = (_example(prompt, decision, options, shot) for shot in prompt.shots)
        parts.append("\n\n".join(("Examples with their correct answers:", *shown)))
    return "\n\n".join(filter(None, parts))


def _example(prompt: Prompt, decision: Decision, options: Sequence[Option], shot: Shot) -> str:
    """Return a shot as its state and what the option that is correct means."""
    state = _state(
        prompt, decision, shot.question, shot.answer, shot.references, shot.opponent_answer
    )
    scale = prompt.parser_scale
    value = scale.value(shot.label)
    word, meaning = next(option for option in options if scale.value(option.word) == value)
    criterion = f"Criterion: {shot.criterion}\n" if shot.criterion else ""
    return f"{criterion}{as_json(state)}\nAnswer: {meaning or word}"


def as_json(state: State) -> str:
    """Return a state as one line of JSON, in which a text can't end its field."""
    return json.dumps(state, ensure_ascii=False)
