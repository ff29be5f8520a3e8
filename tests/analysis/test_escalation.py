"""Escalation keeps to its target risk, and its bound is that of Clopper and Pearson."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from llm_juries.analysis.escalation import escalation
from llm_juries.analysis.savings import replay
from llm_juries.errors import JuriesError
from llm_juries.juries.escalation import Escalation, calibrate, confidence, upper_bound
from llm_juries.juries.votes import Voter, Votes
from llm_juries.metrics.bootstrap import Bootstrap
from recorded_votes import nq301, trio_votes

NAN = math.nan


def simulated(seed: int, n: int = 400) -> tuple[Votes, np.ndarray, list[str]]:
    """Return a small judge whose score is its chance of being right, and a better large one."""
    rng = np.random.default_rng(seed)
    human = rng.integers(2, size=n).astype(float)
    sure = rng.uniform(0.5, 1.0, n)
    label = np.where(rng.random(n) < sure, human, 1 - human)
    large = np.where(rng.random(n) < 0.95, human, 1 - human)
    labels = np.stack([label, large], axis=1)
    scores = np.stack([np.where(label == 1, sure, 1 - sure), np.full(n, NAN)], axis=1)
    voters = (Voter("small", "judge"), Voter("large", "judge"))
    found = Votes(voters, labels, scores, np.full(labels.shape, "ok"))
    return found, human, [f"q{row}" for row in range(n)]


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.05, 0.1, 0.3]))
@settings(max_examples=100, deadline=None)
def test_the_bound_is_scipys_one_sided_interval(wrong: int, n: int, error: float):
    wrong = min(wrong, n)
    told = binomtest(wrong, n, alternative="less").proportion_ci(1 - error, "exact").high
    assert upper_bound(wrong, n, error) == pytest.approx(told)


def test_confidence_is_the_margin_over_all_seats():
    labels = np.array([[1, 1, 1], [1, 1, 0], [0, 0, NAN], [1, 0, NAN], [NAN, NAN, NAN]])
    none = np.full(labels.shape, NAN)
    assert confidence(labels, none, "labels") == pytest.approx([1, 1 / 3, 2 / 3, 0, 0])
    scores = np.array([[0.9, 0.8, 0.7], [0.9, NAN, 0.4], [0.1, 0.2, NAN], [1, 0, NAN], [1, 1, 1]])
    assert confidence(labels, scores, "scores") == pytest.approx([1.8 / 3, 1.6 / 3, 1.4 / 3, 0, 0])


def test_simulated_escalations_miss_their_target_no_more_often_than_promised():
    """A simulation: the true risk of what is kept is known from a large sample."""
    big, human, _ = simulated(999, 100_000)
    sure = confidence(big.labels[:, :1], big.scores[:, :1], "scores")
    wrong = big.labels[:, 0] != human
    missed, found_any = 0, 0
    for seed in range(200):
        votes, labels, questions = simulated(seed, 150)
        found = calibrate(
            votes.columns(("small",)), labels, questions, 0.15, 0.1, evidence="scores"
        )
        if math.isfinite(found.threshold):
            found_any += 1
            missed += wrong[sure >= found.threshold].mean() > 0.15
    assert found_any > 100
    assert missed / 200 <= 0.1 + 0.03


def test_only_what_is_not_sure_enough_goes_to_the_large_judge():
    votes, human, questions = simulated(1)
    small = votes.columns(("small",))
    found = calibrate(small, human, questions, 0.15, labelled=200, evidence="scores")
    planner = Escalation(("small",), "large", found.threshold, "scores")
    one = replay(planner, votes, questions)
    sure = np.abs(2 * votes.scores[:, 0] - 1)
    np.testing.assert_array_equal(one.asked[:, 1], sure < found.threshold)
    expected = np.where(one.asked[:, 1], votes.labels[:, 1], votes.labels[:, 0])
    np.testing.assert_array_equal(one.votes.labels[:, 0], expected)
    assert (found.n, len(found.questions)) == (200, 200)
    assert found.bound <= 0.15

    table = escalation(one, found, votes, human, questions, Bootstrap(500)).set_index("measure")
    held = np.array([question not in found.questions for question in questions])
    kept = held & ~one.asked[:, 1]
    assert table.loc["coverage", "value"] == pytest.approx(kept.sum() / held.sum())
    assert table.loc["coverage", "n"] == 200
    wrong = votes.labels[:, 0] != human
    assert table.loc["risk_kept", "value"] == pytest.approx(wrong[kept].mean())
    assert table.loc["risk", "value"] == pytest.approx((expected != human)[held].mean())
    assert table.loc["risk_large", "value"] == pytest.approx(
        (votes.labels[:, 1] != human)[held].mean()
    )
    assert (table["ci_low"].dropna() <= table["value"][:4]).all()


def test_where_no_threshold_will_do_everything_goes_to_the_large_judge():
    votes, human, questions = simulated(1)
    found = calibrate(votes.columns(("small",)), 1 - human, questions, 0.05, evidence="scores")
    assert found.threshold == math.inf
    assert math.isnan(found.bound)
    one = replay(Escalation(("small",), "large", found.threshold, "scores"), votes, questions)
    assert one.asked.all()


def test_calibration_takes_one_answer_a_question_whatever_their_order():
    table = nq301()
    questions = table["item"].astype(str).to_numpy()
    votes, human = trio_votes(), table["human"].to_numpy(float)
    small = votes.columns(("text_davinci_003", "bem"))
    found = calibrate(small, human, questions.tolist(), 0.2)
    assert found.n == 301
    rows = np.random.default_rng(0).permutation(len(human))
    shuffled = Votes(small.voters, small.labels[rows], small.scores[rows], small.outcomes[rows])
    assert calibrate(shuffled, human[rows], questions[rows].tolist(), 0.2) == found


@pytest.mark.parametrize(
    ("options", "said"),
    [({"risk": 0.0}, "risk is 0.0"), ({"risk": 0.1, "error": 1.5}, "error is 1.5")],
)
def test_a_target_outside_of_its_range_is_told(options: Any, said: str):
    votes, human, questions = simulated(0, 10)
    with pytest.raises(JuriesError, match=said):
        calibrate(votes, human, questions, **options)


def test_labels_are_needed():
    votes, human, questions = simulated(0, 10)
    with pytest.raises(JuriesError, match="no item has a human label"):
        calibrate(votes, np.full(10, NAN), questions, 0.1)
    small = votes.columns(("small",))
    found = calibrate(small, human, questions, 0.3)
    one = replay(Escalation(("small",), "large", found.threshold), votes, questions)
    with pytest.raises(JuriesError, match="no labelled question is left"):
        escalation(one, found, votes, human, questions, Bootstrap(2))
