"""How a model decodes, all of it part of every verdict key."""

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
        `verdict` is one of the verdict words. "choice": the server lets only the verdict words
        through (vLLM). "logprobs": by the probabilities of the verdict words at the first token
        (OpenAI's format only). "words": by those of whole verdict words, however many tokens they
        have (llama.cpp). Where words begin alike, "logprobs" gives way to another (see `suited`).
    max_tokens : int
        Of the reply, reasoning included.
    max_tokens_as : {"max_tokens", "max_completion_tokens"}
        What OpenAI's format calls it: its reasoning models take only the latter.
    temperature : float, optional
        None sends none, for models that take none.
    top : int
        How many tokens' probabilities to ask for.
    seed : int, optional
        Where the format has one.
    effort : str, optional
        Of reasoning models: low, medium, high.
    thinking_tokens : int, optional
        Budget of reasoning models (Anthropic, Cohere).
    extra : mapping
        Further fields of the body, sent as they are.
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
        """What is decoded differently from the defaults: new options leave old keys as they are."""
        return {k: v for k, v in asdict(self).items() if v != asdict(Decoding())[k]}

    def suited(
        self, choices: Sequence[str], instead: Literal["words", "choice", ""] = ""
    ) -> Decoding:
        """Return this decoding, but not by one token where that can't tell the choices apart.

        Parameters
        ----------
        choices : sequence of str
            The verdict words.
        instead : {"words", "choice", ""}
            What the judge has for words of several tokens; "" for nothing.

        Raises
        ------
        JuriesError
            If it has nothing.
        """
        if self.verdict_by != "logprobs" or not begin_alike(choices):
            return self
        if not instead:
            raise JuriesError(
                f"decoding.verdict_by: is 'logprobs', but no single token tells the verdict words "
                f"{', '.join(choices)} apart; set it to text, with max_tokens for a whole word"
            )
        room = max(len(word.encode()) for word in choices) + 1  # no token is shorter than a byte
        tokens = max(self.max_tokens, room) if instead == "choice" else self.max_tokens
        return replace(self, verdict_by=instead, max_tokens=tokens)
