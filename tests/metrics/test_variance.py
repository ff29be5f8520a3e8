"""Variance components are REML's in balanced data, and those planted in large data."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from llm_juries.metrics.variance import components, noise

PLANTED = {"items": 1.0, "judges": 0.5, "items x judges": 0.4, "residual": 0.3}


def made(items: int, judges: int, repeats: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scale = {name: np.sqrt(value) for name, value in PLANTED.items()}
    shape = items, judges, 1, repeats
    return (
        scale["items"] * rng.normal(size=(items, 1, 1, 1))
        + scale["judges"] * rng.normal(size=(1, judges, 1, 1))
        + scale["items x judges"] * rng.normal(size=(items, judges, 1, 1))
        + scale["residual"] * rng.normal(size=shape)
    )


def test_they_are_those_of_a_mixed_model():
    values = made(15, 5, 2, 1)
    index = pd.MultiIndex.from_product([range(15), range(5), range(2)], names=["i", "j", "r"])
    table = pd.DataFrame({"y": values.ravel()}, index=index).reset_index().assign(one=1)
    parts = {"i": "0 + C(i)", "j": "0 + C(j)", "ij": "0 + C(i):C(j)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = smf.mixedlm("y ~ 1", table, groups="one", vc_formula=parts).fit(reml=True)
    found = components(values, ("items", "judges", "prompts"))
    reml = dict(zip(sorted(parts), fit.vcomp, strict=True))
    assert found["items"] == pytest.approx(reml["i"], rel=0.02)
    assert found["items x judges"] == pytest.approx(reml["ij"], rel=0.02)
    assert found["judges"] == pytest.approx(reml["j"], rel=0.05)
    assert found["residual"] == pytest.approx(fit.scale, rel=0.01)


def test_they_are_unbiased():
    found = [
        components(made(30, 6, 2, seed), ("items", "judges", "prompts")) for seed in range(300)
    ]
    mean = pd.DataFrame(found).mean()
    for name, value in PLANTED.items():
        assert mean[name] == pytest.approx(value, rel=0.1)


def test_three_crossed_factors_are_told_apart():
    rng = np.random.default_rng(0)
    prompt, item_prompt = rng.normal(size=(1, 1, 40, 1)), rng.normal(size=(60, 1, 40, 1))
    values = 2 * prompt + item_prompt + 0.1 * rng.normal(size=(60, 3, 40, 1))
    found = components(values, ("items", "judges", "prompts"))
    assert found["prompts"] == pytest.approx(4 * prompt.var(), rel=0.2)
    assert found["items x prompts"] == pytest.approx(1, rel=0.1)
    assert found["judges"] == pytest.approx(0, abs=0.01)
    assert found["residual"] == pytest.approx(0.01, rel=0.1)


def test_noise_is_what_is_left_of_a_seat_beside_its_items_mean():
    one = {"judges": 1, "prompts": 1, "repeats": 1}
    assert noise(PLANTED, one) == pytest.approx(1.2)
    assert noise(PLANTED, {**one, "judges": 2}) == pytest.approx(0.6)
    assert noise(PLANTED, {**one, "repeats": 3}) == pytest.approx(0.9 + 0.1)
