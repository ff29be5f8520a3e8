"""Readers: from a raw reply to an outcome, a label and a score.

A reader never guesses: a reply it can't read is UNPARSED and its text stays in the store. Every
reader has an `id` that changes when its readings may; stored replies are then read anew.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from .types import Outcome, Reading, Reply

UNPARSED = Reading(Outcome.UNPARSED)


class Reader(Protocol):
    """What turns replies into readings."""

    @property
    def id(self) -> str:
        """A name for this way of reading; another name means stored replies are read anew."""

    def read(self, reply: Reply) -> Reading:
        """Read one reply. Never raises: what can't be read is UNPARSED."""


def _unanswered(reply: Reply) -> Reading | None:
    """Return the reading of a reply that never held a verdict, None for one that may."""
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
    probability 0.

    Text is read strictly. In order: a JSON object (bare or fenced) with exactly one value that is
    a verdict word; a reply that is nothing but a verdict word, whatever its case, quotes or
    Markdown; a reply that begins with one, ended by punctuation or a line break; a last line such
    as "Verdict: True". Words are compared whole, so INCORRECT is never CORRECT. Reasoning in think
    tags is passed over. Anything else is TRUNCATED if the length limit cut it and UNPARSED if not.
    """

    labels: Mapping[str, float]
    version = 1

    @property
    def id(self) -> str:
        """The verdict words, their values and the version of the rules."""
        words = ",".join(f"{word}={value:g}" for word, value in self.labels.items())
        return f"label{self.version}:{words}"

    def read(self, reply: Reply) -> Reading:
        """Read a reply by its verdict tokens' probabilities, or else by its text."""
        if unanswered := _unanswered(reply):
            return unanswered
        if reply.choice_logprobs:
            return self._read_logprobs(reply.choice_logprobs)
        label = self._read_text(reply.text)
        if label is not None:
            return Reading(Outcome.OK, label)
        return Reading(Outcome.TRUNCATED) if reply.stop == "length" else UNPARSED

    def _read_logprobs(self, logprobs: Mapping[str, float]) -> Reading:
        known = {self.labels[word]: lp for word, lp in logprobs.items() if word in self.labels}
        if not known:
            return UNPARSED
        best = max(known.values())
        winners = [label for label, lp in known.items() if lp == best]
        if len(winners) != 1:
            return UNPARSED
        weights = {label: math.exp(lp - best) for label, lp in known.items()}
        mean = sum(label * w for label, w in weights.items()) / sum(weights.values())
        return Reading(Outcome.OK, winners[0], mean)

    @cached_property
    def _by_word(self) -> dict[str, float]:
        return {word.casefold(): value for word, value in self.labels.items()}

    @cached_property
    def _leading(self) -> re.Pattern[str]:
        words = "|".join(re.escape(word) for word in sorted(self.labels, key=len, reverse=True))
        return re.compile(rf"\W*({words})\W*?(?:[.,;:!\n]|\s[-–—(]|$)", re.IGNORECASE)

    @cached_property
    def _closing(self) -> re.Pattern[str]:
        words = "|".join(re.escape(word) for word in sorted(self.labels, key=len, reverse=True))
        return re.compile(
            rf"(?:verdict|answer|correct|decision|judge?ment)\W*(?:is)?\W*?[:=]\W*({words})\W*$",
            re.IGNORECASE,
        )

    def _read_text(self, text: str) -> float | None:
        text = re.sub(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", "", text, flags=re.DOTALL)
        text = text.rpartition("</think>")[2].strip()  # some servers drop the opening tag
        if not text:
            return None
        if (label := self._read_json(text)) is not None:
            return label
        bare = text.strip(" \t\r\n\"'`*_.!“”‘’")
        if (label := self._by_word.get(bare.casefold())) is not None:
            return label
        if found := self._leading.match(text):
            return self._by_word[found[1].casefold()]
        if found := self._closing.search(text.splitlines()[-1]):
            return self._by_word[found[1].casefold()]
        return None

    def _read_json(self, text: str) -> float | None:
        fenced = re.search(r"```(?:json)?\s*(\{.*?\})\s*```", text, flags=re.DOTALL)
        candidate = fenced[1] if fenced else text
        if not candidate.startswith("{"):
            return None
        try:
            fields, _ = json.JSONDecoder().raw_decode(candidate)
        except ValueError:
            return None
        words = {str(value).strip().casefold() for value in fields.values()} & set(self._by_word)
        return self._by_word[words.pop()] if len(words) == 1 else None


@dataclass(frozen=True)
class CellReader:
    """Reads a cell of a table of verdicts: a known word, or a number against a threshold.

    A word (compared without regard to case) has its value of `words`; a number is 1.0 where it
    reaches `threshold` and 0.0 where not, with the number as the score. Anything else, an empty
    cell too, is UNPARSED.
    """

    threshold: float = 0.5
    words: Mapping[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The words and the threshold."""
        words = ",".join(f"{word}={value:g}" for word, value in self.words.items())
        return f"cell1:>={self.threshold:g}:{words}"

    def read(self, reply: Reply) -> Reading:
        """Read the reply's text as a cell."""
        if unanswered := _unanswered(reply):
            return unanswered
        text = reply.text.strip().casefold()
        if text in self.words:
            return Reading(Outcome.OK, self.words[text])
        try:
            score = float(text)
        except ValueError:
            return UNPARSED
        if not math.isfinite(score):
            return UNPARSED
        return Reading(Outcome.OK, float(score >= self.threshold), score)
