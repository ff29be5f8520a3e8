"""Parse raw replies into an outcome, a label and a score.

A reader never guesses: a reply it can't read is UNPARSED and its text stays in the store. Every
reader has an `id` that changes when its results may; stored replies are then parsed again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

from ..errors import JuriesError
from ..scale import Scale
from ..types import DECIDED, TIED, Outcome, Reading, Reply
from .announced import Announced, folded
from .visible import visible

UNPARSED = Reading(Outcome.UNPARSED)
MOST_KNOWN, LONGEST_KNOWN = 1 << 12, 256  # texts whose verdict is remembered, and their characters
LEAST_MASS = 0.01
"""Probability of all verdict words together below which token probabilities are no verdict."""


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


def unanswered(reply: Reply) -> Reading | None:
    """Return the reading of a reply without any verdict, None for one that may have one."""
    match reply.stop:
        case "error":
            return Reading(Outcome.FAILED)
        case "refusal":
            return Reading(Outcome.REFUSED)
        case "rejected":
            return Reading(Outcome.REJECTED)
        case "stop" | "length":
            return None


@dataclass(frozen=True)
class LabelReader:
    """Reads one of a closed list of verdict words, from token probabilities or from text.

    Where the judge gave the probabilities of the verdict tokens, the likeliest value is the reading
    and the probability-weighted mean of the values' numbers is the score (for True/False: the
    probability of True among the two); values without an order have no mean. Spellings that differ
    in case or white space (" true") add up; others don't count. A verdict token outside the judge's
    list of likely tokens counts as probability 0. Where two values are exactly as likely, or all
    verdict words together are less likely than `least_mass`, the text decides, also where they are
    less likely than 0.5 and the text's own verdict is not among them; of a decision model, which
    writes none, the reply is then UNPARSED.

    From text a verdict is read if the reply announces exactly one (see `announced`). Reasoning in
    think tags and special tokens are ignored. Anything else is TRUNCATED if the length limit cut
    it, otherwise UNPARSED.

    Parameters
    ----------
    scale : Scale
    words : tuple of str
        The verdict words.
    turned : bool
        Whether a pair was shown in swapped order.
    name, opening : str
        The word with which the prompt asks for the verdict, and how its template begins.
    least_mass : float
        Probability of all verdict words together below which it says nothing.
    """

    scale: Scale
    words: tuple[str, ...]
    turned: bool = False
    name: str = ""
    opening: str = ""
    least_mass: float = LEAST_MASS
    version = 8

    @cached_property
    def id(self) -> str:
        """The scale, the verdict words, what else decides, and the version of the rules."""
        way = "turned" if self.turned else ""
        more = [self.name, self.opening] if self.name or self.opening else []
        more += [f"{self.least_mass:g}"] if self.least_mass != LEAST_MASS else []
        own = "".join(f":{part}" for part in more)
        return f"label{self.version}{way}:{self.scale.id}:{','.join(self.words)}{own}"

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
        value, score = self._read_logprobs(reply)
        if value is not None:
            return Reading(Outcome.OK, value, score)
        if reply.finish_reason in (DECIDED, TIED):  # its text names its choice: the first of a tie
            return UNPARSED
        return _as_text(self._text_reader, reply, score)

    def probabilities(self, reply: Reply) -> Mapping[str, float]:
        """Return each value's probability among the verdict words, 0 for one that is unlikely."""
        weights = {} if unanswered(reply) else self._weights(reply)
        total = sum(weights.values())
        return {v: weights.get(v, 0.0) / total for v in self.values.values()} if weights else {}

    def _weights(self, reply: Reply) -> dict[str, float]:
        """Return the values' probabilities up to a factor; none where they are too small."""
        if not reply.choice_logprobs:
            return {}
        known: dict[str, list[float]] = {}
        for word, lp in sorted(reply.choice_logprobs.items()):
            value = self._spelled.get(folded(word.strip()))
            if value is not None and math.isfinite(lp):  # a word of probability 0 has no weight
                known.setdefault(value, []).append(lp)  # words of one value (Yes, Right) add up
        lps = [lp for each in known.values() for lp in each]
        mass = reply.label_mass if reply.label_mass is not None else sum(map(math.exp, lps))
        if not lps or mass < self.least_mass:
            return {}
        if mass < 0.5:  # then the list may lack the reply's own verdict, spelled as no word is
            said = _as_text(self._text_reader, reply).value
            if said is not None and said not in known:
                return {}
        best = max(lps)
        return {value: sum(math.exp(lp - best) for lp in each) for value, each in known.items()}

    @cached_property
    def _spelled(self) -> dict[str, str]:
        return {folded(word.strip()): value for word, value in self.values.items()}

    def _read_logprobs(self, reply: Reply) -> tuple[str | None, float | None]:
        """Return the likeliest value, None if two are tied, and the mean of their numbers."""
        weights = self._weights(reply)
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
    def _text_reader(self) -> TextReader:
        return _remembering(Announced(self.scale, self.values, self.name, self.opening))


@dataclass(frozen=True)
class NumberReader:
    """Reads a number of an interval from text.

    The number that a reply announces, if it is exactly one (see `announced`). Out of the highest
    number ("87/100", "87 out of 100") is the same number. A number off the scale is UNPARSED, and
    so is anything else. A number at the end of a reply that the length limit cut may be the
    beginning of another one: TRUNCATED.
    """

    scale: Scale
    name: str = ""
    opening: str = ""
    version = 5

    @cached_property
    def id(self) -> str:
        """The scale, the prompt's own words and the version of the rules."""
        own = f":{self.name}:{self.opening}" if self.name or self.opening else ""
        return f"number{self.version}:{self.scale.id}{own}"

    def read(self, reply: Reply) -> Reading:
        """Read a reply by its text."""
        return unanswered(reply) or _as_text(self._text_reader, reply)

    def probabilities(self, reply: Reply) -> Mapping[str, float]:  # noqa: ARG002
        """Return nothing: a number has no distribution."""
        return {}

    @cached_property
    def _text_reader(self) -> TextReader:
        return _remembering(Announced(self.scale, {}, self.name, self.opening))


TextReader = Callable[[str, bool], str | None]
"""Returns the value that a text announces, None for none, given whether the text was cut."""


def _remembering(announced: Announced) -> TextReader:
    """Return what reads a reply's text, and a short one only once: most are a word, often met."""

    def read(text: str, cut: bool) -> str | None:
        return announced.verdict(visible(text), cut=cut)

    known = lru_cache(MOST_KNOWN)(read)
    return lambda text, cut: (known if len(text) <= LONGEST_KNOWN else read)(text, cut)


def _as_text(read: TextReader, reply: Reply, score: float | None = None) -> Reading:
    cut = reply.stop == "length"
    value = read(reply.text, cut)
    if value is not None:
        return Reading(Outcome.OK, value, score)
    return Reading(Outcome.TRUNCATED) if cut else UNPARSED


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
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise JuriesError(f"threshold: is {self.threshold}; set a number")
        if self.threshold is not None and (kind, levels) not in (("binary", 2), ("preference", 3)):
            raise JuriesError(
                f"threshold: is {self.threshold:g}, and the scale is {self.scale}; a threshold "
                "makes numbers binary, or a preference with a tie: leave one of them out"
            )

    @cached_property
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
