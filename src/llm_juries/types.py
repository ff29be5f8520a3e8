"""The nouns everything else is built of: items, requests, replies and verdicts.

Plain frozen dataclasses with no behaviour beyond their own fields, so that every other module may
import this one and this one imports none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

Kind = Literal["judge", "lexical", "jury", "human"]
"""What a voter is: a language model (or trained classifier), a string rule, or a jury of voters.

Humans stand in tables beside the voters that are measured against them.
"""


class Outcome(StrEnum):
    """What became of one judge's vote. Only OK carries a label; the rest are never numbers."""

    OK = "ok"
    UNPARSED = "unparsed"  # a whole reply that holds no verdict
    REFUSED = "refused"  # the judge declined to judge
    TRUNCATED = "truncated"  # the reply hit its length limit before a verdict
    FAILED = "failed"  # no reply came at all


class Order(StrEnum):
    """Which way round a pair was shown. Single answers are always ORIGINAL."""

    ORIGINAL = "original"
    SWAPPED = "swapped"


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text to answer from; `passage_id` names it in its collection."""

    title: str
    text: str
    passage_id: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One answer to judge (or one pair, when `opponent` is set).

    `item_id` names the question: the answers of several candidates to one question share it, and
    intervals are clustered by it. `human` is the human label, 1.0 for correct (or, in a pair, for
    the candidate being preferred), 0.0 for not, and 0.5 for a pair that humans found equally good
    or bad; None where no human judged. `human_votes` are the single annotators' labels in the order
    of the dataset's `annotators`: None (or nothing, at the end) where one gave none. Texts are
    empty where only the numbers of a recorded judgement are known. A question that nobody has
    answered yet has neither candidate nor answer. `lengths` are the characters of answer and
    opponent's answer, where their texts are not known but these are. `passages` are known to hold
    the right answer, where the dataset says so. `cluster` names what a bootstrap draws whole, where
    that is not the question: items of several questions about one document, say.
    """

    dataset: str
    item_id: str
    candidate: str
    question: str = ""
    answer: str = ""
    references: tuple[str, ...] = ()
    opponent: str = ""
    opponent_answer: str = ""
    human: float | None = None
    human_votes: tuple[float | None, ...] = ()
    passages: tuple[Passage, ...] = ()
    lengths: tuple[int, int] | None = None
    cluster: str = ""

    @property
    def drawn_with(self) -> str:
        """What a bootstrap and a cross-validation keep together: the cluster, else the item_id."""
        return self.cluster or self.item_id


class Message(NamedTuple):
    """One turn of a chat prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """What one judge is asked about one item. `key` is a hash of all that determines the reply.

    The first `shared` characters of the last message are the same for all items of a prompt, and
    so are all messages before it: providers can be told to cache them.
    """

    key: str
    item: Item
    order: Order
    prompt: str = ""
    messages: tuple[Message, ...] = ()
    choices: tuple[str, ...] = ()
    shared: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, as it came.

    `thinking` is reasoning that came apart from the text; `earlier` the text of a first reply that
    could not be read, where the judge was asked once more. `choice_logprobs` are natural logs of
    the verdict words' probabilities. `input_tokens` counts all input, of which `cached_tokens` were
    read from the provider's cache and `cache_write_tokens` written to it; None where the provider
    did not say. `batched` replies came through a batch API, at its price.
    """

    text: str = ""
    stop: Literal["stop", "length", "refusal", "error"] = "stop"
    error: str = ""
    thinking: str = ""
    earlier: str = ""
    choice_logprobs: Mapping[str, float] = field(default_factory=dict)
    input_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    latency_s: float | None = None
    batched: bool = False


class Reading(NamedTuple):
    """A reply as a reader understands it; `score` is the evidence behind `label`, where any is."""

    outcome: Outcome
    label: float | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judge's answer about one item under one prompt, with its raw reply.

    `label` is in terms of the item's own candidate, whatever the order a pair was shown in.
    `reader` identifies how the reply was read: a stored verdict whose reader has changed since is
    read again from `reply`, and nothing is asked. `asked_at` is Unix time in seconds.
    """

    key: str
    judge: str
    prompt: str
    dataset: str
    item_id: str
    candidate: str
    opponent: str
    order: Order
    outcome: Outcome
    label: float | None
    score: float | None
    reader: str
    reply: Reply
    cost_usd: float | None
    attempts: int
    asked_at: float


@dataclass(frozen=True, slots=True)
class Scale:
    """What values a verdict or a human label can take.

    Made by its class methods: `Scale.binary()`, `Scale.preference()`, `Scale.nominal("a", "b")`,
    `Scale.ordinal(1, 5)`, `Scale.interval(0, 100)`.
    """

    kind: Literal["binary", "nominal", "ordinal", "interval", "preference"]
    values: tuple[str | float, ...] = ()

    @classmethod
    def binary(cls) -> Scale:
        """Right or wrong: 1 and 0, or words such as true and false."""
        return cls("binary", (0, 1))

    @classmethod
    def preference(cls) -> Scale:
        """Which of two answers is better: a, b or tie, or the levels A>>B, A>B, A=B, B>A, B>>A."""
        return cls("preference", ("b", "tie", "a"))

    @classmethod
    def nominal(cls, *names: str) -> Scale:
        """Named categories without an order."""
        return cls("nominal", names)

    @classmethod
    def ordinal(cls, low: int, high: int) -> Scale:
        """Ordered levels: the whole numbers from low to high."""
        return cls("ordinal", tuple(range(low, high + 1)))

    @classmethod
    def interval(cls, low: float, high: float) -> Scale:
        """Numbers from low to high."""
        return cls("interval", (low, high))
