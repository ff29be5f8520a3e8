"""Tests with a margin are those of statsmodels where clusters are single items."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from llm_juries.metrics.bootstrap import cluster_sums
from llm_juries.metrics.equivalence import Estimate
from llm_juries.metrics.intervals import additive, jackknifed


def mean(totals: np.ndarray) -> np.ndarray:
    return totals[..., 1] / totals[..., 0]


@pytest.mark.parametrize("shift", [-0.3, 0.0, 0.05, 0.2])
def test_two_one_sided_tests_are_those_of_statsmodels(shift: float):
    rng = np.random.default_rng(0)
    one, other = rng.normal(shift, 1, 80), rng.normal(0, 1, 80)
    sums = np.stack([np.ones(80), one - other], axis=1)
    jack = jackknifed(additive(sums, mean))
    found = Estimate.of(jack)
    p, (_, lower, _), (_, upper, _) = ttost_paired(one, other, -0.25, 0.25)
    assert found.above(-0.25) == pytest.approx(lower)
    assert found.below(0.25) == pytest.approx(upper)
    assert found.equivalent(0.25) == pytest.approx(p)
    interval = stats.ttest_1samp(one - other, 0).confidence_interval(0.95)
    assert jack.interval()[1:] == pytest.approx(tuple(interval))


def test_the_error_is_that_of_leaving_out_each_cluster():
    rng = np.random.default_rng(1)
    clusters = rng.integers(12, size=60)
    values = rng.normal(size=60) + clusters / 5
    sums = cluster_sums(np.stack([np.ones(60), values], axis=1), clusters)
    left = [values[clusters != one].mean() for one in np.unique(clusters)]
    error = np.sqrt(11 / 12 * ((left - np.mean(left)) ** 2).sum())
    empty = np.vstack([sums, np.zeros((3, 2))])  # clusters without an item count for nothing
    found = Estimate.of(jackknifed(additive(empty, mean)))
    assert found == pytest.approx(Estimate(values.mean(), values.mean(), error, 12))


def test_where_all_clusters_say_the_same_only_the_margin_decides():
    same = Estimate(0.0, 0.0, 0.0, 20)
    assert same.equivalent(0.02) == 0
    assert same.above(0.0) == 1


def test_one_cluster_tells_nothing():
    assert np.isnan(jackknifed(additive(np.array([[3.0, 1.0]]), mean)).error)


def test_tests_are_about_the_value_beside_imagined_questions_as_the_interval_is():
    sums = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    cells = np.array([[1.0, 0.0], [1.0, 1.0]])
    jack = jackknifed(additive(sums, mean, cells), 2.0)
    found, interval = Estimate.of(jack), jack.interval(level=0.9)
    assert found.value == 0.75
    assert found.centre == pytest.approx(4 / 6)
    assert found.above(interval.low) == pytest.approx(0.05)
    assert found.below(interval.high) == pytest.approx(0.05)
