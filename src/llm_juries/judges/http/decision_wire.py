"""The interface of a decision model's format, and the typed reading of its answers.

A decision model answers typed questions with probabilities. As with replies in `wire`, an answer
may hold anything: what is no distribution over the options that were asked for is malformed and
costs that one vote.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Protocol

from ...errors import JuriesError
from ...escaping import terminal
from ...types import DECIDED, TIED, Question, Reply
from ..decoding import Decoding
from .wire import ROUNDING, Json, MalformedError, a_kind, name_of, plain, tell_once

ROUNDED = 0.005  # how far a probability of two decimals may be from the true one
MOST_KEPT = 1 << 16  # characters of an answer that are kept


@dataclass(frozen=True)
class Capacity:
    """What a server's questions hold at most.

    Parameters
    ----------
    questions : int
        Questions of one call.
    options : int
        Of a choice.
    levels : int
        Of a score.
    """

    questions: int = 64
    options: int = 26
    levels: int = 10

    def __post_init__(self) -> None:
        for field in fields(self):
            least = 1 if field.name == "questions" else 2
            if getattr(self, field.name) < least:
                raise JuriesError(f"{field.name}: must be {least} or more")

    def check(self, question: Question, judge: str) -> None:
        """Raise JuriesError if a question has more options or levels than the server takes."""
        what = "levels" if question.kind == "score" else "options"
        most = {"score": self.levels, "choice": self.options}.get(question.kind, 2)
        if len(question.options) > most:
            raise JuriesError(
                f"has {len(question.options)} {what}, and judge {judge} takes {most}; use a prompt "
                f"with fewer, or set judges.{judge}.capacity.{what} if the server takes more"
            )


class DecisionWire(Protocol):
    """One protocol's requests and responses.

    Attributes
    ----------
    path, base_url : str
        Where requests are sent by default.
    key_env : str or None
        The environment variable that usually holds the key.
    batch_path : str
        "": decision models have no batch API.
    capacity : Capacity
        What servers of it usually take.
    """

    path: str
    base_url: str
    key_env: str | None
    batch_path: str
    capacity: Capacity

    def headers(self, decoding: Decoding) -> dict[str, str]:
        """Return the headers of a request, besides the key's."""

    def body(self, model: str, questions: Sequence[Question], extra: Mapping[str, Any]) -> Json:
        """Return the body of a request with several questions about one state."""

    def replies(self, body: Json, questions: Sequence[Question]) -> list[Reply]:
        """Parse a successful response: a reply a question, without the call's usage.

        Raises TransientError if it holds no answers, MalformedError if all of it is none.
        """

    def usage(self, body: Json) -> Json:
        """Return the call's token counts, as fields of a Reply."""


class Answer(NamedTuple):
    """What a server answered to one question.

    `probabilities` are those of all options, in their order; `choice` is the place of the option
    that the server calls its decision, None where it names none.
    """

    probabilities: Sequence[Any]
    choice: int | None = None
    confidence: Any = None
    label_mass: Any = None
    score: Any = None


def answered(
    question: Question, given: Any, read: Callable[[Question, Any], Answer], body: Json
) -> Reply:
    """Return an answer as a reply; a malformed one has failed.

    Parameters
    ----------
    question : Question
    given : JSON-like
        The answer as it came.
    read : callable
        Reads it; raises MalformedError where it has another form.
    body : dict
        The whole response.
    """
    text = plain(json.dumps(given, ensure_ascii=False))[:MOST_KEPT]
    try:
        answer = read(question, given)
        found = distribution(question, answer)
    except (MalformedError, TypeError, ValueError, LookupError, ArithmeticError) as error:
        said = f"malformed answer: {error}"
        return Reply(stop="error", error=said, text=text, model=name_of(body))
    most = max(found)
    tied = [o.word for o, p in zip(question.options, found, strict=True) if p == most]
    if len(tied) > 1:
        text = f"tied at {most:g}: {', '.join(tied)}; {text}"
    return Reply(
        text=text,
        finish_reason=DECIDED if len(tied) == 1 else TIED,
        choice_logprobs={
            option.word: math.log(p)
            for option, p in zip(question.options, found, strict=True)
            if p > 0
        },
        confidence=_share(answer.confidence, "confidence", body),
        label_mass=_share(answer.label_mass, "label_mass", body),
        model=name_of(body),
    )


def distribution(question: Question, answer: Answer) -> list[float]:
    """Return the options' probabilities, which add up to 1 as far as rounding lets them.

    Raises
    ------
    MalformedError
        If they can't be probabilities, or the decision or the score is not theirs.
    """
    found = [_probability(p) for p in answer.probabilities]
    if len(found) != len(question.options):
        raise MalformedError(f"{len(found)} probabilities for {len(question.options)} options")
    total = math.fsum(found)
    if abs(total - 1) > max(ROUNDING, ROUNDED * len(found)) or total <= 0:
        raise MalformedError(f"probabilities add up to {total:g}")
    if answer.choice is not None and found[answer.choice] < max(found):
        likelier = question.options[found.index(max(found))].word
        raise MalformedError(
            f"the choice is {question.options[answer.choice].word!r}, and {likelier!r} is likelier"
        )
    if answer.score is not None:
        score, top = number(answer.score, "score"), len(found) - 1
        mean = math.fsum(level * p for level, p in enumerate(found))
        if abs(score - mean) > ROUNDED * (1 + top * (top + 1) / 2):
            raise MalformedError(f"the score is {score:g}, and its probabilities give {mean:g}")
    return [p / total for p in found]


def object_of(given: Any, kind: str) -> Json:
    """Return an answer of a type. Raises MalformedError if it is none, or of another type."""
    if given is None:
        raise MalformedError("there is no answer to this question")
    if not isinstance(given, dict):
        raise MalformedError(f"the answer is {a_kind(given)}, not an object")
    if given.get("type") != kind:
        raise MalformedError(f"the answer's type is {_shown(given.get('type'))}, not {kind!r}")
    return given


def by_name(given: Any, names: Sequence[str], where: str = "probabilities") -> list[Any]:
    """Return an object's values in the order of names. Raises MalformedError for other names."""
    if not isinstance(given, dict):
        raise MalformedError(f"{where} is {a_kind(given)}, not an object")
    if missing := [name for name in names if name not in given]:
        raise MalformedError(f"{where} has no {missing[0]!r}")
    if unknown := [name for name in given if name not in names]:
        raise MalformedError(f"{where} has {_shown(unknown[0])}, which was not asked for")
    return [given[name] for name in names]


def place_of(choice: Any, words: Sequence[str]) -> int:
    """Return the place of the option that a server decided for. Raises MalformedError."""
    if choice not in words:
        raise MalformedError(f"the choice is {_shown(choice)}, which is not an option")
    return words.index(choice)


def number(value: Any, what: str) -> float:
    """Return a finite number of an answer. Raises MalformedError for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise MalformedError(f"{what} is {a_kind(value)}, not a number")
    if not math.isfinite(value):
        raise MalformedError(f"{what} is {value}")
    return float(value)


def shared_out(replies: Sequence[Reply], usage: Mapping[str, int | None]) -> list[Reply]:
    """Return the replies of one call, each with its share of the call's tokens.

    The shares add up to what was reported, so nothing is counted twice; the first replies have the
    tokens that are left over. A count that was not reported is None for all.
    """

    def shares(place: int) -> dict[str, Any]:
        count = len(replies)
        return {
            name: None if total is None else total // count + (place < total % count)
            for name, total in usage.items()
        }

    return [replace(reply, **shares(place)) for place, reply in enumerate(replies)]


def _probability(value: Any) -> float:
    found = number(value, "a probability")
    if not 0 <= found <= 1 + ROUNDING:
        raise MalformedError(f"a probability is {found:g}")
    return found


def _shown(value: Any) -> str:
    return terminal(repr(value))[:80]


def _share(value: Any, what: str, body: Json) -> float | None:
    """Return a share between 0 and 1, None where there is none or it can't be one."""
    if value is None:
        return None
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if numeric and 0 <= value <= 1 + ROUNDING:
        return min(float(value), 1.0)
    name = name_of(body) or "without a name"
    tell_once(
        f"{what} of {name}",
        f"model {name}: reports {what}={json.dumps(value)[:60]}, which is not between 0 and 1; it "
        "is left out",
    )
    return None
