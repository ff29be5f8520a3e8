"""Rules on nominal and graded scales, weights, fallbacks, and what has no meaning on a scale."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from llm_juries.errors import JuriesError
from llm_juries.juries.label_models import LabelModel
from llm_juries.juries.pooling import Context
from llm_juries.juries.rules import SCALES, Jury, Rule
from llm_juries.juries.stacking import Stacking
from llm_juries.juries.votes import TIE, Voter, Votes
from llm_juries.juries.weighting import Veto, Weighted
from llm_juries.scale import Scale

NAN = math.nan
SEATS = ("a", "b", "c", "d", "e")
COLOURS = Scale.nominal("red", "green", "blue")
STARS = Scale.ordinal(1, 5)
SHARE = Scale.interval(0, 100)
EVERY = (Scale.binary(), COLOURS, STARS, SHARE, Scale.preference())


def seated(
    rows: Sequence[Sequence[float]], scale: Scale, scores: Sequence[Sequence[float]] | None = None
) -> Votes:
    labels = np.array(rows, float)
    voters = tuple(Voter(name, "judge") for name in SEATS[: labels.shape[1]])
    strengths = np.full(labels.shape, NAN) if scores is None else np.array(scores, float)
    outcomes = np.where(np.isnan(labels), "unparsed", "ok")
    return Votes(voters, labels, strengths, outcomes, scale)


def decided(votes: Votes, rule: Rule, **options: object) -> tuple[list[float | None], list[str]]:
    jury = Jury("jury", votes.names, rule, **options)  # type: ignore[arg-type]
    found = jury.decide(votes)
    assert found.scale == votes.scale
    labels = [None if math.isnan(label) else label for label in found.labels[:, 0].tolist()]
    return labels, found.outcomes[:, 0].tolist()


levels = st.lists(
    st.lists(st.sampled_from([1, 2, 3, 4, 5, NAN]), min_size=4, max_size=4), min_size=1, max_size=6
)


@settings(deadline=None)
@given(levels)
def test_plurality_is_the_only_mode(rows: list[list[float]]) -> None:
    labels, outcomes = decided(seated(rows, STARS), "plurality")
    for row, label, outcome in zip(rows, labels, outcomes, strict=True):
        cast = [vote for vote in row if not math.isnan(vote)]
        if len(cast) < 3:  # more than half of the seats
            assert (label, outcome) == (None, "no_quorum")
            continue
        modes = statistics.multimode(cast)
        assert (label, outcome) == ((modes[0], "ok") if len(modes) == 1 else (None, "tie"))


@settings(deadline=None)
@given(levels)
def test_the_majority_level_has_more_than_half_of_all_seats(rows: list[list[float]]) -> None:
    labels, outcomes = decided(seated(rows, STARS), "majority")
    for row, label, outcome in zip(rows, labels, outcomes, strict=True):
        most = [level for level in range(1, 6) if row.count(level) > 2]
        none = "no_quorum" if any(map(math.isnan, row)) else "tie"
        assert (label, outcome) == ((float(most[0]), "ok") if most else (None, none))


@settings(deadline=None)
@given(levels)
def test_mean_and_median_are_numbers_of_the_scale(rows: list[list[float]]) -> None:
    for rule, centre in (("mean", statistics.fmean), ("median", statistics.median)):
        labels, outcomes = decided(seated(rows, STARS), rule, quorum=2)  # type: ignore[arg-type]
        for row, label, outcome in zip(rows, labels, outcomes, strict=True):
            cast = [vote for vote in row if not math.isnan(vote)]
            if len(cast) < 2:
                assert (label, outcome) == (None, "no_quorum")
            else:
                assert outcome == "ok"
                assert label == pytest.approx(centre(cast), abs=1e-12)


def test_the_middle_of_a_graded_scale_is_no_tie() -> None:
    assert decided(seated([[3, 3, 3], [2, 3, 4]], STARS), "mean") == ([3, 3], ["ok", "ok"])
    assert decided(seated([[40, 60]], SHARE), "median") == ([50], ["ok"])


def test_scores_are_pooled_where_there_are_any() -> None:
    votes = seated([[2, 3]], STARS, [[1.6, NAN]])
    assert decided(votes, "mean")[0] == pytest.approx([2.3])
    assert decided(votes, "majority")[1] == ["tie"]


def test_ties_of_categories_are_missing_or_go_to_the_first_member() -> None:
    votes = seated([[0, 2, 2, 0], [1, 2, 2, 0], [0, 1, 2, 2], [2, 1, 1, 2]], COLOURS)
    assert decided(votes, "plurality") == ([None, 2, 2, None], ["tie", "ok", "ok", "tie"])
    assert decided(votes, "plurality", ties="first") == ([0, 2, 2, 2], ["ok"] * 4)
    turned = Jury("jury", ("d", "c", "b", "a"), "plurality", "first").decide(votes)
    assert turned.labels[:, 0].tolist() == [0, 2, 2, 2]


def test_weights_count() -> None:
    votes = seated([[0, 1, 1], [2, 1, NAN]], COLOURS)
    heavy = {"a": 3.0, "b": 1.0, "c": 1.0}
    assert decided(votes, "plurality", weights=heavy)[0] == [0, 2]
    graded = seated([[1, 5, 5], [1, NAN, 4]], STARS)
    assert decided(graded, "mean", weights=heavy)[0] == pytest.approx([13 / 5, 7 / 4])
    with pytest.raises(JuriesError, match="jury x: weights: rule median has none; use plurality"):
        Jury("x", ("a", "b"), "median", weights={"a": 1, "b": 2})
    with pytest.raises(JuriesError, match="jury x: weights: 'b' is missing"):
        Jury("x", ("a", "b"), "mean", weights={"a": 1})


def test_a_fallback_is_the_seat_that_its_name_stands_for() -> None:
    assert Jury("x", ("a", "b:1"), "plurality", fallback="c:1").fallback == "c"


def test_a_fallback_decides_where_the_jury_does_not() -> None:
    votes = seated([[0, 1, 2], [0, 0, 1], [0, NAN, NAN], [0, 1, NAN]], COLOURS)
    found = Jury("x", ("a", "b"), "plurality", fallback="c").decide(votes)
    assert found.labels[:, 0].tolist()[:2] == [2, 0]
    assert np.isnan(found.labels[2:, 0]).all()
    assert found.outcomes[:, 0].tolist() == ["ok", "ok", "no_quorum", "tie"]


def test_probabilities_are_pooled_by_mean_and_by_log_odds() -> None:
    chances = np.array([[0.9, 0.4, 0.3], [0.2, 0.6, 0.5]])
    votes = seated((chances > 0.5).astype(float).tolist(), Scale.binary(), chances.tolist())
    pooled = Jury("x", votes.names, "log_odds").decide(votes)
    np.testing.assert_allclose(pooled.scores[:, 0], expit(logit(chances).mean(axis=1)))
    assert pooled.labels[:, 0].tolist() == [1, 0]
    with pytest.raises(JuriesError, match="pools probabilities, and b has votes without one"):
        Jury("x", ("a", "b"), "log_odds").decide(seated([[0, 1]], Scale.binary(), [[0.5, NAN]]))


def test_the_margin_counts_votes_for_neither_as_abstentions() -> None:
    votes = seated([[1, 0.5, 0.5], [1, 0, 0.5], [0, 0, 1]], Scale.preference())
    assert decided(votes, "margin") == ([1, None, 0], ["ok", "tie", "ok"])
    assert decided(votes, "plurality")[0] == [0.5, None, 0]
    assert decided(votes, "margin", ties="half")[0] == [1, 0.5, 0]


@pytest.mark.parametrize("scale", EVERY, ids=lambda scale: scale.kind)
@pytest.mark.parametrize("rule", SCALES)
def test_a_rule_decides_or_says_in_one_line_that_it_cannot(rule: Rule, scale: Scale) -> None:
    low = scale.ends[0]
    votes = seated([[low, low, low]], scale, [[0.5, 0.5, 0.5]])
    if scale.kind == "nominal":
        votes = replace(votes, chances=np.full((1, 3, 3), 1 / 3))
    if scale.kind in SCALES[rule]:
        Jury("x", votes.names, rule).decide(votes)
    else:
        with pytest.raises(JuriesError, match=f"jury x: rule {rule} is for .*; use rule "):
            Jury("x", votes.names, rule).decide(votes)


def test_other_juries_say_what_they_are_for() -> None:
    votes = seated([[1, 2, 3]] * 4, STARS)
    context = Context(np.array([1.0, 2, 3, 4]), ("p", "q", "r", "s"))
    for jury in (
        Weighted("x", ("a", "b", "c")),
        Veto("x", ("a", "b", "c")),
        Stacking("x", ("a", "b", "c")),
        LabelModel("x", ("a", "b", "c")),
        LabelModel("x", ("a", "b", "c"), "glad"),
    ):
        with pytest.raises(JuriesError, match="use rule mean, median, majority or plurality, or s"):
            jury.decide(votes, context)
    with pytest.raises(JuriesError, match="jury x: glad is for binary and preference scales"):
        LabelModel("x", ("a", "b"), "glad").decide(seated([[0, 1]], COLOURS))
    with pytest.raises(JuriesError, match="jury x: ties half is for binary and preference"):
        Jury("x", ("a", "b"), "plurality", "half").decide(seated([[0, 1]], COLOURS))


def test_dawid_skene_finds_the_category_that_good_judges_gave() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 300)
    skill = (0.9, 0.85, 0.8, 0.4, 0.35)
    votes = np.stack(
        [np.where(rng.random(300) < p, true, rng.integers(0, 3, 300)) for p in skill], axis=1
    ).astype(float)
    votes[:20, 0] = NAN
    panel = seated(votes.tolist(), COLOURS)
    found = LabelModel("x", SEATS).decide(panel)
    right = (found.labels[:, 0] == true).mean()
    common, _ = decided(panel, "plurality")
    assert right >= np.mean([one == other for one, other in zip(common, true, strict=True)])
    assert right > 0.9
    assert ((found.scores[:, 0] > 1 / 3) & (found.scores[:, 0] <= 1)).all()
    assert TIE not in found.outcomes[:, 0]
