"""Correlations equal SciPy's, row by row."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from llm_juries.metrics.correlation import correlations, ranks

SCORES = st.integers(-4, 4).map(float)


@given(arrays.arrays(float, (4, 7), elements=SCORES), arrays.arrays(float, 7, elements=SCORES))
def test_correlations_are_those_of_scipy(ours: np.ndarray, reference: np.ndarray):
    found = correlations(ours, reference)
    for row, scores in enumerate(ours):
        if np.ptp(scores) == 0 or np.ptp(reference) == 0:
            assert np.isnan([value[row] for value in found.values()]).all()
            continue
        pairs = [
            np.sign(scores[i] - scores[j]) * np.sign(reference[i] - reference[j])
            for i in range(7)
            for j in range(i)
        ]
        expected = {
            "kendall_tau_b": stats.kendalltau(scores, reference).statistic,
            "kendall_tau_a": sum(pairs) / len(pairs),
            "spearman": stats.spearmanr(scores, reference).statistic,
            "pearson": stats.pearsonr(scores, reference).statistic,
        }
        assert {name: value[row] for name, value in found.items()} == pytest.approx(expected)


@given(arrays.arrays(float, (3, 6), elements=SCORES))
def test_ranks_are_those_of_pandas(scores: np.ndarray):
    np.testing.assert_array_equal(ranks(scores), pd.DataFrame(scores).rank(axis=1, ascending=False))


def test_a_missing_score_takes_no_rank_and_leaves_no_correlation():
    scores = np.array([[3.0, math.nan, 1.0], [1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(ranks(scores), [[1, math.nan, 2], [3, 2, 1]])
    found = correlations(scores, np.array([1.0, 2.0, 3.0]))
    for value in found.values():
        assert np.isnan(value[0])
        assert value[1] == pytest.approx(1)


@pytest.mark.parametrize("m", [0, 1])
def test_fewer_than_two_models_have_no_correlation(m: int):
    found = correlations(np.ones((2, m)), np.ones(m))
    assert np.isnan(list(found.values())).all()


def test_what_rounding_leaves_is_a_tie():
    third = 0.1 + 0.2, 0.3
    assert ranks(np.array([*third, 1.0])).tolist() == [2.5, 2.5, 1]
    found = correlations(np.array(third), np.array([1.0, 2.0]))
    assert np.isnan(list(found.values())).all()
