"""The clustered bootstrap equals a loop that draws the same questions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from llm_juries.metrics import agreement
from llm_juries.metrics import bootstrap as resampling
from llm_juries.metrics.bootstrap import Bootstrap, cluster_sums
from llm_juries.metrics.intervals import percentile_interval


def sample(seed: int, questions: int = 30, voters: int = 3) -> tuple[Any, ...]:
    """Return votes (a tenth of them missing), human labels and questions of uneven sizes."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(questions), rng.integers(1, 5, size=questions))
    human = rng.integers(2, size=len(clusters)).astype(float)
    votes = np.where(rng.random((len(human), voters)) < 0.75, human[:, None], 1 - human[:, None])
    votes[rng.random(votes.shape) < 0.1] = np.nan
    return votes, human, clusters


def slow_kappas(votes: Any, human: Any, clusters: Any, number: int, seed: int) -> np.ndarray:
    questions = sorted(set(clusters.tolist()))
    rows = {question: np.flatnonzero(clusters == question) for question in questions}
    drawn = np.random.default_rng(seed).integers(len(questions), size=(number, len(questions)))
    kappas = np.empty((number, votes.shape[1]))
    for at, draw in enumerate(drawn):
        taken = np.concatenate([rows[questions[one]] for one in draw])
        for voter in range(votes.shape[1]):
            said, true = votes[taken, voter], human[taken]
            both = ~np.isnan(said)
            kappas[at, voter] = cohen_kappa_score(true[both], said[both])
    return kappas


@pytest.mark.parametrize("seed", [0, 7])
def test_a_bootstrap_of_kappa_is_that_of_a_loop_over_the_same_questions(seed: int):
    votes, human, clusters = sample(seed)
    sums = cluster_sums(agreement.outcomes(votes, human), clusters)
    draws = Bootstrap(120, seed).draws(agreement.cohen_kappa, sums)
    np.testing.assert_allclose(draws, slow_kappas(votes, human, clusters, 120, seed), atol=1e-12)


def test_draws_do_not_depend_on_how_many_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch):
    votes, human, clusters = sample(1)
    sums = cluster_sums(agreement.outcomes(votes, human), clusters)
    whole = Bootstrap(50, 3).draws(agreement.accuracy, sums)
    monkeypatch.setattr(resampling, "HELD_WEIGHTS", 7 * len(sums) + 1)
    np.testing.assert_array_equal(Bootstrap(50, 3).draws(agreement.accuracy, sums), whole)


def test_more_resamples_begin_with_the_same_ones():
    sums = np.arange(20.0).reshape(10, 2)
    more = Bootstrap(30, 5).draws(lambda totals: totals, sums)
    np.testing.assert_array_equal(more[:10], Bootstrap(10, 5).draws(lambda totals: totals, sums))


def test_one_seed_draws_the_same_questions_whatever_is_summed():
    one = np.arange(12.0)[:, None]
    both = Bootstrap(40, 2).draws(lambda totals: totals, np.hstack([one, 3 * one]))
    alone = Bootstrap(40, 2).draws(lambda totals: totals, one)
    np.testing.assert_allclose(both, np.hstack([alone, 3 * alone]))


def test_another_seed_draws_other_questions():
    sums = np.arange(12.0)[:, None]
    draws = [Bootstrap(20, seed).draws(lambda totals: totals, sums) for seed in (0, 1)]
    assert not np.array_equal(*draws)


def test_a_resample_draws_as_many_questions_as_there_are():
    draws = Bootstrap(25, 0).draws(lambda totals: totals, np.ones((17, 1)))
    assert (draws == 17).all()


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-9, 9)), min_size=1, max_size=20),
    st.randoms(use_true_random=False),
)
@settings(max_examples=100, deadline=None)
def test_sums_over_questions_do_not_depend_on_the_order_of_rows(
    rows: list[tuple[str, int]], rnd: Any
):
    expected = [sum(v for c, v in rows if c == name) for name in sorted({c for c, _ in rows})]
    rnd.shuffle(rows)
    names, values = zip(*rows, strict=True)
    assert cluster_sums(np.array(values, dtype=float), names).tolist() == expected


def test_single_answers_make_narrower_intervals_than_their_questions():
    # Ten answers a question that are all right or all wrong: the questions are what is uncertain.
    clusters = np.repeat(np.arange(40), 10)
    right = np.repeat(np.arange(40) % 2, 10).astype(float)
    widths = []
    for units in (clusters, np.arange(400)):
        low, high = percentile_interval(
            Bootstrap(400).draws(lambda totals: totals, cluster_sums(right, units))
        )
        widths.append(float(high - low))
    assert widths[0] > 2 * widths[1]


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_an_interval_lies_at_the_quantiles_of_the_draws(level: float):
    draws = np.random.default_rng(0).normal(size=(501, 2))
    found = percentile_interval(draws, level)
    expected = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(("undefined", "told"), [(0, True), (5, True), (6, False), (100, False)])
def test_an_interval_is_given_unless_more_than_a_twentieth_is_undefined(undefined: int, told: bool):
    draws = np.arange(100.0)
    draws[:undefined] = math.nan
    low, high = percentile_interval(draws)
    assert np.isfinite([low, high]).tolist() == [told, told]


def test_undefined_draws_are_left_out_of_an_interval():
    draws = np.array([math.nan, *range(1, 100)])
    np.testing.assert_allclose(
        percentile_interval(draws, 0.9), np.quantile(np.arange(1, 100), [0.05, 0.95])
    )


def test_an_undefined_voter_leaves_the_others_intervals():
    draws = np.column_stack([np.full(50, math.nan), np.arange(50.0)])
    low, high = percentile_interval(draws, 0.9)
    np.testing.assert_allclose([low[1], high[1]], np.quantile(np.arange(50), [0.05, 0.95]))
