"""Juries in place of people or a large judge: on one footing, with a margin stated beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

import llm_juries as lj
from conftest import ROOT
from llm_juries.analysis.replaceability import (
    alt_test,
    equivalence,
    human_ceiling,
    single_annotators,
)
from llm_juries.errors import JuriesError


@pytest.fixture(scope="module")
def nq301() -> lj.Panel:
    panel = lj.read_verdicts("recorded_nq301")
    return panel.add(lj.Jury("trio", ["gpt_4", "text_davinci_003", "bem"]))


def test_the_ceiling_on_nq301_is_that_of_the_two_who_labelled_everything(nq301: lj.Panel):
    sheet = pd.read_csv(ROOT / "results" / "recorded" / "nq301_qa.csv")
    found = human_ceiling(nq301).set_index("voter")
    assert set(found["annotators"]) == {"annotator_1, annotator_2"}  # the third settled disputes
    rows = sheet.dropna(subset=["annotator_1", "annotator_2", "gpt_4"])
    one, two, vote = (rows[name].astype(int) for name in ("annotator_1", "annotator_2", "gpt_4"))
    row = found.loc["gpt_4"]
    assert row["n"] == len(rows)
    assert row["human_kappa"] == pytest.approx(cohen_kappa_score(one, two))
    mean = (cohen_kappa_score(one, vote) + cohen_kappa_score(two, vote)) / 2
    assert row["kappa"] == pytest.approx(mean)
    # A plain jackknife over the questions
    left = []
    for item in rows["item"].unique():
        kept = (rows["item"] != item).to_numpy()
        a, b, v = one[kept], two[kept], vote[kept]
        pair = (cohen_kappa_score(a, v) + cohen_kappa_score(b, v)) / 2
        left.append(pair - cohen_kappa_score(a, b))
        if len(left) == 40:
            break
    assert np.abs(np.array(left) - row["difference"]).max() < 0.02
    trio = found.loc["trio"]
    said = f"{trio['difference']:.3f} [{trio['ci_low']:.3f}, {trio['ci_high']:.3f}]"
    assert said == "-0.092 [-0.155, -0.029]"
    assert trio["finding"] == "below the annotators"
    assert said in (ROOT / "docs" / "replace_people.md").read_text()


def test_each_annotator_alone_is_agreed_with_on_that_ones_items(nq301: lj.Panel):
    found = single_annotators(nq301).set_index(["voter", "annotator"])
    assert found.loc[("bem", "annotator_3"), "n"] == 455
    assert found.loc[("bem", "annotator_3"), "missing"] == 2
    assert found.loc["gpt_4"]["kappa"].idxmax() == "annotator_1"


def test_the_verdicts_of_the_alternative_annotator_test_on_nq301(nq301: lj.Panel):
    found = alt_test(nq301).set_index("voter")
    page = (ROOT / "docs" / "replace_people.md").read_text()
    for voter in ("gpt_4", "text_davinci_003", "bem", "trio"):
        row = found.loc[voter]
        assert row["verdict"] == "passes"
        line = f"| {voter} | {row['advantage']:.3f} | {row['winning_rate']:.0%} "
        assert f"{line}| {row['passes_from']:.3f} | passes |" in page
    assert (found.loc[["contains", "exact_match", "token_f1"], "verdict"] == "fails").all()
    strict = alt_test(nq301, epsilon=0.05).set_index("voter")
    assert (strict["verdict"] == "fails").all()


def test_a_jury_is_not_inferior_within_a_margin_stated_beforehand(nq301: lj.Panel):
    found = equivalence(nq301, large_judge="text_davinci_003").set_index(["voter", "beside"])
    best = found.loc[("trio", "best judge")]
    assert best["reference"] == "gpt_4"
    assert best["difference"] == pytest.approx(
        lj.compare(nq301, lj.Bootstrap(10)).iloc[1]["difference"]
    )
    assert best["verdict"] == "not inferior"
    assert best["p_not_inferior"] < 0.05 < best["p_equivalent"]
    assert found.loc[("trio", "large judge"), "reference"] == "text_davinci_003"
    assert found.loc[("trio", "annotators"), "verdict"] == "inferior"
    tight = equivalence(nq301, margin=0.001).set_index(["voter", "beside"])
    assert tight.loc[("trio", "best judge"), "verdict"] == "not shown"
    with pytest.raises(JuriesError, match="no judge 'gpt_5'; did you mean gpt_4"):
        equivalence(nq301, large_judge="gpt_5")


def test_who_voted_on_few_items_gets_no_verdict(nq301: lj.Panel):
    votes = nq301.votes
    labels = votes.labels.copy()
    labels[300:, 0] = np.nan
    outcomes = np.where(np.isnan(labels), "failed", votes.outcomes)
    few = type(nq301)(
        nq301.dataset,
        type(votes)(votes.voters, labels, votes.scores, outcomes, votes.scale),
    )
    name = votes.names[0]
    assert human_ceiling(few).set_index("voter").loc[name, "finding"] == "voted on too few items"
    assert alt_test(few).set_index("voter").loc[name, "verdict"] == "voted on too few items"


def test_graded_labels_have_a_ceiling_too():
    rng = np.random.default_rng(0)
    n = 90
    truth = rng.normal(3, 1, n)
    rated = {
        f"human_{at}": np.clip(np.round(truth + rng.normal(0, 0.7, n)), 1, 5) for at in (1, 2, 3)
    }
    good = np.clip(np.round(truth + rng.normal(0, 0.3, n)), 1, 5)
    table = pd.DataFrame(
        {"item_id": range(n), "good": good, "noise": rng.integers(1, 6, n), **rated}
    )
    panel = lj.read_verdicts(table, judges=["good", "noise"], scale=lj.Scale.ordinal(1, 5))
    found = human_ceiling(panel).set_index(["voter", "against"])
    assert {against for _, against in found.index} == {
        "single annotators",
        "majority of the others",
    }
    assert (found.loc["good", "finding"] == "above the annotators").any()
    assert (found.loc["noise", "finding"] == "below the annotators").all()
    verdicts = alt_test(panel, epsilon=0.2).set_index("voter")["verdict"]
    assert verdicts.to_dict() == {"good": "passes", "noise": "fails"}


def test_a_report_says_it_in_a_sentence(nq301: lj.Panel, tmp_path: Path):
    lj.report(nq301, tmp_path, lj.Bootstrap(20), lj.FigureOptions(draw="none"))
    report = (tmp_path / "report.md").read_text()
    assert (
        "**trio** in place of people or of a judge: against single annotators, kappa 0.640 where "
        "the annotators reach 0.733: -0.092 [-0.155, -0.029], below the annotators."
    ) in report
    assert (
        "the alternative annotator test at epsilon 0.1: passes (wins against 100% of the" in report
    )
    assert "of whom the test wants three" in report
    assert "within 0.02 of the best judge, gpt_4: not inferior" in report
