"""Plans are those of the formula, of statsmodels, and of a simulation that carries them out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower

from llm_juries.errors import JuriesError
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.metrics.measure import Ratings, estimates
from llm_juries.metrics.nominal import BINARY
from llm_juries.metrics.power import (
    detectable_difference,
    power_of,
    questions_needed,
    standard_error,
)
from llm_juries.scale import Scale


@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_one_comparison_is_that_of_statsmodels(power: float):
    """A paired difference of mean 0.2 and standard deviation 1, its pilot 50 questions."""
    solved = NormalIndPower().solve_power(0.2, alpha=0.05, power=power, ratio=0)
    found = questions_needed(0.2, 1 / math.sqrt(50), 50, power=power)
    assert found == math.ceil(solved)


def test_the_three_plans_undo_each_other():
    needed = questions_needed(0.03, 0.02, 100)
    assert detectable_difference(0.02, 100, needed) == pytest.approx(0.03, rel=1e-3)
    assert power_of(0.03, 0.02, 100, needed) == pytest.approx(0.8, abs=1e-3)
    assert power_of(-0.03, 0.02, 100, needed) == power_of(0.03, 0.02, 100, needed)
    more = questions_needed(0.03, 0.02, 100, critical=3.3)
    assert more > needed
    assert power_of(0.03, 0.02, 100, more, critical=3.3) == pytest.approx(0.8, abs=1e-3)


def test_no_difference_takes_all_questions_and_no_error_has_no_plan():
    assert math.isinf(questions_needed(0.0, 0.1, 100))
    assert math.isnan(questions_needed(0.1, math.nan, 100))
    with pytest.raises(JuriesError, match="power: is 1"):
        questions_needed(0.1, 0.1, 100, power=1)


def test_a_search_takes_more_questions_and_holms_correction_the_most():
    """A difference of .029 whose error is .0276 on 100 questions: about 711, 1,547 and 2,028."""
    beforehand = questions_needed(0.029, 0.0276, 100)
    max_t = questions_needed(0.029, 0.0276, 100, critical=3.29)
    by_holm = questions_needed(0.029, 0.0276, 100, critical=float(stats.norm.isf(0.025 / 502)))
    assert beforehand == pytest.approx(711, rel=0.02)
    assert max_t == pytest.approx(1547, rel=0.02)
    assert by_holm == pytest.approx(2028, rel=0.08)


def pair_of_judges(rng: np.random.Generator, questions: int) -> Ratings:
    """Two judges with accuracies of .85 and .80 and errors in common."""
    human = rng.integers(2, size=questions).astype(float)
    common = rng.normal(size=(questions, 1))
    latent = np.sqrt(0.4) * common + np.sqrt(0.6) * rng.normal(size=(questions, 2))
    right = latent < stats.norm.ppf([0.85, 0.80])
    votes = np.where(right, human[:, None], 1 - human[:, None])
    return Ratings(votes, human, Scale.binary(), range(questions))


def test_a_pilots_plan_has_about_the_power_that_it_promises():
    accuracy, options = BINARY[1], Bootstrap(2)

    def gap(ratings: Ratings) -> tuple[float, float, float]:
        found = estimates([accuracy], ratings, options, lambda v: v[..., :1] - v[..., 1:])
        return tuple(float(part[0]) for part in found["accuracy"])  # type: ignore[return-value]

    rng = np.random.default_rng(0)
    _, low, high = gap(pair_of_judges(rng, 2000))
    error = standard_error(np.array(low), np.array(high), np.array(2000))
    for questions in (200, 600):
        promised = float(power_of(0.05, error, 2000, questions))
        found = [gap(pair_of_judges(rng, questions))[1] > 0 for _ in range(300)]
        assert np.mean(found) == pytest.approx(promised, abs=0.09)
