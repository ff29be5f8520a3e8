"""Step-down max-T is Algorithm 4.1 of Romano and Wolf (2005), rejecting one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from llm_juries.metrics.significance import step_down_max_t


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_it_rejects_what_the_algorithm_rejects_one_after_the_other(alternative: Any):
    rng = np.random.default_rng(0)
    shift = np.array([0.0, 0.1, 0.25, 0.5, -0.4, 0.24])
    draws = shift[:, None] + 0.1 * (rng.normal(size=(6, 999)) + rng.normal(size=999)) / 1.4
    error = draws.std(axis=1, ddof=1)
    size = np.abs if alternative == "two-sided" else np.array
    t = size(shift / error)
    centred = size((draws - shift[:, None]) / error[:, None])
    found = step_down_max_t(shift, draws, alternative).p
    for level in (0.01, 0.05, 0.2, 0.5):
        left = list(range(6))
        while left:
            most = centred[left].max(axis=0)
            gone = [at for at in left if (1 + (most >= t[at]).sum()) / 1000 <= level]
            if not gone:
                break
            left = [at for at in left if at not in gone]
        assert [at for at in range(6) if found[at] > level] == left


def test_what_never_varies_is_no_test():
    draws = np.vstack([np.zeros(50), np.random.default_rng(0).normal(size=50)])
    found = step_down_max_t(np.array([0.0, 0.1]), draws).p
    assert np.isnan(found[0])
    assert 0 < found[1] <= 1
