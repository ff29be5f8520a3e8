"""Measures of probabilities are scikit-learn's, and those of plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.metrics.calibration import (
    BRIER,
    CALIBRATION,
    CALIBRATION_ERROR,
    ECE_BY_CHANCE,
    LOG_LOSS,
)
from llm_juries.metrics.measure import Ratings, estimates
from llm_juries.scale import Scale

NAN = math.nan


def sample(n: int = 300, seed: int = 0, *, right: bool = True) -> Ratings:
    """Probabilities of two voters beside labels, some missing, three answers a question."""
    rng = np.random.default_rng(seed)
    shares = rng.beta(0.7, 0.7, size=(n, 2))
    human = (rng.random(n) < (shares[:, 0] if right else shares[:, 0] ** 2)).astype(float)
    shares[rng.random(shares.shape) < 0.1] = NAN
    return Ratings(shares, human, Scale.interval(0, 1), np.arange(n) // 3)


def known(ratings: Ratings, at: int) -> tuple[np.ndarray, np.ndarray]:
    there = ~np.isnan(ratings.votes[:, at])
    return ratings.votes[there, at], ratings.human[there]


def test_brier_and_log_loss_are_scikit_learns():
    ratings = sample()
    for at in range(2):
        shares, human = known(ratings, at)
        assert BRIER.over(ratings).point[at] == pytest.approx(sk.brier_score_loss(human, shares))
        assert LOG_LOSS.over(ratings).point[at] == pytest.approx(sk.log_loss(human, shares))


def test_a_sure_and_wrong_probability_costs_much_but_not_all():
    ratings = Ratings(np.array([[0.0], [1.0]]), np.array([1.0, 1.0]), Scale.interval(0, 1), [0, 1])
    assert LOG_LOSS.over(ratings).point[0] == pytest.approx(-math.log(1e-6) / 2, rel=1e-4)


def test_the_calibration_error_is_that_of_a_loop_over_bins():
    ratings = sample(right=False)
    for at in range(2):
        shares, human = known(ratings, at)
        off = chance = 0.0
        for one in range(10):
            own = (shares >= one / 10) & ((shares < (one + 1) / 10) | (one == 9))
            if own.any():
                off += own.sum() * abs(shares[own].mean() - human[own].mean())
                spread = (shares[own] * (1 - shares[own])).sum()
                chance += math.sqrt(2 / math.pi * spread)
        assert CALIBRATION_ERROR.over(ratings).point[at] == pytest.approx(off / len(shares))
        assert ECE_BY_CHANCE.over(ratings).point[at] == pytest.approx(chance / len(shares))


def test_right_probabilities_have_about_the_error_that_chance_gives():
    found = [CALIBRATION_ERROR.over(sample(seed=seed)).point[0] for seed in range(200)]
    by_chance = [ECE_BY_CHANCE.over(sample(seed=seed)).point[0] for seed in range(200)]
    assert np.mean(found) == pytest.approx(np.mean(by_chance), rel=0.1)


@pytest.mark.parametrize("measure", CALIBRATION, ids=lambda one: one.name)
def test_intervals_are_those_of_leaving_each_question_out(measure):
    ratings = sample(90)
    labels = np.array(ratings.clusters)
    left = [measure.over(ratings.only(labels != one)).point[0] for one in range(30)]
    error = math.sqrt(29 / 30 * ((np.array(left) - np.mean(left)) ** 2).sum())
    found = estimates([measure], ratings, Bootstrap(2))[measure.name]
    value = found.value[0]
    slope = 1 / value if measure is LOG_LOSS else 1 / (value * (1 - value))
    change = math.log if measure is LOG_LOSS else lambda p: math.log(p / (1 - p))
    reach = (change(found.high[0]) - change(found.low[0])) / 2
    assert reach == pytest.approx(2.0452296 * error * slope, rel=1e-6)
