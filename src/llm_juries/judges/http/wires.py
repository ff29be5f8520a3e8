"""The wire formats by name."""

from __future__ import annotations

from ..decoding import Decoding
from .anthropic import Anthropic
from .cohere import Cohere
from .decision_wire import DecisionWire
from .openai import OpenAI, OpenAIText
from .openai_decisions import OpenAIDecisions
from .responses import OpenAIResponses
from .systemone import SystemOne
from .wire import Wire

WIRES: dict[str, Wire] = {
    "openai": OpenAI(),
    "openai_text": OpenAIText(),
    "openai_responses": OpenAIResponses(),
    "anthropic": Anthropic(),
    "cohere": Cohere(),
}
DECISION_WIRES: dict[str, DecisionWire] = {
    "systemone": SystemOne(),
    "decisions": OpenAIDecisions(),
}


def wire_of(name: str, decoding: Decoding) -> Wire:
    """Return a wire format.

    Raises JuriesError if it can't give the verdict as requested, or has no field for an option.
    """
    wire = WIRES[name]
    decoding.check_offered(f"wire {name}", wire.verdicts)
    decoding.check_sent(f"wire {name}", wire.options)
    return wire
