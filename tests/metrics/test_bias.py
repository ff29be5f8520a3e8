"""Deltas of accuracy equal those of a plain loop over the answers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_juries.metrics.bias import Deltas, accuracy_deltas
from llm_juries.metrics.bootstrap import Bootstrap

NAN = math.nan


def sample(seed: int) -> tuple[Any, ...]:
    """Return votes, human labels (some of both missing), candidates and questions."""
    rng = np.random.default_rng(seed)
    questions = np.repeat(np.arange(25), 3)
    candidates = np.tile(["b", "a", "c"], 25)
    human = rng.integers(2, size=75).astype(float)
    human[rng.random(75) < 0.1] = NAN
    votes = rng.integers(2, size=(75, 2)).astype(float)
    votes[rng.random(votes.shape) < 0.1] = NAN
    return votes, human, candidates, questions


def slow_delta(votes: Any, human: Any, own: Any) -> tuple[int, float, float]:
    pairs = [
        (vote, true)
        for vote, true, mine in zip(votes, human, own, strict=True)
        if mine and not math.isnan(vote) and not math.isnan(true)
    ]
    if not pairs:
        return 0, NAN, NAN
    return len(pairs), *(sum(side) / len(pairs) for side in zip(*pairs, strict=True))


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_delta_is_the_difference_of_two_means_over_the_same_answers(seed: int):
    votes, human, candidates, questions = sample(seed)
    found = accuracy_deltas(votes, human, candidates, questions, Bootstrap(10))
    for row, name in enumerate(found.candidates):
        for voter in range(2):
            n, judged, true = slow_delta(votes[:, voter], human, candidates == name)
            told = [part[row, voter] for part in (found.n, found.judged, found.human, found.delta)]
            assert told == pytest.approx([n, judged, true, judged - true])


def test_intervals_are_those_of_a_loop_over_the_same_questions():
    votes, human, candidates, questions = sample(0)
    found = accuracy_deltas(votes, human, candidates, questions, Bootstrap(80, 4, 0.9))
    drawn = np.random.default_rng(4).integers(25, size=(80, 25))
    for row, name in enumerate(found.candidates):
        deltas = []
        for draw in drawn:
            taken = np.concatenate([np.flatnonzero(questions == one) for one in draw])
            _, judged, true = slow_delta(votes[taken, 0], human[taken], candidates[taken] == name)
            deltas.append(judged - true)
        expected = np.quantile(deltas, [0.05, 0.95])
        np.testing.assert_allclose([found.low[row, 0], found.high[row, 0]], expected, atol=1e-12)


def small(votes: list[float], human: list[float], candidates: list[str]) -> Deltas:
    return accuracy_deltas(
        np.array(votes)[:, None], np.array(human), candidates, range(len(votes)), Bootstrap(20)
    )


def test_candidates_are_sorted_by_name():
    assert small([1, 1, 1], [1, 1, 1], ["z", "a", "m"]).candidates == ("a", "m", "z")


def test_a_voter_that_says_yes_to_a_wrong_answer_has_a_positive_delta():
    assert small([1, 1], [0, 1], ["a", "a"]).delta.tolist() == [[0.5]]


def test_a_candidate_without_a_vote_has_no_delta():
    found = small([NAN, *[1] * 9], [1] * 10, ["a", *"b" * 9])
    for part in (found.delta, found.low, found.high):
        assert np.isnan(part[:, 0]).tolist() == [True, False]


def test_humans_are_taken_over_the_answers_the_voter_voted_on():
    found = small([1, NAN], [1, 0], ["a", "a"])
    assert (found.n[0, 0], found.human[0, 0], found.delta[0, 0]) == (1, 1.0, 0.0)
