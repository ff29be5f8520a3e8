"""Measures of agreement equal those of scikit-learn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sklearn_metrics

from llm_juries.metrics import agreement

NAN = math.nan
MEASURES = (
    agreement.accuracy,
    agreement.true_positive_rate,
    agreement.true_negative_rate,
    agreement.balanced_accuracy,
    agreement.cohen_kappa,
)


def reference_kappa(human: np.ndarray, votes: np.ndarray) -> float:
    if len(set(human) | set(votes)) < 2:
        return NAN  # scikit-learn divides 0 by 0 there and says so
    return float(sklearn_metrics.cohen_kappa_score(human, votes))


def reference_rate(label: int) -> Callable[[np.ndarray, np.ndarray], float]:
    def rate(human: np.ndarray, votes: np.ndarray) -> float:
        return float(
            sklearn_metrics.recall_score(human, votes, pos_label=label, zero_division=np.nan)
        )

    return rate


def reference_balanced(human: np.ndarray, votes: np.ndarray) -> float:
    if len(set(human)) < 2:
        return NAN  # scikit-learn leaves the rate over nothing out; here it has no meaning
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(sklearn_metrics.balanced_accuracy_score(human, votes))


def reference_accuracy(human: np.ndarray, votes: np.ndarray) -> float:
    return float(sklearn_metrics.accuracy_score(human, votes)) if len(human) else NAN


REFERENCES = {
    agreement.accuracy: reference_accuracy,
    agreement.true_positive_rate: reference_rate(1),
    agreement.true_negative_rate: reference_rate(0),
    agreement.balanced_accuracy: reference_balanced,
    agreement.cohen_kappa: reference_kappa,
}

label = st.sampled_from([0.0, 1.0, NAN])
paired = st.integers(1, 25).flatmap(
    lambda n: st.tuples(hnp.arrays(float, n, elements=label), hnp.arrays(float, n, elements=label))
)
counts_of = hnp.arrays(float, 4, elements=st.integers(0, 30).map(float))


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.__name__)
@given(paired)
@settings(max_examples=60, deadline=None)
def test_a_measure_is_that_of_scikit_learn_over_the_items_with_both_labels(
    measure: Callable[..., Any], pair: tuple[np.ndarray, np.ndarray]
):
    human, votes = pair
    counts = agreement.outcomes(votes[:, None], human).sum(axis=0)
    both = ~np.isnan(human) & ~np.isnan(votes)
    expected = (
        REFERENCES[measure](human[both].astype(int), votes[both].astype(int)) if both.any() else NAN
    )
    assert measure(counts)[0] == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    ("vote", "human", "cell"),
    [
        (1.0, 1.0, [1, 0, 0, 0]),
        (1.0, 0.0, [0, 1, 0, 0]),
        (0.0, 1.0, [0, 0, 1, 0]),
        (0.0, 0.0, [0, 0, 0, 1]),
        (NAN, 1.0, [0, 0, 0, 0]),
        (1.0, NAN, [0, 0, 0, 0]),
        (NAN, NAN, [0, 0, 0, 0]),
    ],
)
def test_a_vote_falls_into_one_cell_or_none(vote: float, human: float, cell: list[int]):
    assert agreement.outcomes(np.array([[vote]]), np.array([human])).tolist() == [[cell]]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.__name__)
@given(hnp.arrays(float, (3, 2, 4), elements=st.integers(0, 9).map(float)))
@settings(max_examples=30, deadline=None)
def test_one_call_over_many_counts_is_many_calls(measure: Callable[..., Any], counts: np.ndarray):
    each = [[float(measure(cell)) for cell in row] for row in counts]
    np.testing.assert_array_equal(measure(counts), each)


@given(counts_of)
@settings(max_examples=100, deadline=None)
def test_kappa_does_not_change_when_both_sides_swap(counts: np.ndarray):
    tp, fp, fn, tn = counts
    one, other = agreement.cohen_kappa(counts), agreement.cohen_kappa(np.array([tp, fn, fp, tn]))
    assert float(one) == pytest.approx(float(other), nan_ok=True)


@given(counts_of)
@settings(max_examples=100, deadline=None)
def test_kappa_does_not_change_when_the_labels_are_turned(counts: np.ndarray):
    one, other = agreement.cohen_kappa(counts), agreement.cohen_kappa(counts[::-1])
    assert float(one) == pytest.approx(float(other), nan_ok=True)


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [
        ([20, 5, 10, 15], 0.4),  # the worked example of Cohen's kappa on Wikipedia
        ([7, 0, 0, 3], 1.0),
        ([0, 5, 5, 0], -1.0),
        ([25, 25, 25, 25], 0.0),
        ([6, 4, 0, 0], 0.0),  # a voter that only ever says yes
        ([5, 0, 0, 0], NAN),
        ([0, 0, 0, 0], NAN),
    ],
)
def test_kappa_of_known_tables(counts: list[int], kappa: float):
    found = float(agreement.cohen_kappa(np.array(counts, dtype=float)))
    assert found == pytest.approx(kappa, nan_ok=True)


def test_kappa_of_full_agreement_is_exactly_one():
    assert agreement.cohen_kappa(np.array([1e6 + 1, 0, 0, 3.0])) == 1.0
