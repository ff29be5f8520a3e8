"""The wire formats by name."""

from __future__ import annotations

from ...errors import JuriesError
from ..decoding import Decoding
from .anthropic import Anthropic
from .cohere import Cohere
from .openai import OpenAI, OpenAIText
from .wire import Wire

WIRES: dict[str, Wire] = {
    "openai": OpenAI(),
    "openai_text": OpenAIText(),
    "anthropic": Anthropic(),
    "cohere": Cohere(),
}


def wire_of(name: str, decoding: Decoding) -> Wire:
    """Return a wire format, after checking that it can give the verdict as asked for."""
    wire = WIRES[name]
    if decoding.verdict_by not in wire.verdicts:
        raise JuriesError(
            f"decoding.verdict_by: {name} has no {decoding.verdict_by!r}; "
            f"there are: {', '.join(wire.verdicts)}"
        )
    return wire
