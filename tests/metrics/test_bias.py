"""Deltas of accuracy equal those of a plain loop over the answers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from llm_juries.metrics.bias import Deltas, accuracy_deltas

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
    found = accuracy_deltas(votes, human, candidates, questions)
    for row, name in enumerate(found.candidates):
        for voter in range(2):
            n, judged, true = slow_delta(votes[:, voter], human, candidates == name)
            told = [part[row, voter] for part in (found.n, found.judged, found.human, found.delta)]
            assert told == pytest.approx([n, judged, true, judged - true])


def test_intervals_are_those_of_a_loop_that_leaves_each_question_out():
    votes, human, candidates, questions = sample(0)
    found = accuracy_deltas(votes, human, candidates, questions, 0.9)
    for row, name in enumerate(found.candidates):
        own = (candidates == name) & ~np.isnan(votes[:, 0]) & ~np.isnan(human)
        gaps = votes[own, 0] - human[own]
        n = len(gaps)  # one answer a question, and one imagined in each of four cells

        def delta(total: float, number: float) -> float:
            return total / number

        centre = delta(gaps.sum(), n + 4)
        left = np.array([delta(gaps.sum() - gap, n + 3) for gap in gaps])
        variance = (n - 1) / n * ((left - left.mean()) ** 2).sum()
        for gap in (0.0, 0.0, 1.0, -1.0):
            variance += (delta(gaps.sum() - gap, n + 3) - centre) ** 2
        reach = stats.t.ppf(0.95, n - 1) * math.sqrt(variance)
        told = [found.low[row, 0], found.high[row, 0]]
        assert told == pytest.approx([centre - reach, centre + reach])
        assert found.questions[row, 0] == n


def test_intervals_are_about_those_of_agresti_and_min():
    """Their formula for matched pairs with a count a cell; ours has t and the jackknife."""
    both, more, fewer, none = 40, 9, 3, 28
    votes = np.repeat([1.0, 1.0, 0.0, 0.0], [both, more, fewer, none])
    human = np.repeat([1.0, 0.0, 1.0, 0.0], [both, more, fewer, none])
    found = accuracy_deltas(votes[:, None], human, ["a"] * 80, range(80))
    n, b, c = 84, more + 1, fewer + 1
    centre = (b - c) / n
    reach = stats.t.ppf(0.975, 79) * math.sqrt(b + c - (b - c) ** 2 / n) / n
    told = [found.low[0, 0], found.high[0, 0]]
    assert told == pytest.approx([centre - reach, centre + reach], abs=0.002)


@pytest.mark.parametrize(
    ("questions", "rate"), [(20, 0.15), (50, 0.054), (100, 0.054), (300, 0.018)]
)
def test_a_lenient_judges_delta_is_covered(questions: int, rate: float):
    """All numbers of errors, with their chances: one-sided errors are the hardest case."""
    errors = np.arange(questions + 1)
    chances = stats.binom.pmf(errors, questions, rate)
    covered = 0.0
    for number in errors[chances > 1e-4]:
        votes = (np.arange(questions) < number).astype(float)[:, None]
        found = accuracy_deltas(votes, np.zeros(questions), ["a"] * questions, range(questions))
        covered += chances[number] * (found.low[0, 0] <= rate <= found.high[0, 0])
    assert covered >= 0.93


def test_a_voter_that_never_differs_from_humans_has_an_interval():
    found = accuracy_deltas(np.ones((50, 1)), np.ones(50), ["a"] * 50, range(50))
    assert found.delta[0, 0] == 0
    assert found.low[0, 0] < 0 < found.high[0, 0]
    assert found.high[0, 0] < 0.08


def small(votes: list[float], human: list[float], candidates: list[str]) -> Deltas:
    return accuracy_deltas(np.array(votes)[:, None], np.array(human), candidates, range(len(votes)))


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
