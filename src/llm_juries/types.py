"""Shared types: items, requests, replies, verdicts, outcomes and scales.

Plain frozen dataclasses without behaviour, so that every module may import this one and it imports
none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

import msgspec

Count = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that Parquet and other programs can hold."""
Kind = Literal["judge", "lexical", "jury", "human"]
"""What a voter is: a language model (or trained classifier), a string rule, or a jury of voters.

Humans are listed in tables beside the voters that are measured against them.
"""


class Outcome(StrEnum):
    """The outcome of one request. Only OK has a value; the others are never turned into numbers."""

    OK = "ok"
    UNPARSED = "unparsed"  # a complete reply without a verdict, or with one off the scale
    REFUSED = "refused"  # the judge refused
    REJECTED = "rejected"  # the server will not take this request, however often it is sent
    TRUNCATED = "truncated"  # the reply hit its length limit
    FAILED = "failed"  # no reply arrived


DECIDED, TIED = "decided", "tied"
"""Finish reasons of a decision model's replies: they are probabilities, and no text is read."""


class Order(StrEnum):
    """The order in which a pair was shown. Single answers are always ORIGINAL."""

    ORIGINAL = "original"
    SWAPPED = "swapped"


@dataclass(frozen=True, slots=True)
class Passage:
    """A text passage to answer from; `passage_id` identifies it in its collection."""

    title: str
    text: str
    passage_id: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One answer to judge (or one pair, when `opponent` is set).

    `item_id` identifies the question: the answers of several candidates to one question share it,
    and intervals are clustered by it. `human` is the human label, a value of the dataset's scale;
    None without a label. `human_votes` are the labels of single annotators in the order of the
    dataset's `annotators`: None (or absent, at the end) if one gave none. Texts are empty if only
    the numbers of a recorded judgement are known. An unanswered question has neither candidate nor
    answer.
    `lengths` are the characters of answer and opponent's answer, if only these are known.
    `passages` contain the right answer, according to the dataset. `cluster` is the unit that a
    bootstrap draws, if that is not the question: items of several questions about one document.
    `subset` is the part of the dataset that an item belongs to, `criterion` what it is judged on;
    `criterion_description` is for prompts.
    """

    dataset: str
    item_id: str
    candidate: str
    question: str = ""
    answer: str = ""
    references: tuple[str, ...] = ()
    opponent: str = ""
    opponent_answer: str = ""
    human: str | None = None
    human_votes: tuple[str | None, ...] = ()
    passages: tuple[Passage, ...] = ()
    lengths: tuple[int, int] | None = None
    cluster: str = ""
    subset: str = ""
    criterion: str = ""
    criterion_description: str = ""

    @property
    def drawn_with(self) -> str:
        """The unit that bootstraps and folds keep together: the cluster, else the item_id."""
        return self.cluster or self.item_id


class Message(NamedTuple):
    """One turn of a chat prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class Option(NamedTuple):
    """What a decision model chooses among: a verdict word and what it means, "" if not stated."""

    word: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A typed question to a decision model about a state, the texts to judge by their names.

    "yes_no": whether the second of two options holds. "choice": which option. "score": which level,
    the lowest first.
    """

    kind: Literal["yes_no", "choice", "score"]
    state: Mapping[str, str | Sequence[str]]
    instructions: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """What one judge is asked about one item. `key` hashes everything that determines the reply.

    The first `shared` characters of the last message, and all messages before it, are the same for
    all items of a prompt: providers can cache them. `repeat` says which answer to the same messages
    is wanted, from 1. `special` are the special tokens that the prompt itself holds: any other in
    the messages is text. A decision model is asked a `question`, which the messages hold in words.
    Only requests of one `call` are passed to a judge together.
    """

    key: str
    item: Item
    order: Order
    prompt: str = ""
    messages: tuple[Message, ...] = ()
    choices: tuple[str, ...] = ()
    shared: int = 0
    repeat: int = 1
    special: tuple[str, ...] = ()
    question: Question | None = None
    call: str = ""

    @property
    def seed(self) -> int | None:
        """The seed of a further answer, below 2 ** 31; None for the first.

        One seed for all items would be one random number for all of them: votes would stand and
        fall together.
        """
        return int(self.key[:8], 16) >> 1 if self.repeat > 1 else None


@dataclass(frozen=True, slots=True)
class Reply:
    """A judge's raw reply.

    `stop` is "rejected" where the server will not take the request, however often it is sent, and
    "error" where another attempt may succeed; `error` then has the server's own words, and `text`
    the response as it came, if one came. `thinking` is reasoning that was returned apart from the
    text; `earlier` the text of a first reply that could not be parsed, if the judge was asked once
    more. `choice_logprobs` are natural logs of the verdict words' probabilities. `input_tokens`
    counts all input, of which `cached_tokens` were read from the provider's cache and
    `cache_write_tokens` written to it; None if the provider did not report them, or not credibly.
    `batched` replies came through a batch API, at its price.
    `finish_reason` is the server's own word for why it stopped, `model` the name under which it
    says it answered, `server` the host and path that were asked, for judges behind an API,
    `thinking_tokens` the part of the output that was reasoning. `label_mass` is
    the probability of all verdict words together, `confidence` what a decision model reports of its
    own decision.
    """

    text: str = ""
    stop: Literal["stop", "length", "refusal", "rejected", "error"] = "stop"
    error: str = ""
    thinking: str = ""
    earlier: str = ""
    choice_logprobs: Mapping[str, float] = field(default_factory=dict)
    input_tokens: Count | None = None
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    output_tokens: Count | None = None
    latency_s: float | None = None
    batched: bool = False
    finish_reason: str = ""
    model: str = ""
    thinking_tokens: Count | None = None
    label_mass: float | None = None
    confidence: float | None = None
    server: str = ""


class Reading(NamedTuple):
    """A parsed reply.

    `value` is a value of the reader's scale, as it is written in tables; `score` is the evidence
    behind it as a number of that scale (see `Scale.encode`), if there is any beyond the value.
    """

    outcome: Outcome
    value: str | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judge's verdict on one item under one prompt, with its raw reply.

    `value` is a value of the reader's scale, in terms of the item's own candidate, whatever the
    order in which a pair was shown. `repeat` says which answer to the same request it is, from 1;
    `criterion` what the item was judged on, if it names one. `reader` identifies how the reply was
    parsed: if that has changed since, a stored verdict is parsed again from `reply`, and nothing is
    asked. `asked_at` is Unix time in seconds.
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
    value: str | None
    score: float | None
    reader: str
    reply: Reply
    cost_usd: float | None
    attempts: Count
    asked_at: float
    repeat: Count = 1
    criterion: str = ""
