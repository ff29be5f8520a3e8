"""Whether the tokens that a server reports can be those of the request that it was sent."""

from __future__ import annotations

from dataclasses import replace

from ...types import Reply, Request
from ..decoding import Decoding
from .wire import tell_once

BYTES_A_CHARACTER = 4  # at most, in UTF-8
ADDED_INPUT, ADDED_OUTPUT = 4096, 8  # tokens of templates and tools; of ends of turns
MOST_THINKING = 1 << 17  # tokens of reasoning, which some servers do not count as output


def believed(judge: str, request: Request, decoding: Decoding, reply: Reply) -> Reply:
    """Return a reply without token counts that can't be true, so that they cost nothing unseen.

    No token is shorter than a byte, so a request has at most as many as bytes, beside what a server
    adds. Something was sent, so its input is more than none, and what was read from a cache or
    written to it is part of it. A reply whose counts are not believed has an unknown cost, and a
    budget counts the most that it may have cost.
    """
    sent, received = reply.input_tokens, reply.output_tokens
    if sent is None and received is None:
        return reply
    size = BYTES_A_CHARACTER * sum(len(message.content) for message in request.messages)
    parts = (reply.cached_tokens or 0) + (reply.cache_write_tokens or 0)
    problem = ""
    if sent is not None and not 0 < sent <= size + ADDED_INPUT:
        problem = f"{sent} input tokens for a request of at most {size} bytes"
    elif sent is not None and parts > sent:
        problem = f"{parts} cached tokens of {sent} input tokens"
    elif received is not None and received > (allowed := _allowed(decoding, reply)):
        problem = f"{received} output tokens where at most {allowed} were allowed"
    elif received == 0 and reply.text and not reply.error and not reply.choice_logprobs:
        problem = f"0 output tokens for a reply of {len(reply.text)} characters"
    if not problem:
        return reply
    tell_once(
        f"usage of {judge}",
        f"judge {judge}: reports {problem}, which is not believed; the cost of such replies is not "
        "known",
    )
    return replace(
        reply,
        input_tokens=None,
        cached_tokens=None,
        cache_write_tokens=None,
        output_tokens=None,
        thinking_tokens=None,
    )


def _allowed(decoding: Decoding, reply: Reply) -> int:
    """Return the most output tokens that a request allows, with the reasoning that came on top."""
    thinking = max(decoding.thinking_tokens or 0, reply.thinking_tokens or 0)
    return decoding.most_tokens + min(thinking, MOST_THINKING) + ADDED_OUTPUT
