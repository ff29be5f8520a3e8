"""Corrected accuracies are those of ppi_py and of the formula; simulated intervals cover."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate
from scipy import stats

from llm_juries.errors import JuriesError
from llm_juries.metrics.few_labels import (
    labels_needed,
    prediction_powered,
    rogan_gladen,
    rogan_gladen_rate,
)
from recorded_votes import nq301

NAN = math.nan
RATES = {"a": 0.7, "b": 0.5}
TPR, TNR = 0.9, 0.8


def simulated(seed: int, n: int = 400, share: float = 0.25) -> tuple[Any, ...]:
    """Return one judge's votes, few human labels, candidates and questions, and the truth."""
    rng = np.random.default_rng(seed)
    candidates = np.repeat(["a", "b"], n)
    truth = (rng.random(2 * n) < np.repeat(list(RATES.values()), n)).astype(float)
    positive = rng.random(2 * n) < np.where(truth == 1, TPR, 1 - TNR)
    human = np.where(rng.random(2 * n) < share, truth, NAN)
    return positive.astype(float), human, candidates, np.tile(np.arange(n), 2)


@given(st.floats(0, 1), st.floats(0.55, 1), st.floats(0.55, 1))
@settings(max_examples=100, deadline=None)
def test_known_error_rates_give_the_true_rate_back(true: float, tpr: float, tnr: float):
    judged = true * tpr + (1 - true) * (1 - tnr)
    found = rogan_gladen_rate(np.array(judged), np.array(tpr), np.array(tnr))
    assert found == pytest.approx(true, abs=1e-9)


def test_a_judge_no_better_than_chance_corrects_nothing():
    assert math.isnan(rogan_gladen_rate(np.array(0.5), np.array(0.5), np.array(0.5)))
    assert rogan_gladen_rate(np.array(0.05), np.array(0.9), np.array(0.9)) == 0


def test_rogan_gladen_is_the_formula_on_counts():
    votes, human, candidates, questions = simulated(1)
    votes[::17] = NAN
    found = rogan_gladen(votes, human, candidates, questions)
    for at, name in enumerate(("a", "b")):
        own = candidates == name
        tpr = np.nanmean(votes[own & (human == 1)])
        tnr = 1 - np.nanmean(votes[own & (human == 0)])
        judged = np.nanmean(votes[own])
        assert found.value[at] == pytest.approx((judged + tnr - 1) / (tpr + tnr - 1))
        assert found.judged[at] == pytest.approx(judged)
        assert found.n[at] == (own & ~np.isnan(votes)).sum()
        assert found.missing[at] == (own & np.isnan(votes)).sum()
        assert found.labelled[at] == (own & ~np.isnan(votes) & ~np.isnan(human)).sum()
        assert found.low[at] < found.value[at] < found.high[at]


def test_common_rates_are_those_over_all_candidates():
    votes, human, candidates, questions = simulated(2)
    found = rogan_gladen(votes, human, candidates, questions, common_rates=True)
    tpr, tnr = votes[human == 1].mean(), 1 - votes[human == 0].mean()
    judged = np.array([votes[candidates == name].mean() for name in ("a", "b")])
    assert found.value == pytest.approx((judged + tnr - 1) / (tpr + tnr - 1))


def test_without_labels_there_is_no_estimate():
    votes, human, candidates, questions = simulated(2)
    human[candidates == "a"] = NAN
    for found in (
        rogan_gladen(votes, human, candidates, questions),
        prediction_powered(votes, human, candidates, questions),
    ):
        assert np.isnan([found.value[0], found.low[0], found.high[0]]).all()
        assert found.labelled[0] == 0
        assert not np.isnan(found.value[1])


def test_prediction_powered_is_ppi_py():
    votes, human, candidates, questions = simulated(3)
    votes[::13] = NAN
    found = prediction_powered(votes, human, candidates, questions, 0.9)
    for at, name in enumerate(("a", "b")):
        own = (candidates == name) & ~np.isnan(votes)
        known = own & ~np.isnan(human)
        data = human[known], votes[known], votes[own & np.isnan(human)]
        assert found.value[at] == pytest.approx(np.squeeze(ppi_mean_pointestimate(*data)))
        right, wrong = [(1.0, 1.0), (0.0, 0.0)], [(1.0, 0.0), (0.0, 1.0)]
        true, judged = np.array(right + wrong).T
        low, high = ppi_mean_ci(
            np.append(data[0], true), np.append(data[1], judged), data[2], alpha=0.1
        )
        middle, reach = float(np.squeeze(low + high)) / 2, float(np.squeeze(high - low)) / 2
        reach *= stats.t.ppf(0.95, known.sum() - 1) / stats.norm.ppf(0.95)
        assert [found.low[at], found.high[at]] == pytest.approx([middle - reach, middle + reach])


def test_few_labels_without_an_error_give_no_certainty():
    votes, human, candidates, questions = simulated(4, n=200)
    rows = np.flatnonzero(candidates == "a")
    human = np.full(len(votes), NAN)
    human[rows[:20]] = votes[rows[:20]]  # the judge is right on all that people labelled
    for found in (
        prediction_powered(votes, human, candidates, questions),
        rogan_gladen(votes, human, candidates, questions),
    ):
        assert found.value[0] == pytest.approx(found.judged[0], abs=0.02)
        assert found.high[0] - found.low[0] > 0.15


@pytest.mark.parametrize("common_rates", [False, True])
def test_rogan_gladens_interval_is_a_jackknife_beside_four_imagined_labels(common_rates: bool):
    votes, human, candidates, questions = simulated(6, n=60, share=0.6)
    own = np.ones(len(votes), bool) if common_rates else candidates == "a"
    share = 0.5 if common_rates else 1.0

    def rate(keep: np.ndarray, imagined: np.ndarray) -> float:
        cells = [
            (keep & own & (votes == v) & (human == h)).sum() + extra
            for (v, h), extra in zip([(1, 1), (1, 0), (0, 1), (0, 0)], imagined, strict=True)
        ]
        tpr, tnr = cells[0] / (cells[0] + cells[2]), cells[3] / (cells[3] + cells[1])
        judged = votes[keep & (candidates == "a")].mean()
        return (judged + tnr - 1) / (tpr + tnr - 1)

    labelled = own & ~np.isnan(human)
    each = np.array([labelled[candidates == n].sum() for n in ("a", "b")])
    number = [len(np.unique(questions[labelled & (candidates == n)])) for n in ("a", "b")]
    size = np.sqrt(each / np.maximum(number, 1))
    one = np.full(4, size.sum() * share if common_rates else 1.0)
    everything = np.ones(len(votes), bool)
    centre = rate(everything, one)
    used = np.unique(questions[own & ~np.isnan(votes)])
    left = np.array([rate(questions != question, one) for question in used])
    variance = (len(used) - 1) / len(used) * ((left - left.mean()) ** 2).sum()
    variance += sum((rate(everything, one - one * np.eye(4)[at]) - centre) ** 2 for at in range(4))
    reach = stats.t.ppf(0.975, len(used) - 1) * math.sqrt(variance)
    found = rogan_gladen(votes, human, candidates, questions, common_rates=common_rates)
    expected = max(0, centre - reach), min(1, centre + reach)
    assert [found.low[0], found.high[0]] == pytest.approx(expected)


def test_a_judge_that_says_one_thing_leaves_the_human_labels():
    _, human, candidates, questions = simulated(3)
    found = prediction_powered(np.ones(len(human)), human, candidates, questions)
    assert found.value == pytest.approx([np.nanmean(human[candidates == n]) for n in ("a", "b")])


def test_two_items_of_a_question_are_no_independent_ones():
    with pytest.raises(JuriesError, match="'a' has several items of question 'q'"):
        prediction_powered(np.ones(2), np.ones(2), ["a", "a"], ["q", "q"])


def test_importing_ppi_py_leaves_warnings_as_they_were():
    before = list(warnings.filters)
    prediction_powered(*simulated(0))
    assert warnings.filters == before


def test_simulated_intervals_cover_the_truth():
    """A simulation: known error rates, 100 labels of 400 items, nominal 95 %."""
    covered = {"rogan_gladen": 0, "prediction_powered": 0, "judged": 0}
    runs = 150
    for seed in range(runs):
        votes, human, candidates, questions = simulated(seed)
        for found in (
            rogan_gladen(votes, human, candidates, questions),
            prediction_powered(votes, human, candidates, questions),
        ):
            covered[found.method] += (found.low[0] <= 0.7) & (found.high[0] >= 0.7)
        spread = 1.96 * math.sqrt(0.69 * 0.31 / 400)
        covered["judged"] += abs(found.judged[1] - 0.5) <= spread
    assert covered["rogan_gladen"] / runs >= 0.9
    assert covered["prediction_powered"] / runs >= 0.9
    assert covered["judged"] / runs < 0.8  # as it would be without a correction


def test_estimates_from_a_quarter_of_the_recorded_labels_hold_the_full_accuracy():
    table = nq301()
    human = table["human"].to_numpy(float)
    rng = np.random.default_rng(0)
    drawn = rng.choice(table["item"].unique(), 75, replace=False)
    few = np.where(table["item"].isin(drawn), human, NAN)
    votes = table["text_davinci_003"].to_numpy(float)
    full = table.groupby("model")["human"].mean()
    for found in (
        rogan_gladen(votes, few, table["model"], table["item"]),
        prediction_powered(votes, few, table["model"], table["item"]),
    ):
        rows = found.table().set_index("candidate")
        true = full[rows.index]
        assert ((rows["ci_low"] <= true) & (true <= rows["ci_high"])).sum() >= 10
        assert (rows["labelled"] >= 60).all()


def test_the_labels_that_are_planned_give_an_interval_of_about_that_width():
    votes, human, candidates, questions = simulated(5, n=3000, share=0.2)
    own = candidates == "a"
    plan = labels_needed(votes[own], human[own], 0.08)
    assert plan.items == 3000
    assert plan.prediction_powered is not None
    assert plan.human_alone is not None
    assert plan.prediction_powered < plan.human_alone
    truth = np.random.default_rng(9)
    _, full, _, _ = simulated(5, n=3000, share=1)
    chosen = truth.permutation(3000)
    for number, powered in ((plan.prediction_powered, True), (plan.human_alone, False)):
        few = np.where(np.isin(np.arange(3000), chosen[:number]), full[own], NAN)
        judged = votes[own] if powered else np.ones(3000)
        found = prediction_powered(judged, few, candidates[own], questions[own])
        assert found.high[0] - found.low[0] == pytest.approx(0.08, rel=0.1)


def test_a_width_that_all_items_can_t_give_has_no_number():
    votes, human, candidates, _ = simulated(5)
    own = candidates == "a"
    plan = labels_needed(votes[own], human[own], 0.01)
    assert plan.human_alone is None
    assert plan.prediction_powered is None
    assert plan.correlation == pytest.approx(
        np.corrcoef(votes[own & ~np.isnan(human)], human[own & ~np.isnan(human)])[0, 1]
    )


@pytest.mark.parametrize(
    ("human", "width", "said"),
    [
        ([1.0, 0.0, NAN], 0.0, "width is 0.0"),
        ([1.0, 1.0, NAN], 0.1, "2 human labels are too few, or all alike"),
        ([1.0, NAN, NAN], 0.1, "1 human labels are too few"),
    ],
)
def test_a_pilot_must_tell_something(human: Any, width: float, said: str):
    with pytest.raises(JuriesError, match=said):
        labels_needed(np.array([1.0, 0.0, 1.0]), np.array(human), width)
