"""Recalibrated probabilities are scikit-learn's fits on the other questions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from llm_juries.errors import JuriesError
from llm_juries.juries.folds import Folds
from llm_juries.juries.pooling import Context
from llm_juries.juries.recalibration import Recalibrated
from llm_juries.juries.votes import Voter, Votes

NAN = math.nan


def simulated(n: int = 240) -> tuple[Votes, Context]:
    """Two judges, of which the second says the opposite; some votes are missing."""
    rng = np.random.default_rng(0)
    human = rng.integers(2, size=n).astype(float)
    strength = rng.normal(2 * human - 1, 1.5)
    scores = np.stack([1 / (1 + np.exp(-3 * strength - 1)), 1 / (1 + np.exp(strength))], axis=1)
    scores[rng.random(scores.shape) < 0.1] = NAN
    labels = np.where(np.isnan(scores), NAN, (scores > 0.5).astype(float))
    outcomes = np.where(np.isnan(scores), "unparsed", "ok").astype("U16")
    voters = (Voter("a", "judge"), Voter("b", "judge"))
    questions = [f"q{at // 3}" for at in range(n)]
    return Votes(voters, labels, scores, outcomes), Context(human, questions)


def test_platt_and_isotonic_are_scikit_learns_on_the_other_questions():
    votes, context = simulated()
    raw = votes.scores[:, 0]
    there = ~np.isnan(raw)
    inside = np.clip(raw, 1e-6, 1 - 1e-6)
    odds = np.log(inside / (1 - inside))[:, None]
    platt = Recalibrated("j", ("a",)).decide(votes, context).scores[:, 0]
    steps = Recalibrated("j", ("a",), "isotonic").decide(votes, context).scores[:, 0]
    for learn, apply in Folds().split(context, "j"):
        rows, to = learn & there, apply & there
        model = LogisticRegression(C=np.inf, tol=1e-8).fit(odds[rows], context.human[rows])
        expected = model.predict_proba(odds[to])[:, 1]
        np.testing.assert_allclose(platt[to], expected, atol=1e-3)
        rising = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        expected = rising.fit(raw[rows], context.human[rows]).predict(raw[to])
        np.testing.assert_allclose(steps[to], expected, atol=1e-12)
    assert np.isnan(platt[~there]).all()


def test_recalibration_is_nearer_to_the_labels_and_turns_an_inverted_judge_round():
    votes, context = simulated()

    def brier(scores: np.ndarray) -> float:
        return float(np.nanmean((scores - context.human) ** 2))

    for at, member in enumerate("ab"):
        found = Recalibrated("j", (member,)).decide(votes, context)
        assert brier(found.scores[:, 0]) < brier(votes.scores[:, at])
        right = np.nanmean(np.where(np.isnan(found.labels[:, 0]), NAN,
                                    found.labels[:, 0] == context.human))  # fmt: skip
        assert right > 0.7


def test_the_mean_of_members_with_a_quorum():
    votes, context = simulated()
    alone = [Recalibrated("j", (one,)).decide(votes, context).scores[:, 0] for one in "ab"]
    both = Recalibrated("j", ("a", "b"), quorum=2).decide(votes, context).scores[:, 0]
    np.testing.assert_allclose(both, np.mean(alone, axis=0))
    either = Recalibrated("j", ("a", "b"), quorum=1).decide(votes, context).scores[:, 0]
    one, other = alone
    expected = np.where(np.isnan(one), other, np.where(np.isnan(other), one, (one + other) / 2))
    np.testing.assert_allclose(either, expected)


def test_no_item_is_decided_by_a_label_of_its_own_question():
    votes, context = simulated()
    before = Recalibrated("j", ("a", "b")).decide(votes, context)
    own = np.array(context.questions) == "q7"
    lied = replace(context, human=np.where(own, 1 - context.human, context.human))
    after = Recalibrated("j", ("a", "b")).decide(votes, lied)
    np.testing.assert_array_equal(after.scores[own], before.scores[own])


def test_what_cannot_be_recalibrated_is_one_line():
    votes, context = simulated()
    bare = replace(votes, scores=np.full(votes.scores.shape, NAN))
    with pytest.raises(JuriesError, match="jury j: a has no probabilities to recalibrate"):
        Recalibrated("j", ("a",)).decide(bare, context)
    with pytest.raises(JuriesError, match="jury j: method is 'beta'; set platt or isotonic"):
        Recalibrated("j", ("a",), "beta")  # type: ignore[arg-type]
    ones = replace(context, human=np.ones(len(context.human)))
    with pytest.raises(JuriesError, match="all of one kind"):
        Recalibrated("j", ("a",)).decide(votes, ones)
