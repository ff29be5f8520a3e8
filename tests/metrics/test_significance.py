"""Tests of many differences at once equal plain loops over their definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from llm_juries.metrics.correlation import correlations, order_bounds, rank_sets, score_bounds
from llm_juries.metrics.significance import (
    Alternative,
    decided_pairs,
    holm,
    max_t_bounds,
    max_t_quantile,
    standard_errors,
    step_down_max_t,
)

NAN = math.nan
ALTERNATIVES: list[Alternative] = ["two-sided", "greater"]


def sample(seed: int = 0, j: int = 6, b: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Return values with correlated draws: half of them far from zero."""
    rng = np.random.default_rng(seed)
    value = rng.normal(0, 0.1, j) + np.where(np.arange(j) % 2, 0.5, 0.0)
    common = rng.normal(0, 0.15, (1, b))
    return value, value[:, None] + common + rng.normal(0, 0.1, (j, b))


def distance(x: np.ndarray, alternative: Alternative) -> np.ndarray:
    return np.abs(x) if alternative == "two-sided" else x


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_step_down_is_romano_and_wolfs_loop(alternative: Alternative):
    value, draws = sample()
    errors = draws.std(axis=1, ddof=1)
    t = distance(value / errors, alternative)
    away = distance((draws - value[:, None]) / errors[:, None], alternative)
    expected, left, so_far = np.full(6, NAN), set(range(6)), 0.0
    while left:  # the largest t first; what is tested leaves the maximum
        first = max(left, key=lambda at: t[at])
        most = away[sorted(left)].max(axis=0)
        so_far = max(so_far, (1 + (most >= t[first]).sum()) / 401)
        expected[first] = so_far
        left.remove(first)
    found = step_down_max_t(value, draws, alternative).p
    np.testing.assert_allclose(found, expected)
    critical = step_down_max_t(value, draws, alternative, 0.9).critical
    assert critical == pytest.approx(np.quantile(away.max(axis=0), 0.9))
    single = step_down_max_t(value.astype(np.float32), draws.astype(np.float32), alternative).p
    np.testing.assert_allclose(single, expected, atol=1 / 401)


def test_bounds_hold_for_the_share_of_resamples_that_is_asked_for():
    value, draws = sample(1)
    found = max_t_bounds(value, draws, 0.9)
    # Turned round, a draw is as far from its value as the truth may be
    truths = 2 * value[:, None] - draws
    inside = (found.low[:, None] <= truths) & (truths <= found.high[:, None])
    assert inside.all(axis=0).mean() == pytest.approx(0.9, abs=0.005)


def test_one_value_has_the_bounds_of_its_own_quantile():
    value, draws = sample(2, j=1)
    away = np.abs(draws[0] - value[0]) / draws[0].std(ddof=1)
    assert max_t_quantile(value, draws, 0.95) == pytest.approx(np.quantile(away, 0.95))


def test_a_value_that_never_changes_is_no_test_and_costs_the_others_nothing():
    value, draws = sample(3)
    more = np.append(value, [1.0, 0.3])
    empty = np.full(400, NAN)
    with_more = np.vstack([draws, np.ones(400), empty])
    found = step_down_max_t(more, with_more).p
    np.testing.assert_array_equal(found[:6], step_down_max_t(value, draws).p)
    assert np.isnan(found[6:]).all()
    bounds = max_t_bounds(more, with_more)
    assert np.isnan([bounds.low[6:], bounds.high[6:]]).all()
    np.testing.assert_array_equal(bounds.low[:6], max_t_bounds(value, draws).low)
    assert np.isnan(step_down_max_t(np.ones(2), np.ones((2, 9))).p).all()
    assert math.isnan(max_t_quantile(np.ones(2), np.ones((2, 9))))


def test_undefined_draws_are_left_out():
    value, draws = sample(4)
    draws[0, :12] = NAN
    assert standard_errors(draws)[0] == pytest.approx(np.nanstd(draws[0], ddof=1))
    assert not np.isnan(step_down_max_t(value, draws).p).any()
    draws[0, :30] = NAN  # more than one in twenty
    assert np.isnan(standard_errors(draws)).tolist() == [True, *[False] * 5]


def test_step_down_keeps_the_chance_of_any_false_finding_and_finds_more_than_holm():
    """Means of 200 questions; 30 differences of which 29 are nothing and overlap, 200 times."""
    false = found = by_holm = 0
    rng = np.random.default_rng(0)
    times = rng.multinomial(200, np.full(200, 1 / 200), 300) / 200  # one bootstrap for all 200
    for _ in range(200):
        common, own = rng.normal(size=(200, 1)), rng.normal(size=(200, 30))
        data = common + 0.5 * own
        data[:, 0] += 0.26
        value = data.mean(axis=0)
        draws = (times @ data).T
        p = step_down_max_t(value, draws, "greater").p
        false += (p[1:] <= 0.05).any()
        found += p[0] <= 0.05
        z = stats.norm.sf(value / draws.std(axis=1, ddof=1))
        by_holm += holm(z)[0] <= 0.05
    assert false / 200 <= 0.09
    assert found > 1.2 * by_holm


def test_holm_is_statsmodels_with_gaps():
    p = np.array([0.01, NAN, 0.04, 0.03, 0.04, 0.9])
    tested = ~np.isnan(p)
    found = holm(p)
    expected = multipletests(p[tested], method="holm")[1]
    np.testing.assert_allclose(found[tested], expected)
    assert math.isnan(found[1])


def scores(seed: int, m: int = 5, b: int = 500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = np.sort(rng.normal(size=m))
    return score, score + rng.normal(0, 0.3, (b, m)) + rng.normal(0, 0.3, (b, 1))


@pytest.mark.parametrize("seed", range(4))
def test_pairs_are_decided_by_the_largest_distance_of_any_pair(seed: int):
    score, draws = scores(seed)
    pairs = list(itertools.combinations(range(5), 2))
    gaps = {pair: draws[:, pair[0]] - draws[:, pair[1]] for pair in pairs}
    true = {pair: score[pair[0]] - score[pair[1]] for pair in pairs}
    errors = {pair: gaps[pair].std(ddof=1) for pair in pairs}
    most = np.max([np.abs(gaps[pair] - true[pair]) / errors[pair] for pair in pairs], axis=0)
    critical = np.quantile(most, 0.95)
    found = decided_pairs(score, draws)
    for (one, other), gap in true.items():
        expected = np.sign(gap) if abs(gap) > critical * errors[one, other] else 0
        assert found[one, other] == -found[other, one] == expected


@pytest.mark.parametrize("seed", range(6))
def test_bounds_are_those_of_all_orders_that_nothing_rules_out(seed: int):
    """All permutations of five models; Spearman's bounds are of rank sets, so no narrower."""
    score, draws = scores(seed)
    reference = np.random.default_rng(seed + 50).normal(size=5)
    decided = decided_pairs(score, draws)
    possible = []
    for places in itertools.permutations(range(5)):
        order = np.array(places, float)
        signs = np.sign(order[:, None] - order)
        if (signs[decided != 0] == decided[decided != 0]).all():
            possible.append(correlations(order, reference))
    found = order_bounds(decided, reference)
    for name in ("kendall_tau_b", "kendall_tau_a", "spearman"):
        values = [float(one[name]) for one in possible]
        low, high = found[name]
        assert low <= min(values) + 1e-9
        assert max(values) - 1e-9 <= high
    within = []
    lowest, highest = rank_sets(decided, score)
    for places in itertools.permutations(range(1, 6)):
        ranks = np.array(places)
        if ((lowest <= ranks) & (ranks <= highest)).all():
            within.append(float(stats.spearmanr(-ranks, reference).statistic))
    np.testing.assert_allclose(found["spearman"], [min(within), max(within)], atol=1e-9)


def test_nothing_decided_bounds_nothing_and_all_decided_leaves_the_value():
    reference = np.array([3.0, 1.0, 2.0, 2.0])
    nothing = order_bounds(np.zeros((4, 4), int), reference)
    assert nothing["kendall_tau_a"] == (pytest.approx(-5 / 6), pytest.approx(5 / 6))
    order = np.array([4.0, 2.0, 3.0, 1.0])
    whole = order_bounds(np.sign(order[:, None] - order).astype(int), reference)
    expected = correlations(order, reference)
    for name, (low, high) in whole.items():
        assert low == high == pytest.approx(expected[name])
    assert np.isnan(order_bounds(np.zeros((2, 2), int), np.ones(2))["spearman"]).all()


def test_bounds_of_pearson_hold_for_the_scores_within_the_resamples_reach():
    score, draws = scores(0, b=2000)
    reference = np.random.default_rng(9).normal(size=5)
    low, high = score_bounds(score, draws, reference)
    drawn = correlations(draws, reference)["pearson"]
    assert ((low <= drawn) & (drawn <= high)).mean() >= 0.95
    assert low < correlations(score, reference)["pearson"] < high
    assert np.isnan(score_bounds(score, np.tile(score, (9, 1)), reference)).all()
