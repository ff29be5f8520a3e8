"""Random-effects summaries, against a published example and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import stdtrit
from statsmodels.stats.meta_analysis import combine_effects

from llm_juries.metrics.meta_analysis import random_effects, within_clusters

# Thirteen trials of the BCG vaccine (Colditz et al. 1994): log relative risks and their variances.
BCG = np.array(
    [-0.8893, -1.5854, -1.3481, -1.4416, -0.2175, -0.7861, -1.6209, 0.0120, -0.4694, -1.3713,
     -0.3394, 0.4459, -0.0173]
)  # fmt: skip
VARIANCES = np.array(
    [0.3256, 0.1946, 0.4154, 0.0200, 0.0512, 0.0069, 0.2230, 0.0040, 0.0564, 0.0730, 0.0124,
     0.5325, 0.0714]
)  # fmt: skip


def test_the_bcg_trials_have_their_published_summary() -> None:
    found = random_effects(BCG, np.sqrt(VARIANCES))
    assert found.k == 13
    assert found.tau2 == pytest.approx(0.318, abs=2e-3)  # Paule and Mandel, as R's metafor has it
    assert found.mean == pytest.approx(-0.715, abs=2e-3)
    assert found.i2 == pytest.approx(0.921, abs=2e-3)
    assert found.q_p < 1e-6
    assert found.new_low < found.low < found.mean < found.high < found.new_high


def test_the_summary_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(3)
    for k in (2, 3, 5, 12):
        errors = rng.uniform(0.02, 0.2, k)
        effects = rng.normal(0.3, 0.15, k) + rng.normal(0, errors)
        found = random_effects(effects, errors)
        theirs = combine_effects(effects, errors**2, method_re="pm")
        assert found.mean == pytest.approx(theirs.mean_effect_re, abs=1e-5)
        assert found.tau2 == pytest.approx(max(theirs.tau2, 0), abs=1e-5)
        error = np.sqrt(max(theirs.var_hksj_re, theirs.var_eff_w_re))
        assert found.high - found.mean == pytest.approx(stdtrit(k - 1, 0.975) * error, abs=1e-5)
        assert found.i2 == pytest.approx(max(0, 1 - (k - 1) / theirs.q))


def test_equal_effects_have_no_heterogeneity_and_no_narrower_interval_than_fixed_ones() -> None:
    found = random_effects(np.full(4, 0.1), np.full(4, 0.2))
    assert (found.tau2, found.i2, found.q_p) == (0.0, 0.0, 1.0)
    assert found.high - found.mean == pytest.approx(3.182 * 0.2 / 2, abs=1e-3)  # t of 3, not zero


def test_few_sources_have_no_interval_that_takes_more() -> None:
    assert random_effects(np.zeros(0), np.zeros(0)).k == 0
    one, two = (random_effects(np.full(k, 0.1), np.full(k, 0.2)) for k in (1, 2))
    assert one.mean == 0.1
    assert np.isnan(one.low)
    assert np.isnan(two.new_low)
    assert np.isfinite(two.low)


def test_the_interval_holds_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        errors = rng.uniform(0.02, 0.1, 6)
        found = random_effects(0.05 + rng.normal(0, 0.08, 6) + rng.normal(0, errors), errors)
        held += found.low <= 0.05 <= found.high
    assert 0.92 < held / 400 <= 1


def test_sources_that_share_data_count_once_with_the_error_of_one() -> None:
    effects, errors, names = within_clusters(
        np.array([0.1, 0.3, 0.5]), np.array([0.1, 0.1, 0.2]), ["a", "a", "b"]
    )
    assert names == ["a", "b"]
    assert effects == pytest.approx([0.2, 0.5])
    assert errors == pytest.approx([0.1, 0.2])  # not 0.1 / sqrt(2)
