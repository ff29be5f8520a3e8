"""The judge interface, what judges share, and the key of a request."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

from ..errors import JuriesError
from ..prompts.parsers import Reader
from ..prompts.prompt import Askable
from ..prompts.special_tokens import looking_special
from ..types import Item, Kind, Message, Order, Reply, Request
from .decoding import Decoding
from .lifetimes import Lifetime
from .pricing import Price

CHARACTERS_A_TOKEN = 4  # of English text; used where no tokenizer is available
ESTIMATE = f"estimate ({CHARACTERS_A_TOKEN} characters a token)"


@dataclass(frozen=True, slots=True)
class Limits:
    """Concurrency, rate and retry limits of a judge.

    Parameters
    ----------
    in_flight : int
        The maximum number of concurrent calls of `ask`. Fewer run while a provider is overloaded.
    batch : int
        Requests per call of `ask`.
    alone : bool
        Whether the judge needs the machine to itself (it holds a model in memory): such judges
        run one after the other, all others concurrently.
    requests_per_minute, tokens_per_minute : int, optional
        The provider's own limits, if known; input and output tokens together.
    attempts : int
        How often one request is sent at most before its vote counts as failed.
    patience_s : float
        Seconds without any good reply after which the run stops asking the judge.

    Raises
    ------
    JuriesError
        For a limit of less than 1, or a patience that is negative or NaN.
    """

    in_flight: int = 1
    batch: int = 1
    alone: bool = False
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    attempts: int = 6
    patience_s: float = 40.0

    def __post_init__(self) -> None:
        for name in ("in_flight", "batch", "requests_per_minute", "tokens_per_minute", "attempts"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                none = ", or null for none" if name.endswith("_minute") else ""
                raise JuriesError(f"{name}: is {limit}; must be 1 or more{none}")
        if not self.patience_s >= 0:  # NaN too
            raise JuriesError(f"patience_s: is {self.patience_s}; must be 0 or more")


class Judge(Protocol):
    """Anything that answers requests. Judges know nothing of juries, stores or other judges.

    Attributes
    ----------
    name : str
    family : str
        The base weights: judges of one family err alike. "unknown" is no family.
    vendor : str
        Who made the model: a judge may favour its vendor's. "" where that is not stated.
    kind : {"judge", "lexical"}
        What the judge is, for tables.
    free : bool
        Whether its replies cost nothing and need no model (rules, recordings), so that an analysis
        may ask it directly.
    limits : Limits
        How `collect` may call `ask`.
    note : str
        What a reader of its numbers must know, for reports.
    price : Price or None
        None where it is unknown or does not apply: a cost is then unknown, never 0.
    lifetime : Lifetime or None
        How long its vendor serves the model; None for models that run here.
    pause_s : float
        Seconds to wait before the next request, by the provider's last response.
    counted_by : str
        How `estimate` counts tokens: the tokenizer's name, or that it is an estimate.
    """

    name: str
    family: str
    vendor: str
    kind: Kind
    free: bool
    limits: Limits
    note: str
    price: Price | None
    lifetime: Lifetime | None
    pause_s: float
    counted_by: str

    def request(self, item: Item, order: Order, prompt: Askable) -> Request | None:
        """Return this judge's request about an item, None where it can't be asked."""

    def reader(self, prompt: Askable, order: Order) -> Reader:
        """Return the reader of this judge's replies, in terms of the item's own candidate."""

    async def ready(self) -> None:
        """Check for the file, key or package it needs. Raises JudgeUnavailableError."""

    async def open(self) -> None:
        """Load the model or open the session. Raises JudgeUnavailableError."""

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Answer requests, in their order.

        A request that fails for good has a reply with stop="error". Raises TransientError where a
        retry may help, JudgeUnavailableError where no request can succeed.
        """

    def estimate(self, request: Request) -> tuple[int, int]:
        """Return the input tokens of a request and the maximum of its output tokens."""

    async def close(self) -> None:
        """Release what `open` acquired."""


def key_of(judge: object, subject: object) -> str:
    """Return a request's key: 32 hex digits of the SHA-256 of everything its reply depends on.

    Parameters
    ----------
    judge : JSON-like
        The backend, the model and its revision or checksum, the decoding parameters; not the
        judge's name, which may change freely.
    subject : JSON-like
        What the judge sees of the item.
    """
    content = msgspec.json.encode([judge, subject], order="deterministic")
    return hashlib.sha256(content).hexdigest()[:32]


class PromptedJudge:
    """What all judges that read a prompt share: rendering, keys and reading."""

    name: str
    fingerprint: dict[str, Any]
    decoding: Decoding
    # How to decode verdict words that one token can't tell apart; "" where the backend can't.
    instead: Literal["words", "choice", ""] = ""
    # Whether the backend would read special tokens in a message's text as tokens.
    parses_special = False
    vendor = ""
    lifetime: Lifetime | None = None
    # Whether it writes a reply, so that a second one may differ from the first.
    samples = True
    pause_s = 0.0
    counted_by = ESTIMATE

    def request(self, item: Item, order: Order, prompt: Askable) -> Request | None:
        """Render the item under the prompt; None where there is no text to judge.

        Raises
        ------
        JuriesError
            If the judge scores one token, and that can't tell the prompt's verdict words apart.
        """
        if not item.question:
            return None  # only the numbers of a recorded judgement are known
        try:
            decoding = self.decoding.suited(prompt.choices, self.instead)
        except JuriesError as error:
            raise JuriesError(f"prompt {prompt.name}: judges.{self.name}.{error}") from None
        messages = prompt.render(item, order)
        fingerprint = self.fingerprint
        if decoding is not self.decoding:
            fingerprint = {**fingerprint, "decoding": decoding.facts}
        if self.parses_special:
            forged = looking_special(*(m.content for m in messages)) - set(prompt.special)
            if forged:  # as text they are another prompt than as tokens
                fingerprint = {**fingerprint, "special_tokens": "as text"}
        key = key_of(fingerprint, [messages, prompt.choices])
        return Request(
            key,
            item,
            order,
            prompt.name,
            messages,
            prompt.choices,
            prompt.shared,
            special=prompt.special,
        )

    def reader(self, prompt: Askable, order: Order) -> Reader:
        """Return the prompt's own reader, turned for a pair that was shown the other way round."""
        return prompt.reader if order is Order.ORIGINAL else prompt.turned_reader

    def estimate(self, request: Request) -> tuple[int, int]:
        """Estimate the input tokens by characters; the output may use all that is allowed."""
        characters = sum(len(message.content) for message in request.messages)
        return characters // CHARACTERS_A_TOKEN + 1, self.decoding.most_tokens


class ModelJudge(PromptedJudge):
    """What all language models as judges share, whatever backend runs them.

    Parameters
    ----------
    name, family : str
    decoding : Decoding
    limits : Limits
    model : mapping
        What else determines the model's replies: backend, weights, chat template.
    note : str
        For reports.
    vendor : str
        Who made the model.
    """

    kind: Kind = "judge"
    free = False
    price: Price | None = None

    def __init__(
        self,
        name: str,
        family: str,
        decoding: Decoding,
        limits: Limits,
        model: Mapping[str, Any],
        note: str = "",
        vendor: str = "",
    ) -> None:
        self.name = name
        self.family = family
        self.vendor = vendor
        self.decoding = decoding
        self.limits = limits
        self.note = note
        self.fingerprint = {**model, "decoding": decoding.facts}


class FreeJudge:
    """What all judges that need no model share."""

    free = True
    vendor = ""
    lifetime: Lifetime | None = None
    price: Price | None = None
    pause_s = 0.0
    counted_by = "not asked"

    async def ready(self) -> None:
        """Do nothing: it needs nothing."""

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    def estimate(self, request: Request) -> tuple[int, int]:  # noqa: ARG002
        """Return no tokens."""
        return 0, 0


def always_same(judge: Judge) -> str:
    """Return why a second answer to a request would be a copy of the first; "" if it may differ."""
    if judge.free:
        return "always answers the same"
    if not getattr(judge, "samples", True):
        return "is a decision model, which answers with probabilities"
    decoding = getattr(judge, "decoding", None)
    if getattr(judge, "greedy", False):
        return "has no temperature set and takes the likeliest token"
    return decoding.always_same if isinstance(decoding, Decoding) else ""


def as_text(messages: Sequence[Message]) -> str:
    """Return a chat as one text to continue, its messages separated by empty lines."""
    return "\n\n".join(message.content for message in messages)


def by_price(
    judges: Mapping[str, Judge], input_tokens: int = 1000, output_tokens: int = 1
) -> tuple[str, ...]:
    """Return the voters' names, the cheapest first, those of unknown price last.

    Rules and recordings are free. The cost of a local model is unknown, not 0, so it comes last.
    Equal prices are ordered by name.

    Parameters
    ----------
    judges : mapping of str to Judge
        By the voters' names: a judge may have several seats.
    input_tokens, output_tokens : int
        Tokens of the call for which prices are compared.
    """

    def rank(voter: str) -> tuple[float, str]:
        judge = judges[voter]
        if judge.price is not None:
            return judge.price.at_most(input_tokens, output_tokens), voter
        return (0.0 if judge.free else float("inf")), voter

    return tuple(sorted(judges, key=rank))
