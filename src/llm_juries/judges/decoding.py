"""Decoding parameters of a language model; all of them are part of every verdict key."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ..errors import JuriesError, nearest
from .word_logprobs import begin_alike

USUAL, ROOM, LEAST = 16, 8192, 256
"""Tokens of a reply: by default, by default with reasoning, and the least with reasoning."""
LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""The names under which formats know `max_tokens`, also as fields of `extra`."""
OPTIONS = ("seed", "effort", "thinking", "thinking_tokens", "max_tokens_as")
"""Options that not every format has a field for."""
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""What vendors call efforts of reasoning, the least first; which of them a model has differs."""
ASKED = ("model", "messages", "prompt", "input", "state", "questions")
"""Fields of a request that say who is asked what: `extra` may not go over them."""


@dataclass(frozen=True)
class Decoding:
    """How a model decodes; all of it is part of every key.

    Parameters
    ----------
    verdict_by : {"text", "schema", "choice", "logprobs", "words"}
        "text": the reply is read as text. "schema": structured output, a JSON object whose field
        `verdict` is one of the verdict words. "choice": the server allows only the verdict words
        (vLLM). "logprobs": by the probabilities of the verdict words at the first token (OpenAI's
        format only). "words": by the probabilities of whole verdict words, however many tokens
        they have (llama.cpp). For words that begin alike, "logprobs" is replaced (see `suited`).
    max_tokens : int
        Of the reply, reasoning included; by default 16, and 8192 beside `thinking_tokens` for a
        model that reasons.
    max_tokens_as : {"max_tokens", "max_completion_tokens"}
        The field's name in OpenAI's chat format: its reasoning models accept only the latter.
    temperature : float, optional
        None sends none, for models that accept none.
    top : int
        How many tokens' probabilities to request.
    seed : int, optional
        Refused where the format has none (Anthropic's, OpenAI's Responses).
    seed_as : {"seed", "random_seed"}
        The field's name in OpenAI's format: Mistral calls it random_seed.
    reasons : bool
        Whether the model reasons unless it is switched off; this is not sent.
    effort : str, optional
        Of reasoning, one of `EFFORTS` that the vendor knows.
    thinking : {"adaptive", "between_tools", "enabled", "disabled"}, optional
        Sent as `thinking: {type: ...}` (Anthropic, Cohere, DeepSeek).
    thinking_tokens : int, optional
        Reasoning budget (Anthropic, Cohere, vLLM), with `thinking` enabled.
    extra : mapping
        Further fields of the request body, sent as they are.

    Raises
    ------
    JuriesError
        If a model that reasons has no room for its verdict, or is to be read at its first token; if
        options of reasoning contradict each other; if `extra` replaces the model or the prompt.
    """

    verdict_by: Literal["text", "schema", "choice", "logprobs", "words"] = "text"
    max_tokens: int = 0  # replaced by the default that suits
    max_tokens_as: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: float | None = 0.0
    top: int = 20
    seed: int | None = None
    seed_as: Literal["seed", "random_seed"] = "seed"
    reasons: bool = False
    effort: str | None = None
    thinking: Literal["adaptive", "between_tools", "enabled", "disabled"] | None = None
    thinking_tokens: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.max_tokens < 0:
            raise JuriesError(f"max_tokens: is {self.max_tokens}; must be 1 or more")
        if self.temperature is not None and not 0 <= self.temperature < math.inf:
            raise JuriesError(f"temperature: is {self.temperature}; must be 0 or more, or null")
        if over := [name for name in ASKED if name in self.extra]:
            raise JuriesError(
                f"extra.{over[0]}: would replace what the judge's model and prompt say, and no "
                "price or lifetime would fit; leave it out, and set the judge's model"
            )
        self._check_reasoning()
        if not self.max_tokens:
            room = (self.thinking_tokens or 0) + ROOM if self.reasoning else USUAL
            object.__setattr__(self, "max_tokens", room)
        if self.reasoning:
            self._check_room()

    @property
    def reasoning(self) -> str:
        """Why the model will reason before it answers, "" if it will not."""
        if self.effort == "none" or self.thinking == "disabled":
            return ""
        if self.effort:
            return f"effort {self.effort}"
        if self.thinking_tokens:
            return f"thinking_tokens {self.thinking_tokens}"
        if self.thinking:
            return f"thinking {self.thinking}"
        return "reasons: true, and neither effort: none nor thinking: disabled" * self.reasons

    @property
    def most_tokens(self) -> int:
        """The most tokens of a reply: `max_tokens`, or what `extra` sends in its place."""
        named = (self.extra.get(name) for name in LIMITS)
        return max([self.max_tokens, *(n for n in named if isinstance(n, int))])

    @property
    def room(self) -> int:
        """The fewest tokens to which a reply is limited: `extra` goes over `max_tokens`."""
        named = [n for name in LIMITS if isinstance(n := self.extra.get(name), int)]
        return min(named, default=self.max_tokens)

    def _check_reasoning(self) -> None:
        if self.effort == "":
            raise JuriesError("effort: is empty; write null to send none")
        if self.effort is not None and self.effort not in EFFORTS:
            raise JuriesError(
                f"effort: there is no {self.effort!r} (what one vendor alone knows goes into "
                f"extra, under its own field's name){nearest(self.effort, EFFORTS)}"
            )
        if self.effort == "none" and self.thinking not in (None, "disabled"):
            raise JuriesError(
                f"thinking: is {self.thinking}, and effort: none switches reasoning off; leave one "
                "of them out"
            )
        if self.effort == "none" and self.thinking_tokens:
            raise JuriesError(
                f"thinking_tokens: is {self.thinking_tokens}, and effort: none switches reasoning "
                "off; leave one of them out"
            )
        if self.thinking_tokens is not None and self.thinking_tokens < 0:
            raise JuriesError(f"thinking_tokens: is {self.thinking_tokens}; must be 0 or more")
        if self.thinking == "disabled" and self.thinking_tokens:
            raise JuriesError(
                f"thinking_tokens: is {self.thinking_tokens}, and thinking is disabled; leave one "
                "of them out"
            )

    def _check_room(self) -> None:
        least = max(LEAST, (self.thinking_tokens or 0) + 1)
        if self.room < least:
            where = "max_tokens" if self.room == self.max_tokens else "extra"
            raise JuriesError(
                f"{where}: {self.room} leaves no room for a verdict, since the model "
                f"reasons first ({self.reasoning}) and its reasoning counts; leave it out (then it "
                f"is {(self.thinking_tokens or 0) + ROOM}), set it to {least} or more, or switch "
                "reasoning off with effort: none or thinking: disabled, as the vendor names it"
            )
        if self.verdict_by in ("logprobs", "words"):
            raise JuriesError(
                f"verdict_by: {self.verdict_by!r} scores the first token, and the model reasons "
                f"first ({self.reasoning}); set it to text, or switch reasoning off with effort: "
                "none or thinking: disabled, as the vendor names it"
            )

    @property
    def facts(self) -> dict[str, Any]:
        """The parameters that differ from the defaults: new options leave old keys unchanged.

        Without `reasons`, which changes nothing that is sent, and without the name of a seed where
        there is none.
        """
        usual = asdict(Decoding())
        unsent = {"reasons"} if self.seed is not None else {"reasons", "seed_as"}
        return {k: v for k, v in asdict(self).items() if v != usual[k] and k not in unsent}

    @property
    def always_same(self) -> str:
        """Why a second reply to the same request would be a copy; "" where it may differ."""
        if self.verdict_by in ("logprobs", "words"):
            return f"scores tokens (decoding.verdict_by: {self.verdict_by})"
        if self.extra.get("temperature", self.temperature) == 0:
            return "has temperature 0"
        return ""

    def seeded(self, seed: int | None) -> Decoding:
        """Return the same decoding under another seed; None for its own."""
        if seed is None:
            return self
        if self.seed_as in self.extra:  # it would go over the field
            return replace(self, extra={**self.extra, self.seed_as: seed})
        return replace(self, seed=seed)

    def check_offered(self, backend: str, offered: Sequence[str]) -> None:
        """Raise JuriesError if a backend does not offer this way to get a verdict."""
        if self.verdict_by not in offered:
            raise JuriesError(
                f"decoding.verdict_by: {backend} does not support {self.verdict_by!r}; set it to "
                f"one of: {', '.join(offered)}"
            )

    def check_sent(self, backend: str, known: Collection[str]) -> None:
        """Raise JuriesError for an option that a backend's format has no field for."""
        for name in OPTIONS:
            if getattr(self, name) != getattr(Decoding, name) and name not in known:
                raise JuriesError(
                    f"decoding.{name}: {backend} has no such option, so it would not be sent; "
                    "leave it out"
                )

    def suited(
        self, choices: Sequence[str], instead: Literal["words", "choice", ""] = ""
    ) -> Decoding:
        """Return the decoding for some verdict words: not by one token if they begin alike.

        Parameters
        ----------
        choices : sequence of str
            The verdict words.
        instead : {"words", "choice", ""}
            What the backend offers for words of several tokens; "" for nothing.

        Raises
        ------
        JuriesError
            If it offers nothing, or there are no verdict words and text is not read.
        """
        if not choices and self.verdict_by != "text":
            raise JuriesError(
                f"decoding.verdict_by: {self.verdict_by!r} is for verdict words, and the prompt "
                "has none; set it to text, with max_tokens for the whole reply"
            )
        if self.verdict_by != "logprobs" or not begin_alike(choices):
            return self
        if not instead:
            raise JuriesError(
                f"decoding.verdict_by: 'logprobs' scores a single token, which can't tell the "
                f"verdict words {', '.join(choices)} apart; set it to text, with max_tokens for a "
                "whole word"
            )
        room = max(len(word.encode()) for word in choices) + 1  # no token is shorter than a byte
        tokens = max(self.max_tokens, room) if instead == "choice" else self.max_tokens
        return replace(self, verdict_by=instead, max_tokens=tokens)
