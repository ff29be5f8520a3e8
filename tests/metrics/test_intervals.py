"""Cluster-robust t intervals are those of SciPy, statsmodels and loops that leave questions out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa

from llm_juries.metrics.arrays import ratio
from llm_juries.metrics.bootstrap import Bootstrap, cluster_sums
from llm_juries.metrics.graded import PEARSON
from llm_juries.metrics.intervals import Interval, additive, caution, cluster_t, p_values
from llm_juries.metrics.measure import Ratings, estimates
from llm_juries.metrics.nominal import ACCURACY_HALF, KAPPA_HALF
from llm_juries.metrics.ranks import ROC_AUC
from llm_juries.scale import Scale


def means(values: np.ndarray, clusters: np.ndarray) -> Interval:
    """Return the mean of values with its interval, nothing imagined."""
    sums = cluster_sums(np.stack([np.ones(len(values)), values], axis=-1), clusters.tolist())
    found = cluster_t(additive(sums[:, None], lambda totals: ratio(totals[..., 1], totals[..., 0])))
    return Interval(*(end[0] for end in found))


def test_of_single_answers_the_mean_has_scipys_t_interval_and_p_value():
    values = np.random.default_rng(0).normal(0.1, 1, 40)
    found = means(values, np.arange(40))
    expected = stats.ttest_1samp(values, 0.0)
    ends = expected.confidence_interval(0.95)
    assert [found.low, found.high] == pytest.approx([ends.low, ends.high], abs=1e-12)
    p = p_values(Interval(*(np.array([end]) for end in found)), np.array([40]))
    assert p[0] == pytest.approx(expected.pvalue, abs=1e-12)


def test_answers_of_one_question_are_no_independent_evidence():
    """Statsmodels' sandwich over clusters has a smaller correction; with many they agree."""
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(300), rng.integers(1, 6, 300))
    values = rng.normal(size=300)[clusters] + rng.normal(size=len(clusters))
    found = means(values, clusters)
    fit = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}
    )
    reach = stats.t.ppf(0.975, 299) * fit.bse[0]
    assert found.value == pytest.approx(fit.params[0])
    assert (found.high - found.low) / 2 == pytest.approx(reach, rel=0.02)
    alone = means(values, np.arange(len(values)))
    assert found.high - found.low > 1.2 * (alone.high - alone.low)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_correlations_are_jackknifed_in_fishers_z(level: float):
    rng = np.random.default_rng(2)
    human = rng.normal(50, 15, 60).clip(0, 100)
    votes = (human + rng.normal(0, 12, 60)).clip(0, 100)
    rated = Ratings(votes[:, None], human, Scale.interval(0, 100), range(60))
    found = estimates([PEARSON], rated, Bootstrap(2, level=level))["pearson"]
    r = stats.pearsonr(votes, human).statistic
    left = [stats.pearsonr(np.delete(votes, at), np.delete(human, at))[0] for at in range(60)]
    error = np.sqrt(59 / 60 * ((left - np.mean(left)) ** 2).sum())
    reach = stats.t.ppf((1 + level) / 2, 59) * error / (1 - r**2)
    ends = np.tanh([np.arctanh(r) - reach, np.arctanh(r) + reach])
    assert [found.low[0], found.high[0]] == pytest.approx(ends, abs=1e-12)


def many() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    human = (rng.random(2000) < 0.6).astype(float)
    return np.where(rng.random(2000) < 0.8, human, 1 - human), human


def test_of_many_items_kappa_has_statsmodels_asymptotic_interval():
    votes, human = many()
    rated = Ratings(votes[:, None], human, Scale.binary(), range(2000))
    found = estimates([KAPPA_HALF], rated, Bootstrap(2))["kappa"]
    table = [[((votes == a) & (human == b)).sum() for b in (0, 1)] for a in (0, 1)]
    expected = cohens_kappa(table)
    assert found.value[0] == pytest.approx(expected.kappa)
    ends = [expected.kappa_low, expected.kappa_upp]
    assert [found.low[0], found.high[0]] == pytest.approx(ends, abs=1e-3)


def test_of_many_items_accuracy_has_the_interval_of_agresti_and_coull():
    from statsmodels.stats.proportion import proportion_confint

    votes, human = many()
    rated = Ratings(votes[:, None], human, Scale.binary(), range(2000))
    found = estimates([ACCURACY_HALF], rated, Bootstrap(2))["accuracy"]
    ends = proportion_confint((votes == human).sum(), 2000, method="agresti_coull")
    assert [found.low[0], found.high[0]] == pytest.approx(ends, abs=1e-3)


def test_of_many_items_the_roc_auc_has_delongs_error():
    """DeLong, DeLong and Clarke-Pearson (1988), on the logit scale."""
    rng = np.random.default_rng(4)
    human = (rng.random(400) < 0.5).astype(float)
    score = (50 + 12 * human + rng.normal(0, 10, 400)).clip(0, 100)
    rated = Ratings(score[:, None], human, Scale.interval(0, 100), range(400))
    found = estimates([ROC_AUC], rated, Bootstrap(2))["roc_auc"]
    above = np.subtract.outer(score[human == 1], score[human == 0])
    wins = (above > 0) + (above == 0) / 2
    m, n = wins.shape
    error = np.sqrt(wins.mean(axis=1).var(ddof=1) / m + wins.mean(axis=0).var(ddof=1) / n)
    auc = wins.mean()
    reach = stats.t.ppf(0.975, 399) * error / (auc * (1 - auc))
    ends = 1 / (1 + np.exp([reach - np.log(auc / (1 - auc)), -reach - np.log(auc / (1 - auc))]))
    assert [found.low[0], found.high[0]] == pytest.approx(ends, abs=2e-3)


def test_nothing_that_varies_has_no_interval_and_says_why():
    found = means(np.ones(30), np.arange(30))
    assert found.value == 1
    assert math.isnan(found.low)
    assert caution(30, found) == "no interval: nothing varies between questions"
    assert caution(1, means(np.ones(3), np.zeros(3))) == "no interval: one question"
    assert caution(12, Interval(*map(np.array, (0.5, 0.4, 0.6)))) == "few questions: 12"


def test_a_judge_that_is_always_right_is_not_known_to_be():
    human = np.tile([0.0, 1.0], 20)
    rated = Ratings(human[:, None], human, Scale.binary(), range(40))
    for measure in (KAPPA_HALF, ACCURACY_HALF):
        (found,) = estimates([measure], rated, Bootstrap(2)).values()
        assert found.value[0] == found.high[0] == 1
        assert 0.5 < found.low[0] < 1
