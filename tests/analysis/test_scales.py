"""Graded, nominal and leveled verdicts from tables to panels: on one scale, or one clear line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score

import llm_juries as lj
from llm_juries.analysis.run import measure
from llm_juries.analysis.settings import Analysis, Settings
from llm_juries.collect.run import collect
from llm_juries.data.verdicts import RecordedColumn, load
from llm_juries.errors import JuriesError
from llm_juries.juries.weighting import Weighted
from llm_juries.reporting import summary
from llm_juries.store.store import Store
from llm_juries.study import Study

STARS = lj.Scale.ordinal(1, 5)
FAST = lj.Bootstrap(resamples=50)
UNDRAWN = lj.FigureOptions(draw="none")
HUMAN = [1, 5, 4, 2, 3, 4, 5, 1]
A = [1, 5, 4, 1, 3, 5, 4, 2]
B = [2, 4, 4, 3, 2, 4, 5, 1]
C = [5, 5, 3, 2, 4, 3, 5, 1]


def stars(**columns: Any) -> pd.DataFrame:
    base = {"item_id": [f"q{n}" for n in range(8)], "human": HUMAN, "a": A, "b": B, "c": C}
    return pd.DataFrame({**base, **columns})


def test_graded_votes_and_labels_stay_levels_without_a_threshold():
    panel = lj.read_verdicts(stars(), ["a", "b", "c"], STARS)
    assert panel.scale == panel.label_scale == STARS
    assert panel.votes.labels.T.tolist() == [A, B, C]
    assert panel.human.tolist() == HUMAN


def test_graded_votes_are_never_measured_as_two_sides():
    panel = lj.read_verdicts(stars(), ["a", "b", "c"], STARS)
    for table in (lj.agreement(panel, FAST), lj.search_juries(panel, bootstrap=FAST).juries):
        assert "kappa" not in table
        assert "weighted_kappa" in table
    with pytest.raises(
        JuriesError, match=r"dependence: counts right and wrong.*ordinal \(1 to 5\)"
    ):
        lj.dependence(panel)


def test_a_threshold_cuts_judges_and_humans_alike(capsys: pytest.CaptureFixture[str]):
    panel = lj.read_verdicts(stars(), ["a", "b", "c"], STARS, threshold=4)
    assert "verdicts: threshold 4 on ordinal (1 to 5)\n" in capsys.readouterr().out
    assert "threshold 4 on ordinal (1 to 5)" in repr(panel)
    table = lj.agreement(panel, FAST).set_index("voter")
    for name, column in (("a", A), ("b", B), ("c", C)):
        expected = cohen_kappa_score(np.array(HUMAN) >= 4, np.array(column) >= 4)
        assert table.loc[name, "kappa"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rule", "pooled"),
    [
        ("mean", np.mean([A, B, C], axis=0)),
        ("median", np.median([A, B, C], axis=0)),
        ("majority", [np.nan, 5, 4, np.nan, np.nan, np.nan, 5, 1]),
    ],
)
def test_juries_pool_levels_and_are_cut_after_that(rule: Any, pooled: Any):
    jury = lj.Jury("jury", ["a", "b", "c"], rule)
    graded = lj.read_verdicts(stars(), ["a", "b", "c"], STARS).add(jury)
    np.testing.assert_allclose(graded.votes.labels[:, 3], pooled)
    expected = np.where(np.isnan(pooled), np.nan, np.asarray(pooled) >= 3.5)
    cut_before = lj.read_verdicts(stars(), ["a", "b", "c"], STARS, threshold=3.5).add(jury)
    for panel in (graded.cut(3.5), cut_before):
        np.testing.assert_array_equal(panel.votes.labels[:, 3], expected)
    assert cut_before.votes.names == ("a", "b", "c", "jury")


def test_graded_votes_on_yes_or_no_labels_need_a_threshold_for_kappa_and_none_for_auc():
    right = [int(level >= 3) for level in HUMAN]
    options: Any = {"judges": ["a"], "scale": STARS, "human_scale": lj.Scale.binary()}
    panel = lj.read_verdicts(stars(human=right), **options)
    assert roc_auc_score(panel.human, panel.votes.labels[:, 0]) == roc_auc_score(right, A)
    auc = lj.agreement(panel, FAST)
    assert "kappa" not in auc
    assert auc.loc[0, "roc_auc"] == pytest.approx(roc_auc_score(right, A))
    table = lj.agreement(lj.read_verdicts(stars(human=right), **options, threshold=3), FAST)
    assert table.loc[0, "kappa"] == pytest.approx(cohen_kappa_score(right, np.array(A) >= 3))


def test_yes_or_no_votes_on_graded_labels_need_a_threshold():
    options: Any = {"judges": ["a"], "human_scale": STARS}
    table = stars(a=[0, 1, 1, 0, 1, 1, 1, 0])
    with pytest.raises(JuriesError, match=r"are binary .* and the human labels ordinal.*threshold"):
        lj.read_verdicts(table, **options)
    panel = lj.read_verdicts(table, **options, threshold=3)
    assert panel.human.tolist() == [int(level >= 3) for level in HUMAN]
    assert "threshold 3 on ordinal (1 to 5)" in repr(panel)


@pytest.mark.parametrize("threshold", [1, 6])
def test_a_threshold_that_divides_nothing_is_refused(threshold: float):
    with pytest.raises(JuriesError, match="does not divide the scale ordinal"):
        lj.read_verdicts(stars(), ["a"], STARS, threshold=threshold)


def test_a_threshold_where_nothing_is_graded_is_refused():
    table = stars(human=[0, 1] * 4, a=[0, 1] * 4)
    with pytest.raises(JuriesError, match="threshold: is 4, but nothing about verdicts is graded"):
        lj.read_verdicts(table, ["a"], threshold=4)


def written(folder: Path, table: pd.DataFrame) -> str:
    path = folder / "t.csv"
    table.to_csv(path, index=False)
    return str(path)


def test_a_recorded_number_off_its_scale_is_told_with_its_place(tmp_path: Path):
    path = written(tmp_path, stars(human=[0, 1] * 4, a=[0, 1, 1, 4, 0, 0, 1, 1]))
    with pytest.raises(JuriesError) as told:
        load(path, judges={"a": RecordedColumn()})
    assert str(told.value).startswith(
        f"{path}, line 5, column a: '4' is not on the scale binary (0, 1); set scale, or"
    )
    assert "\n" not in str(told.value)
    dataset = load(path, judges={"a": RecordedColumn(threshold=1)})
    assert lj.read_verdicts(dataset).votes.labels[:, 0].tolist() == [0, 1, 1, 1, 0, 0, 1, 1]


def test_voters_on_different_scales_are_told_in_one_line(tmp_path: Path):
    path = written(tmp_path, stars(human=None, b=[0, 1] * 4))
    both = [
        load(path, "d", judges={name: RecordedColumn()}, scale=scale)
        for name, scale in (("a", STARS), ("b", None))
    ]
    mixed = replace(both[0], recordings=(*both[0].recordings, *both[1].recordings))
    with pytest.raises(JuriesError, match="voters are on different scales") as told:
        lj.read_verdicts(mixed)
    assert "a: ordinal (1 to 5); b: binary (0, 1)" in str(told.value)
    assert "\n" not in str(told.value)
    panel = lj.read_verdicts(mixed, threshold=4)
    assert panel.votes.labels[:, 0].tolist() == [int(level >= 4) for level in A]
    assert panel.votes.labels[:, 1].tolist() == [0, 1] * 4


CLAIM = lj.Scale.nominal("supported", "refuted", "unknown", words={"nei": "unknown"})
SAID = ["supported", "NEI", "refuted", "Unknown", "supported", "refuted", "refuted", "supported"]


def claims(**columns: Any) -> pd.DataFrame:
    return stars(human=SAID, a=SAID, b=[*SAID[:6], "nei", "nei"], c=["supported"] * 8, **columns)


def test_categories_are_codes_of_one_scale_whatever_order_a_judge_lists_them_in(tmp_path: Path):
    path = written(tmp_path, claims())
    mine = load(path, "d", judges={"a": RecordedColumn()}, scale=CLAIM)
    other = lj.Scale.nominal("unknown", "supported", "refuted", words={"nei": "unknown"})
    theirs = load(path, "d", judges={"b": RecordedColumn()}, scale=other)
    panel = lj.read_verdicts(replace(mine, recordings=(*mine.recordings, *theirs.recordings)))
    assert panel.scale == CLAIM
    assert panel.human.tolist() == panel.votes.labels[:, 0].tolist() == [0, 2, 1, 2, 0, 1, 1, 0]
    assert panel.votes.labels[:, 1].tolist() == [0, 2, 1, 2, 0, 1, 2, 2]


def test_categories_have_a_majority_and_no_mean_and_a_kappa_of_their_own():
    panel = lj.read_verdicts(claims(), ["a", "b", "c"], CLAIM)
    decided = panel.add(lj.Jury("jury", ["a", "b", "c"])).votes
    np.testing.assert_array_equal(decided.labels[:, 3], [0, 2, 1, 2, 0, 1, np.nan, 0])
    assert decided.outcomes[6, 3] == "tie"
    with pytest.raises(JuriesError, match="rule mean pools probabilities, and a has votes without"):
        panel.add(lj.Jury("jury", ["a", "b"], rule="mean"))
    with pytest.raises(JuriesError, match="ties half is for binary and preference scales"):
        panel.add(lj.Jury("jury", ["a", "b"], ties="half"))
    with pytest.raises(JuriesError, match="a majority by weights is for binary and preference"):
        panel.add(Weighted("jury", ("a", "b"), {"a": 1.0, "b": 2.0}))
    table = lj.agreement(panel, FAST).set_index("voter")
    assert table.loc["b", "kappa"] == pytest.approx(
        cohen_kappa_score(panel.human, panel.votes.labels[:, 1])
    )
    with pytest.raises(JuriesError, match=r"has no order to cut|nothing about verdicts is graded"):
        lj.read_verdicts(claims(), ["a"], CLAIM, threshold=1)


def pairs(**columns: Any) -> pd.DataFrame:
    base = {"item_id": list("pqrs"), "candidate": "x", "opponent": "y", "human": list("abab")}
    return pd.DataFrame({**base, **columns})


def test_preferences_of_three_and_of_five_levels_are_one_panel(tmp_path: Path):
    path = written(
        tmp_path, pairs(three=["a", "tie", "a", "b"], five=["A>B", "B>>A", "A=B", "B>A"])
    )
    five = lj.Scale.preference("B>>A", "B>A", "A=B", "A>B", "A>>B")
    sets = [
        load(path, "d", judges={name: RecordedColumn()}, pairs=True, scale=scale, human_scale=human)
        for name, scale, human in (
            ("three", None, None),
            ("five", five, lj.Scale.preference()),
        )
    ]
    panel = lj.read_verdicts(
        replace(sets[0], recordings=(*sets[0].recordings, *sets[1].recordings))
    )
    assert panel.votes.names == ("five", "three")
    assert panel.votes.labels.T.tolist() == [[1, 0, 0.5, 0], [1, 0.5, 1, 0]]
    assert panel.votes.scores.T.tolist() == [[0.75, 0, 0.5, 0.25], [1, 0.5, 1, 0]]
    table = lj.agreement(panel, FAST).set_index("voter")
    assert table["n"].to_dict() == {"five": 3, "three": 3}  # ties have no side


def test_an_analysis_stays_graded_or_says_its_threshold(tmp_path: Path):
    panel = lj.read_verdicts(stars(), ["a", "b", "c"], STARS)
    study = Study(panel.dataset, panel.plans, (lj.Jury("jury", ("a", "b", "c"), "mean"),))
    with Store(tmp_path / "store") as store:
        collect(study.plans, store)
        graded = measure([study], store, Analysis(bootstrap=FAST))
        assert "kappa" not in graded.tables["agreement"]
        summary.write(graded, tmp_path / "graded", options=UNDRAWN)
        how = Analysis(Settings(threshold=3.5), FAST)
        results = measure([study], store, how)
    summary.write(results, tmp_path / "out", options=UNDRAWN)
    said = (tmp_path / "graded" / "report.md").read_text()
    assert "Best single judge: **a**, weighted kappa" in said
    report = (tmp_path / "out" / "report.md").read_text()
    assert "threshold 3.5 on ordinal (1 to 5)" in report
    (row,) = results.tables["agreement"].query("voter == 'jury'").to_dict("records")
    mean = np.mean([A, B, C], axis=0) >= 3.5
    assert row["kappa"] == pytest.approx(cohen_kappa_score(np.array(HUMAN) >= 3.5, mean))


def test_a_report_of_cut_votes_has_the_juries_of_the_panel(tmp_path: Path):
    panel = lj.read_verdicts(stars(), ["a", "b", "c"], STARS, threshold=3.5)
    panel = panel.add(lj.Jury("jury", ["a", "b", "c"], "mean"))
    lj.report(panel, tmp_path, FAST, UNDRAWN)
    expected = lj.agreement(panel, FAST).set_index("voter")
    found = pd.read_csv(tmp_path / "tables" / "agreement.csv").set_index("voter")
    assert found.loc["jury", "kappa"] == pytest.approx(expected.loc["jury", "kappa"])


def test_levels_without_labels_are_ranked_and_not_cut(tmp_path: Path):
    table = stars(human=None, candidate=["x", "y"] * 4, item_id=[f"q{n // 2}" for n in range(8)])
    panel = lj.read_verdicts(table, ["a", "b"], STARS)
    study = Study(panel.dataset, panel.plans, ())
    with Store(tmp_path / "store") as store:
        collect(study.plans, store)
        results = measure([study], store, Analysis(bootstrap=FAST))
    ranked = results.tables["ranking"].query("voter == 'a'").set_index("model")["score"]
    assert ranked.to_dict() == {"x": np.mean(A[::2]), "y": np.mean(A[1::2])}
    assert results.tables["agreement"]["weighted_kappa"].isna().all()
    assert "deltas" not in results.tables or results.tables["deltas"].empty
    summary.write(results, tmp_path / "out")
