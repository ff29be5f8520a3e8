"""Juries decide as a plain reading of their rules does."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from llm_juries.errors import JuriesError
from llm_juries.juries.rules import Jury, most_common
from llm_juries.juries.votes import Voter, Votes

NAN = math.nan
SEATS = ("a", "b", "c", "d", "e")
RULES = ("majority", "any", "mean", "median")

Decision = tuple[float | None, str]

labels_of = st.integers(1, 5).flatmap(
    lambda seats: hnp.arrays(
        float, st.tuples(st.integers(1, 8), st.just(seats)), elements=st.sampled_from([0, 1, NAN])
    )
)
# Quarters, so that a mean at 0.5 is one exactly; NaN where a judge gives no score.
scores_of = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, NAN])


def votes(labels: np.ndarray, scores: np.ndarray | None = None) -> Votes:
    labels = np.asarray(labels, dtype=float)
    return Votes(
        tuple(Voter(name, "judge") for name in SEATS[: labels.shape[1]]),
        labels,
        np.full(labels.shape, NAN) if scores is None else np.asarray(scores, dtype=float),
        np.where(np.isnan(labels), "unparsed", "ok"),
    )


def decisions(jury: Jury, given: Votes) -> list[Decision]:
    decided = jury.decide(given)
    return [
        (None if math.isnan(label) else label, str(outcome))
        for label, outcome in zip(decided.labels[:, 0], decided.outcomes[:, 0], strict=True)
    ]


def naive_majority(row: list[float]) -> Decision:
    for label in (1.0, 0.0):
        if row.count(label) > len(row) / 2:
            return label, "ok"
    return None, "no_quorum" if any(math.isnan(vote) for vote in row) else "tie"


def naive_any(row: list[float]) -> Decision:
    if 1.0 in row:
        return 1.0, "ok"
    return (None, "no_quorum") if any(math.isnan(vote) for vote in row) else (0.0, "ok")


def naive_centre(row: list[float], scores: list[float], rule: str, quorum: int) -> Decision:
    half = Fraction(1, 2)
    cast, balance = [], 0
    for vote, score in zip(row, scores, strict=True):
        if math.isnan(vote):
            continue
        balance += 1 if vote else -1
        strength = Fraction(vote if math.isnan(score) else score)
        contradicts = strength < half if vote else strength > half
        cast.append(half if contradicts else strength)
    if len(cast) < quorum:
        return None, "no_quorum"
    middle = sum(cast) / len(cast) if rule == "mean" else statistics.median(cast)
    if middle == half and balance == 0:
        return None, "tie"
    return (float(balance > 0) if middle == half else float(middle > half)), "ok"


@given(labels_of)
@settings(max_examples=150, deadline=None)
def test_a_majority_is_more_than_half_of_all_seats(labels: np.ndarray):
    jury = Jury("j", SEATS[: labels.shape[1]])
    assert decisions(jury, votes(labels)) == [naive_majority(row) for row in labels.tolist()]


@given(labels_of)
@settings(max_examples=150, deadline=None)
def test_any_needs_one_positive_vote_or_every_negative_one(labels: np.ndarray):
    jury = Jury("j", SEATS[: labels.shape[1]], "any")
    assert decisions(jury, votes(labels)) == [naive_any(row) for row in labels.tolist()]


@given(labels_of, st.sampled_from(["mean", "median"]), st.data())
@settings(max_examples=200, deadline=None)
def test_mean_and_median_take_the_scores_of_the_votes_cast(
    labels: np.ndarray, rule: Any, data: st.DataObject
):
    seats = labels.shape[1]
    scores = data.draw(hnp.arrays(float, labels.shape, elements=scores_of))
    quorum = data.draw(st.none() | st.integers(1, seats))
    jury = Jury("j", SEATS[:seats], rule, quorum=quorum)
    expected = [
        naive_centre(row, own, rule, quorum or seats // 2 + 1)
        for row, own in zip(labels.tolist(), scores.tolist(), strict=True)
    ]
    assert decisions(jury, votes(labels, scores)) == expected


@pytest.mark.parametrize("rule", ["mean", "median", "log_odds", "majority_or_mean", "majority"])
@pytest.mark.parametrize(("label", "score"), [(1.0, 0.5), (0.0, 0.6), (1.0, 0.4), (0.0, 0.1)])
def test_a_jury_of_one_judge_votes_as_the_judge_whatever_its_threshold(
    rule: Any, label: float, score: float
):
    alone, twice = Jury("j", SEATS[:1], rule), Jury("j", SEATS[:2], rule)
    assert decisions(alone, votes([[label]], [[score]])) == [(label, "ok")]
    assert decisions(twice, votes([[label] * 2], [[score] * 2])) == [(label, "ok")]


@given(labels_of, st.sampled_from(RULES), st.sampled_from([0.0, 1.0]))
@settings(max_examples=150, deadline=None)
def test_ties_that_count_as_a_label_change_nothing_else(
    labels: np.ndarray, rule: Any, counts: float
):
    members = SEATS[: labels.shape[1]]
    plain = decisions(Jury("j", members, rule), votes(labels))
    ties: Any = "positive" if counts else "negative"
    filled = decisions(Jury("j", members, rule, ties), votes(labels))
    assert filled == [(counts, "ok") if said == "tie" else (label, said) for label, said in plain]


@given(labels_of, st.sampled_from(RULES), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_of_seats_does_not_matter(labels: np.ndarray, rule: Any, rnd: Any):
    members = list(SEATS[: labels.shape[1]])
    seated = decisions(Jury("j", tuple(members), rule), votes(labels))
    rnd.shuffle(members)
    assert decisions(Jury("j", tuple(members), rule), votes(labels)) == seated


@given(labels_of, st.sampled_from(["majority", "mean", "median"]))
@settings(max_examples=100, deadline=None)
def test_turning_every_vote_turns_the_decision(labels: np.ndarray, rule: Any):
    jury = Jury("j", SEATS[: labels.shape[1]], rule)
    turned = [
        (None if label is None else 1 - label, said)
        for label, said in decisions(jury, votes(labels))
    ]
    assert decisions(jury, votes(1 - labels)) == turned


@given(labels_of)
@settings(max_examples=100, deadline=None)
def test_a_missing_vote_never_lets_a_majority_turn(labels: np.ndarray):
    jury = Jury("j", SEATS[: labels.shape[1]])
    whole = jury.decide(votes(labels)).labels[:, 0]
    labels[:, 0] = NAN
    robbed = jury.decide(votes(labels)).labels[:, 0]
    assert not np.any((robbed == 1 - whole) & ~np.isnan(whole))


@pytest.mark.parametrize(
    ("row", "decision"),
    [
        ([1, 1, 0], (1.0, "ok")),
        ([1, 1, NAN], (1.0, "ok")),
        ([1, 0, NAN], (None, "no_quorum")),
        ([1, NAN, NAN], (None, "no_quorum")),
        ([NAN, NAN, NAN], (None, "no_quorum")),
        ([1, 1, 0, 0], (None, "tie")),
        ([1, 1, 0, NAN], (None, "no_quorum")),
        ([1], (1.0, "ok")),
    ],
)
def test_a_panel_that_loses_a_judge_keeps_its_seats(row: list[float], decision: Decision):
    assert decisions(Jury("j", SEATS[: len(row)]), votes(np.array([row]))) == [decision]


def test_at_a_mean_of_one_half_but_for_rounding_the_votes_decide():
    scores = np.array([[0.32, 0.18, 0.68, 0.39, 0.93]])
    assert np.nanmean(scores, axis=1)[0] != 0.5
    given = votes(np.array([[0, 0, 1, 0, 1]]), scores)
    assert decisions(Jury("j", SEATS, "mean"), given) == [(0.0, "ok")]  # three of five
    even = votes(np.array([[0, 0, 1, 1]]), np.array([[0.32, 0.18, 0.57, 0.93]]))
    assert decisions(Jury("j", SEATS[:4], "mean"), even) == [(None, "tie")]


def test_a_score_without_a_label_is_no_vote():
    given = votes(np.array([[NAN, 1.0, 1.0]]), np.array([[0.0, 0.6, 0.6]]))
    assert decisions(Jury("j", SEATS[:3], "mean"), given) == [(1.0, "ok")]


def test_a_jury_reads_its_own_members_only():
    labels = np.array([[0, 1, 0, 1, 0]])
    assert decisions(Jury("j", ("b", "d")), votes(labels)) == [(1.0, "ok")]


def test_a_decision_is_the_vote_of_one_voter_that_names_its_members():
    decided = Jury("j", ("c", "a")).decide(votes(np.zeros((4, 3))))
    assert decided.voters == (Voter("j", "jury", members=("c", "a")),)
    assert decided.labels.shape == decided.scores.shape == decided.outcomes.shape == (4, 1)


def test_joined_votes_are_found_by_name():
    given = votes(np.array([[0, 1, NAN], [1, 1, 0]]))
    joined = given.joined(Jury("j", ("a", "b")).decide(given))
    assert joined.names == ("a", "b", "c", "j")
    np.testing.assert_array_equal(joined.columns(("j", "b")).labels, [[NAN, 1], [1, 1]])


def test_a_judge_that_has_no_votes_is_told_with_the_nearest_name():
    given = votes(np.zeros((1, 3)))
    given = Votes((Voter("haiku", "judge"), *given.voters[1:]), *vars_of(given))
    with pytest.raises(JuriesError, match=r"no judge 'haikoo'; did you mean haiku\?"):
        Jury("j", ("haikoo",)).decide(given)


def vars_of(given: Votes) -> tuple[Any, ...]:
    return given.labels, given.scores, given.outcomes


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"members": ()}, "jury j: has no members"),
        ({"members": ("a", "b", "a")}, "jury j: names a member twice"),
        ({"quorum": 0}, "a quorum of 0 is impossible with 3 members"),
        ({"quorum": 4}, "a quorum of 4 is impossible with 3 members"),
    ],
)
def test_a_jury_that_can_never_sit_is_an_error(changed: dict[str, Any], said: str):
    with pytest.raises(JuriesError) as caught:
        Jury(**({"name": "j", "members": ("a", "b", "c")} | changed))
    assert said in str(caught.value)


@given(
    hnp.arrays(
        float,
        st.tuples(st.integers(1, 6), st.integers(1, 5)),
        elements=st.sampled_from([0, 0.25, 0.5, 0.75, 1, NAN]),
    )
)
@settings(max_examples=200, deadline=None)
def test_the_common_score_is_the_one_that_most_seats_gave(scores: np.ndarray):
    expected = []
    for row in scores.tolist():
        cast = [score for score in row if not math.isnan(score)]
        most = [score for score in set(cast) if cast.count(score) * 2 > len(row)]
        expected.append(most[0] if most else NAN)
    np.testing.assert_equal(most_common(scores).tolist(), expected)


def test_neither_of_a_pair_can_be_the_majority():
    jury = Jury("j", SEATS[:3])
    given = votes(np.array([[0.5, 0.5, 1.0], [0.5, 1.0, 0.0], [0.5, NAN, 1.0]]))
    assert decisions(jury, given)[0] == (0.5, "ok")
    assert [outcome for _, outcome in decisions(jury, given)[1:]] == ["tie", "no_quorum"]
