"""The alternative annotator test is that of its authors, written out as in the paper."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from llm_juries.metrics.alternative import alternative_test, signed_rank

NAN = np.nan


def plain(votes: np.ndarray, people: np.ndarray, epsilon: float) -> tuple[float, float]:
    """Return winning rate and average advantage by plain loops (section 3)."""
    pvalues, advantages = [], []
    for left_out in range(people.shape[1]):
        ahead_f, ahead_h = [], []
        for vote, row in zip(votes, people, strict=True):
            others = [v for at, v in enumerate(row) if at != left_out and not np.isnan(v)]
            if np.isnan(vote) or np.isnan(row[left_out]) or not others:
                continue
            of_model = np.mean([vote == v for v in others])
            of_human = np.mean([row[left_out] == v for v in others])
            ahead_f.append(of_model >= of_human)
            ahead_h.append(of_human >= of_model)
        difference = np.array(ahead_h, float) - np.array(ahead_f, float)
        if len(difference) < 30:
            p = stats.wilcoxon(difference - epsilon, alternative="less").pvalue
        else:
            p = stats.ttest_1samp(difference, epsilon, alternative="less").pvalue
        pvalues.append(p)
        advantages.append(np.mean(ahead_f))
    rejected = multipletests(pvalues, alpha=0.05, method="fdr_by")[0]
    return float(np.mean(rejected)), float(np.mean(advantages))


@pytest.mark.parametrize("n", [24, 120])
@pytest.mark.parametrize("skill", [0.6, 0.75, 0.9])
def test_it_is_the_papers_where_every_item_is_a_cluster(n: int, skill: float):
    rng = np.random.default_rng(int(100 * skill) + n)
    truth = rng.integers(3, size=n).astype(float)
    people = np.where(rng.random((n, 4)) < 0.8, truth[:, None], rng.integers(3, size=(n, 4)))
    people[rng.random(people.shape) < 0.1] = NAN
    votes = np.where(rng.random(n) < skill, truth, rng.integers(3, size=n))
    votes[:2] = NAN
    for epsilon in (0.0, 0.1, 0.2):
        found = alternative_test(votes, people, np.arange(n), epsilon)
        assert (found.winning_rate, found.advantage) == pytest.approx(plain(votes, people, epsilon))
        assert found.passes == (found.winning_rate >= 0.5)


@pytest.mark.parametrize("n", [2, 9, 20])
@pytest.mark.parametrize("decimals", [0, 1, 6])  # many zeros and ties, some, none
def test_a_rank_test_is_scipys_with_ties_and_zeros(n: int, decimals: int):
    differences = np.random.default_rng(n).normal(-0.2, size=n).round(decimals)
    differences[0] = 1.0
    # As "auto" before scipy 1.15 took the normal distribution for few differences with ties.
    method = stats.PermutationMethod() if n < 10 else "auto"
    expected = stats.wilcoxon(differences, alternative="less", method=method).pvalue
    assert signed_rank(differences) == pytest.approx(expected, abs=1e-12)


def test_grades_agree_by_their_distance():
    people = np.tile([[1.0, 2.0, 3.0]], (40, 1))
    # 2 is nearer to the others than 1 and 3 are, and as near as 2 itself
    found = alternative_test(np.full(40, 2.0), people, np.arange(40), 0.1, graded=True)
    assert found.advantage == 1
    assert found.passes
    far = alternative_test(
        np.full(40, 9.0), people + np.arange(40)[:, None] % 2 / 10, np.arange(40), 0.1, graded=True
    )
    assert far.advantage == 0
    assert not far.passes


def test_answers_to_one_question_are_no_independent_evidence():
    rng = np.random.default_rng(0)
    question = np.repeat(np.arange(40), 10)
    truth = np.repeat(rng.integers(2, size=40), 10).astype(float)
    people = np.stack([truth, truth], axis=1)
    wrong = np.repeat(rng.random(40) < 0.05, 10)
    votes = np.where(wrong, 1 - truth, truth)
    alone = alternative_test(votes, people, np.arange(400), 0.1)
    clustered = alternative_test(votes, people, question, 0.1)
    assert alone.p.max() < clustered.p.min()
