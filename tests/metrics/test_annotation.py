"""Annotators' agreement equals that of independent implementations."""

from __future__ import annotations

import math

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sklearn_metrics

from llm_juries.metrics.measure import Pairwise, Ratings
from llm_juries.metrics.nominal import PREFERENCE
from llm_juries.metrics.reliability import ALPHA_NOMINAL
from llm_juries.scale import Scale

NAN = math.nan
VOTES = hnp.arrays(
    float,
    st.tuples(st.integers(1, 12), st.integers(2, 5)),
    elements=st.sampled_from([0.0, 0.5, 1.0, NAN]),
)


def rated(votes: np.ndarray) -> Ratings:
    return Ratings(votes, np.full(len(votes), NAN), Scale.preference(), range(len(votes)))


def alpha(votes: np.ndarray) -> float:
    return float(ALPHA_NOMINAL.over(rated(votes)).point[0])


def kappa(votes: np.ndarray) -> float:
    return float(Pairwise(PREFERENCE[0]).over(rated(votes[:, :2])).point[0])


def paired(votes: np.ndarray) -> np.ndarray:
    return votes[(~np.isnan(votes)).sum(axis=1) >= 2]


@settings(max_examples=150, deadline=None)
@given(VOTES)
def test_alpha_is_that_of_another_implementation(votes: np.ndarray):
    met = set(paired(votes)[~np.isnan(paired(votes))])
    if len(met) < 2:
        assert math.isnan(alpha(votes))
        return
    expected = krippendorff.alpha(
        paired(votes).T, level_of_measurement="nominal", value_domain=[0.0, 0.5, 1.0]
    )
    assert alpha(votes) == pytest.approx(expected)


def test_alpha_of_the_printed_example_of_its_author():
    # Krippendorff (2011), section A: two observers, ten units, binary, no gaps: alpha = 0.095
    meg = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    owen = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert alpha(np.array([meg, owen], dtype=float).T) == pytest.approx(0.095, abs=5e-4)


@settings(max_examples=150, deadline=None)
@given(VOTES)
def test_kappa_is_that_of_scikit_learn(votes: np.ndarray):
    both = votes[~np.isnan(votes[:, :2]).any(axis=1), :2]
    if len(set(both.ravel())) < 2:
        assert math.isnan(kappa(votes))
        return
    names = both.astype(str)
    assert kappa(votes) == pytest.approx(sklearn_metrics.cohen_kappa_score(*names.T))


@settings(max_examples=50, deadline=None)
@given(VOTES, st.randoms(use_true_random=False))
def test_neither_the_order_of_items_nor_that_of_annotators_matters(votes: np.ndarray, random):
    shuffled = votes[random.sample(range(len(votes)), len(votes))]
    shuffled = shuffled[:, random.sample(range(votes.shape[1]), votes.shape[1])]
    assert alpha(shuffled) == pytest.approx(alpha(votes), nan_ok=True)


@settings(max_examples=50, deadline=None)
@given(VOTES)
def test_items_with_one_label_change_nothing(votes: np.ndarray):
    lonely = np.full((3, votes.shape[1]), NAN)
    lonely[:, 0] = [0.0, 1.0, 0.5]
    assert alpha(np.vstack([votes, lonely])) == pytest.approx(alpha(votes), nan_ok=True)
