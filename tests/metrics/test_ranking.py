"""Rankings equal those of other implementations, and depend on nothing but the battles."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import evalica
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from llm_juries.errors import JuriesError
from llm_juries.metrics import bootstrap as resampling
from llm_juries.metrics import ranking
from llm_juries.metrics.arrays import Array
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.metrics.ranking import (
    Battles,
    Ranking,
    Weights,
    bradley_terry,
    bradley_terry_bootstrap,
    compare,
    connected,
    mean_scores,
    style_controlled,
    win_rate,
)

LEVELS = np.array([1.0, 0.75, 0.5, 0.25, 0.0])
PLAIN = Weights()


def sample(
    seed: int, n: int = 600, m: int = 5, missing: float = 0.05, levels: Any = LEVELS
) -> Battles:
    """Return battles of models of known strength, some without a vote, on 60 questions."""
    rng = np.random.default_rng(seed)
    strength = np.linspace(-1, 1, m)
    first = rng.integers(m, size=n)
    second = (first + rng.integers(1, m, size=n)) % m
    edge = strength[first] - strength[second] + rng.logistic(size=n)
    at = np.digitize(-edge, [-1.5, -0.3, 0.3, 1.5]) if len(levels) == 5 else (edge < 0).astype(int)
    score = np.asarray(levels)[at]
    score[rng.random(n) < missing] = math.nan
    clusters = rng.integers(60, size=n).astype(str)
    return Battles(tuple(f"model_{i}" for i in range(m)), first, second, score, clusters)


def rows_of(battles: Battles, weights: Weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return design, outcome and weight, two rows a battle, written anew and one by one."""
    design, outcome, weight = [], [], []
    for a, b, score in zip(battles.first, battles.second, battles.score, strict=True):
        if math.isnan(score) or (score == 0.5 and weights.ties == "none"):
            continue
        line = [0.0] * len(battles.models)
        line[a], line[b] = 1.0, -1.0
        times = weights.strong if score in (0.0, 1.0) else 1.0
        share = score
        if weights.slight == "win":
            share = 1.0 if score > 0.5 else 0.0 if score < 0.5 else 0.5
        design += [line, line]
        outcome += [1, 0]
        weight += [times * share, times * (1 - share)]
    return np.array(design), np.array(outcome), np.array(weight)


def sklearn_strengths(design: Any, outcome: Any, weight: Any) -> np.ndarray:
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=10_000)
    return model.fit(design, outcome, sample_weight=weight).coef_[0]


WEIGHTS = [
    PLAIN,
    Weights(ties="none"),
    Weights(strong=3, slight="win"),
    Weights(strong=2.5, slight="share", ties="none"),
]


def mean_scores_of(scores: Array, *how: Any) -> Ranking:
    (found,) = mean_scores(scores[:, None], *how)
    return found


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_strengths_are_those_of_an_unpenalised_logistic_regression(weights: Weights):
    battles = sample(0)
    theirs = sklearn_strengths(*rows_of(battles, weights))
    ours = bradley_terry(battles, weights)
    np.testing.assert_allclose(ours, theirs - theirs.mean(), atol=2e-6)
    assert ours.mean() == pytest.approx(0)


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_strengths_are_those_of_evalica(weights: Weights):
    battles = sample(1)
    winners = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}
    xs, ys, won, times = [], [], [], []
    for a, b, score in zip(battles.first, battles.second, battles.score, strict=True):
        if math.isnan(score) or (weights.ties == "none" and score == 0.5):
            continue
        # A slight win is evalica's win of a half and a draw of a half, or a whole win.
        parts = [(score, weights.strong if score in (0.0, 1.0) else 1.0)]
        if score in (0.75, 0.25):
            whole = 1.0 if score > 0.5 else 0.0
            parts = [(whole, 1.0)] if weights.slight == "win" else [(whole, 0.5), (0.5, 0.5)]
        for part, weight in parts:
            xs.append(battles.models[a])
            ys.append(battles.models[b])
            won.append(winners[part])
            times.append(weight)
    found = evalica.bradley_terry(
        xs, ys, won, weights=times, tie_weight=0.5, tolerance=1e-12, limit=10_000
    )
    theirs = np.log(found.scores.loc[list(battles.models)].to_numpy())
    np.testing.assert_allclose(bradley_terry(battles, weights), theirs - theirs.mean(), atol=1e-8)


def test_a_chain_of_models_is_fitted_to_the_end():
    # Where evalica's default of 100 iterations stops long before.
    m = 30
    links = np.repeat(np.arange(m - 1), 5)
    battles = Battles(
        tuple(f"m{i:02}" for i in range(m)), links, links + 1,
        np.tile([1.0, 1, 1, 0, 0], m - 1), np.arange(len(links)),
    )  # fmt: skip
    np.testing.assert_allclose(-np.diff(bradley_terry(battles, PLAIN)), math.log(1.5), atol=1e-9)


def test_strengths_are_those_of_statsmodels():
    battles = sample(2)
    design, outcome, weight = rows_of(battles, PLAIN)
    fitted = sm.GLM(outcome, design[:, 1:], family=sm.families.Binomial(), freq_weights=weight).fit(
        tol=1e-12
    )
    ours = bradley_terry(battles, PLAIN)
    np.testing.assert_allclose(ours[1:] - ours[0], fitted.params, atol=1e-8)


def test_arena_hards_three_wins_are_battles_written_three_times():
    battles = sample(3)
    strong = np.isin(battles.score, [0.0, 1.0])
    times = np.where(strong, 3, 1)
    whole = (np.sign(battles.score - 0.5) + 1) / 2
    copied = Battles(
        battles.models,
        *(np.repeat(side, times) for side in (battles.first, battles.second, whole)),
        np.repeat(battles.clusters, times),
    )
    np.testing.assert_allclose(
        bradley_terry(battles, Weights(strong=3, slight="win")),
        bradley_terry(copied, PLAIN),
        atol=1e-10,
    )


def test_elos_scale_puts_the_anchor_at_1000_and_odds_of_ten_400_apart():
    battles = Battles.between(["b"] * 11, ["a"] * 11, [1.0] * 10 + [0.0], range(11))
    assert bradley_terry(battles, PLAIN, anchor="a") == pytest.approx([1000, 1400])
    found = bradley_terry_bootstrap(sample(4), PLAIN, Bootstrap(50), anchor="model_2")
    assert np.isnan([found.low[2], found.high[2]]).all()  # by definition, not by measurement


def test_a_bootstrap_is_that_of_refitting_the_same_questions():
    battles, number, seed = sample(5, n=300), 25, 9
    found = bradley_terry_bootstrap(battles, PLAIN, Bootstrap(number, seed, 0.8))
    questions = sorted(set(battles.clusters))
    drawn = np.random.default_rng(seed).integers(len(questions), size=(number, len(questions)))
    refits = []
    for draw in drawn:
        rows = np.concatenate([np.flatnonzero(battles.clusters == questions[q]) for q in draw])
        refits.append(bradley_terry(taken(battles, rows), PLAIN))
        theirs = sklearn_strengths(*rows_of(taken(battles, rows), PLAIN))
        np.testing.assert_allclose(refits[-1], theirs - theirs.mean(), atol=1e-5)
    np.testing.assert_allclose(found.draws, refits, atol=1e-9)
    np.testing.assert_allclose(found.low, np.quantile(refits, 0.1, axis=0), atol=1e-9)
    places = pd.DataFrame(refits).rank(axis=1, ascending=False)
    # Ranks that hold all at once are no narrower than each one's own percentiles
    assert (found.rank_low <= np.floor(places.quantile(0.1))).all()
    assert (found.rank_high >= np.ceil(places.quantile(0.9))).all()


def test_draws_do_not_depend_on_how_many_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch):
    battles, style = sample(6, n=200), np.random.default_rng(0).normal(size=(200, 2))
    whole = bradley_terry_bootstrap(battles, PLAIN, Bootstrap(30))
    styled = style_controlled(battles, style, PLAIN, Bootstrap(30))
    for module in (resampling, ranking):
        monkeypatch.setattr(module, "HELD_WEIGHTS", 1000)
    np.testing.assert_allclose(
        bradley_terry_bootstrap(battles, PLAIN, Bootstrap(30)).draws, whole.draws, atol=1e-10
    )
    parts = style_controlled(battles, style, PLAIN, Bootstrap(30))
    np.testing.assert_allclose(parts.ranking.draws, styled.ranking.draws, atol=1e-10)


def taken(battles: Battles, rows: Any) -> Battles:
    return Battles(
        battles.models, battles.first[rows], battles.second[rows], battles.score[rows],
        np.asarray(battles.clusters)[rows],
    )  # fmt: skip


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_nothing_depends_on_the_order_of_battles_on_sides_or_on_names(seed: int):
    rng = np.random.default_rng(seed)
    battles = sample(seed, n=200)
    style = rng.normal(size=(200, 2))
    order = rng.permutation(200)
    swapped = rng.random(200) < 0.5
    # Names are given anew at random, so that models sort otherwise.
    new = rng.permutation(5)
    first, second = new[battles.first], new[battles.second]
    turned = Battles(
        battles.models,
        np.where(swapped, second, first)[order],
        np.where(swapped, first, second)[order],
        np.where(swapped, 1 - battles.score, battles.score)[order],
        np.asarray(battles.clusters)[order],
    )
    turned_style = (style * np.where(swapped, -1, 1)[:, None])[order]
    weights = WEIGHTS[seed % len(WEIGHTS)]
    for one, other in [
        (found(battles, style, weights), found(turned, turned_style, weights)) for found in FOUND
    ]:
        for field in ("n", "score", "low", "high", "rank", "rank_low", "rank_high"):
            np.testing.assert_allclose(
                getattr(one, field), getattr(other, field)[new], atol=1e-8, err_msg=field
            )


FOUND = [
    lambda battles, _, weights: bradley_terry_bootstrap(battles, weights, Bootstrap(20)),
    lambda battles, _, weights: win_rate(battles, weights, Bootstrap(20)),
    lambda battles, style, weights: (
        style_controlled(battles, style, weights, Bootstrap(20)).ranking
    ),
]


def test_the_last_digit_does_not_depend_on_the_order_of_battles():
    battles = sample(7)
    thirds = replace(battles, score=np.where(battles.score == 0.75, 2 / 3, battles.score))
    order = np.random.default_rng(0).permutation(len(battles.score))
    for find in (
        lambda b: bradley_terry_bootstrap(b, PLAIN, Bootstrap(20)).draws,
        lambda b: win_rate(b, PLAIN, Bootstrap(20)).draws,
    ):
        np.testing.assert_array_equal(find(thirds), find(taken(thirds, order)))


def test_a_missing_vote_is_neither_a_tie_nor_a_loss():
    battles = sample(8)
    voted = taken(battles, np.flatnonzero(~np.isnan(battles.score)))
    np.testing.assert_array_equal(bradley_terry(battles, PLAIN), bradley_terry(voted, PLAIN))
    assert win_rate(battles, PLAIN, Bootstrap(5)).n.sum() == 2 * len(voted.score)


def test_battles_without_any_vote_leave_no_estimate():
    battles = replace(sample(0, n=5), score=np.full(5, math.nan))
    rankings = [
        bradley_terry_bootstrap(battles, PLAIN, Bootstrap(10)),
        win_rate(battles, PLAIN, Bootstrap(10)),
        style_controlled(battles, np.ones((5, 2)), PLAIN, Bootstrap(10)).ranking,
    ]
    for found in rankings:
        assert found.n.sum() == 0
        assert np.isnan([found.score, found.low, found.high, found.rank]).all()
    assert len(connected(battles, PLAIN)) == 5


def test_a_model_that_never_lost_leaves_no_estimate():
    battles = Battles.between(
        ["a", "a", "b", "c"], ["b", "c", "c", "b"], [1.0, 1, 1, 1], ["1", "2", "3", "4"]
    )
    assert np.isnan(bradley_terry(battles, PLAIN)).all()
    assert connected(battles, PLAIN) == (("b", "c"), ("a",))
    found = bradley_terry_bootstrap(battles, PLAIN, Bootstrap(20))
    assert np.isnan([found.score, found.low, found.rank, found.rank_high]).all()
    assert np.isnan(
        style_controlled(battles, np.ones((4, 1)), PLAIN, Bootstrap(5)).coefficients
    ).all()


def test_models_that_never_met_leave_no_estimate():
    battles = Battles.between(["a", "a", "c", "c"], ["b", "b", "d", "d"], [1, 0, 1, 0.0], range(4))
    assert np.isnan(bradley_terry(battles, PLAIN)).all()
    assert connected(battles, PLAIN) == (("a", "b"), ("c", "d"))


def test_resamples_without_an_estimate_are_left_out_or_spoil_the_interval():
    # One win of the weaker model in n: a resample misses it with a chance of about 1/e.
    score = np.ones(40)
    score[0] = 0.0
    found = bradley_terry_bootstrap(
        Battles.between(["a"] * 40, ["b"] * 40, score, range(40)), PLAIN, Bootstrap(500)
    )
    missed = np.isnan(found.draws).all(axis=1).mean()
    assert missed == pytest.approx(math.exp(-1), abs=0.06)
    assert np.isfinite(found.score).all()
    assert np.isnan(found.low).all()
    assert (found.rank_low.tolist(), found.rank_high.tolist()) == ([1, 1], [2, 2])


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_strengths_exist_where_the_graph_of_wins_is_strongly_connected(seed: int):
    battles = sample(seed, n=12, m=4, levels=[1.0, 0.0])
    exists = len(connected(battles, PLAIN)) == 1
    strengths = bradley_terry(battles, PLAIN)
    assert np.isfinite(strengths).all() == exists
    assert np.isnan(strengths).all() != exists


def test_the_odd_model_out_is_found_at_any_place():
    # A long way round: each model beats only the next, the last beats the first.
    m = 9
    ring = np.arange(m)
    names = tuple("abcdefghi")
    battles = Battles(names, ring, (ring + 1) % m, np.ones(m), ring)
    np.testing.assert_allclose(bradley_terry(battles, PLAIN), np.zeros(m), atol=1e-9)
    for gone in range(m):
        cut = taken(battles, np.flatnonzero(ring != gone))
        assert np.isnan(bradley_terry(cut, PLAIN)).all()


def test_win_rates_are_means_of_shares():
    battles = sample(9)
    table = pd.DataFrame(
        {
            "model": np.concatenate([battles.first, battles.second]),
            "other": np.concatenate([battles.second, battles.first]),
            "share": np.concatenate([battles.score, 1 - battles.score]),
        }
    )
    by_pair = table.pivot_table("share", "model", "other")
    np.testing.assert_allclose(win_rate(battles, PLAIN, Bootstrap(5)).score, by_pair.mean(axis=1))
    against = win_rate(battles, PLAIN, Bootstrap(5), baseline="model_3")
    np.testing.assert_allclose(against.score, by_pair[3].fillna(0.5))
    assert np.isnan([against.low[3], against.high[3]]).all()
    named = evalica.average_win_rate(
        *(pd.Series(side).map(dict(enumerate(battles.models))).tolist()
          for side in (battles.first, battles.second)),
        [evalica.Winner.X if s == 1 else evalica.Winner.Y for s in (battles.score > 0.5)],
    )  # fmt: skip
    whole = replace(battles, score=(battles.score > 0.5).astype(float))
    np.testing.assert_allclose(
        win_rate(whole, PLAIN, Bootstrap(5)).score, named.scores.loc[list(battles.models)]
    )


def test_a_model_that_never_met_the_baseline_has_no_rate_and_takes_no_rank():
    battles = Battles.between(["a", "c", "b"], ["b", "b", "d"], [1.0, 0, 1], range(3))
    found = win_rate(battles, PLAIN, Bootstrap(20), baseline="a")
    np.testing.assert_array_equal(found.score, [0.5, 0, math.nan, math.nan])
    np.testing.assert_array_equal(found.rank, [1, 2, math.nan, math.nan])


def test_win_rate_intervals_cover_the_truth_about_as_often_as_they_claim():
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        score = (rng.random(150) < 0.7).astype(float)
        battles = Battles.between(["a"] * 150, ["b"] * 150, score, range(150))
        found = win_rate(battles, PLAIN, Bootstrap(300, seed, 0.9), baseline="b")
        covered += found.low[0] <= 0.7 <= found.high[0]
    assert 46 <= covered <= 60


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_style_controlled_strengths_are_those_of_statsmodels_and_sklearn(weights: Weights):
    battles = sample(10)
    rng = np.random.default_rng(1)
    style = rng.normal(size=(len(battles.score), 3)) * [1.0, 30.0, 0.01]
    found = style_controlled(battles, style, weights, Bootstrap(10))
    design, outcome, weight = rows_of(battles, weights)
    kept = ~np.isnan(battles.score)
    size = np.sqrt((style[kept] ** 2).mean(axis=0))
    if weights.ties == "none":
        kept &= battles.score != 0.5
    beside = np.repeat(style[kept] / size, 2, axis=0)
    both = np.hstack([design[:, 1:], beside])
    fitted = sm.GLM(outcome, both, family=sm.families.Binomial(), freq_weights=weight).fit(
        tol=1e-12
    )
    strengths = found.ranking.score[1:] - found.ranking.score[0]
    np.testing.assert_allclose(strengths, fitted.params[:4], atol=1e-7)
    np.testing.assert_allclose(found.coefficients, fitted.params[4:], atol=1e-7)
    theirs = sklearn_strengths(np.hstack([design, beside]), outcome, weight)
    np.testing.assert_allclose(found.coefficients, theirs[5:], atol=1e-5)


def test_a_style_bootstrap_is_that_of_refitting_the_same_questions():
    battles, number, seed = sample(11, n=300), 8, 3
    style = np.random.default_rng(2).normal(size=(300, 2))
    found = style_controlled(battles, style, PLAIN, Bootstrap(number, seed))
    kept = ~np.isnan(battles.score)
    scaled = style / np.sqrt((style[kept] ** 2).mean(axis=0))
    questions = sorted(set(battles.clusters))
    drawn = np.random.default_rng(seed).integers(len(questions), size=(number, len(questions)))
    for at, draw in enumerate(drawn):
        rows = np.concatenate([np.flatnonzero(battles.clusters == questions[q]) for q in draw])
        rows = rows[kept[rows]]
        design, outcome, weight = rows_of(taken(battles, rows), PLAIN)
        both = np.hstack([design[:, 1:], np.repeat(scaled[rows], 2, axis=0)])
        fitted = sm.GLM(outcome, both, family=sm.families.Binomial(), freq_weights=weight).fit(
            tol=1e-12
        )
        np.testing.assert_allclose(found.draws[at], fitted.params[4:], atol=1e-7)


def test_with_the_same_style_everywhere_style_control_is_bradley_terry():
    battles = sample(12)
    none = style_controlled(battles, np.zeros((len(battles.score), 2)), PLAIN, Bootstrap(10))
    plain = bradley_terry_bootstrap(battles, PLAIN, Bootstrap(10))
    np.testing.assert_allclose(none.ranking.draws, plain.draws, atol=1e-9)
    np.testing.assert_allclose(none.ranking.score, plain.score, atol=1e-9)


def test_style_that_decides_every_battle_leaves_no_estimate():
    battles = sample(13, missing=0, levels=[1.0, 0.0])
    style = (battles.score - 0.5)[:, None]
    found = style_controlled(battles, style, PLAIN, Bootstrap(5))
    assert np.isnan(found.coefficients).all()
    assert np.isnan(found.ranking.score).all()
    assert np.isnan(found.ranking.low).all()


def test_style_that_only_names_the_model_leaves_no_estimate():
    battles = sample(14)
    habit = np.array([3.0, 1, 4, 1, 5])
    style = (habit[battles.first] - habit[battles.second])[:, None]
    assert np.isnan(style_controlled(battles, style, PLAIN, Bootstrap(5)).coefficients).all()


def test_style_that_never_differs_is_left_out():
    battles = sample(15)
    style = np.random.default_rng(3).normal(size=(len(battles.score), 2))
    style[:, 1] = 0
    found = style_controlled(battles, style, PLAIN, Bootstrap(10))
    alone = style_controlled(battles, style[:, :1], PLAIN, Bootstrap(10))
    np.testing.assert_allclose(found.coefficients, [alone.coefficients[0], math.nan])
    np.testing.assert_allclose(found.ranking.score, alone.ranking.score)


def test_verbosity_that_wins_by_itself_is_taken_off_a_verbose_models_strength():
    # Simulated: "b" is no better than "a", but longer, and length wins.
    rng = np.random.default_rng(4)
    n = 4000
    longer = rng.normal(1, 1, size=n)
    score = (rng.random(n) < 1 / (1 + np.exp(-longer))).astype(float)
    battles = Battles.between(["b"] * n, ["a"] * n, score, range(n))
    assert bradley_terry(battles, PLAIN)[1] > 0.3
    found = style_controlled(battles, longer[:, None], PLAIN, Bootstrap(200))
    assert found.ranking.low[1] < 0 < found.ranking.high[1]
    assert found.low[0] > 0


def test_mean_scores_are_means_and_intervals_draw_questions():
    rng = np.random.default_rng(5)
    questions, names = np.repeat(np.arange(40), 3), np.tile(["c", "a", "b"], 40)
    scores = rng.integers(1, 6, size=120).astype(float)
    scores[rng.random(120) < 0.1] = math.nan
    found = mean_scores_of(scores, names, questions, Bootstrap(60, 2))
    table = pd.DataFrame({"name": names, "score": scores, "question": questions})
    by_name = table.groupby("name")["score"]
    assert found.models == ("a", "b", "c")
    np.testing.assert_allclose(found.score, by_name.mean())
    np.testing.assert_allclose(found.rank, by_name.mean().rank(ascending=False))
    assert found.n.tolist() == by_name.count().tolist()
    drawn = np.random.default_rng(2).integers(40, size=(60, 40))
    for at, draw in enumerate(drawn):
        again = pd.concat([table[table.question == q] for q in draw])
        np.testing.assert_allclose(found.draws[at], again.groupby("name")["score"].mean())


def test_a_candidate_without_scores_has_no_mean():
    found = mean_scores_of(np.array([1.0, math.nan]), ["a", "b"], ["q", "q"], Bootstrap(10))
    np.testing.assert_array_equal(found.score, [1, math.nan])
    np.testing.assert_array_equal(found.rank, [1, math.nan])


def test_equal_models_share_a_rank():
    found = mean_scores_of(np.array([2.0, 3, 3]), ["a", "b", "c"], ["q"] * 3, Bootstrap(10))
    assert found.rank.tolist() == [3, 1.5, 1.5]
    assert (found.rank_low.tolist(), found.rank_high.tolist()) == ([1, 1, 1], [3, 3, 3])


def test_a_comparison_names_the_models_that_it_leaves_out():
    scores = np.array([1.0, 2, 3, 4, math.nan])
    found = mean_scores_of(scores, list("abcde"), ["q"] * 5, Bootstrap(20))
    told = compare(found, {"a": 10.0, "b": 20.0, "d": 15.0, "e": 1.0, "x": 0.0}, Bootstrap(2))
    assert (told.models, told.missing, told.unscored) == (("a", "b", "d"), ("c",), ("e",))
    assert told.value["kendall_tau_b"] == pytest.approx(1 / 3)
    assert told.value["spearman"] == pytest.approx(0.5)
    assert (told.low["spearman"], told.high["spearman"]) == (-1, 1)  # one question


def test_a_comparison_with_nothing_in_common_has_no_value():
    found = mean_scores_of(np.array([1.0, 2]), ["a", "b"], ["q"] * 2, Bootstrap(20))
    told = compare(found, {"x": 1.0}, Bootstrap(2))
    assert told.missing == ("a", "b")
    assert np.isnan([*told.value.values(), *told.low.values()]).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"models": ("b", "a")}, "field models: names must be sorted"),
        ({"models": ()}, "battles: there are none"),
        ({"first": np.array([0, 1, 0])}, "field first: has 3 rows, score has 2"),
        ({"first": np.array([0, 7])}, "field first: holds an index outside 0..1"),
        ({"second": np.array([0, 1])}, "row 0: 'a' is compared with itself"),
        ({"score": np.array([1.0, 1.5])}, "field score: is 1.5 in row 1"),
        ({"clusters": ["q"]}, "field clusters: has 1 rows"),
    ],
)
def test_battles_that_do_not_fit_together_are_told(change: dict[str, Any], told: str):
    fine = Battles(("a", "b"), np.array([0, 0]), np.array([1, 1]), np.array([1.0, 0]), ["q", "r"])
    with pytest.raises(JuriesError, match=told.replace(".", r"\.")):
        replace(fine, **change)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"strong": -1}, "field strong: is -1"),
        ({"strong": math.nan}, "field strong: is nan"),
        ({"slight": "some"}, "field slight: is 'some'; set it to one of share, win"),
        ({"ties": "all"}, "field ties: is 'all'; set it to one of half, none"),
    ],
)
def test_weights_that_mean_nothing_are_told(change: dict[str, Any], told: str):
    with pytest.raises(JuriesError, match=told):
        Weights(**change)


def test_an_unknown_baseline_and_unfit_features_are_told():
    battles = sample(16, n=50)
    with pytest.raises(JuriesError, match="no battle has 'nobody'; set one of model_0"):
        win_rate(battles, PLAIN, Bootstrap(5), baseline="nobody")
    with pytest.raises(JuriesError, match="no battle has 'nobody'"):
        bradley_terry(battles, PLAIN, anchor="nobody")
    with pytest.raises(JuriesError, match=r"have the shape \(3, 1\); set a row for each of 50"):
        style_controlled(battles, np.ones((3, 1)), PLAIN, Bootstrap(5))
    with pytest.raises(JuriesError, match="not finite"):
        style_controlled(battles, np.full((50, 1), math.nan), PLAIN, Bootstrap(5))
