"""Error dependence equals plain computations over the items themselves."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import optimize, stats

from llm_juries.metrics import dependence

NAN = math.nan

label = st.sampled_from([0.0, 1.0, NAN])
panels = st.tuples(st.integers(1, 30), st.integers(2, 5)).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(float, shape, elements=label), hnp.arrays(float, shape[0], elements=label)
    )
)


def sample(seed: int = 0, judges: int = 4, missing: float = 0.1) -> tuple[Any, ...]:
    """Return votes with errors in common, human labels, and questions of three answers each."""
    rng = np.random.default_rng(seed)
    n = 90
    human = rng.integers(2, size=n).astype(float)
    right = rng.normal(size=(n, 1)) + rng.normal(size=(n, judges)) > -1.0
    votes = np.where(right, human[:, None], 1 - human[:, None])
    votes[rng.random(votes.shape) < missing] = NAN
    return votes, human, np.arange(n) // 3


def errors(votes: np.ndarray, human: np.ndarray) -> pd.DataFrame:
    wrong = (votes != human[:, None]).astype(float)
    wrong[np.isnan(votes) | np.isnan(human)[:, None]] = NAN
    return pd.DataFrame(wrong)


@given(panels)
@settings(max_examples=100, deadline=None)
def test_error_correlations_are_those_of_pandas_over_the_items_both_voted_on(panel: Any):
    votes, human = panel
    counts = dependence.pair_counts(votes, human).sum(axis=0)
    expected = errors(votes, human).corr(min_periods=1).to_numpy()
    found = dependence.error_correlation(counts)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_wrong_together_is_the_share_over_the_product_of_the_rates():
    votes, human, questions = sample()
    found = dependence.pair_errors(votes, human, questions)
    wrong = errors(votes, human)
    for one, other in itertools.combinations(range(4), 2):
        pair = wrong[[one, other]].dropna()
        both, chance = pair.min(axis=1).mean(), pair.mean().prod()
        assert found.n[one, other] == len(pair)
        assert found.both_wrong[one, other] == pytest.approx(both)
        assert found.by_chance[one, other] == pytest.approx(chance)
        assert found.ratio.value[one, other] == pytest.approx(both / chance)


def test_effective_votes_are_kishs_of_the_mean_pairwise_correlation():
    votes, human, questions = sample()
    found = dependence.panel_errors(votes, human, questions)
    correlations = errors(votes, human).corr().to_numpy()[np.triu_indices(4, 1)]
    mean = correlations.mean()
    assert float(found.mean_correlation.value) == pytest.approx(mean)
    assert float(found.effective_votes.value) == pytest.approx(4 / (1 + 3 * mean))


def test_copies_of_one_judge_are_one_effective_vote():
    votes, human, questions = sample(judges=1, missing=0)
    found = dependence.panel_errors(np.repeat(votes, 3, axis=1), human, questions)
    for votes_worth in (found.effective_votes, found.optimal_votes, found.participation_votes):
        assert float(votes_worth.value) == pytest.approx(1)
        assert votes_worth.low < 1 < votes_worth.high
    assert float(found.majority_votes.value) == pytest.approx(1)


def test_independent_judges_have_no_gap_and_all_their_votes():
    rng = np.random.default_rng(0)
    human = rng.integers(2, size=40_000).astype(float)
    votes = np.where(rng.random((40_000, 5)) < 0.7, human[:, None], 1 - human[:, None])
    found = dependence.panel_errors(votes, human, range(40_000))
    assert float(found.effective_votes.value) == pytest.approx(5, abs=0.2)
    assert float(found.independent.value) == pytest.approx(stats.binom.sf(2, 5, 0.7), abs=0.005)
    assert found.gap.low < 0 < found.gap.high


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_independent_accuracy_is_that_of_all_ways_to_vote(right: list[int]):
    k = len(right)
    up = down = 0.0
    for votes in itertools.product([0, 1], repeat=k):
        chance = math.prod(
            r / 9 if vote else 1 - r / 9 for r, vote in zip(right, votes, strict=True)
        )
        up += chance * (2 * sum(votes) > k)
        down += chance * (2 * sum(votes) < k)
    counts = np.array([9, 0, 0, *right], float)
    expected = up / (up + down) if up + down > 0 else NAN
    found = float(dependence.independent_accuracy(counts))
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(panels)
@settings(max_examples=60, deadline=None)
def test_the_majority_is_measured_where_every_judge_voted_and_ties_are_left_out(panel: Any):
    votes, human = panel
    right = wrong = whole = 0
    for row, true in zip(votes, human, strict=True):
        if not np.isnan([*row, true]).any():
            agreed = int((row == true).sum())
            whole += 1
            right += 2 * agreed > len(row)
            wrong += 2 * agreed < len(row)
    counts = dependence.majority_counts(votes, human).sum(axis=0)
    assert counts[:3].tolist() == [whole, right, wrong]
    expected = right / (right + wrong) if right + wrong else NAN
    assert float(dependence.majority_accuracy(counts)) == pytest.approx(expected, nan_ok=True)


def test_intervals_are_jackknifes_on_the_log_scale_beside_four_imagined_items():
    """By plain loops over the items, one a question, with fractional weights."""
    votes, human, _ = sample(missing=0)
    wrong = errors(votes, human).to_numpy()
    n, k = wrong.shape
    upper = np.triu_indices(k, 1)
    cells = list(itertools.product([0.0, 1.0], repeat=2))

    def kish(weights: np.ndarray, imagined: np.ndarray) -> float:
        found = []
        for i, j in zip(*upper, strict=True):
            x = np.append(wrong[:, i], [first for first, _ in cells])
            y = np.append(wrong[:, j], [second for _, second in cells])
            covariance = np.cov(x, y, aweights=np.append(weights, imagined), ddof=0)
            found.append(covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1]))
        return k / (1 + (k - 1) * float(np.mean(found)))

    ones, half = np.ones(n), np.full(4, 0.5)
    centre = kish(ones, half)
    left = np.array([kish(ones - np.eye(n)[at], half) for at in range(n)])
    variance = (n - 1) / n * ((left - left.mean()) ** 2).sum()
    for at in range(4):
        variance += (kish(ones, half - 0.5 * np.eye(4)[at]) - centre) ** 2 / 0.5
    reach = stats.t.ppf(0.975, n - 1) * math.sqrt(variance) / centre
    found = dependence.panel_errors(votes, human, range(n)).effective_votes
    assert float(found.value) == pytest.approx(kish(ones, np.zeros(4)))
    expected = centre * math.exp(-reach), centre * math.exp(reach)
    assert [float(found.low), float(found.high)] == pytest.approx(expected)


def test_optimal_votes_are_those_of_the_best_weights():
    """The variance of an independent vote over that of the best weighted mean, by search."""
    votes, human, _ = sample(missing=0)
    matrix = errors(votes, human).corr().to_numpy()
    least = optimize.minimize(
        lambda weights: weights @ matrix @ weights,
        np.full(4, 0.25),
        constraints=[{"type": "eq", "fun": lambda weights: weights.sum() - 1}],
        tol=1e-14,
    ).fun
    counts = dependence.pair_counts(votes, human).sum(axis=0)
    assert float(dependence.optimal_votes(counts)) == pytest.approx(1 / least, rel=1e-6)
    assert dependence.optimal_votes(counts) >= dependence.effective_votes(counts)


def test_participation_votes_are_those_of_the_eigenvalues():
    votes, human, _ = sample()
    values = np.linalg.eigvalsh(errors(votes, human).corr().to_numpy())
    counts = dependence.pair_counts(votes, human).sum(axis=0)
    expected = values.sum() ** 2 / (values**2).sum()
    assert float(dependence.participation_votes(counts)) == pytest.approx(expected)


@pytest.mark.parametrize("size", [1, 3, 9, 25])
def test_majority_votes_are_how_many_independent_judges_do_as_well(size: int):
    accuracy = stats.binom.sf(size // 2, size, 0.6)
    right = round(1e9 * accuracy)
    counts = np.array([1e9, right, 1e9 - right, *[6e8] * 5])
    assert float(dependence.majority_votes(counts)) == pytest.approx(size, abs=1e-4)


@pytest.mark.parametrize(
    "counts", [[10, 10, 0, 8, 8], [10, 5, 5, 5, 5], [10, 4, 6, 7, 7], [0, 0, 0, 0, 0]]
)
def test_no_number_of_majority_votes(counts: list[float]):
    """Always right; judges like coins; a majority worse than a coin; nothing voted on."""
    assert math.isnan(float(dependence.majority_votes(np.array(counts, float))))


def test_judges_that_all_err_alone_have_no_zero_width():
    votes, human = np.ones((40, 3)), np.ones(40)
    votes[[0, 1, 2], [0, 1, 2]] = 0
    found = dependence.panel_errors(votes, human, range(40))
    for one in (found.effective_votes, found.observed, found.gap, found.mean_correlation):
        assert one.low < one.high


def test_numbers_of_votes_that_the_data_do_not_bound_have_no_upper_end():
    rng = np.random.default_rng(4)
    votes = np.where(rng.random((12, 5)) < 0.85, 1.0, 0.0)
    found = dependence.panel_errors(votes, np.ones(12), range(12))
    highs = [
        float(getattr(found, f"{kind}_votes").high)
        for kind in ("effective", "optimal", "participation", "majority")
    ]
    assert math.inf in highs
    assert all(math.isnan(one) or one == math.inf or one <= 201 for one in highs)


@pytest.mark.parametrize(
    ("votes", "effective"),
    [
        ([[1, 1], [1, 1]], NAN),  # nobody errs: there is nothing to correlate
        ([[1, 1], [0, NAN]], NAN),
        ([[1, 0], [0, 1]], NAN),  # errors wholly opposed: the mean vote does not vary at all
        ([[1, 1], [0, 0]], 1.0),
    ],
)
def test_effective_votes_without_meaning_are_none(votes: Any, effective: float):
    counts = dependence.pair_counts(np.array(votes, float), np.ones(2)).sum(axis=0)
    assert float(dependence.effective_votes(counts)) == pytest.approx(effective, nan_ok=True)
