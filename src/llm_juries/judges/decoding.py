"""Decoding parameters of a language model; all of them are part of every verdict key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ..errors import JuriesError
from .word_logprobs import begin_alike


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
        Of the reply, reasoning included.
    max_tokens_as : {"max_tokens", "max_completion_tokens"}
        The field's name in OpenAI's format: its reasoning models accept only the latter.
    temperature : float, optional
        None sends none, for models that accept none.
    top : int
        How many tokens' probabilities to request.
    seed : int, optional
        Sent where the format has one.
    effort : str, optional
        Of reasoning models: low, medium, high.
    thinking_tokens : int, optional
        Reasoning budget (Anthropic, Cohere, vLLM).
    extra : mapping
        Further fields of the request body, sent as they are.
    """

    verdict_by: Literal["text", "schema", "choice", "logprobs", "words"] = "text"
    max_tokens: int = 16
    max_tokens_as: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: float | None = 0.0
    top: int = 20
    seed: int | None = None
    effort: str | None = None
    thinking_tokens: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """The parameters that differ from the defaults: new options leave old keys unchanged."""
        return {k: v for k, v in asdict(self).items() if v != asdict(Decoding())[k]}

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
        if "seed" in self.extra:  # it would go over the field
            return replace(self, extra={**self.extra, "seed": seed})
        return replace(self, seed=seed)

    def check_offered(self, backend: str, offered: Sequence[str]) -> None:
        """Raise JuriesError if a backend does not offer this way to get a verdict."""
        if self.verdict_by not in offered:
            raise JuriesError(
                f"decoding.verdict_by: {backend} does not support {self.verdict_by!r}; set it to "
                f"one of: {', '.join(offered)}"
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
