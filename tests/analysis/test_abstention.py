"""Risk and coverage are those of plain loops over the items."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import llm_juries as lj
from llm_juries.analysis.abstention import risk_coverage


@pytest.fixture(scope="module")
def panel() -> lj.Panel:
    rng = np.random.default_rng(0)
    human = rng.integers(0, 2, 300)
    votes = {
        name: np.where(rng.random(300) < 0.8, human, 1 - human).astype(float) for name in "abcd"
    }
    votes["a"][:9] = np.nan
    items = [f"q{at // 2}" for at in range(300)]
    table = pd.DataFrame({"item_id": items, "candidate": ["x", "y"] * 150, "human": human, **votes})
    read = lj.read_verdicts(table, judges=list("abcd"))
    return read.add(lj.Jury("four", list("abcd"))).add(lj.Jury("three", list("bcd")))


def test_each_degree_holds_the_items_with_as_many_votes_of_one_mind(panel: lj.Panel):
    found = risk_coverage(panel).set_index(["voter", "sure"])
    votes = panel.votes.columns(tuple("bcd")).labels
    assert found.loc["three"].index.tolist() == pytest.approx([1 / 3, 1])
    alike = (votes == votes[:, :1]).all(axis=1)
    majority = (votes.sum(axis=1) > 1.5).astype(float)
    for sure, rows in ((1 / 3, np.ones(300, bool)), (1.0, alike)):
        row = found.loc["three"].loc[found.loc["three"].index > sure - 1e-6].iloc[0]
        assert row["n"] == rows.sum()
        assert row["coverage"] == pytest.approx(rows.mean())
        assert row["risk"] == pytest.approx((majority != panel.human)[rows].mean())
        judge = panel.votes.columns((row["judge"],)).labels[:, 0]
        known = rows & ~np.isnan(judge)
        assert row["judge_risk"] == pytest.approx((judge != panel.human)[known].mean())
        assert row["ci_low"] < row["risk"] < row["ci_high"]


def test_an_even_jury_counts_its_ties_for_half_where_it_is_not_sure(panel: lj.Panel):
    found = risk_coverage(panel).set_index("voter").loc["four"]
    whole = found.iloc[0]
    votes = panel.votes.columns(tuple("abcd")).labels
    full = ~np.isnan(votes).any(axis=1)
    tied = full & (votes.sum(axis=1) == 2)
    decided = panel.votes.columns(("four",)).labels[:, 0]
    wrong = (decided != panel.human) & ~np.isnan(decided)
    assert whole["sure"] == 0
    assert whole["risk"] * whole["n"] == pytest.approx(wrong.sum() + tied.sum() / 2)
    assert found["risk"].iloc[-1] < whole["risk"]


def test_judges_without_probabilities_have_no_curve_and_a_report_draws_the_juries(
    panel: lj.Panel, tmp_path: Path
):
    assert set(risk_coverage(panel)["voter"]) == {"four", "three"}
    lj.report(panel, tmp_path, lj.Bootstrap(20))
    assert (tmp_path / "figures" / "risk_coverage_verdicts.png").is_file()
