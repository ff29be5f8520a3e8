"""Parse raw replies into an outcome, a label and a score.

A reader never guesses: a reply it can't read is UNPARSED and its text stays in the store. Every
reader has an `id` that changes when its results may; stored replies are then parsed again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from ..errors import JuriesError
from ..types import Outcome, Reading, Reply

UNPARSED = Reading(Outcome.UNPARSED)


class Reader(Protocol):
    """Turns replies into readings."""

    @property
    def id(self) -> str:
        """A name for this way of reading; under another name, stored replies are parsed again."""

    @property
    def scale(self) -> tuple[float, float]:
        """The lowest and the highest label it can read."""

    def read(self, reply: Reply) -> Reading:
        """Read one reply. Never raises: what can't be read is UNPARSED."""


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
        case _:
            return None


@dataclass(frozen=True)
class LabelReader:
    """Reads one of a closed list of verdict words, from token probabilities or from text.

    Where the judge gave the probabilities of the verdict tokens, the likeliest one is the label
    and the probability-weighted mean of the labels is the score (for True/False: the probability
    of True among the two). A verdict token outside the judge's list of likely tokens counts as
    probability 0. Where two labels are exactly as likely, the text decides.

    Text is parsed strictly. In order: a JSON object (bare or fenced) with exactly one value that is
    a verdict word; a reply that is only a verdict word, whatever its case, quotes or Markdown; a
    reply that begins with one, followed by punctuation or a line break; a last line such as
    "Verdict: True". Whole words are compared, so INCORRECT is never CORRECT. Reasoning in think
    tags is ignored. Anything else is TRUNCATED if the length limit cut it, otherwise UNPARSED.
    """

    labels: Mapping[str, float]
    version = 2

    @property
    def id(self) -> str:
        """The verdict words, their values and the version of the rules."""
        words = ",".join(f"{word}={value:g}" for word, value in self.labels.items())
        return f"label{self.version}:{words}"

    @property
    def scale(self) -> tuple[float, float]:
        """The lowest and the highest value of a verdict word."""
        return min(self.labels.values()), max(self.labels.values())

    def read(self, reply: Reply) -> Reading:
        """Read a reply by its verdict tokens' probabilities, or else by its text."""
        if reading := unanswered(reply):
            return reading
        score = None
        if reply.choice_logprobs:
            label, score = self._read_logprobs(reply.choice_logprobs)
            if label is not None:
                return Reading(Outcome.OK, label, score)
        label = self._read_text(reply.text)
        if label is not None:
            return Reading(Outcome.OK, label, score)
        return Reading(Outcome.TRUNCATED) if reply.stop == "length" else UNPARSED

    def _read_logprobs(self, logprobs: Mapping[str, float]) -> tuple[float | None, float | None]:
        """Return the likeliest label, None if two are tied, and the mean of the labels."""
        known = {  # a word of probability 0 has no weight
            word: lp for word, lp in logprobs.items() if word in self.labels and math.isfinite(lp)
        }
        if not known:
            return None, None
        best = max(known.values())
        weights: dict[float, float] = {}
        for word, lp in sorted(known.items()):  # words of one value (Yes, Right) add up
            label = self.labels[word]
            weights[label] = weights.get(label, 0.0) + math.exp(lp - best)
        most = max(weights.values())
        winners = [label for label, weight in weights.items() if weight == most]
        mean = sum(label * weight for label, weight in weights.items()) / sum(weights.values())
        return (winners[0] if len(winners) == 1 else None), mean

    @cached_property
    def _by_word(self) -> dict[str, float]:
        return {word.casefold(): value for word, value in self.labels.items()}

    @cached_property
    def _leading(self) -> re.Pattern[str]:
        words = "|".join(re.escape(word) for word in sorted(self.labels, key=len, reverse=True))
        return re.compile(rf"\W*({words})\W*?(?:[.,;:!](?=\s|$)|\n|\s[-–—(]|$)", re.IGNORECASE)

    @cached_property
    def _closing(self) -> re.Pattern[str]:
        words = "|".join(re.escape(word) for word in sorted(self.labels, key=len, reverse=True))
        return re.compile(
            r"^\W*(?:(?:my|the|final)\s+)*(?:verdict|answer|correct|decision|judge?ment)"
            rf"\W*(?:is)?\W*?[:=]\W*({words})\W*$",
            re.IGNORECASE,
        )

    def _read_text(self, text: str) -> float | None:
        text = without_thinking(text)
        if not text:
            return None
        if (fields := _json_object(text)) is not None:
            words = {str(value).strip().casefold() for value in fields.values()}
            found = words & self._by_word.keys()
            return self._by_word[found.pop()] if len(found) == 1 else None
        bare = text.strip(" \t\r\n\"'`*_.!“”‘’")
        if (label := self._by_word.get(bare.casefold())) is not None:
            return label
        if (word := self._leading.match(text)) or (
            word := self._closing.search(text.splitlines()[-1])
        ):
            # Case folding also equates letters that are not in the verdict word.
            return self._by_word.get(word[1].casefold())
        return None


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
    """Reads a cell of a table of verdicts: a known word, or a number against a threshold.

    A word (compared without regard to case) has its value of `words`, from 0 to 1; a number is 1.0
    where it reaches `threshold` and 0.0 where not, with the number as the score. Anything else, an
    empty cell too, is UNPARSED.
    """

    threshold: float = 0.5
    words: Mapping[str, float] = field(default_factory=dict)
    scale = (0.0, 1.0)

    def __post_init__(self) -> None:
        for word, value in self.words.items():
            if not 0 <= value <= 1:
                raise JuriesError(
                    f"words: {word!r} counts as {value:g}; a cell counts as 0 (against) to 1 "
                    "(for), levels between them as their share of the way: 0.25, 0.5, 0.75"
                )

    @cached_property
    def _by_word(self) -> dict[str, float]:
        return {word.casefold(): value for word, value in self.words.items()}

    @property
    def id(self) -> str:
        """The words and the threshold."""
        words = ",".join(f"{word}={value:g}" for word, value in self.words.items())
        return f"cell1:>={self.threshold:g}:{words}"

    def read(self, reply: Reply) -> Reading:
        """Read the reply's text as a cell."""
        if reading := unanswered(reply):
            return reading
        text = reply.text.strip().casefold()
        if text in self._by_word:
            return Reading(Outcome.OK, self._by_word[text])
        try:
            score = float(text)
        except ValueError:
            return UNPARSED
        if not math.isfinite(score):
            return UNPARSED
        return Reading(Outcome.OK, float(score >= self.threshold), score)
