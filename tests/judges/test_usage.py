"""Token counts that can be true, and those that are not believed."""

from __future__ import annotations

import pytest

from llm_juries.judges.decoding import Decoding
from llm_juries.judges.http import wire
from llm_juries.judges.http.usage import believed
from llm_juries.judges.pricing import Price
from llm_juries.types import Item, Message, Order, Reply, Request

REQUEST = Request(
    "k", Item("d", "q", "m"), Order.ORIGINAL, messages=(Message("user", "Right? " * 100),)
)
PRICE = Price(2.0, 10.0, "2024-04", cached_input_usd=1.0, cache_write_usd=2.5)


@pytest.mark.parametrize(
    "reply",
    [
        Reply("True"),
        Reply("True", input_tokens=300, output_tokens=2),
        Reply("True", input_tokens=300, cached_tokens=256, output_tokens=2),
        Reply("True", input_tokens=300, cached_tokens=200, cache_write_tokens=56, output_tokens=16),
        Reply("True", input_tokens=5000, output_tokens=16),  # of what the provider adds
        Reply("True", input_tokens=300, output_tokens=900, thinking_tokens=890),
        Reply("", input_tokens=300, output_tokens=0),
    ],
)
def test_counts_that_can_be_true_are_kept(reply: Reply):
    assert believed("j", REQUEST, Decoding(), reply) == reply


@pytest.mark.parametrize(
    "reply",
    [
        Reply("True", input_tokens=0, output_tokens=1),
        Reply("True", input_tokens=-3, output_tokens=1),
        Reply("True", input_tokens=10**6, output_tokens=1),
        Reply("True", input_tokens=300, output_tokens=0),
        Reply("True", input_tokens=300, output_tokens=4000),
        Reply("True", input_tokens=300, output_tokens=10**9, thinking_tokens=10**9),
        Reply("True", input_tokens=300, cached_tokens=301, output_tokens=1),
        Reply("True", input_tokens=300, cached_tokens=200, cache_write_tokens=200, output_tokens=1),
    ],
)
def test_counts_that_can_not_be_true_cost_an_unknown_sum(
    reply: Reply, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(wire, "_told", set())
    for _ in range(3):
        found = believed("j", REQUEST, Decoding(), reply)
    assert found.text == "True"
    assert PRICE.of(found) is None
    (told,) = caplog.messages
    assert told.startswith("judge j: reports ")
    assert told.endswith("not believed; the cost of such replies is not known")


def test_a_limit_among_the_further_fields_counts():
    reply = Reply("True", input_tokens=300, output_tokens=400)
    assert believed("j", REQUEST, Decoding(extra={"max_tokens": 500}), reply) == reply
