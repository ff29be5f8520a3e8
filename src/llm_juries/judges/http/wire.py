"""The interface of a wire format, and the typed reading of what servers send.

A response may hold anything. Here, once, it becomes text, numbers that can be true, and one of five
ways to stop; what has another form is a `MalformedError` and costs that one vote.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from ...escaping import terminal
from ...types import Message, Reply, Request
from ..decoding import Decoding
from ..errors import TransientError
from ..word_logprobs import label_mass, verdict_logprobs

log = logging.getLogger(__name__)
Json = dict[str, Any]
Stop = Literal["stop", "length", "refusal", "error"]
LOWEST = -1e308  # finite log-probability; an int below it may not fit into a float
ROUNDING = 0.01  # how far probabilities may be above 1
MOST_TOKENS = 1 << 31  # of one reply: more can't be true, and fits into every store
MOST_DEEP = 100  # lists and objects in each other; replies have about ten
MOST_TOLD = 100
_told: set[str] = set()


class MalformedError(Exception):
    """A response has another form than its format says."""


class Wire(Protocol):
    """One provider's request and response format.

    Attributes
    ----------
    path, base_url : str
        Where requests are sent by default.
    key_env : str or None
        The environment variable that usually holds the key.
    batch_path : str
        The path that the requests of a batch name; "" where no batch can hold this format.
    verdicts : tuple of str
        The values of `Decoding.verdict_by` that the format supports.
    options : tuple of str
        Those of `decoding.OPTIONS` that it has fields for.
    """

    path: str
    base_url: str
    key_env: str | None
    batch_path: str
    verdicts: tuple[str, ...]
    options: tuple[str, ...]

    def headers(self, decoding: Decoding) -> dict[str, str]:
        """Return the headers of a request, besides the key's."""

    def body(self, model: str, request: Request, decoding: Decoding) -> Json:
        """Return the body of a request."""

    def reply(self, body: Json, choices: Sequence[str]) -> Reply:
        """Parse a successful response.

        Raises TransientError if it holds no reply, MalformedError if the reply is no valid one.
        """


def verdict_schema(choices: Sequence[str]) -> Json:
    """Return the JSON schema of an object with one field, the verdict word."""
    return {
        "type": "object",
        "properties": {"verdict": {"type": "string", "enum": list(choices)}},
        "required": ["verdict"],
        "additionalProperties": False,
    }


def thinking_of(decoding: Decoding, budget_as: str) -> Json:
    """Return how a model is to reason, as Anthropic's and Cohere's formats say it; {} by default.

    Parameters
    ----------
    decoding : Decoding
    budget_as : str
        The name of the budget's field.
    """
    if decoding.thinking_tokens is not None:
        return {"type": decoding.thinking or "enabled", budget_as: decoding.thinking_tokens}
    return {"type": decoding.thinking} if decoding.thinking is not None else {}


def messages_as_json(messages: Sequence[Message]) -> list[Json]:
    """Return messages as OpenAI's and Cohere's formats list them."""
    return [{"role": message.role, "content": message.content} for message in messages]


def decoded(raw: bytes) -> Any:
    """Return the JSON value of a response.

    Raises
    ------
    ValueError
        If it is not JSON in UTF-8, is nested too deeply, or gives one field two values.
    """
    try:
        value = _DECODER.decode(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 ({error.reason} at byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if raw.count(b"[") + raw.count(b"{") > MOST_DEEP and _is_deep(value):
        raise ValueError("nested too deeply")
    return value


def _is_deep(value: Any) -> bool:
    """Return whether a value is nested more than `MOST_DEEP` times: reading it may not end well."""
    level = [value]
    for _ in range(MOST_DEEP):
        level = [
            inner
            for each in level
            if isinstance(each, list | dict)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def _object(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        for name, value in pairs:
            if found[name] != value:
                raise ValueError(f"ambiguous JSON (two values of the field {name!r})")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def reply_of(wire: Wire, body: Json, choices: Sequence[str], raw: str) -> Reply:
    """Return the reply that a successful response holds; a malformed one has failed.

    Raises TransientError if it holds none. `raw` is the response as it came.
    """
    try:
        return wire.reply(body, choices)
    except TransientError as error:
        error.raw = plain(raw)
        raise
    except (
        MalformedError,
        RecursionError,
        TypeError,
        ValueError,
        LookupError,
        ArithmeticError,
    ) as error:
        said = f"malformed reply: {error}"
        return Reply(stop="error", error=said, text=plain(raw), model=name_of(body))


def field(body: Json, name: str) -> Any:
    """Return a field of a response; raise TransientError if it is missing."""
    value = body.get(name)
    if value is None:
        raise TransientError(f"the response has no field {name!r}")
    return value


def part(body: Json, name: str) -> Json:
    """Return an object in a response, {} where there is none. Raises MalformedError."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedError(f"{name} is {a_kind(value)}, not an object")
    return value


def first_choice(body: Json) -> Json:
    """Return the first choice of a response; raise TransientError if there is none."""
    choices = field(body, "choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise TransientError("the response has no choices")
    return choices[0]


def words_of(value: Any) -> str:
    """Return any value of a response as text: texts and their parts as they are, else as JSON."""
    if isinstance(value, str):
        return plain(value)
    try:
        return plain("".join(text for _, text in _parts(value, "")))
    except MalformedError:
        return plain(json.dumps(value, ensure_ascii=False))


def content_of(value: Any, where: str = "content") -> tuple[str, str]:
    """Return the text and the reasoning of a message's content.

    Parameters
    ----------
    value : JSON-like
        A text, or content blocks, of which those with text or reasoning are joined.
    where : str
        Its field's name.

    Raises
    ------
    MalformedError
        If it is neither: a number is no text.
    """
    if isinstance(value, str):
        return plain(value), ""
    said: dict[str, list[str]] = {"text": [], "thinking": []}
    for kind, text in _parts(value, where):
        said[kind].append(text)
    return plain("".join(said["text"])), plain("".join(said["thinking"]))


def refused(value: Any) -> bool:
    """Return whether content blocks hold a refusal, as OpenAI's may."""
    return isinstance(value, list) and any(
        isinstance(block, dict) and block.get("type") == "refusal" for block in value
    )


_TEXTS = {"text": "text", "output_text": "text", "refusal": "refusal"}
_THOUGHTS = {
    "thinking": "thinking",  # a text, or Mistral's list of parts
    "reasoning": "reasoning",
    "reasoning_text": "text",
    "summary_text": "text",
}


def _parts(value: Any, where: str) -> list[tuple[Literal["text", "thinking"], str]]:
    """Return the texts in content blocks; blocks of other kinds (calls of tools) hold none."""
    if value is None:
        return []
    if isinstance(value, str):
        return [("text", value)]
    if isinstance(value, dict) and "type" in value:
        value = [value]
    if not isinstance(value, list):
        raise MalformedError(f"{where} is {a_kind(value)}, not text")
    found: list[tuple[Literal["text", "thinking"], str]] = []
    for block in value:
        if isinstance(block, str):
            found.append(("text", block))
            continue
        if not isinstance(block, dict) or not isinstance(block.get("type", "text"), str):
            raise MalformedError(f"{where} has a part that is {a_kind(block)}, not text")
        kind = block.get("type", "text")
        if kind in _THOUGHTS:
            thought = block.get(_THOUGHTS[kind], block.get("text"))
            found.append(("thinking", words_of(thought)))
        elif kind in _TEXTS:
            text = block.get(_TEXTS[kind])
            if text is not None and not isinstance(text, str):
                raise MalformedError(f"{where} has a text that is {a_kind(text)}")
            found.append(("text", text or ""))
    return found


def plain(text: str) -> str:
    """Return a text that UTF-8 can encode: lone surrogates become question marks."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def a_kind(value: Any) -> str:
    """Return what a JSON value is, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
    return "an object"


_WORDS: dict[Stop, str] = {
    "stop": "stop eos eos_token end_turn stop_sequence complete completed tool_calls tool_call "
    "tool_use function_call",
    "length": "length max_tokens max_output_tokens max_length model_length error_limit pause_turn "
    "model_context_window_exceeded",
    "refusal": "refusal content_filter content_filtered safety recitation blocklist spii sensitive "
    "prohibited_content guardrail_intervened error_toxic",
    "error": "error timeout abort aborted cancelled canceled failed incomplete network_error "
    "insufficient_system_resource",
}
STOPS: dict[str, Stop] = {word: stop for stop, text in _WORDS.items() for word in text.split()}
"""What servers' words for why a reply ended mean, in lower case."""


def ending(reason: Any) -> Json:
    """Return why a reply ended, as fields of a Reply: the server's own word and what it means.

    A reply that the provider broke off has failed, however much of it there is. One that ended for
    a reason that is not known is read as a complete one, and a warning says so once.
    """
    word = "" if reason is None else words_of(reason)[:200]
    stop = STOPS.get(word.lower(), "stop")
    if word and word.lower() not in STOPS:
        tell_once(word, f"finish_reason {word!r} is unknown; such replies are read as complete")
    error = f"the provider broke the reply off (finish_reason {word})" if stop == "error" else ""
    return {"stop": stop, "finish_reason": word, "error": error}


def tell_once(about: str, message: str) -> None:
    """Log the first warning about something, and no more: each reply may repeat it."""
    if about not in _told and len(_told) < MOST_TOLD:  # a server may invent new words for ever
        _told.add(about)
        log.warning("%s", message)


def name_of(body: Json) -> str:
    """Return the model's name that a response states, "" where it states none."""
    name = body.get("model")
    return terminal(name)[:200] if isinstance(name, str) else ""


def usage(body: Json, *path: str) -> int | None:
    """Return a token count of a response's usage, None where the provider sent none.

    Parameters
    ----------
    body : dict
        The response.
    path : str
        The names of nested fields, from `usage` on. Some vendors write counts as floats. What can't
        be a count (a text, a fraction, less than none) counts as not sent, and a warning says so.
    """
    found = stated(body, *path)
    if found is None:
        return None
    number = isinstance(found, int | float) and not isinstance(found, bool)
    if number and 0 <= found <= MOST_TOKENS and found == int(found):
        return int(found)
    name, counted = name_of(body) or "without a name", ".".join(path)
    tell_once(
        f"usage.{counted} of {name}",
        f"model {name}: reports usage.{counted}={json.dumps(found)[:60]}, which is not a number of "
        "tokens; the cost of such replies is not known",
    )
    return None


def stated(body: Json, *path: str) -> Any:
    """Return what a response's usage has under nested names, None where it has nothing."""
    found = body.get("usage")
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def scored(likely: Sequence[tuple[str, float]], choices: Sequence[str]) -> Json:
    """Return the verdict words' probabilities at a reply's first token, as fields of a Reply."""
    if not likely:
        return {}
    return {
        "choice_logprobs": verdict_logprobs(likely, choices),
        "label_mass": label_mass(likely, choices),
    }


def likely_tokens(body: Any) -> list[tuple[str, float]]:
    """Return a reply's likeliest first tokens and their log-probabilities, where there are any.

    As chat completions return them, and llama.cpp's completions too.
    """
    match first_choice(body).get("logprobs"):
        case {"content": [{"top_logprobs": [*top]}, *_]}:
            return of_top(top)
    return []


def of_top(top: Sequence[Any]) -> list[tuple[str, float]]:
    """Return the tokens of a `top_logprobs` field with their log-probabilities."""
    return believable(
        [
            (one.get("token"), one.get("logprob")) if isinstance(one, dict) else (None, None)
            for one in top
        ]
    )


def believable(pairs: Sequence[tuple[Any, Any]]) -> list[tuple[str, float]]:
    """Return tokens with their log-probabilities; none where any of them can't be one.

    Without one of them, another word would be the likeliest; the text is read instead.
    """
    total = 0.0
    for token, logprob in pairs:
        number = isinstance(logprob, int | float) and not isinstance(logprob, bool)
        if not isinstance(token, str) or not number or not logprob <= ROUNDING:
            return []
        if -math.inf < logprob < LOWEST:
            return []
        total += math.exp(logprob)
    return [(plain(token), float(lp)) for token, lp in pairs] if total <= 1 + ROUNDING else []
