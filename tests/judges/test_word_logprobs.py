"""The probabilities of whole words: checked against a sum over all ways to write them."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_juries.judges import word_logprobs as module
from llm_juries.judges.word_logprobs import Walk, begin_alike, spelled_out, verdict_logprobs

LEVELS = ("A>>B", "A>B", "A=B", "B>A", "B>>A")
TOKENS = ("A", "B", ">", ">>", "=", ">B", " A", " B", "\n", "x", "", " ")
SCALE = tuple(str(number) for number in range(1, 11))


def model(seed: int, tokens: Sequence[str], text: str) -> list[tuple[str, float]]:
    """Return a made-up model's next-token distribution after a text."""
    chance = random.Random(f"{seed}/{text}")
    weights = [chance.random() ** 4 for _ in tokens]
    total = sum(weights)
    return [(t, math.log(w / total)) for t, w in zip(tokens, weights, strict=True) if w]


def walked(seed: int, words: Sequence[str], tokens: Sequence[str]) -> tuple[dict[str, float], int]:
    walk, steps = Walk(words), 0
    while pending := walk.pending():
        walk.add(pending[0], model(seed, tokens, pending[0]))
        steps += 1
    return walk.logprobs(), steps


def summed(seed: int, words: Sequence[str], tokens: Sequence[str]) -> dict[str, float]:
    """Return each word's probability by going through every sequence of tokens that spells it."""
    found = dict.fromkeys(words, 0.0)
    longest = max(len(word) for word in words)
    spelled = [token for token in tokens if token.strip()]
    for length in range(1, longest + 1):
        for way in itertools.product(spelled, repeat=length):
            text, p = "", 1.0
            if "".join(way).strip() not in found:
                continue
            for token in way:
                p *= math.exp(dict(model(seed, tokens, text)).get(token, -math.inf))
                text += token
            found[text.strip()] += p
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_words_probability_is_the_sum_over_all_ways_to_spell_it(seed: int):
    tokens = ("A", "B", ">", ">>", ">B", " A")
    words = ("A>>B", "A>B", "B>A")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "UNLIKELY", 1e-300)
        found, _ = walked(seed, words, tokens)
    expected = summed(seed, words, tokens)
    assert {word: math.exp(lp) for word, lp in found.items()} == pytest.approx(
        {word: p for word, p in expected.items() if p}
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_what_is_passed_over_as_unlikely_changes_little(seed: int):
    found, steps = walked(seed, LEVELS, TOKENS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "UNLIKELY", 1e-300)
        exact, most = walked(seed, LEVELS, TOKENS)
    assert steps <= most
    for word, lp in exact.items():
        assert math.exp(lp) - math.exp(found.get(word, -math.inf)) < 20 * module.UNLIKELY
    assert sum(math.exp(lp) for lp in exact.values()) <= 1 + 1e-9


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.permutations(LEVELS))
def test_the_order_of_the_words_makes_no_difference(seed: int, order: Sequence[str]):
    assert walked(seed, order, TOKENS) == walked(seed, LEVELS, TOKENS)


def test_a_word_that_begins_another_counts_only_where_it_ends():
    walk = Walk(("1", "10"))
    walk.add("", [("1", math.log(0.8)), ("2", math.log(0.2))])
    assert walk.pending() == ["1"]
    walk.add("1", [("0", math.log(0.25)), ("\n", math.log(0.75))])
    assert walk.pending() == []
    found = {word: math.exp(lp) for word, lp in walk.logprobs().items()}
    assert found == pytest.approx({"1": 0.6, "10": 0.2})


def test_a_model_that_writes_no_word_gives_none():
    walk = Walk(LEVELS)
    walk.add("", [("The", -0.1), (" ", -3.0), ("\n", -4.0)])
    assert walk.pending() == [" ", "\n"]
    walk.add(" ", [("The", -0.1), (" ", -3.0)])
    walk.add("\n", [("The", -0.1), (" ", -3.0)])
    assert walk.pending() == []
    assert walk.logprobs() == {}


@pytest.mark.parametrize(
    ("words", "alike"),
    [
        (("True", "False"), False),
        (("1", "2", "3", "4", "5"), False),
        (("correct", "incorrect"), False),
        ((), False),
        (LEVELS, True),
        (SCALE, True),
    ],
)
def test_words_begin_alike_by_their_first_sign(words: Sequence[str], alike: bool):
    assert begin_alike(words) is alike


@pytest.mark.parametrize(
    ("tokens", "several"),
    [
        ({"Correct": -0.1, " Inc": -3.0}, True),  # Incorrect is not in one token, but begun
        ({"Correct": -0.1, " Inc": -9.0}, False),  # too unlikely to matter
        ({"Correct": -0.1, "Incorrect": -3.0, "Inc": -2.0}, False),  # both are there as they are
        ({"Correct": -0.1, " the": -0.2}, False),
        ({" Inc": -0.1}, True),
        ({}, False),
    ],
)
def test_a_word_that_is_begun_but_in_no_token_is_spelled_out(
    tokens: dict[str, float], several: bool
):
    assert spelled_out(("Correct", "Incorrect"), tokens.items()) is several


def test_a_space_in_a_token_of_its_own_begins_a_word():
    first = [(" ", math.log(0.8)), ("\n", math.log(0.1)), ("3", math.log(0.05))]
    words = ("1", "2", "3")
    assert spelled_out(words, first)
    assert verdict_logprobs(first, words) == {}
    walk = Walk(words)
    walk.add("", first)
    assert walk.pending() == [" ", "\n"]
    walk.add(" ", [("1", math.log(0.5)), ("3", math.log(0.25)), (" ", math.log(0.2))])
    walk.add("\n", [("2", math.log(0.5))])
    assert walk.pending() == []
    found = {word: math.exp(lp) for word, lp in walk.logprobs().items()}
    assert found == pytest.approx({"1": 0.4, "2": 0.05, "3": 0.25})


def test_a_space_that_is_less_likely_than_a_verdict_word_changes_nothing():
    first = [("True", math.log(0.6)), (" ", math.log(0.2)), ("False", math.log(0.1))]
    assert not spelled_out(("True", "False"), first)
    assert verdict_logprobs(first, ("True", "False")) == pytest.approx(
        {"True": math.log(0.6), "False": math.log(0.1)}
    )
