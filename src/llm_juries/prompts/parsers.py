"""Parse raw replies into an outcome, a label and a score.

A reader never guesses: a reply it can't read is UNPARSED and its text stays in the store. Every
reader has an `id` that changes when its results may; stored replies are then parsed again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from ..errors import JuriesError
from ..scale import Scale, is_number
from ..types import Outcome, Reading, Reply

UNPARSED = Reading(Outcome.UNPARSED)


class Reader(Protocol):
    """Turns replies into readings."""

    @property
    def id(self) -> str:
        """A name for this way of reading; under another name, stored replies are parsed again."""

    @property
    def scale(self) -> Scale:
        """What values its readings can have."""

    def read(self, reply: Reply) -> Reading:
        """Read one reply. Never raises: what can't be read is UNPARSED."""

    def probabilities(self, reply: Reply) -> Mapping[str, float]:
        """Return each value's probability by the verdict tokens; empty where there is none."""


def without_thinking(text: str) -> str:
    """Return a reply's text without reasoning in think tags, closed or cut off."""
    text = re.sub(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", "", text, flags=re.DOTALL)
    return re.split(r"</think(?:ing)?>", text)[-1].strip()  # some servers drop the opening tag


def unanswered(reply: Reply) -> Reading | None:
    """Return the reading of a reply without any verdict, None for one that may have one."""
    match reply.stop:
        case "error":
            return Reading(Outcome.FAILED)
        case "refusal":
            return Reading(Outcome.REFUSED)
        case "rejected":
            return Reading(Outcome.REJECTED)
        case _:
            return None


@dataclass(frozen=True)
class LabelReader:
    """Reads one of a closed list of verdict words, from token probabilities or from text.

    Where the judge gave the probabilities of the verdict tokens, the likeliest value is the reading
    and the probability-weighted mean of the values' numbers is the score (for True/False: the
    probability of True among the two); values without an order have no mean. A verdict token
    outside the judge's list of likely tokens counts as probability 0. Where two values are exactly
    as likely, the text decides.

    Text is parsed strictly. In order: a JSON object (bare or fenced) with exactly one value that is
    a verdict word; a reply that is only a verdict word, whatever its case, quotes or Markdown; a
    reply that begins with one, followed by punctuation or a line break; a last line such as
    "Verdict: True". Whole words are compared, so INCORRECT is never CORRECT. Reasoning in think
    tags is ignored. Anything else is TRUNCATED if the length limit cut it, otherwise UNPARSED.
    """

    scale: Scale
    words: tuple[str, ...]
    turned: bool = False
    version = 3

    @property
    def id(self) -> str:
        """The scale, the verdict words and the version of the rules."""
        way = "turned" if self.turned else ""
        return f"label{self.version}{way}:{self.scale.id}:{','.join(self.words)}"

    @cached_property
    def values(self) -> dict[str, str]:
        """The value that each verdict word stands for, in terms of the item's own candidate."""
        found = {}
        for word in self.words:
            value = self.scale.value(word)
            if value is None:
                raise JuriesError(f"the verdict word {word!r} is blank")
            found[word] = self.scale.mirrored(value) if self.turned else value
        return found

    def read(self, reply: Reply) -> Reading:
        """Read a reply by its verdict tokens' probabilities, or else by its text."""
        if reading := unanswered(reply):
            return reading
        score = None
        if reply.choice_logprobs:
            value, score = self._read_logprobs(reply.choice_logprobs)
            if value is not None:
                return Reading(Outcome.OK, value, score)
        value = self._read_text(reply.text)
        if value is not None:
            return Reading(Outcome.OK, value, score)
        return Reading(Outcome.TRUNCATED) if reply.stop == "length" else UNPARSED

    def probabilities(self, reply: Reply) -> Mapping[str, float]:
        """Return each value's probability among the verdict words, 0 for one that is unlikely."""
        weights = {} if unanswered(reply) else self._weights(reply.choice_logprobs)
        total = sum(weights.values())
        return {v: weights.get(v, 0.0) / total for v in self.values.values()} if weights else {}

    def _weights(self, logprobs: Mapping[str, float]) -> dict[str, float]:
        """Return the values' probabilities up to a factor."""
        known = {  # a word of probability 0 has no weight
            word: lp for word, lp in logprobs.items() if word in self.values and math.isfinite(lp)
        }
        best = max(known.values(), default=0.0)
        weights: dict[str, float] = {}
        for word, lp in sorted(known.items()):  # words of one value (Yes, Right) add up
            value = self.values[word]
            weights[value] = weights.get(value, 0.0) + math.exp(lp - best)
        return weights

    def _read_logprobs(self, logprobs: Mapping[str, float]) -> tuple[str | None, float | None]:
        """Return the likeliest value, None if two are tied, and the mean of their numbers."""
        weights = self._weights(logprobs)
        if not weights:
            return None, None
        most = max(weights.values())
        winners = [value for value, weight in weights.items() if weight == most]
        mean = None
        if self.scale.kind != "nominal":
            total = sum(self.scale.encode(value) * weight for value, weight in weights.items())
            mean = total / sum(weights.values())
        return (winners[0] if len(winners) == 1 else None), mean

    @cached_property
    def _by_word(self) -> dict[str, str]:
        return {word.casefold(): value for word, value in self.values.items()}

    @cached_property
    def _leading(self) -> re.Pattern[str]:
        words = "|".join(re.escape(word) for word in sorted(self.words, key=len, reverse=True))
        return re.compile(rf"\W*({words})\W*?(?:[.,;:!](?=\s|$)|\n|\s[-–—(]|$)", re.IGNORECASE)

    @cached_property
    def _closing(self) -> re.Pattern[str]:
        words = "|".join(re.escape(word) for word in sorted(self.words, key=len, reverse=True))
        return re.compile(
            r"^\W*(?:(?:my|the|final)\s+)*(?:verdict|answer|correct|decision|judge?ment)"
            rf"\W*(?:is)?\W*?[:=]\W*({words})\W*$",
            re.IGNORECASE,
        )

    def _read_text(self, text: str) -> str | None:
        text = without_thinking(text)
        if not text:
            return None
        if (fields := _json_object(text)) is not None:
            words = {str(value).strip().casefold() for value in fields.values()}
            found = words & self._by_word.keys()
            return self._by_word[found.pop()] if len(found) == 1 else None
        bare = text.strip(" \t\r\n\"'`*_.!“”‘’")
        if (value := self._by_word.get(bare.casefold())) is not None:
            return value
        if (word := self._leading.match(text)) or (
            word := self._closing.search(text.splitlines()[-1])
        ):
            # Case folding also equates letters that are not in the verdict word.
            return self._by_word.get(word[1].casefold())
        return None


@dataclass(frozen=True)
class NumberReader:
    """Reads a number of an interval from text.

    In order: a JSON object (bare or fenced) with exactly one number; a reply that is only a number,
    whatever its Markdown; a first line that is only a number, or a last line such as "Score: 87",
    as long as they do not name two numbers. Out of the highest number ("87/100", "87 out of 100")
    is the same number. A number off the scale is UNPARSED, and so is anything else. A number at the
    end of a reply that the length limit cut may be the beginning of another one: TRUNCATED.
    """

    scale: Scale
    version = 1

    @property
    def id(self) -> str:
        """The scale and the version of the rules."""
        return f"number{self.version}:{self.scale.id}"

    def read(self, reply: Reply) -> Reading:
        """Read a reply by its text."""
        if reading := unanswered(reply):
            return reading
        text = without_thinking(reply.text)
        cut = reply.stop == "length"
        if cut and (not text or text[-1].isalnum() or text[-1] == "."):
            text = "\n".join(text.splitlines()[:-1])  # the last line is not whole
        if (number := self._number(text)) is not None:
            return Reading(Outcome.OK, number)
        return Reading(Outcome.TRUNCATED) if cut else UNPARSED

    def probabilities(self, reply: Reply) -> Mapping[str, float]:  # noqa: ARG002
        """Return nothing: a number has no distribution."""
        return {}

    def _number(self, text: str) -> str | None:
        if (fields := _json_object(text)) is not None:
            found = [str(value) for value in fields.values() if _is_number(value)]
            if len(found) > 1:
                return None
        else:
            lines = [line for line in text.splitlines() if line.strip()] or [""]
            matches = (self._bare.fullmatch(lines[0]), self._closing.fullmatch(lines[-1]))
            found = [match[1] for match in matches if match]
        try:
            values = {self.scale.value(number) for number in found}
        except JuriesError:  # off the scale
            return None
        return values.pop() if len(values) == 1 else None

    @cached_property
    def _pattern(self) -> str:
        most = re.escape(f"{self.scale.ends[1]:g}")
        return rf"(-?[0-9]+(?:\.[0-9]+)?)(?:\s*(?:/|out of)\s*{most})?"

    @cached_property
    def _bare(self) -> re.Pattern[str]:
        return re.compile(rf"[\s\"'`*_#]*{self._pattern}[\s\"'`*_.]*", re.IGNORECASE)

    @cached_property
    def _closing(self) -> re.Pattern[str]:
        return re.compile(
            r"[\s*_#]*(?:(?:my|the|final|overall)\s+)*(?:score|rating|grade|verdict)"
            rf"[\s*_]*(?:is|[:=])[\s*_:=]*{self._pattern}[\s*_.]*",
            re.IGNORECASE,
        )


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return is_number(value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _json_object(text: str) -> dict[str, object] | None:
    """Return a reply's JSON object, bare or fenced; None if it is not one."""
    fenced = re.search(r"```(?:json)?\s*(\{.*?\})\s*```", text, flags=re.DOTALL)
    candidate = fenced[1] if fenced else text
    if not candidate.startswith("{"):
        return None
    try:
        fields, _ = json.JSONDecoder().raw_decode(candidate)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


@dataclass(frozen=True)
class CellReader:
    """Reads a cell of a table of verdicts: a value of a scale.

    Anything off the scale, an empty cell too, is UNPARSED. With a threshold the cells are numbers,
    with the number as the score where both lie between 0 and 1; words of the scale are read too. On
    a binary scale a number that reaches the threshold is positive, and one that does not negative.
    On a preference scale a number above the threshold is the highest preference, one below it the
    lowest, and the threshold itself is a tie.
    """

    scale: Scale
    threshold: float | None = None

    def __post_init__(self) -> None:
        kind, levels = self.scale.kind, len(self.scale.levels)
        if self.threshold is not None and (kind, levels) not in (("binary", 2), ("preference", 3)):
            raise JuriesError(
                f"threshold: is {self.threshold:g}, and the scale is {self.scale}; a threshold "
                "makes numbers binary, or a preference with a tie: leave one of them out"
            )

    @property
    def id(self) -> str:
        """The scale and the threshold."""
        cut = "" if self.threshold is None else f">={self.threshold:g}:"
        return f"cell2:{cut}{self.scale.id}"

    def read(self, reply: Reply) -> Reading:
        """Read the reply's text as a cell."""
        if reading := unanswered(reply):
            return reading
        if self.threshold is not None:
            try:
                number = float(reply.text)
            except ValueError:
                number = math.nan
            if math.isfinite(number):
                side = self._side(number, self.threshold)
                share = 0 < self.threshold <= 1 and 0 <= number <= 1
                return Reading(Outcome.OK, side, number if share else None)
        try:
            value = self.scale.value(reply.text)
        except JuriesError:
            return UNPARSED
        return UNPARSED if value is None else Reading(Outcome.OK, value)

    def probabilities(self, reply: Reply) -> Mapping[str, float]:  # noqa: ARG002
        """Return nothing: a cell has no distribution."""
        return {}

    def _side(self, number: float, threshold: float) -> str:
        levels = self.scale.levels
        if self.scale.kind == "binary":
            return levels[number >= threshold]
        return levels[1 if number == threshold else 2 if number > threshold else 0]
